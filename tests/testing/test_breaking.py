"""Faults for the length of a block, and their seeds."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.faults import Fault, Faults
from twisted_repeater.testing import Transcript
from twisted_repeater.testing._breaking import Breaking


@dataclass(frozen=True, kw_only=True)
class Harmless(Fault):
    """A fault that breaks nothing."""


class BreakingTests(SynchronousTestCase):
    """`Breaking`."""

    def setUp(self) -> None:
        """Make the faults of a repeater."""
        self.faults = Faults(Clock(), lambda removed: None)
        self.transcript = Transcript()

    def seeds(self, breaking: Breaking, *given: int | None) -> list[int]:
        """Return the seeds that faults get."""
        return [breaking.set(self.faults, Harmless(seed=seed)).seed for seed in given]

    def test_seeds(self) -> None:
        """From the same seed, faults without one get the same seeds again, in order; one that is given stays."""
        first = self.seeds(Breaking(self.transcript, 1), None, 7, None)
        self.assertEqual(self.seeds(Breaking(self.transcript, 1), None, 7, None), first)
        self.assertEqual(first[1], 7)
        self.assertNotEqual(first[0], first[2])
        self.assertNotEqual(self.seeds(Breaking(self.transcript, 2), None), first[:1])

    def test_own_seeds(self) -> None:
        """Without a seed, each fault draws its own."""
        self.assertEqual(len(set(self.seeds(Breaking(self.transcript, None), *[None] * 5))), 5)

    def test_names(self) -> None:
        """Each fault has a name of its own, also beside those that the test has set itself."""
        breaking = Breaking(self.transcript, 1)
        self.faults.set("harmless-2", Harmless())
        first, _ = (breaking.set(self.faults, Harmless()) for _ in range(2))
        self.assertEqual([fault.name for fault in self.faults], ["harmless-2", "harmless", "harmless-3"])
        breaking.remove(self.faults, first)
        self.assertEqual(breaking.set(self.faults, Harmless()).name, "harmless")

    def test_transcript(self) -> None:
        """The transcript has the beginning of a fault with its seed, and its end with how often it has hit."""
        breaking = Breaking(self.transcript, None)
        breaking.remove(self.faults, breaking.set(self.faults, Harmless(every=3, seed=5)))
        begins, ends = str(self.transcript).splitlines()
        self.assertIn("Harmless(every=3, seed=5) begins, with the seed 5", begins)
        self.assertIn("Harmless(every=3, seed=5) ends: it has hit 0 of 0", ends)

    def test_other_kinds(self) -> None:
        """What is no fault is refused as the registry does."""
        self.assertRaises(TypeError, Breaking(self.transcript, 1).set, self.faults, 3)
