"""A lane whose frames end after their payload."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.framings.delimited import DelimitedFraming
from twisted_repeater.selectors import Selector

from ..framings.streams import reads_of
from .lanes import Run

LINES = [b"", b"a", b"bc", b"\r", b"\n\n", b"d" * 300, b"e" * 70_000, b"f"]
STREAM = b"".join(line + b"\r\n" for line in LINES)


class Trailed:
    """The size of the payload in one byte, the payload, and a trailer of three bytes."""

    body = 0
    tail = 3

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start + 1
        return start + 4 + data[start] if start < end else 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return bytes([len(payload)]) + payload + b"end"

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(payload)


class EmptyOrLong(Selector):
    """Wants payloads that are empty, or end with an e."""

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        return start == stop or data[stop - 1] == ord("e")


class TailsTests(SynchronousTestCase):
    """Lines through a lane."""

    def lines(self, reads: list[bytes], **changes: Any) -> list[bytes]:
        """Return the messages that a filter sees; everything must pass untouched."""
        run = Run(DelimitedFraming(1 << 20, b"\r\n"), **{"selector": None, **changes})
        for read in reads:
            run.lane.feed(read)
        self.assertEqual(run.outlet.stream, b"".join(reads))
        return run.asked

    def test_in_several_pieces(self) -> None:
        """What is after the payload may come in several reads, where the size of the frame is known."""
        for size in (1, 2, 3, 5, 100):
            run = Run(Trailed(), selector=None)
            run.feed(b"".join(map(Trailed().encode, [b"", b"a", b"bc", b"d" * 30])), size)
            self.assertEqual(run.asked, [b"", b"a", b"bc", b"d" * 30])

    def test_byte_by_byte(self) -> None:
        """The filter sees each line without its end, however the stream comes."""
        self.assertEqual(self.lines([STREAM]), LINES)
        for size in (1, 2, 3, 1000, 65_536):
            self.assertEqual(self.lines([STREAM[at : at + size] for at in range(0, len(STREAM), size)]), LINES)

    @given(st.lists(st.integers(0, len(STREAM)), max_size=9))
    def test_cuts(self, cuts: list[int]) -> None:
        """The same holds for cuts at random."""
        self.assertEqual(self.lines(reads_of(STREAM, cuts)), LINES)

    def test_selector(self) -> None:
        """A selector sees the payload alone as well."""
        expected = [b"", b"e" * 70_000]
        for size in (1, 3, 1000, len(STREAM)):
            reads = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
            self.assertEqual(self.lines(reads, selector=EmptyOrLong()), expected)
