"""The options of faults by bytes, and the gates that they make."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.faults.by_bytes import (
    Bandwidth,
    ByteFault,
    Down,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)
from twisted_repeater.model import Direction

NAN = float("nan")


class OptionTests(SynchronousTestCase):
    """What the options may be."""

    def test_refused(self) -> None:
        """Values out of range, and of another kind, are refused in plain words."""
        text: Any = "fast"
        one: Any = 1
        half: Any = 1.5
        cases: list[tuple[Any, type[Exception], str]] = [
            (lambda: Bandwidth(0), ValueError, "rate must be above 0 bytes per second, and finite, not 0"),
            (lambda: Bandwidth(-1), ValueError, "not -1"),
            (lambda: Bandwidth(NAN), ValueError, "not nan"),
            (lambda: Bandwidth(math.inf), ValueError, "not inf"),
            (lambda: Bandwidth(text), TypeError, "rate must be a number of bytes per second, not 'fast'"),
            (lambda: Bandwidth(True), TypeError, "not True"),
            (lambda: Bandwidth(1, shared=one), TypeError, "shared must be True or False, not 1"),
            (lambda: Slicer(0), ValueError, "size must be at least 1, not 0"),
            (lambda: Slicer(5, -1), ValueError, "spread must be at least 0, not -1"),
            (lambda: Slicer(5, 5), ValueError, "spread must be below size, which is 5, not 5"),
            (lambda: Slicer(5, 1, -0.1), ValueError, "pause must be at least 0, not -0.1"),
            (lambda: LimitData(-1), ValueError, "size must be at least 0, not -1"),
            (lambda: LimitData(half), TypeError, "size must be a whole number, not 1.5"),
            (lambda: ResetPeer(-1), ValueError, "seconds must be at least 0, not -1"),
            (lambda: Timeout(NAN), TypeError, "seconds must be a number of seconds, not nan"),
            (lambda: SlowClose(0), ValueError, "seconds must be above 0, not 0"),
            (lambda: SlowClose(1e12), ValueError, "seconds must be at most"),
            (
                lambda: Down(direction=Direction.TO_CLIENT),
                ValueError,
                "direction must be both (in Python None), not to-client",
            ),
            (lambda: Timeout(probability=0), ValueError, "probability must be above 0"),
        ]
        for make, kind, words in cases:
            self.assertIn(words, str(self.assertRaises(kind, make)))

    def test_whole(self) -> None:
        """Conditions show whether all links are hit."""
        self.assertTrue(Down().whole)
        conditions: dict[str, Any]
        for conditions in ({"clients": "a*"}, {"probability": 0.5}, {"every": 2}, {"first": 1}):
            self.assertFalse(Down(**conditions).whole)

    def test_positions(self) -> None:
        """The options of its own come first, and a fault is shown as it is written."""
        self.assertEqual(str(Slicer(10, 3, 0.5, seed=7)), "Slicer(seed=7, size=10, spread=3, pause=0.5)")
        self.assertEqual(Bandwidth(1000, True), Bandwidth(rate=1000, shared=True))


class GateTests(SynchronousTestCase):
    """The gates of faults."""

    def gates(self, fault: ByteFault, number: int = 2) -> list[Any]:
        """Return gates of a fault, towards the client, made at time 5."""
        make = fault.gate_maker()
        return [make(Direction.TO_CLIENT, lambda: Random(1), 5.0) for _ in range(number)]

    def test_base(self) -> None:
        """A fault has to say what it does."""
        self.assertRaises(NotImplementedError, ByteFault().gate_maker)

    def test_bandwidth(self) -> None:
        """Each direction of each link has a line of its own; if they are shared, each direction of all links has."""
        for shared, due in ((False, 5.01), (True, 5.02)):
            make = Bandwidth(1000, shared).gate_maker()
            gates = [make(Direction.TO_CLIENT, lambda: Random(1), 5.0) for _ in range(2)]
            gates.append(make(Direction.TO_SERVER, lambda: Random(1), 5.0))
            for gate in gates:
                self.assertEqual(gate.allows(10, 5.0), 0)
            self.assertEqual([round(gate.opens_at, 6) for gate in gates], [5.01, due, 5.01])

    def test_slicer(self) -> None:
        """The sizes come from the random numbers of the link."""
        first, second = self.gates(Slicer(100, 50, 2))
        sizes = []
        for gate in (first, second):
            size = gate.allows(1000, 5.0)
            gate.passed(size, 0, 5.0)
            sizes.append((size, gate.opens_at))
        self.assertEqual(sizes[0], sizes[1])
        self.assertEqual(sizes[0], (Random(1).randint(50, 150), 7.0))

    def test_others(self) -> None:
        """The other faults count from when their gates are made, or from the first bytes."""
        (limit,), (slow,) = self.gates(LimitData(3), 1), self.gates(SlowClose(4), 1)
        self.assertEqual((limit.allows(10, 6.0), slow.end_allowed_at(6.0)), (3, 10.0))
        (reset,), (down,) = self.gates(ResetPeer(2), 1), self.gates(Down(), 1)
        self.assertEqual((reset.allows(1, 6.0), reset.ends_at, down.ends_at), (0, 8.0, 5.0))
        (timeout,), (never,) = self.gates(Timeout(2), 1), self.gates(Timeout(), 1)
        self.assertEqual((timeout.ends_at, never.ends_at), (7.0, math.inf))
