"""Tests of a lane's states: nothing is overtaken, nothing is forgotten, the host always knows how it stands."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater._lane.lane import MAX_HELD
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, PassOnAndSendBack, Send, SendBack

from .lanes import LaneCase, SlowFilterCase, frames, messages_in, numbered


class HeldTests(LaneCase):
    """Before the link is complete."""

    def test_held_until_start(self) -> None:
        """What comes before the start waits, and is looked at then, in order."""
        self.lane.feed(frames(b"a", b"b"))
        self.lane.feed(frames(b"c")[:3])
        self.assert_journal()
        self.assertEqual((self.lane.idle, self.lane.holding, self.asked), (False, 13, []))
        self.lane.start()
        self.assert_journal("forward: a b", "flowing")
        self.assertEqual((self.lane.idle, self.lane.holding), (True, 0))
        self.lane.feed(frames(b"c")[3:])
        self.assert_journal("forward: c")

    def test_no_bytes(self) -> None:
        """Nothing but bytes is taken."""
        wrong: Any
        for wrong in (None, "text", bytearray(b"data")):
            self.assertRaises(TypeError, self.lane.feed, wrong)
        self.assertEqual(self.lane.holding, 0)

    def test_nothing_held(self) -> None:
        """A lane that is started with nothing to do is ready."""
        self.lane.start()
        self.assert_journal("flowing")
        self.assertTrue(self.lane.idle)

    def test_started_once(self) -> None:
        """A second start changes nothing."""
        self.start()
        self.lane.start()
        self.assert_journal()

    def test_stopped_by_what_was_held(self) -> None:
        """The first message that was held may stop the lane again."""
        self.answers[b"wait"] = Deferred()
        self.lane.feed(frames(b"a", b"wait", b"b"))
        self.lane.feed(frames(b"c"))
        self.lane.start()
        self.assert_journal("forward: a", "blocked, waits for a verdict")
        self.assertEqual(self.lane.holding, len(frames(b"b", b"c")))


class WaitingTests(LaneCase):
    """While a filter takes its time."""

    def setUp(self) -> None:
        """Have a message that is waited for."""
        super().setUp()
        self.start()
        self.verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = self.verdict

    def decide(self) -> None:
        """Let the verdict come, once."""
        if not self.verdict.called:
            self.verdict.callback(PASS_ON)

    def test_nothing_is_overtaken(self) -> None:
        """What is behind the message waits, from the same read and from later ones."""
        self.lane.feed(frames(b"a", b"wait", b"b"))
        self.lane.feed(frames(b"c"))
        self.assert_journal("forward: a", "blocked, waits for a verdict")
        self.assertEqual((self.lane.idle, self.asked), (False, [b"a", b"wait"]))
        self.verdict.callback(PASS_ON)
        self.assert_journal("forward: wait", "forward: b", "forward: c", "flowing")
        self.assertTrue(self.lane.idle)

    def test_waiting_again(self) -> None:
        """Each of several messages may be waited for."""
        again: Deferred[Any] = Deferred()
        self.answers[b"again"] = again
        self.lane.feed(frames(b"wait", b"again", b"b"))
        self.assert_journal("blocked, waits for a verdict")
        self.verdict.callback(SendBack([b"no"]))
        self.assert_journal("back: no", "blocked, waits for a verdict")
        again.callback(Send(b"yes"))
        self.assert_journal("forward: yes", "forward: b", "flowing")

    def test_last_of_its_read(self) -> None:
        """A message with nothing behind it stops the lane as well."""
        self.lane.feed(frames(b"wait"))
        self.assertEqual((self.lane.idle, self.lane.holding), (False, 0))
        self.verdict.callback(DO_NOTHING)
        self.assert_journal("blocked, waits for a verdict", "flowing")

    def test_frame_cut_behind_it(self) -> None:
        """The beginning of a frame behind it is completed by what comes later."""
        stream = frames(b"wait", b"second")
        self.lane.feed(stream[:-4])
        self.lane.feed(stream[-4:])
        self.verdict.callback(PASS_ON)
        self.assert_journal("blocked, waits for a verdict", "forward: wait", "forward: second", "flowing")

    def test_verdict_within_the_report(self) -> None:
        """The verdict may come while the host hears of the wait."""
        self.host.on_event = lambda event: self.verdict.callback(PASS_ON) if event.startswith("blocked") else None
        self.lane.feed(frames(b"a", b"wait", b"b"))
        self.assert_journal("forward: a", "blocked, waits for a verdict", "forward: wait", "forward: b", "flowing")

    def test_verdict_within_a_push(self) -> None:
        """Or while what is before the message is pushed: that is before it all the same."""
        self.forward.on_push = self.decide
        self.lane.feed(frames(b"a", b"wait", b"b"))
        self.assert_journal("forward: a", "forward: wait", "forward: b", "flowing")

    def test_verdict_within_a_push_before_an_answer(self) -> None:
        """What comes of the messages before is pushed as a whole, then what comes of the verdict."""
        self.answers[b"q"] = PassOnAndSendBack([b"r"])
        self.forward.on_push = self.decide
        self.lane.feed(frames(b"q", b"wait", b"b"))
        self.assert_journal("forward: q", "back: r", "forward: wait", "forward: b", "flowing")


class ChokedTests(LaneCase):
    """While an outlet is full."""

    def setUp(self) -> None:
        """Start."""
        super().setUp()
        self.start()

    def fill(self) -> None:
        """Be full from the next push on."""
        self.forward.on_push = lambda: setattr(self.forward, "full", True)

    def test_forward(self) -> None:
        """A lane stops behind the read that filled the outlet, and goes on when it is emptied."""
        self.fill()
        self.lane.feed(frames(b"a", b"b"))
        self.assert_journal("forward: a b", "blocked")
        self.lane.feed(frames(b"c"))
        self.assert_journal()
        self.assertEqual((self.lane.idle, self.lane.holding), (False, 5))
        self.lane.unchoke()
        self.assert_journal()
        self.forward.full = False
        self.forward.on_push = lambda: None
        self.lane.unchoke()
        self.assert_journal("forward: c", "flowing")

    def test_choked_again(self) -> None:
        """What was held is looked at read by read, as long as there is room."""
        self.fill()
        for message in (b"a", b"b", b"c"):
            self.lane.feed(frames(message))
        self.assert_journal("forward: a", "blocked")
        self.forward.full = False
        self.lane.unchoke()
        self.assert_journal("forward: b", "blocked")
        self.assertEqual(self.lane.holding, 5)

    def test_back(self) -> None:
        """A full outlet on the way back stops a lane that answers, no other."""
        self.back.full = True
        self.answers[b"question"] = PassOnAndSendBack([b"answer"])
        self.lane.feed(frames(b"a"))
        self.assert_journal("forward: a")
        self.lane.feed(frames(b"question"))
        self.assert_journal("forward: question", "back: answer", "blocked")

    def test_not_choked(self) -> None:
        """An outlet that is emptied is no news to a lane that runs."""
        self.lane.unchoke()
        self.assert_journal()

    def test_emptied_within_the_push(self) -> None:
        """An outlet may be full and empty again before the push is over."""

        def push() -> None:
            self.forward.full = True
            self.lane.unchoke()
            self.forward.full = False
            self.lane.unchoke()

        self.forward.on_push = push
        self.lane.feed(frames(b"a"))
        self.lane.feed(frames(b"b"))
        self.assert_journal("forward: a", "forward: b")

    def test_emptied_while_at_work(self) -> None:
        """An outlet that choked the lane in the middle of a read may be emptied by what is pushed at its end."""
        self.answers[b"big"] = lambda: Send(bytes(300_000))
        self.answers[b"question"] = lambda: PassOnAndSendBack([b"answer"])
        self.fill()

        def empty() -> None:
            self.forward.full = False
            self.forward.on_push = lambda: None
            self.lane.unchoke()

        self.back.on_push = empty
        self.answers[b"both"] = lambda: PassOnAndSendBack([bytes(300_000)])
        self.lane.feed(frames(b"both", b"a", b"b"))
        self.assertEqual([entry[:12] for entry in self.journal], ["forward: bot", "back: \0\0\0\0\0\0", "forward: a b"])

    def test_waiting_at_a_full_outlet(self) -> None:
        """A lane that waits for a verdict does so, whether there is room or not."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.fill()
        self.lane.feed(frames(b"a", b"wait", b"b"))
        self.assert_journal("forward: a", "blocked, waits for a verdict")
        self.forward.full = False
        self.lane.unchoke()
        self.assert_journal()
        verdict.callback(PASS_ON)
        self.assert_journal("forward: wait", "blocked")


