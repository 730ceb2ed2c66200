"""Tests of `VarintFraming`: judged by the protobuf library, whole, byte by byte and cut at random."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

from google.protobuf.proto import parse_length_prefixed, serialize_length_prefixed
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import BadLength, FrameTooLong, MarshalingError
from twisted_repeater.framings.base import framing_of
from twisted_repeater.framings.varint import VarintFraming
from twisted_repeater.interfaces import IFraming

from .streams import CUTS, check_not_initialized, check_outside, outcome, reads_of, skipped_by_find

LIMIT = 20_000
BOUNDARIES = (0, 1, 127, 128, 16_383, 16_384)
PAYLOADS = st.lists(st.binary(max_size=40) | st.sampled_from(BOUNDARIES).map(bytes), max_size=6)


def varint(size: int) -> bytes:
    """Return a length in base 128."""
    written = bytearray()
    while size > 127:
        written.append(size % 128 + 128)
        size //= 128
    return bytes([*written, size])


def packet(size: int) -> bytes:
    """Return an MQTT packet with so many bytes after its fixed header."""
    return b"\x30" + varint(size) + b"." * size


class JudgedTests(SynchronousTestCase):
    """Frames against delimited messages of Protocol Buffers."""

    @given(PAYLOADS)
    def test_read(self, values: list[bytes]) -> None:
        """Delimited messages that protobuf writes are found, each whole."""
        file = BytesIO()
        messages = [BytesValue(value=value) for value in values]
        for message in messages:
            serialize_length_prefixed(message, file)
        found, error = outcome(VarintFraming(2 * LIMIT, max_bytes=5), [file.getvalue()])
        self.assertEqual((found, error), ([message.SerializeToString() for message in messages], ""))

    @given(PAYLOADS)
    def test_written(self, values: list[bytes]) -> None:
        """Frames are read by protobuf."""
        framing = VarintFraming(2 * LIMIT)
        messages = [BytesValue(value=value) for value in values]
        file = BytesIO(b"".join(framing.encode(message.SerializeToString()) for message in messages))
        for message in messages:
            self.assertEqual(parse_length_prefixed(BytesValue, file), message)
        self.assertEqual(file.read(), b"")


class FoundTests(SynchronousTestCase):
    """Frames in streams."""

    @given(PAYLOADS, CUTS)
    def test_round_trip(self, payloads: list[bytes], cuts: list[int]) -> None:
        """Encoded payloads are found again, however the stream is cut."""
        framing = VarintFraming(LIMIT)
        stream = b"".join(map(framing.encode, payloads))
        for reads in ([stream], reads_of(stream, range(1000)), reads_of(stream, cuts)):
            self.assertEqual(outcome(framing, reads), (payloads, ""))

    @given(PAYLOADS, CUTS)
    def test_whole(self, payloads: list[bytes], cuts: list[int]) -> None:
        """With ``whole`` the payload of a frame is the frame."""
        framing = VarintFraming(LIMIT, at=1, whole=True)
        packets = [packet(len(payload)) for payload in payloads]
        stream = b"".join(packets)
        for reads in ([stream], reads_of(stream, range(1000)), reads_of(stream, cuts)):
            self.assertEqual(outcome(framing, reads), (packets, ""))

    def test_boundaries(self) -> None:
        """A length just below and at each size of its form is read byte by byte; the header ends where it should."""
        for whole, at in ((False, 0), (True, 0), (True, 1), (True, 300)):
            framing = VarintFraming(2**63 - 1, at=at, max_bytes=9, whole=whole)
            for size in (0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 2**28 - 1, 2**28, 2**56 - 1, 2**62 - 1):
                header = bytes(at) + varint(size)
                data = b"..." + header + b"..."
                for end in range(3, 3 + len(header)):
                    self.assertEqual(framing.find(data, 3, end), 0)
                for end in range(3 + len(header), len(data) + 1):
                    self.assertEqual(framing.find(data, 3, end), 3 + len(header) + size)
                    self.assertEqual(framing.body, 3 if whole else 3 + len(header))

    def test_longer_than_needed(self) -> None:
        """A length in more bytes than it needs is accepted, and its frame is the bytes that came."""
        for header, payload in ((b"\x80\0", b""), (b"\x83\x80\x80\0", b"abc")):
            self.assertEqual(outcome(VarintFraming(LIMIT), [header + payload]), ([payload], ""))
            whole = b"\x30" + header + payload
            framing = VarintFraming(LIMIT, at=1, whole=True)
            self.assertEqual(outcome(framing, [whole]), ([whole], ""))
            self.assertEqual(framing.encode(whole), whole)

    @given(st.binary(max_size=40), CUTS)
    @example(b"\0\0\0\xff\xff\xff\xff", [4])
    def test_garbage(self, stream: bytes, cuts: list[int]) -> None:
        """Any bytes give the same frames and the same error, however they are cut."""
        for framing in (VarintFraming(9), VarintFraming(9, at=2, max_bytes=2, whole=True)):
            whole = outcome(framing, [stream])
            self.assertEqual(outcome(framing, reads_of(stream, range(len(stream)))), whole)
            self.assertEqual(outcome(framing, reads_of(stream, cuts)), whole)

    @given(PAYLOADS, st.binary(max_size=30), st.integers(0, 40))
    def test_skip(self, payloads: list[bytes], behind: bytes, short: int) -> None:
        """Skipping ends where finding frame by frame ends, whatever follows or is missing."""
        framing = VarintFraming(LIMIT)
        data = b"".join(map(framing.encode, payloads))
        data = data[: max(0, len(data) - short)] if short < 20 else data + behind
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertEqual((framing.skip(data, at, len(data)), framing.count), (at, 0))


class RefusedTests(SynchronousTestCase):
    """Lengths that no frame can have."""

    def test_too_many_bytes(self) -> None:
        """A length that goes on after its last byte is refused as soon as that byte is there, with its bytes."""
        for max_bytes in range(1, 10):
            framing = VarintFraming(LIMIT, at=1, max_bytes=max_bytes, whole=True)
            header = b"\x30" + b"\x80" * max_bytes
            for end in range(len(header)):
                self.assertEqual(framing.find(header, 0, end), 0)
            for data in (header, header + b"\0" * 20):
                error = self.assertRaises(BadLength, framing.find, data, 0, len(data))
                self.assertEqual(
                    str(error), f"a length must end within {max_bytes} bytes, not go on after {header[1:]!r}"
                )
                self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (0, 0))

    def test_limit(self) -> None:
        """A payload at the limit is found; one above it is refused at its header. With ``whole`` the header counts."""
        for framing, header, most in (
            (VarintFraming(200), b"", 200),
            (VarintFraming(200, at=2, whole=True), b"ab", 196),
        ):
            data = header + varint(most)
            self.assertEqual(framing.find(data, 0, len(data)), len(data) + most)
            data = header + varint(most + 1)
            self.assertEqual(framing.find(data, 0, len(data) - 1), 0)
            error = self.assertRaises(FrameTooLong, framing.find, data, 0, len(data))
            self.assertEqual((error.size, error.limit), (201, 200))

    def test_ends_behind_all_offsets(self) -> None:
        """The largest length is too long, though the limit would allow it."""
        data = b"\xff" * 8 + b"\x7f"
        for whole in (False, True):
            framing = VarintFraming(sys.maxsize, max_bytes=9, whole=whole)
            error = self.assertRaises(FrameTooLong, framing.find, data, 0, 9)
            self.assertEqual(error.size, 2**63 - 1 + 9 * whole)
            self.assertEqual((framing.skip(data, 0, 9), framing.count), (0, 0))


class EncodeTests(SynchronousTestCase):
    """Frames that are made."""

    def test_too_long(self) -> None:
        """A payload above the limit, or that its length has no room for, is not framed."""
        error = self.assertRaises(MarshalingError, VarintFraming(5).encode, b"123456")
        self.assertEqual(str(error), "a message must have at most 5 bytes, not 6")
        self.assertEqual(VarintFraming(LIMIT, max_bytes=1).encode(bytes(127)), b"\x7f" + bytes(127))
        error = self.assertRaises(MarshalingError, VarintFraming(LIMIT, max_bytes=1).encode, bytes(128))
        self.assertEqual(str(error), "a message must have a length of at most 1 bytes, not 2")

    def test_whole(self) -> None:
        """With ``whole`` a payload is framed as it is if it is one frame, and refused if it isn't."""
        framing = VarintFraming(100, at=1, whole=True)
        self.assertEqual(framing.encode(b"\x30\2ab"), b"\x30\2ab")
        self.assertEqual(framing.replace(b"\x30\0", b"\x30\2ab"), b"\x30\2ab")
        for payload, complaint in (
            (b"", "not 0 bytes which do not even make a header"),
            (b"\x30\x80", "not 2 bytes which do not even make a header"),
            (b"\x30\2a", "not 3 bytes whose header announces 4"),
            (b"\x30\2abc", "not 5 bytes whose header announces 4"),
            (b"\x30\x80\x80\x80\x80\0", "with its header: a length must end within 4 bytes"),
            (b"\x30\x7f", "with its header: frame of 129 bytes, at most 100 are allowed"),
        ):
            self.assertIn(complaint, str(self.assertRaises(MarshalingError, framing.encode, payload)))


