"""Frames that come in pieces, shown to framings that wait or go on, rightly and wrongly."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.testing import ConformanceError
from twisted_repeater.testing.conformance._frame_in_pieces import shown_in_pieces
from twisted_repeater.testing.conformance._tried_framing import TriedFraming

from .more_framings import PAYLOADS, Marked, Patient, Resuming
from .plain_framing import PlainFraming


class PiecesTests(SynchronousTestCase):
    """What is shown to a framing."""

    def shown(self, framing: type[Any], frame: bytes, ends: list[int]) -> int:
        """Return how many bytes a framing is shown of a frame."""
        return shown_in_pieces(TriedFraming(framing(Limits()), PAYLOADS, 100), frame, ends, "a frame")

    def complaint(self, framing: type[Any], frame: bytes = b"abc\n") -> str:
        """Return what is said about a framing."""
        ends = list(range(1, len(frame) + 1))
        return str(self.assertRaises(ConformanceError, self.shown, framing, frame, ends))

    def test_shown(self) -> None:
        """A framing is shown what it has not seen, when there is enough, until it knows the end."""
        frame = b"2" + b"x" * 18 + b"\n"
        ends = list(range(1, 21))
        self.assertEqual(self.shown(PlainFraming, b"\0\0\x11" + b"x" * 17, ends), 1 + 2 + 3)
        self.assertEqual(self.shown(Marked, frame, ends), sum(ends))
        self.assertEqual(self.shown(Resuming, frame, ends), 20)
        self.assertEqual(self.shown(Patient, frame, ends), 1 + 20)

    def test_complaints(self) -> None:
        """Wrong answers are complained about."""

        class Never(Marked):
            def find(self, data: bytes, start: int, end: int) -> int:
                return 0

        class Elsewhere(Resuming):
            def more(self, data: bytes, start: int, end: int) -> int:
                return super().more(data, start, end) and end + 3

        class Ahead(Resuming):
            def more(self, data: bytes, start: int, end: int) -> int:
                stop = super().more(data, start, end)
                self.seen += 5
                return stop

        class OtherBody(Resuming):
            def more(self, data: bytes, start: int, end: int) -> int:
                stop = super().more(data, start, end)
                self.body = start + 1
                return stop

        class Raising(Resuming):
            def more(self, data: bytes, start: int, end: int) -> int:
                return 1 // 0 if self.before else super().more(data, start, end)

        class Greedy(Marked):
            least = 99

        class Vague(Marked):
            least = "some"

        for framing, complaint in (
            (Never, "neither find nor more finds the end of a frame that comes in pieces; it has 4 bytes"),
            (
                Elsewhere,
                "more, for a frame of which 4 bytes have come, gives an end at 7 of the frame, which ends at 4",
            ),
            (Ahead, "find sets seen to 6, for a frame of which it was shown 1 bytes"),
            (
                OtherBody,
                r"more, .* says that the payload begins at 1 of the frame and ends 1 bytes .*; find says 0 and 1",
            ),
            (Raising, "more raised ZeroDivisionError: .* for a frame, 2 of 4 bytes"),
            (Greedy, "least is 99 when 1 bytes have come of a frame, which has 4: nobody would ask again"),
            (Vague, "least must be a number of bytes, not 'some', for a frame"),
        ):
            told = self.complaint(framing)
            self.assertTrue(re.match(f"{framing.__name__}: {complaint}", told), told)
