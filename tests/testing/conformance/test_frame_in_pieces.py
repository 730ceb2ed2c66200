"""Frames that come in pieces, shown to framings that wait, go on or keep state, rightly and wrongly."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater import FrameTooLong, IFraming, Limits, MarshalingError
from twisted_repeater.framings import Framings
from twisted_repeater.testing import ConformanceError, check_framing
from twisted_repeater.testing.conformance._frame_in_pieces import shown_in_pieces
from twisted_repeater.testing.conformance._tried_framing import TriedFraming

from .plain_framing import PlainFraming

PAYLOADS = [b"", b"a", b"hello", b"x" * 100]


@implementer(IFraming)
class Marked:
    """Lines in Python, searched from the beginning each time."""

    body = 0
    tail = 1

    def __init__(self, limits: Limits) -> None:
        self.limit = limits.max_frame

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start
        stop = data.find(b"\n", start, min(end, start + self.limit + 1)) + 1
        if not stop and end - start > self.limit:
            raise FrameTooLong(self.limit + 1, self.limit)
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        if b"\n" in payload or len(payload) > self.limit:
            raise MarshalingError("no line")
        return payload + b"\n"

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(payload)


class Resuming(Marked):
    """Goes on where it stopped."""

    before = seen = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.before = 0
        return self.more(data, start, end) and super().find(data, start, end)

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        self.body = 0
        stop = data.find(b"\n", start, end) + 1
        if (stop or end) - bool(stop) - start + self.before > self.limit:
            raise FrameTooLong(self.limit + 1, self.limit)
        if not stop:
            self.seen = end
            self.before += end - start
        return stop


class Patient(Marked):
    """Wants twice the bytes each time, as far as it knows of so many: the first byte is a digit, the size by tens."""

    least = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.least = 0
        stop = super().find(data, start, end)
        if not stop and end > start and data[start : start + 1].isdigit():
            self.least = int(data[start : start + 1]) * 10
        return stop


class Numbered(PlainFraming):
    """Frames of which each begins with its number, from 0 to 9 and again."""

    number = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        return stop + self.number if stop else 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return super().encode(payload) + b"." * self.number

    @property
    def tail(self) -> int:
        """See `ITailedFraming`."""
        return self.number

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        self.number = (self.number + 1) % 10


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


class Whole(PlainFraming):
    """Its payload is the whole frame."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        self.body = start
        if stop - start > self.limit:
            raise FrameTooLong(stop - start, self.limit)
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        if len(payload) > self.limit or payload[:3] != (len(payload) - 3).to_bytes(3, "big"):
            raise MarshalingError("no frame")
        return payload


def grow(size: int) -> bytes:
    """Make a frame of this size."""
    rest = max(size - 3, 0)
    return rest.to_bytes(3, "big") + b"x" * rest


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
