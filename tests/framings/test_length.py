"""Tests of `LengthFraming`: judged by `struct` and by Twisted, whole, byte by byte and cut at random."""

from __future__ import annotations

import struct
import sys
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.names.dns import DNSProtocol, Message
from twisted.protocols.basic import Int16StringReceiver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import BadLength, FrameTooLong, MarshalingError
from twisted_repeater.framings import length as length_module
from twisted_repeater.framings.base import Framing, framing_of
from twisted_repeater.framings.length import HeaderFraming, Int32Framing, LengthFraming
from twisted_repeater.interfaces import IFraming
from twisted_repeater.model import Limits

from .streams import CUTS, check_not_initialized, check_outside, outcome, reads_of, skipped_by_find

LIMIT = 1000
PAYLOADS = st.lists(st.binary(max_size=40) | st.integers(100, LIMIT - 40).map(bytes), max_size=12)
SIZES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def postgres(payload: bytes) -> bytes:
    """Return a message of PostgreSQL, whose length counts itself."""
    return b"Q" + struct.pack(">I", len(payload) + 4) + payload


def modbus(payload: bytes) -> bytes:
    """Return a frame of Modbus/TCP, whose length counts the unit and the function after it."""
    return struct.pack(">HHHBB", 7, 0, len(payload) + 2, 1, 3) + payload


def mysql(payload: bytes) -> bytes:
    """Return a packet of MySQL, which has a number after its length."""
    return struct.pack("<I", len(payload))[:3] + b"\5" + payload


def dicom(payload: bytes) -> bytes:
    """Return a PDU of DICOM, which has a type and a byte that means nothing before its length."""
    return b"\4\0" + struct.pack(">I", len(payload)) + payload


PROTOCOLS = (
    (LengthFraming(LIMIT, size=4, at=1, adds=-4, whole=True), postgres),
    (LengthFraming(LIMIT, size=2, at=4, header=8, whole=True), modbus),
    (LengthFraming(LIMIT, size=3, order="little", adds=1, whole=True), mysql),
    (LengthFraming(LIMIT, size=4, at=2, whole=True), dicom),
)

PLAIN = (
    *(LengthFraming(LIMIT, size=size, order=order) for size in (2, 3, 4, 8) for order in ("big", "little")),
    LengthFraming(255, size=1),
    LengthFraming(LIMIT, size=2, adds=-2),
    LengthFraming(LIMIT, size=4, order="little", adds=-4),
)


class Strings(Int16StringReceiver):
    """Twisted's receiver, which keeps the strings."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def stringReceived(self, string: bytes) -> None:
        """See `Int16StringReceiver`."""
        self.received.append(string)


class Resolver:
    """The part of a resolver that a protocol needs to send."""

    def connectionMade(self, protocol: DNSProtocol) -> None:
        """See `DNSProtocol`."""


class JudgedTests(SynchronousTestCase):
    """Frames as others make and read them."""

    @given(st.sampled_from(PROTOCOLS), PAYLOADS, CUTS)
    def test_protocols(self, protocol: Any, payloads: list[bytes], cuts: list[int]) -> None:
        """The frames of four protocols are found whole, however the stream is cut, and can be sent."""
        framing, make = protocol
        frames = [make(payload) for payload in payloads]
        stream = b"".join(frames)
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual(outcome(framing, reads), (frames, ""))
        self.assertEqual([framing.encode(frame) for frame in frames], frames)

    @given(PAYLOADS)
    def test_twisted(self, payloads: list[bytes]) -> None:
        """Lengths of two bytes are those of Twisted's receiver."""
        judge = Strings()
        judge.makeConnection(StringTransport())
        judge.dataReceived(b"".join(map(LengthFraming(LIMIT, size=2).encode, payloads)))
        self.assertEqual(judge.received, payloads)

    def test_dns(self) -> None:
        """A query that Twisted sends over TCP is found, without its length."""
        transport = StringTransport()
        sender = DNSProtocol(Resolver())
        sender.makeConnection(transport)
        query = Message(5)
        query.addQuery(b"example.org")
        sender.writeMessage(query)
        found, error = outcome(LengthFraming(65_535, size=2), [transport.value()])
        self.assertEqual((found, error), ([query.toStr()], ""))

    @given(st.sampled_from(sorted(SIZES)), st.sampled_from(["big", "little"]), st.data())
    def test_struct(self, size: int, order: Literal["big", "little"], data: st.DataObject) -> None:
        """Every length that `struct` writes is read as it was meant, wherever it stands."""
        length = data.draw(st.integers(0, min(256**size, 2**62) - 1))
        at, start = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 3))
        header = bytes(at) + struct.pack((">" if order == "big" else "<") + SIZES[size], length)
        framing = LengthFraming(2**63 - 1, size=size, at=at, order=order, whole=True)
        stream = bytes(start) + header + b"\xff" * 9
        for compiled in (False, True):
            if hasattr(length_module, "COMPILED"):  # not compiled: both ways can run
                self.patch(length_module, "COMPILED", compiled)
            self.assertEqual(framing.find(stream, start, start + len(header) - 1), 0)
            self.assertEqual(framing.find(stream, start, len(stream)), start + len(header) + length)
            self.assertEqual(framing.body, start)

    def test_three_bytes(self) -> None:
        """A length of three bytes is read up to its largest value."""
        for order in ("big", "little"):
            framing = LengthFraming(1 << 24, size=3, order=order)
            for length in (0, 0x010203, 0xFFFFFF):
                data = length.to_bytes(3, order)
                self.assertEqual((framing.find(data, 0, 3), framing.body), (3 + length, 3))


