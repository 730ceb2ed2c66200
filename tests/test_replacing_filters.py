"""`Repeater.replace_filters`: other filters take over on links that relay."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_repeater import DO_NOTHING, PASS_ON, ICodec, ILink, Repeater, Send, dialects
from twisted_repeater.filters import FilterPair
from twisted_repeater.selectors import predicate

from .peers import PeerCase, hello, turn


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


class Counting:
    """A pair of filters that number the messages of a link to the server, and go on where others have stopped."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def for_link(self, link: ILink) -> Any:
        """See `IFilterPair`."""
        if self.name == b"raises" and link.client_name == "bob":
            raise LookupError("not for bob")
        counter = Counter(self.name)
        return (counter.to_server, counter.to_client)


class Counter:
    """The filters of one link."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.count = 0

    def to_server(self, message: bytes, link: ILink) -> Any:
        """Number a message."""
        self.count += 1
        return Send(b"%b %d %b" % (self.name, self.count, message))

    def to_client(self, message: bytes, link: ILink) -> Any:
        """Tell how many there were."""
        return Send(b"%b %d" % (self.name, self.count))

    def migrate(self, old: Any) -> None:
        """Go on."""
        self.count += old.count
        if self.name == b"cannot":
            raise LookupError("cannot take over")


class ReplacePairTests(PeerCase):
    """Pairs of filters that replace each other."""

    async def test_takes_over(self) -> None:
        """Each link gets filters of the new pair, which take over from its old ones, once for both."""
        world = await self.world(filters=Counting(b"old"))
        peers = [await world.linked(name) for name in ("ann", "bob")]
        for client, peer in peers:
            client.send(b"m")
            await peer.seen.reach(2)
        peers[0][0].send(b"m")
        await peers[0][1].seen.reach(3)
        world.repeater.replace_filters(filters=Counting(b"new"))
        for client, peer in peers:
            client.send(b"last")
            await peer.seen.holds(b"new 3 last" if peer is peers[0][1] else b"new 2 last")
            peer.send(b"how many")
            await client.seen.reach(2)
        self.assertEqual([client.seen[-1] for client, _ in peers], [b"new 3", b"new 2"])

    async def test_all_or_nothing(self) -> None:
        """If the new pair fails for one link, the call raises, and all links keep their filters; so do later ones."""
        world = await self.world(filters=Counting(b"old"))
        peers = [await world.linked(name) for name in ("ann", "bob")]
        for name in (b"raises", b"cannot"):
            self.assertRaises(LookupError, world.repeater.replace_filters, filters=Counting(name))
        peers.append(await world.linked("eve"))
        for client, peer in peers:
            client.send(b"m")
            await peer.seen.reach(2)
            self.assertEqual(peer.seen[1], b"old 1 m")

    async def test_on_and_off(self) -> None:
        """A pair can come where there was none, and go; filters of one direction come and go beside it."""
        world = await self.world()
        client, peer = await world.linked("ann")
        pair = Counting(b"pair")
        first = lambda message, link: Send(b"first " + message)  # noqa: E731
        for number, (filters, expected) in enumerate(
            [
                ({"filters": pair}, b"pair 1 m"),
                ({"to_server_filter": first}, b"pair 2 first m"),
                ({"filters": None}, b"first m"),
                ({"filters": FilterPair(first), "to_server_filter": None}, b"first m"),
                ({"filters": None}, b"m"),
            ]
        ):
            world.repeater.replace_filters(**filters)  # type: ignore[arg-type]
            client.send(b"m")
            await peer.seen.reach(number + 2)
            self.assertEqual(peer.seen[-1], expected)

    async def test_while_on_connect_is_awaited(self) -> None:
        """A link that is still being made gets the filters of the new pair when it has its state."""
        ready: Deferred[str] = Deferred()
        states: list[Any] = []

        class Looking(Counting):
            def for_link(self, link: ILink) -> Any:
                states.append((self.name, link.state))
                return super().for_link(link)

        asked: list[Any] = []
        world = await self.world(
            filters=Looking(b"old"),
            on_connect=lambda link: asked.append(link) or ready,  # type: ignore[func-returns-value]
        )
        client = await world.connect(hello("ann"))
        while not asked:
            await turn()
        world.repeater.replace_filters(filters=Looking(b"new"))
        ready.callback("state")
        client.send(b"m")
        await world.server.peers.reach(1)
        await world.server.peers[0].seen.reach(2)
        self.assertEqual((states, world.server.peers[0].seen[1]), ([(b"new", "state")], b"new 1 m"))

    async def test_wrong(self) -> None:
        """What is no pair is an error."""
        world = await self.world()
        self.assertRaises(TypeError, world.repeater.replace_filters, filters=7)
