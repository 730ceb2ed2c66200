"""Messages of one's own, over HTTP."""

from __future__ import annotations

from typing import Any

from twisted_repeater.service.admin import sending

from .asking import AdminCase

EDGE = "/repeaters/edge"

TO_SERVER = {"direction": "to_server", "message": {"text": "one"}}
TO_CLIENT = {"direction": "to_client", "message": {"text": "two"}}


class SendTests(AdminCase):
    """Messages of one's own."""

    async def begin(self) -> tuple[Any, Any]:
        """Link a client; return both peers."""
        world = await self.start()
        return await world.linked("ann")

    async def does(self, path: str, body: object) -> Any:
        """Make a call that goes well; return the answer."""
        answered = await self.ask("POST", path, body)
        self.assertEqual(answered.status, 200, answered.body)
        return answered.json

    async def test_send(self) -> None:
        """A message is sent on a link, or on all links of a name."""
        client, peer = await self.begin()
        self.assertEqual(await self.does(f"{EDGE}/links/1/send", TO_SERVER), {"links": 1})
        self.assertEqual(await self.does(f"{EDGE}/clients/ann/send", TO_CLIENT), {"links": 1})
        await peer.seen.reach(2)
        await client.seen.reach(2)
        self.assertEqual((peer.seen[-1], client.seen[-1]), (b"one", b"two"))
        wrong = TO_SERVER | {"message": {"text": "\\"}}
        self.assertIn("a backslash", await self.fails(422, "POST", f"{EDGE}/links/1/send", wrong))
        self.assertIn("no link 7", await self.fails(404, "POST", f"{EDGE}/links/7/send", TO_SERVER))

    async def test_leaving(self) -> None:
        """A side that is leaving takes no message, and neither does a dialect that says no."""
        await self.begin()
        for messages in ((), (5,)):
            self.patch(sending, "messages_for", lambda pair, connection, message, messages=messages: messages)
            self.assertIn("takes no message now", await self.fails(409, "POST", f"{EDGE}/links/1/send", TO_SERVER))
        (link,) = self.running.repeater.links()
        self.patch(type(link._pair), "can_send", lambda pair, connection: False)
        self.assertIn("the server takes no", await self.fails(409, "POST", f"{EDGE}/links/1/send", TO_SERVER))

    async def test_all(self) -> None:
        """A message is sent to all clients, or to the server on all links; by this node, or by all."""
        client, peer = await self.begin()
        self.assertEqual(await self.does(f"{EDGE}/send", TO_SERVER), {"links": 1})
        self.assertEqual(await self.does(f"{EDGE}/send", TO_CLIENT), {"links": 1})
        for body in (TO_SERVER, TO_CLIENT):
            (node,) = (await self.does(f"{EDGE}/send?scope=fleet", body))["nodes"]
            self.assertEqual((node["done"], node["value"]), (True, 1))
        await peer.seen.reach(3)
        await client.seen.reach(3)
        self.assertEqual((peer.seen[1:], client.seen[1:]), ([b"one"] * 2, [b"two"] * 2))
        wrong = TO_SERVER | {"message": {"set": {"a": 1}}}
        self.assertIn("set is for a message", await self.fails(422, "POST", f"{EDGE}/send?scope=fleet", wrong))

    async def test_client_of_fleet(self) -> None:
        """A message is sent to a client, or for it to the server, on whichever node it is."""
        client, peer = await self.begin()
        for body in (TO_SERVER, TO_CLIENT):
            (node,) = (await self.does(f"{EDGE}/clients/ann/send?scope=fleet", body))["nodes"]
            self.assertEqual((node["done"], node["value"]), (True, 1))
        await peer.seen.reach(2)
        await client.seen.reach(2)
        self.assertEqual((peer.seen[-1], client.seen[-1]), (b"one", b"two"))
        error = await self.fails(404, "POST", f"{EDGE}/clients/bob/send?scope=fleet", TO_CLIENT)
        self.assertEqual(error, "no node has a client 'bob'")
