"""The recorder: what it takes, what it leaves out, and how it ends."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from queue import Empty, Queue
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.recording.watched import LINK, FakeLink, hurry, watched
from twisted_repeater.errors import Replaced
from twisted_repeater.recording import Origin, RecordingError, open_recording, record, recorder, writer
from twisted_repeater.recording.entries import COST

LONGEST = 10.0
ONE = COST + 5
"""What a message of five bytes takes."""


class FakeReactor(Clock):
    """A clock, to which other threads can give calls."""

    def __init__(self) -> None:
        super().__init__()
        self.from_thread: Queue[Callable[[], object]] = Queue()

    def callFromThread(self, call: Callable[[], object]) -> None:
        """See `IReactorFromThreads`."""
        self.from_thread.put(call)


class FakeWatch:
    """What a repeater returns to one who watches."""

    held = False

    def __init__(self, watcher: Any, links: object) -> None:
        self.watcher, self.links = watcher, links
        self.ended: Deferred[None] | None = None

    def hold(self) -> None:
        """See `Watch`."""
        self.held = True

    def release(self) -> None:
        """See `Watch`."""
        self.held = False

    def stop(self) -> None:
        """See `Watch`."""
        self.release()
        if self.ended is None:
            self.ended = Deferred()
            self.watcher.watch_ended().chainDeferred(self.ended)


class RecorderCase(SynchronousTestCase):
    """A recorder without a repeater."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        hurry(self)
        self.reactor = FakeReactor()
        self.logged: list[str] = []
        observer: Any = self.note
        self.patch(recorder, "log", Logger(observer=observer))

    def note(self, event: Any) -> None:
        if event["log_level"] is not LogLevel.info:
            self.logged.append(event["log_format"].format(**event).replace(os.path.abspath(self.path), "FILE"))

    def start(self, **options: Any) -> None:
        settings = SimpleNamespace(repeater_name="edge")
        links = SimpleNamespace(watches=SimpleNamespace(clock=SimpleNamespace(now=self.now)))
        repeater: Any = SimpleNamespace(_factory=SimpleNamespace(settings=settings, links=links), watch=self.watch)
        self.recorder = record(repeater, self.path, reactor=self.reactor, **options)
        self.addCleanup(self.finish)

    def watch(self, watcher: Any, *, links: object) -> FakeWatch:
        self.watched = FakeWatch(watcher, links)
        return self.watched

    def now(self) -> float:
        """Return the time of the repeater's messages, which is that of its clock, unless that was set back."""
        return max(self.reactor.seconds(), 3.0)

    def finish(self) -> None:
        """End the recording in good order."""
        self.recorder._writer.give_up()
        done = self.recorder.stop()
        self.until(lambda: done.called)
        self.recorder._writer._thread.join(LONGEST)

    def stopped(self) -> None:
        """End the recording, with all that waits."""
        done = self.recorder.stop()
        self.until(lambda: done.called)

    def until(self, condition: Callable[[], object]) -> None:
        """Do what the thread asks for, until something holds."""
        deadline = time.monotonic() + LONGEST
        while not condition():
            assert time.monotonic() < deadline, "in vain"
            with contextlib.suppress(Empty):
                self.reactor.from_thread.get(timeout=0.01)()

    def lock(self) -> sqlite3.Connection:
        """Make the disk slow, until somebody rolls back."""
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        return other

    def numbers(self) -> list[int]:
        with open_recording(self.path) as recording:
            return [message.number for message in recording.messages()]


class WatchTests(RecorderCase):
    """How it begins to watch."""

    def test_sqlite_fails(self) -> None:
        """What SQLite says against the file is a `RecordingError`."""

        def fail(*arguments: object, **options: object) -> None:
            raise sqlite3.OperationalError("no")

        self.patch(sqlite3, "connect", fail)
        error = self.assertRaises(RecordingError, self.start)
        self.assertIn("cannot be recorded into: no", str(error))

    def test_nothing_to_watch(self) -> None:
        """If the repeater refuses to be watched, no thread is left."""

        def refuse(watcher: Any, *, links: object) -> None:
            self.recorder = watcher
            raise RuntimeError("the repeater is shut down")

        self.patch(self, "watch", refuse)
        self.assertRaises(RuntimeError, self.start)
        self.recorder._writer._thread.join(LONGEST)
        self.assertFalse(self.recorder._writer._thread.is_alive())

    def test_links(self) -> None:
        """Which links are watched is the repeater's business."""
        self.start(links="ann")
        self.assertEqual(self.watched.links, "ann")


