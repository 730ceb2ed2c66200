"""The repeater as an application sees it."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Callable
from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, clientFromString, serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    CallbackFailed,
    ClientGone,
    Disconnected,
    Hello,
    HelloTimeout,
    ILink,
    InvalidHello,
    Limits,
    MarshalingError,
    MessageType,
    MultipleVersionsError,
    NewClientsDropped,
    OnFilterError,
    Repeater,
    RepeaterClosed,
    Send,
    SendBack,
    ServerUnreachable,
    Side,
    dialects,
)
from twisted_repeater._link.defaults import end_link
from twisted_repeater._link.link import pair_of
from twisted_repeater.codecs import text
from twisted_repeater.filters import FilterPair, wants
from twisted_repeater.selectors import first_byte

from .peers import (
    END,
    LOST,
    REPEATER_NAME,
    SERVER_NAME,
    Client,
    PeerCase,
    RecordingRepeater,
    Server,
    StoppedTime,
    World,
    frame,
    hello,
    reactor,
    repeated,
    turn,
)
from .real_sockets import FullSocket

LOG_OBSERVER = "twisted_repeater.observers"


def no_framing(limits: Limits) -> Any:
    """Fail to make a framing."""
    raise OSError("no framing")


class CreateTests(PeerCase):
    """`Repeater.create`: where it listens, and where the server is."""

    async def test_port_numbers(self) -> None:
        """With numbers for both, port 0 takes a free one, on all interfaces; the port is told."""
        world = await self.world(listen_port=0)
        self.assertEqual(world.repeater.address, IPv4Address("TCP", "0.0.0.0", world.repeater.port))
        self.assertGreater(world.repeater.port, 0)
        await world.still_relays(*await world.linked("alice"))

    async def test_endpoints(self) -> None:
        """Endpoints serve as well, as objects or as strings."""
        listening: tuple[Callable[[], Any], ...] = (
            lambda: "tcp:0:interface=127.0.0.1",
            lambda: TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
        )
        reaching: tuple[Callable[[int], Any], ...] = (
            lambda port: f"tcp:127.0.0.1:{port}",
            lambda port: TCP4ClientEndpoint(reactor, "127.0.0.1", port),
        )
        for listen, reach in zip(listening, reaching, strict=True):
            port = reactor.listenTCP(0, server := Server(), interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            world = await self.world(server=server, listen=listen(), via=reach(port.getHost().port))
            self.assertEqual(world.repeater.address.host, "127.0.0.1")
            await world.still_relays(*await world.linked("alice"))

    async def test_unix_sockets(self) -> None:
        """Both sides may be Unix sockets."""
        listen, reach = self.mktemp(), self.mktemp()
        server = Server(half_close=True)
        port = reactor.listenUNIX(reach, server)
        self.addCleanup(port.stopListening)
        world = await self.world(server=server, listen=f"unix:{listen}", via=f"unix:{reach}")
        self.assertEqual(world.repeater.address, UNIXAddress(os.fsencode(listen)))
        self.assertRaises(AttributeError, lambda: world.repeater.port)
        to_repeater = clientFromString(reactor, f"unix:{listen}")
        client, peer = await world.linked("alice", endpoint=to_repeater, half_close=True)
        await world.still_relays(client, peer)
        link = world.repeater.links()[0]
        self.assertEqual(link.server_address, UNIXAddress(os.fsencode(reach)))
        client.end_stream()
        await peer.seen.holds(END)
        peer.send(b"last reply")
        peer.close()
        await client.lost()
        self.assertEqual(client.seen[2:], [b"last reply", END, LOST])

    async def test_tls(self) -> None:
        """Both sides may speak TLS; untrusted servers cannot be reached, and refused clients are closed at once."""
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        folder = self.mktemp()
        os.mkdir(folder)
        pem = write_certificate(os.path.join(folder, "cert.pem"))
        server = Server()
        description = f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
        port = await serverFromString(reactor, description).listen(server)
        self.addCleanup(port.stopListening)
        trusting = f"tls:127.0.0.1:{port.getHost().port}:trustRoots={folder}"
        world = await self.world(server=server, listen=description, via=trusting)
        to_repeater = clientFromString(reactor, f"tls:127.0.0.1:{world.repeater.port}:trustRoots={folder}")
        client, peer = await world.linked("alice", endpoint=to_repeater)
        await world.still_relays(client, peer)
        large = bytes(300_000)
        client.send(large)
        await peer.seen.holds(large)
        client.close()
        await peer.lost()

        world.repeater.drop_new_clients()
        client = await world.connect(endpoint=to_repeater)
        await client.lost()
        await world.refused()
        self.assertEqual((client.seen, world.refusals), ([LOST], [(None, NewClientsDropped)]))

        other = await self.world(server=server, via=f"tls:127.0.0.1:{port.getHost().port}")
        client = await other.connect(hello("bob"))
        await client.lost()
        await other.refused()
        self.assertEqual((client.seen, other.refusals), ([LOST], [("bob", ServerUnreachable)]))

    async def test_connect_timeout(self) -> None:
        """An endpoint that takes too long is given up, in Twisted's own words for that."""

        @implementer(IStreamClientEndpoint)
        class Endpoint:
            """Gets nowhere."""

            def connect(self, factory: Any) -> Deferred[Any]:
                return Deferred()

        world = await self.world(via=Endpoint(), limits=Limits(connect_timeout=0.1))
        client = await world.connect(hello("alice"))
        await client.lost()
        self.assertEqual(world.refusals, [("alice", ServerUnreachable)])
        self.assertIsInstance(world.refusal.__cause__, internet_error.TimeoutError)
        self.assertIn("not connected within 0.1 seconds", str(world.refusal))

    async def test_dial_under_way(self) -> None:
        """A TCP dial that is under way ends with the connect timeout, with its client, and with the repeater."""
        full = FullSocket()
        self.addCleanup(full.close)
        world = await self.world(server_port=full.port, limits=Limits(connect_timeout=0.3))
        client = await world.connect(hello("alice"))
        await client.lost()
        await world.refused()
        self.assertIsInstance(world.refusal.__cause__, internet_error.TimeoutError)

        world = await self.world(server_port=full.port)
        client = await world.connect(hello("bob"))
        await world.until_accepted(heard=True)
        client.abort()
        await world.refused()
        await world.connect(hello("bob"))
        await world.until_accepted(heard=True)
        await world.repeater.shutdown()
        self.assertEqual(world.refusals, [("bob", ClientGone), ("bob", RepeaterClosed)])

    async def test_port_in_use(self) -> None:
        """A port in use fails the Deferred with Twisted's own error."""
        world = await self.world()
        number = world.repeater.port
        for where in ({"listen_port": number}, {"listen": f"tcp:{number}"}):
            failure = self.failureResultOf(create(**where), internet_error.CannotListenError)
            self.assertEqual(failure.value.port, number)

    def test_wrong_arguments(self) -> None:
        """Wrong arguments fail the Deferred with an error that names them."""
        wrong: tuple[tuple[type[Exception], str, dict[str, Any]], ...] = (
            (TypeError, "listen", {"listen_port": None}),
            (TypeError, "listen", {"listen": "tcp:0", "listen_port": 0}),
            (TypeError, "listen_port", {"listen_port": "9000"}),
            (TypeError, "listen_port", {"listen_port": True}),
            (ValueError, "listen_port", {"listen_port": 65536}),
            (ValueError, "listen_port", {"listen_port": -1}),
            (ValueError, "nonsense", {"listen_port": None, "listen": "nonsense:7"}),
            (TypeError, "listen", {"listen_port": None, "listen": 9000}),
            (TypeError, "server", {"server_ip": None}),
            (TypeError, "server", {"server_port": None}),
            (TypeError, "server", {"server_ip": None, "server_port": None}),
            (TypeError, "server", {"server": "tcp:127.0.0.1:1"}),
            (TypeError, "server", {"server": "tcp:127.0.0.1:1", "server_ip": None}),
            (ValueError, "server_port", {"server_port": 0}),
            (TypeError, "server_port", {"server_port": "9001"}),
            (ValueError, "nonsense", {"server_ip": None, "server_port": None, "server": "nonsense:7"}),
            (TypeError, "server", {"server_ip": None, "server_port": None, "server": ("127.0.0.1", 1)}),
            (TypeError, "dialect", {"dialect": dialects.int32}),
            (OSError, "no framing", {"dialect": dialects.Dialect(name="test", framing=no_framing)}),
            (TypeError, "limits", {"limits": {"max_clients": 1}}),
            (TypeError, "not iterable", {"observers": 7}),
            (TypeError, "is_client_allowed", {"is_client_allowed": ["alice"]}),
            (TypeError, "is_client_allowed", {"is_client_allowed": None}),
            (TypeError, "is_client_ip_authorized", {"is_client_ip_authorized": ["127.0.0.1"]}),
            (InvalidHello, "bytes", {"server_name": "x" * 70_000}),
            (TypeError, "repeater_name must be a str, not b'edge-1'", {"repeater_name": b"edge-1"}),
            (TypeError, "server_name must be a str, not 5", {"server_name": 5}),
        )
        for kind, told, arguments in wrong:
            failure = self.failureResultOf(create(**arguments))
            self.assertIs(failure.type, kind, arguments)
            self.assertIn(told, str(failure.value), arguments)

    def test_versions(self) -> None:
        """Several versions of a message type fail the Deferred, and so does a conversion that has a step missing."""
        codec = MessageType().codecs[1]
        several = MessageType({1: codec, 2: codec}, low=1, prod=1, test=2)
        for dialect in (dialects.int32(to_server=several), dialects.int32(to_client=several)):
            self.failureResultOf(create(dialect=dialect), MultipleVersionsError)
            self.failureResultOf(create(dialect=dialect, convert_versions=True), ValueError)

    async def test_a_reactor_of_ones_own(self) -> None:
        """Everything, time included, goes through the reactor that is given."""
        own = MemoryReactorClock()
        told: list[Any] = []
        repeater = await create(reactor=own, listen_port=7, server_port=9, limits=Limits(connect_timeout=3))
        self.assertEqual((repeater.limits.connect_timeout, repeater.limits.max_unfinished_frames), (3, 256 << 20))
        repeater.start(on_connecting_error=lambda *arguments: told.append(arguments))
        factory: Any
        ((port, factory, *_),) = own.tcpServers
        self.assertEqual(port, 7)
        silent, client = (factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)) for _ in range(2))
        connect_in_memory(silent)
        connect_in_memory(client)
        client.dataReceived(hello("alice"))
        ((host, port, _, timeout, _),) = own.tcpClients
        self.assertEqual((host, port, timeout), ("127.0.0.1", 9, 3))
        own.advance(10)
        ((name, server_name, error),) = told
        self.assertEqual((name, server_name, type(error)), (None, SERVER_NAME, HelloTimeout))
        client.transport.loseConnection()
        self.successResultOf(repeater.shutdown())
        own.advance(0)
        self.assertEqual(own.getDelayedCalls(), [])
        self.assertEqual([type(arguments[2]) for arguments in told], [HelloTimeout, ClientGone])

    async def test_defaults(self) -> None:
        """The global reactor is the default; a repeater that was never started shuts down as well."""
        repeater = await create()
        client = Client()
        await TCP4ClientEndpoint(reactor, "127.0.0.1", repeater.port).connect(ServerFactory.forProtocol(lambda: client))
        await client.lost()
        await repeater.shutdown()


