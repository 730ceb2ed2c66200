"""Tests of the judge of a lane: each verdict is carried out, whenever it comes, and every failure has its policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import FLUSH_SIZE
from twisted_repeater.codecs import LEFT_OUT
from twisted_repeater.errors import (
    CallbackFailed,
    FilterTimeout,
    ParseError,
    WrongVerdict,
)
from twisted_repeater.model import OnFilterError
from twisted_repeater.selectors import Selector
from twisted_repeater.verdicts import (
    DO_NOTHING,
    PASS_ON,
    Close,
    Mixed,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
)

from ..unprintable import UNPRINTABLE, BrokenVerdict, Mute, Pretender
from .framings import FollowingLines
from .lanes import LARGE, FirstByte, Run, SlowFilterCase, StartedLaneCase, frames, messages_in, numbered

ATTRIBUTES = ("passes", "forward", "back", "closes", "error")
"""What a lane reads of a verdict."""


async def give(verdict: Any) -> Any:
    """Return a verdict as a coroutine does."""
    return verdict


def coroutine_function(verdict: Any) -> Callable[[], Any]:
    """Make a function whose coroutines give a verdict."""
    return lambda: give(verdict)


class CountTests(StartedLaneCase):
    """What a filter finds counted while it is asked."""

    def setUp(self) -> None:
        """Have a filter that looks at the counts."""
        super().setUp()
        self.counts: list[tuple[int, int]] = []
        self.equip(filter=self.look)

    def look(self, message: Any, link: Any) -> Any:
        """Be a filter that notes what is counted."""
        self.counts.append((self.lane.messages, self.lane.size))
        return self.answer(message, link)

    def check(self, *messages: bytes) -> None:
        """Each message must have found itself counted, and none behind it."""
        sizes = [len(frames(*messages[: number + 1])) for number in range(len(messages))]
        self.assertEqual(self.counts, list(enumerate(sizes, 1)))
        self.assertEqual((self.lane.messages, self.lane.size), self.counts[-1])

    def test_one_read(self) -> None:
        """The message that the filter looks at is counted, none that came in the same read behind it is."""
        self.feed(frames(b"a", b"", b"ccc"))
        self.check(b"a", b"", b"ccc")

    def test_verdicts(self) -> None:
        """Whatever is decided about the messages before."""
        self.answers = {b"a": DO_NOTHING, b"b": Send(b"x"), b"c": SendBack([b"y"]), b"d": succeed(PASS_ON)}
        self.feed(frames(b"a", b"b", b"c", b"d", b"e"))
        self.check(b"a", b"b", b"c", b"d", b"e")

    def test_pieces(self) -> None:
        """A message that came in pieces is counted, and none that came with its last piece."""
        self.feed(frames(bytes(LARGE), b"b", b"c"))
        self.check(bytes(LARGE), b"b", b"c")

    def test_byte_by_byte(self) -> None:
        """The same for messages whose headers came in pieces."""
        self.feed(frames(b"a", b"bb", b"c"), size=1)
        self.check(b"a", b"bb", b"c")

    def test_later(self) -> None:
        """Behind a message whose verdict was awaited."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"b"] = verdict
        self.feed(frames(b"a", b"b", b"c"))
        self.assertEqual(self.lane.messages, 2)
        verdict.callback(PASS_ON)
        self.check(b"a", b"b", b"c")

    def test_failure(self) -> None:
        """Behind a message on which the filter failed."""
        self.host.policy = OnFilterError.DROP
        self.answers[b"b"] = ValueError("no")
        self.feed(frames(b"a", b"b", b"c"))
        self.check(b"a", b"b", b"c")

    def test_selected(self) -> None:
        """Messages that the filter does not want are counted with the next that it does."""
        self.equip(selector=FirstByte(b"w"))
        self.feed(frames(b"w", b"xx", b"y", b"w", b"z"))
        self.assertEqual(self.counts, [(1, 5), (4, 21)])
        self.assertEqual((self.lane.messages, self.lane.size), (5, 26))

    def test_decoded(self) -> None:
        """Messages that cannot be decoded are counted as well."""

        def decode(payload: bytes) -> bytes:
            if payload == b"bad":
                raise ParseError("no")
            return payload

        self.equip(decode=decode)
        self.feed(frames(b"a", b"bad", b"c"))
        self.assertEqual(self.counts, [(1, 5), (3, 17)])


class FollowedTests(SynchronousTestCase):
    """A framing that follows its frames."""

    def test_told_before_the_filter(self) -> None:
        """It is told of a frame before the filter sees it, so that what comes next is found in the new state."""
        framing = FollowingLines()

        def see(message: bytes, link: object) -> Any:
            self.assertEqual(framing.followed[-1], message)
            return PASS_ON

        run = Run(framing, filter=see)
        run.feed(b"one\ntwo\nthree\n", 5)
        self.assertEqual(len(framing.followed), 3)
        self.assertEqual(run.host.errors, [])