class TakingTests(RecorderCase):
    """Messages and links."""

    def test_everything(self) -> None:
        """Links and messages are in the file in the order in which they were told of, with the facts."""
        self.start(dialect="redis", server="tcp:1")
        self.reactor.advance(5)
        link: Any = FakeLink()
        self.recorder.message_watched(watched(1))  # of a link that was there before
        self.recorder.link_made(link)
        self.recorder.message_watched(watched(2, link=link))
        link.client_name = "bob"
        self.recorder.link_ended(link, ValueError("gone"))
        refused: Any = FakeLink()
        self.recorder.message_watched(watched(0, link=refused, origin=Origin.OPENING))
        self.recorder.link_refused(refused, Replaced("ann"))
        self.recorder.link_refused(refused, Replaced("ann"))
        self.recorder.link_ended(refused, None)
        self.stopped()
        with open_recording(self.path) as recording:
            links = [(link.client_name, link.made, link.ended, link.reason) for link in recording.links()]
            self.assertEqual(links[:2], [("ann", None, None, None), ("bob", 5_000_000, 5_000_000, "ValueError: gone")])
            self.assertEqual([bool(link.refused) for link in recording.links()], [False, False, True, True, False])
            self.assertEqual([message.link for message in recording.messages()], [1, 2, 3])
            facts = recording.facts
        self.assertEqual((facts["dialect"], facts["server"], facts["repeater_name"]), ("redis", "tcp:1", "edge"))
        self.assertEqual((self.recorder.recorded, self.recorder.left_out, self.recorder.waiting), (3, 0, 0))

    def test_age(self) -> None:
        """The age is that of the oldest message that is not written yet."""
        self.start()
        self.assertEqual(self.recorder.age, 0.0)
        self.lock()
        self.recorder.message_watched(watched(time=100.0))
        self.reactor.advance(103.5)
        self.assertEqual((self.recorder.age, self.recorder.waiting), (3.5, COST + ONE))
        self.recorder._writer.oldest = 100.5
        self.assertEqual(self.recorder.age, 3.0)

    def test_a_thread_that_is_awake(self) -> None:
        """The thread is woken only if it sleeps, as that costs more than the message itself."""
        self.start()
        self.until(lambda: self.recorder._writer.asleep)
        self.recorder._writer.asleep = False
        self.recorder.link_made(LINK)
        self.until(lambda: not self.recorder.waiting)
        self.recorder._writer.wake.clear()
        self.recorder._writer.asleep = False
        self.recorder.message_watched(watched(1))
        self.assertFalse(self.recorder._writer.wake.is_set())

    def test_a_clock_that_is_set_back(self) -> None:
        """Links are made and end at the time that their messages have, which never goes back."""
        self.start()
        self.recorder.link_made(LINK)
        self.recorder.link_ended(LINK, None)
        self.stopped()
        with open_recording(self.path) as recording:
            self.assertEqual([(link.made, link.ended) for link in recording.links()], [(3_000_000, 3_000_000)])

    def test_links_that_are_forgotten(self) -> None:
        """Links that end without a word, as they are not chosen any more, do not stay in memory."""
        self.start()
        self.recorder._most_links = 3
        self.patch(recorder, "pair_of", lambda link: link)
        links: list[Any] = [FakeLink() for _ in range(5)]
        for link in links:
            link.over = link is not links[1]
            self.recorder.message_watched(watched(link=link))
        self.assertEqual(list(self.recorder._links), [links[1], *links[3:]])


