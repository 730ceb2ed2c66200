"""What listens and what connects, as endpoints, descriptions or numbers."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IHostnameResolver, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from twisted_repeater._sockets import endpoints as _endpoints
from twisted_repeater._sockets.endpoints import (
    HEAD_START,
    dialler,
    listener,
    listening_endpoint,
    longest_listen_queue,
    server_endpoint,
)

from ..peers import Peer, Server, hello, reactor
from ..real_sockets import TLSSockets

QUEUE_OF_LISTENER = slice(28, 32)
"""Where Linux's ``struct tcp_info`` has the length of the listen queue, for a socket that listens."""


def ipv6_missing() -> str | None:
    """Return why tests of IPv6 cannot run here, ``None`` if they can."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return None
    except OSError as error:
        return f"this machine has no ::1: {error}"


NO_IPV6 = ipv6_missing()


@implementer(IStreamClientEndpoint)
class Nowhere:
    """An endpoint that never connects."""

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        return Deferred()


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


class HostNameTests(EndpointsCase):
    """A server at a host name: every address that the name has is tried."""

    async def dial_both_ways(self, number: int) -> None:
        """Connect by a description and by a name and a port."""
        await self.dial("ann", f"tcp:quotes.example:{number}")
        await self.dial("bob", ip="quotes.example", port=number)
        self.assertEqual(self.asked, ["quotes.example", "quotes.example"])

    async def test_first_refuses(self) -> None:
        """Where the first address refuses, the next is dialled at once."""
        number = await self.serve()
        self.resolve("127.0.0.2", "127.0.0.1")
        await self.dial_both_ways(number)

    async def test_ipv6(self) -> None:
        """A name may have IPv6 addresses, alone or with others."""
        number = await self.serve("::1")
        for addresses in (("::1",), ("127.0.0.1", "::1")):
            self.resolve(*addresses)
            await self.dial_both_ways(number)

    test_ipv6.skip = NO_IPV6  # type: ignore[attr-defined]

    async def test_none_answers(self) -> None:
        """If every address refuses, the last error is the result; if the name has no address, the error says so."""
        number = await self.serve()
        self.resolve("127.0.0.2", "127.0.0.3")
        for where in ((f"tcp:quotes.example:{number}", None, None), (None, "quotes.example", number)):
            await self.assertFailure(dialler(reactor, 30, Named, *where)("ann"), internet_error.ConnectionRefusedError)
        self.resolve()
        dialled = dialler(reactor, 30, Named, None, "quotes.example", number)("ann")
        failure = await self.assertFailure(dialled, internet_error.DNSLookupError)
        self.assertIn("quotes.example", str(failure))

    async def test_arguments(self) -> None:
        """A description's ``bindAddress`` is where the connection comes from, and its ``timeout`` is kept."""
        number = await self.serve()
        self.resolve("127.0.0.1")
        await self.dial("ann", f"tcp:quotes.example:port={number}:bindAddress=127.0.0.3:timeout=5")
        self.assertEqual(self.server.peers[0].transport.getPeer().host, "127.0.0.3")
        memory = MemoryReactorClock()
        memory.installNameResolver(Names(["192.0.2.1", "2001:db8::1"], self.asked))
        dialled = dialler(memory, 30, Named, "tcp:quotes.example:9001:timeout=5:bindAddress=192.0.2.9", None, None)("a")
        host, port, _, timeout, bind = memory.tcpClients[0]
        self.assertEqual((host, port, timeout, bind), ("192.0.2.1", 9001, 5, ("192.0.2.9", 0)))
        dialled.addErrback(lambda failure: None).cancel()


