"""Tests of verdicts that come at once, later, too late, or never."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DO_NOTHING, PASS_ON, Verdict, WrongVerdict
from twisted_repeater._pending import NOT_YET, PendingVerdict, begun, verdict_later
from twisted_repeater._text import Unprintable

from .unprintable import UNPRINTABLE, Mute


class AwaitedTests(SynchronousTestCase):
    """Waiting for what a filter gave."""

    def setUp(self) -> None:
        """Keep what comes later."""
        self.later: list[Any] = []

    def wait(self, answer: Any) -> PendingVerdict:
        """Wait for an answer."""
        return PendingVerdict(answer, self.later.append)

    def test_at_once(self) -> None:
        """An answer that is there already is the result; nothing comes later."""
        self.assertEqual(self.wait(succeed(PASS_ON)).result, PASS_ON)
        self.assertEqual(self.later, [])

    def test_failed_at_once(self) -> None:
        """So is a failure, which then has been seen."""
        error = ValueError("no")
        result = self.wait(fail(error)).result
        self.assertIsInstance(result, Failure)
        self.assertIs(result.value, error)
        self.assertEqual(self.later, [])

    def test_later(self) -> None:
        """What comes later is given when it comes."""
        deferred: Deferred[Verdict] = Deferred()
        self.assertIs(self.wait(deferred).result, NOT_YET)
        self.assertEqual(self.later, [])
        deferred.callback(PASS_ON)
        self.assertEqual(self.later, [PASS_ON])

    def test_failed_later(self) -> None:
        """So is a failure, which then has been seen."""
        deferred: Deferred[Verdict] = Deferred()
        self.wait(deferred)
        deferred.errback(SystemExit(1))
        self.assertIs(self.later[0].type, SystemExit)

    def test_unprintable(self) -> None:
        """A failure that cannot be printed comes like any other; so does the error about a wrong verdict."""
        for kind in UNPRINTABLE:
            self.later.clear()
            deferred: Deferred[Verdict] = Deferred()
            self.wait(deferred)
            deferred.errback(kind())
            self.assertIs(self.later[0].type, kind)
            deferred = Deferred()
            self.wait(deferred)
            deferred.callback([kind()])  # type: ignore[arg-type]
            self.assertIs(self.later[1].type, WrongVerdict)
            self.assertIs(self.wait([kind()]).result.type, WrongVerdict)

    def test_failed_without_an_exception(self) -> None:
        """A Deferred that fails with something else than an exception is an error."""
        deferred: Deferred[Verdict] = Deferred()
        self.wait(deferred)
        deferred.errback("no exception")  # type: ignore[arg-type]
        self.assertIs(self.later[0].type, WrongVerdict)
        self.assertIn("the filter's Deferred must fail with an exception, not 'no exception'", str(self.later[0].value))

    def test_coroutine(self) -> None:
        """A coroutine is run; what it gives is there at once, or comes later."""
        asked: Deferred[Verdict] = Deferred()

        async def answer() -> Verdict:
            return await asked

        self.assertIs(self.wait(answer()).result, NOT_YET)
        asked.callback(PASS_ON)
        self.assertEqual(self.later, [PASS_ON])
        asked = succeed(DO_NOTHING)
        self.assertIs(self.wait(answer()).result, DO_NOTHING)

    def test_no_verdict(self) -> None:
        """Anything else is a failure, at once or later, that names who gave it."""
        deferred: Deferred[Any] = Deferred()
        PendingVerdict(deferred, self.later.append, "risk")
        deferred.callback("PASS_ON")
        failures = [self.wait(None).result, self.wait(succeed(5)).result, *self.later]
        for failure in failures:
            self.assertIs(failure.type, WrongVerdict)
        told = [
            "the filter must return a verdict, not None",
            "the filter's Deferred must give a verdict, not 5",
            "risk's Deferred must give a verdict, not 'PASS_ON'",
        ]
        self.assertEqual([str(failure.value) for failure in failures], told)

    def test_begun(self) -> None:
        """A coroutine that waits for nothing gives its verdict at once; anything else that it gives is an error."""

        async def give(answer: Any) -> Any:
            return answer

        async def wait(deferred: Deferred[Verdict]) -> Verdict:
            return await deferred

        self.assertIs(begun(give(PASS_ON)), PASS_ON)
        wrong: Any
        for wrong in (5, Deferred()):
            error = self.assertRaises(WrongVerdict, begun, give(wrong), "risk")
            self.assertIn("risk must return a verdict, not ", str(error))
        deferred: Deferred[Verdict] = Deferred()
        later = begun(wait(deferred))
        assert isinstance(later, Deferred)
        deferred.callback(PASS_ON)
        self.assertIs(self.successResultOf(later), PASS_ON)

    def test_shared(self) -> None:
        """Several can wait for one Deferred: each gets its result."""
        deferred: Deferred[Verdict] = Deferred()
        self.wait(deferred)
        self.wait(deferred)
        deferred.callback(PASS_ON)
        self.assertEqual(self.later, [PASS_ON, PASS_ON])
        self.assertEqual(self.wait(deferred).result, PASS_ON)

    def test_given_up(self) -> None:
        """Giving up cancels the Deferred, and is not told of that."""
        cancelled: list[Deferred[Verdict]] = []
        deferred: Deferred[Verdict] = Deferred(cancelled.append)
        self.wait(deferred).give_up()
        self.assertEqual(cancelled, [deferred])
        self.assertEqual(self.later, [])

    def test_too_late(self) -> None:
        """A result that comes all the same, as its work cannot be cancelled, is ignored."""
        deferred: Deferred[Verdict] = Deferred(lambda cancelled: cancelled.callback(PASS_ON))
        self.wait(deferred).give_up()
        self.assertEqual(self.successResultOf(deferred), PASS_ON)
        self.assertEqual(self.later, [])

    def test_error_too_late(self) -> None:
        """An error that comes too late for anybody is logged."""
        deferred: Deferred[Verdict] = Deferred(lambda cancelled: cancelled.errback(ValueError("too late")))
        self.wait(deferred).give_up()
        del deferred
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.later, [])

    def test_cancelling_fails(self) -> None:
        """A Deferred that cannot be cancelled is given up all the same; the error is logged."""

        def refuse(_: Deferred[Verdict]) -> None:
            raise ValueError("never")

        self.wait(Deferred(refuse)).give_up()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.later, [])

    def test_cancelling_fails_badly(self) -> None:
        """So it is if that raises no ``Exception``, or one that cannot be printed; Ctrl-C goes through."""

        def exits(_: Deferred[Verdict]) -> None:
            raise SystemExit(1)

        def mute(_: Deferred[Verdict]) -> None:
            raise Mute

        def interrupted(_: Deferred[Verdict]) -> None:
            raise KeyboardInterrupt

        self.wait(Deferred(exits)).give_up()
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.wait(Deferred(mute)).give_up()
        (failure,) = self.flushLoggedErrors(Unprintable)
        self.assertIn("Mute: <ValueError raised by its __str__>", str(failure.value))
        self.assertRaises(KeyboardInterrupt, self.wait(Deferred(interrupted)).give_up)


class LaterTests(SynchronousTestCase):
    """A Deferred of one's own for what a filter gave."""

    def test_its_own(self) -> None:
        """Others who wait for the same Deferred are not affected by what is done with it."""
        shared: Deferred[Verdict] = Deferred()
        first, second = verdict_later(shared), verdict_later(shared)
        first.addCallback(lambda verdict: None)
        shared.callback(PASS_ON)
        self.assertIsNone(self.successResultOf(first))
        self.assertIs(self.successResultOf(second), PASS_ON)
        self.assertIs(self.successResultOf(verdict_later(shared)), PASS_ON)

    def test_failure(self) -> None:
        """It fails with what the filter's own fails with, or if that gives no verdict."""
        error = self.failureResultOf(verdict_later(fail(ValueError("no"))), ValueError)
        self.assertEqual(str(error.value), "no")
        error = self.failureResultOf(verdict_later(None, "risk"), WrongVerdict)
        self.assertEqual(str(error.value), "risk must return a verdict, not None")

    def test_cancelled(self) -> None:
        """If it is cancelled, so is the filter's own, whether or not that can be."""
        cancelled: list[Deferred[Verdict]] = []
        for canceller in (None, cancelled.append, lambda deferred: deferred.callback(PASS_ON)):
            later = verdict_later(Deferred(canceller))
            later.cancel()
            self.failureResultOf(later, CancelledError)
        self.assertEqual(len(cancelled), 1)
