"""What listens and what connects, as endpoints, descriptions or numbers."""

from __future__ import annotations

from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from twisted_repeater._endpoints import dialler, listener

from .peers import Peer, Server, hello, reactor


@implementer(IStreamClientEndpoint)
class Nowhere:
    """An endpoint that never connects."""

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        return Deferred()


class Named(Peer):
    """A peer that says what it was made of."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def connectionMade(self) -> None:
        """Say it."""
        self.write(hello(self.name))


class EndpointsCase(TestCase):
    """A test case with what listens and connects on loopback."""

    timeout = 60

    async def listen(self, endpoint: Any = None, port: Any = None) -> Any:
        """Let a server listen; gives its port. It is in ``server``."""
        self.server = Server()
        listening = await listener(reactor, endpoint, port)(self.server)
        self.addCleanup(listening.stopListening)
        return listening

    async def dial(self, name: str, endpoint: Any = None, ip: Any = None, port: Any = None) -> None:
        """Connect to the server, and see what it was told."""
        peer = await dialler(reactor, 30, Named, endpoint, ip, port)(name)
        await self.server.peers.reach(1)
        await self.server.peers[-1].seen.reach(1)
        self.assertEqual((peer.name, self.server.peers[-1].greeted_by), (name, name))
        peer.close()
        await self.server.peers[-1].lost()


class ListenerTests(EndpointsCase):
    """What listens."""

    async def test_number(self) -> None:
        """A number is a TCP port of all interfaces, 0 a free one."""
        port = await self.listen(port=0)
        self.assertEqual(port.getHost().host, "0.0.0.0")
        await self.dial("ann", ip="127.0.0.1", port=port.getHost().port)

    async def test_endpoint(self) -> None:
        """An endpoint, or its description, listens where it says."""
        for endpoint in ("tcp:0:interface=127.0.0.1", TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")):
            port = await self.listen(endpoint)
            self.assertEqual(port.getHost().host, "127.0.0.1")
            await self.dial("ann", ip="127.0.0.1", port=port.getHost().port)

    async def test_in_use(self) -> None:
        """Where the port is in use it fails, in Twisted's own words."""
        number = (await self.listen(port=0)).getHost().port
        for where in ({"port": number}, {"endpoint": f"tcp:{number}"}):
            await self.assertFailure(ensureDeferred(self.listen(**where)), internet_error.CannotListenError)

    def test_wrong(self) -> None:
        """Whatever else is given is refused before anything listens."""
        for kind, told, endpoint, port in (
            (TypeError, "give either listen or listen_port", None, None),
            (TypeError, "give either listen or listen_port", "tcp:0", 0),
            (TypeError, "listen must be a server endpoint", 9000, None),
            (TypeError, "listen must be a server endpoint", TCP4ClientEndpoint(reactor, "127.0.0.1", 1), None),
            (ValueError, "nonsense", "nonsense:7", None),
            (TypeError, "listen_port must be a number", None, "9000"),
            (TypeError, "listen_port must be a number", None, True),
            (ValueError, "listen_port must be 0 to 65535", None, 65536),
        ):
            error = self.assertRaises(kind, listener, reactor, endpoint, port)
            self.assertIn(told, str(error))


class DiallerTests(EndpointsCase):
    """What connects."""

    async def test_endpoint(self) -> None:
        """An endpoint, or its description, is where the server is."""
        number = (await self.listen("tcp:0:interface=127.0.0.1")).getHost().port
        for endpoint in (f"tcp:127.0.0.1:{number}", TCP4ClientEndpoint(reactor, "127.0.0.1", number)):
            await self.dial("ann", endpoint)

    async def test_nobody_there(self) -> None:
        """Where nobody listens it fails."""
        port = await self.listen("tcp:0:interface=127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        for where in ((None, "127.0.0.1", number), (f"tcp:127.0.0.1:{number}", None, None)):
            await self.assertFailure(dialler(reactor, 30, Named, *where)("ann"), internet_error.ConnectionRefusedError)

    def test_timeout(self) -> None:
        """An endpoint that takes too long is given up."""
        clock = Clock()
        dialled = dialler(clock, 3, Named, Nowhere(), None, None)("ann")
        clock.advance(2)
        self.assertNoResult(dialled)
        clock.advance(1)
        failure = self.failureResultOf(dialled, internet_error.TimeoutError)
        self.assertIn("not connected within 3 seconds", str(failure.value))

    def test_wrong(self) -> None:
        """Whatever else is given is refused before anything is dialled."""
        for kind, told, where in (
            (TypeError, "give either server or", (None, None, None)),
            (TypeError, "give either server or", (None, "127.0.0.1", None)),
            (TypeError, "give either server or", (None, None, 9001)),
            (TypeError, "give either server or", ("tcp:127.0.0.1:1", "127.0.0.1", 1)),
            (TypeError, "server must be a client endpoint", (("127.0.0.1", 1), None, None)),
            (ValueError, "nonsense", ("nonsense:7", None, None)),
            (TypeError, "server_port must be a number", (None, "127.0.0.1", "9001")),
            (ValueError, "server_port must be 1 to 65535", (None, "127.0.0.1", 0)),
        ):
            error = self.assertRaises(kind, dialler, reactor, 30, Named, *where)
            self.assertIn(told, str(error))
