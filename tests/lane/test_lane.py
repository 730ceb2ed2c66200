"""Tests of the lane: its counts, its setup, and its reports to the host."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.errors import (
    BadLength,
    FilterTimeout,
    FrameTooLong,
)
from twisted_repeater.model import Direction, OnFilterError
from twisted_repeater.verdicts import (
    DO_NOTHING,
    PASS_ON,
)

from .lanes import (
    FRAMING,
    LARGE,
    LaneCase,
    StartedLaneCase,
    frames,
)


class NewLaneTests(LaneCase):
    """A lane before anything was received."""

    def test_new(self) -> None:
        """It knows its direction, has counted nothing, and waits to be started."""
        self.assertIs(self.lane.direction, Direction.TO_SERVER)
        self.assertEqual((self.lane.messages, self.lane.size, self.lane.idle), (0, 0, False))
        self.assertIs(self.lane.awaited, None)


class RecordingMonitor:
    """A frame monitor that notes the calls of a lane."""

    def __init__(self) -> None:
        self.size = 0
        self.limit = 100
        self.watched: list[int] = []
        self.forgotten = 0

    def watch(self, lane: Lane) -> None:
        """See `FrameMonitor`."""
        self.watched.append(self.size)

    def forget(self, lane: Lane) -> None:
        """See `FrameMonitor`."""
        lane.listed = False
        self.forgotten += 1


class UnfinishedTests(StartedLaneCase):
    """Counting the bytes of a frame that has begun and not ended."""

    def setUp(self) -> None:
        """Have a monitor."""
        super().setUp()
        self.monitor = RecordingMonitor()
        self.equip(frame_monitor=self.monitor)

    def test_counted(self) -> None:
        """Bytes count until the frame is whole. The lane is watched from its beginning, and when there are too many."""
        stream = frames(b"x" * 200)
        sizes = []
        for read in (stream[:50], stream[50:100], stream[100:101], stream[101:] + stream[:20], stream[20:]):
            self.lane.feed(read)
            sizes.append(self.monitor.size)
            self.assertEqual(self.monitor.size, self.lane.kept_size)
        self.assertEqual((sizes, self.monitor.watched), ([50, 100, 101, 20, 0], [50, 101]))

    def test_dropped(self) -> None:
        """A beginning that is dropped counts no longer; the lane stays listed until it ends."""
        self.lane.feed(frames(b"x" * 50)[:40])
        self.lane.drop_unfinished()
        self.lane.drop_unfinished()
        self.assertEqual((self.monitor.size, self.lane.unfinished_size, self.monitor.forgotten), (0, 0, 0))
        self.lane.discard()
        self.lane.discard()
        self.assertEqual(self.monitor.forgotten, 1)

    def test_cut_off(self) -> None:
        """A lane that is cut off drops it, reads no further, and reports why."""
        self.lane.feed(frames(b"x" * 50)[:40])
        self.lane.cut_off(BadLength("too slow"))
        self.lane.feed(frames(b"one"))
        self.assertEqual((self.monitor.size, self.monitor.forgotten), (0, 1))
        self.assert_journal("framing failed: too slow")

    def test_someone_waits(self) -> None:
        """If somebody waits for the end of a frame that passes in pieces, it leaves before what follows in the read."""
        self.equip(filter=None)
        stream = frames(b"B" * LARGE)
        self.lane.feed(stream[:LARGE])
        self.forward.behind.append(frames(b"waits"))
        self.lane.feed(stream[LARGE:] + frames(b"next"))
        self.assertTrue(self.forward.stream == stream + frames(b"waits") + frames(b"next"))

    def test_is_read(self) -> None:
        """The host says whether more can come."""
        self.assertTrue(self.lane.is_read)
        self.host.is_read = False
        self.assertFalse(self.lane.is_read)


class ObservationTests(StartedLaneCase):
    """What is counted."""

    def test_once_for_each_read(self) -> None:
        """An observer hears of each read that brought a message: how many, of how many bytes."""
        heard: list[tuple[Lane, int, int]] = []
        self.equip(on_read=lambda *what: heard.append(what))
        self.answers[b"drop"] = DO_NOTHING
        self.lane.feed(frames(b"a", b"drop", b"b")[:-1])
        self.lane.feed(b"b")
        self.feed(frames(bytes(LARGE)))
        self.lane.feed(b"\0")
        self.assertEqual(heard, [(self.lane, 2, 13), (self.lane, 1, 5), (self.lane, 1, LARGE + 4)])

    def test_counted_when_looked_at(self) -> None:
        """A message counts when the filter is asked about it, also if its verdict comes later."""
        heard: list[tuple[int, int]] = []
        self.equip(on_read=lambda _, messages, size: heard.append((messages, size)))
        verdict: Deferred[Any] = Deferred()
        self.answers[b"m"] = verdict
        self.lane.feed(frames(b"a", b"m", b"b"))
        self.assertEqual((heard, self.lane.messages, self.lane.size), ([(2, 10)], 2, 10))
        verdict.callback(PASS_ON)
        self.assertEqual((heard, self.lane.messages, self.lane.size), ([(2, 10), (1, 5)], 3, 15))


class WrongUseTests(StartedLaneCase):
    """What a lane is not made for."""

    def test_no_bytes(self) -> None:
        """Only bytes are fed, whether or not the lane runs."""
        wrong: Any
        for wrong in (None, "text", 5):
            for lane in (self.lane, Lane(LaneSetup(), FRAMING, self.forward, self.back, self.host)):
                self.assertRaises(TypeError, lane.feed, wrong)
        self.lane.feed(frames(b"a"))
        self.assertEqual(self.forward.stream, frames(b"a"))

    def test_not_initialized(self) -> None:
        """A lane that was made without its initializer reads nothing."""
        lane = Lane.__new__(Lane)
        for use in (lane.start, lane.unchoke, lambda: lane.feed(frames(b"a")), lambda: lane.feed(frames(b"b"))):
            with contextlib.suppress(AttributeError):  # interpreted
                use()
        self.assertEqual(self.forward.stream, b"")


class SetupTests(StartedLaneCase):
    """Another setup."""

    def test_while_waiting(self) -> None:
        """It takes over when the verdict that is awaited has come."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"m"] = verdict
        self.feed(frames(b"m", b"a"))
        old = self.lane.setup
        self.equip(filter=None)
        self.assertIs(self.lane.setup, old)
        verdict.callback(PASS_ON)
        self.assertEqual((self.asked, self.forward.stream), ([b"m"], frames(b"m", b"a")))
        self.assertIs(self.lane.setup.filter, None)