class VerdictTests(StartedLaneCase):
    """What becomes of a message."""

    def test_each(self) -> None:
        """Each verdict has its effect, between messages that pass."""
        for verdict, forward, back in (
            (PASS_ON, "m", ""),
            (DO_NOTHING, "", ""),
            (Send(b"x"), "x", ""),
            (Send(b"x", b"y"), "x y", ""),
            (SendBack([b"r", b"s"]), "", "r s"),
            (SendBack([]), "", ""),
            (PassOnAndSendBack([b"r", b"s"]), "m", "r s"),
            (Mixed(passes=True, forward=[b"x"], back=[b"r"]), "m x", "r"),
            (Mixed(forward=[b"x"], back=[b"r"]), "x", "r"),
        ):
            for size, prepare in ((65536, lambda verdict: verdict), (1, succeed), (3, coroutine_function)):
                self.setUp()
                self.answers[b"m"] = prepare(verdict)
                self.feed(frames(b"a", b"m", b"b"), size)
                self.assertEqual(self.forward.stream, frames(b"a", *forward.encode().split(), b"b"))
                self.assertEqual(self.back.stream, frames(*back.encode().split()))
                self.assertEqual(self.asked, [b"a", b"m", b"b"])
                self.assertEqual((self.lane.messages, self.lane.size), (3, 15))

    def test_each_on_a_large_message(self) -> None:
        """The same where the message comes in several reads."""
        message = b"m" * LARGE
        for verdict, forward, back in (
            (PASS_ON, [message], []),
            (DO_NOTHING, [], []),
            (Send(b"x"), [b"x"], []),
            (SendBack([b"r"]), [], [b"r"]),
            (PassOnAndSendBack([b"r"]), [message], [b"r"]),
            (Mixed(passes=True, forward=[b"x"]), [message, b"x"], []),
        ):
            for prepare in (lambda verdict: verdict, succeed):
                self.setUp()
                self.answers[message] = prepare(verdict)
                self.feed(frames(b"a", message, b"b"))
                self.assertEqual(self.forward.stream, frames(b"a", *forward, b"b"))
                self.assertEqual(self.back.stream, frames(*back))
                self.assertEqual(self.asked, [b"a", message, b"b"])

    def test_run(self) -> None:
        """Messages that pass one behind the other leave as one slice; a whole read leaves as the object that came."""
        data = frames(b"a", b"b", b"c")
        self.lane.feed(data)
        ((piece,),) = self.forward.pushes
        self.assertIs(piece, data)

    def test_runs_between_others(self) -> None:
        """Several things come of one read: one push, a piece for each run and each message of the filter's own."""
        self.answers |= {b"drop": DO_NOTHING, b"swap": Send(b"own"), b"reply": PassOnAndSendBack([b"r"])}
        self.lane.feed(frames(b"a", b"b", b"drop", b"c", b"swap", b"d", b"e", b"reply", b"f"))
        self.assertEqual(
            [list(map(messages_in, pieces)) for pieces in self.forward.pushes],
            [[[b"a", b"b"], [b"c"], [b"own"], [b"d", b"e", b"reply"], [b"f"]]],
        )
        self.assert_journal("forward: a b c own d e reply f", "back: r")

    def test_forward_before_back(self) -> None:
        """B has what A sent before A has the answer to it."""
        self.answers[b"m"] = PassOnAndSendBack([b"r"])
        self.lane.feed(frames(b"m"))
        self.assert_journal("forward: m", "back: r")

    def test_large_then_small(self) -> None:
        """A large message that passes leaves together with the run behind it."""
        data = frames(bytes(LARGE), b"a", b"b")
        self.feed(data)
        (pieces,) = self.forward.pushes
        self.assertEqual([len(piece) for piece in pieces], [65536, 65536, 65536, len(data) - 3 * 65536])

    def test_close(self) -> None:
        """What is before it goes out, then its own messages, then the host is asked; what is behind it is dropped."""
        why = ValueError("enough")
        for size, pushes in ((65536, ["forward: a bye"]), (1, ["forward: a", "forward: bye"])):
            self.setUp()
            self.answers[b"m"] = Close(why, forward=[b"bye"], back=[b"sorry"])
            self.feed(frames(b"a", b"m", b"b"), size)
            self.assert_journal(*pushes, "back: sorry", "closes", "flowing")
            self.assertEqual((self.host.errors, self.lane.discarding), ([why], True))

    def test_what_cannot_be_encoded(self) -> None:
        """A message that the outlet cannot encode is not sent; what is around it is."""
        self.answers[b"m"] = Send(b"x", 5, b"y")
        self.answers[b"n"] = SendBack(["text"])
        self.lane.feed(frames(b"a", b"m", b"n", b"b"))
        self.assert_journal("forward: cannot encode 5", "back: cannot encode 'text'", "forward: a x y b")

    def test_much_of_its_own(self) -> None:
        """What a filter makes of one read is pushed in parts, and stops when the outlet is full."""
        size = FLUSH_SIZE // 4
        self.answers[b"m"] = Send(bytes(size))
        self.forward.on_push = lambda: setattr(self.forward, "full", len(self.forward.pushes) == 2)
        self.lane.feed(frames(*[b"m"] * 20))
        self.assertEqual([len(pieces) for pieces in self.forward.pushes], [4, 4])
        self.assertEqual((len(self.asked), self.lane.holding), (8, 12 * 5))
        self.assertEqual(self.journal.pop(), "blocked")
        self.forward.full = False
        self.lane.unchoke()
        self.assertEqual([len(pieces) for pieces in self.forward.pushes], [4, 4, 4, 4, 4])

    def test_many_answers(self) -> None:
        """So it is with answers."""
        self.answers[b"m"] = SendBack([bytes(FLUSH_SIZE)])
        self.back.on_push = lambda: setattr(self.back, "full", True)
        self.lane.feed(frames(b"m", b"b"))
        self.assertEqual((len(self.asked), self.lane.holding, self.journal[-1]), (1, 5, "blocked"))

    def test_much_of_its_own_within_a_large_message(self) -> None:
        """The same where that comes of a message that came in several reads: what is behind it waits."""
        message = b"m" * LARGE
        self.answers[message] = Send(bytes(FLUSH_SIZE))
        self.forward.on_push = lambda: setattr(self.forward, "full", True)
        self.feed(frames(message, b"b"))
        self.assertEqual(self.forward.stream, frames(bytes(FLUSH_SIZE)))
        self.assertEqual((self.lane.holding, self.journal[-1]), (5, "blocked"))


