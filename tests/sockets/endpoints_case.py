"""A test case with what listens and connects, and peers that say their names."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from twisted_repeater._sockets.endpoints import dialler, listener

from ..peers import Peer, Server, hello, reactor


def ipv6_missing() -> str | None:
    """Return why tests of IPv6 cannot run here, ``None`` if they can."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return None
    except OSError as error:
        return f"this machine has no ::1: {error}"


NO_IPV6 = ipv6_missing()


class Named(Peer):
    """A peer that says its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def connectionMade(self) -> None:
        """Say it."""
        self.write(hello(self.name))


@implementer(IHostnameResolver)
class Names:
    """A resolver that gives every name the same addresses, at once or when it is told to."""

    def __init__(self, addresses: list[str], asked: list[str], *, later: bool = False) -> None:
        self._addresses = addresses
        self._asked = asked
        self._later = later
        self.answer: Callable[[], None] = lambda: None

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0, *more: Any) -> Any:
        """See `IHostnameResolver`."""
        self._asked.append(hostName)

        def answer() -> None:
            for host in self._addresses:
                kind = IPv6Address if ":" in host else IPv4Address
                receiver.addressResolved(kind("TCP", host, portNumber))
            receiver.resolutionComplete()

        self.answer = answer
        if not self._later:
            answer()


class EndpointsCase(TestCase):
    """A test case with what listens and connects on loopback."""

    timeout = 60

    def resolve(self, *addresses: str) -> None:
        """Let every name have these addresses; ``asked`` has the names that are looked up from now on."""
        self.asked: list[str] = []
        before = reactor.installNameResolver(Names(list(addresses), self.asked))
        self.addCleanup(reactor.installNameResolver, before)

    async def listen(self, endpoint: Any = None, port: Any = None) -> Any:
        """Let a server listen; gives its port. It is in ``server``."""
        self.server = Server()
        listening = await listener(reactor, endpoint, port)(self.server)
        self.addCleanup(listening.stopListening)
        return listening

    async def serve(self, interface: str = "127.0.0.1") -> int:
        """Let a server listen at an address; return its port."""
        kind = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
        number: int = (await self.listen(kind(reactor, 0, interface=interface))).getHost().port
        return number

    async def dial(self, name: str, endpoint: Any = None, ip: Any = None, port: Any = None) -> None:
        """Connect to the server, and see that it got the name."""
        peer: Any = await dialler(reactor, 30, Named, endpoint, ip, port)(name)
        await self.server.peers.reach(1)
        await self.server.peers[-1].seen.reach(1)
        self.assertEqual((peer.name, self.server.peers[-1].greeted_by), (name, name))
        peer.close()
        await self.server.peers[-1].lost()