class FoundTests(SynchronousTestCase):
    """Frames in streams."""

    @given(st.sampled_from(PLAIN), PAYLOADS, CUTS)
    def test_round_trip(self, framing: Framing, payloads: list[bytes], cuts: list[int]) -> None:
        """Encoded payloads are found again, however the stream is cut."""
        payloads = [payload for payload in payloads if len(payload) <= framing.max_frame]
        stream = b"".join(map(framing.encode, payloads))
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual(outcome(framing, reads), (payloads, ""))

    @given(PAYLOADS)
    def test_as_int32(self, payloads: list[bytes]) -> None:
        """With four bytes it makes the frames of `Int32Framing`."""
        for payload in payloads:
            self.assertEqual(LengthFraming(LIMIT, size=4).encode(payload), Int32Framing(LIMIT).encode(payload))

    @given(st.binary(max_size=40), CUTS)
    def test_garbage(self, stream: bytes, cuts: list[int]) -> None:
        """Any bytes give the same frames and the same error, however they are cut."""
        for framing in (
            LengthFraming(9, size=1),
            LengthFraming(9, size=1, at=1, adds=-3, header=5, whole=True),
            LengthFraming(9, size=2, order="little", adds=-2),
        ):
            whole = outcome(framing, [stream])
            self.assertEqual(outcome(framing, reads_of(stream, range(len(stream)))), whole)
            self.assertEqual(outcome(framing, reads_of(stream, cuts)), whole)

    @given(st.sampled_from(PLAIN), PAYLOADS, st.binary(max_size=30), st.integers(0, 40))
    def test_skip(self, framing: Framing, payloads: list[bytes], behind: bytes, short: int) -> None:
        """Skipping ends where finding frame by frame ends, whatever follows or is missing."""
        data = b"".join(framing.encode(payload) for payload in payloads if len(payload) <= framing.max_frame)
        data = data[: max(0, len(data) - short)] if short < 20 else data + behind
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertEqual((framing.skip(data, at, len(data)), framing.count), (at, 0))


