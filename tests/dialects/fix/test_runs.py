"""Runs of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.runs import Runs

NUMBERS = st.lists(st.integers(1, 30), max_size=40)


class RunsTests(SynchronousTestCase):
    """Sets of numbers."""

    def test_add_all(self) -> None:
        """Many numbers behind the others are added at once."""
        runs = Runs([(1, 3)])
        runs.add_all(3, 3)
        runs.add_all(3, 6)
        runs.add_all(9, 12)
        self.assertEqual(list(runs.between(0, 99)), [(1, 6), (9, 12)])

    def test_between(self) -> None:
        """The runs are cut where the numbers begin and end; a run that is over before is left out."""
        self.assertEqual(list(Runs([(1, 3), (5, 7)]).between(4, 6)), [(5, 6)])

    def test_order(self) -> None:
        """Numbers may come in any order, and again."""
        runs = Runs()
        for number in (5, 1, 3, 1, 2, 3, 4):
            runs.add(number)
        self.assertEqual(list(runs.between(0, 99)), [(1, 6)])

    def test_most(self) -> None:
        """The lowest are forgotten where there are too many."""
        runs = Runs(most=2)
        for number in (1, 3, 5):
            runs.add(number)
        self.assertEqual(list(runs.between(0, 99)), [(3, 4), (5, 6)])

    def test_overlapping(self) -> None:
        """Runs that overlap, or touch each other, are one."""
        self.assertEqual(list(Runs([(1, 3), (3, 5), (4, 5), (7, 8)]).between(0, 99)), [(1, 5), (7, 8)])

    @given(NUMBERS, st.integers(0, 32), st.integers(0, 32))
    def test_set(self, numbers: list[int], start: int, stop: int) -> None:
        """It is a set, in as few runs as there can be."""
        runs, wanted = Runs(), set(numbers)
        for number in numbers:
            runs.add(number)
        self.assertEqual({number for number in range(32) if number in runs}, wanted)
        self.assertEqual(runs.stop, max(wanted, default=-1) + 1)
        cut = list(runs.between(start, stop))
        self.assertEqual([n for run in cut for n in range(*run)], [n for n in range(start, stop) if n in wanted])
        self.assertEqual(len(runs), len(wanted - {number + 1 for number in wanted}))
        for number in range(32):
            first, behind = runs.run_of(number)
            self.assertEqual(number in range(first, behind), number in wanted)
            self.assertFalse({first - 1, behind} & wanted if number in wanted else behind - first)
