"""A lane whose frames end after their payload."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.framings.delimited import DelimitedFraming
from twisted_repeater.selectors import Selector
from twisted_repeater.verdicts import PASS_ON

from ..framings.streams import reads_of
from .lanes import Outlet, RecordingHost

LINES = [b"", b"a", b"bc", b"\r", b"\n\n", b"d" * 300, b"e" * 70_000, b"f"]
STREAM = b"".join(line + b"\r\n" for line in LINES)


class EmptyOrLong(Selector):
    """Wants payloads that are empty, or end with an e."""

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        return start == stop or data[stop - 1] == ord("e")


class TailsTests(SynchronousTestCase):
    """Lines through a lane."""

    def lines(self, reads: list[bytes], **changes: Any) -> list[bytes]:
        """Return the messages that a filter sees; everything must pass untouched."""
        seen: list[bytes] = []
        journal: list[str] = []

        def see(message: bytes, link: object) -> Any:
            seen.append(message)
            return PASS_ON

        forward, back = Outlet("forward", journal), Outlet("back", journal)
        setup = LaneSetup(filter=see, **changes)
        lane = Lane(setup, DelimitedFraming(1 << 20, b"\r\n"), forward, back, RecordingHost(journal))
        lane.start()
        for read in reads:
            lane.feed(read)
        self.assertEqual(forward.stream, b"".join(reads))
        return seen

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