class RefusedTests(SynchronousTestCase):
    """Lengths that no frame can have."""

    def test_shorter_than_its_header(self) -> None:
        """A length that leaves no room for the header is refused as soon as it is there."""
        for framing, data, said in (
            (PROTOCOLS[0][0], b"Q\0\0\0\3", "5 bytes of its header, not 4 by a length of 3"),
            (PROTOCOLS[0][0], b"Q\0\0\0\0", "5 bytes of its header, not 1 by a length of 0"),
            (PROTOCOLS[1][0], b"\0\1\0\0\0\1", "8 bytes of its header, not 7 by a length of 1"),
            (LengthFraming(LIMIT, size=2, adds=-9), b"\0\1", "2 bytes of its header, not -6 by a length of 1"),
        ):
            self.assertEqual(framing.find(data, 0, len(data) - 1), 0)
            for after in (b"", b"\xff" * 20):
                error = self.assertRaises(BadLength, framing.find, data + after, 0, len(data + after))
                self.assertEqual(str(error), f"a frame must have at least the {said}")
                self.assertEqual((framing.skip(data + after, 0, len(data)), framing.count), (0, 0))

    def test_headers(self) -> None:
        """The header is right for every size, also where it is not one of those that are made before."""
        framing = Int32Framing(1 << 20)
        for size in (0, 1, 255, 256, 1022, 1023, 1024, 1025, 70_000):
            self.assertEqual(framing.encode(bytes(size)), size.to_bytes(4, "big") + bytes(size))

    def test_limit(self) -> None:
        """A payload at the limit is found; one above it is refused at its header. With ``whole`` the header counts."""
        for framing, header, most in (
            (LengthFraming(200, size=2), b"", 200),
            (LengthFraming(200, size=2, at=3, whole=True), b"abc", 195),
            (LengthFraming(200, size=2, adds=-2), b"", 202),
        ):
            for length in (most - 1, most):
                data = header + struct.pack(">H", length)
                self.assertEqual(framing.find(data, 0, len(data)), len(data) + length + framing.adds)
            data = header + struct.pack(">H", most + 1)
            error = self.assertRaises(FrameTooLong, framing.find, data, 0, len(data))
            self.assertEqual((error.size, error.limit), (201, 200))
            self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (0, 0))

    def test_ends_behind_all_offsets(self) -> None:
        """A length of eight bytes beyond every offset is too long, whatever the limit, and its value is told."""
        for length in (2**62, 2**63 - 1, 2**63, 2**64 - 1):
            for adds in (-(2**31), 0, 2**31):
                framing = LengthFraming(sys.maxsize, size=8, adds=adds)
                data = struct.pack(">Q", length)
                error = self.assertRaises(FrameTooLong, framing.find, data, 0, 8)
                self.assertEqual(error.size, length + adds)
                self.assertEqual((framing.skip(data, 0, 8), framing.count), (0, 0))


class EncodeTests(SynchronousTestCase):
    """Frames that are made."""

    def test_too_long(self) -> None:
        """A payload above the limit is not framed."""
        error = self.assertRaises(MarshalingError, LengthFraming(5, size=2).encode, b"123456")
        self.assertEqual(str(error), "a message must have at most 5 bytes, not 6")

    def test_no_room(self) -> None:
        """A payload that the length has no room for, or that is shorter than what is added, is not framed."""
        for adds, least, most in ((0, 0, 255), (-1, 0, 254), (3, 3, 258)):
            framing = LengthFraming(LIMIT, size=1, adds=adds)
            for size in (least, most):
                self.assertEqual(framing.encode(bytes(size)), bytes([size - adds]) + bytes(size))
            for size in {least - 1, most + 1} - {-1}:
                error = self.assertRaises(MarshalingError, framing.encode, bytes(size))
                self.assertEqual(
                    str(error), f"a message must have {least} to {most} bytes to suit its length, not {size}"
                )

    def test_whole(self) -> None:
        """With ``whole`` a payload is framed as it is if it is one frame, and refused if it isn't."""
        framing = LengthFraming(100, size=4, at=1, adds=-4, whole=True)
        frame = postgres(b"select 1")
        self.assertEqual(framing.encode(frame), frame)
        self.assertEqual(framing.replace(postgres(b"old"), frame), frame)
        for payload, complaint in (
            (b"", "a message must be a whole frame, not 0 bytes which do not even make a header"),
            (b"Q\0\0\0", "not 4 bytes which do not even make a header"),
            (frame[:-1], "not 12 bytes whose header announces 13"),
            (frame + frame, "not 26 bytes whose header announces 13"),
            (b"Q\0\0\0\0", "a whole frame, with its header: a frame must have at least the 5 bytes of its header"),
            (b"Q\0\0\1\0", "a whole frame, with its header: frame of 257 bytes, at most 100 are allowed"),
            (bytes(101), "a message must have at most 100 bytes, not 101"),
        ):
            self.assertIn(complaint, str(self.assertRaises(MarshalingError, framing.encode, payload)))
        wrong: Any = "Q"
        self.assertRaises(TypeError, framing.encode, wrong)


