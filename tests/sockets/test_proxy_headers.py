"""Clients that come through a load balancer, which says in a PROXY header where they come from."""

from __future__ import annotations

import ipaddress
import struct
import sys
from typing import Any
from unittest import mock

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import TCP4ClientEndpoint, serverFromString, wrapServerTLS
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy import proxyEndpoint
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._sockets.proxy_headers import header_maker, header_version, watch_headers
from twisted_repeater._text import address_text
from twisted_repeater.errors import ClientIPNotAuthorized, HelloTimeout, InvalidHello, NewClientsDropped

from ..peers import LOST, SERVER_NAME, Client, PeerCase, StoppedTime, World, hello, reactor, repeated, turn
from ..real_sockets import TLSSockets

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 9000\r\n"


def version_2(command: int, family: int, addresses: bytes) -> bytes:
    """Make a header of version 2."""
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x20 | command, family, len(addresses)) + addresses


def ip_addresses(source: str, destination: str) -> bytes:
    """Make the addresses of a header of version 2."""
    packed = b"".join(ipaddress.ip_address(address).packed for address in (source, destination))
    return packed + struct.pack("!HH", 4711, 9000)


V2 = version_2(1, 0x11, ip_addresses("192.0.2.1", "192.0.2.2"))


class ProxiedTests(PeerCase):
    """A repeater that listens behind a balancer."""

    async def proxied(self, **settings: Any) -> World:
        """Make a world with a repeater behind a balancer; ``asked`` has the addresses that it asks about."""
        self.asked: list[str] = []

        def is_authorized(ip: str) -> bool:
            self.asked.append(ip)
            return ip != "192.0.2.66"

        settings.setdefault("is_client_ip_authorized", is_authorized)
        return await self.world(listen="haproxy:tcp:0:interface=127.0.0.1", **settings)

    async def test_address_of_the_header(self) -> None:
        """The address in the header is asked about, and is the link's; the balancer's own is nobody's."""
        world = await self.proxied()
        for number, (header, host) in enumerate(
            (
                (V1, "192.0.2.1"),
                (b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 9000\r\n", "2001:db8::1"),
                (V2, "192.0.2.1"),
                (version_2(1, 0x21, ip_addresses("2001:db8::1", "2001:db8::2")), "2001:db8::1"),
            )
        ):
            client = await world.connect(header + hello(f"c{number}"))
            await client.seen.reach(1)
            self.assertEqual(client.seen, [repeated(SERVER_NAME)])
            link = world.repeater.link(f"c{number}")
            assert link is not None
            address = link.client_address
            assert isinstance(address, IPv4Address | IPv6Address)
            self.assertEqual((address.host, address.port), (host, 4711))
            self.assertEqual(self.asked.pop(), host)
        self.assertEqual(self.asked, [])

    async def test_header_without_an_address(self) -> None:
        """Where the header names no client, as for a balancer's own checks, the address is that of the connection."""
        world = await self.proxied()
        for name, header in (
            ("unknown", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"),
            ("local", version_2(0, 0, b"")),
            ("unspecified", version_2(1, 0, b"")),
        ):
            client = await world.connect(header + hello(name))
            await client.seen.reach(1)
            link = world.repeater.link(name)
            assert link is not None
            self.assertEqual((address_text(link.client_address)[:10], self.asked.pop()), ("127.0.0.1:", "127.0.0.1"))
        unix = version_2(1, 0x31, b"/run/client".ljust(108, b"\0") + b"/run/edge".ljust(108, b"\0"))
        client = await world.connect(unix + hello("unix"))
        await client.seen.reach(1)
        self.assertEqual(self.asked, [""])

    async def test_refused_by_the_header(self) -> None:
        """A client is refused as soon as its header is read, before it says anything, and by its own address."""
        world = await self.proxied()
        client = await world.connect(V1.replace(b"192.0.2.1 ", b"192.0.2.66 "))
        await client.lost()
        self.assertEqual((client.seen, world.refusals), ([LOST], [(None, ClientIPNotAuthorized)]))
        self.assertEqual(world.refusal.client_address, IPv4Address("TCP", "192.0.2.66", 4711))
        self.assertIn("192.0.2.66", str(world.refusal))
        world.repeater.drop_new_clients()
        client = await world.connect(V1)
        await client.lost()
        self.assertEqual(world.refusals[1:], [(None, NewClientsDropped)])
        self.assertEqual(world.refusal.client_address.host, "192.0.2.1")
        self.assertEqual(list(world.server.peers), [])

    async def test_no_address_is_asked_about_early(self) -> None:
        """Nothing is asked about before the header is whole, however it is cut."""
        world = await self.proxied()
        client = await world.connect(V1[:20])
        await world.until_accepted()
        for byte in V1[20:-1]:
            client.write(bytes([byte]))
            await turn(2)
        self.assertEqual(self.asked, [])
        client.write(V1[-1:] + hello("alice"))
        await client.seen.reach(1)
        self.assertEqual((client.seen, self.asked), ([repeated(SERVER_NAME)], ["192.0.2.1"]))

    async def test_malformed_header(self) -> None:
        """Bytes that are not a header end their own connection, and the refusal shows the first of them."""
        world = await self.proxied()
        for garbage in (
            b"P",
            b"GET / HTTP/1.1\r\n\r\n",
            V1.replace(b"TCP4", b"TCP5"),
            V1.replace(b"4711", b"x"),
            V1[:-2] + bytes(107),
            V1.replace(b"192.0.2.1 ", b"\xff "),
            hello("alice"),
            V2[:14],
        ):
            client = await world.connect(garbage)
            await client.lost()
            self.assertEqual((client.seen, world.refusals[-1]), ([LOST], (None, InvalidHello)))
            self.assertIn(f"no PROXY header: {garbage[:32]!r}", str(world.refusal))
        self.assertEqual((len(world.refusals), self.asked), (8, []))
        (await world.connect()).close()
        await (await world.connect(V1 + hello("alice"))).seen.reach(1)
        self.assertEqual(len(world.refusals), 8)

    async def test_no_header(self) -> None:
        """A header that does not come in time is told as such; the hello has a time of its own behind it."""
        time = StoppedTime()
        world = await self.proxied(reactor=time)
        silent = await world.connect()
        await world.until_accepted()
        time.clock.advance(9)
        late = await world.connect(V1[:20])
        await world.until_accepted()
        time.clock.advance(1)
        await silent.lost()
        self.assertIn("no PROXY header in time", str(world.refusal))
        time.clock.advance(8)
        late.write(V1[20:])
        while self.asked != ["192.0.2.1"]:
            await turn()
        time.clock.advance(9)
        late.write(hello("late"))
        await late.seen.reach(1)
        self.assertEqual((late.seen, world.refusals), ([repeated(SERVER_NAME)], [(None, HelloTimeout)]))

    async def test_silent_connections(self) -> None:
        """Connections without a header count as unfinished ones: the oldest makes room for the newest."""
        world = await self.proxied()
        world.set_limits(max_unfinished_hellos=1)
        oldest = await world.connect()
        await world.until_accepted()
        await world.connect(V1 + hello("alice"))
        await oldest.lost()
        self.assertEqual(world.refusals, [(None, HelloTimeout)])

    async def test_gone_before_the_header(self) -> None:
        """A connection that ends before its header causes no event, and leaves nothing."""
        world = await self.proxied()
        for leave in ("close", "end_stream", "abort"):
            client = await world.connect()
            await world.until_accepted()
            getattr(client, leave)()
            while world.repeater._factory.links:
                await turn()
        self.assertEqual(world.calls, [])

    async def test_shut_down(self) -> None:
        """A shutdown does not wait for headers."""
        world = await self.proxied()
        client = await world.connect()
        await world.until_accepted()
        await world.repeater.shutdown()
        await client.lost()

    async def test_tls_behind_the_header(self) -> None:
        """The address is known as well where TLS begins behind the header."""
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        sockets = TLSSockets(self.mktemp())
        listen = wrapServerTLS(
            sockets.own.options(), proxyEndpoint(serverFromString(reactor, "tcp:0:interface=127.0.0.1"))
        )
        world = await self.world(listen=listen)
        client = HeaderFirst(hello("alice"))
        client.options = optionsForClientTLS("localhost", trustRoot=sockets.own)
        world.clients.append(client)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        await client.seen.reach(1)
        link = world.repeater.link("alice")
        assert link is not None
        self.assertEqual(link.client_address, IPv4Address("TCP", "192.0.2.1", 4711))


class HeaderFirst(Client):
    """A client that sends a header and then speaks TLS."""

    options: Any

    def connectionMade(self) -> None:
        """Send the header, begin with TLS, and go on like others."""
        self.write(V1)
        self.transport.startTLS(self.options)
        super().connectionMade()


class _Silent(Protocol):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self.received.append(data)


class Keeps:
    """An endpoint that keeps the factory that is to listen."""

    def __init__(self, listened: list[Any]) -> None:
        self._listened = listened

    def listen(self, factory: Any) -> None:
        """See `IStreamServerEndpoint`."""
        self._listened.append(factory)


class WatchTests(SynchronousTestCase):
    """Which ports read headers."""

    def test_other_ports(self) -> None:
        """A port that has our factory, or one that wraps it for something else, reads none."""
        factory = ServerFactory()
        for listening in (factory, WrappingFactory(factory), None, object()):
            self.assertFalse(watch_headers(listening, factory))

    def test_addresses_that_are_none(self) -> None:
        """An address that a header of version 1 says is not looked at; one that cannot be written shorter stays."""
        listened: list[Any] = []
        proxyEndpoint(Keeps(listened)).listen(Factory.forProtocol(_Silent))  # type: ignore[arg-type]
        watch_headers(listened[0], ServerFactory())
        protocol = listened[0].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"PROXY TCP6 nobody nowhere 1 2\r\n")
        self.assertEqual(protocol.getPeer(), IPv6Address("TCP", "nobody", 1))

    def test_error_behind_the_header(self) -> None:
        """An error about bytes after the header is not taken for a fault of the header."""
        listened: list[Any] = []
        factory: Any = ServerFactory.forProtocol(_Silent)
        proxyEndpoint(Keeps(listened)).listen(factory)  # type: ignore[arg-type]
        watch_headers(listened[0], factory)
        protocol = listened[0].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        protocol.wrappedProtocol.dataReceived = int
        self.assertRaises(ValueError, protocol.dataReceived, V1 + b"no number")
        self.assertFalse(protocol.disconnecting)

    def test_a_protocol_that_does_not_ask(self) -> None:
        """A protocol that has no `address_known`, such as one that closes at once, is left alone."""
        listened: list[Any] = []

        factory: Any = ServerFactory.forProtocol(_Silent)
        proxyEndpoint(Keeps(listened)).listen(factory)  # type: ignore[arg-type]
        self.assertTrue(watch_headers(listened[0], factory))
        protocol = listened[0].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(V1)
        protocol.dataReceived(b"more")
        self.assertEqual(protocol.wrappedProtocol.received, [b"more"])


class SentTests(SynchronousTestCase):
    """Headers for the server."""

    def both(self, source: Any, destination: Any) -> tuple[bytes, bytes]:
        """Make the headers of both versions."""
        return header_maker("v1")(source, destination), header_maker("v2")(source, destination)

    def test_addresses(self) -> None:
        """A header has both addresses and ports; IPv4 written as IPv6 becomes IPv4."""
        for source, destination in (("192.0.2.1", "192.0.2.2"), ("::ffff:192.0.2.1", "::ffff:192.0.2.2")):
            kind = IPv6Address if ":" in source else IPv4Address
            made = self.both(kind("TCP", source, 4711), kind("TCP", destination, 9000))
            self.assertEqual(made, (V1, V2))
        made = self.both(IPv6Address("TCP", "2001:db8::1%lo", 4711), IPv6Address("TCP", "2001:db8:0::2", 9000))
        self.assertEqual(
            made,
            (
                b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 9000\r\n",
                version_2(1, 0x21, ip_addresses("2001:db8::1", "2001:db8::2")),
            ),
        )

    def test_mixed_addresses(self) -> None:
        """A client and a port of two families are both written as IPv6."""
        _, made = self.both(IPv6Address("TCP", "2001:db8::1", 4711), IPv4Address("TCP", "192.0.2.2", 9000))
        self.assertEqual(made, version_2(1, 0x21, ip_addresses("2001:db8::1", "::ffff:192.0.2.2")))

    def test_no_addresses(self) -> None:
        """Where an address is missing, is a path, or is wrong, the header has none, and says so."""
        own = IPv4Address("TCP", "192.0.2.2", 9000)
        for source in (
            None,
            UNIXAddress(b"/run/edge"),
            IPv4Address("TCP", "nobody", 1),
            IPv4Address("TCP", "1.2.3.4", -1),
        ):
            first, second = self.both(source, own)
            self.assertEqual((first.split(), second), ([b"PROXY", b"UNKNOWN"], version_2(0, 0, b"")))

    def test_versions(self) -> None:
        """Other versions are refused, and so are all if the library is missing."""
        self.assertEqual(header_version("v2"), "v2")
        for call, begins in ((header_version, ""), (header_maker, "send_proxy ")):
            error = self.assertRaises(ValueError, call, "v3")
            self.assertEqual(str(error), f"{begins}must be one of v1, v2, not 'v3'")
            with mock.patch.dict(sys.modules, {"proxyprotocol": None}):
                error = self.assertRaises(ValueError, call, "v1")
            self.assertIn(f"{begins}needs an extra: pip install 'twisted_repeater[proxy]'", str(error))


class SendingTests(PeerCase):
    """Repeaters that send headers."""

    async def test_kinds_of_servers(self) -> None:
        """A server that is not described cannot be sent a header first; that is an error at once."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", 1)
        for server in (endpoint, r"tls:localhost:1:endpoint=haproxy\:tcp\:127.0.0.1\:1"):
            with self.assertRaises(ValueError):
                await self.world(via=server, send_proxy="v2")
