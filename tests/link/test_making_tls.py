"""TLS that takes too long while a link is made."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint

from twisted_repeater import HelloTimeout, Limits, ServerUnreachable

from ..peers import PeerCase, Server, hello, reactor
from ..real_sockets import TLSSockets


class HandshakeTimeTests(PeerCase):
    """A peer that is silent in its handshake."""

    def setUp(self) -> None:
        """Make a certificate."""
        self.addCleanup(self.flushWarnings)
        self.tls = TLSSockets(self.mktemp())

    async def test_client(self) -> None:
        """A client is told of as one whose handshake did not come, if an endpoint began TLS."""
        self.sockets: Any = self.tls
        world = await self.world(limits=Limits(hello_timeout=0.2))
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port)
        silent = await world.connect(endpoint=plain)
        await silent.lost()
        await world.refused()
        self.assertIsInstance(world.refusal, HelloTimeout)
        self.assertEqual(str(world.refusal), "no TLS handshake of the client in time")

    async def test_server(self) -> None:
        """A server is not reached; the time for that is the time of the dial."""
        port = reactor.listenTCP(0, Server(when_greeted=False), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        via = self.tls.for_server(port)["server"]
        world = await self.world(via=via, limits=Limits(connect_timeout=0.2))
        client = await world.connect(hello("ann"))
        await client.lost()
        await world.refused()
        self.assertIsInstance(world.refusal, ServerUnreachable)
        self.assertIn("no TLS handshake in time", str(world.refusal))