class MadeTests(SynchronousTestCase):
    """Framings that are made, rightly or wrongly."""

    def test_interface(self) -> None:
        """It is a framing of the package, and says what it was made with."""
        framing = LengthFraming(7, size=2, at=1, order="little", adds=-3, header=4, whole=True)
        self.assertTrue(verifyObject(IFraming, framing))
        self.assertIs(framing_of(framing), framing)
        said = (framing.max_frame, framing.size, framing.at, framing.order, framing.adds, framing.header, framing.whole)
        self.assertEqual(said, (7, 2, 1, "little", -3, 4, True))
        self.assertEqual(LengthFraming(7, size=2).header, 2)

    def test_wrong_arguments(self) -> None:
        """Arguments that make no sense are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            ({"size": 5}, ValueError, "size must be 1, 2, 3, 4 or 8, not 5"),
            ({"size": "4"}, TypeError, "size must be an int, not '4'"),
            ({"size": True}, TypeError, "size must be an int, not True"),
            ({"order": "middle"}, ValueError, 'order must be "big" or "little", not \'middle\''),
            ({"order": None}, ValueError, 'order must be "big" or "little", not None'),
            ({"at": -1}, ValueError, "at must be 0 to 65531, not -1"),
            ({"at": 2**70}, ValueError, f"at must be 0 to 65531, not {2**70}"),
            ({"at": None}, TypeError, "at must be an int, not None"),
            ({"adds": 2**31 + 1}, ValueError, f"adds must be -2147483648 to 2147483648, not {2**31 + 1}"),
            ({"adds": 0.5}, TypeError, "adds must be an int, not 0.5"),
            ({"header": 3}, ValueError, "header must be at least 4, where the length ends, not 3"),
            ({"header": -1}, ValueError, "header must be 0 to 65535, not -1"),
            ({"header": None}, TypeError, "header must be an int, not None"),
            ({"whole": "yes"}, TypeError, "whole must be True or False, not 'yes'"),
            ({"max_frame": 1.5}, TypeError, "max_frame must be an int, not 1.5"),
            ({"max_frame": -1}, ValueError, f"max_frame must be 0 to {sys.maxsize}, not -1"),
        ):
            arguments = {"max_frame": LIMIT, "size": 4, **wrong}
            self.assertEqual(str(self.assertRaises(kind, LengthFraming, **arguments)), complaint)

    def test_whole_is_needed(self) -> None:
        """A header with more than its length needs ``whole``, and the error says why."""
        more: Any
        for more, header in (({"at": 1}, 5), ({"header": 6}, 6)):
            error = self.assertRaises(ValueError, LengthFraming, LIMIT, size=4, **more)
            said = f"a header of {header} bytes of which 4 are the length: encode cannot make the others"
            self.assertEqual(str(error), f"whole must be True for {said}")
            LengthFraming(LIMIT, size=4, whole=True, **more)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are refused."""
        check_outside(self, LengthFraming(LIMIT, size=4, at=20, whole=True))

    def test_not_initialized(self) -> None:
        """One that was made without its initializer reads nothing outside of the data, and finds no frame."""
        check_not_initialized(self, LengthFraming)

    def test_limits(self) -> None:
        """The limits of `Limits` are limits, given or left to their defaults."""
        for limits in (Limits(), Limits(max_frame=99)):
            self.assertEqual(LengthFraming(limits.max_frame, size=2).max_frame, limits.max_frame)

    def test_abstract(self) -> None:
        """The base finds no frame: it has the measure of none."""

        class Nothing(HeaderFraming):
            pass

        self.assertRaises(NotImplementedError, Nothing(LIMIT, False).find, b"", 0, 0)
