"""Endpoints for TLS with clients' certificates and ALPN."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS, trustRootFromCertificates
from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_repeater import _renewal
from twisted_repeater._sockets.endpoints import listening_endpoint, server_endpoint
from twisted_repeater.errors import InvalidHello, ServerUnreachable
from twisted_repeater.tls_options import reload_certificates

from ..certificates import Authority, Issued
from ..link.links import messages
from ..peers import PeerCase, Server, Sockets, hello, reactor
from .test_proxy_headers import HeaderFirst


class MutualSockets(Sockets):
    """TLS towards clients, which must have certificates; the server is reached by TCP."""

    def __init__(self, directory: str, extra: str = "", wrappers: str = "") -> None:
        self.authority = Authority(directory)
        self.own = self.authority.issue("localhost")
        self.roots = trustRootFromCertificates([self.authority.load()])
        self.extra = extra
        self.wrappers = wrappers
        self.issued: Issued | None = self.authority.issue("ann")

    def for_clients(self) -> dict[str, Any]:
        """See `Sockets`."""
        return {"listen": f"{self.wrappers}{self.listener(f'clientRoots={self.authority.roots}')}{self.extra}"}

    def listener(self, arguments: str) -> str:
        """Describe an endpoint."""
        own = f"privateKey={self.own.key}:certKey={self.own.certificate}"
        return f"ssl:0:interface=127.0.0.1:{own}:{arguments}"

    def client_options(self, **options: Any) -> Any:
        """Return the options of a client."""
        own = None if self.issued is None else self.issued.load()
        return optionsForClientTLS("localhost", trustRoot=self.roots, clientCertificate=own, **options)

    def to(self, repeater: Any) -> Any:
        """See `Sockets`."""
        return wrapClientTLS(self.client_options(), TCP4ClientEndpoint(reactor, "127.0.0.1", repeater.port))


class TLSEndpointCase(PeerCase):
    """A test case with an authority."""

    sockets: Any

    def setUp(self) -> None:
        """Make certificates."""
        self.addCleanup(self.flushWarnings)
        self.sockets = MutualSockets(self.mktemp())


class ListenerTests(TLSEndpointCase):
    """An endpoint that demands certificates."""

    async def test_certificate(self) -> None:
        """A client with a certificate of the authority is linked, and its certificate is known."""
        world = await self.world()
        await world.linked("ann")
        link: Any = world.repeater.link("ann")
        self.assertEqual(link.client_certificate.get_subject().CN, "ann")

    async def test_refused(self) -> None:
        """Without one, with an expired one or one of somebody else a client is refused with words; others go on."""
        texts: list[str] = []
        world = await self.world(on_connecting_error=lambda name, server, error: texts.append(str(error)))
        client, peer = await world.linked("ann")
        stranger = Authority(self.mktemp(), "stranger").issue("ann")
        expired = self.sockets.authority.issue("late", days=-1)
        for issued, text in (
            (None, "the client's TLS handshake failed: peer did not return a certificate"),
            (expired, "the client's TLS handshake failed: its certificate has expired"),
            (stranger, "the client's TLS handshake failed: the authority of its certificate is not trusted"),
        ):
            self.sockets.issued = issued
            refused = await world.connect(hello("bob"))
            await refused.lost()
            await world.refused()
            self.assertEqual((texts, world.refusals), ([text], [(None, InvalidHello)]))
            texts.clear()
            world.calls.clear()
        await world.still_relays(client, peer)

    async def test_alpn(self) -> None:
        """The protocol is agreed on that both know; a client that names only others is refused."""
        self.sockets.extra = ":alpn=postgresql,other"
        world = await self.world()
        await world.linked("ann")
        options = self.sockets.client_options(acceptableProtocols=[b"unknown", b"other"])
        endpoint = wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port))
        client = await world.connect(hello("bob"), endpoint=endpoint)
        await client.seen.reach(1)
        self.assertEqual(client.transport.negotiatedProtocol, b"other")
        options = self.sockets.client_options(acceptableProtocols=[b"unknown"])
        endpoint = wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port))
        await (await world.connect(hello("eve"), endpoint=endpoint)).lost()
        await world.refused()
        self.assertEqual(
            str(world.refusal),
            "the client's TLS handshake failed: it must offer the protocol postgresql, other by ALPN, not [b'unknown']",
        )

    async def test_no_alpn(self) -> None:
        """Where no protocols are named, a client that offers some is served without one."""
        world = await self.world()
        options = self.sockets.client_options(acceptableProtocols=[b"postgresql"])
        endpoint = wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port))
        client = await world.connect(hello("ann"), endpoint=endpoint)
        await client.seen.reach(1)
        self.assertEqual((messages(client), client.transport.negotiatedProtocol), ([], None))

    async def test_alpn_alone(self) -> None:
        """With ALPN only, no certificate is demanded; all arguments of Twisted's are known."""
        parameters = Path(self.mktemp())
        parameters.write_text(DH_PARAMETERS)
        chain = self.sockets.authority.roots
        listen = self.sockets.listener(f"alpn=x:extraCertChain={chain}:dhParameters={parameters}:backlog=7")
        self.sockets.issued = None
        world = await self.world(listen=listen)
        await world.linked("ann")
        link: Any = world.repeater.link("ann")
        self.assertIsNone(link.client_certificate)
        port: Any = world.repeater._listening._port
        self.assertEqual(port.backlog, 7)

    async def test_behind_a_load_balancer(self) -> None:
        """With haproxy: the header comes before TLS, as balancers send it."""
        self.sockets.wrappers = "haproxy:"
        world = await self.world()
        client = HeaderFirst(hello("ann"))
        client.options = self.sockets.client_options()
        world.clients.append(client)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        await client.seen.reach(1)
        link: Any = world.repeater.link("ann")
        self.assertEqual(link.client_address, IPv4Address("TCP", "192.0.2.1", 4711))
        self.assertEqual(link.client_certificate.get_subject().CN, "ann")

    def test_mistakes(self) -> None:
        """What is wrong in a description is told."""
        empty = Path(self.mktemp())
        empty.mkdir()
        own, roots = self.sockets.listener, f"clientRoots={self.sockets.authority.roots}"
        for description, text in (
            (own(f"{roots}:color=red"), "ssl: has no argument color=; it has port, privateKey"),
            (own(f"{roots}:color=red:sslmethod=x"), "sslmethod= is left to Twisted, which has no clientRoots="),
            (f"tls:h:1:alpn=x{':1' * 8}", "tls: has no argument '1'; it has"),
            (own("clientRoots="), "clientRoots= must be a file or a directory"),
            (own(f"clientRoots={empty}"), "there is no certificate in "),
            (own(f"{roots}:alpn="), "alpn= must have names of 1 to 255 characters with commas between, not ''"),
            (own(f"{roots}:alpn=a,,b"), "alpn= must have names"),
            (own(f"{roots}:alpn=\u00e4"), "alpn= must have names"),
            ("ssl:clientRoots=x", "the port of ssl: is missing"),
            ("tls:alpn=x", "the host of tls: is missing"),
            ("tls:h:alpn=x", "the port of tls: is missing"),
            ("tls:h:1:privateKey=x", "privateKey= needs certificate="),
            ("tls:h:1:alpn=x:color=red", "tls: has no argument color=; it has host, port"),
        ):
            make: Any = listening_endpoint if description.startswith("ssl") else server_endpoint
            with self.assertRaisesRegex(ValueError, re.escape(text)):
                make(reactor, description)