class BadFrameTests(StartedLaneCase):
    """A stream that breaks off."""

    def test_bad_frame(self) -> None:
        """What comes before a bad frame is looked at and goes out."""
        self.answers[b"m"] = Send(b"x")
        self.lane.feed(frames(b"a", b"m", b"b") + b"\xff\xff\xff\xff" + frames(b"c"))
        self.assertEqual(self.journal[0], "forward: a x b")
        self.assertTrue(self.journal[1].startswith("framing failed"))
        self.assertEqual((self.asked, self.lane.messages, self.lane.size), ([b"a", b"m", b"b"], 3, 15))
        self.lane.feed(frames(b"d"))
        self.assertEqual(self.forward.stream, frames(b"a", b"x", b"b"))


class LaterTests(StartedLaneCase):
    """Verdicts that come later."""

    def later(self, message: bytes) -> Deferred[Any]:
        """Have the verdict on a message come later; give what it comes with."""
        verdict: Deferred[Any] = Deferred()
        self.answers[message] = lambda: verdict
        return verdict

    def test_each(self) -> None:
        """Each verdict has the effect that it has at once."""
        for message in (b"m", b"m" * LARGE):
            for verdict, forward, back in (
                (PASS_ON, [message], []),
                (DO_NOTHING, [], []),
                (Send(b"x", b"y"), [b"x", b"y"], []),
                (SendBack([b"r"]), [], [b"r"]),
                (PassOnAndSendBack([b"r"]), [message], [b"r"]),
                (Mixed(passes=True, forward=[b"x"], back=[b"r"]), [message, b"x"], [b"r"]),
            ):
                self.setUp()
                deferred = self.later(message)
                self.feed(frames(b"a", message, b"b"))
                self.assertEqual(self.forward.stream, frames(b"a"))
                deferred.callback(verdict)
                self.assertEqual(self.forward.stream, frames(b"a", *forward, b"b"))
                self.assertEqual(self.back.stream, frames(*back))
                self.assertEqual((self.lane.awaited, self.lane.idle), (None, True))

    def test_close(self) -> None:
        """A verdict that closes does so when it comes."""
        deferred = self.later(b"m")
        self.lane.feed(frames(b"a", b"m", b"b"))
        deferred.callback(Close(back=[b"sorry"]))
        self.assert_journal("forward: a", "blocked, waits for a verdict", "back: sorry", "closes", "flowing")

    def test_coroutine(self) -> None:
        """A coroutine may wait for what it likes before it gives its verdict."""
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()

        async def decide() -> Verdict:
            await first
            await second
            return Send(b"x")

        self.answers[b"m"] = decide
        self.lane.feed(frames(b"m", b"b"))
        first.callback(None)
        self.assertEqual(self.forward.stream, b"")
        second.callback(None)
        self.assertEqual(self.forward.stream, frames(b"x", b"b"))

    def test_full_then(self) -> None:
        """A verdict may come to a full outlet."""
        deferred = self.later(b"m")
        self.lane.feed(frames(b"m", b"b"))
        self.forward.full = True
        deferred.callback(PASS_ON)
        self.assert_journal("blocked, waits for a verdict", "forward: m", "blocked")
        self.forward.full = False
        self.lane.unchoke()
        self.assert_journal("forward: b", "flowing")

    def test_one_deferred_for_several(self) -> None:
        """A filter may give the same Deferred for several messages, before and after it has fired."""
        ready: Deferred[Any] = Deferred()
        self.answers |= {b"m": ready, b"n": ready}
        self.lane.feed(frames(b"m", b"n"))
        ready.callback(PASS_ON)
        self.assertEqual(self.forward.stream, frames(b"m", b"n"))

    def test_too_late(self) -> None:
        """A verdict on a message that isn't waited for any more has no effect."""
        verdict: Deferred[Any] = Deferred(lambda cancelled: cancelled.callback(Send(b"x")))
        self.answers[b"m"] = verdict
        self.lane.feed(frames(b"m", b"b"))
        self.lane.discard()
        self.assertTrue(verdict.called)
        self.assert_journal("blocked, waits for a verdict")

    def test_ended_before_it_answers(self) -> None:
        """A filter that brings about the end of its lane isn't waited for."""
        verdict: Deferred[Any] = Deferred()

        def end() -> Any:
            self.lane.discard()
            return verdict

        self.answers[b"m"] = end
        self.lane.feed(frames(b"a", b"m", b"b"))
        self.assertTrue(verdict.called)
        self.assert_journal("forward: a", "flowing")


