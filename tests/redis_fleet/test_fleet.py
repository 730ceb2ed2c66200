"""A fleet on a real engine, with nodes in this process: names, calls, and what is told of the engine."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from twisted_repeater import DuplicateClient, Limits, SameName, dialects
from twisted_repeater.fleet import Call, IEntry, IFleet, NodeAnswer
from twisted_repeater.redis_fleet import NewcomersWithoutEngine, OnLeaseLost, RedisFleet
from twisted_repeater.redis_fleet._engine import EngineError
from twisted_repeater.redis_fleet._orders import LARGEST, Order
from twisted_repeater.service.service_entrant import ServiceEntrant

from ..peers import LOST, Server, Sockets, World, hello
from .engines import Engine, EngineCase

SHORT: dict[str, Any] = {"lease": 1.0, "timeout": 0.3}
"""Settings of nodes whose engine fails in the test."""


def has_lost_its_lease(fleet: Any) -> bool:
    """Return whether the node of a repeater says so."""
    return "the lease has ended" in (fleet.problem or "")


class FleetCase(EngineCase):
    """A test case with nodes that share a server. ``told`` has what each node was told of the fleet."""

    def setUp(self) -> None:
        """Make no node yet."""
        super().setUp()
        self.server = Server()
        self.told: dict[str, list[str | None]] = {}

    def fleet(self, engine: Engine, node: str, **settings: Any) -> RedisFleet:
        """Make a node, which stops with the test."""
        address = str(settings.pop("address", engine.url))
        told = self.told[node] = []
        fleet = RedisFleet(address, node=node, **{"on_change": told.append} | settings)
        self.addCleanup(fleet.stop)
        return fleet

    async def node(self, engine: Engine, node: str, dialect: Any = None, **settings: Any) -> World:
        """Start a node with a repeater; it ends with the test."""
        fleet = self.fleet(engine, node, **settings)
        fleet.start()
        await fleet.when_member()
        world = World(self, self.server, Sockets())
        self.addCleanup(lambda: Deferred.fromCoroutine(world.tear_down()))
        await world.create(fleet=fleet, dialect=dialect or dialects.int32())
        world.start(on_error=lambda link, side, error: link.close())
        return world

    async def two(self, same_name: SameName = SameName.REFUSE, **settings: Any) -> tuple[Engine, World, World]:
        """Start an engine and two nodes."""
        engine = self.start_engine()
        dialect = dialects.int32().changed(same_name=same_name)
        here, there = [await self.node(engine, node, dialect, **settings) for node in ("a", "b")]
        return engine, here, there

    async def refused(self, world: World, name: str) -> Any:
        """Connect a client that is refused, and return why."""
        before = len(world.refusals)
        client = await world.connect(hello(name))
        await world.refused(before + 1)
        await client.lost()
        return world.refusal


class NodeTests(FleetCase):
    """A node: how it begins, what it tells, how it ends."""

    async def test_provides(self) -> None:
        """It provides the interfaces of a fleet and of an entry, and says what it is."""
        engine = self.start_engine()
        world = await self.node(engine, "a", name="edge")
        fleet: Any = world.repeater.fleet._fleet
        verifyObject(IFleet, fleet)
        verifyObject(IEntry, world.repeater._entry)
        self.assertEqual(repr(fleet), f"<node a of the fleet edge at redis://127.0.0.1:{engine.port}/0>")

    async def test_wrong_arguments(self) -> None:
        """An address that is none, and a policy that is none, are refused at once."""
        cases: list[tuple[str, dict[str, Any]]] = [
            ("must begin with redis://", {"address": "http://x"}),
            ("perhaps", {"on_lease_lost": "perhaps"}),
        ]
        for wrong, settings in cases:
            with self.assertRaisesRegex(ValueError, wrong):
                RedisFleet(**{"address": "redis://127.0.0.1", **settings})

    async def test_start(self) -> None:
        """It is a member when `when_member` has fired; before, it says why not; after `stop`, too."""
        fleet = self.fleet(self.start_engine(), "a")
        self.assertEqual(fleet.problem, "it is not started")
        fleet.start()
        started, cancelled = fleet.when_member(), fleet.when_member()
        cancelled.addErrback(lambda failure: None)
        cancelled.cancel()
        await started
        await fleet.when_member()
        self.assertEqual((fleet.problem, self.told["a"]), (None, [None]))
        await fleet.stop()
        self.assertEqual(fleet.problem, "it was stopped")

    async def test_start_twice(self) -> None:
        """To start twice is to start once; what was stopped is not started again, and no connection is left."""
        engine = self.start_engine()
        fleet, unused = self.fleet(engine, "a"), self.fleet(engine, "b")
        for _ in range(2):
            fleet.start()
        await fleet.when_member()
        for each in (fleet, unused):
            await each.stop()
            with self.assertRaisesRegex(RuntimeError, "make another one"):
                each.start()
            with self.assertRaisesRegex(RuntimeError, "was stopped"):
                await each.when_member()
        await self.until(lambda: engine.ask("INFO", "clients")["connected_clients"] == 1)  # that of the question

    async def test_stopped_before(self) -> None:
        """Whoever waits until a node is a member is told if it is stopped before, and nobody can enter it then."""
        engine = self.start_engine()
        engine.kill()
        fleet = self.fleet(engine, "a")
        fleet.start()
        waiting = [fleet.when_member(), fleet.when_member()]
        await self.until(lambda: "refused" in str(fleet.problem))
        await fleet.stop()
        for each in waiting:
            with self.assertRaisesRegex(RuntimeError, "stopped before this node was a member"):
                await each
        world = World(self, self.server, Sockets())
        self.addCleanup(lambda: Deferred.fromCoroutine(world.tear_down()))
        with self.assertRaisesRegex(RuntimeError, "nobody can take part"):
            await world.create(fleet=fleet)

    def cancel(self, waiting: Deferred[None], told: object) -> None:
        """Cancel what somebody waits for, when another one is told."""
        waiting.cancel()

    def test_cancelled_when_told(self) -> None:
        """Whoever hears that a node is a member, or is stopped before, may cancel what others wait for."""
        for end in (RedisFleet.usable, RedisFleet.stop):
            fleet = RedisFleet("redis://127.0.0.1", reactor=Clock())
            first, second = fleet.when_member(), fleet.when_member()
            first.addBoth(partial(self.cancel, second))
            end(fleet)
            self.failureResultOf(second, CancelledError)

    async def test_leave_twice(self) -> None:
        """To leave twice does nothing more, also if another one has entered under the name meanwhile."""
        fleet = RedisFleet("redis://127.0.0.1", reactor=Clock())
        first = fleet.enter("service", ServiceEntrant(print))
        first.leave()
        fleet.enter("service", ServiceEntrant(print))
        first.leave()
        with self.assertRaisesRegex(ValueError, "takes part in the fleet already"):
            fleet.enter("service", ServiceEntrant(print))

    async def test_engine_lost(self) -> None:
        """It is told that the engine is lost, and once that it is back; a callback that fails does no harm."""
        engine = self.start_engine()

        def fail(problem: str | None) -> None:
            self.told["b"].append(problem)
            raise RuntimeError("not now")

        with capturedLogs() as logs:
            nodes = [self.fleet(engine, "a", **SHORT), self.fleet(engine, "b", on_change=fail, **SHORT)]
            for node in nodes:
                node.start()
                await node.when_member()
            engine.kill()
            await self.until(lambda: all(node.problem for node in nodes))
            engine.restart()
            for node in nodes:
                await node.when_member()
        for told in self.told.values():
            self.assertEqual((told[-1], None in told[:-1]), (None, True))
            self.assertTrue(all(problem != following for problem, following in pairwise(told)), told)
        self.assertEqual({str(event["log_failure"].value) for event in logs if "log_failure" in event}, {"not now"})
        self.assertGreater(len(self.flushLoggedErrors(RuntimeError)), 0)

    async def test_nodes(self) -> None:
        """Each node sees all, with what their repeaters say, and which is its own."""
        *_, there = await self.two()
        await there.linked("alice")
        nodes = await there.repeater.fleet.nodes()
        self.assertEqual([(node.name, node.own) for node in nodes], [("a", False), ("b", True)])
        self.assertEqual(nodes[1].repeaters["edge-1"]["links"], 1)
        self.assertEqual(sorted(nodes[0].facts), ["host", "pid", "version"])

    def test_told_once(self) -> None:
        """What is wrong is told when it begins, not each time it is found again."""
        told: list[str | None] = []
        fleet = RedisFleet("redis://127.0.0.1", on_change=told.append, reactor=Clock())
        for why in ("no route", "no route", "refused"):
            fleet.unusable(why)
        self.assertEqual((told, fleet.problem), (["no route", "refused"], "refused"))
        fleet._node.connection.problem = "the lease has ended"
        fleet.unusable("the lease has ended")
        fleet.lost()
        self.assertEqual(told[2:], ["the lease has ended"])

    async def test_enter_twice(self) -> None:
        """Two repeaters of a process cannot have the same name in a fleet."""
        engine = self.start_engine()
        world = await self.node(engine, "a")
        with self.assertRaisesRegex(ValueError, "'repeater:edge-1' takes part in the fleet already"):
            await world.create(fleet=world.repeater.fleet._fleet)


class NameTests(FleetCase):
    """Names across two nodes."""

    async def test_refuse(self) -> None:
        """A name that a client of another node has is refused, and free when that link has ended."""
        _, here, there = await self.two()
        alice, _ = await here.linked("alice")
        self.assertEqual(await here.repeater.fleet.find("alice"), ["a"])
        self.assertIsInstance(await self.refused(there, "alice"), DuplicateClient)
        alice.close()
        await self.nothing_left(here.repeater)
        await there.linked("alice")
        self.assertEqual(await here.repeater.fleet.find("alice"), ["b"])

    async def test_replace(self) -> None:
        """A newcomer at another node takes a name over: the older link is closed for that reason first."""
        _, here, there = await self.two(SameName.REPLACE)
        older, peer = await here.linked("alice")
        newer, newer_peer = await there.linked("alice")
        self.assertIn("lost", peer.seen)
        await older.lost()
        await there.still_relays(newer, newer_peer)

    async def test_share(self) -> None:
        """Clients of several nodes can share a name, and it is known which nodes have any."""
        _, here, there = await self.two(SameName.SHARE)
        pairs = [(here, await here.linked("all")), (there, await there.linked("all"))]
        self.assertEqual(await here.repeater.fleet.find("all"), ["a", "b"])
        for world, (client, peer) in pairs:
            await world.still_relays(client, peer)

    async def test_odd_names(self) -> None:
        """A name may be whatever a client says."""
        _, here, there = await self.two()
        for name in ("a:b", "{x}", "\u00fc|", "\U0001f600"):
            await here.linked(name)
            self.assertIsInstance(await self.refused(there, name), DuplicateClient)

    async def test_a_node_that_stops(self) -> None:
        """The names of a node that has stopped are free at once."""
        _, here, there = await self.two()
        await here.linked("alice")
        fleet: Any = here.repeater.fleet._fleet
        await here.repeater.shutdown()
        await fleet.stop()
        await there.linked("alice")

    async def test_stopped_with_links(self) -> None:
        """If a node stops before its repeaters do, links that have a name end with `close`; with `keep` they stay."""
        for policy in OnLeaseLost:
            world = await self.node(self.start_engine(), "a", on_lease_lost=policy, **SHORT)
            client, peer = await world.linked("alice")
            fleet: Any = world.repeater.fleet._fleet
            await fleet.stop()
            if policy is OnLeaseLost.CLOSE:
                await client.lost()
            else:
                await world.still_relays(client, peer)
            await world.repeater.shutdown()
            self.assertEqual(fleet._claims._names, {})

    async def test_not_started(self) -> None:
        """Newcomers of a fleet that nobody has started wait; when it is stopped, they are refused at once."""
        fleet = self.fleet(self.start_engine(), "a")
        world = World(self, self.server, Sockets())
        self.addCleanup(lambda: Deferred.fromCoroutine(world.tear_down()))
        await world.create(fleet=fleet, limits=Limits(hello_timeout=0.1))
        world.start()
        self.assertRegex(str(await self.refused(world, "alice")), "cannot be asked for the name: it is not started")
        world.set_limits(hello_timeout=60.0)
        await world.connect(hello("bob"))
        await self.until(lambda: fleet._claims._waiting)
        await fleet.stop()
        await world.refused(2)
        for number, name in ((3, "carol"), (4, "bob")):
            await world.connect(hello(name))
            await world.refused(number)
            self.assertRegex(str(world.refusal), "cannot be asked for the name: it was stopped")

    async def test_lease_lost(self) -> None:
        """With `close` all links that have a name end before the lease does; with `keep` they go on."""
        for policy in OnLeaseLost:
            engine = self.start_engine()
            world = await self.node(engine, "a", on_lease_lost=policy, **SHORT)
            client, peer = await world.linked("alice")
            engine.kill()
            fleet: Any = world.repeater.fleet
            await self.until(partial(has_lost_its_lease, fleet))
            if policy is OnLeaseLost.CLOSE:
                await client.lost()
            else:
                await world.still_relays(client, peer)

    async def test_woken(self) -> None:
        """What a node reads after its lease has ended is not relayed with `close`, whatever its timers do."""
        for policy in OnLeaseLost:
            world = await self.node(self.start_engine(), "a", on_lease_lost=policy, **SHORT)
            client, peer = await world.linked("alice")
            await world.still_relays(client, peer)
            count = len(peer.seen)
            fleet: Any = world.repeater.fleet._fleet
            fleet._node._valid_until = fleet._node._looks_at = float("-inf")  # as for a process that stood still
            client.send(b"late")
            if policy is OnLeaseLost.CLOSE:
                await client.lost()
                await peer.lost()
                self.assertEqual(peer.seen[count:], [LOST])
            else:
                await world.still_relays(client, peer)

    async def test_lost(self) -> None:
        """A client's link is closed when the engine says that another node has got its name."""
        world = await self.node(self.start_engine(), "a")
        client, _ = await world.linked("alice")
        fleet: Any = world.repeater.fleet._fleet
        ((key, name),) = fleet._claims._names.items()
        await fleet._handle(Order("lost", {"key": key, "fence": name.fence}, b""))
        await client.lost()

    async def test_names_of_nobody(self) -> None:
        """A name whose repeater this node does not have, any more, is given up without any ado."""
        fleet = RedisFleet("redis://127.0.0.1", reactor=Clock())
        await fleet._handle(Order("contest", {"key": "name:repeater%3Aedge:alice", "within": 1.0}, b""))
        fleet._name_lost("name:repeater%3Aedge:alice")

    async def test_two_holders(self) -> None:
        """If two nodes have linked a name while they could not ask, one link is closed when they can again."""
        engine = self.start_engine()
        wire = await self.start_wire(engine)
        settings: dict[str, Any] = {"newcomers": NewcomersWithoutEngine.ALONE} | SHORT
        here = await self.node(engine, "a", **settings)
        there = await self.node(engine, "b", address=wire.address, **settings)
        older, peer = await here.linked("alice")
        wire.down()
        await self.until(lambda: there.repeater.fleet.problem)
        younger, _ = await there.linked("alice")
        wire.mend()
        await younger.lost()
        await here.still_relays(older, peer)


