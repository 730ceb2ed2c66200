"""What a lane sends later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from twisted_repeater._lane.account import WatchClock
from twisted_repeater._lane.delayed import MAX_DELAYED, MAX_ENTRIES, MERGED
from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.errors import FramingError
from twisted_repeater.model import OnFilterError
from twisted_repeater.verdicts import (
    DO_NOTHING,
    PASS_ON,
    Close,
    Frame,
    Later,
    Mixed,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
)
from twisted_repeater.watching import Origin, WatchedMessage

from ..drawn import examples
from .lanes import LARGE, LaneCase, RecordingHost, frames, messages_in


class Host(RecordingHost):
    """Lets a lane send later by a clock."""

    def __init__(self, journal: list[str], clock: Clock) -> None:
        super().__init__(journal)
        self.clock = clock
        self.timer: Any = None
        self.timers = 0
        self.lanes: tuple[Lane, ...] = ()

    def lane_delayed(self, lane: Lane, seconds: float) -> None:
        """See `LaneHost`."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timers += 1
        self.timer = self.clock.callLater(seconds, lane.release)

    def lane_released(self, lane: Lane) -> None:
        """See `LaneHost`."""
        for each in self.lanes or (lane,):
            each.unchoke()


class DelayedCase(LaneCase):
    """A lane with a clock that moves."""

    def setUp(self) -> None:
        """Make the lane."""
        super().setUp()
        self.clock = Clock()
        self.host: Any = Host(self.journal, self.clock)
        setup = LaneSetup(filter=self.answer)
        self.lane = Lane(setup, self.framing, self.forward, self.back, self.host, self.clock.seconds, self.host)
        self.start()

    def feed(self, *messages: bytes) -> None:
        """Feed messages in one read."""
        self.lane.feed(frames(*messages))

    def at(self, seconds: float, *expected: str) -> None:
        """Let time pass up to this time; check what was told until then."""
        self.clock.advance(seconds - self.clock.seconds())
        self.assert_journal(*expected)


class LaterTests(DelayedCase):
    """A verdict that comes later."""

    def test_delays_do_not_add_up(self) -> None:
        """A thousand messages that are each delayed by 100 ms take 100 ms, with one timer."""
        names = [b"%d" % number for number in range(1000)]
        self.answers.update(dict.fromkeys(names, Later(0.1)))
        self.feed(*names)
        self.assertEqual(self.forward.pushes, [])
        self.assertEqual(self.host.timers, 1)
        self.clock.advance(0.1)
        self.assertEqual(messages_in(self.forward.stream), names)
        self.assertTrue(self.lane.idle)

    def test_the_order_is_kept(self) -> None:
        """What is behind a later message waits for it, and is not held up beyond that; what is before does not wait."""
        self.answers = {b"late": Later(1), b"sooner": Later(0.5)}
        self.feed(b"a", b"late", b"sooner", b"b")
        self.assert_journal("forward: a")
        self.at(0.9)
        self.feed(b"c")
        self.at(1, "forward: late sooner b c", "flowing")
        self.feed(b"d")
        self.assert_journal("forward: d")

    def test_decisions_go_on(self) -> None:
        """The filter is asked about the messages behind a later one at once."""
        self.answers = {b"late": Later(1)}
        self.feed(b"late", b"b")
        self.feed(b"c")
        self.assertEqual(self.asked, [b"late", b"b", b"c"])
        self.assertFalse(self.lane.idle)

    def test_a_deadline_counts_from_the_decision(self) -> None:
        """A verdict that is awaited counts its delay from the moment when it is there."""
        coming: Deferred[Verdict] = Deferred()
        self.answers = {b"a": lambda: coming}
        self.feed(b"a", b"b")
        self.clock.advance(5)
        coming.callback(Later(1, Send(b"x")))
        self.journal.clear()
        self.at(5.9)
        self.at(6, "forward: x b", "flowing")

    def test_every_kind_of_verdict(self) -> None:
        """What a verdict sends, either way, goes out together when its time has come."""
        self.answers = {
            b"a": Later(1, Send(b"x", b"y")),
            b"b": Later(1, SendBack([b"no"])),
            b"c": Later(1, PassOnAndSendBack([b"too"])),
            b"d": Later(1, Mixed(passes=True, forward=[b"more"], back=[b"so"])),
            b"e": Later(9, DO_NOTHING),
        }
        self.feed(b"a", b"b", b"c", b"d", b"e")
        self.at(
            1,
            "forward: x y c d more",
            "back: no too so",
            "flowing",
        )

    def test_dropping_later_is_dropping(self) -> None:
        """A message that is dropped later is dropped, and holds up nothing."""
        self.answers = {b"a": Later(1, DO_NOTHING)}
        self.feed(b"a")
        self.assertTrue(self.lane.idle)
        self.feed(b"b")
        self.assert_journal("forward: b")

    def test_close_later(self) -> None:
        """A link closes later, after what was decided before; the messages behind are not looked at."""
        error = ValueError("over")
        self.answers = {b"a": Later(1), b"b": Later(2, Close(error, forward=[b"bye"]))}
        self.feed(b"a", b"b", b"c")
        self.feed(b"d")
        self.assertEqual(self.asked, [b"a", b"b"])
        self.assertFalse(self.lane.idle)
        self.journal.clear()
        self.at(1, "forward: a")
        self.at(2, "forward: bye", "closes", "flowing")
        self.assertEqual(self.host.errors, [error])
        self.assertTrue(self.lane.idle)

    def test_close_waits_for_what_is_delayed(self) -> None:
        """A verdict that closes the link at once waits for the messages before it."""
        self.answers = {b"a": Later(1), b"b": Close()}
        self.feed(b"a", b"b")
        self.assert_journal("flowing")
        self.at(1, "forward: a", "closes", "flowing")

    def test_messages_before_an_error_of_the_framing(self) -> None:
        """The messages before an error in the stream still go out when their time has come."""
        self.answers = {b"a": Later(1)}
        self.lane.feed(frames(b"a") + b"\xff\xff\xff\xff")
        self.assertIsInstance(self.host.errors[0], FramingError)
        self.journal.clear()
        self.at(1, "forward: a", "flowing")

    def test_messages_before_a_failure(self) -> None:
        """The messages before one whose filter fails still go out when their time has come."""
        self.host.policy = OnFilterError.STOP
        self.answers = {b"a": Later(1), b"b": ValueError()}
        self.feed(b"a", b"b")
        self.journal.clear()
        self.at(1, "forward: a", "flowing")

    def test_discard_drops_it(self) -> None:
        """An aborted link drops what waits."""
        self.answers = {b"a": Later(1)}
        self.feed(b"a")
        self.lane.discard()
        self.assertTrue(self.lane.idle)
        self.journal.clear()
        self.at(1)

    def test_a_frame_as_it_is(self) -> None:
        """A frame is sent as it is, whatever the codec."""
        self.answers = {b"a": Send(Frame(frames(b"raw")))}
        self.feed(b"a")
        self.assert_journal("forward: raw")


