"""Calls about clients by their names."""

from __future__ import annotations

from urllib.parse import quote

from .asking import AdminCase

CLIENTS = "/repeaters/edge/clients"


class ClientTests(AdminCase):
    """Showing clients, closing their links, and holding what they send."""

    async def test_names(self) -> None:
        """All links of a client are closed; names of any characters can be given, percent-encoded."""
        world = await self.start()
        for name in ("a/b c", "zażółć", "50%\n", ".."):
            client, _ = await world.linked(name)
            path = f"{CLIENTS}/{quote(name, safe='').replace('.', '%2E')}/close"
            self.assertEqual((await self.ask("POST", path)).json, {"links": 1})
            await client.lost()
        for call in ("close", "hold", "resume"):
            self.assertEqual(await self.fails(404, "POST", f"{CLIENTS}/ann/{call}"), "no client 'ann' is linked")

    async def test_hold(self) -> None:
        """Nothing is read from a client on hold until it is resumed."""
        world = await self.start()
        client, peer = await world.linked("ann")
        self.assertEqual((await self.ask("POST", f"{CLIENTS}/ann/hold")).json, {"links": 1})
        client.send(b"one")
        (link,) = (await self.get("/repeaters/edge/links"))["links"]
        self.assertTrue(link["held"])
        self.assertEqual(len(peer.seen), 1)
        self.assertEqual((await self.ask("POST", f"{CLIENTS}/ann/resume")).json, {"links": 1})
        await peer.seen.reach(2)

    async def test_shown(self) -> None:
        """The names of clients are shown, as many as are asked for, of this node or of the nodes of the fleet."""
        world = await self.start()
        for name in ("ann", "bob"):
            await world.linked(name)
        self.assertEqual(await self.get(CLIENTS), {"clients": ["ann", "bob"]})
        self.assertEqual(await self.get(f"{CLIENTS}?limit=1"), {"clients": ["ann"]})
        (node,) = (await self.get(f"{CLIENTS}?scope=fleet&limit=1"))["nodes"]
        self.assertEqual(node, {"node": "this process", "done": True, "value": ["ann"], "error": None})

    async def test_close_in_fleet(self) -> None:
        """A client is closed on whichever node it is; if no node has it that is an error."""
        world = await self.start()
        client, _ = await world.linked("ann")
        (node,) = (await self.ask("POST", f"{CLIENTS}/ann/close?scope=fleet")).json["nodes"]
        self.assertEqual((node["done"], node["value"]), (True, 1))
        await client.lost()
        error = await self.fails(404, "POST", f"{CLIENTS}/bob/close?scope=fleet")
        self.assertEqual(error, "no node has a client 'bob'")