def answering(answer: Any) -> Callable[[Any], Any]:
    """Return a callback that always answers this."""
    return lambda link: answer


def create(**changes: Any) -> Deferred[Repeater]:
    """Create a repeater; arguments that a test does not give have some value."""
    arguments: dict[str, Any] = {
        "dialect": dialects.int32(),
        "repeater_name": REPEATER_NAME,
        "server_name": SERVER_NAME,
        "is_client_allowed": lambda name: True,
        "listen_port": None if "listen" in changes else 0,
        "server_ip": "127.0.0.1",
        "server_port": 1,
        **changes,
    }
    return Repeater.create(arguments.pop("dialect"), **arguments)


def write_certificate(path: str) -> str:
    """Write a key and a certificate for 127.0.0.1 that it signs itself; return the path."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(path, "wb") as file:
        file.write(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path


class HeaderServer(Server):
    """A server that takes a line off the beginning of each connection."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[bytes] = []

    def buildProtocol(self, addr: Any) -> Any:
        """See `IProtocolFactory`."""
        protocol: Any = super().buildProtocol(addr)
        received = protocol.dataReceived

        def first(data: bytes) -> None:
            header, _, rest = data.partition(b"\r\n")
            self.headers.append(header)
            protocol.dataReceived = received
            received(rest)

        protocol.dataReceived = first
        return protocol