class RenewalTests(TLSEndpointCase):
    """Endpoints whose certificates change while links run. Files are looked at with each handshake."""

    async def test_listener(self) -> None:
        """A certificate that is replaced, as mounted secrets are, counts for new clients; links go on with the old."""
        self.patch(_renewal, "LOOK_EVERY", 0.0)
        authority, directory = self.sockets.authority, Path(self.mktemp())
        directory.mkdir()
        self.sockets.issued = None
        for version in ("v1", "v2"):
            (directory / version).mkdir()
            issued = authority.issue("localhost", file=version)
            (directory / version / "both.pem").write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        (directory / "data").symlink_to("v1")
        world = await self.world(listen=f"ssl:0:interface=127.0.0.1:privateKey={directory}/data/both.pem")
        ann, peer = await world.linked("ann")
        (directory / "new").symlink_to("v2")
        (directory / "new").rename(directory / "data")
        bob, _ = await world.linked("bob")
        serials = [client.transport.getPeerCertificate().get_serial_number() for client in (ann, bob)]
        own = [PrivateCertificate.loadPEM((directory / v / "both.pem").read_bytes()) for v in ("v1", "v2")]
        self.assertEqual(serials, [each.original.get_serial_number() for each in own])
        await world.still_relays(ann, peer)
        (directory / "v2" / "both.pem").write_bytes(b"half a f")
        with capturedLogs() as logs:
            for name in ("eve", "joe"):
                await world.linked(name)
        (text,) = [formatEvent(each) for each in logs if each["log_level"] is LogLevel.error]
        self.assertIn(f"of ssl:0:interface=127.0.0.1:privateKey={directory}/data/both.pem have", text)

    async def test_client_roots(self) -> None:
        """Authorities of clients that are replaced count for new clients."""
        self.patch(_renewal, "LOOK_EVERY", 0.0)
        world = await self.world()
        client, peer = await world.linked("ann")
        other = Authority(self.mktemp(), "other")
        self.sockets.authority.roots.write_bytes(other.roots.read_bytes())
        await (await world.connect(hello("bob"))).lost()
        await world.refused()
        self.assertIn("the authority of its certificate is not trusted", str(world.refusal))
        self.sockets.issued = other.issue("bob")
        await world.linked("bob")
        await world.still_relays(client, peer)


