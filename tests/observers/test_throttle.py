"""The events that are logged, out of many."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.observers._throttle import LogThrottle


class SeldomTests(SynchronousTestCase):
    """One a second of each kind."""

    def setUp(self) -> None:
        """Start."""
        self.clock = Clock()
        self.seldom = LogThrottle(self.clock)

    def test_first(self) -> None:
        """The first of each kind is logged."""
        self.assertEqual([self.seldom.take(kind) for kind in ("a", "b", "a", "b")], ["", "", None, None])

    def test_later(self) -> None:
        """After a second the next is logged, with the number of those that were not."""
        self.assertEqual([self.seldom.take("a") for _ in range(4)], ["", None, None, None])
        self.clock.advance(1)
        self.assertEqual(self.seldom.take("a"), " (and 3 more since the last such line)")
        self.clock.advance(1)
        self.assertEqual(self.seldom.take("a"), "")

    def test_burst(self) -> None:
        """With a burst so many of each kind are logged at once; what was not used of it comes back in time."""
        seldom = LogThrottle(self.clock, burst=3, every=2.0)
        self.assertEqual([seldom.take("a") for _ in range(5)], ["", "", "", None, None])
        self.assertEqual(seldom.take("b"), "")
        self.clock.advance(4)
        self.assertEqual([seldom.take("a") for _ in range(3)], [" (and 2 more since the last such line)", "", None])
        self.clock.advance(1000)
        self.assertEqual([seldom.take("a") is None for _ in range(4)], [False, False, False, True])

    def test_in_the_long_run(self) -> None:
        """However fast events come, the pace of those that are logged is kept, and the counts have all events."""
        seldom = LogThrottle(self.clock, burst=2, every=0.5)
        told = []
        for _ in range(1000):
            told.append(seldom.take("a"))
            self.clock.advance(1 / 64)
        lines = [line for line in told if line is not None]
        counted = sum(int(line.split()[1]) for line in lines if line)
        self.assertEqual(len(lines), 2 + 1000 // 32)
        self.assertEqual(len(lines) + counted + told[::-1].index(lines[-1]), 1000)
