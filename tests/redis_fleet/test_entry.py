"""The part of one entrant: its name goes with all that it asks of the fleet."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.fleet import Call, FleetAnswer, IEntry
from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet._entry import RedisEntry


class FakeFleet:
    """A fleet, and its claims, that record what they are asked for."""

    fence = staticmethod(bool)

    def __init__(self, same_name: SameName) -> None:
        self.same_name = same_name
        self.asked: list[tuple[Any, ...]] = []

    async def call(self, *asked: Any) -> FleetAnswer:
        """Record a call."""
        self.asked.append(asked)
        return FleetAnswer(asked[-1], {})

    async def holders(self, *asked: Any) -> list[str]:
        """Record a question."""
        self.asked.append(asked)
        return ["a"]

    async def claim(self, *asked: Any) -> None:
        """Record a claim."""
        self.asked.append(asked)

    def release(self, *asked: Any) -> None:
        """Record a release, or that the entrant leaves."""
        self.asked.append(asked)

    leave = release


class EntryTests(SynchronousTestCase):
    """What it asks for."""

    def entry(self, same_name: SameName) -> RedisEntry:
        """Return the entry of an entrant."""
        fleet: Any = FakeFleet(same_name)
        self.fleet = fleet
        return RedisEntry(fleet, "repeater:edge 1", fleet, fleet)

    def test_names(self) -> None:
        """The key of a name has the entrant's name, and says whether several may have it."""
        for same_name, kind in ((SameName.REFUSE, "name"), (SameName.REPLACE, "name"), (SameName.SHARE, "shared")):
            entry = self.entry(same_name)
            self.successResultOf(Deferred.fromCoroutine(entry.claim("ann", 5.0)))
            entry.release("ann")
            self.assertEqual(self.successResultOf(entry.holders("ann")), ["a"])
            key = f"{kind}:repeater%3Aedge%201:ann"
            both = ["name:repeater%3Aedge%201:ann", "shared:repeater%3Aedge%201:ann"]
            self.assertEqual(self.fleet.asked, [(key, same_name, 5.0), (key,), (both,)])

    def test_calls(self) -> None:
        """A call has an id of its own, unless it repeats another one."""
        entry, call = self.entry(SameName.REFUSE), Call("drop")
        answers = [entry.call(call, timeout=5.0), entry.call(call, timeout=6.0, nodes=["a"], call_id="c1")]
        first, second = [self.successResultOf(answer).id for answer in answers]
        self.assertEqual(self.fleet.asked[0], ("repeater:edge 1", call, 5.0, None, first))
        self.assertEqual(self.fleet.asked[1], ("repeater:edge 1", call, 6.0, ["a"], "c1"))
        self.assertEqual((len(first), second), (16, "c1"))

    def test_leaves(self) -> None:
        """It leaves by its name; until then it has the fence of the fleet."""
        entry = self.entry(SameName.REFUSE)
        verifyObject(IEntry, entry)
        self.assertIs(entry.claims, entry)
        self.assertIs(entry.fence, bool)
        entry.leave()
        self.assertEqual(self.fleet.asked, [("repeater:edge 1", self.fleet)])
