"""Calls about the fleet: a process alone, one that lost its engine, and two nodes at a real one."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted_repeater.redis_fleet import RedisFleet

from ...peers import REPEATER_NAME, World
from ...redis_fleet.engines import EngineCase
from .administered import Process
from .asking import AdminCase

BODY = {"direction": "to_client", "message": {"text": "news"}}


def values(answer: Any) -> dict[str, Any]:
    """Return what each node returned."""
    return {node["node"]: node["value"] for node in answer["nodes"]}


class AloneTests(AdminCase):
    """A process that belongs to no fleet."""

    async def test_shown(self) -> None:
        """It is shown as the only node, with its repeaters."""
        world = await self.start()
        await world.linked("ann")
        world.repeater.drop_new_clients()
        fleet = await self.get("/fleet")
        (node,) = fleet.pop("nodes")
        self.assertEqual(fleet, {"node": "this process", "alone": True, "problem": None})
        repeater = {"name": "edge", "links": 1, "drops_new_clients": True, "draining": False}
        about = {"name": "this process", "own": True, "host": socket.gethostname(), "pid": os.getpid(), "links": 1}
        self.assertEqual(node | {"version": ""}, about | {"version": "", "repeaters": [repeater]})

    async def test_found(self) -> None:
        """A client is found here or nowhere."""
        world = await self.start()
        await world.linked("ann")
        here = {"client": "ann", "found": [{"repeater": "edge", "nodes": ["this process"]}]}
        for query in ("name=ann", "name=ann&repeater=edge"):
            self.assertEqual(await self.get(f"/fleet/clients?{query}"), here)
        self.assertEqual(await self.get("/fleet/clients?name=bob"), {"client": "bob", "found": []})
        self.assertIn("the names are: edge", await self.fails(404, "GET", "/fleet/clients?name=ann&repeater=x"))
        self.assertIn("name", await self.fails(400, "GET", "/fleet/clients"))

    async def test_drained(self) -> None:
        """It can be drained by its name, over the time that the call says."""
        await self.start()
        for body, over in (({"over": 2}, 2.0), ({}, 30.0)):
            answered = await self.ask("POST", "/fleet/nodes/this%20process/drain", body)
            self.assertEqual((answered.status, answered.json["complete"]), (200, True))
            self.assertEqual(self.process.drained_over.pop(), over)
        self.assertIn("no node 'b'", await self.fails(404, "POST", "/fleet/nodes/b/drain", {}))
        self.assertIn("over", await self.fails(400, "POST", "/fleet/nodes/b/drain", {"over": -1}))


class WithoutEngineTests(AdminCase):
    """A node whose engine cannot be asked."""

    async def test_all(self) -> None:
        """It shows itself and the reason; what needs the others fails with it; what it can do alone is done."""
        fleet = RedisFleet("redis://127.0.0.1:1", node="a")
        await self.start(fleet=fleet)
        shown = await self.get("/fleet")
        self.assertEqual((shown["alone"], shown["problem"]), (False, "it is not started"))
        self.assertEqual([(node["name"], node["own"]) for node in shown["nodes"]], [("a", True)])
        self.assertIn("cannot be asked", await self.fails(503, "GET", "/fleet/clients?name=ann"))
        self.assertIn("cannot be asked", await self.fails(503, "POST", "/fleet/nodes/b/drain", {}))
        answered = await self.ask("POST", "/repeaters/edge/drop-new-clients?scope=fleet")
        self.assertEqual(answered.status, 504)
        self.assertEqual([(node["node"], node["done"]) for node in answered.json["nodes"]], [("a", True)])
        self.assertIsNotNone(answered.json["problem"])
        answered = await self.ask("POST", "/fleet/nodes/a/drain", {})
        self.assertEqual((answered.status, self.process.drained_over), (200, [30.0]))


class TwoNodesTests(EngineCase, AdminCase):
    """Two nodes at a real engine; the administration that is asked is that of the first one."""

    async def begin(self) -> tuple[World, World, Process]:
        """Start both nodes, and link ann at the second one; return the worlds, and the process of the second one."""
        engine = self.start_engine()
        worlds = []
        for name in ("b", "a"):
            fleet = RedisFleet(engine.url, node=name)
            self.addCleanup(fleet.stop)
            worlds.append(await self.start(fleet=fleet))
            fleet.start()
            await fleet.when_member()
            if name == "b":
                other = self.process
                self.client, _ = await worlds[0].linked("ann")
        there, here = worlds
        return here, there, other

    async def test_all(self) -> None:
        """Both nodes are shown; a client is found and closed on the other one, which can be drained, too."""
        here, there, other = await self.begin()
        shown = await self.get("/fleet")
        self.assertEqual((shown["node"], shown["alone"], shown["problem"]), ("a", False, None))
        self.assertEqual([(node["name"], node["own"]) for node in shown["nodes"]], [("a", True), ("b", False)])
        repeaters = [each["name"] for node in shown["nodes"] for each in node["repeaters"]]
        self.assertEqual(repeaters, ["edge", REPEATER_NAME])
        found = await self.get("/fleet/clients?name=ann")
        self.assertEqual(found["found"], [{"repeater": "edge", "nodes": ["b"]}])

        answered = await self.ask("POST", "/repeaters/edge/send?scope=fleet", BODY)
        self.assertEqual((answered.status, values(answered.json)), (200, {"a": 0, "b": 1}))
        answered = await self.ask("POST", "/repeaters/edge/clients/ann/send?scope=fleet", BODY)
        self.assertEqual(values(answered.json), {"a": 0, "b": 1})
        await self.client.seen.reach(3)
        self.assertEqual(self.client.seen[1:], [b"news"] * 2)
        answered = await self.ask("POST", "/repeaters/edge/drop-new-clients?scope=fleet&node=b")
        self.assertEqual(values(answered.json), {"b": None})
        self.assertEqual((here.repeater.drops_new_clients, there.repeater.drops_new_clients), (False, True))

        answered = await self.ask("POST", "/repeaters/edge/clients/ann/close?scope=fleet")
        self.assertEqual((answered.status, values(answered.json)), (200, {"a": 0, "b": 1}))
        await self.client.lost()
        answered = await self.ask("POST", "/fleet/nodes/b/drain", {"over": 5})
        self.assertEqual((answered.status, values(answered.json), other.drained_over), (200, {"b": None}, [5.0]))
