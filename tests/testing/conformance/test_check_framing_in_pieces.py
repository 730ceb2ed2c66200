"""`check_framing` with framings that go on or keep state, and with payloads that are whole frames."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import FrameTooLong, Limits
from twisted_repeater.framings import Framings
from twisted_repeater.testing import ConformanceError, check_framing

from .more_framings import PAYLOADS, Marked, Numbered, Resuming, Whole, grow
from .plain_framing import PlainFraming


class CheckTests(SynchronousTestCase):
    """`check_framing` with framings that do not know early where a frame ends."""

    def test_good_ones(self) -> None:
        """One that goes on passes, and so does one that keeps state, if each stream has its own."""
        check_framing(Resuming, PAYLOADS)
        check_framing(Resuming(Limits(max_frame=500)), PAYLOADS, max_frame=500)
        check_framing(Numbered, PAYLOADS)

    def test_quadratic(self) -> None:
        """One that searches again from the beginning does not."""
        told = str(self.assertRaises(ConformanceError, check_framing, Marked, PAYLOADS))
        self.assertIn("find and more are shown", told)

        class Rescanning(Resuming):
            def more(self, data: bytes, start: int, end: int) -> int:
                for _ in range(0, self.before, 64):
                    pass
                return super().more(data, start, end)

        told = str(self.assertRaises(ConformanceError, check_framing, Rescanning, PAYLOADS))
        self.assertRegex(told, r"find and more take \d+ steps for a frame of .*: the cost is not linear")

    def test_endless(self) -> None:
        """One that waits without end is complained about, where that can be tried."""

        class Endless(Resuming):
            def find(self, data: bytes, start: int, end: int) -> int:
                try:
                    return super().find(data, start, end)
                except FrameTooLong:
                    if b"\n" in data[start:end]:
                        raise
                    self.seen = end
                    return 0

        told = str(self.assertRaises(ConformanceError, check_framing, Endless, PAYLOADS))
        self.assertIn("find must refuse a header without an end; it returned 0 for 6096 bytes", told)
        check_framing(Endless(Limits(max_frame=1 << 20)), PAYLOADS, max_frame=1 << 20)

    def test_state_that_moves(self) -> None:
        """State must move in `taken` only."""

        class Moving(Numbered):
            def find(self, data: bytes, start: int, end: int) -> int:
                stop = super().find(data, start, end)
                self.number += stop == end
                return stop

        self.assertRaises(ConformanceError, check_framing, Moving, PAYLOADS)

    def test_mistakes(self) -> None:
        """Arguments that cannot be tried are refused, with the reason."""
        error = self.assertRaises(TypeError, check_framing, Numbered(Limits()), PAYLOADS, max_frame=100)
        self.assertIn("framing must be a function that makes framings, as this one has taken", str(error))
        both: Any = lambda limits: Framings(PlainFraming(limits), PlainFraming(limits))  # noqa: E731
        error = self.assertRaises(TypeError, check_framing, both)
        self.assertIn("framing must make one framing, not Framings", str(error))


class WholeTests(SynchronousTestCase):
    """`check_framing` with payloads that are whole frames."""

    def test_whole(self) -> None:
        """Whole frames are tried, made by a function or at a limit of the framing."""
        check_framing(Whole, [grow(3), grow(9), grow(300)], grow=grow)
        check_framing(Whole(Limits(max_frame=900)), [grow(3), grow(9)], grow=grow, max_frame=900)

    def test_grow_is_needed(self) -> None:
        """Without grow, larger frames could not be made."""
        error = self.assertRaises(TypeError, check_framing, Whole, [grow(3), grow(9)])
        self.assertIn("grow is missing: the payloads are whole frames", str(error))

    def test_bad_grow(self) -> None:
        """A grow that makes something else is refused."""
        wrong: Any
        for wrong, kind, complaint in (
            (lambda size: "x" * size, TypeError, "must return bytes, not str"),
            (lambda size: b"", ValueError, "must return a payload of about 65536 bytes, not 0"),
        ):
            error = self.assertRaises(kind, check_framing, Whole, [grow(3)], grow=wrong)
            self.assertIn(complaint, str(error))

    def test_about_that_size(self) -> None:
        """The payloads of grow may be somewhat longer or shorter."""

        def longer(size: int) -> bytes:
            return grow(size + 40)

        def shorter(size: int) -> bytes:
            return grow(max(size - 2, 3))

        for about in (longer, shorter):
            check_framing(Whole, [grow(3), grow(9)], grow=about)

    def test_limits(self) -> None:
        """A limit that does not hold is found out."""

        class Generous(Whole):
            def find(self, data: bytes, start: int, end: int) -> int:
                stop = PlainFraming.find(self, data, start, end)
                self.body = start
                return stop

        told = str(self.assertRaises(ConformanceError, check_framing, Generous, [grow(3), grow(9)], grow=grow))
        self.assertIn("Generous: find accepts a ", told)

        class NoLimit(Whole):
            def encode(self, payload: bytes) -> bytes:
                return payload

        told = str(self.assertRaises(ConformanceError, check_framing, NoLimit, [grow(3), grow(9)], grow=grow))
        self.assertIn("NoLimit: encode accepts a payload", told)
