"""Waits for what tells when it changes."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.replay.waiting import Waiting


class WaitingTests(SynchronousTestCase):
    """`Waiting`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.waiting = Waiting(self.clock)
        self.holds = False

    def wait(self, seconds: float | None = None) -> Deferred[bool]:
        """Wait for the test."""
        return Deferred.fromCoroutine(self.waiting.until(lambda: self.holds, seconds))

    def test_at_once(self) -> None:
        """If the condition holds, nobody waits."""
        self.holds = True
        self.assertTrue(self.successResultOf(self.wait(1)))
        self.assertFalse(self.waiting.waits)

    def test_later(self) -> None:
        """Who waits goes on at the first look after the condition holds."""
        waits = self.wait(5)
        self.waiting.look()
        self.assertNoResult(waits)
        self.assertTrue(self.waiting.waits)
        self.holds = True
        self.waiting.look()
        self.assertTrue(self.successResultOf(waits))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """When the time is over, who waits learns that the condition does not hold."""
        waits = self.wait(5)
        self.clock.advance(5)
        self.assertFalse(self.successResultOf(waits))
        self.waiting.look()

    def test_cancelled(self) -> None:
        """Who is cancelled waits no more."""
        waits = self.wait()
        waits.cancel()
        self.failureResultOf(waits, CancelledError)
        self.assertFalse(self.waiting.waits)
        self.holds = True
        self.waiting.look()
