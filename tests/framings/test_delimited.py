"""Tests of `DelimitedFraming`: judged by `bytes.split` and by Twisted, whole, byte by byte and cut at random."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import FrameTooLong, FramingError, MarshalingError
from twisted_repeater.framings.base import framing_of
from twisted_repeater.framings.delimited import DelimitedFraming
from twisted_repeater.interfaces import IFraming

from .streams import CUTS, check_not_initialized, check_outside, frames_in, outcome, reads_of, skipped_by_find

LIMIT = 1000
ENDS = st.sampled_from([b"\n", b"\r\n", b"aa", b"aab", b"abab", b"\0\0\0"])
FEW = st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n", b"\0", b"ab", b"x" * 50]), max_size=40).map(b"".join)
"""Bytes that begin the marks again and again."""


def mllp(limit: int = LIMIT, **more: Any) -> DelimitedFraming:
    """Make the framing of HL7 over MLLP."""
    return DelimitedFraming(limit, b"\x1c\r", start=b"\x0b", **more)


class Lines(LineOnlyReceiver):
    """Twisted's receiver, which keeps the lines."""

    MAX_LENGTH = 10_000

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        """See `LineOnlyReceiver`."""
        self.received.append(line)


class JudgedTests(SynchronousTestCase):
    """Frames against other ways to split a stream."""

    @given(FEW, ENDS, CUTS)
    def test_split(self, stream: bytes, end: bytes, cuts: list[int]) -> None:
        """The payloads are what `bytes.split` gives, however the stream is cut."""
        expected = stream.split(end)[:-1]
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            framing = DelimitedFraming(5000, end)
            frames = list(frames_in(framing, reads))
            self.assertEqual([payload for _, payload in frames], expected)
            self.assertEqual([frame for frame, _ in frames], [payload + end for payload in expected])

    @given(FEW, CUTS)
    def test_twisted(self, stream: bytes, cuts: list[int]) -> None:
        """The lines are those of Twisted's receiver."""
        judge = Lines()
        judge.makeConnection(StringTransport())
        reads = reads_of(stream, cuts)
        for read in reads:
            judge.dataReceived(read)
        self.assertEqual(outcome(DelimitedFraming(5000, b"\r\n"), reads), (judge.received, ""))

    @given(FEW, ENDS)
    def test_encode(self, payload: bytes, end: bytes) -> None:
        """Exactly the payloads that come back alone can be framed."""
        framing = DelimitedFraming(5000, end)
        if (payload + end).split(end) == [payload, b""]:
            self.assertEqual(framing.encode(payload), payload + end)
            self.assertEqual(framing.replace(b"old" + end, payload), payload + end)
        else:
            error = self.assertRaises(MarshalingError, framing.encode, payload)
            self.assertEqual(str(error), f"a message must not have its end mark {end!r} before its end")