class FailureTests(StartedLaneCase):
    """Filters that fail."""

    def fail_in_each_way(self) -> Iterator[type[BaseException]]:
        """Set up a lane whose filter fails on ``m``, in each way that there is; give the reason's type."""

        def broken() -> Any:
            raise ValueError("no")

        def leaving() -> Any:
            raise SystemExit(1)

        async def broken_later() -> Any:
            raise ValueError("no")

        for answer, reason in (
            (broken, ValueError),
            (leaving, SystemExit),
            (broken_later, ValueError),
            (lambda: fail(ValueError("no")), ValueError),
            (lambda: fail(SystemExit(1)), SystemExit),
            (lambda: None, WrongVerdict),
            (lambda: b"m", WrongVerdict),
            (lambda: PassOnAndSendBack, WrongVerdict),
            (lambda: succeed(None), WrongVerdict),
            (lambda: give("PASS_ON"), WrongVerdict),
            *self.unprintable_ways(),
        ):
            for size in (65536, 1):
                policy = self.host.policy
                self.setUp()
                self.host.policy = policy
                self.answers[b"m"] = answer
                self.feed(frames(b"a", b"m", b"b"), size)
                yield reason

    def unprintable_ways(self) -> Iterator[tuple[Callable[[], Any], type[BaseException]]]:
        """Return the ways to fail that cannot be printed, or with an unreadable verdict; and the reason's type."""

        def broken(kind: type[BaseException]) -> Any:
            raise kind

        for kind in UNPRINTABLE:
            yield partial(broken, kind), kind
            yield partial(fail, kind()), kind
        for attribute in ATTRIBUTES:
            yield partial(BrokenVerdict, attribute), Mute
            yield (lambda attribute=attribute: succeed(BrokenVerdict(attribute))), Mute  # type: ignore[misc]
        yield Pretender, Mute
        yield (lambda: fail("no exception")), WrongVerdict  # type: ignore[arg-type]

    def test_stop(self) -> None:
        """By default receiving stops, behind the message before."""
        for reason in self.fail_in_each_way():
            self.assertEqual(self.forward.stream, frames(b"a"))
            self.assertIn(f"failed: {reason.__name__} on message 2", self.journal)
            self.assertEqual(self.journal[-1], "flowing")
            self.assertTrue(self.lane.discarding)

    def test_pass_on(self) -> None:
        """Or the message passes, untouched."""
        self.host.policy = OnFilterError.PASS_ON
        for _ in self.fail_in_each_way():
            self.assertEqual(self.forward.stream, frames(b"a", b"m", b"b"))
            self.assertEqual(len(self.host.errors), 1)

    def test_drop(self) -> None:
        """Or it is dropped, and the next is looked at."""
        self.host.policy = OnFilterError.DROP
        for _ in self.fail_in_each_way():
            self.assertEqual(self.forward.stream, frames(b"a", b"b"))
            self.assertEqual(len(self.host.errors), 1)

    def test_close(self) -> None:
        """Or the link is closed, for that reason."""
        self.host.policy = OnFilterError.CLOSE
        for reason in self.fail_in_each_way():
            self.assertEqual(self.forward.stream, frames(b"a"))
            failure, closed = self.host.errors
            self.assertIs(failure, closed)
            assert isinstance(failure, CallbackFailed)
            self.assertIsInstance(failure.reason, reason)
            self.assertTrue(self.lane.discarding)

    def test_later(self) -> None:
        """A filter may fail later, in the same ways."""
        for policy, passed in (
            (OnFilterError.STOP, []),
            (OnFilterError.PASS_ON, [b"m", b"b"]),
            (OnFilterError.DROP, [b"b"]),
            (OnFilterError.CLOSE, []),
        ):
            for failed in (
                lambda verdict: verdict.errback(ValueError("no")),
                lambda verdict: verdict.errback(SystemExit(1)),
                lambda verdict: verdict.callback(None),
                lambda verdict: verdict.callback(BrokenVerdict("closes")),
                lambda verdict: verdict.errback(Mute()),
                lambda verdict: verdict.errback("no exception"),
                lambda verdict: verdict.cancel(),
                lambda _: self.lane.give_up_waiting(FilterTimeout("no verdict")),
            ):
                self.setUp()
                self.host.policy = policy
                verdict: Deferred[Any] = Deferred()
                self.answers[b"m"] = verdict
                self.lane.feed(frames(b"a", b"m", b"b"))
                failed(verdict)
                self.assertEqual(self.forward.stream, frames(b"a", *passed))
                self.assertEqual(self.journal[-1], "flowing")

    def test_what_is_told(self) -> None:
        """The failure names the filter and the message, and carries the exception with its traceback."""
        error = ValueError("no")
        self.answers[b"m"] = error
        self.lane.feed(frames(b"a", b"b", b"m"))
        (failure,) = self.host.errors
        assert isinstance(failure, CallbackFailed)
        self.assertEqual((failure.callback, failure.number), (f"filter {type(self).__name__}.answer", 3))
        self.assertIs(failure.reason, error)
        self.assertIs(failure.__cause__, error)
        self.assertIsNot(error.__traceback__, None)

    def test_nameless_filter(self) -> None:
        """A filter without a name is told by its looks."""

        class Nameless:
            def __repr__(self) -> str:
                return "<nameless>"

            def __call__(self, message: Any, link: Any) -> Any:
                return None

        self.equip(filter=Nameless())
        self.lane.feed(frames(b"a"))
        self.assertIn("filter <nameless>", str(self.host.errors[0]))
        self.assertIn("must return a verdict, not None", str(self.host.errors[0]))

    def test_filter_without_a_usable_name(self) -> None:
        """A filter whose name cannot be asked for fails like any other."""

        class Hidden:
            def __getattr__(self, name: str) -> Any:
                raise Mute

            def __call__(self, message: Any, link: Any) -> Any:
                return None

        self.equip(filter=Hidden())
        self.lane.feed(frames(b"a"))
        self.assertIn("filter <Mute raised by its __qualname__> failed on message 1", str(self.host.errors[0]))

    def test_interrupted(self) -> None:
        """Ctrl-C is no failure of the filter: it goes through, and nothing follows the messages that are lost by it."""

        def interrupted() -> Any:
            raise KeyboardInterrupt

        async def interrupted_coroutine() -> Any:
            raise KeyboardInterrupt

        for size, answer in ((65536, interrupted), (3, interrupted), (65536, interrupted_coroutine)):
            self.setUp()
            self.answers[b"m"] = answer
            self.assertRaises(KeyboardInterrupt, self.feed, frames(b"a", b"m", b"b"), size)
            self.assertEqual(self.host.errors, [])
            self.lane.feed(frames(b"c"))
            self.assertTrue(self.lane.discarding)
            self.assertNotIn(b"c", self.asked)

    def test_interrupted_reading_a_verdict(self) -> None:
        """So it is while a verdict is read, but not where it came later: the Deferred would keep it."""

        class Interrupted(Verdict):
            @property
            def passes(self) -> Any:  # type: ignore[override]
                raise KeyboardInterrupt

        self.answers[b"m"] = Interrupted
        self.assertRaises(KeyboardInterrupt, self.lane.feed, frames(b"m"))
        self.setUp()
        self.host.policy = OnFilterError.PASS_ON
        verdict: Deferred[Any] = Deferred()
        self.answers[b"m"] = verdict
        self.lane.feed(frames(b"m", b"b"))
        verdict.callback(Interrupted())
        self.assertEqual(self.forward.stream, frames(b"m", b"b"))

    def test_verdicts_of_ones_own(self) -> None:
        """A verdict of a class of one's own is obeyed; each of its attributes is read once."""
        read: list[str] = []

        class Own(Verdict):
            passes = True
            back = (b"reply",)

            def __getattribute__(self, name: str) -> Any:
                if name in ATTRIBUTES:
                    read.append(name)
                return super().__getattribute__(name)

        for answer in (Own, lambda: succeed(Own())):
            self.setUp()
            read.clear()
            self.answers[b"m"] = answer
            self.lane.feed(frames(b"a", b"m", b"b"))
            self.assertEqual(self.forward.stream, frames(b"a", b"m", b"b"))
            self.assertEqual(self.back.stream, frames(b"reply"))
            self.assertEqual(sorted(read), sorted(ATTRIBUTES))

    def test_large_wrong_verdict(self) -> None:
        """What is no verdict is told in short."""
        self.answers[b"m"] = lambda: [bytes(100_000)] * 100
        self.lane.feed(frames(b"m"))
        self.assertLess(len(str(self.host.errors[0])), 400)