class HeaderTests(PeerCase):
    """PROXY headers for the server."""

    async def test_header_for_the_server(self) -> None:
        """The server gets a PROXY header first, with the client's address, if that is asked for."""
        server = HeaderServer()
        world = await self.world(server=server, send_proxy="v1")
        client = await world.connect(hello("ann"))
        await client.seen.reach(1)
        own, repeater = client.transport.getHost(), client.transport.getPeer()
        self.assertEqual(server.headers, [f"PROXY TCP4 127.0.0.1 127.0.0.1 {own.port} {repeater.port}".encode()])


class StartTests(PeerCase):
    """`Repeater.start`, `Repeater.replace_filters`, and the callbacks that are missing."""

    async def test_wrong_arguments(self) -> None:
        """A callback that cannot be called, or a wrong filter, is an error at once."""
        world = await self.world(start=False)
        for name in ("on_connect", "on_error", "on_connecting_error", "to_server_filter", "to_client_filter"):
            self.assertRaises(TypeError, world.repeater.start, **{name: 7})
        self.assertRaises(RuntimeError, world.repeater.replace_filters, to_server_filter=None)
        client = await world.connect(hello("alice"))
        await client.lost()

    async def test_twice(self) -> None:
        """Starting twice is refused: filters are replaced in another way."""
        world = await self.world()
        self.assertRaises(RuntimeError, world.repeater.start)

    async def test_replace_filters(self) -> None:
        """Filters can be replaced, each by itself; a wrong one changes nothing."""
        world = await self.world(to_server_filter=lambda message, link: SendBack([b"no: " + message]))
        client, peer = await world.linked("alice")
        client.send(b"one")
        await client.seen.reach(2)
        world.repeater.replace_filters(to_client_filter=lambda message, link: DO_NOTHING)
        self.assertRaises(TypeError, world.repeater.replace_filters, to_server_filter=7)
        client.send(b"two")
        await client.seen.reach(3)
        self.assertEqual(client.seen[1:], [b"no: one", b"no: two"])
        world.repeater.replace_filters(to_server_filter=None)
        client.send(b"three")
        await peer.seen.reach(2)
        self.assertEqual(peer.seen[1], b"three")
        peer.send(b"unheard")
        world.repeater.replace_filters(to_client_filter=None)
        peer.send(b"four")
        await client.seen.holds(b"four")

    async def test_replace_policy(self) -> None:
        """What becomes of messages whose filter fails can be replaced; a wrong policy changes nothing."""
        world = await self.world(to_server_filter=lambda message, link: 1 / 0)
        client, peer = await world.linked("alice")
        self.assertRaises(ValueError, world.repeater.replace_filters, on_filter_error="never")
        world.repeater.replace_filters(on_filter_error=OnFilterError.PASS_ON)
        client.send(b"one")
        await peer.seen.reach(2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_replace_server(self) -> None:
        """Newcomers are linked to another server; links stay, and a wrong server changes nothing."""
        world, other = await self.world(), await self.world()
        client, peer = await world.linked("alice")
        self.assertRaises(ValueError, world.repeater.replace_server, "tcp:127.0.0.1:0")
        world.repeater.replace_server(f"tcp:127.0.0.1:{other.server_port.getHost().port}")
        newcomer = await world.connect(hello("bob"))
        await newcomer.seen.reach(1)
        self.assertEqual((len(world.server.peers), len(other.server.peers)), (1, 1))
        client.send(b"one")
        await peer.seen.reach(2)

    async def test_hold(self) -> None:
        """Somebody can hold messages, as long as the repeater is not shut down."""
        world = await self.world()
        hold = world.repeater.hold(lambda message: succeed(Send(b"instead")), links="alice")
        client, peer = await world.linked("alice")
        client.send(b"one")
        await peer.seen.holds(b"instead")
        hold.stop()
        await world.repeater.shutdown()
        self.assertRaises(RuntimeError, world.repeater.hold, lambda message: None)

    async def test_pairs(self) -> None:
        """A pair of filters can be given at the start, and replaced; a wrong one changes nothing."""
        world = await self.world(filters=FilterPair(to_client=lambda message, link: DO_NOTHING))
        client, peer = await world.linked("alice")
        for wrong in (7, FilterPair):
            self.assertRaises(TypeError, world.repeater.replace_filters, filters=wrong)
        peer.send(b"unheard")
        client.send(b"one")
        await peer.seen.reach(2)
        world.repeater.replace_filters(filters=FilterPair(lambda message, link: SendBack([b"no: " + message])))
        client.send(b"two")
        await client.seen.reach(2)
        self.assertEqual(client.seen[1], b"no: two")
        other = await self.world(start=False)
        self.assertRaises(TypeError, other.repeater.start, filters=7)

    async def test_filters_that_do_not_fit_together(self) -> None:
        """Filters that cannot work together are a ``TypeError`` at once, not when a client comes."""
        choosing = wants(first_byte(b"x"))(lambda message, link: PASS_ON)
        pair = FilterPair(lambda message, link: PASS_ON)
        world = await self.world(start=False, dialect=dialects.int32(to_server=text()))
        self.assertRaises(TypeError, world.repeater.start, to_server_filter=choosing, filters=pair)
        world.repeater.start(filters=pair)
        self.assertRaises(TypeError, world.repeater.replace_filters, to_server_filter=choosing)
        world.repeater.replace_filters(to_server_filter=choosing, filters=None)

    async def test_filter_failures_are_logged_once(self) -> None:
        """The failure of a filter is logged with its traceback, and not a second time."""
        with capturedLogs() as captured:
            world = await self.world(to_server_filter=lambda message, link: 1 / 0)
            client, _ = await world.linked("alice")
            client.send(b"one")
            await world.calls.until(lambda: world.errors)
        self.assertIsInstance(world.errors[0][2], CallbackFailed)
        self.assertEqual(len([event for event in captured if "log_failure" in event]), 1)
        self.assertEqual([event for event in captured if event["log_namespace"].startswith(LOG_OBSERVER)], [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_end_link(self) -> None:
        """An ``on_error`` of one's own can end links in the same way; other errors end nothing."""
        errors: list[Any] = []

        def on_error(link: Any, side: Side, error: Any) -> None:
            errors.append(error)
            end_link(link, side, error)

        world = await self.world(on_error=on_error)
        client, peer = await world.linked("alice")
        world.repeater.send_to_all_clients("no bytes")
        await world.still_relays(client, peer)
        client.close()
        await peer.lost()
        self.assertEqual([type(error) for error in errors][:2], [MarshalingError, Disconnected])


class RunningTests(PeerCase):
    """The running repeater: section by section what an application may do."""

    async def two(self, **settings: Any) -> tuple[World, Any, Any]:
        """Link two clients, behind filters that must see nothing of the application's own messages."""
        world = await self.world(to_server_filter=self.fail_filter, to_client_filter=self.fail_filter, **settings)
        return world, await world.linked("alice"), await world.linked("bob")

    @staticmethod
    def fail_filter(message: bytes, link: Any) -> Any:
        """Let through what peers send, and that is marked."""
        assert message in (b"there?", b"here"), message
        return PASS_ON

    async def test_send_to_all_clients(self) -> None:
        """A message to all clients goes to each, past the filters."""
        world, (alice, _), (bob, _) = await self.two()
        world.repeater.send_to_all_clients(b"news")
        for client in (alice, bob):
            await client.seen.reach(2)
            self.assertEqual(client.seen, [repeated(SERVER_NAME), b"news"])

    async def test_send_from_all_clients(self) -> None:
        """A message from all clients goes to the server on each link, past the filters."""
        world, (_, alice_peer), (_, bob_peer) = await self.two()
        world.repeater.send_from_all_clients(b"vote")
        for peer, name in ((alice_peer, "alice"), (bob_peer, "bob")):
            await peer.seen.reach(2)
            self.assertEqual(peer.seen, [repeated(name), b"vote"])

    async def test_send_to_server_from(self) -> None:
        """A message from one client goes to the server on its link; from one that isn't linked it goes nowhere."""
        world, alice, bob = await self.two()
        world.repeater.send_to_server_from("carol", b"nothing")
        world.repeater.send_to_server_from("bob", b"order")
        await bob[1].seen.reach(2)
        self.assertEqual(bob[1].seen, [repeated("bob"), b"order"])
        await world.still_relays(*alice)
        self.assertEqual(alice[1].seen, [repeated("alice"), b"there?"])

    async def test_from_within_a_filter(self) -> None:
        """A message that a filter sends goes out just before the message it looks at."""

        def beside(message: bytes, link: ILink) -> Any:
            if message == b"3":
                link.send_to_server(b"beside 3")
                world.repeater.send_from_all_clients(b"from all")
                link.send_to_client(b"hint")
            return PASS_ON

        world = await self.world(to_server_filter=beside)
        client, peer = await world.linked("ann")
        client.send(b"1", b"2", b"3", b"4")
        await peer.seen.reach(7)
        await client.seen.reach(2)
        self.assertEqual(peer.seen[1:], [b"1", b"2", b"beside 3", b"from all", b"3", b"4"])
        self.assertEqual(client.seen[1:], [b"hint"])

    async def test_links(self) -> None:
        """You get links by name and all together; attempts do not count."""
        world, _, _ = await self.two()
        world.server.when_greeted = False
        await world.connect(hello("carol"))
        await world.server.peers.reach(3)
        self.assertEqual({link.client_name for link in world.repeater.links()}, {"alice", "bob"})
        self.assertEqual(sorted(world.repeater.active_clients()), ["alice", "bob"])
        link = world.repeater.link("alice")
        assert link is not None
        self.assertEqual((link.client_name, link.client_hello), ("alice", Hello("alice")))
        self.assertIsNone(world.repeater.link("carol"))
        self.assertIsNone(world.repeater.link("dave"))
        world.repeater.close_connection_from_client("carol")
        world.repeater.send_to_server_from("carol", b"nothing")
        self.assertEqual(world.refusals, [])

    async def test_active(self) -> None:
        """A client is active while both of its sides are up."""
        world = await self.world(on_error=lambda link, side, error: None)
        (alice, _), (_, bob_peer) = await world.linked("alice"), await world.linked("bob")
        alice.close()
        bob_peer.close()
        await world.calls.until(lambda: len(world.errors) == 2)
        self.assertEqual(world.repeater.active_clients(), [])
        self.assertEqual({link.client_name for link in world.repeater.links()}, {"alice", "bob"})

    async def test_sides_that_are_gone(self) -> None:
        """Messages for a side that is gone are dropped in silence; the other side still gets its own."""
        world = await self.world(on_error=lambda link, side, error: None)
        alice, bob = await world.linked("alice"), await world.linked("bob")
        alice[0].abort()
        await world.calls.until(lambda: world.errors)
        world.repeater.send_to_all_clients(b"news")
        world.repeater.send_from_all_clients(b"vote")
        await bob[0].seen.holds(b"news")
        await alice[1].seen.holds(b"vote")
        await bob[1].seen.holds(b"vote")
        self.assertEqual(len(world.errors), 1)

    async def test_close_connection(self) -> None:
        """Closing a client's connection closes both sides of its link, no other, and frees the name."""
        world, (alice, alice_peer), bob = await self.two()
        world.repeater.close_connection_from_client("nobody")
        world.repeater.send_to_server_from("alice", b"last")
        world.repeater.close_connection_from_client("alice")
        await alice.lost()
        await alice_peer.lost()
        self.assertEqual(alice_peer.seen, [repeated("alice"), b"last", LOST])
        await world.still_relays(*bob)
        await world.linked("alice")

    async def test_drop_and_accept(self) -> None:
        """Whether newcomers are dropped can be asked, and changed any number of times."""
        world = await self.world()
        self.assertFalse(world.repeater.drops_new_clients)
        for _ in range(3):
            world.repeater.drop_new_clients()
            world.repeater.drop_new_clients()
            self.assertTrue(world.repeater.drops_new_clients)
            client = await world.connect()
            await client.lost()
            world.repeater.accept_new_clients()
            self.assertFalse(world.repeater.drops_new_clients)
            client, peer = await world.linked("alice")
            client.close()
            await peer.lost()


@implementer(IListeningPort)
class StuckPort:
    """A port that does not stop listening, and cannot be paused."""

    def __init__(self, stopping: Callable[[], Deferred[None]]) -> None:
        self.stopListening = stopping

    def startListening(self) -> None:
        """See `IListeningPort`."""

    def getHost(self) -> Any:
        """See `IListeningPort`."""
        return IPv4Address("TCP", "127.0.0.1", 7)


@implementer(IStreamServerEndpoint)
class StuckEndpoint:
    """Listens on a `StuckPort`."""

    def __init__(self, stopping: Callable[[], Deferred[None]]) -> None:
        self.port = StuckPort(stopping)
        self.factory: Any = None

    def listen(self, factory: Any) -> Deferred[Any]:
        """See `IStreamServerEndpoint`."""
        self.factory = factory
        return succeed(self.port)


class ShutdownTests(PeerCase):
    """`Repeater.shutdown`."""

    async def test_links_in_every_state(self) -> None:
        """Every connection ends, whatever it is about; attempts are told of, and the port is closed."""
        pending: Deferred[None] = Deferred()
        server = Server(half_close=True)

        def on_error(link: Any, side: Side, error: Exception) -> None:
            if link.client_name == "finishing":
                link.finish()

        world = await self.world(
            server=server,
            on_connect=lambda link: pending if link.client_name == "considered" else None,
            on_error=on_error,
        )
        silent = await world.connect()
        half = await world.connect(hello("half")[:-1])
        alice = await world.linked("alice")
        lonely = await world.linked("lonely")
        lonely[0].abort()
        finishing = await world.linked("finishing")
        finishing[0].end_stream()
        await finishing[1].seen.holds(END)
        considered = await world.connect(hello("considered"))
        await world.calls.until(lambda: any(call[1].client_name == "considered" for call in world.calls))
        server.when_greeted = False
        unanswered = await world.connect(hello("unanswered"))
        await server.peers.reach(5)
        await server.peers[4].seen.reach(1)
        waiting = await world.connect(hello("finishing"))
        await turn(5)
        port = world.repeater.port
        await world.repeater.shutdown()
        for client in (silent, half, alice[0], lonely[0], finishing[0], considered, unanswered, waiting):
            await client.lost()
        for peer in server.peers:
            await peer.seen.until(lambda peer=peer: END in peer.seen or LOST in peer.seen)
        told = sorted(str(name) for name, kind in world.refusals if kind is RepeaterClosed)
        self.assertEqual(told, ["None", "None", "considered", "finishing", "unanswered"])
        self.assertEqual(len(world.refusals), 5)
        self.assertEqual((world.repeater.links(), world.repeater.active_clients(), world.repeater.port), ([], [], port))
        refused = TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(ServerFactory.forProtocol(Client))
        await self.assertFailure(refused, internet_error.ConnectionRefusedError)

    async def test_several_callers(self) -> None:
        """Whoever calls it gets a Deferred of his own, during and after; one may cancel his."""
        world = await self.world()
        await world.linked("alice")
        first, second, third = (world.repeater.shutdown() for _ in range(3))
        second.addErrback(lambda failure: None)
        second.cancel()
        self.assertEqual(len({id(first), id(second), id(third)}), 3)
        first.addCallback(lambda result: 1 / 0)
        await third
        await self.assertFailure(first, ZeroDivisionError)
        self.successResultOf(world.repeater.shutdown())

    async def test_nothing_received_is_lost(self) -> None:
        """Received messages are filtered and delivered first."""
        answer: Deferred[Any] = Deferred()
        answers = [answer]
        world = await self.world(to_server_filter=lambda message, link: answers.pop() if answers else PASS_ON)
        client, peer = await world.linked("alice")
        client.send(*(b"%d" % number for number in range(100)))
        while answers:
            await turn()
        over = world.repeater.shutdown()
        self.assertNoResult(over)
        answer.callback(PASS_ON)
        await over
        await peer.lost()
        self.assertEqual(peer.seen[1:], [*(b"%d" % number for number in range(100)), LOST])

    async def test_from_callbacks(self) -> None:
        """It may be called from any callback."""

        def filters(world: World) -> dict[str, Any]:
            return {"to_server_filter": lambda message, link: shut(world)}

        def shut(world: World) -> Any:
            over.append(world.repeater.shutdown())
            over.append(world.repeater.shutdown())
            return PASS_ON

        callbacks: tuple[Callable[[World], dict[str, Any]], ...] = (
            filters,
            lambda world: {"on_connect": lambda link: shut(world)},
            lambda world: {"on_error": lambda *_: shut(world)},
            lambda world: {"on_connecting_error": lambda *_: shut(world)},
        )
        over: list[Deferred[None]] = []
        for callback in callbacks:
            over.clear()
            world = await self.world(start=False)
            world.start(**callback(world))
            refused = await world.connect(b"\xff" * 4)
            await refused.lost()
            if not over:
                client = await world.connect(hello("alice") + frame(b"one"))
                await client.seen.reach(1)
                client.close()
            while not over:
                await turn()
            await gatherResults(over)

    async def test_waiting_in_the_listen_queue(self) -> None:
        """It ends the listen queue too, with the port paused at the limit of clients."""
        world = await self.world(limits=Limits(max_clients=1))
        await world.linked("alice")
        client = await world.connect(hello("bob"))
        await turn(3)
        await world.repeater.shutdown()
        await client.lost()
        self.assertEqual((client.seen, world.refusals), ([LOST], []))

    async def test_port_fails(self) -> None:
        """If the port cannot be closed, every caller gets a failure of its own; the links are closed."""
        endpoint = StuckEndpoint(lambda: fail(OSError("stuck")))
        repeater = await create(listen=endpoint)
        repeater.start()
        client = endpoint.factory.buildProtocol(None)
        connect_in_memory(client)
        for over in [repeater.shutdown(), repeater.shutdown()]:
            await self.assertFailure(over, OSError)
        failures = [self.failureResultOf(repeater.shutdown(), OSError) for _ in range(2)]
        self.assertIsNot(*failures)
        self.assertFalse(client.transport.connected)

    async def test_stop_listening(self) -> None:
        """When the port is closed, links stay until the shutdown."""
        world = await self.world()
        client, peer = await world.linked("alice")
        await world.repeater.stop_listening()
        client.send(b"one")
        await peer.seen.holds(b"one")
        await world.repeater.shutdown()
        await client.lost()

    async def test_drain(self) -> None:
        """When it is drained, links end by themselves, and the port is closed."""
        world = await self.world()
        client, _ = await world.linked("alice")
        self.assertFalse(world.repeater.draining)
        await world.repeater.drain(0.1)
        self.assertTrue(world.repeater.draining)
        self.assertEqual(world.repeater.links(), [])
        await client.lost()

    async def test_port_that_does_not_stop(self) -> None:
        """A port whose end does not come holds that up for ``close_timeout`` at most; the log says so."""
        clock = MemoryReactorClock()
        repeater = await create(listen=StuckEndpoint(Deferred), reactor=clock)
        with capturedLogs() as captured:
            over = repeater.shutdown()
            clock.advance(Limits().close_timeout - 0.1)
            self.assertNoResult(over)
            clock.advance(0.1)
            self.successResultOf(over)
        own = [event for event in captured if event["log_namespace"] == "twisted_repeater._sockets.listening"]
        (line,) = map(formatEvent, own)
        self.assertEqual(line, "the port has not stopped listening within 5.0 seconds; nobody is accepted")

    async def test_callback_that_cannot_be_cancelled(self) -> None:
        """A Deferred of the application whose canceller raises, or which takes no notice, holds nothing up."""

        def canceller(deferred: Deferred[Any]) -> None:
            raise ArithmeticError

        cancellers: list[Callable[[Deferred[Any]], None]] = [canceller, lambda deferred: None]
        for how in cancellers:
            pending: Deferred[Any] = Deferred(how)
            world = await self.world(on_connect=answering(pending))
            client = await world.connect(hello("alice"))
            await world.calls.reach(1)
            await world.repeater.shutdown()
            await client.lost()
            self.assertEqual(world.refusals, [("alice", RepeaterClosed)])
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

    async def test_stuck_connections(self) -> None:
        """Connections for which the reactor does nothing any more, as ``select`` may leave those of descriptors above
        1023, are ended all the same, each with a line in the log."""
        time = StoppedTime()
        world = await self.world(reactor=time)
        clients = [(await world.linked(name))[0] for name in ("alice", "bob")]
        for link in world.repeater.links():
            pair = pair_of(link)
            for side in (pair.client, pair.server):
                side.transport.loseWriteConnection = side.transport.abortConnection = lambda: None
                side.transport.loseConnection = lambda: None
                side.transport.stopReading()
        with capturedLogs() as captured:
            await time.pass_until(world.repeater.shutdown(), step=0.5)
        for client in clients:
            await client.lost()
        lines = sorted(
            formatEvent(event) or ""
            for event in captured
            if event["log_namespace"].startswith("twisted_repeater._link")
        )
        told = "the connection of the {} does not end when aborted: its socket is closed"
        self.assertEqual(lines, [told.format(side) for side in ("client", "client", "server", "server")])


class AbortTests(PeerCase):
    """`Repeater.abort`."""

    async def test_at_once(self) -> None:
        """It ends links in every state and attempts without waiting for anything, and the port, and a shutdown that is
        under way; no time passes."""
        time = StoppedTime()
        waiting: list[Deferred[Any]] = []

        def wait(message: bytes, link: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        world = await self.world(reactor=time, server=Server(half_close=True), to_server_filter=wait)
        silent = await world.connect()
        await world.until_accepted()
        alice, peer = await world.linked("alice")
        bob, _ = await world.linked("bob")
        bob.send(b"one")
        world.server.when_greeted = False
        carol = await world.connect(hello("carol"))
        await world.server.peers.reach(3)
        while not waiting:
            await turn()
        over = [world.repeater.shutdown()]
        await turn(5)
        self.assertNoResult(over[0])
        over += [world.repeater.abort(), world.repeater.abort()]
        await gatherResults(over)
        for client in (silent, alice, bob, carol):
            await client.lost()
        await peer.seen.holds(END)
        self.assertEqual([kind for _, kind in world.refusals], [RepeaterClosed, RepeaterClosed])
        self.assertEqual(world.repeater.links(), [])
        self.assertEqual((time.seconds(), time.clock.getDelayedCalls()), (0, []))
        refused = TCP4ClientEndpoint(reactor, "127.0.0.1", world.repeater.port).connect(
            ServerFactory.forProtocol(Client)
        )
        await self.assertFailure(refused, internet_error.ConnectionRefusedError)
        self.successResultOf(world.repeater.abort())

    async def test_from_a_filter(self) -> None:
        """It may be called by a filter; what that says then doesn't matter."""
        over: list[Deferred[None]] = []

        def decide(message: bytes, link: Any) -> Any:
            over.append(world.repeater.abort())
            return PASS_ON

        world = await self.world(to_server_filter=decide)
        client, peer = await world.linked("alice")
        client.send(b"one", b"two")
        await client.lost()
        await peer.lost()
        self.assertEqual(peer.seen[1:], [LOST])
        (done,) = over
        await done


def connect_in_memory(protocol: Any) -> None:
    """Connect a protocol to a transport that keeps the written bytes."""
    transport: Any = StringTransportWithDisconnection(peerAddress=IPv4Address("TCP", "127.0.0.1", 4711))
    transport.protocol = protocol
    protocol.makeConnection(transport)


class WatchTests(PeerCase):
    """`Repeater.watch`."""

    def test_watch(self) -> None:
        """A watch can begin at any time before the end of the repeater."""
        world = RecordingRepeater()
        watch = world.repeater.watch(print, links="ann")
        self.assertFalse(watch.held)
        self.assertEqual(list(world.repeater.faults), [])
        world.shutdown()
        error = self.assertRaises(RuntimeError, world.repeater.watch, print)
        self.assertEqual(str(error), "the repeater is shut down, so there is nothing to watch")
