"""`in_order` on real sockets: pipelines, half-closed streams, clients that do not read, last messages."""

from __future__ import annotations

from typing import Any

from twisted_repeater import PASS_ON, Close, Limits, SendBack, Verdict, chain
from twisted_repeater._repeater import end_link
from twisted_repeater.filters import FilterPair, Log, in_order
from twisted_repeater.filters.in_order import InOrder

from .peers import END, LOST, PeerCase, Server, turn


def here(request: bytes, link: Any) -> Verdict:
    """Answer some requests here."""
    if request.startswith(b"no "):
        return SendBack([b"= " + request])
    if request == b"end":
        return Close(ValueError("end"), back=[b"= end"])
    return PASS_ON


def pair(**options: Any) -> InOrder:
    """Make a pair for a server that answers each request with one message that begins with an equals sign."""
    return in_order(
        here,
        asks=lambda request: not request.startswith(b"quiet"),
        ends_answer=lambda message: message.startswith(b"="),
        **options,
    )


def serve(peer: Any, request: bytes) -> None:
    """Answer in two messages, in a later turn of the reactor, and push others."""
    if not request.startswith(b"quiet"):
        peer.send(b"+ " + request, b"> push", b"= " + request)


def answers_of(seen: list[Any]) -> list[bytes]:
    """Return what a client has seen without pushes and without the beginnings of answers."""
    return [message for message in seen[1:] if isinstance(message, bytes) and message.startswith(b"=")]


class PipelineTests(PeerCase):
    """A client that sends requests without waiting."""

    async def test_pipeline(self) -> None:
        """Each answer is that to its request, whoever gives it, in many reads and with a bounded number waiting."""
        for filters in (pair(), pair(most_waiting=3), chain(FilterPair(Log(sample=1e-9)), pair())):
            world = await self.world(server=Server(answer=serve), filters=filters)
            client, _ = await world.linked("ann")
            requests = [b"%b %d" % ((b"get", b"no", b"no", b"quiet")[number % 4], number) for number in range(600)]
            for at in range(0, len(requests), 300):
                client.send(*requests[at : at + 300])
                await turn()
            expected = [b"= " + request for request in requests if not request.startswith(b"quiet")]
            await client.seen.holds(expected[-1])
            self.assertEqual(answers_of(client.seen), expected)
            for index, message in enumerate(client.seen):
                if isinstance(message, bytes) and message.startswith(
                    b"+"
                ):  # what comes between the parts of an answer is the server's
                    self.assertEqual(client.seen[index + 1 : index + 3], [b"> push", b"=" + message[1:]])

    async def test_end_of_the_stream(self) -> None:
        """A client that ends its stream behind its requests gets all answers."""
        server = Server(answer=serve, half_close=True)
        world = await self.world(server=server, filters=pair(), on_error=end_link)
        client, peer = await world.linked("ann", half_close=True)
        client.send(b"get 1", b"no 2", b"get 3", b"no 4")
        client.end_stream()
        await peer.seen.holds(END)
        peer.close()
        await client.lost()
        self.assertEqual(answers_of(client.seen), [b"= get 1", b"= no 2", b"= get 3", b"= no 4"])

    async def test_slow_client(self) -> None:
        """A client that does not read for a while gets all in order."""
        world = await self.world(
            server=Server(answer=lambda peer, request: peer.send(b"=" + bytes(50_000) + request)),
            filters=pair(),
            limits=Limits(max_waiting=64 * 1024),
        )
        client, peer = await world.linked("ann")
        client.transport.pauseProducing()
        requests = [b"get %d" % number if number % 2 else b"no %d" % number for number in range(400)]
        client.send(*requests)
        await peer.seen.reach(20)
        client.transport.resumeProducing()
        await client.seen.reach(401)
        self.assertEqual([message[-7:].strip(b"\0= ") for message in client.seen[1:]], [m[-7:] for m in requests])

    async def test_last_message(self) -> None:
        """A link that the filter closes ends when the earlier requests are answered."""
        asked: list[Any] = []
        world = await self.world(server=Server(answer=lambda peer, request: asked.append(request)), filters=pair())
        client, peer = await world.linked("ann")
        client.send(b"get 1", b"end", b"get 2")
        await peer.seen.reach(2)
        peer.send(b"= get 1")
        await client.lost()
        await peer.lost()
        self.assertEqual((client.seen[1:], asked), ([b"= get 1", b"= end", LOST], [b"get 1"]))
