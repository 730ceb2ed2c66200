"""`Repeater.replace_filters`: other filters take over on links that relay."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_repeater import DO_NOTHING, PASS_ON, ICodec, ILink, Repeater, Send, dialects
from twisted_repeater.selectors import predicate

from .peers import PeerCase, turn


@implementer(ICodec)
class ReversingCodec:
    """A message is its payload, backwards."""

    def decode(self, payload: bytes) -> bytes:
        """Turn it round."""
        return payload[::-1]

    def encode(self, message: bytes) -> bytes:
        """Turn it round."""
        return message[::-1]


class ReplaceFiltersTests(PeerCase):
    """A link before, at and after a replacement."""

    async def test_takes_over(self) -> None:
        """Every link has the new filter from the next read on; links to come have it too."""
        world = await self.world(to_server_filter=lambda message, link: Send(b"old " + message))
        client, peer = await world.linked("ann")
        client.send(b"one")
        await peer.seen.reach(2)
        world.repeater.replace_filters(to_server_filter=lambda message, link: Send(b"new " + message))
        client.send(b"two")
        await peer.seen.reach(3)
        other, other_peer = await world.linked("bob")
        other.send(b"three")
        await other_peer.seen.reach(2)
        self.assertEqual((peer.seen[1:], other_peer.seen[1:]), ([b"old one", b"new two"], [b"new three"]))

    async def test_each_direction(self) -> None:
        """A filter that is not given stays; ``None`` takes it away."""
        world = await self.world(
            to_server_filter=lambda message, link: Send(b"up"), to_client_filter=lambda message, link: Send(b"down")
        )
        client, peer = await world.linked("ann")
        world.repeater.replace_filters(to_server_filter=None)
        client.send(b"one")
        await peer.seen.reach(2)
        peer.send(b"two")
        await client.seen.reach(2)
        self.assertEqual((peer.seen[1:], client.seen[1:]), ([b"one"], [b"down"]))

    async def test_pending_verdict(self) -> None:
        """A message whose verdict is awaited gets it from the old filter; those behind it get the new one's."""
        verdict: Deferred[Any] = Deferred()
        asked: list[bytes] = []

        def old(message: bytes, link: ILink) -> Deferred[Any]:
            asked.append(message)
            return verdict

        world = await self.world(to_server_filter=old)
        client, peer = await world.linked("ann")
        client.send(b"one", b"two")
        while not asked:
            await turn()
        world.repeater.replace_filters(to_server_filter=lambda message, link: Send(b"new " + message))
        verdict.callback(PASS_ON)
        await peer.seen.reach(3)
        self.assertEqual((asked, peer.seen[1:]), ([b"one"], [b"one", b"new two"]))

    async def test_by_the_filter_itself(self) -> None:
        """A filter may replace itself, by another or by none, in the middle of a read."""
        for codec in (None, ReversingCodec()):
            await self._replaces_itself(codec)

    async def _replaces_itself(self, codec: ICodec | None) -> None:
        class Wanting:
            selector = predicate(lambda payload: True)

            def __call__(self, message: bytes, link: ILink) -> Any:
                world.repeater.replace_filters(to_server_filter=None)
                return DO_NOTHING if message == b"one" else PASS_ON

        world = await self.world(to_server_filter=Wanting(), dialect=dialects.int32(to_server=codec))
        client, peer = await world.linked("ann")
        first = b"one" if codec is None else b"eno"
        client.send(first, b"two", b"three")
        await peer.seen.reach(3)
        client.send(b"four")
        await peer.seen.reach(4)
        self.assertEqual(peer.seen[1:], [b"two", b"three", b"four"])

    async def test_wrong(self) -> None:
        """A wrong filter is an error, and so is replacing filters before the start."""
        world = await self.world(start=False)
        repeater: Repeater = world.repeater
        self.assertRaises(RuntimeError, repeater.replace_filters, to_server_filter=None)
        world.start()
        self.assertRaises(TypeError, repeater.replace_filters, to_client_filter=7)
