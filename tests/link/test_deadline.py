"""A deadline that counts from the last progress."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._link.deadline import LOOKS, ProgressDeadline, Timers, within


class PatienceTests(SynchronousTestCase):
    """With what is not getting on."""

    def setUp(self) -> None:
        """Make no progress yet."""
        self.clock = Clock()
        self.made = 0
        self.ran_out: list[float] = []

    def patience(self, timeout: float, at_most: float = float("inf")) -> ProgressDeadline:
        """Watch over the progress."""
        return ProgressDeadline(
            self.clock, timeout, lambda: self.made, lambda: self.ran_out.append(self.clock.seconds()), at_most=at_most
        )

    def advance(self, seconds: int, progress: int = 0) -> None:
        """Let whole seconds pass, with so much progress in each."""
        for _ in range(seconds):
            self.made += progress
            self.clock.advance(1)

    def test_no_progress(self) -> None:
        """It runs out when the time is over, once, and no timer is left."""
        self.patience(8)
        self.advance(100)
        self.assertEqual(self.ran_out, [8])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_progress(self) -> None:
        """As long as there is progress it does not run out."""
        self.patience(8)
        self.advance(100, progress=1)
        self.assertEqual(self.ran_out, [])
        self.advance(100)
        self.assertEqual(self.ran_out, [108])

    def test_now_and_then(self) -> None:
        """The time counts from the last progress, as exactly as it is looked for."""
        self.patience(8)
        for _ in range(10):
            self.advance(1, progress=1)
            self.advance(6)
        self.assertEqual(self.ran_out, [])
        self.advance(100)
        self.assertEqual(len(self.ran_out), 1)
        last = 9 * 7 + 1
        self.assertTrue(last + 8 <= self.ran_out[0] <= last + 8 + 8 / LOOKS, self.ran_out)

    def test_at_most(self) -> None:
        """It runs out after the longest time allowed, whatever progress there is."""
        self.patience(8, at_most=20)
        self.advance(100, progress=1)
        self.assertEqual(self.ran_out, [20])

    def test_at_most_is_no_longer(self) -> None:
        """The longest time allowed adds nothing to the time without progress."""
        self.patience(8, at_most=20)
        self.advance(100)
        self.assertEqual(self.ran_out, [8])

    def test_hurry(self) -> None:
        """It runs out within a time from now that is set later, whatever progress there is, and never later than
        before."""
        patience = self.patience(8, at_most=50)
        self.advance(30, progress=1)
        patience.hurry(12)
        self.advance(5, progress=1)
        patience.hurry(12)
        self.advance(100, progress=1)
        self.assertEqual(self.ran_out, [42])
        patience.hurry(12)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hurry_overdue(self) -> None:
        """It can be hurried also when it is about to run out, or stopped."""
        patience = self.patience(8)
        self.clock.rightNow += 9
        patience.hurry(5)
        self.clock.advance(0)
        self.assertEqual(self.ran_out, [9])
        stopped = self.patience(8)
        stopped.cancel()
        stopped.hurry(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """Once stopped it never runs out; stopping twice, or when it has run out, is nothing."""
        patience = self.patience(8)
        self.advance(5)
        patience.cancel()
        patience.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.advance(100)
        self.assertEqual(self.ran_out, [])
        patience = self.patience(8)
        self.advance(8)
        patience.cancel()
        self.assertEqual(len(self.ran_out), 1)


class TimersTests(SynchronousTestCase):
    """The timers of a link."""

    def setUp(self) -> None:
        """Start none yet."""
        self.clock: Any = Clock()
        self.timers = Timers(self.clock)
        self.ran_out: list[str] = []

    def run_out(self) -> None:
        """Note that a timer ran out."""
        self.ran_out.append("ran out")

    def test_later(self) -> None:
        """A purpose has one timer, the last that was started for it; it runs out once."""
        self.timers.call_later("a", 1, self.run_out)
        self.timers.call_later("a", 2, self.run_out)
        self.clock.advance(1)
        self.assertEqual(self.ran_out, [])
        self.clock.advance(1)
        self.timers.stop("a")
        self.assertEqual((self.ran_out, self.clock.getDelayedCalls()), (["ran out"], []))

    def test_without_progress(self) -> None:
        """A deadline that is running already goes on; it can be hurried."""
        self.timers.hurry("a", 1)
        self.timers.call_without_progress("a", 8, lambda: 0, self.run_out)
        self.clock.advance(4)
        self.timers.call_without_progress("a", 8, lambda: 0, self.run_out)
        self.timers.hurry("a", 1)
        self.clock.advance(1)
        self.assertEqual((self.ran_out, self.clock.getDelayedCalls()), (["ran out"], []))

    def test_stop(self) -> None:
        """Stopped timers, of one purpose or of all, never run out."""
        for purpose in "abc":
            self.timers.call_later(purpose, 1, self.run_out)
        self.timers.call_without_progress("d", 1, lambda: 0, self.run_out)
        self.assertIn("a", self.timers)
        self.assertTrue(self.timers.stop("a"))
        self.assertFalse(self.timers.stop("a"))
        self.assertNotIn("a", self.timers)
        self.assertEqual(len(self.clock.getDelayedCalls()), 3)
        self.timers.stop_all()
        self.assertEqual((self.ran_out, self.clock.getDelayedCalls()), ([], []))


class WithinTests(SynchronousTestCase):
    """A Deferred that must fire in time."""

    def test_in_time(self) -> None:
        """One that fires in time has its result, and no timer is left."""
        clock: Any = Clock()
        answer: Deferred[str] = Deferred()
        timed = within(answer, 2, clock, lambda: LookupError("late"))
        clock.advance(1)
        answer.callback("here")
        self.assertEqual((self.successResultOf(timed), clock.getDelayedCalls()), ("here", []))

    def test_late(self) -> None:
        """One that does not fails with the error, at once if there is no time left."""
        for timeout in (2, 0, -1):
            clock: Any = Clock()
            answer: Deferred[str] = Deferred()
            timed = within(answer, timeout, clock, lambda: LookupError("late"))
            clock.advance(max(timeout, 0))
            self.failureResultOf(timed, LookupError)
