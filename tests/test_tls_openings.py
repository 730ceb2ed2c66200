"""Protocols that begin TLS after a word or two, between clients and servers that know nothing of the repeater."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.threads import deferToThread

from twisted_repeater import PASS_ON, Dialect, Send
from twisted_repeater.dialects import Attempt
from twisted_repeater.errors import (
    FramingError,
    HelloTimeout,
    InvalidHello,
    OpeningFailed,
    RefusedByApplication,
    ServerUnreachable,
)
from twisted_repeater.framings import Int32Framing

from .certificates import Authority
from .peers import Client, PeerCase, Server, ServerPeer, StoppedTime, frame, reactor, turn

REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS."""


def startup(user: str) -> bytes:
    """Make the packet with which it begins a session."""
    rest = struct.pack("!i", 196608) + b"user\0" + user.encode() + b"\0\0"
    return struct.pack("!i", len(rest) + 4) + rest


class Packets:
    """Cuts those packets: their length counts itself."""

    body = 4

    def find(self, data: bytes, start: int, stop: int) -> int:
        """See `IFraming`."""
        if stop - start < 4:
            return 0
        size = int.from_bytes(data[start : start + 4], "big")
        if not 8 <= size <= 10_000:
            raise FramingError(f"a packet must have 8 to 10000 bytes, not {size}")
        return start + size

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        raise NotImplementedError

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        raise NotImplementedError


class OneByte(Packets):
    """Cuts single bytes, such as the answer to the request for TLS."""

    body = 0

    def find(self, data: bytes, start: int, stop: int) -> int:
        """See `IFraming`."""
        return start + 1


class Postgres:
    """An opening like that of PostgreSQL. ``accepts`` are the options for clients, ``offers`` those for the server."""

    def __init__(self, accepts: Any = None, offers: Any = None) -> None:
        self.accepts = accepts
        self.offers = offers
        self.certificates: list[str | None] = []

    async def __call__(self, attempt: Attempt) -> None:
        """Play it."""
        packet = await self.client_begins(attempt)
        certificate = attempt.client.certificate
        self.certificates.append(None if certificate is None else certificate.get_subject().CN)
        await attempt.admit(packet.split(b"\0")[-3].decode())
        await attempt.dial()
        if self.offers is not None:
            attempt.server.send(REQUEST)
            answer = await attempt.server.read(OneByte())
            if answer.data != b"S":
                raise ServerUnreachable("the server does not offer TLS", attempt.server.side)
            await attempt.server.start_tls(self.offers)
        attempt.server.send(packet)

    async def client_begins(self, attempt: Attempt) -> bytes:
        """Return the client's packet, after TLS if it asks for that."""
        client = attempt.client
        if await client.peek_bytes(1) == b"\x16":
            await client.start_tls(self.accepts, unread="feed")
            if client.alpn != b"postgresql":
                raise InvalidHello("TLS without a request needs ALPN", client.side)
        packet = (await client.read(Packets())).data
        if packet == REQUEST:
            client.send(b"N" if self.accepts is None else b"S")
            if self.accepts is not None:
                await client.start_tls(self.accepts)
            packet = (await client.read(Packets())).data
        return packet


class PostgresPeer(ServerPeer):
    """A connection of a server: a packet, perhaps after a request for TLS, then messages, which are answered."""

    early = b""
    packet: bytes | None = None
    secure = False

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        factory: Any = self.factory
        if self.packet is not None:
            super().dataReceived(data)
            return
        self.early += data
        if self.early == REQUEST and factory.options is None:
            self.write(b"N")
            self.early = b""
        elif self.early == REQUEST:
            self.write(b"S" + factory.behind)
            self.early, self.secure = b"", True
            self.transport.startTLS(factory.options)
        elif len(self.early) >= 4 and len(self.early) >= int.from_bytes(self.early[:4], "big"):
            size = int.from_bytes(self.early[:4], "big")
            self.packet = self.early[:size]
            super().dataReceived(self.early[size:])

    def stringReceived(self, string: bytes) -> None:
        """Answer a message."""
        self.seen.append(string)
        self.send(b"re: " + string)


class PostgresServer(Server):
    """The server; ``options`` are those of its TLS, ``behind`` is what it sends in the clear after its word for it."""

    def __init__(self, options: Any = None, behind: bytes = b"") -> None:
        super().__init__(when_greeted=False)
        self.protocol = PostgresPeer
        self.options = options
        self.behind = behind


