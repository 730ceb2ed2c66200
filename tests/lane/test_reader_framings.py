"""Tests of a lane with framings that find the end of a frame late: what they are shown, and what they are told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.frame_monitor import FrameMonitor
from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.errors import FramingError
from twisted_repeater.selectors import first_byte

from .framings import (
    FollowingLines,
    FollowingParts,
    FollowingPatientParts,
    FollowingResumingLines,
    Lines,
    Parts,
    PatientParts,
    ResumingLines,
    parts,
    size_of,
)
from .lanes import Outlet, RecordingHost, Run

MIB = 1024 * 1024

GROWING = parts(*range(1, 10), 9)
"""A frame of which each part is twice as large as the one before."""

LARGE = 16 * 1024
"""From this size on, frames pass in pieces."""

LINES = [Lines, ResumingLines, FollowingLines, FollowingResumingLines]
PARTS = [Parts, PatientParts, FollowingParts, FollowingPatientParts]


class CostTests(SynchronousTestCase):
    """What a frame costs whose size is not known early, in bytes that its framing is shown."""

    def shown(self, framing: Any, stream: bytes, size: int, **setup: Any) -> Any:
        """Relay a stream; return its framing."""
        run = Run(framing, **setup)
        run.feed(stream, size)
        self.assertEqual(run.outlet.stream, stream)
        self.assertEqual((run.lane.messages, run.lane.size, run.lane.unfinished_size), (1, len(stream), 0))
        return framing

    def test_linear(self) -> None:
        """A framing that goes on, or needs twice as many bytes each time, costs time linear in the frame."""
        stream = b"x" * (MIB - 1) + b"\n"
        for setup in ({}, {"selector": None}):
            for size in (64 * 1024, 1000):
                self.assertLessEqual(self.shown(ResumingLines(), stream, size, **setup).shown, 2.2 * MIB)
                self.assertLessEqual(self.shown(PatientParts(), GROWING, size, **setup).shown, 3 * len(GROWING))

    def test_byte_by_byte(self) -> None:
        """So it does if each byte comes by itself."""
        stream = b"x" * (4 * LARGE - 1) + b"\n"
        growing = parts(*range(1, 8), 7)
        for setup in ({}, {"selector": None}):
            self.assertLessEqual(self.shown(ResumingLines(), stream, 1, **setup).shown, 3 * len(stream))
            framing = self.shown(PatientParts(), growing, 1, **setup)
            self.assertLessEqual(framing.shown, 3 * len(growing))
            self.assertLessEqual(framing.calls, 20)

    def test_many_parts(self) -> None:
        """An array of 200,000 items, cut at 64 KiB, is shown at most twice, and in pieces: no call takes long."""
        stream = b"0+" * 200_000 + b"0."
        framing = Parts()
        longest = 0
        more = framing.more

        def measured(data: bytes, start: int, end: int) -> int:
            nonlocal longest
            longest = max(longest, end - start)
            return more(data, start, end)

        framing.more = measured  # type: ignore[method-assign]
        self.shown(framing, stream, 64 * 1024)
        self.assertLessEqual(framing.shown, 2 * len(stream))
        self.assertLessEqual(longest, 64 * 1024 + 2)

    def test_plain(self) -> None:
        """A framing without these is asked at each read, about all of the frame."""
        framing = self.shown(Lines(), b"x" * 9999 + b"\n", 1000)
        self.assertGreaterEqual(framing.shown, 55_000)

    def test_least_is_waited_for(self) -> None:
        """A framing that goes on may say how many bytes it needs, too; those that it has not seen are kept for it."""

        class Both(ResumingLines):
            least = 30_000

        framing = self.shown(Both(), b"x" * 99_999 + b"\n", 1000)
        self.assertLess(framing.calls, 80)


class FollowingTests(SynchronousTestCase):
    """Framings that are told of each frame."""

    def test_in_pieces(self) -> None:
        """A frame that came in pieces is joined for it, and kept until then, even if nobody wants to see it."""
        stream = b"y\n" + b"x" * 100_000 + b"\n" + b"z\n"
        for setup in ({}, {"selector": None}):
            for framing in (FollowingLines(), FollowingResumingLines()):
                run = Run(framing, **setup)
                run.feed(stream, 30_000)
                self.assertEqual(framing.followed, stream.splitlines(keepends=True))
                self.assertEqual(run.outlet.stream, stream)

    def test_error(self) -> None:
        """An error there is one of the framing: the frame is not counted, and the stream ends after those before."""

        def refuse(framing: Any) -> Any:
            taken = framing.taken

            def taken_unless_bad(data: bytes, start: int, stop: int) -> None:
                if b"bad" in data[start:stop]:
                    raise ValueError("no")
                taken(data, start, stop)

            framing.taken = taken_unless_bad
            return framing

        for setup in ({}, {"selector": None}):
            for kind, size in ((FollowingLines, 100), (FollowingLines, 1), (FollowingResumingLines, 1)):
                run = Run(refuse(kind()), **setup)
                run.feed(b"one\ntwo\nbad\nthree\n", size)
                self.assertEqual((run.outlet.stream, run.lane.messages, run.lane.size), (b"one\ntwo\n", 2, 8))
                (error,) = run.host.errors
                self.assertIsInstance(error, FramingError)
                self.assertIn("ValueError in the framing: no", str(error))
                self.assertTrue(run.lane.discarding)

    def test_interrupted(self) -> None:
        """Ctrl-C goes through."""

        class Interrupted(FollowingResumingLines):
            def taken(self, data: bytes, start: int, stop: int) -> None:
                raise KeyboardInterrupt

            def more(self, data: bytes, start: int, end: int) -> int:
                if data.endswith(b"!"):
                    raise KeyboardInterrupt
                return super().more(data, start, end)

        for reads in ([b"one\n"], [b"on", b"e\n"], [b"one", b"!"]):
            run = Run(Interrupted())
            for read in reads[:-1]:
                run.lane.feed(read)
            self.assertRaises(KeyboardInterrupt, run.lane.feed, reads[-1])

    def test_in_slices(self) -> None:
        """It is told of no more frames in a turn than fit in some slices of time."""
        time = [0.0]

        class Slow(FollowingLines):
            def find(self, data: bytes, start: int, end: int) -> int:
                time[0] += 0.001
                return super().find(data, start, end)

        framing, outlet = Slow(), Outlet("forward", [])
        lane = Lane(LaneSetup(), framing, outlet, outlet, RecordingHost([]), lambda: time[0])
        lane.start()
        lane.feed(b"x\n" * 1000)
        turns = 0
        while lane.gave_way:
            lane.take_turn()
            turns += 1
        self.assertGreater(turns, 5)
        self.assertEqual((len(framing.followed), outlet.stream, lane.messages), (1000, b"x\n" * 1000, 1000))


class LateErrorTests(SynchronousTestCase):
    """Errors that a framing finds in the middle of a frame."""

    def test_more(self) -> None:
        """What it raises as it goes on ends the stream; a frame of which nothing has left leaves no trace."""

        class Refusing(ResumingLines):
            def more(self, data: bytes, start: int, end: int) -> int:
                raise ValueError("no")

        run = Run(Refusing())
        run.feed(b"one\ntw", 100)
        run.feed(b"o\n", 100)
        self.assertEqual(run.outlet.stream, b"one\n")
        self.assertIn("ValueError in the framing: no", str(run.host.errors[0]))
        self.assertFalse(run.outlet.torn)

    def test_torn(self) -> None:
        """If the first part has left, the outlet is told that the rest will not come."""

        class Limited(ResumingLines):
            def more(self, data: bytes, start: int, end: int) -> int:
                if self.shown > 100_000:
                    raise FramingError("too long")
                return super().more(data, start, end)

        run = Run(Limited())
        run.feed(b"x" * 200_000, 10_000)
        self.assertTrue(run.outlet.torn)
        self.assertTrue(run.outlet.stream + b"x" * (200_000 - len(run.outlet.stream)) == b"x" * 200_000)
        self.assertEqual([str(error) for error in run.host.errors], ["too long"])


CUTS = st.lists(st.integers(0, 200_000), max_size=12)
SIZES = st.sampled_from([0, 1, 3, 10, 3000, LARGE - 1, LARGE, 40_000])


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a stream at these places."""
    places = sorted({0, len(stream), *(place % len(stream) for place in cuts)} if stream else [])
    return [stream[start:stop] for start, stop in pairwise(places)]


