"""Calls about links."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import PASS_ON
from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import WrongVerdict
from twisted_repeater.service.admin import links as admin
from twisted_repeater.service.admin.links import LinksQuery

from ...peers import Server, turn
from .asking import AdminCase

LINKS = "/repeaters/edge/links"


class ShowTests(AdminCase):
    """The state of links."""

    async def links(self, query: str = "") -> dict[str, Any]:
        """Return the links by their client's name."""
        return {link["client"]: link for link in (await self.get(LINKS + query))["links"]}

    async def test_links(self) -> None:
        """Each link is there with its ends, and with what went each way."""
        world = await self.start()
        client, peer = await world.linked("ann")
        client.send(b"one", b"two")
        await peer.seen.reach(3)
        here, there = client.transport.getHost(), world.server_port.getHost()
        way = {"waiting_bytes": 0, "behind_bytes": 0, "stopped": False, "awaits": None}
        ann = {
            "id": 1,
            "client": "ann",
            "client_address": f"127.0.0.1:{here.port}",
            "server": "quotes",
            "server_address": f"127.0.0.1:{there.port}",
            "state": "active",
            "made": self.running.errors.made(world.repeater.links()[0]),
            "held": False,
            "last_error": None,
            "to_server": {"messages": 2, "bytes": 14, **way},
            "to_client": {"messages": 0, "bytes": 0, **way},
        }
        self.assertEqual(await self.get(LINKS), {"links": [ann], "total": 1})
        self.assertEqual(await self.get(f"{LINKS}/1"), ann)
        self.assertTrue(self.running.started - 1 < float(str(ann["made"])))
        self.assertIn("no link 2;", await self.fails(404, "GET", f"{LINKS}/2"))
        self.assertIn("'elsewhere'; the names are: edge", await self.fails(404, "GET", "/repeaters/elsewhere/links"))

    async def test_page_by_page(self) -> None:
        """A window of the links can be asked for, by the client's name, and each window has the number of all."""
        world = await self.start()
        self.assertEqual(await self.get(LINKS), {"links": [], "total": 0})
        names = ["ann", "bob", "anna", "dan", "annette"]
        for name in names:
            await world.linked(name)
        self.assertEqual(list(await self.links()), names)
        for query, clients, total in (
            ("limit=2", ["ann", "bob"], 5),
            ("limit=2&after=2", ["anna", "dan"], 5),
            ("after=4", ["annette"], 5),
            ("client=ann*&limit=2", ["ann", "anna"], 3),
            ("client=nobody", [], 0),
        ):
            page = await self.get(f"{LINKS}?{query}")
            self.assertEqual(([link["client"] for link in page["links"]], page["total"]), (clients, total), query)
        for query in (
            "limit=0",
            "limit=10001",
            "limit=x",
            "after=-1",
            "client=" + "x" * 257,
            "clients=ann",
            "limit=1&limit=2",
        ):
            self.assertIn("query", await self.fails(400, "GET", f"{LINKS}?{query}"))
        answered = await self.ask("HEAD", LINKS)
        self.assertEqual((answered.status, answered.body), (200, b""))

    async def test_ended_meanwhile(self) -> None:
        """A link that ends while the answer is written is left out."""
        world = await self.start()
        for name in ("ann", "bob", "eve"):
            await world.linked(name)
        pieces = admin._links(self.running, LinksQuery(client="[ae]*"))
        written = [next(pieces), next(pieces)]
        link = world.repeater.link("eve")
        assert link is not None
        pair_of(link).force()
        await pair_of(link).when_over()
        written += pieces
        answer = json.loads(b"".join(written))
        self.assertEqual(([link["client"] for link in answer["links"]], answer["total"]), (["ann"], 1))

    async def test_states(self) -> None:
        """A link that has lost a side, finishes, or closes is told apart, with its last error."""
        verdict: Deferred[Any] = Deferred()
        world = await self.start(
            on_error=lambda link, side, error: link.finish() if link.client_name == "bob" else None,
            to_server_filter=lambda message, link: verdict,
            server=Server(half_close=True),
        )
        for name in ("ann", "bob", "eve"):
            await world.linked(name, half_close=True)
        ann, bob, eve = world.clients
        ann.end_stream()
        bob.end_stream()
        eve.send(b"one", b"two")
        await world.calls.until(lambda: len(world.errors) == 2)
        while not (await self.links())["eve"]["to_server"]["behind_bytes"]:
            await turn()
        world.repeater.close_connection_from_client("eve")
        links = await self.links()
        states = {name: link["state"] for name, link in links.items()}
        self.assertEqual(states, {"ann": "half gone", "bob": "finishing", "eve": "closing"})
        self.assertIn("Disconnected: ", links["ann"]["last_error"])
        self.assertEqual(
            (links["eve"]["to_server"]["awaits"], links["eve"]["to_server"]["behind_bytes"]), ("filter", 7)
        )
        verdict.cancel()
        self.flushLoggedErrors()

    async def test_held_message(self) -> None:
        """A lane whose message is held says so."""
        world = await self.start()
        client, _ = await world.linked("ann")
        verdict: Deferred[Any] = Deferred()
        hold = world.repeater.hold(lambda message: verdict)
        client.send(b"one")
        while (await self.links())["ann"]["to_server"]["awaits"] is None:
            await turn()
        self.assertEqual((await self.links())["ann"]["to_server"]["awaits"], "hold")
        hold.stop()
        verdict.callback(PASS_ON)

    async def test_stopped(self) -> None:
        """A link that the application lets stand when a filter has failed says so, and in which direction."""
        world = await self.start(to_server_filter=lambda message, link: None, on_error=lambda *arguments: None)
        client, _ = await world.linked("ann")
        client.send(b"one")
        await world.calls.until(lambda: world.errors)
        self.flushLoggedErrors(WrongVerdict)
        ann = (await self.links())["ann"]
        stopped = (ann["to_server"]["stopped"], ann["to_client"]["stopped"])
        self.assertEqual((ann["state"], stopped), ("stopped", (True, False)))


class ChangeTests(AdminCase):
    """Calls that change links."""

    async def test_close(self) -> None:
        """A link is closed by its id; others stay."""
        world = await self.start()
        ann, _ = await world.linked("ann")
        bob, peer = await world.linked("bob")
        self.assertEqual((await self.ask("POST", f"{LINKS}/1/close")).json, {"links": 1})
        await ann.lost()
        await world.still_relays(bob, peer)

    async def test_hold(self) -> None:
        """Nothing is read from the client of a link on hold until it is resumed."""
        world = await self.start()
        client, peer = await world.linked("ann")
        self.assertEqual((await self.ask("POST", f"{LINKS}/1/hold")).json, {"links": 1})
        client.send(b"one")
        self.assertTrue((await self.get(f"{LINKS}/1"))["held"])
        self.assertEqual(len(peer.seen), 1)
        self.assertEqual((await self.ask("POST", f"{LINKS}/1/resume")).json, {"links": 1})
        await peer.seen.reach(2)
        self.assertFalse((await self.get(f"{LINKS}/1"))["held"])
