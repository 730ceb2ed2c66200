"""Runs of numbers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.decided import Decided


class DecidedTests(SynchronousTestCase):
    """Numbers that were decided about."""

    def test_decided(self) -> None:
        """Numbers are kept as runs."""
        decided = Decided()
        for number in (5, 6, 1, 3, 2, 2, 4):
            decided.add(number)
        decided.add_all(9, 9)
        decided.add_all(9, 12)
        self.assertEqual([number for number in range(14) if number in decided], [1, 2, 3, 4, 5, 6, 9, 10, 11])