class FoundTests(SynchronousTestCase):
    """Frames in streams."""

    @given(st.lists(st.binary(max_size=40).map(lambda payload: payload.replace(b"\x1c", b"")), max_size=8), CUTS)
    def test_start(self, payloads: list[bytes], cuts: list[int]) -> None:
        """With a start mark, encoded payloads are found again, with or without the marks."""
        frames = [b"\x0b" + payload + b"\x1c\r" for payload in payloads]
        stream = b"".join(frames)
        self.assertEqual(stream, b"".join(map(mllp().encode, payloads)))
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual(outcome(mllp(), reads), (payloads, ""))
            self.assertEqual(outcome(mllp(whole=True), reads), (frames, ""))

    def test_only_the_pair(self) -> None:
        """Half of an end mark ends nothing, and its two halves may come in two reads."""
        for reads in ([b"\x0ba\x1cb\r\x1c\x1c", b"\r\x0b"], [b"\x0b", b"a\x1c", b"b\r\x1c", b"\x1c", b"\r"]):
            self.assertEqual(outcome(mllp(), reads), ([b"a\x1cb\r\x1c"], ""))

    def test_marks_that_are_equal(self) -> None:
        """A start mark is not taken for the end."""
        self.assertEqual(outcome(DelimitedFraming(9, b"~", start=b"~"), [b"~ab~~~~c~"]), ([b"ab", b"", b"c"], ""))
        self.assertEqual(outcome(DelimitedFraming(9, b"~", start=b"ab~"), [b"ab~~"]), ([b""], ""))

    @given(FEW, ENDS, st.integers(0, 60), st.booleans(), CUTS)
    @example(b"aaaaa", b"aab", 0, True, [])
    def test_any_cut(self, stream: bytes, end: bytes, limit: int, whole: bool, cuts: list[int]) -> None:
        """Any bytes give the same frames and the same error, however they are cut."""
        for start in (b"", b"a", b"ab"):

            def result(reads: list[bytes], start: bytes = start) -> tuple[list[bytes], str]:
                return outcome(DelimitedFraming(limit, end, start=start, whole=whole), reads)

            expected = result([stream])
            self.assertEqual(result(reads_of(stream, range(len(stream)))), expected)
            self.assertEqual(result(reads_of(stream, cuts)), expected)

    @given(FEW, ENDS, st.sampled_from([b"", b"a"]), st.integers(0, 60))
    @example(b"a\nab\n\nab", b"\n", b"", 9)
    @example(b"a\nab\n\nab", b"\n", b"a", 9)
    def test_skip(self, data: bytes, end: bytes, start: bytes, limit: int) -> None:
        """Skipping ends where finding frame by frame ends."""
        framing = DelimitedFraming(limit, end, start=start)
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertEqual((framing.skip(data, at, len(data)), framing.count), (at, 0))

    def test_asked_again(self) -> None:
        """Asked again about the same frame from its beginning, it answers the same."""
        framing = mllp()
        data = b"..." + b"\x0b" + b"x" * 20 + b"\x1c\r"
        for end in range(3, len(data)):
            for _ in range(2):
                self.assertEqual(framing.find(data, 3, end), 0)
        for _ in range(2):
            self.assertEqual((framing.find(data, 3, len(data)), framing.body, framing.tail), (len(data), 4, 2))

    def test_each_byte_is_seen_once(self) -> None:
        """A long line in small pieces is searched once: only the beginning of an end mark is shown again."""
        framing = DelimitedFraming(1 << 20, b"\r\n")
        self.assertEqual((framing.find(b"x" * 100, 40, 100), framing.seen), (0, 99))
        for _ in range(1000):
            data = b"x" * 101  # the byte that was not seen, and 100 more
            self.assertEqual((framing.more(data, 0, 101), framing.seen), (0, 100))
        self.assertEqual((framing.more(b"x\r\n..", 0, 5), framing.body, framing.tail), (3, 0, 2))

    def test_bytes_after_the_end_are_not_seen(self) -> None:
        """Bytes after ``end`` are not looked at."""
        framing = DelimitedFraming(99, b"\r\n")
        self.assertEqual([framing.find(b"ab\r\n", 0, end) for end in range(5)], [0, 0, 0, 0, 4])
        self.assertEqual(framing.find(b"ab\r", 0, 3), 0)
        self.assertEqual((framing.more(b"\r\n", 0, 1), framing.more(b"\r\n", 0, 2)), (0, 2))