class BoundTests(DelayedCase):
    """The queue has a limit."""

    def test_a_full_queue_chokes_the_lane(self) -> None:
        """When more waits than the limit, nothing more is looked at until there is room."""
        big = b"x" * (MAX_DELAYED // 2)
        self.answers = {big: Later(1)}
        self.feed(big)
        self.assert_journal()
        self.feed(big, b"b", b"c")
        self.assert_journal("blocked")
        self.assertEqual(self.asked, [big, big])
        self.clock.advance(1)
        self.assertEqual(messages_in(self.forward.stream), [big, big, b"b", b"c"])
        self.assertTrue(self.lane.idle)

    def test_many_small_messages(self) -> None:
        """Many messages choke the lane, however small they are."""
        self.answers = {b"": Later(1)}
        self.feed(*[b""] * (MAX_ENTRIES + 9), b"b")
        self.assertEqual(len(self.asked), MAX_ENTRIES + 1)
        self.clock.advance(1)
        self.assertEqual(len(messages_in(self.forward.stream)), MAX_ENTRIES + 1)
        self.clock.advance(1)
        self.assertTrue(self.lane.idle)

    def test_a_full_target(self) -> None:
        """While the target is full, messages that are due wait in the queue."""
        big = b"a" * MERGED
        self.answers = {big: Later(1), b"b": Later(1)}
        self.feed(big, b"b")
        self.forward.on_push = lambda: setattr(self.forward, "full", True)
        self.at(1, "forward: " + big.decode())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.forward.full = False
        self.lane.unchoke()
        self.assert_journal("forward: b", "flowing")

    def test_many_bytes_behind(self) -> None:
        """Bytes behind a late message do not join it without limit, and they go out with it."""
        big = b"a" * MERGED
        self.answers = {big: Later(1)}
        self.feed(big, b"b")
        self.at(1, "forward: " + big.decode(), "forward: b", "flowing")

    def test_calls_from_within(self) -> None:
        """Calls that come while the queue sends change nothing about what it sends."""

        def again() -> None:
            self.forward.on_push = lambda: None
            self.lane.unchoke()
            self.lane.delayed().set_aside(frames(b"aside"), 1, "why")

        self.answers = {b"a": Later(1)}
        self.feed(b"a")
        self.forward.on_push = again
        self.at(1, "forward: a")
        self.at(2, "forward: aside", "flowing")

    def test_a_large_message_behind_is_kept_whole(self) -> None:
        """A large message that nobody wants does not pass in pieces behind one that waits, and does not overtake it."""
        self.equip(filter=None)
        self.equip(filter=self.answer)
        self.answers = {b"late": Later(1)}
        self.feed(b"late")
        self.equip(filter=None)
        stream = frames(b"x" * LARGE)
        self.lane.feed(stream[:100_000])
        self.assertEqual(self.lane.kept_size, 100_000)
        self.lane.feed(stream[100_000:])
        self.assertEqual(self.forward.pushes, [])
        self.clock.advance(1)
        self.assertEqual(messages_in(self.forward.stream), [b"late", b"x" * LARGE])

    def test_a_later_message_behind_a_large_one(self) -> None:
        """A message that comes later behind one that passes in pieces does not hold up its end."""
        self.equip(filter=None)
        stream = frames(b"x" * LARGE)
        self.lane.feed(stream[:100_000])
        self.equip(filter=self.answer)
        self.answers = {b"late": Later(1)}
        self.lane.feed(stream[100_000:] + frames(b"late"))
        self.assertEqual(messages_in(self.forward.stream), [b"x" * LARGE])
        self.clock.advance(1)
        self.assertEqual(messages_in(self.forward.stream), [b"x" * LARGE, b"late"])


class OwnMessageTests(DelayedCase):
    """Messages of the application and of the other direction."""

    def setUp(self) -> None:
        """Make both lanes."""
        super().setUp()
        self.other = Lane(
            LaneSetup(filter=self.answer),
            self.framing,
            self.back,
            self.forward,
            self.host,
            self.clock.seconds,
            self.host,
        )
        self.other.start()
        self.lane.face(self.other)
        self.host.lanes = (self.lane, self.other)
        self.answers = {b"late": Later(1), b"ask": SendBack([b"answer"])}
        self.journal.clear()

    def test_answers_of_the_other_direction_wait(self) -> None:
        """An answer of the other lane does not overtake the messages that are delayed on its way."""
        self.feed(b"late")
        self.other.feed(frames(b"ask"))
        self.assert_journal()
        self.at(1, "forward: late answer", "flowing")

    def test_the_other_direction_goes_on(self) -> None:
        """Messages of the other lane do not wait for an answer that comes later."""
        self.answers[b"slow"] = Later(1, SendBack([b"late answer"]))
        self.feed(b"slow")
        self.other.feed(frames(b"push"))
        self.assert_journal("back: push")
        self.at(1, "back: late answer", "flowing")

    def test_own_messages_wait(self) -> None:
        """A message of the application's own does not overtake the messages that are delayed on its way."""
        self.assertFalse(self.lane.send_between(self.forward, frames(b"own")))
        self.feed(b"late")
        self.assertTrue(self.lane.send_between(self.forward, frames(b"own")))
        self.assertFalse(self.lane.send_between(self.back, frames(b"own")))
        self.at(1, "forward: late own", "flowing")

    def test_messages_sent_from_within_a_filter(self) -> None:
        """A message that is sent from within a filter goes out after what was decided before, also if that waits."""

        def sends() -> Verdict:
            self.lane.send_between(self.forward, frames(b"own"))
            self.lane.send_between(self.back, frames(b"back"))
            return PASS_ON

        self.answers[b"b"] = sends
        self.feed(b"late", b"b")
        self.assert_journal()
        self.at(1, "forward: late own b", "back: back", "flowing")

    def test_too_many_own_messages(self) -> None:
        """If the application sends more than the queue may hold, the delays are given up, not the order."""
        self.feed(b"late")
        big = frames(b"x" * MAX_DELAYED)
        self.assertTrue(self.lane.send_between(self.forward, big))
        self.assertFalse(self.lane.send_between(self.forward, frames(b"own")))
        self.assertEqual(messages_in(self.forward.stream)[0], b"late")
        self.assertTrue(self.lane.idle)

    def test_answers_fill_the_queue_of_the_other_direction(self) -> None:
        """A lane whose answers wait in a full queue of the other direction is choked."""
        self.answers[b"big"] = SendBack([b"x" * MAX_DELAYED])
        self.feed(b"late")
        self.other.feed(frames(b"big", b"next"))
        self.assert_journal("blocked")
        self.clock.advance(1)
        self.assertEqual(messages_in(self.back.stream), [b"next"])
        self.assertTrue(self.other.idle)


class SetAsideTests(DelayedCase):
    """A frame that others overtake, and reasons that end."""

    def test_it_goes_out_when_its_time_is_over(self) -> None:
        """A frame that was set aside goes out after its time, and others overtake it until then."""
        self.lane.delayed().set_aside(frames(b"aside"), 1, "why")
        self.feed(b"a")
        self.assert_journal("forward: a")
        self.assertFalse(self.lane.idle)
        self.at(1, "forward: aside", "flowing")

    def test_it_is_told_of(self) -> None:
        """Those who watch are told of a frame that was set aside when it goes out by itself."""
        seen: list[WatchedMessage] = []
        watch: Any = SimpleNamespace(clock=WatchClock(lambda: 5.0), message_watched=seen.append)
        self.equip(watch=watch)
        self.lane.delayed().set_aside(frames(b"aside"), 1, "why")
        self.at(1, "forward: aside", "flowing")
        told = [(each.origin, each.time, each.to_server) for each in seen]
        self.assertEqual(told, [(Origin.OWN, 5.0, frames(b"aside"))])

    def test_it_is_taken(self) -> None:
        """A frame that was set aside can be taken once, to be sent elsewhere."""
        entry = self.lane.delayed().set_aside(frames(b"aside"), 1, "why")
        queue = self.lane.delayed()
        self.assertTrue(queue.take(entry))
        self.assert_journal("flowing")
        self.assertFalse(self.lane.delayed().take(entry))
        self.assertTrue(self.lane.idle)
        self.journal.clear()
        self.at(1)

    def test_it_does_not_overtake(self) -> None:
        """A frame whose time is over goes behind what waits."""
        self.answers = {b"late": Later(2)}
        self.lane.delayed().set_aside(frames(b"aside"), 1, "why")
        self.feed(b"late")
        self.at(1)
        self.at(2, "forward: late aside", "flowing")

    def test_a_link_that_closes(self) -> None:
        """A frame that was set aside goes out before the link is closed."""
        self.answers = {b"end": Close()}
        self.lane.delayed().set_aside(frames(b"aside"), 9, "why")
        self.feed(b"end")
        self.journal.clear()
        self.at(0, "forward: aside", "closes", "flowing")

    def test_a_reason_that_ends(self) -> None:
        """What waits for one reason goes out when the reason is no more; what has other reasons waits for these."""
        changed = {
            b"a": WithReasons(("stall", 9.0), ("delay", 1.0)),
            b"b": WithReasons(("stall", 9.0)),
            b"c": WithReasons(("delay", 2.0)),
        }
        self.equip(faults=lambda lane, verdict, frame, payload, message: changed[payload])
        self.feed(b"a", b"b", b"c")
        self.lane.take_back("another")
        self.at(0.5)
        self.lane.take_back("stall")
        self.assert_journal()
        self.at(1, "forward: a b")
        self.lane.delayed().set_aside(frames(b"aside"), 9, "delay")
        self.lane.take_back("another")
        self.lane.take_back("delay")
        self.assert_journal("forward: c aside", "flowing")
        self.lane.take_back("delay")


class WithReasons(Mixed):
    """A verdict that is delayed for several reasons."""

    def __init__(self, *reasons: tuple[object, float]) -> None:
        super().__init__(passes=True, delay=sum(seconds for _, seconds in reasons))
        self.reasons = reasons


class AnyDelaysTests(DelayedCase):
    """Any mix of delays."""

    @settings(max_examples=examples(60), deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=30))
    def test_order_and_deadlines(self, plan: list[tuple[int, int]]) -> None:
        """Whatever the delays, each message goes out at the latest of its own deadline and those before it."""
        self.setUp()
        expected, due, now = [], 0, 0
        gone: list[tuple[int, bytes]] = []
        self.forward.on_push = lambda: gone.extend(
            (round(self.clock.seconds() * 1000), name) for name in messages_in(b"".join(self.forward.pushes[-1]))
        )
        for number, (delay, pause) in enumerate(plan):
            name = b"%d" % number
            self.answers[name] = Later(delay / 1000)
            self.feed(name)
            due = max(due, now + delay)
            expected.append((due, name))
            for _ in range(pause):
                self.clock.advance(0.001)
            now += pause
        for _ in range(100):
            self.clock.advance(0.001)
        self.assertEqual(gone, expected)
