"""Tests of `Shadow`."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DO_NOTHING, PASS_ON, CallbackFailed, Send, SendBack, Verdict, WrongVerdict
from twisted_repeater._text import Unprintable
from twisted_repeater.codecs import RawCodec
from twisted_repeater.filters import Shadow, chain, selector_of, wants
from twisted_repeater.selectors import first_byte
from twisted_repeater.testing import FilterHarness

from ..unprintable import Mute
from .successors import Also, Kept


def strict(message: bytes, link: Any) -> Verdict:
    """Refuse what begins with an x."""
    return SendBack([b"no"]) if message.startswith(b"x") else PASS_ON


async def strict_later(message: bytes, link: Any) -> Verdict:
    """Do the same in a coroutine."""
    return strict(message, link)


def fails(message: bytes, link: Any) -> Verdict:
    """Raise."""
    raise LookupError(message)


def drop(message: bytes, link: Any) -> Verdict:
    """Let nothing pass."""
    return DO_NOTHING


def nothing(message: bytes, link: Any) -> None:
    """Return no verdict."""


class ShadowTests(SynchronousTestCase):
    """A candidate is asked, and not obeyed."""

    def check(self, shadow: Shadow, **numbers: int) -> None:
        """Check the numbers; those not given are 0."""
        names = ("agreed", "differed", "failed", "skipped", "waiting")
        self.assertEqual({name: getattr(shadow, name) for name in names}, dict.fromkeys(names, 0) | numbers)

    def test_passes_on(self) -> None:
        """Without another filter all passes on, and the verdicts are compared with that."""
        for candidate in (strict, strict_later):
            shadow = Shadow(candidate)
            FilterHarness(shadow).client_sends(b"a", b"x", b"b").expect(to_server=[b"a", b"x", b"b"])
            self.check(shadow, agreed=2, differed=1)

    def test_live(self) -> None:
        """The other filter is obeyed; verdicts are the same if they do the same."""
        for live in (strict, strict_later):
            for candidate in (strict, strict_later):
                shadow = Shadow(candidate, live)
                FilterHarness(shadow).client_sends(b"a", b"x").expect(to_server=[b"a"], to_client=[b"no"])
                self.check(shadow, agreed=2)
        shadow = Shadow(strict, drop)
        FilterHarness(shadow).client_sends(b"a", b"x").expect()
        self.check(shadow, differed=2)

    def test_on_difference(self) -> None:
        """A difference can be looked at."""
        told: list[Any] = []
        shadow = Shadow(strict, on_difference=lambda *arguments: told.append(arguments))
        harness = FilterHarness(shadow)
        harness.client_sends(b"a", b"x")
        self.assertEqual(told, [(b"x", harness.link, PASS_ON, SendBack([b"no"]))])

    def test_on_difference_raises(self) -> None:
        """What that raises is logged the first time, and changes nothing."""
        shadow = Shadow(strict, on_difference=lambda *arguments: 1 // 0)
        FilterHarness(shadow).client_sends(b"x", b"x").expect(to_server=[b"x", b"x"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_candidate_fails(self) -> None:
        """A candidate that fails is counted, and logged the first time."""

        async def fails_later(message: bytes, link: Any) -> Verdict:
            return fails(message, link)

        for candidate in (fails, fails_later):
            shadow = Shadow(candidate)
            FilterHarness(shadow).client_sends(b"a", b"b").expect(to_server=[b"a", b"b"])
            self.check(shadow, failed=2)
            self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_candidate_exits(self) -> None:
        """One that calls ``sys.exit`` has failed, no more."""
        shadow = Shadow(lambda message, link: sys.exit())
        FilterHarness(shadow).client_sends(b"a").expect(to_server=[b"a"])
        self.check(shadow, failed=1)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_unprintable_errors(self) -> None:
        """So it is where its exception cannot be printed."""

        def mute(message: bytes, link: Any) -> Any:
            raise Mute

        def mute_later(message: bytes, link: Any) -> Any:
            return fail(Mute())

        for candidate in (mute, mute_later):
            shadow = Shadow(candidate)
            FilterHarness(shadow).client_sends(b"a").expect(to_server=[b"a"])
            self.check(shadow, failed=1)
            self.assertEqual(len(self.flushLoggedErrors(Unprintable)), 1)

    def test_interrupted(self) -> None:
        """Ctrl-C goes through, in a candidate, in comparing, and in what is called with a difference."""

        def interrupted(*_: Any) -> Any:
            raise KeyboardInterrupt

        class Interrupting(Verdict):
            __eq__ = __hash__ = interrupted

        for shadow in (
            Shadow(interrupted),
            Shadow(lambda message, link: Interrupting()),
            Shadow(drop, on_difference=interrupted),
        ):
            self.assertRaises(KeyboardInterrupt, shadow.filter, b"a", None)

    def test_no_verdict(self) -> None:
        """A candidate that gives no verdict has failed."""

        async def nothing_later(message: bytes, link: Any) -> None:
            return None

        candidates: list[Any] = [nothing, nothing_later]
        for candidate in candidates:
            shadow = Shadow(candidate)
            FilterHarness(shadow).client_sends(b"a").expect(to_server=[b"a"])
            self.check(shadow, failed=1)
            self.flushLoggedErrors()

    def test_live_fails(self) -> None:
        """A failure of the other filter is its own."""
        lives: list[Any] = [
            fails,
            lambda message, link: None,
            lambda message, link: Deferred.fromCoroutine(later()),
        ]
        for live in lives:

            async def later() -> Verdict:
                return fails(b"", None)

            shadow = Shadow(strict, live)
            FilterHarness(shadow).client_sends(b"a").expect(errors=[CallbackFailed], closed=True)
            self.check(shadow)  # there is nothing to compare with
            self.flushLoggedErrors()

    def test_live_without_verdict(self) -> None:
        """The error about the other filter without a verdict has its name."""
        live: Any = nothing
        (error,) = FilterHarness(Shadow(strict, live)).client_sends(b"a").errors
        assert isinstance(error, CallbackFailed)
        self.assertEqual(str(error.reason), "nothing must return a verdict, not None")
        self.flushLoggedErrors(WrongVerdict)

    def test_cannot_be_compared(self) -> None:
        """Messages that cannot be compared are a failure of the candidate; the other filter is obeyed."""

        class Odd(bytes):
            __hash__ = bytes.__hash__

            def __eq__(self, other: object) -> bool:
                raise LookupError("cannot tell")

        shadow = Shadow(lambda message, link: Send(Odd(message)), lambda message, link: Send(Odd(message)))
        FilterHarness(shadow).client_sends(b"a", b"b").expect(to_server=[b"a", b"b"])
        self.check(shadow, failed=2)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)


class LaterTests(ShadowTests):
    """Candidates, and others, that answer later."""

    def setUp(self) -> None:
        """Make a filter that waits."""
        self.waiting: list[Deferred[Verdict]] = []

    def wait(self, message: bytes, link: Any) -> Deferred[Verdict]:
        """Be asked."""
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def test_candidate_waits(self) -> None:
        """Nothing waits for a candidate."""
        shadow = Shadow(self.wait)
        FilterHarness(shadow).client_sends(b"a", b"b").expect(to_server=[b"a", b"b"])
        self.check(shadow, waiting=2)
        self.waiting[1].callback(PASS_ON)
        self.waiting[0].callback(Send(b"x"))
        self.check(shadow, agreed=1, differed=1)

    def test_both_wait(self) -> None:
        """Whichever answers first, they are compared in the end."""
        for order in ((0, 1), (1, 0)):
            self.waiting.clear()
            shadow = Shadow(self.wait, self.wait)
            harness = FilterHarness(shadow)
            harness.client_sends(b"a").expect()
            live, candidate = self.waiting
            verdicts = [(live, Send(b"b")), (candidate, Send(b"b"))]
            for index in order:
                deferred, verdict = verdicts[index]
                deferred.callback(verdict)
            harness.outcome().expect(to_server=[b"b"])
            self.check(shadow, agreed=1)

    def test_shared(self) -> None:
        """The Deferred of either may be that of other messages as well."""
        asked: Deferred[Verdict] = Deferred()

        def ask(message: bytes, link: Any) -> Deferred[Verdict]:
            return asked

        shadow = Shadow(ask, ask)
        harnesses = [FilterHarness(shadow), FilterHarness(shadow), FilterHarness(ask)]
        for harness in harnesses:
            harness.client_sends(b"a").expect()
        asked.callback(DO_NOTHING)
        for harness in harnesses:
            harness.outcome().expect(verdicts=[DO_NOTHING])
        self.check(shadow, agreed=2)
        self.assertIs(self.successResultOf(asked), DO_NOTHING)

    def test_too_many(self) -> None:
        """A candidate whose answers do not come is not asked any more."""
        shadow = Shadow(self.wait, most_waiting=2)
        FilterHarness(shadow).client_sends(b"a", b"b", b"c").expect(to_server=[b"a", b"b", b"c"])
        self.check(shadow, waiting=2, skipped=1)

    def test_too_many_with_live(self) -> None:
        """The other filter is obeyed all the same."""
        shadow = Shadow(self.wait, strict_later, most_waiting=1)
        FilterHarness(shadow).client_sends(b"a", b"x").expect(to_server=[b"a"], to_client=[b"no"])
        self.check(shadow, waiting=1, skipped=1)


class SelectorTests(SynchronousTestCase):
    """What it wants to see."""

    def test_candidate(self) -> None:
        """Alone, what the candidate wants."""
        shadow = Shadow(wants(first_byte(b"x"))(strict))
        self.assertEqual(repr(selector_of(shadow, RawCodec())), "first_byte(b'x')")
        FilterHarness(shadow).client_sends(b"a", b"x").expect(to_server=[b"a", b"x"])
        self.assertEqual((shadow.agreed, shadow.differed), (0, 1))

    def test_both(self) -> None:
        """Of two, what either wants, and each sees only that."""
        shadow = Shadow(wants(first_byte(b"x"))(drop), wants(first_byte(b"y"))(drop))
        FilterHarness(shadow).client_sends(b"x", b"y", b"z").expect(to_server=[b"x", b"z"])
        self.assertEqual((shadow.agreed, shadow.differed), (0, 2))

    def test_in_a_chain(self) -> None:
        """It can be in a chain, under its name."""
        self.assertEqual(repr(chain(Shadow(strict), drop)), "chain(Shadow(strict), drop)")


class MigrationTests(SynchronousTestCase):
    """What takes over from a filter, with its candidate."""

    def test_roles(self) -> None:
        """The filter that is obeyed takes over from the one that was, the candidate from the candidate."""
        old, new = (Kept(), Kept()), (Kept(), Kept())
        Shadow(*new).migrate(Shadow(*old))
        self.assertEqual(tuple(one.before for one in new), old)

    def test_names(self) -> None:
        """Another candidate begins at 0; a filter that is obeyed from now on goes on."""
        live, candidate = Kept(), Also()
        new = Also(), Kept()
        Shadow(new[0], Also()).migrate(Shadow(candidate, live))
        self.assertIsNone(new[0].before)
        Shadow(new[1], new[0]).migrate(Shadow(candidate, live))
        self.assertEqual([one.before for one in new], [candidate, live])

    def test_alone(self) -> None:
        """The filter that is obeyed takes over from a single filter; numbers begin at 0."""
        old, new = Kept(), (Kept(), Kept())
        Shadow(*new).migrate(old)
        self.assertEqual([one.before for one in new], [None, old])
        before, after = Shadow(Kept()), Shadow(Kept())
        FilterHarness(before).client_sends(b"a")
        after.migrate(before)
        self.assertEqual((before.agreed, after.agreed), (1, 0))
