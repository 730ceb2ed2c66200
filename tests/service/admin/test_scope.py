"""Calls that are done by all nodes of the fleet, and what each of them did."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.errors import MarshalingError
from twisted_repeater.fleet import FleetAnswer, NodeAnswer
from twisted_repeater.service.admin.answers import Answer, ApiError
from twisted_repeater.service.admin.routes import Call
from twisted_repeater.service.admin.scope import ScopeQuery, fleet_answer, is_fleet_wide, on_fleet

from .asking import AdminCase

DROP = "/repeaters/edge/drop-new-clients"


def call_of(**query: Any) -> Call[ScopeQuery, None]:
    """Return a call with a query."""
    nothing: Any = None
    return Call(nothing, nothing, {}, ScopeQuery(**query), None)


class OutcomeTests(SynchronousTestCase):
    """What is answered."""

    def answer(self, *nodes: NodeAnswer, problem: str | None = None, nobody: str = "") -> Answer:
        """Return what is answered if the nodes have answered so."""
        answer = FleetAnswer("c1", {node.node: node for node in nodes}, problem)
        done: Deferred[FleetAnswer] = Deferred()
        answered = on_fleet(call_of(scope="fleet"), lambda **named: done, nobody=nobody)
        done.callback(answer)
        return self.successResultOf(answered)

    def test_complete(self) -> None:
        """If each node did it, the status is 200; the nodes stand in the order of their names."""
        answer = self.answer(NodeAnswer("b", 2), NodeAnswer("a", 0), nobody="nobody has it")
        content: Any = answer.content
        self.assertEqual((answer.status, content.complete), (200, True))
        self.assertEqual(
            [(node.node, node.done, node.value) for node in content.nodes], [("a", True, 0), ("b", True, 2)]
        )

    def test_not_complete(self) -> None:
        """If a node did not do it, or others could not be asked, the status is 504 and the id is there."""
        answer = self.answer(NodeAnswer("a", 1), NodeAnswer("b", error="no\x1b way"))
        content: Any = answer.content
        self.assertEqual((answer.status, content.id, content.complete), (504, "c1", False))
        self.assertEqual((content.nodes[1].done, content.nodes[1].error), (False, "no\\x1b way"))
        answer = self.answer(NodeAnswer("a", 0), problem="no engine", nobody="nobody has it")
        content = answer.content
        self.assertEqual((answer.status, content.problem), (504, "no engine"))

    def test_nobody(self) -> None:
        """If all nodes have answered that they had nothing to do, a call may be an error."""
        refusal = self.assertRaises(ApiError, fleet_answer, FleetAnswer("c1", {"a": NodeAnswer("a", 0)}), "nobody")
        self.assertEqual((refusal.status, refusal.error), (404, "nobody"))

    def test_nobody_asked(self) -> None:
        """If nothing was done because the fleet could not be asked, the status is 503."""
        refusal = self.assertRaises(ApiError, fleet_answer, FleetAnswer("c1", {}, "no\x1b engine"))
        self.assertEqual((refusal.status, refusal.error), (503, "the fleet cannot be asked: no\\x1b engine"))

    def test_failed(self) -> None:
        """If the fleet cannot be asked the status is 503; 422 if it is the message that cannot be sent."""
        errors: list[tuple[Exception, int]] = [
            (OSError("no engine"), 503),
            (MarshalingError("too long"), 422),
            (ValueError("too large for other nodes"), 422),
        ]
        for error, status in errors:
            answered = on_fleet(call_of(scope="fleet"), lambda error=error, **named: fail(error))
            refusal: Any = self.failureResultOf(answered, ApiError).value
            self.assertEqual(refusal.status, status)
            self.assertIn(str(error), refusal.error)

    def test_arguments(self) -> None:
        """The node, the id and the timeout are those of the query."""
        asked: list[Any] = []

        def method(*arguments: Any, **named: Any) -> Deferred[FleetAnswer]:
            asked.append((arguments, named))
            return Deferred()

        on_fleet(call_of(scope="fleet"), method, "ann")
        on_fleet(call_of(scope="fleet", node="b", id="c1", timeout=2.0), method, most=3)
        self.assertEqual(asked[0], (("ann",), {"timeout": 5.0, "nodes": None, "call_id": None}))
        self.assertEqual(asked[1], ((), {"timeout": 2.0, "nodes": ["b"], "call_id": "c1", "most": 3}))

    def test_node_only(self) -> None:
        """What belongs to a call of the fleet is refused in a call for this node."""
        self.assertFalse(is_fleet_wide(call_of()))
        self.assertTrue(is_fleet_wide(call_of(scope="fleet", node="b", id="c1")))
        for query in ({"node": "b"}, {"id": "c1"}):
            error = self.assertRaises(ApiError, is_fleet_wide, call_of(**query))
            self.assertEqual(error.status, 400)


class ServedTests(AdminCase):
    """How it is served."""

    async def test_once(self) -> None:
        """A call that is repeated with its id is not done again."""
        world = await self.start()
        first = (await self.ask("POST", f"{DROP}?scope=fleet")).json
        world.repeater.accept_new_clients()
        again = (await self.ask("POST", f"{DROP}?scope=fleet&id={first['id']}")).json
        self.assertEqual(again, first)
        self.assertFalse(world.repeater.drops_new_clients)

    async def test_no_such_node(self) -> None:
        """If there is no such node, that is said at once, and which there are."""
        await self.start()
        error = await self.fails(404, "POST", f"{DROP}?scope=fleet&node=x")
        self.assertEqual(error, "there is no node 'x': the only node is 'this process'")

    async def test_wrong(self) -> None:
        """A query that makes no sense is refused, and so is a call without the token."""
        await self.start(token="OpenSesame")
        login = {"authorization": "Bearer OpenSesame"}
        for query in ("scope=all", "scope=fleet&timeout=26", "scope=fleet&timeout=0", "scope=fleet&id=a%20b", "node=x"):
            self.assertIn("the query is wrong", await self.fails(400, "POST", f"{DROP}?{query}", **login))
        await self.fails(401, "POST", f"{DROP}?scope=fleet")
