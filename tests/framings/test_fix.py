"""Tests of `FixFraming`: whole, byte by byte and cut at random."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import BadLength, FrameTooLong, FramingError, MarshalingError
from twisted_repeater.framings.base import framing_of
from twisted_repeater.framings.fix import FixFraming
from twisted_repeater.interfaces import IFraming
from twisted_repeater.testing import check_framing

from .streams import CUTS, check_not_initialized, check_outside, outcome, reads_of, skipped_by_find

LIMIT = 10_000


def frame(body: bytes, begin: bytes = b"FIX.4.4", zeros: int = 0) -> bytes:
    """Return a message of a body."""
    whole = b"8=%b\x019=%b%d\1%b" % (begin, b"0" * zeros, len(body), body)
    return b"%b10=%03d\1" % (whole, sum(whole) % 256)


def grow(size: int) -> bytes:
    """Return a message of about so many bytes, most of them data that look like ends and beginnings."""
    data = b"\x0110=000\x018=FIX.4.4\x019=5\1" * (size // 25)
    return frame(b"35=B\x0195=%d\x0196=%b\1" % (len(data), data))


SAMPLES = (
    frame(b"35=0\1"),
    frame(b"35=0\1", b"FIX"),
    frame(b"35=D\x0158=\xff\xe9\0\1", b"FIXT.1.1", zeros=4),
    frame(b"35=0\1", b"FIX.5.0SP2-TEST."),
    frame(b"35=B\x0195=8\x0196=\x0110=123\1\1"),
    frame(b"35=0\1", zeros=17),
)
PARTS = st.sampled_from(
    [
        *(bytes([byte]) for byte in b"8=FIX.9\x01105"),
        b"8=FIX.4.4\1",
        b"9=5\1",
        b"9=05\1",
        b"35=0\1",
        b"10=161\1",
        *SAMPLES,
    ]
)
STREAMS = st.lists(PARTS, max_size=20).map(b"".join)


class CutTests(SynchronousTestCase):
    """Streams, however they come."""

    @given(
        st.lists(st.binary(min_size=4, max_size=30).map(lambda body: frame(b"35=" + body + b"\1")), max_size=5), CUTS
    )
    def test_messages(self, made: list[bytes], cuts: list[int]) -> None:
        """Messages are found whole, however the stream is cut and whatever is in them."""
        stream = b"".join(made)
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual(outcome(FixFraming(LIMIT), reads), (made, ""))

    @given(STREAMS, st.sampled_from([22, 60, 1000]), CUTS)
    @example(SAMPLES[0] + b"8=FIX.4.4\x019=5\x0135=0\x0110=1x1\1", 1000, [3])
    def test_any_cut(self, stream: bytes, limit: int, cuts: list[int]) -> None:
        """Any bytes give the same messages and the same kind of error, however they are cut."""

        def result(reads: list[bytes]) -> tuple[list[bytes], str]:
            messages, error = outcome(FixFraming(limit), reads)
            return messages, error.partition(":")[0]  # its words show as many bytes as have come

        expected = result([stream])
        self.assertEqual(result(reads_of(stream, range(len(stream)))), expected)
        self.assertEqual(result(reads_of(stream, cuts)), expected)

    @given(STREAMS, st.sampled_from([22, 60, 1000]))
    def test_skip(self, data: bytes, limit: int) -> None:
        """Skipping ends where finding message by message ends."""
        framing = FixFraming(limit)
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertEqual((framing.skip(data, at, len(data)), framing.count), (at, 0))

    def test_conformance(self) -> None:
        """It keeps the promises of a framing, and each message costs time in proportion to its size."""
        check_framing(lambda limits: FixFraming(int(limits.max_frame)), SAMPLES, grow=grow, max_frame=8192)


class FoundTests(SynchronousTestCase):
    """Messages in streams."""

    def test_length_ends_a_message(self) -> None:
        """BodyLength ends a message, not the first bytes that look like a CheckSum."""
        for data in SAMPLES:
            self.assertEqual(FixFraming(LIMIT).find(data + b"8=", 0, len(data) + 2), len(data))

    def test_waits_for_all(self) -> None:
        """A message is found when its last byte has come; it says how many bytes it needs."""
        framing = FixFraming(LIMIT)
        for data in SAMPLES:
            for end in range(len(data)):
                self.assertEqual(framing.find(b"..." + data, 3, 3 + end), 0)
                self.assertIn(framing.least, (0, len(data)))
            self.assertEqual(framing.least, len(data))

    def test_bytes_after_the_end_are_not_seen(self) -> None:
        """Bytes after ``end`` are not looked at, even if they are wrong."""
        for data in SAMPLES:
            for end in range(len(data)):
                self.assertEqual(FixFraming(LIMIT).find(data[:end] + b"xxxxxxxxxx", 0, end), 0)


class RefusedTests(SynchronousTestCase):
    """Bytes that are not messages."""

    def refused(self, data: bytes, kind: type[FramingError], words: str, limit: int = LIMIT) -> None:
        """Check the error about some bytes, in one piece and byte by byte."""
        error = self.assertRaises(kind, FixFraming(limit).find, data, 0, len(data))
        self.assertIn(words, str(error))
        self.assertIn(kind.__name__, outcome(FixFraming(limit), reads_of(data, range(len(data))))[1])

    def test_other_protocols(self) -> None:
        """Another protocol is refused at its first byte that differs."""
        for data in (
            b"G",
            b"\x16",
            b"8=f",
            b"8=FI\1",
            b"\n8",
            b"8=FIX.4.4\x0135=",
            b"8=FIX.4.4\x019:",
            b"8=FIX" + b"4" * 14,
        ):
            self.refused(data, FramingError, f"a FIX message must begin with 8=FIX and 9=, not {data[:20]!r}")

    def test_lengths(self) -> None:
        """BodyLength must be digits, and not less than what every message has."""
        for digits in (b"\1", b"x", b"-1\1", b"+9\1", b"4\1", b"1.0\1", b"9" * 19):
            self.refused(b"8=FIX.4.4\x019=" + digits, BadLength, "BodyLength must be a number of at least 5, not ")

    def test_wrong_lengths(self) -> None:
        """A BodyLength that does not lead to the CheckSum is refused, and nothing of the message passes."""
        good = frame(b"35=0\x0158=text\1")
        for wrong in (
            good.replace(b"9=13", b"9=12"),
            good.replace(b"9=13", b"9=14") + b"8",
            good.replace(b"\x0110=", b"x10="),
            good.replace(b"10=", b"11="),
            good[:-2] + b"x\1",
            good[:-1] + b"x",
            good[:-4] + b"1 1\1",
            good[:-4] + b"/11\1",
            good.replace(b"\x0110=", b"\x0120="),
            good.replace(b"\x0110=", b"\x0110:"),
        ):
            self.refused(wrong, BadLength, "must lead to the CheckSum")

    def test_limit(self) -> None:
        """A message that is longer than allowed is refused at its header."""
        good = frame(b"35=0\x0158=text\1")
        self.assertEqual(FixFraming(len(good)).find(good, 0, len(good)), len(good))
        self.refused(good[:15], FrameTooLong, f"at most {len(good) - 1} are allowed", len(good) - 1)
        self.refused(b"8=FIX.4.4\x019=999999999999999999\1", FrameTooLong, "at most 10000 are allowed")
        huge = b"8=FIX.4.4\x019=999999999999999999\1"
        self.assertEqual(FixFraming(sys.maxsize).find(huge, 0, len(huge)), 0)


class WrittenTests(SynchronousTestCase):
    """Messages that are sent."""

    def test_encode(self) -> None:
        """A payload that is one message is framed as it is."""
        for payload in SAMPLES:
            self.assertEqual(FixFraming(LIMIT).encode(payload), payload)
            self.assertEqual(FixFraming(LIMIT).replace(SAMPLES[0], payload), payload)

    def test_no_message(self) -> None:
        """Other payloads are refused, with the reason."""
        for payload, complaint in (
            (b"", "a message must be exactly one FIX message, not b''"),
            (SAMPLES[0][:-1], f"a message must be exactly one FIX message, not {SAMPLES[0][:-1]!r}"),
            (SAMPLES[0] * 2, f"a message must be exactly one FIX message, not {(SAMPLES[0] * 2)[:32]!r}"),
            (b"what", "a message must be a whole FIX message: a FIX message must begin with 8=FIX and 9=, not b'what'"),
            (b"x" * 101, "a message must have at most 100 bytes, not 101"),
        ):
            error = self.assertRaises(MarshalingError, FixFraming(100).encode, payload)
            self.assertEqual(str(error), complaint)


class MadeTests(SynchronousTestCase):
    """Framings that are made, rightly or wrongly."""

    def test_interface(self) -> None:
        """It is a framing of the package, whose payload is the whole message."""
        framing = FixFraming(7)
        self.assertTrue(verifyObject(IFraming, framing))
        self.assertIs(framing_of(framing), framing)
        self.assertEqual((framing.max_frame, framing.whole, framing.body), (7, True, 0))

    def test_wrong_arguments(self) -> None:
        """Arguments that make no sense are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            (True, TypeError, "max_frame must be an int, not True"),
            (-1, ValueError, f"max_frame must be 0 to {sys.maxsize}, not -1"),
        ):
            self.assertEqual(str(self.assertRaises(kind, FixFraming, wrong)), complaint)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are refused."""
        check_outside(self, FixFraming(LIMIT))

    def test_not_initialized(self) -> None:
        """One that was made without its initializer reads nothing outside of the data, and finds no message."""
        check_not_initialized(self, FixFraming)