class BetweenTests(SynchronousTestCase):
    """Bytes between two frames."""

    @given(st.lists(st.sampled_from([b"\x0bab\x1c\r", b"\x0b\x1c\r", b"\n", b"\r", b"\0", b"\x0b\n\x1c\r"])), CUTS)
    def test_any_cut(self, parts: list[bytes], cuts: list[int]) -> None:
        """Each is a frame of its own, with itself as the payload, however the stream is cut."""
        stream = b"".join(parts)
        payloads = [part[1:-2] if len(part) > 1 else part for part in parts]
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual([payload for _, payload in frames_in(mllp(between=b"\r\n\0"), reads)], payloads)
        framing = mllp(between=b"\r\n\0")
        self.assertEqual((framing.skip(stream, 0, len(stream)), framing.count), (len(stream), len(parts)))

    def test_others(self) -> None:
        """Other bytes there are an error, and so is each where none are allowed."""
        for framing in (mllp(between=b"\n"), mllp()):
            with self.assertRaisesRegex(FramingError, "a frame must begin with"):
                framing.find(b"\r", 0, 1)
            self.assertEqual(framing.skip(b"\r", 0, 1), 0)

    def test_wrong(self) -> None:
        """They must not be taken for the beginning of a frame."""
        for start in (b"", b"\n"):
            with self.assertRaisesRegex(ValueError, "between needs a start whose first byte is not among its bytes"):
                DelimitedFraming(99, b"\x1c", start=start, between=b"\r\n")


class LimitTests(SynchronousTestCase):
    """Frames at their limit and above it."""

    def results(self, limit: int, stream: bytes, **more: Any) -> set[str]:
        """Read a stream in several ways; return the answers, shortened."""
        told = set()
        for size in (1, 2, 3, 7, 50, 101, len(stream)):
            reads = [stream[at : at + size] for at in range(0, len(stream), size)]
            payloads, error = outcome(DelimitedFraming(limit, b"\r\n", **more), reads)
            told.add(f"{[len(payload) for payload in payloads]} {error}")
        return told

    def test_payload(self) -> None:
        """A line below, at and above the limit, and one without an end, gives one answer however it is cut."""
        too_long = "FrameTooLong: frame of 101 bytes, at most 100 are allowed"
        for start in (b"", b"$$"):
            for size in (99, 100):
                stream = b"".join([start, b"x" * size, b"\r\n"])
                self.assertEqual(self.results(100, stream, start=start), {f"[{size}] "})
            for rest in (b"x\r\n", b"\r\r\n", b"x" * 1000):
                self.assertEqual(self.results(100, start + b"x" * 100 + rest, start=start), {f"[] {too_long}"})
        self.assertEqual(self.results(0, b"\r\n\r\n"), {"[0, 0] "})

    def test_whole(self) -> None:
        """With ``whole`` the limit counts the marks."""
        too_long = "FrameTooLong: frame of 101 bytes, at most 100 are allowed"
        for size in (97, 98):
            self.assertEqual(self.results(100, b"x" * size + b"\r\n", whole=True), {f"[{size + 2}] "})
        for rest in (b"x\r\n", b"x" * 1000):
            self.assertEqual(self.results(100, b"x" * 98 + rest, whole=True), {f"[] {too_long}"})
        self.assertEqual(self.results(1, b"$$\r\n", whole=True, start=b"$$"), {"[] FrameTooLong: " + self.over(1)})

    @staticmethod
    def over(limit: int) -> str:
        """Return what is said of a frame above the limit."""
        return f"frame of {limit + 1} bytes, at most {limit} are allowed"

    def test_refused_early(self) -> None:
        """A line without an end is refused as soon as no end could be in time, and the search goes no further."""
        framing = DelimitedFraming(100, b"\r\n")
        self.assertEqual(framing.find(b"x" * 101, 0, 101), 0)
        self.assertEqual(framing.skip(b"x" * 102, 0, 102), 0)
        error = self.assertRaises(FrameTooLong, framing.find, b"x" * 102 + b"\r\n", 0, 104)
        self.assertEqual((error.size, error.limit), (101, 100))

    def test_largest_limit(self) -> None:
        """The largest limit is as good as none."""
        framing = DelimitedFraming(sys.maxsize, b"\r\n", start=b"a")
        self.assertEqual(framing.find(b"...abc\r\n", 3, 8), 8)
        self.assertEqual(framing.find(b"...abc\r\n", 3, 7), 0)
        self.assertEqual((framing.more(b"\r\n", 0, 2), framing.body), (2, 1))

    def test_wrong_start(self) -> None:
        """Other bytes than the start mark are refused at the first that differs, and shown."""
        for data, shown in ((b"GET / HTTP", b"G"), (b"$G", b"$G"), (b"$$#", b"$$#")):
            for size in (1, 2, 10):
                reads = [data[at : at + size] for at in range(0, len(data), size)]
                told = outcome(DelimitedFraming(99, b"\n", start=b"$$$"), reads)
                self.assertEqual(told, ([], f"FramingError: a frame must begin with b'$$$', not {shown!r}"))


