"""Tests of work in slices of time: no slice takes long, all steps are taken, in order."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._slices import SLICE, in_slices


class SlicesTests(SynchronousTestCase):
    """Steps that take time. ``cost`` is what each takes, in seconds."""

    cost = SLICE / 4

    def setUp(self) -> None:
        """Have a clock."""
        self.clock = Clock()
        self.done: list[int] = []

    def steps(self, count: int) -> Iterator[None]:
        """Take so many steps."""
        for number in range(count):
            self.clock.rightNow += self.cost
            self.done.append(number)
            yield

    def test_at_once(self) -> None:
        """What fits in one slice is done before the call returns."""
        for count in (0, 3):
            self.successResultOf(in_slices(self.clock, self.steps(count)))
        self.assertEqual((self.done, self.clock.getDelayedCalls()), ([0, 1, 2], []))

    def test_in_turns(self) -> None:
        """The rest is done in later turns of the reactor, a slice in each, in order."""
        done = in_slices(self.clock, self.steps(10))
        self.assertEqual(self.done, [0, 1, 2, 3])
        (turn,) = self.clock.getDelayedCalls()
        self.assertLessEqual(turn.getTime(), self.clock.seconds())
        self.assertNoResult(done)
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual((self.done, self.clock.getDelayedCalls()), (list(range(10)), []))

    def test_clock_set_back(self) -> None:
        """A clock that is set back ends the slice, rather than have the rest done in one."""
        self.cost = -1.0
        done = in_slices(self.clock, self.steps(3))
        self.assertEqual((self.done, len(self.clock.getDelayedCalls())), ([0], 1))
        self.clock.advance(10)
        self.successResultOf(done)

    def test_failure(self) -> None:
        """What a step raises is what comes of it, also in a later turn; no more steps are taken."""
        for good in (0, 6):
            self.done.clear()

            def steps(good: int = good) -> Iterator[None]:
                yield from self.steps(good)
                raise ValueError("no")

            done = in_slices(self.clock, steps())
            self.clock.advance(0)
            self.failureResultOf(done, ValueError)
            self.assertEqual((self.done, self.clock.getDelayedCalls()), (list(range(good)), []))