class StreamTests(StartedLaneCase):
    """Streams that end or break off, and verdicts that do not come."""

    def test_unfinished(self) -> None:
        """At the end of the stream a frame may be there in part: so much of it is told."""
        stream = frames(b"a", b"bcdef")
        have = []
        for size in range(1, len(stream) + 1):
            self.lane.feed(stream[size - 1 : size])
            have.append(self.lane.unfinished_size)
        self.assertEqual(have, [1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0])

    def test_bad_frame_behind_a_pending_one(self) -> None:
        """A bad frame is found when its turn comes."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"m"] = verdict
        self.lane.feed(frames(b"m", b"b") + b"\xff\xff\xff\xff")
        self.assertEqual(self.host.errors, [])
        verdict.callback(PASS_ON)
        self.assertEqual(self.forward.stream, frames(b"m", b"b"))
        self.assertIsInstance(self.host.errors[0], FrameTooLong)

    def test_interrupted(self) -> None:
        """If a hook raises, the rest of the read is lost, so the lane discards all that comes after it."""

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        self.equip(on_decision=interrupt)
        self.assertRaises(KeyboardInterrupt, self.lane.feed, frames(b"a"))
        self.assertTrue(self.lane.discarding)

    def test_given_up(self) -> None:
        """A verdict that doesn't come in time is a failure of the filter; the Deferred is cancelled."""
        cancelled: list[Any] = []
        self.answers[b"m"] = lambda: Deferred(cancelled.append)
        self.host.policy = OnFilterError.PASS_ON
        self.lane.feed(frames(b"m", b"b"))
        self.lane.give_up_waiting(FilterTimeout("no verdict"))
        self.assertEqual(len(cancelled), 1)
        self.assert_journal(
            "blocked, waits for a verdict",
            "failed: FilterTimeout on message 1",
            "forward: m",
            "forward: b",
            "flowing",
        )


class SendBetweenTests(StartedLaneCase):
    """Messages that the application sends while a lane is at work."""

    def test_not_at_work(self) -> None:
        """A lane that looks at nothing takes nothing."""
        self.assertFalse(self.send_between(b"x"))

    def test_from_an_observer(self) -> None:
        """Or where a read is counted, or within a push."""

        def observe(*_: object) -> None:
            self.send_between(b"x")

        self.equip(on_read=observe)
        self.forward.on_push = lambda: len(self.forward.pushes) > 1 or self.send_between(b"y")
        self.lane.feed(frames(b"a"))
        self.assert_journal("forward: a x", "forward: y")


class DelayTests(StartedLaneCase):
    """What waits for its time."""

    def test_one_reason_ends(self) -> None:
        """What waits for a reason goes out when that ends, and a lane of which nothing waits does nothing then."""
        self.lane.take_back("reason")
        self.assertFalse(self.lane.delays)
        self.lane.delayed().set_aside(self.lane.encode(b"a") or b"", 1, "reason")
        self.assertTrue(self.lane.delays)
        self.lane.take_back("reason")
        self.assert_journal("forward: a", "flowing")

    def test_discard(self) -> None:
        """A lane that discards forgets what waits."""
        self.lane.delayed().set_aside(self.lane.encode(b"a") or b"", 1, "reason")
        self.lane.discard()
        self.assertFalse(self.lane.delays)

    def test_sent_at_work(self) -> None:
        """While the lane is at work, it does not report that nothing waits any more."""
        entry = self.lane.delayed().set_aside(self.lane.encode(b"a") or b"", 1, "reason")
        self.answers = {b"b": lambda: PASS_ON if self.lane.delayed().take(entry) else DO_NOTHING}
        self.lane.feed(frames(b"b"))
        self.assert_journal("forward: b")
