"""Calls about repeaters as a whole."""

from __future__ import annotations

from twisted_repeater.service.recording import ServiceRecording

from .administered import Outcome, Running
from .asking import AdminCase

EDGE = "/repeaters/edge"


class ShowTests(AdminCase):
    """The state of repeaters."""

    async def test_summary(self) -> None:
        """Each repeater is there with what it is, and what it has done."""
        world = await self.start()
        client, peer = await world.linked("ann")
        client.send(b"one", b"two")
        await peer.seen.reach(3)
        edge = {
            "name": "edge",
            "dialect": "int32",
            "listen": f"0.0.0.0:{world.repeater.port}",
            "server": "tcp:quotes:1",
            "links": 1,
            "drops_new_clients": False,
            "ready": True,
            "received": {"to_server": {"messages": 2, "bytes": 14}, "to_client": {"messages": 0, "bytes": 0}},
            "held": 0,
            "faults": 0,
            "recording": None,
            "started": self.running.started,
        }
        shown = (await self.get("/repeaters"))["repeaters"]
        edge["listen"] = shown[0]["listen"]
        self.assertEqual(shown, [edge])
        self.assertTrue(str(edge["listen"]).endswith(f":{world.repeater.port}"))
        details = await self.get(EDGE)
        self.assertEqual(details.pop("facts"), {"dialect": "int32", "server": "tcp:quotes:1"})
        limits = details.pop("limits")
        self.assertEqual(
            (limits["close_timeout"], limits["filter_timeout"]), (world.repeater.limits.close_timeout, None)
        )
        self.assertEqual(details, edge)

    async def test_ready(self) -> None:
        """A repeater is not ready for its own reasons, and for those of the process."""
        await self.start()
        other = Running("other", recording=ServiceRecording({"path": "x"}, self.running.metrics, None))
        other.repeater, other.dialect = self.running.repeater, self.running.dialect
        other.facts = {}
        self.process.repeaters["other"] = other
        for reason, ready in (("edge: no port is bound", [False, True]), ("draining", [False, False])):
            self.process.reasons = [reason]
            shown = (await self.get("/repeaters"))["repeaters"]
            self.assertEqual([each["ready"] for each in shown], ready, reason)
        self.assertEqual((shown[1]["dialect"], shown[1]["server"], shown[1]["recording"]), ("int32", "", False))

    async def test_errors(self) -> None:
        """The last errors are there, the newest first."""
        world = await self.start()
        client, _ = await world.linked("ann")
        await (await world.connect(b"\0\0\0\1x")).lost()
        client.abort()
        await world.calls.until(lambda: world.errors)
        newest, oldest = (await self.get(f"{EDGE}/errors"))["errors"][-2:]
        self.assertEqual((newest["link"], newest["client"], newest["side"]), (1, "ann", "client"))
        self.assertIn("Disconnected: ", newest["error"])
        self.assertEqual((oldest["link"], oldest["side"]), (None, None))
        self.assertLessEqual(oldest["time"], newest["time"])


class ChangeTests(AdminCase):
    """Calls that change something."""

    async def test_drop_and_accept(self) -> None:
        """Newcomers are refused, and accepted again."""
        world = await self.start()
        self.assertEqual((await self.ask("POST", f"{EDGE}/drop-new-clients")).json, {"drops_new_clients": True})
        self.assertTrue((await self.get(EDGE))["drops_new_clients"])
        await (await world.connect()).lost()
        self.assertEqual((await self.ask("POST", f"{EDGE}/accept-new-clients")).json, {"drops_new_clients": False})
        await world.linked("ann")

    async def test_drop_in_fleet(self) -> None:
        """Newcomers are refused, and accepted again, by all nodes of the fleet."""
        world = await self.start()
        for call, drops in (("drop", True), ("accept", False)):
            answer = (await self.ask("POST", f"{EDGE}/{call}-new-clients?scope=fleet")).json
            self.assertEqual([node["done"] for node in answer["nodes"]], [True])
            self.assertEqual(world.repeater.drops_new_clients, drops)

    async def test_reload(self) -> None:
        """A reload says for each repeater what has changed, or why nothing has."""
        await self.start()
        for path in ("/reload", f"{EDGE}/reload"):
            self.running.reloads = [Outcome("edge", None, {"filter": "applied", "listen": "restart needed"})]
            reloaded = [{"repeater": "edge", "error": None, "keys": {"filter": "applied", "listen": "restart needed"}}]
            self.assertEqual((await self.ask("POST", path)).json, {"reloaded": reloaded})
            self.running.reloads = [Outcome("edge", "no\nway")]
            answered = await self.ask("POST", path)
            self.assertEqual((answered.status, answered.json["reloaded"][0]["error"]), (409, "no\\nway"))

    async def test_drain(self) -> None:
        """The process is drained."""
        await self.start()
        self.assertEqual((await self.ask("POST", "/drain")).json, {"draining": True})
        self.assertEqual(self.process.drained, 1)

    async def test_get_changes_nothing(self) -> None:
        """A call that changes something cannot be made by GET, as an image in a page of a stranger could."""
        await self.start()
        for path in ("/drain", "/reload", f"{EDGE}/drop-new-clients", f"{EDGE}/accept-new-clients", f"{EDGE}/reload"):
            self.assertEqual(await self.fails(405, "GET", path), "the method must be POST")
        self.assertEqual(self.process.drained, 0)