class WholeTests(SynchronousTestCase):
    """Whole frames that are sent."""

    def test_encode(self) -> None:
        """A payload is framed as it is if it is one frame, and refused if it isn't."""
        framing = mllp(20, whole=True)
        self.assertEqual(framing.encode(b"\x0babc\x1c\r"), b"\x0babc\x1c\r")
        for payload, complaint in (
            (b"", r"a message must begin with b'\x0b', not b''"),
            (b"abc\x1c\r", r"a message must begin with b'\x0b', not b'a'"),
            (b"\x0babc\x1c\n", r"a message must end with b'\x1c\r', not b'\x1c\n'"),
            (b"\x0b\x1c\r\x0b\x1c\r", r"a message must not have its end mark b'\x1c\r' before its end"),
            (b"\x0b" * 21, "a message must have at most 20 bytes, not 21"),
        ):
            self.assertEqual(str(self.assertRaises(MarshalingError, framing.encode, payload)), complaint)
        equal = DelimitedFraming(9, b"~", start=b"~", whole=True)
        self.assertEqual(
            str(self.assertRaises(MarshalingError, equal.encode, b"~")), "a message must end with b'~', not b'~'"
        )

    def test_too_long(self) -> None:
        """A payload above the limit is not framed."""
        error = self.assertRaises(MarshalingError, DelimitedFraming(5, b"\n").encode, b"123456")
        self.assertEqual(str(error), "a message must have at most 5 bytes, not 6")
        self.assertEqual(DelimitedFraming(5, b"\n").encode(b"12345"), b"12345\n")


class MadeTests(SynchronousTestCase):
    """Framings that are made, rightly or wrongly."""

    def test_interface(self) -> None:
        """It is a framing of the package, and says what it was made with."""
        framing = DelimitedFraming(7, b"\n", start=b"$", whole=True)
        self.assertTrue(verifyObject(IFraming, framing))
        self.assertIs(framing_of(framing), framing)
        self.assertEqual((framing.max_frame, framing.end, framing.start, framing.whole), (7, b"\n", b"$", True))
        self.assertTrue(framing.goes_on)

    def test_wrong_arguments(self) -> None:
        """Arguments that make no sense are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            ({"end": b""}, ValueError, "end must have at least one byte"),
            ({"end": "\n"}, TypeError, r"end must be bytes, not '\n'"),
            ({"end": None}, TypeError, "end must be bytes, not None"),
            ({"start": "$"}, TypeError, "start must be bytes, not '$'"),
            ({"start": bytearray(b"$")}, TypeError, "start must be bytes, not bytearray(b'$')"),
            ({"whole": None}, TypeError, "whole must be True or False, not None"),
            ({"max_frame": "9"}, TypeError, "max_frame must be an int, not '9'"),
            ({"max_frame": -1}, ValueError, f"max_frame must be 0 to {sys.maxsize}, not -1"),
        ):
            arguments = {"max_frame": LIMIT, "end": b"\n", **wrong}
            self.assertEqual(str(self.assertRaises(kind, DelimitedFraming, **arguments)), complaint)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are refused."""
        framing = DelimitedFraming(LIMIT, b"\n\n")
        check_outside(self, framing)
        framing.find(b"abc", 0, 3)
        self.assertRaises(ValueError, framing.more, bytes(26), 0, 27)

    def test_not_initialized(self) -> None:
        """One that was made without its initializer reads nothing outside of the data, and finds no frame."""
        check_not_initialized(self, DelimitedFraming)
