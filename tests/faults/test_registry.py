"""The faults that are set."""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.faults import ActiveFault, Drop, Fault, Faults, Latency, MessageFault
from twisted_repeater.link import Link

WAY = Direction.TO_SERVER


class Pair:
    """Enough of a pair for a link."""

    client_name = "ann"


def link() -> Any:
    """Return a link."""
    return Link(Pair())  # type: ignore[arg-type]


class FaultsTests(SynchronousTestCase):
    """Setting and removing."""

    def setUp(self) -> None:
        """Make the registry."""
        self.clock = Clock()
        self.changes: list[ActiveFault | None] = []
        self.faults = Faults(self.clock, self.changes.append)

    def test_order(self) -> None:
        """Faults are listed in the order in which they were set first; one that is replaced keeps its place."""
        first = self.faults.set("b", Drop())
        self.faults.set("a", Latency(1))
        again = self.faults.set("b", Drop(every=2))
        self.assertEqual([active.name for active in self.faults], ["b", "a"])
        self.assertIs(next(iter(self.faults)), again)
        self.assertEqual(self.changes, [None, None, first])
        self.assertEqual((len(self.faults), "a" in self.faults, "c" in self.faults), (2, True, False))

    def test_remove_and_clear(self) -> None:
        """A fault is removed by its name, all by one call, and removing what is not there does nothing."""
        active = self.faults.set("a", Drop())
        self.faults.set("b", Drop())
        self.assertTrue(self.faults.remove("a"))
        self.assertFalse(self.faults.remove("a"))
        self.assertIs(self.changes[-1], active)
        self.faults.clear()
        self.assertEqual((list(self.faults), len(self.changes)), ([], 4))

    def test_a_fault_ends_by_itself(self) -> None:
        """A fault with a time ends when that is over, unless it was replaced by one without."""
        active = self.faults.set("a", Drop(), seconds=10)
        self.clock.advance(4)
        self.assertEqual(active.seconds_left, 6)
        self.clock.advance(6)
        self.assertEqual((list(self.faults), active.seconds_left), ([], 0))
        self.faults.set("b", Drop(), seconds=10)
        self.assertIsNone(self.faults.set("b", Drop()).seconds_left)
        self.clock.advance(20)
        self.assertIn("b", self.faults)

    def test_stop(self) -> None:
        """When the repeater is over no timer is left."""
        self.faults.set("a", Drop(), seconds=10)
        self.faults.stop()
        self.faults.set("b", Drop(), seconds=10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_wrong_arguments(self) -> None:
        """A name, a fault or a time that cannot be used is refused, and changes nothing."""
        wrong: Any
        for wrong in ("", "a/b", "ä", "x" * 65, 3):
            self.assertRaisesRegex(ValueError, "the name of a fault must be", self.faults.set, wrong, Drop())
        for wrong in (Fault(), MessageFault(), Drop, "drop"):
            self.assertRaisesRegex(TypeError, "fault must be a fault such as", self.faults.set, "a", wrong)
        for seconds in (0, -1, math.inf):
            self.assertRaisesRegex(ValueError, "seconds must be", self.faults.set, "a", Drop(), seconds=seconds)
        self.assertRaises(TypeError, self.faults.set, "a", Drop(), seconds=math.nan)
        self.assertEqual((list(self.faults), self.changes), ([], []))

    def test_it_is_logged(self) -> None:
        """The log has the seed of a fault when it is set, and what it has hit when it is removed."""
        with capturedLogs() as events:
            active = self.faults.set("a", Drop())
            self.faults.set("b", Drop(direction=Direction.TO_SERVER, seed=7))
            self.faults.remove("a")
        texts = [formatEvent(event) for event in events]
        self.assertEqual(
            texts,
            [
                f"the fault a is set: Drop(), direction both, seed {active.seed}",
                "the fault b is set: Drop(direction=Direction.TO_SERVER, seed=7), direction to-server, seed 7",
                "the fault a is removed; it hit 0 of 0",
            ],
        )
        self.assertEqual(repr(active), f"ActiveFault('a', Drop(), seed={active.seed})")


class ActiveFaultTests(SynchronousTestCase):
    """A fault that is set."""

    def active(self, fault: Fault) -> ActiveFault:
        """Set a fault."""
        return Faults(Clock(), lambda removed: None).set("a", fault)

    def test_seeds(self) -> None:
        """A seed that is given is used; otherwise one is drawn, and giving that again gives the same choices."""
        drawn = self.active(Drop(probability=0.5))
        same = self.active(Drop(probability=0.5, seed=drawn.seed))
        other = self.active(Drop(probability=0.5, seed=drawn.seed + 1))
        chosen = []
        for active in (drawn, same, other):
            one = link()
            chosen.append([active.hits_next(active.chance_of(one, WAY)) for _ in range(64)])
        self.assertEqual(chosen[0], chosen[1])
        self.assertNotEqual(chosen[0], chosen[2])
        self.assertEqual((drawn.seen, drawn.hit), (64, sum(chosen[0])))

    def test_links_and_directions_have_their_own(self) -> None:
        """The choices for one link and direction do not depend on what others do."""
        alone, among = (self.active(Drop(probability=0.5, seed=3)) for _ in range(2))
        one, two = link(), link()
        expected = [alone.hits_next(alone.chance_of(one, WAY)) for _ in range(64)]
        got = []
        among.chance_of(one, WAY)
        for _ in range(64):
            among.hits_next(among.chance_of(two, WAY))
            among.hits_next(among.chance_of(one, Direction.TO_CLIENT))
            got.append(among.hits_next(among.chance_of(one, WAY)))
        self.assertEqual(got, expected)
        self.assertIs(among.random_of(one, WAY), among.random_of(one, WAY))

    def test_links_that_are_hit(self) -> None:
        """A link is hit or not once and for all."""
        active = self.active(Drop(every=2, first=1))
        links = [link() for _ in range(6)]
        for _ in range(2):
            self.assertEqual([active.hits_link(one, WAY) for one in links], [False, True, False, False, False, False])
        self.assertEqual((active.seen, active.hit), (6, 1))

    def test_links_that_may_be_hit(self) -> None:
        """Whether a link is hit with a probability depends on its own random numbers, in the order of the links."""
        active, same = (self.active(Drop(probability=0.5, seed=3)) for _ in range(2))
        links = [link() for _ in range(16)]
        expected = [same.random_of(one, WAY).random() < 0.5 for one in links]
        self.assertEqual([active.hits_link(one, WAY) for one in links], expected)

    def test_time_and_failures(self) -> None:
        """It knows the time of its clock, and logs one failure of its function only."""
        active = self.active(Drop())
        self.assertEqual(active.now(), 0)
        for _ in range(2):
            active.log_once(Logger(), Failure(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_conditions(self) -> None:
        """A fault concerns a link by its direction and the name of its client."""
        one = link()
        self.assertTrue(self.active(Drop(clients="a*")).concerns(one, WAY))
        self.assertFalse(self.active(Drop(clients="b*")).concerns(one, WAY))
        self.assertFalse(self.active(Drop(direction=Direction.TO_CLIENT)).concerns(one, WAY))
        self.assertTrue(self.active(Drop()).by_message)