class InterjectionTests(StartedLaneCase):
    """What the application sends from within a filter, beside the verdict."""

    def sending(self, verdict: Any, *messages: bytes) -> Callable[[], Any]:
        """Make an answer that sends these messages forward before it gives a verdict."""

        def answer() -> Any:
            for message in messages:
                self.assertTrue(self.send_between(message))
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        return answer

    def test_between(self) -> None:
        """It goes out behind the messages before, and before what becomes of the one that is looked at."""
        self.host.policy = OnFilterError.DROP
        for message in (b"m", b"m" * LARGE):
            for verdict, forward in (
                (PASS_ON, [message]),
                (DO_NOTHING, []),
                (Send(b"y"), [b"y"]),
                (PassOnAndSendBack([b"r"]), [message]),
                (succeed(PASS_ON), [message]),
                (ValueError("no"), []),
                (5, []),
            ):
                for size in (65536, 7):
                    self.setUp()
                    self.host.policy = OnFilterError.DROP
                    self.answers[message] = self.sending(verdict, b"x1", b"x2")
                    self.feed(frames(b"a", b"b", message, b"c", b"d"), size)
                    self.assertEqual(self.forward.stream, frames(b"a", b"b", b"x1", b"x2", *forward, b"c", b"d"))
                    self.assertEqual(self.asked, [b"a", b"b", message, b"c", b"d"])

    def test_runs_go_on(self) -> None:
        """Behind it messages leave in runs again."""
        self.answers[b"m"] = self.sending(PASS_ON, b"x")
        self.lane.feed(frames(b"a", b"b", b"m", b"c", b"d"))
        self.assertEqual(list(map(messages_in, self.forward.pushes[0])), [[b"a", b"b"], [b"x"], [b"m", b"c", b"d"]])

    def test_back(self) -> None:
        """The same on the way back, between the answers to other messages."""
        self.answers[b"q"] = SendBack([b"r"])
        self.answers[b"m"] = lambda: PASS_ON if self.send_between(b"x", self.back) else None
        self.lane.feed(frames(b"q", b"m", b"q"))
        self.assert_journal("forward: m", "back: r x r")

    def test_waiting(self) -> None:
        """Before a verdict that comes later; while that is waited for, the lane isn't at work."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"m"] = self.sending(verdict, b"x")
        self.lane.feed(frames(b"a", b"m", b"b"))
        self.assert_journal("forward: a x", "blocked, waits for a verdict")
        self.assertFalse(self.send_between(b"y"))
        verdict.callback(PASS_ON)
        self.assert_journal("forward: m", "forward: b", "flowing")

    def test_from_a_report(self) -> None:
        """It may be sent where the application hears of an error: a message that failed, or cannot be encoded."""
        self.host.policy = OnFilterError.DROP
        self.host.on_event = lambda event: self.send_between(b"x")
        self.forward.on_refusal = lambda: self.send_between(b"y")
        self.answers |= {b"m": ValueError("no"), b"n": Send(5)}
        self.lane.feed(frames(b"a", b"m", b"b", b"n", b"c"))
        self.assertEqual(self.forward.stream, frames(b"a", b"x", b"b", b"y", b"c"))
        self.host.on_event = lambda event: self.send_between(b"bye")
        self.lane.feed(frames(b"d") + b"\xff\xff\xff\xff")
        self.assertEqual(self.forward.stream, frames(b"a", b"x", b"b", b"y", b"c", b"d", b"bye"))

    def test_before_the_end(self) -> None:
        """What is sent because a last message cannot be encoded goes out before the link is closed."""
        self.answers[b"m"] = Close(forward=[5], back=[b"r"])
        self.forward.on_refusal = lambda: self.send_between(b"y")
        self.lane.feed(frames(b"m"))
        self.assert_journal("forward: cannot encode 5", "forward: y", "back: r", "closes", "flowing")

    def test_much(self) -> None:
        """Much of it is pushed in parts, and stops the lane when the outlet is full."""
        self.answers[b"m"] = self.sending(PASS_ON, bytes(FLUSH_SIZE // 2))
        self.forward.on_push = lambda: setattr(self.forward, "full", True)
        self.lane.feed(frames(*[b"m"] * 9))
        self.assertEqual(len(self.asked), 2)
        self.assertEqual((self.journal[-1], self.lane.holding), ("blocked", 7 * 5))
        self.assertEqual(self.forward.stream, frames(bytes(FLUSH_SIZE // 2), b"m", bytes(FLUSH_SIZE // 2), b"m"))


class DecodingTests(StartedLaneCase):
    """Messages that a codec makes of payloads."""

    def setUp(self) -> None:
        """Have a codec of numbers, in which there is no zero."""
        super().setUp()
        self.equip(decode=self.decode)
        self.decoded: list[bytes] = []

    def decode(self, payload: bytes) -> Any:
        """Make a number of a payload."""
        self.decoded.append(payload)
        if payload == b"?":
            raise ParseError("what is this", offset=0)
        if payload == b"!":
            raise ParseError("nothing is right after this", ends_link=True)
        return LEFT_OUT if payload == b"0" else int(payload)

    def test_messages(self) -> None:
        """The filter sees messages; what it passes is the bytes that came."""
        self.answers[2] = DO_NOTHING
        data = frames(b"1", b"2", b"03")
        self.feed(data, 4)
        self.assertEqual(self.asked, [1, 2, 3])
        self.assertEqual(self.forward.stream, frames(b"1", b"03"))

    def test_when_it_is_looked_at(self) -> None:
        """A message that cannot be decoded when a filter looks at it is its sender's fault, not the filter's."""
        error = ParseError("nothing is right after this", ends_link=True)

        def broken() -> Any:
            raise error

        self.host.policy = OnFilterError.PASS_ON
        for answer in (broken, lambda: fail(error)):
            self.setUp()
            self.answers[2] = answer
            self.feed(frames(b"1", b"2", b"3"), 4)
            self.assertEqual(self.forward.stream, frames(b"1"))
            self.assertEqual(self.host.errors, [error, error])
            self.assertIn("parse error: nothing is right after this", self.journal)
            self.assertIn("closes", self.journal)

    def test_no_filter(self) -> None:
        """Where nobody looks nothing is decoded."""
        self.equip(filter=None)
        self.lane.feed(frames(b"1", b"?"))
        self.assertEqual((self.forward.stream, self.decoded), (frames(b"1", b"?"), []))

    def test_filter_taken_away(self) -> None:
        """A filter that is taken away while a read is looked at is asked about the rest of the read, and no more."""

        def leave() -> Verdict:
            self.equip(filter=None)
            return PASS_ON

        self.answers[1] = leave
        self.lane.feed(frames(b"1", b"2"))
        self.lane.feed(frames(b"3"))
        self.assertEqual((self.asked, self.forward.stream), ([1, 2], frames(b"1", b"2", b"3")))

    def test_replaced_twice(self) -> None:
        """A filter that replaces itself, and is replaced again before the next read, leaves the last one in place."""
        setup = self.lane.setup

        def leave() -> Verdict:
            self.equip(filter=None)
            return PASS_ON

        self.answers[1] = leave
        self.lane.feed(frames(b"1"))
        self.lane.equip(setup)
        self.lane.feed(frames(b"2"))
        self.assertEqual(self.asked, [1, 2])

    def test_parse_error(self) -> None:
        """A payload that is no message is told, and dropped; the next is looked at."""
        for size in (65536, 3):
            self.setUp()
            self.feed(frames(b"1", b"?", b"2"), size)
            self.assertEqual((self.asked, self.forward.stream), ([1, 2], frames(b"1", b"2")))
            self.assertEqual(len(self.host.errors), 1)

    def test_parse_error_that_closes(self) -> None:
        """A parse error may say that the link must close: nothing after the payload is looked at."""
        self.lane.feed(frames(b"1", b"!", b"2"))
        told, closed = self.host.errors
        self.assertIs(told, closed)
        self.assertEqual((self.asked, self.forward.stream), ([1], frames(b"1")))

    def test_other_errors(self) -> None:
        """Whatever else a codec raises is a parse error, too; what it was is told."""
        self.lane.feed(frames(b"1", b"one", b"2"))
        (error,) = self.host.errors
        assert isinstance(error, ParseError)
        self.assertIn("ValueError in the codec: invalid literal", str(error))
        self.assertIsInstance(error.__cause__, ValueError)
        self.assertEqual(self.forward.stream, frames(b"1", b"2"))

    def test_unprintable_errors(self) -> None:
        """It may be no ``Exception``, and one that cannot be printed."""
        for kind in [*UNPRINTABLE, SystemExit]:
            for size in (65536, 3):
                self.setUp()

                def decode(payload: bytes, kind: type[BaseException] = kind) -> Any:
                    if payload == b"m":
                        raise kind
                    return payload

                self.equip(decode=decode)
                self.feed(frames(b"1", b"m", b"2"), size)
                (error,) = self.host.errors
                assert isinstance(error, ParseError)
                self.assertIn(f"{kind.__name__} in the codec: ", str(error))
                self.assertEqual(self.forward.stream, frames(b"1", b"2"))

    def test_interrupted(self) -> None:
        """Ctrl-C in a codec goes through."""

        def decode(payload: bytes) -> Any:
            raise KeyboardInterrupt

        self.equip(decode=decode)
        self.assertRaises(KeyboardInterrupt, self.lane.feed, frames(b"1"))

    def test_left_out(self) -> None:
        """A message that doesn't exist in the filter's version is dropped, unseen."""
        self.lane.feed(frames(b"1", b"0", b"2"))
        self.assertEqual((self.asked, self.forward.stream, self.host.errors), ([1, 2], frames(b"1", b"2"), []))


class TranslationTests(StartedLaneCase):
    """Messages that the target gets in another version."""

    def setUp(self) -> None:
        """Have a version of capitals on one side only."""
        super().setUp()
        self.equip(decode=bytes.upper)
        self.equip(versions=(1, 2))

    def test_no_filter(self) -> None:
        """Every message is decoded and encoded, in the frame that it came in."""
        self.equip(filter=None)
        self.feed(frames(b"a", b"b"), 4)
        self.assertEqual(self.forward.stream, frames(b"A", b"B"))
        self.assertEqual(self.forward.replaced, [frames(b"a"), frames(b"b")])

    def test_bytes_to_another_header(self) -> None:
        """A message that is its payload can be translated as well."""
        self.equip(decode=None)
        self.lane.feed(frames(b"a"))
        self.assertEqual((self.forward.stream, self.forward.replaced), (frames(b"a"), [frames(b"a")]))

    def test_each_verdict(self) -> None:
        """Each verdict has its effect; what passes is translated, what is sent is not put in place of a frame."""
        for verdict, forward, back in (
            (PASS_ON, [b"M"], []),
            (DO_NOTHING, [], []),
            (Send(b"x"), [b"x"], []),
            (SendBack([b"r"]), [], [b"r"]),
            (PassOnAndSendBack([b"r"]), [b"M"], [b"r"]),
            (Mixed(passes=True, forward=[b"x"], back=[b"r"]), [b"M", b"x"], [b"r"]),
            (Close(forward=[b"x"]), [b"x"], []),
        ):
            for size in (65536, 1):
                for later in (False, True):
                    self.setUp()
                    deferred: Deferred[Any] = Deferred()
                    self.answers[b"M"] = deferred if later else verdict
                    self.feed(frames(b"m"), size)
                    if later:
                        deferred.callback(verdict)
                    self.assertEqual((self.forward.stream, self.back.stream), (frames(*forward), frames(*back)))
                    self.assertEqual(self.forward.replaced, [frames(b"m")] if verdict.passes else [])

    def test_parse_error(self) -> None:
        """What cannot be decoded cannot be translated."""
        self.equip(filter=None)

        def refuse(payload: bytes) -> Any:
            raise ParseError("what is this")

        self.equip(decode=refuse)
        self.feed(frames(b"a"), 65536)
        self.feed(frames(b"a"), 1)
        self.assert_journal("parse error: what is this", "parse error: what is this")

    def test_left_out(self) -> None:
        """What the target's version lacks is left out."""
        self.equip(decode=lambda payload: LEFT_OUT if payload == b"old" else payload)
        self.lane.feed(frames(b"a", b"old", b"b"))
        self.assertEqual(self.forward.stream, frames(b"a", b"b"))

    def test_failing_filter(self) -> None:
        """A message that passes because its filter failed is translated, too."""
        self.host.policy = OnFilterError.PASS_ON
        self.answers[b"M"] = ValueError("no")
        for size in (65536, 1):
            self.feed(frames(b"m", b"n"), size)
        self.assertEqual(self.forward.stream, frames(b"M", b"N", b"M", b"N"))

    def test_selected(self) -> None:
        """What the filter doesn't want to see is translated all the same."""
        self.equip(selector=FirstByte(b"w"))
        for size in (65536, 1):
            self.feed(frames(b"want", b"other"), size)
        self.assertEqual((self.asked, self.forward.stream), ([b"WANT"] * 2, frames(b"WANT", b"OTHER") * 2))