class EndTests(LaneCase):
    """How a lane ends."""

    def setUp(self) -> None:
        """Start."""
        super().setUp()
        self.start()

    def test_sealed(self) -> None:
        """At the end of the stream nothing more is taken."""
        self.lane.feed(frames(b"a"))
        self.lane.seal()
        self.lane.feed(frames(b"b"))
        self.assert_journal("forward: a")
        self.assertTrue(self.lane.idle)

    def test_sealed_while_held(self) -> None:
        """What was received before the end is looked at, however long that takes."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.lane.feed(frames(b"wait", b"a"))
        self.lane.seal()
        self.lane.feed(frames(b"b"))
        self.assertFalse(self.lane.idle)
        verdict.callback(PASS_ON)
        self.assert_journal("blocked, waits for a verdict", "forward: wait", "forward: a", "flowing")

    def test_sealed_at_work(self) -> None:
        """A filter that ends the stream itself is waited for: the host hears when the lane is idle."""

        def end() -> Any:
            self.lane.seal()
            self.assertFalse(self.lane.idle)
            return PASS_ON

        self.answers[b"end"] = end
        self.lane.feed(frames(b"end", b"a"))
        self.assert_journal("forward: end a", "flowing")
        self.assertTrue(self.lane.idle)

    def test_discarding(self) -> None:
        """What is held is dropped, with whatever comes."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.lane.feed(frames(b"wait", b"a"))
        self.assertFalse(self.lane.discarding)
        self.lane.discard()
        self.lane.feed(frames(b"b"))
        self.assert_journal("blocked, waits for a verdict")
        self.assertEqual((self.lane.idle, self.lane.discarding, self.lane.holding), (True, True, 0))
        self.assertTrue(verdict.called)

    def test_discarded_before_start(self) -> None:
        """What was never started never starts."""
        self.lane.discard()
        self.lane.start()
        self.lane.unchoke()
        self.lane.feed(frames(b"a"))
        self.assert_journal()

    def test_discarded_within_a_frame(self) -> None:
        """A frame that has begun is dropped, too: the stream doesn't end inside of it."""
        self.lane.feed(frames(b"a")[:-1])
        self.lane.discard()
        self.assertIs(self.lane.unfinished, None)

    def test_discarded_at_work(self) -> None:
        """A filter that brings about the end of its lane sees nothing more; what it let pass before has passed."""
        for verdict in (PASS_ON, DO_NOTHING):
            self.setUp()

            def end(verdict: Any = verdict) -> Any:
                self.lane.discard()
                return verdict

            self.answers[b"end"] = end
            self.lane.feed(frames(b"a", b"end", b"b"))
            self.assertEqual((self.asked, self.lane.holding), ([b"a", b"end"], 0))
            self.assertIn("flowing", self.journal)

    def test_discarded_before_it_answers(self) -> None:
        """A filter that ends its lane and then wants to be waited for isn't."""
        verdict: Deferred[Any] = Deferred()

        def end() -> Any:
            self.lane.discard()
            return verdict

        self.answers[b"end"] = end
        self.lane.feed(frames(b"a", b"end", b"b"))
        self.assert_journal("forward: a", "flowing")
        self.assertTrue(verdict.called)
        self.assertTrue(self.lane.discarding)

    def test_stopped_by_a_late_failure(self) -> None:
        """A filter that fails late may end its lane; the host hears that nothing is held any more, and reads on."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.lane.feed(frames(b"wait", b"a"))
        verdict.errback(ValueError("no"))
        self.assert_journal("blocked, waits for a verdict", "failed: ValueError on message 1", "flowing")
        self.assertTrue(self.lane.discarding)


class GivingWayTests(SlowFilterCase):
    """A lane with much to do lets others have their turn."""

    def test_in_slices(self) -> None:
        """It looks at no more messages in a turn than fit in a slice of time, and goes on in the next one, in order."""
        self.feed(*numbered(200))
        self.assertEqual(self.told(), ["gave way"])
        self.assertLessEqual(len(self.asked), 16)
        self.assertEqual(messages_in(self.forward.stream), self.asked)
        self.assertFalse(self.lane.idle)
        turns = self.turns()
        self.assertLessEqual(max(turns), 6)
        self.assertGreaterEqual(min(turns[:-1]), 4)
        self.assertEqual(self.told(), ["gave way"] * (len(turns) - 1) + ["flowing"])
        self.assertEqual(self.asked, numbered(200))
        self.assertEqual(messages_in(self.forward.stream), numbered(200))
        self.assertTrue(self.lane.idle)

    def test_held(self) -> None:
        """What was held while the lane was stopped is looked at in slices, too, also if it came in many reads."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.feed(b"wait")
        for message in numbered(50):
            self.feed(message)
        self.assertEqual(self.told(), ["blocked, waits for a verdict"])
        verdict.callback(PASS_ON)
        self.assertLessEqual(len(self.asked), 7)
        self.assertEqual(self.told(), ["gave way"])
        self.assertLessEqual(max(self.turns()), 6)
        self.assertEqual(messages_in(self.forward.stream), [b"wait", *numbered(50)])

    def test_clock_set_back(self) -> None:
        """A clock that is set back makes it give way, rather than never again."""
        self.cost = -1.0
        self.feed(*numbered(50))
        self.assertEqual(self.told(), ["gave way"])

    def test_last_message(self) -> None:
        """With nothing left to look at there is nothing to give way for."""
        self.feed(*numbered(16))
        self.assertEqual(self.told(), [])
        self.assertTrue(self.lane.idle)

    def test_received_meanwhile(self) -> None:
        """What comes while it gives way is held, and its connection is paused when more is held than should be."""
        self.feed(*numbered(50))
        self.told()
        large = frames(bytes(100_000))
        for _ in range(MAX_HELD // len(large)):
            self.lane.feed(large)
            self.assertEqual(self.told(), [])
        self.lane.feed(large)
        self.assertEqual(self.told(), ["blocked"])
        self.lane.take_turn()
        self.assertEqual(self.told(), ["gave way", "blocked"])
        self.turns()
        self.assertEqual(self.told()[-1], "flowing")
        self.assertEqual((self.lane.holding, self.lane.messages), (0, 50 + MAX_HELD // len(large) + 1))

    def test_choked(self) -> None:
        """A lane that fills an outlet is choked; it doesn't go on in the next turn."""
        self.forward.on_push = lambda: setattr(self.forward, "full", True)
        self.feed(*numbered(50))
        self.assertEqual((self.told(), self.lane.gave_way), (["blocked"], False))
        judged = len(self.asked)
        self.lane.take_turn()
        self.assertEqual(len(self.asked), judged)
        self.forward.on_push = lambda: None
        self.forward.full = False
        self.lane.unchoke()
        self.turns()
        self.assertEqual(messages_in(self.forward.stream), numbered(50))

    def test_sealed(self) -> None:
        """The end of the stream is behind what came before."""
        self.feed(*numbered(50))
        self.lane.seal()
        self.assertFalse(self.lane.idle)
        self.turns()
        self.assertEqual((self.asked, self.lane.idle), (numbered(50), True))

    def test_discarded(self) -> None:
        """A lane that discards has nothing to do in the next turn."""
        self.feed(*numbered(50))
        judged = list(self.asked)
        self.lane.discard()
        self.assertEqual((self.lane.idle, self.lane.gave_way), (True, False))
        self.lane.take_turn()
        self.assertEqual(self.asked, judged)

    def test_at_work(self) -> None:
        """A lane is at work while its filter is asked, and at no other time."""
        work: list[bool] = []

        def look() -> Any:
            work.append(self.lane.at_work)
            return PASS_ON

        self.answers[b"0"] = look
        self.feed(*numbered(50))
        self.assertEqual((work, self.lane.at_work), ([True], False))


class ReentrancyTests(LaneCase):
    """Calls that come while a lane is at work."""

    def setUp(self) -> None:
        """Start."""
        super().setUp()
        self.start()

    def test_a_filter_that_feeds(self) -> None:
        """What is received while a filter looks at a message comes behind what was received with it."""

        def receive() -> Any:
            self.lane.feed(frames(b"c"))
            return PASS_ON

        self.answers[b"a"] = receive
        self.lane.feed(frames(b"a", b"b"))
        self.assert_journal("forward: a b", "forward: c", "flowing")

    def test_a_filter_that_feeds_and_waits(self) -> None:
        """The same where the filter is waited for then."""
        verdict: Deferred[Any] = Deferred()

        def receive() -> Any:
            self.lane.feed(frames(b"c"))
            return verdict

        self.answers[b"a"] = receive
        self.lane.feed(frames(b"a", b"b"))
        self.assert_journal("blocked, waits for a verdict")
        self.assertEqual(self.lane.holding, 10)
        verdict.callback(PASS_ON)
        self.assert_journal("forward: a", "forward: b", "forward: c", "flowing")

    def test_an_outlet_that_feeds(self) -> None:
        """What is received within a push comes behind all that was received before it, also if that was held."""
        more = [frames(b"d")]

        def receive() -> None:
            if more:
                self.lane.feed(more.pop())

        self.forward.on_push = receive
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.lane.feed(frames(b"wait", b"b"))
        self.lane.feed(frames(b"c"))
        verdict.callback(PASS_ON)
        self.assert_journal(
            "blocked, waits for a verdict", "forward: wait", "forward: b", "forward: c", "forward: d", "flowing"
        )

    def test_an_outlet_that_feeds_before_answers(self) -> None:
        """What comes of a message is pushed before what comes of messages behind it."""
        more = [frames(b"second")]

        def receive() -> None:
            if more:
                self.lane.feed(more.pop())

        self.forward.on_push = receive
        self.answers[b"first"] = PassOnAndSendBack([b"answer"])
        self.lane.feed(frames(b"first"))
        self.assert_journal("forward: first", "back: answer", "forward: second", "flowing")

    def test_a_host_that_feeds(self) -> None:
        """The host may go on reading at once when it hears that nothing is held."""
        more = [frames(b"b")]

        def read_on(event: str) -> None:
            if event == "flowing" and more:
                self.lane.feed(more.pop())

        self.host.on_event = read_on
        verdict: Deferred[Any] = Deferred()
        self.answers[b"wait"] = verdict
        self.lane.feed(frames(b"wait"))
        verdict.callback(PASS_ON)
        self.assert_journal("blocked, waits for a verdict", "forward: wait", "flowing", "forward: b")

    def test_after_an_interruption(self) -> None:
        """What an outlet raises is not the lane's to handle; it goes through, and the lane is no longer at work."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        self.forward.on_push = interrupt
        self.assertRaises(KeyboardInterrupt, self.lane.feed, frames(b"a"))
        self.assertTrue(self.lane.idle)
