"""Tests of verdicts that come at once, later, too late, or never."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._awaited import NOT_YET, Awaited


class AwaitedTests(SynchronousTestCase):
    """Waiting for a Deferred."""

    def setUp(self) -> None:
        """Keep what comes later."""
        self.later: list[Any] = []

    def wait(self, deferred: Deferred[Any]) -> Awaited:
        """Wait for a Deferred."""
        return Awaited(deferred, self.later.append)

    def test_at_once(self) -> None:
        """What is there already is the result; nothing comes later."""
        self.assertEqual(self.wait(succeed("verdict")).result, "verdict")
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
        deferred: Deferred[str] = Deferred()
        self.assertIs(self.wait(deferred).result, NOT_YET)
        self.assertEqual(self.later, [])
        deferred.callback("verdict")
        self.assertEqual(self.later, ["verdict"])

    def test_failed_later(self) -> None:
        """So is a failure, which then has been seen."""
        deferred: Deferred[str] = Deferred()
        self.wait(deferred)
        deferred.errback(SystemExit(1))
        self.assertIs(self.later[0].type, SystemExit)

    def test_shared(self) -> None:
        """Several can wait for one Deferred: each gets its result."""
        deferred: Deferred[str] = Deferred()
        self.wait(deferred)
        self.wait(deferred)
        deferred.callback("verdict")
        self.assertEqual(self.later, ["verdict", "verdict"])
        self.assertEqual(self.wait(deferred).result, "verdict")

    def test_given_up(self) -> None:
        """Giving up cancels the Deferred, and is not told of that."""
        cancelled: list[Deferred[str]] = []
        deferred: Deferred[str] = Deferred(cancelled.append)
        self.wait(deferred).give_up()
        self.assertEqual(cancelled, [deferred])
        self.assertEqual(self.later, [])

    def test_too_late(self) -> None:
        """A result that comes all the same, as its work cannot be cancelled, is ignored."""
        deferred: Deferred[str] = Deferred(lambda cancelled: cancelled.callback("verdict"))
        self.wait(deferred).give_up()
        self.assertEqual(self.successResultOf(deferred), "verdict")
        self.assertEqual(self.later, [])

    def test_error_too_late(self) -> None:
        """An error that comes too late for anybody is logged."""
        deferred: Deferred[str] = Deferred(lambda cancelled: cancelled.errback(ValueError("too late")))
        self.wait(deferred).give_up()
        del deferred
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.later, [])

    def test_cancelling_fails(self) -> None:
        """A Deferred that cannot be cancelled is given up all the same; the error is logged."""

        def refuse(_: Deferred[str]) -> None:
            raise ValueError("never")

        self.wait(Deferred(refuse)).give_up()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.later, [])