class SelectorTests(StartedLaneCase):
    """A filter that wants to see some messages only."""

    def setUp(self) -> None:
        """Have a selector."""
        super().setUp()
        self.selector = FirstByte(b"w")
        self.equip(selector=self.selector)

    def test_selected(self) -> None:
        """The filter sees what it wants; the rest passes in the same runs."""
        data = frames(b"a", b"wb", b"", b"wc", b"d")
        self.lane.feed(data)
        self.assertEqual((self.asked, self.selector.asked), ([b"wb", b"wc"], 5))
        ((piece,),) = self.forward.pushes
        self.assertIs(piece, data)
        self.assertEqual(self.lane.messages, 5)

    def test_not_decoded(self) -> None:
        """What isn't wanted isn't decoded, also when it comes in several reads."""
        self.equip(decode=lambda payload: int(payload[1:]))
        for size in (65536, 3):
            self.feed(frames(b"a", b"w5", b"b"), size)
        self.assertEqual((self.asked, self.host.errors), ([5, 5], []))
        self.assertEqual(self.forward.stream, frames(b"a", b"w5", b"b") * 2)

    def test_large(self) -> None:
        """A large message is looked at when it is whole."""
        self.feed(frames(b"x" * LARGE, b"w" * LARGE))
        self.assertEqual(self.asked, [b"w" * LARGE])
        self.assertEqual(len(messages_in(self.forward.stream)), 2)

    def test_failing(self) -> None:
        """A selector that raises is a filter that fails."""

        class Broken(Selector):
            def matches(self, data: bytes, start: int, stop: int) -> bool:
                raise ValueError("no")

        self.host.policy = OnFilterError.PASS_ON
        self.equip(selector=Broken())
        for size in (65536, 3):
            self.feed(frames(b"a", b"b"), size)
        self.assertEqual(len(self.host.errors), 4)
        self.assertEqual(self.forward.stream, frames(b"a", b"b") * 2)