class RaceTests(SynchronousTestCase):
    """The addresses of a name, in a reactor in memory."""

    def setUp(self) -> None:
        """Dial a name with three addresses."""
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(Names(["192.0.2.1", "2001:db8::1", "192.0.2.3"], []))
        self.dialled = dialler(self.reactor, 10, Named, None, "quotes.example", 9001)("ann")

    def hosts(self) -> list[str]:
        """Return the hosts dialled so far."""
        return [host for host, *_ in self.reactor.tcpClients]

    def answer(self, index: int) -> StringTransport:
        """Let an attempt succeed."""
        transport = StringTransport()
        factory: Any = self.reactor.tcpClients[index][2]
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def assert_nothing_left(self, *gone: int) -> None:
        """See that these attempts were given up and that no timer is left."""
        for index in gone:
            self.assertTrue(self.reactor.connectors[index].stoppedConnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_silent_address(self) -> None:
        """An address that says nothing is joined by the next; who answers first is taken, the others are given up."""
        self.assertEqual(self.hosts(), ["192.0.2.1"])
        self.reactor.advance(HEAD_START)
        self.reactor.advance(HEAD_START)
        self.assertEqual(self.hosts(), ["192.0.2.1", "2001:db8::1", "192.0.2.3"])
        self.answer(1)
        self.assertIsInstance(self.successResultOf(self.dialled), Named)
        self.assert_nothing_left(0, 2)

    def test_cancelled(self) -> None:
        """Nothing is left of a dial that is cancelled."""
        self.reactor.advance(HEAD_START)
        self.dialled.cancel()
        self.failureResultOf(self.dialled, CancelledError)
        self.assert_nothing_left(0, 1)
        self.reactor.advance(10)
        self.assertEqual(len(self.hosts()), 2)

    def test_one_refuses_late(self) -> None:
        """An address that refuses when all are being tried leaves it to the others; the last error is the result."""
        self.reactor.pump([HEAD_START, HEAD_START])
        factories: list[Any] = [factory for _, _, factory, *_ in self.reactor.tcpClients]
        for index, factory in enumerate(factories):
            self.assertNoResult(self.dialled)
            factory.clientConnectionFailed(None, Failure(internet_error.ConnectionRefusedError(string=str(index))))
        failure = self.failureResultOf(self.dialled, internet_error.ConnectionRefusedError)
        self.assertEqual(failure.value.args, ("2",))
        self.assert_nothing_left()

    def test_too_late(self) -> None:
        """Nothing is left of a dial that took too long."""
        self.reactor.pump([HEAD_START, HEAD_START, 10])
        self.failureResultOf(self.dialled, internet_error.TimeoutError)
        self.assert_nothing_left(0, 1, 2)

    def test_cancelled_early(self) -> None:
        """A dial that is cancelled while the name is looked up dials nobody when the answer comes."""
        names = Names(["192.0.2.1"], [], later=True)
        self.reactor.installNameResolver(names)
        dialled = dialler(self.reactor, 10, Named, "tcp:quotes.example:9001", None, None)("ann")
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        before = self.hosts()
        names.answer()
        self.assertEqual(self.hosts(), before)
        self.dialled.cancel()
        self.failureResultOf(self.dialled, CancelledError)
        self.assert_nothing_left(0)


class ListenerTests(EndpointsCase):
    """Ports that listen."""

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
        """Other arguments are refused before anything listens."""
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


class ListenQueueTests(EndpointsCase):
    """How many connections may wait until they are accepted."""

    def directory(self) -> str:
        """Make a directory that is removed after the test."""
        directory = tempfile.TemporaryDirectory(prefix="repeater-")
        self.addCleanup(directory.cleanup)
        return directory.name

    async def test_as_long_as_the_system_allows(self) -> None:
        """A number, or a description of any kind that has no backlog, lets as many wait as the system allows."""
        directory = self.directory()
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        tls = TLSSockets(f"{directory}/tls").for_clients()["listen"]
        kinds = ["tcp:0:interface=127.0.0.1", "tcp6:0:interface=\\:\\:1", f"unix:{directory}/socket", tls]
        if NO_IPV6:
            del kinds[1]
        listening = [await self.listen(port=0), *[await self.listen(kind) for kind in kinds]]
        self.assertEqual([port.backlog for port in listening], [longest_listen_queue()] * len(listening))
        self.assertGreater(longest_listen_queue(), 50)

    def test_left_to_twisted(self) -> None:
        """A description with a method of TLS is Twisted's, which has none of our arguments."""
        self.addCleanup(self.flushWarnings)
        sockets = TLSSockets(f"{self.directory()}/tls")
        own = f"ssl:0:privateKey={sockets.key}:certKey={sockets.certificate}:sslmethod=TLS_METHOD"
        self.assertIsInstance(listening_endpoint(reactor, own), SSL4ServerEndpoint)
        with self.assertRaisesRegex(ValueError, "sslmethod= is left to Twisted"):
            listening_endpoint(reactor, f"{own}:alpn=x")

    def test_server_with_alpn(self) -> None:
        """A server whose description has ALPN is reached through an endpoint of our own."""
        self.addCleanup(self.flushWarnings)
        for inner in ("", r":endpoint=tcp\:127.0.0.1\:1"):
            endpoint = server_endpoint(reactor, f"tls:localhost:1:alpn=x{inner}")
            self.assertTrue(IStreamClientEndpoint.providedBy(endpoint))

    async def test_in_the_system(self) -> None:
        """The system has that length."""
        for where in ({"port": 0}, {"endpoint": "tcp:0:interface=127.0.0.1"}):
            port = await self.listen(**where)
            told = port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[QUEUE_OF_LISTENER]
            self.assertEqual(int.from_bytes(told, "little"), longest_listen_queue())

    if not hasattr(socket, "TCP_INFO"):
        test_in_the_system.skip = "only Linux tells"  # type: ignore[attr-defined]

    async def test_asked_for(self) -> None:
        """A backlog in the description is kept, with its name or in its place; an endpoint stays as it is."""
        for endpoint in (
            "tcp:0:interface=127.0.0.1:backlog=7",
            "tcp:0:127.0.0.1:7",
            TCP4ServerEndpoint(reactor, 0, backlog=7, interface="127.0.0.1"),
        ):
            self.assertEqual((await self.listen(endpoint)).backlog, 7)

    def test_where_the_system_does_not_tell(self) -> None:
        """Elsewhere than on Linux it is what Python was compiled with."""
        self.patch(_endpoints, "SOMAXCONN", Path("/nowhere"))
        self.assertEqual(longest_listen_queue(), socket.SOMAXCONN)


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

    async def test_address(self) -> None:
        """An address is dialled without asking a resolver, also one of IPv6, with its colons after backslashes."""
        self.resolve()
        for interface, description in (("127.0.0.1", "127.0.0.1"), ("::1", r"\:\:1")):
            number = await self.serve(interface)
            await self.dial("ann", f"tcp:{description}:{number}")
            await self.dial("bob", ip=interface, port=number)
        self.assertEqual(self.asked, [])

    test_address.skip = NO_IPV6  # type: ignore[attr-defined]

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
            (TypeError, "server_ip must be a string", (None, b"127.0.0.1", 9001)),
            (ValueError, "server_ip must be an address or a host name, not ''", (None, "", 9001)),
            (ValueError, "server_ip must be an address or a host name, not 'a..b'", (None, "a..b", 9001)),
            (ValueError, "server_ip must be an address without brackets", (None, "[::1]", 9001)),
            (ValueError, "the server's port must be 1 to 65535, not 0", ("tcp:127.0.0.1:0", None, None)),
            (ValueError, "the server's port must be 1 to 65535, not 0", ("tcp:port=00:host=h", None, None)),
            (ValueError, "the server's port must be 1 to 65535, not 0", ("tls:h:0", None, None)),
            (ValueError, "the server's port must be 1 to 65535, not 65536", ("tcp:h:65536", None, None)),
            (ValueError, "the server's port must be 1", (r"tls:h:1:endpoint=tcp\:h\:0", None, None)),
            (ValueError, "the server's host must be an address or", ("tcp::9001", None, None)),
            (ValueError, "the server's host must be an address or", ("tls::9001", None, None)),
            (ValueError, "the server's host must be an address or", ("tcp:9001:host=", None, None)),
            (TypeError, "port", ("tcp:h", None, None)),
            (ValueError, "the path of the server's socket is missing", ("unix:", None, None)),
            (ValueError, "ssl: does not check whose certificate", ("ssl:h:9001", None, None)),
            (ValueError, "write tls:HOST:PORT", ("SSL:h:9001:caCertsDir=.:hostname=h", None, None)),
            (ValueError, "ssl: does not check whose certificate", (r"tls:h:1:endpoint=ssl\:h\:1", None, None)),
        ):
            error = self.assertRaises(kind, dialler, reactor, 30, Named, *where)
            self.assertIn(told, str(error))
