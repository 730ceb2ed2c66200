"""The events that are logged, out of many."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._seldom import Seldom


class SeldomTests(SynchronousTestCase):
    """One a second of each kind."""

    def setUp(self) -> None:
        """Start."""
        self.clock = Clock()
        self.seldom = Seldom(self.clock)

    def test_first(self) -> None:
        """The first of each kind is logged."""
        self.assertEqual([self.seldom.take(kind) for kind in ("a", "b", "a", "b")], ["", "", None, None])

    def test_later(self) -> None:
        """After a second the next is logged, and tells how many were not."""
        self.assertEqual([self.seldom.take("a") for _ in range(4)], ["", None, None, None])
        self.clock.advance(1)
        self.assertEqual(self.seldom.take("a"), " (and 3 more since the last such line)")
        self.clock.advance(1)
        self.assertEqual(self.seldom.take("a"), "")
