"""Costs that are counted."""

from __future__ import annotations

import sys
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.testing.conformance._counting import copies_of, memory_of, steps_of


def loop(count: int) -> None:
    """Do something so often."""
    for _ in range(count):
        sum((1, 2))


def in_one_line(count: int) -> list[int]:
    """Do something so often, in a function within."""
    return sorted(range(count), key=lambda number: -number)


class StepsTests(SynchronousTestCase):
    """Steps."""

    def test_proportional(self) -> None:
        """They grow as the work does, also in functions that are called, and are the same each time."""
        for function in (loop, in_one_line):
            few, more = steps_of(function, 100), steps_of(function, 400)
            self.assertTrue(3.5 < more / few < 4.5, (few, more))
            self.assertEqual(steps_of(function, 100), few)

    def test_compiled(self) -> None:
        """What isn't Python costs none."""
        self.assertEqual(steps_of(bytes, 100_000), 0)

    def test_leaves_no_trace(self) -> None:
        """Whoever traces goes on tracing, also when the call fails."""
        before = sys.gettrace()
        self.assertRaises(ZeroDivisionError, steps_of, divmod, 1, 0)
        self.assertIs(sys.gettrace(), before)


class MemoryTests(SynchronousTestCase):
    """Bytes set aside."""

    def test_at_the_peak(self) -> None:
        """What was set aside counts, also when it is free again."""
        self.assertTrue(100_000 <= memory_of(bytes, 100_000) < 110_000)
        self.assertLess(memory_of(len, b"x" * 100_000), 1000)

    def test_leaves_no_trace(self) -> None:
        """It does not go on watching, unless somebody else watches."""
        self.assertRaises(ZeroDivisionError, memory_of, divmod, 1, 0)
        self.assertFalse(tracemalloc.is_tracing())
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertGreater(memory_of(bytes, 5000), 5000)
        self.assertTrue(tracemalloc.is_tracing())


class CopiesTests(SynchronousTestCase):
    """Bytes that are copied."""

    def test_slices(self) -> None:
        """Every slice counts, and every slice of one; single bytes don't."""

        def eat(data: bytes) -> None:
            while data:
                first, data = data[0], data[1:]
                self.assertEqual(first, 120)

        self.assertEqual(copies_of(eat, b"x" * 10), 9 + 8 + 7 + 6 + 5 + 4 + 3 + 2 + 1)

    def test_views(self) -> None:
        """A view copies nothing."""
        self.assertEqual(copies_of(lambda data: memoryview(data)[1:], b"x" * 10), 0)