class AnyCutTests(SynchronousTestCase):
    """All that was said, for random streams."""

    def check(
        self, framing: Any, frames: list[bytes], cuts: list[int], setup: dict[str, Any], wanted: list[bytes]
    ) -> None:
        """Relay frames; check what left, what the filter saw and what the framing was told."""
        watch = FrameMonitor(Clock(), None, 1 << 30)
        run = Run(framing, frame_monitor=watch, **setup)
        stream = b"".join(frames)
        for read in cut(stream, cuts):
            run.lane.feed(read)
            self.assertEqual(watch.size, run.lane.kept_size)
            passed = len(run.outlet.stream)
            self.assertLessEqual(passed, run.lane.size + run.lane.unfinished_size)
            self.assertEqual(passed + run.lane.kept_size, run.lane.size + run.lane.unfinished_size)
        self.assertTrue(run.outlet.stream == stream)
        self.assertFalse(run.outlet.part)
        self.assertEqual((run.lane.messages, run.lane.size, run.lane.unfinished_size), (len(frames), len(stream), 0))
        self.assertTrue(run.asked == wanted)
        self.assertTrue(framing.followed == (frames if hasattr(framing, "taken") else []))
        self.assertEqual(run.host.errors, [])

    @given(st.sampled_from(LINES), st.lists(SIZES, max_size=8), CUTS, st.booleans())
    def test_lines(self, kind: type[Lines], sizes: list[int], cuts: list[int], filtered: bool) -> None:
        """Frames whose size is known at their end."""
        lines = [b"x" * size + b"\n" for size in sizes]
        self.check(kind(), lines, cuts, {"selector": None} if filtered else {}, lines if filtered else [])

    @given(
        st.sampled_from(PARTS),
        st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), max_size=5),
        CUTS,
        st.sampled_from([None, "all", "some"]),
    )
    def test_parts(self, kind: type[Parts], frames: list[list[int]], cuts: list[int], mode: str | None) -> None:
        """Frames whose size is known in their middle, and whose payload begins there."""
        setups: dict[Any, dict[str, Any]] = {
            None: {},
            "all": {"selector": None},
            "some": {"selector": first_byte(b"p")},
        }
        setup = setups[mode]
        payloads = [b"p" * size_of(digits[-1]) for digits in frames]
        wanted = {None: [], "all": payloads, "some": [payload for payload in payloads if payload]}[mode]
        self.check(kind(), [parts(*digits) for digits in frames], cuts, setup, wanted)