def session(port: int, context: ssl.SSLContext | None, *, direct: bool = False, messages: int = 3) -> list[bytes]:
    """Be a client of PostgreSQL, made of Python's own modules; return its replies. Called in a thread."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        connection: socket.socket = plain
        if not direct:
            plain.sendall(REQUEST)
            answer = plain.recv(1)
            assert answer == (b"S" if context is not None else b"N"), answer
        if context is not None:
            connection = context.wrap_socket(plain, server_hostname="localhost")
        with connection, connection.makefile("rb") as stream:
            connection.sendall(startup("ann"))
            replies = []
            for number in range(messages):
                connection.sendall(frame(b"%d" % number * 30_000))
                size = stream.read(4)
                if len(size) < 4:
                    raise ConnectionError("closed instead of a reply")
                replies.append(stream.read(int.from_bytes(size, "big")))
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap()
            return replies


class OpeningTLSTests(PeerCase):
    """TLS that an opening begins."""

    def setUp(self) -> None:
        """Make certificates."""
        self.addCleanup(self.flushWarnings)
        self.authority = Authority(self.mktemp())
        self.own = self.authority.issue("localhost").load()
        self.roots = trustRootFromCertificates([self.authority.load()])
        self.accepts = self.options()
        self.offers = optionsForClientTLS("localhost", trustRoot=self.roots)

    def options(self, **options: Any) -> Any:
        """Return the options of a server."""
        return CertificateOptions(self.own.privateKey.original, self.own.original, **options)

    def context(self, name: str | None = None) -> ssl.SSLContext:
        """Return the options of a client as Python has them; with a certificate for a name."""
        context = ssl.create_default_context(cafile=str(self.authority.roots))
        if name is not None:
            issued = self.authority.issue(name)
            context.load_cert_chain(issued.certificate, issued.key)
        return context

    async def between(self, opening: Any, server: PostgresServer | None = None, **settings: Any) -> None:
        """Put a repeater with this opening between clients and a server."""
        dialect = Dialect(name="pg", framing=lambda limits: Int32Framing(limits.max_frame), opening=opening)
        self.here = await self.world(server=server or PostgresServer(), dialect=dialect, **settings)

    def client(self, context: ssl.SSLContext | None, **behaviour: Any) -> Deferred[list[bytes]]:
        """Run a client."""
        return deferToThread(session, self.here.repeater.port, context, **behaviour)

    async def check(self, context: ssl.SSLContext | None, **behaviour: Any) -> None:
        """See that a client is linked, that its packet reaches the server, and that its messages are answered."""
        replies = await self.client(context, **behaviour)
        self.assertEqual(replies, [b"re: " + b"%d" % number * 30_000 for number in range(3)])
        self.assertEqual(self.here.server.peers[-1].packet, startup("ann"))

    async def refused(self, data: bytes) -> Any:
        """Connect a client that says this; return why it was refused."""
        client = await self.here.connect(data)
        await client.lost()
        await self.here.refused()
        return self.here.refusal

    async def test_with_the_client_only(self) -> None:
        """TLS of the client is ended here; the server gets its packet and messages in the clear, through the filter."""
        seen = []

        def look(message: bytes, link: Any) -> Any:
            seen.append(len(message))
            return PASS_ON

        await self.between(Postgres(self.accepts), to_server_filter=look)
        await self.check(self.context())
        self.assertEqual((seen, self.here.server.peers[0].secure), ([30_000] * 3, False))

    async def test_with_both(self) -> None:
        """It is begun again towards a server that offers it."""
        await self.between(Postgres(self.accepts, self.offers), PostgresServer(self.accepts))
        await self.check(self.context())
        self.assertTrue(self.here.server.peers[0].secure)

    async def test_with_the_server_only(self) -> None:
        """A client that hears that there is no TLS goes on without; towards the server there may be one."""
        await self.between(Postgres(None, self.offers), PostgresServer(self.accepts))
        await self.check(None)
        self.assertTrue(self.here.server.peers[0].secure)

    async def test_changed_by_a_filter(self) -> None:
        """A filter changes what it sees inside of TLS."""
        await self.between(
            Postgres(self.accepts, self.offers),
            PostgresServer(self.accepts),
            to_client_filter=lambda message, link: Send(message[:5]),
        )
        self.assertEqual(await self.client(self.context()), [b"re: 0", b"re: 1", b"re: 2"])

    async def test_direct(self) -> None:
        """A client may begin TLS without a word, if it agrees on the protocol."""
        await self.between(Postgres(self.options(acceptableProtocols=[b"postgresql"])))
        context = self.context()
        context.set_alpn_protocols(["postgresql"])
        await self.check(context, direct=True)
        refusal = deferToThread(session, self.here.repeater.port, self.context(), direct=True)
        await self.assertFailure(refusal, OSError)
        self.assertIn("needs ALPN", str(self.here.refusal))

    async def test_bytes_behind_the_request(self) -> None:
        """Bytes behind a client's request came in the clear: the client is refused, and the server isn't dialled."""
        await self.between(Postgres(self.accepts, self.offers), PostgresServer(self.accepts))
        error = await self.refused(REQUEST + startup("mallory"))
        self.assertIsInstance(error, InvalidHello)
        self.assertIn("the client sent bytes before TLS began", str(error))
        self.assertEqual(self.here.server.peers, [])

    async def test_bytes_behind_the_answer(self) -> None:
        """So did bytes behind a server's answer."""
        await self.between(Postgres(None, self.offers), PostgresServer(self.accepts, b"\x00"))
        error = await self.refused(startup("ann"))
        self.assertIn("server", str(error))
        self.assertIn(type(error), (InvalidHello, ServerUnreachable))

    async def test_garbage(self) -> None:
        """A client that promises TLS and sends something else costs itself only."""
        await self.between(Postgres(self.accepts))
        client = await self.here.connect(REQUEST)
        while client._unprocessed != b"S":
            await turn()
        client.write(b"no TLS at all, but many bytes")
        await client.lost()
        await self.here.refused()
        self.assertEqual(str(self.here.refusal), "the client does not speak TLS: wrong version number")
        await self.check(self.context())

    async def test_silent(self) -> None:
        """So does one that says nothing in its handshake; the deadline of the opening ends it."""
        time = StoppedTime()
        await self.between(Postgres(self.accepts), reactor=time)
        client = await self.here.connect(REQUEST)
        await self.here.until_accepted(heard=True)
        await time.pass_until(client.lost(), 1)
        await self.here.refused()
        self.assertIsInstance(self.here.refusal, HelloTimeout)
        self.assertEqual(str(self.here.refusal), "no TLS handshake of the client in time")

    async def test_server_without_tls(self) -> None:
        """A server that has no TLS where it should is not reached."""
        await self.between(Postgres(None, self.offers))
        self.assertIsInstance(await self.refused(startup("ann")), ServerUnreachable)

    async def test_distrusted_server(self) -> None:
        """Nor is one whose certificate is of nobody who is trusted; the words say so."""
        await self.between(Postgres(None, optionsForClientTLS("localhost")), PostgresServer(self.accepts))
        error = await self.refused(startup("ann"))
        self.assertEqual(str(error), "the server's TLS handshake failed: certificate verify failed")
        self.assertIsInstance(error, ServerUnreachable)

    async def test_server_closes_in_the_handshake(self) -> None:
        """Nor is one that closes instead."""
        await self.between(Postgres(None, self.offers), PostgresServer(self.accepts))
        self.here.server.protocol = Closing
        error = await self.refused(startup("ann"))
        self.assertIsInstance(error, ServerUnreachable)
        self.assertIn("before the TLS handshake was done", str(error))

    async def test_twice(self) -> None:
        """An opening that begins TLS twice fails, and keeps nothing."""

        async def opening(attempt: Attempt) -> None:
            await attempt.client.peek_bytes(1)
            await attempt.client.start_tls(self.accepts, unread="feed")
            await attempt.client.start_tls(self.accepts)

        await self.between(opening)
        await self.assertFailure(self.client(self.context(), direct=True), OSError)
        self.assertIsInstance(self.here.refusal, OpeningFailed)
        self.assertIn("the connection of the client uses TLS already", str(self.here.refusal))
        self.flushLoggedErrors(RuntimeError)

    async def test_certificates(self) -> None:
        """An opening, ``on_connect`` and filters see the client's certificate; a client may be refused for it."""
        names = []

        def look(link: Any) -> None:
            names.append(link.client_certificate.get_subject().CN)
            if names[-1] != "ann":
                raise ValueError(f"{names[-1]!r} may not connect")

        opening = Postgres(self.options(trustRoot=self.roots))
        await self.between(opening, on_connect=look)
        await self.check(self.context("ann"))
        await self.assertFailure(self.client(self.context("bob")), OSError)
        self.assertEqual((opening.certificates, names), (["ann", "bob"], ["ann", "bob"]))
        self.assertIsInstance(self.here.refusal, RefusedByApplication)

    async def test_starttls(self) -> None:
        """In a protocol of lines, where the server speaks first, TLS begins as well."""
        dialect = Dialect(name="lines", framing=lambda limits: Int32Framing(limits.max_frame), opening=self.starttls)
        self.here = await self.world(server=PostgresServer(), dialect=dialect)
        client = LineClient(self.offers)
        self.here.clients.append(client)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.here.repeater.port)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [b"re: hello"])

    async def starttls(self, attempt: Attempt) -> None:
        """Greet the client, wait for its word, begin TLS, and greet the server for it."""
        attempt.client.send(b"220 ready\r\n")
        if (await attempt.client.read(Word())).data != b"STARTTLS\r\n":
            raise InvalidHello("STARTTLS was expected", attempt.client.side)
        attempt.client.send(b"220 go\r\n")
        await attempt.client.start_tls(self.accepts)
        await attempt.admit()
        await attempt.dial()
        attempt.server.send(startup("ann"))


class Word(Packets):
    """Cuts the word for TLS."""

    body = 0

    def find(self, data: bytes, start: int, stop: int) -> int:
        """See `IFraming`."""
        return start + len(b"STARTTLS\r\n")


class LineClient(Client):
    """A client that begins TLS when it was told to go."""

    greeting = b""
    greets = False

    def __init__(self, options: Any) -> None:
        super().__init__(b"")
        self.options = options

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        if self.options is None:
            super().dataReceived(data)
            return
        self.greeting += data
        if self.greeting == b"220 ready\r\n":
            self.write(b"STARTTLS\r\n")
        elif self.greeting.endswith(b"go\r\n"):
            options, self.options = self.options, None
            self.transport.startTLS(options)
            self.send(b"hello")


class Closing(PostgresPeer):
    """A connection of a server that closes when the handshake begins."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        if data == REQUEST:
            self.write(b"S")
        else:
            self.close()