class CallTests(FleetCase):
    """Calls across two nodes."""

    async def test_to_all(self) -> None:
        """All clients of all nodes get a broadcast once, and the answer says how many each node has."""
        _, here, there = await self.two()
        clients = [(await here.linked("alice"))[0], (await there.linked("bob"))[0], (await there.linked("carol"))[0]]
        answer = await here.repeater.fleet.send_to_all_clients(b"news")
        self.assertEqual(answer.done, {"a": 1, "b": 2})
        self.assertEqual(await here.repeater.fleet.send_to_all_clients(b"news", call_id=answer.id), answer)
        await here.repeater.fleet.send_to_all_clients(b"end")
        for client in clients:
            await client.seen.holds(b"end")
            self.assertEqual(client.seen[1:], [b"news", b"end"])

    async def test_too_large(self) -> None:
        """What is too large for other nodes is not done here, either; this node alone may do it."""
        _, here, _ = await self.two()
        client, _ = await here.linked("alice")
        fleet, large = here.repeater.fleet, bytes(LARGEST + 1)
        with self.assertRaisesRegex(ValueError, "at most"):
            await fleet.send_to_all_clients(large)
        await fleet.send_to_all_clients(b"end")
        await client.seen.holds(b"end")
        self.assertEqual([len(message) for message in client.seen[1:]], [3])
        self.assertEqual((await fleet.send_to_all_clients(large, nodes=["a"])).done, {"a": 1})

    async def test_order(self) -> None:
        """Calls of one node are done in their order by all."""
        _, here, there = await self.two()
        client, _ = await there.linked("bob")
        messages = [b"%d" % number for number in range(50)]
        for message in messages:
            here.repeater.fleet.send_to_all_clients(message)
        await client.seen.reach(51)
        self.assertEqual(client.seen[1:], messages)

    async def test_some_nodes(self) -> None:
        """Only the nodes that are named do it; for one that does not exist there is an error; the rest can follow."""
        _, here, there = await self.two()
        clients = [(await world.linked(name))[0] for world, name in ((here, "alice"), (there, "bob"))]
        fleet = here.repeater.fleet
        answer = await fleet.send_to_all_clients(b"news", nodes=["b", "c"])
        self.assertEqual(answer.done, {"b": 1})
        self.assertEqual(answer.failed, {"c": "there is no node 'c': the nodes are 'a', 'b'"})
        self.assertEqual([node.exists for node in answer.nodes.values()], [True, False])
        rest = await fleet.send_to_all_clients(b"news", call_id=answer.id)
        self.assertEqual(rest.done, {"a": 1, "b": 1})
        await fleet.send_to_all_clients(b"end")
        for client in clients:
            await client.seen.holds(b"end")
            self.assertEqual(client.seen[1:], [b"news", b"end"])

    async def test_errors(self) -> None:
        """A node that has no such repeater, or knows no such call, answers with an error."""
        engine, here, _ = await self.two()
        third = self.fleet(engine, "c")
        third.start()
        await third.when_member()
        entry: Any = here.repeater._entry
        answer = await entry.call(Call("dance"), timeout=5.0)
        self.assertEqual(answer.nodes["c"], NodeAnswer("c", error="this node has no repeater edge-1"))
        self.assertIn("knows no call 'dance'", answer.failed["a"])
        self.assertIn("knows no call 'dance'", answer.failed["b"])

    async def test_an_unknown_order(self) -> None:
        """An order of a later version is answered with an error."""
        _, here, _ = await self.two()
        orders = here.repeater.fleet._fleet._orders  # type: ignore[attr-defined]
        (answer,) = await orders.call("dance", {}, timeout=5.0)
        self.assertIn("knows no order 'dance'", answer.error)

    async def test_without_engine(self) -> None:
        """If the engine cannot be asked, this node does its part, and the answer says if others were to be asked."""
        engine, here, _ = await self.two(**SHORT)
        engine.kill()
        await self.until(lambda: here.repeater.fleet.problem)
        answer = await here.repeater.fleet.drop_new_clients()
        self.assertEqual((answer.done, answer.complete), ({"a": None}, False))
        self.assertTrue(answer.problem)
        self.assertTrue((await here.repeater.fleet.accept_new_clients(nodes=["a"])).complete)
        for question in (here.repeater.fleet.nodes(), here.repeater.fleet.find("alice")):
            with self.assertRaises(EngineError):
                await question