class DecisionTests(StartedLaneCase):
    """What a hook is told of decisions."""

    def setUp(self) -> None:
        """Have a hook."""
        super().setUp()
        self.told: list[tuple[Any, Verdict | None, bool]] = []
        self.equip(on_decision=self.decided)

    def decided(self, lane: Lane, message: Any, verdict: Verdict | None, by_filter: bool) -> None:
        """Note what is told."""
        self.assertIs(lane, self.lane)
        self.told.append((message, verdict, by_filter))

    def test_each(self) -> None:
        """Each message is told with its verdict, however it comes; everything goes the way it goes unwatched."""
        send = Send(b"x")
        self.answers |= {b"b": DO_NOTHING, b"c": send}
        for size in (65536, 3):
            self.told.clear()
            self.feed(frames(b"a", b"b", b"c"), size)
            self.assertEqual(self.told, [(b"a", PASS_ON, True), (b"b", DO_NOTHING, True), (b"c", send, True)])
        self.assertEqual(self.forward.stream, frames(b"a", b"x") * 2)

    def test_later(self) -> None:
        """A verdict that comes later is told twice: that it is awaited, and when it is there."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"m"] = verdict
        self.feed(frames(b"m"))
        self.assertEqual(self.told, [(b"m", None, True)])
        verdict.callback(DO_NOTHING)
        self.assertEqual(self.told[1:], [(b"m", DO_NOTHING, True)])

    def test_not_by_the_filter(self) -> None:
        """Messages that no filter decided about are told as well, and that none did."""
        self.host.policy = OnFilterError.DROP
        self.answers[b"wa"] = ValueError("no")
        self.equip(selector=FirstByte(b"w"))
        self.feed(frames(b"wa", b"b"))
        self.equip(filter=None)
        self.feed(frames(b"wc"))
        self.assertEqual(self.told, [(b"wa", DO_NOTHING, False), (b"b", PASS_ON, False), (b"wc", PASS_ON, False)])

    def test_decoded(self) -> None:
        """The message is told as the filter saw it, and as it came where it was not decoded."""

        def decode(payload: bytes) -> Any:
            return LEFT_OUT if payload == b"0" else int(payload)

        self.equip(decode=decode)
        self.feed(frames(b"1", b"x", b"0"))
        self.assertEqual(self.told, [(1, PASS_ON, True), (b"x", DO_NOTHING, False), (b"0", DO_NOTHING, False)])
        self.equip(filter=None)
        self.feed(frames(b"x"))
        self.assertEqual((self.told[3:], self.forward.stream), ([(b"x", PASS_ON, False)], frames(b"1", b"x")))


class SlowTests(SlowFilterCase):
    """Verdicts while the lane gives way."""

    def test_answered(self) -> None:
        """Whatever the verdicts are."""
        for verdict in (DO_NOTHING, SendBack([b"no"]), Send(b"other")):
            self.setUp()
            self.answers = dict.fromkeys(numbered(50), verdict)
            self.feed(*numbered(50))
            self.assertLessEqual(len(self.asked), 16)
            self.assertLessEqual(max(self.turns()), 6)
            self.assertEqual(self.asked, numbered(50))

    def test_wait_after_it(self) -> None:
        """A verdict may have to be waited for in a later turn."""
        verdict: Deferred[Any] = Deferred()
        self.answers[b"30"] = verdict
        self.feed(*numbered(50))
        self.turns()
        self.assertEqual(self.told()[-2:], ["gave way", "blocked, waits for a verdict"])
        verdict.callback(PASS_ON)
        self.turns()
        self.assertEqual(messages_in(self.forward.stream), numbered(50))

    def test_nothing_to_give_up(self) -> None:
        """While no verdict is awaited, giving up changes nothing."""
        self.lane.give_up_waiting(FilterTimeout("no verdict"))
        self.feed(b"a")
        self.assert_journal("forward: a")