class SlowTests(RecorderCase):
    """A disk that is too slow."""

    def test_leave_out(self) -> None:
        """When too many messages wait, some are left out; the file says where, and how many."""
        self.start(max_waiting=4 * ONE + COST)
        other = self.lock()
        for number in range(1, 8):
            self.recorder.message_watched(watched(number))
        self.assertEqual((self.recorder.left_out, self.watched.held), (3, False))
        other.execute("ROLLBACK")
        self.until(lambda: not self.recorder.waiting)
        for number in (8, 9):
            self.recorder.message_watched(watched(number))
        self.stopped()
        self.assertEqual(self.numbers(), [1, 2, 3, 4, 8, 9])
        with open_recording(self.path) as recording:
            (gap,) = recording.gaps()
            self.assertEqual((gap.after, gap.began, gap.ended, gap.left_out), (4, 6_500_000, 8_500_000, 3))
            self.assertEqual(gap.reason, "the disk is too slow")
        self.assertEqual(
            self.logged,
            ["messages are left out of the recording FILE: the disk is too slow"],
        )

    def test_a_gap_at_the_end(self) -> None:
        """Messages that are left out last are counted in the file, too."""
        self.start(max_waiting=1)
        other = self.lock()
        for number in (1, 2):
            self.recorder.message_watched(watched(number))
        done = self.recorder.stop()
        other.execute("ROLLBACK")
        self.until(lambda: done.called)
        with open_recording(self.path) as recording:
            self.assertEqual((recording.facts["left_out"], recording.count), ("1", 1))

    def test_wait(self) -> None:
        """If the links shall wait, they are held until half of the messages are written; none is left out."""
        self.start(max_waiting=4 * ONE, when_slow="wait")
        other = self.lock()
        for number in range(1, 5):
            self.recorder.message_watched(watched(number))
            self.assertFalse(self.watched.held)
        for number in range(5, 9):  # they were read already
            self.recorder.message_watched(watched(number))
        self.assertTrue(self.watched.held)
        self.recorder._progressed()
        self.assertTrue(self.watched.held)
        for number in range(9, 12):
            self.recorder.message_watched(watched(number))
        self.recorder.message_watched(watched(12, origin=Origin.OWN))  # there is a limit, as nothing holds these up
        self.assertEqual(self.recorder.left_out, 1)
        other.execute("ROLLBACK")
        self.until(lambda: not self.watched.held)
        self.stopped()
        self.assertEqual(self.numbers(), list(range(1, 12)))

    def test_written_meanwhile(self) -> None:
        """If the writer has caught up in the moment in which the links are held, they are released at once."""
        self.start(max_waiting=4 * ONE, when_slow="wait")
        self.recorder._put = self.recorder._max_waiting + 1
        hold = self.watched.hold

        def catch_up() -> None:
            hold()
            self.recorder._put = 0

        self.patch(self.watched, "hold", catch_up)
        self.recorder.message_watched(watched(1))
        self.assertFalse(self.watched.held)

    def test_a_large_message(self) -> None:
        """A message that is larger than the limit is taken if little else waits."""
        self.start(max_waiting=4 * ONE)
        self.lock()
        self.recorder.message_watched(watched(1))
        self.recorder.message_watched(watched(2, frame=bytes(10_000)))
        self.recorder.message_watched(watched(3))
        self.assertEqual(self.recorder.left_out, 1)

    def test_what_is_lost_is_counted(self) -> None:
        """Messages that still wait when nobody waits for the disk any longer were left out."""
        self.start()
        self.lock()
        self.recorder.message_watched(watched(1))
        self.recorder.link_ended(LINK, None)
        self.recorder.stop()
        self.reactor.advance(10)
        self.recorder._writer._thread.join(LONGEST)
        self.assertEqual((self.recorder.left_out, self.recorder.recorded, self.recorder.waiting), (1, 0, 0))

    def test_events_have_more_room(self) -> None:
        """Links are noted when messages are left out already, but not without end."""
        self.start(max_waiting=4 * ONE)
        self.lock()
        links: list[Any] = [FakeLink() for _ in range(20)]
        for link in links:
            self.recorder.link_made(link)
        self.assertLess(self.recorder.waiting, 9 * ONE)
        for link in links:
            self.recorder.link_ended(link, None)  # only the writer can forget a link that it knows
        self.assertEqual((self.recorder._links, self.recorder.waiting), ({}, 18 * COST))

    def test_the_end_has_a_limit(self) -> None:
        """If the disk does not obey at the end, nobody waits longer than ten seconds, and the log says so."""
        self.start()
        self.lock()
        self.recorder.message_watched(watched())
        done = self.recorder.stop()
        self.reactor.advance(9)
        self.assertFalse(done.called)
        self.reactor.advance(1)
        self.assertTrue(done.called and self.recorder.over)
        self.assertEqual(
            self.logged, ["the recording FILE may be incomplete: its disk has not answered for 10 seconds"]
        )
        self.recorder._writer._thread.join(LONGEST)
        self.until(self.reactor.from_thread.empty)