class MadeTests(SynchronousTestCase):
    """Framings that are made, rightly or wrongly."""

    def test_interface(self) -> None:
        """It is a framing of the package, and says what it was made with."""
        framing = VarintFraming(7, at=1, max_bytes=3, whole=True)
        self.assertTrue(verifyObject(IFraming, framing))
        self.assertIs(framing_of(framing), framing)
        self.assertEqual((framing.max_frame, framing.at, framing.max_bytes, framing.whole), (7, 1, 3, True))

    def test_wrong_arguments(self) -> None:
        """Arguments that make no sense are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            ({"max_bytes": 0}, ValueError, "max_bytes must be 1 to 9, not 0"),
            ({"max_bytes": 10}, ValueError, "max_bytes must be 1 to 9, not 10"),
            ({"max_bytes": "4"}, TypeError, "max_bytes must be an int, not '4'"),
            ({"at": -1}, ValueError, "at must be 0 to 65535, not -1"),
            ({"at": 2**64, "whole": True}, ValueError, f"at must be 0 to 65535, not {2**64}"),
            ({"at": 1}, ValueError, "whole must be True for a length at 1: encode cannot make the bytes before it"),
            ({"whole": 1}, TypeError, "whole must be True or False, not 1"),
            ({"max_frame": True}, TypeError, "max_frame must be an int, not True"),
            ({"max_frame": -1}, ValueError, f"max_frame must be 0 to {sys.maxsize}, not -1"),
            ({"max_frame": 2**63}, ValueError, f"max_frame must be 0 to {sys.maxsize}, not {2**63}"),
        ):
            arguments = {"max_frame": LIMIT, **wrong}
            self.assertEqual(str(self.assertRaises(kind, VarintFraming, **arguments)), complaint)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are refused."""
        check_outside(self, VarintFraming(LIMIT, at=20, whole=True))

    def test_not_initialized(self) -> None:
        """One that was made without its initializer reads nothing outside of the data, and finds no frame."""
        check_not_initialized(self, VarintFraming)
