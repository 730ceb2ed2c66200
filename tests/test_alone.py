"""A process that belongs to no fleet answers all calls itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import SameName
from twisted_repeater._alone import SHOWN, Alone, unknown_nodes
from twisted_repeater.fleet import Call, FleetAnswer, IEntry, IFleet, NodeAnswer


class Entrant:
    """An entrant that notes what it carries out."""

    same_name = SameName.REFUSE

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.waits: dict[str, Deferred[Any]] = {}

    def info(self) -> Mapping[str, Any]:
        """Return something."""
        return {"links": 3}

    def has_name(self, name: str) -> bool:
        """Have one client."""
        return name == "alice"

    async def carry_out(self, call: Call) -> Any:
        """Return how often it was called, fail, or wait."""
        self.calls.append(call)
        if call.what == "fail":
            raise ValueError("no such thing")
        if call.what in self.waits:
            return await self.waits[call.what]
        return len(self.calls)

    async def contest(self, name: str, timeout: float) -> None:
        """Not used."""

    def name_lost(self, name: str) -> None:
        """Not used."""

    def lease_endangered(self) -> None:
        """Not used."""

    def lease_lost(self) -> None:
        """Not used."""


class AloneTests(SynchronousTestCase):
    """`Alone`: the fleet of a process without others."""

    def setUp(self) -> None:
        """Enter."""
        self.clock = Clock()
        self.fleet = Alone("here", reactor=self.clock)
        self.entrant = Entrant()
        self.entry = self.fleet.enter("repeater:edge", self.entrant)

    def call(self, what: str = "count", **how: Any) -> FleetAnswer:
        """Return the answer to a call that is answered at once."""
        answer: FleetAnswer = self.successResultOf(self.entry.call(Call(what), **{"timeout": 5.0} | how))
        return answer

    def test_provides(self) -> None:
        """It provides the interfaces of a fleet and of an entry; names are unique without it."""
        verifyObject(IFleet, self.fleet)
        verifyObject(IEntry, self.entry)
        self.assertEqual((self.fleet.problem, self.entry.claims), (None, None))

    def test_the_global_reactor(self) -> None:
        """It takes the global reactor if it is given none, and calls its only node this process."""
        self.assertEqual(Alone().node, "this process")

    def test_call(self) -> None:
        """A call is carried out here, and the answer says so."""
        answer = self.call()
        self.assertEqual(answer.nodes, {"here": NodeAnswer("here", 1)})
        self.assertEqual((answer.done, answer.failed, answer.complete), ({"here": 1}, {}, True))

    def test_error(self) -> None:
        """What the entrant raises is the error of the answer."""
        answer = self.call("fail")
        self.assertEqual((answer.done, answer.failed, answer.complete), ({}, {"here": "no such thing"}, False))

    def test_repeated(self) -> None:
        """A call that is repeated with its id is not carried out again, and has the same answer."""
        first = self.call()
        self.assertEqual(self.call(call_id=first.id), first)
        self.assertEqual(len(self.entrant.calls), 1)

    def test_forgets(self) -> None:
        """Of many calls the oldest are forgotten."""
        first = self.call()
        for _ in range(1000):
            self.call()
        self.call(call_id=first.id)
        self.assertEqual(len(self.entrant.calls), 1002)

    def test_late(self) -> None:
        """A call that takes longer than its timeout has an error, and goes on; a repeat of it finds the answer."""
        self.entrant.waits["slow"] = Deferred()
        late = self.entry.call(Call("slow"), timeout=5.0)
        self.clock.advance(5)
        answer = self.successResultOf(late)
        self.assertEqual(answer.failed, {"here": "no answer in time"})
        self.entrant.waits["slow"].callback("done")
        self.assertEqual(self.call(call_id=answer.id).done, {"here": "done"})

    def test_other_nodes(self) -> None:
        """Nodes that do not exist have an error, and this one does only what it is asked for."""
        answer = self.call(nodes=["there"])
        self.assertEqual(answer.failed, {"there": "there is no node 'there': the only node is 'here'"})
        self.assertEqual((answer.nodes["there"].exists, self.entrant.calls), (False, []))
        self.assertEqual(self.call(nodes=["here"]).done, {"here": 1})

    def test_unknown_nodes(self) -> None:
        """The error of a node that does not exist says which there are, but not all of very many."""
        self.assertEqual(unknown_nodes(None, ["a"]), {})
        (few,) = unknown_nodes(["x", "b"], ["b", "a"]).values()
        self.assertEqual(few.error, "there is no node 'x': the nodes are 'a', 'b'")
        (many,) = unknown_nodes(["x"], [f"{number:02}" for number in range(SHOWN + 3)]).values()
        self.assertRegex(str(many.error), "'00', '01', .*'19' and 3 more$")

    def test_holders(self) -> None:
        """A name is here, or nowhere."""
        found = [self.successResultOf(self.entry.holders(name)) for name in ("alice", "bob")]
        self.assertEqual(found, [["here"], []])

    def test_nodes(self) -> None:
        """The only node says what its repeaters say, and what process it is."""
        self.fleet.enter("service", Entrant())
        (node,) = self.successResultOf(self.fleet.nodes())
        self.assertEqual((node.name, node.own, node.repeaters), ("here", True, {"edge": {"links": 3}}))
        self.assertEqual(sorted(node.facts), ["host", "pid", "version"])

    def test_enter_twice(self) -> None:
        """Nobody enters under a name that is taken; when that one has left, somebody can."""
        with self.assertRaisesRegex(ValueError, "'repeater:edge' takes part in the fleet already"):
            self.fleet.enter("repeater:edge", Entrant())
        self.entry.leave()
        self.fleet.enter("repeater:edge", Entrant())
        self.entry.leave()  # a second time, which does nothing more
        with self.assertRaisesRegex(ValueError, "takes part in the fleet already"):
            self.fleet.enter("repeater:edge", Entrant())