class ServerTests(TLSEndpointCase):
    """An endpoint that reaches the server by TLS with ALPN."""

    async def through(self, arguments: str, *, host: str = "localhost") -> Any:
        """Put a repeater before a TLS server that demands certificates and knows ALPN; return that one's repeater.

        That server is a repeater itself.
        """
        self.sockets.extra = ":alpn=postgresql"
        behind = await self.world()
        port = behind.repeater.port
        self.front = Sockets()
        where = rf"tls:{host}:{port}:alpn=postgresql:trustRoots={self.sockets.authority.roots}{arguments}"
        world = await self.world(server=Server(), listen="tcp:0:interface=127.0.0.1", via=where)
        world.sockets = self.front
        return behind, world

    async def test_certificate_and_alpn(self) -> None:
        """The repeater's own certificate is sent, in files of its own, and the protocol is agreed on."""
        issued = self.sockets.issued
        behind, world = await self.through(f":certificate={issued.certificate}:privateKey={issued.key}")
        client = await world.connect(hello("bob"))
        await client.seen.reach(1)
        link: Any = behind.repeater.link("bob")
        self.assertEqual(link.client_certificate.get_subject().CN, "ann")
        (own,) = world.repeater._factory.links
        self.assertEqual((own.server.alpn, own.server.certificate.get_subject().CN), (b"postgresql", "localhost"))

    async def test_renewed(self) -> None:
        """A certificate for the server that is renewed counts for new links, when that is asked for."""
        issued = self.sockets.issued
        behind, world = await self.through(f":certificate={issued.certificate}:privateKey={issued.key}")
        for name in ("bob", "eve"):
            client = await world.connect(hello(name))
            await client.seen.reach(1)
            link: Any = behind.repeater.link(name)
            own = issued.load().original.get_serial_number()
            self.assertEqual(link.client_certificate.get_serial_number(), own)
            self.sockets.authority.issue("ann")  # in the same files
            self.assertIn(True, [each.changed for each in reload_certificates()])

    async def test_in_one_file(self) -> None:
        """The key may be in the certificate's file; the connection may be made by another endpoint."""
        issued, both = self.sockets.issued, Path(self.mktemp())
        both.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        self.sockets.extra = ":alpn=postgresql"
        behind = await self.world()
        inner = rf"tcp\:127.0.0.1\:{behind.repeater.port}"
        roots = self.sockets.authority.roots
        where = f"tls:localhost:1:alpn=postgresql:trustRoots={roots}:certificate={both}:endpoint={inner}"
        world = await self.world(listen="tcp:0:interface=127.0.0.1", via=where)
        world.sockets = Sockets()
        client = await world.connect(hello("bob"))
        await client.seen.reach(1)
        (own,) = world.repeater._factory.links
        self.assertEqual(own.server.alpn, b"postgresql")

    async def test_without_certificate(self) -> None:
        """A server that demands a certificate is not reached without one, and says so."""
        _, world = await self.through(":bindAddress=127.0.0.1:timeout=20")
        client = await world.connect(hello("bob"))
        await client.lost()
        await world.refused()
        self.assertIsInstance(world.refusal, ServerUnreachable)
        self.assertIn("certificate required", str(world.refusal))
        self.assertEqual(messages(client), [])


DH_PARAMETERS = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
"""The 2048-bit group of RFC 7919, named ffdhe2048 there, is longer to make than to write down."""