class SuspendedTests(RecorderCase):
    """A full disk."""

    def test_suspended(self) -> None:
        """The links go on, also those that wait; the log says so once, and once that the recording goes on."""
        room = [False]
        self.patch(writer, "has_room", lambda path, times=1: room[0])
        self.start(when_slow="wait", max_waiting=4 * ONE)
        self.watched.hold()
        self.recorder.message_watched(watched(1))
        self.until(lambda: self.recorder.suspended)
        self.until(lambda: not self.watched.held)
        self.recorder.message_watched(watched(2))
        self.recorder.message_watched(watched(3))
        self.recorder.link_made(LINK)
        room[0] = True
        self.until(lambda: not self.recorder.suspended)
        self.recorder.message_watched(watched(4))
        self.stopped()
        self.assertEqual((self.numbers(), self.recorder.left_out), ([1, 4], 2))
        with open_recording(self.path) as recording:
            self.assertEqual([(gap.after, gap.reason) for gap in recording.gaps()], [(1, "the disk is full")])
        self.assertEqual(self.logged[0], "the recording FILE is suspended: the disk is full")
        self.recorder._suspended()
        self.recorder._suspended()
        self.assertEqual(len(self.logged), 2)  # the log is not flooded

    def test_said_once(self) -> None:
        """If the disk is still full at the end, when what is missing was noted, the log does not say so again."""
        self.patch(writer, "has_room", lambda path, times=1: not times)
        self.start()
        self.recorder.message_watched(watched(1))
        self.until(lambda: self.recorder.suspended)
        self.recorder.message_watched(watched(2))
        self.recorder.link_ended(LINK, None)
        self.stopped()
        self.assertEqual(self.logged, ["the recording FILE is suspended: the disk is full"])
        with open_recording(self.path) as recording:
            self.assertEqual([gap.left_out for gap in recording.gaps()], [1])
            self.assertTrue(all(link.ended is not None for link in recording.links()))


class EndTests(RecorderCase):
    """Ways to end."""

    def test_each_caller(self) -> None:
        """Each call returns a Deferred of its own, also when all is over."""
        self.start()
        first, second = self.recorder.stop(), self.recorder.stop()
        self.until(lambda: first.called and second.called)
        self.assertTrue(self.recorder.stop().called)
        self.assertTrue(self.recorder.watch_ended().called)

    def test_the_thread_fails(self) -> None:
        """If the thread ends by itself, nothing is watched any more."""
        self.start()
        self.recorder._writer.stop()
        self.until(lambda: self.recorder.over)
        self.assertTrue(self.watched.ended is not None and self.watched.ended.called)

    def test_the_end_of_the_process(self) -> None:
        """If a program ends without a word, what waits is written first."""
        calls: list[Any] = []
        self.patch(recorder, "atexit", SimpleNamespace(register=calls.append, unregister=calls.remove))
        self.start()
        self.recorder.message_watched(watched(1))
        calls[0]()
        self.assertEqual(self.numbers(), [1])
        self.stopped()
        self.assertEqual(calls, [])

    def test_no_watch(self) -> None:
        """What the thread tells before there is a watch is understood."""
        self.start()
        self.recorder._watch = None
        self.recorder._suspended()
        self.recorder._progressed()
        self.assertFalse(self.recorder.stop().called)
        self.recorder._writer.stop()
        self.until(lambda: self.recorder.over)
        self.recorder._watch = self.watched  # type: ignore[assignment]
