"""The conditions that all faults have, and the checks of their options."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.faults import Drop, Fault
from twisted_repeater.faults._fault import MOST_SECONDS, Chance, check_seconds, check_whole


def hits(fault: Fault, count: int, seed: int = 1) -> list[int]:
    """Return which of so many messages a fault hits, counted from 1."""
    chance = Chance(fault, Random(seed))
    return [number for number in range(1, count + 1) if chance.hits()]


def is_order(message: object, link: object) -> bool:
    """Be a function that chooses messages."""
    raise NotImplementedError


class FaultTests(SynchronousTestCase):
    """The options of a fault."""

    def test_a_probability_that_is_none_is_refused(self) -> None:
        """A probability of 0, below 0, above 1, or that is not a number, is refused: it would hide a mistake."""
        value: Any
        for value in (0, -1, 1.5, math.inf):
            self.assertRaisesRegex(ValueError, "probability must be above 0 and at most 1", Fault, probability=value)
        for value in (math.nan, "1", True, None):
            self.assertRaisesRegex(TypeError, "probability must be a number", Fault, probability=value)

    def test_counts_are_whole_numbers(self) -> None:
        """``every``, ``first`` and ``seed`` are whole numbers, above 0 but for a seed."""
        value: Any
        for name in ("every", "first"):
            for value in (0, -1):
                self.assertRaisesRegex(ValueError, f"{name} must be at least 1", Fault, **{name: value})
            for value in (1.5, math.nan, True, "1"):
                self.assertRaisesRegex(TypeError, f"{name} must be a whole number", Fault, **{name: value})
        self.assertRaisesRegex(ValueError, "seed must be at least 0", Fault, seed=-1)
        self.assertEqual(Fault(seed=0).seed, 0)

    def test_a_direction_and_a_pattern(self) -> None:
        """A direction must be a Direction, and a pattern of names text; both may be left out."""
        self.assertRaisesRegex(TypeError, "direction must be a Direction", Fault, direction="to-client")
        self.assertRaisesRegex(TypeError, "clients must be a pattern", Fault, clients=3)
        fault = Fault(direction=Direction.TO_CLIENT, clients="edge-*")
        self.assertTrue(fault.concerns_direction(Direction.TO_CLIENT))
        self.assertFalse(fault.concerns_direction(Direction.TO_SERVER))
        self.assertTrue(fault.concerns_client("edge-1"))
        self.assertFalse(fault.concerns_client("core-1"))
        self.assertTrue(Fault().concerns_client("core-1"))
        self.assertTrue(Fault().concerns_direction(Direction.TO_SERVER))

    def test_seconds(self) -> None:
        """A time that is 0, below 0, not a number or longer than a year is refused; 0 only where it means something."""
        value: Any
        for value in (0, -1):
            self.assertRaisesRegex(ValueError, "wait must be above 0", check_seconds, "wait", value)
        self.assertRaisesRegex(ValueError, "wait must be at least 0", check_seconds, "wait", -1, zero=True)
        for value in (math.inf, 1e300, MOST_SECONDS + 1):
            self.assertRaisesRegex(ValueError, "wait must be at most", check_seconds, "wait", value)
        for value in (math.nan, "1", True):
            self.assertRaisesRegex(TypeError, "wait must be a number of seconds", check_seconds, "wait", value)
        check_seconds("wait", 0, zero=True)
        check_seconds("wait", MOST_SECONDS)

    def test_whole_numbers_may_have_a_highest(self) -> None:
        """A whole number above the highest one is refused."""
        check_whole("window", 9, least=1, most=9)
        self.assertRaisesRegex(ValueError, "window must be at most 9", check_whole, "window", 10, least=1, most=9)

    def test_the_direction_in_words(self) -> None:
        """A fault can always say which direction it breaks."""
        ways = [Drop(direction=direction).way for direction in (None, *Direction)]
        self.assertEqual(ways, ["both", "to-server", "to-client"])

    def test_text(self) -> None:
        """The text of a fault has the options that were given, as they are written in Python."""
        self.assertEqual(str(Fault()), "Fault()")
        fault = Fault(direction=Direction.TO_SERVER, clients="a*", probability=0.5)
        self.assertEqual(str(fault), "Fault(direction=Direction.TO_SERVER, clients='a*', probability=0.5)")
        self.assertEqual(str(Drop(where=is_order)), "Drop(where=is_order)")


class ChanceTests(SynchronousTestCase):
    """What is hit."""

    def test_all_by_default(self) -> None:
        """Without conditions everything is hit."""
        self.assertEqual(hits(Fault(), 3), [1, 2, 3])

    def test_every_nth_and_the_first(self) -> None:
        """``every`` hits each nth, and ``first`` ends after so many hits."""
        self.assertEqual(hits(Fault(every=3), 10), [3, 6, 9])
        self.assertEqual(hits(Fault(first=2), 10), [1, 2])
        self.assertEqual(hits(Fault(every=2, first=2), 10), [2, 4])

    def test_the_same_seed_hits_the_same(self) -> None:
        """The same random numbers hit the same messages, about as many as the probability says."""
        fault = Fault(probability=0.25)
        self.assertEqual(hits(fault, 1000), hits(fault, 1000))
        self.assertNotEqual(hits(fault, 1000), hits(fault, 1000, seed=2))
        self.assertTrue(200 < len(hits(fault, 1000)) < 300)
        self.assertEqual(len(hits(Fault(probability=0.25, first=3), 1000)), 3)
