"""What listens and what connects, as endpoints, descriptions or numbers."""

from __future__ import annotations

import re
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer, noLongerProvides

from twisted_repeater._sockets import endpoints as _endpoints
from twisted_repeater._sockets.dialling import EachAddress, Through
from twisted_repeater._sockets.endpoints import (
    check_server,
    dialler,
    let_half_close,
    listener,
    listening_endpoint,
    longest_listen_queue,
    server_endpoint,
)

from ..peers import Server, reactor
from ..real_sockets import TLSSockets
from .endpoints_case import NO_IPV6, EndpointsCase, Named

QUEUE_OF_LISTENER = slice(28, 32)
"""Where Linux's ``struct tcp_info`` has the length of the listen queue, for a socket that listens."""


@implementer(IStreamClientEndpoint)
class Nowhere:
    """An endpoint that never connects."""

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        return Deferred()


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


class SharingTests(EndpointsCase):
    """Ports that are shared with other processes."""

    async def test_shared(self) -> None:
        """Each kind of description that names a port lets another listen there, too, and so does a number."""
        directory = tempfile.TemporaryDirectory(prefix="repeater-")
        self.addCleanup(directory.cleanup)
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        tls = TLSSockets(f"{directory.name}/tls").for_clients()["listen"]
        for kind in ("tcp:0:interface=127.0.0.1", "haproxy:tcp:0:interface=127.0.0.1", tls, None):
            number = 0 if kind is None else None
            for _ in range(2):
                port: Any = await listener(reactor, kind, number, shared=True)(Server())
                self.addCleanup(port.stopListening)
                self.assertTrue(port.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
                if kind is None:
                    number = port.getHost().port
                else:
                    kind = re.sub(r"(tcp|ssl):\d+", rf"\1:{port.getHost().port}", kind)

    def test_not_shareable(self) -> None:
        """What has no port, or a port that only Twisted can make, is refused with what is needed."""
        for kind, told, endpoint in (
            (ValueError, "needs a port of tcp:, tcp6: or ssl:, not 'unix:/run/quotes'", "unix:/run/quotes"),
            (ValueError, "needs a port of tcp:, tcp6: or ssl:, not 'haproxy:systemd", "haproxy:systemd:domain=INET"),
            (ValueError, "cannot be used with sslmethod=", "ssl:0:sslmethod=TLS_METHOD"),
            (ValueError, "cannot be used with sslmethod=", "ssl:0:key.pem:cert.pem:TLS_METHOD"),
            (TypeError, "share_port needs listen_port, or the desc", TCP4ServerEndpoint(reactor, 0)),
        ):
            error = self.assertRaises(kind, listener, reactor, endpoint, None, shared=True)
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

    async def test_header_first(self) -> None:
        """Bytes can come first where the endpoint is ours; elsewhere that is an error."""
        check_server("tcp:h:1", send_proxy=True)
        through = r"tls:localhost:1:endpoint=haproxy\:tcp\:127.0.0.1\:1"
        for description in ("clientless:1", through):
            with self.assertRaisesRegex(
                ValueError, "a PROXY header can be sent to a server of tcp:, tls: or unix:, not"
            ):
                check_server(description, send_proxy=True)
        with self.assertRaisesRegex(ValueError, "a PROXY header can be sent"):
            dialler(reactor, 30, Named, Nowhere(), None, None, lambda name: b"first")

    async def test_where(self) -> None:
        """A host name is tried at each of its addresses; other kinds of endpoints are left to Twisted."""
        self.assertIsInstance(server_endpoint(reactor, "tcp:localhost:9"), EachAddress)
        self.assertIsInstance(server_endpoint(reactor, "ssl:localhost:9"), Through)
        dialler(reactor, 30, Named, f"unix:{self.mktemp()}", None, None)

    async def test_half_close(self) -> None:
        """The wrapper of an endpoint reports half-closes; other wrappers, and transports without one, stay alone."""
        number = (await self.listen("tcp:0:interface=127.0.0.1")).getHost().port
        peer: Any = await dialler(reactor, 30, Named, TCP4ClientEndpoint(reactor, "127.0.0.1", number), None, None)(
            "ann"
        )
        wrapper = peer.transport.protocol
        self.assertIsNot(wrapper, peer)
        noLongerProvides(wrapper, IHalfCloseableProtocol)
        for _ in range(2):
            let_half_close(peer.transport, peer)
            self.assertTrue(IHalfCloseableProtocol.providedBy(wrapper))
        other: Any = SimpleNamespace(protocol=ProtocolWrapper(Factory(), Protocol()))  # type: ignore[arg-type]
        let_half_close(other, peer)
        self.assertFalse(IHalfCloseableProtocol.providedBy(other.protocol))
        let_half_close(object(), peer)
        await self.server.peers.reach(1)
        peer.close()
        await self.server.peers[-1].lost()

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
