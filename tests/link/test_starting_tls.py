"""TLS that begins on a connection which is there already, and the handshake of one that has TLS from its beginning."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from OpenSSL.SSL import Connection as SSLConnection
from OpenSSL.SSL import Error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    wrapClientTLS,
    wrapServerTLS,
)
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy import proxyEndpoint
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater import Side
from twisted_repeater._link.closing import ConnectionState
from twisted_repeater._link.connection import BUSY_READ_SIZE, ClientSideProtocol, Connection, ServerSideProtocol
from twisted_repeater._link.outlets import BufferedOutlet
from twisted_repeater._link.starting_tls import READ_SIZE, TLSHandshake, handshake_error
from twisted_repeater._sockets.proxy_headers import watch_headers
from twisted_repeater.errors import ClientGone, InvalidHello, ServerUnreachable
from twisted_repeater.testing._memory import MemoryNetwork

from ..certificates import Authority
from ..peers import LOST, Seen, turn
from .connections import Far, MemoryCase, host_and_links, reactor, shrink_buffers

HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 9000\r\n"

SYSTEM = 4_000_000
"""More than the system's buffers hold, so that a sender has to wait for its reader."""


class Recording:
    """A connection that keeps what it receives, and the reason of its end."""

    def start(self: Any) -> None:
        """Begin."""
        self.seen = Seen()
        self.received = bytearray()
        self.receive = self.keep

    def keep(self: Any, data: bytes) -> None:
        """Bytes came."""
        self.received += data
        self.seen.append(len(data))

    def connectionLost(self: Any, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        super().connectionLost(reason)  # type: ignore[misc]
        self.seen.append(LOST)


class ClientSide(Recording, ClientSideProtocol):
    """The connection to a client."""


class ServerSide(Recording, ServerSideProtocol):
    """The connection to a server."""


class Switching(Far):
    """A peer. It begins TLS after so many bytes in the clear, if it has ``options``."""

    options: Any = None
    clear = 0
    secure = False

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        left = self.clear - len(self.received)
        if self.options is None or self.secure or len(data) < left:
            super().dataReceived(data)
            return
        super().dataReceived(data[:left])
        self.switch(data[left:])

    def switch(self, rest: bytes = b"") -> None:
        """Begin TLS."""
        self.secure = True
        self.transport.startTLS(self.options)
        if rest:
            self.transport.protocol.dataReceived(rest)


class TLSCase(TestCase):
    """A test case with a connection of a link, ``own``, and its peer, on sockets.

    ``accepts`` and ``offers`` are the TLS options of the server of the connection, and of its client.
    """

    timeout = 60
    kind: type[Any] = ClientSide
    unix = False

    async def setUp(self) -> None:  # type: ignore[override]
        """Connect them."""
        self.addCleanup(self.flushWarnings)
        self.authority = Authority(self.mktemp())
        issued = self.authority.issue("localhost")
        self.accepts = issued.load().options()
        self.offers = self.trusting()
        self.wrap_listener: Callable[[Any], Any] = lambda endpoint: endpoint
        self.wrap_dialler: Callable[[Any], Any] = lambda endpoint: endpoint
        self.wrap_factory: Callable[[Any], Any] = lambda factory: factory
        self.host, self.links = host_and_links()
        self.links.admission = self.links
        self.links.proxied = False

    def trusting(self, host: str = "localhost", **options: Any) -> Any:
        """Return the options of a client that trusts the authority."""
        root = trustRootFromCertificates([self.authority.load()])
        return optionsForClientTLS(host, trustRoot=root, **options)

    async def connect(self, peer: Any = None) -> None:
        """Connect the connection and its peer. The one to a client is accepted, the one to a server is dialled."""
        self.own, self.peer = self.kind(self.host, self.links), peer or Switching()
        self.own.start()
        dialled, accepted = (self.peer, self.own) if self.kind is ClientSide else (self.own, self.peer)
        listening = Factory.forProtocol(lambda: accepted)
        dialling = Factory.forProtocol(lambda: dialled)
        listening.noisy = dialling.noisy = False
        path = self.socket_path()
        there: Any = UNIXServerEndpoint(reactor, path) if self.unix else TCP4ServerEndpoint(reactor, 0)
        port = await self.wrap_listener(there).listen(self.wrap_factory(listening))
        self.port_factory = port.factory
        self.addCleanup(port.stopListening)
        self.addCleanup(self.cut_off)
        way: Any = UNIXClientEndpoint(reactor, path)
        if not self.unix:
            way = TCP4ClientEndpoint(reactor, "localhost", port.getHost().port)
        await self.wrap_dialler(way).connect(dialling)
        while not (self.peer.transport and self.host.connecting.called):
            await turn()

    def socket_path(self) -> str:
        """Return a path for a socket: a short one, as sockets must have."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return f"{directory.name}/socket"

    async def cut_off(self) -> None:
        """Close both ends."""
        for one in (self.own, self.peer):
            if LOST not in one.seen:
                one.transport.abortConnection()
                await one.seen.holds(LOST)
        self.assertEqual(self.links.clock.getDelayedCalls(), [])

    @property
    def options(self) -> Any:
        """The options with which the connection starts TLS."""
        return self.accepts if self.kind is ClientSide else self.offers

    @property
    def peers_options(self) -> Any:
        """Those of its peer."""
        return self.offers if self.kind is ClientSide else self.accepts

    async def secure(self) -> None:
        """Start TLS on both ends."""
        await self.connect()
        await self.both_start()

    async def both_start(self) -> None:
        """Start TLS."""
        self.peer.options = self.peers_options
        done = self.own.start_tls(self.options)
        if self.kind is ClientSide:
            self.peer.switch()
        await done

    async def until(self, condition: Callable[[], object]) -> None:
        """Go round until something is true; the aggregated writes of TLS take a turn of the connection's clock."""
        while not condition():
            self.links.clock.advance(0)
            await turn()

    async def failure_of(self, deferred: Deferred[None]) -> BaseException:
        """Return the error that a Deferred fails with."""
        try:
            await deferred
        except BaseException as error:
            return error
        raise AssertionError("it should have failed")


class SwitchTests:
    """Promises for the connections of both sides."""

    async def test_both_ways(self: Any) -> None:
        """From then on bytes are encrypted both ways, small and large."""
        await self.secure()
        self.own.outlet.push([b"small"])
        self.peer.transport.write(b"small")
        await self.until(lambda: (self.own.received, self.peer.received) == (b"small", b"small"))
        self.own.outlet.push([bytes(SYSTEM)])
        self.peer.transport.write(bytes(SYSTEM))
        await self.until(lambda: len(self.own.received) == len(self.peer.received) == 5 + SYSTEM)
        self.assertIsInstance(self.own.outlet, BufferedOutlet)

    async def test_clear_leaves_first(self: Any) -> None:
        """All that was sent before leaves in the clear, also what the connection had no room for yet."""
        await self.connect()
        self.peer.transport.pauseProducing()
        while not self.own.outlet.full:
            self.own.outlet.push([bytes(100_000)])
            self.peer.clear += 100_000
        self.peer.options = self.peers_options
        secured = self.own.start_tls(self.options)
        self.assertEqual(self.host.told[:2], ["full", "drained"])
        self.own.outlet.push([b"secret"])
        self.peer.transport.resumeProducing()
        await secured
        await self.until(lambda: self.peer.received == bytes(self.peer.clear) + b"secret")
        self.assertEqual(self.host.told[-1], "drained")

    async def test_garbage(self: Any) -> None:
        """What does not belong to TLS, such as bytes that somebody put behind the word for it, ends the connection."""
        await self.connect()
        secured = self.own.start_tls(self.options)
        self.peer.transport.write(b"QUIT\r\n" * 10)
        error = await self.failure_of(secured)
        side = self.own.side.value
        self.assertEqual(str(error), f"the {side} does not speak TLS: wrong version number")
        self.assertEqual((type(error), error.side), (self.refused, self.own.side))
        self.assertIsInstance(error.__cause__, Error)
        self.assertEqual(str(await self.failure_of(self.own.when_secure())), str(error))
        self.assertTrue(self.own.gone)

    async def test_silent(self: Any) -> None:
        """A peer that never answers is waited for until the caller gives up; then its connection is closed at once."""
        await self.connect()
        secured, also = self.own.start_tls(self.options), self.own.when_secure()
        await turn(5)
        secured.cancel()
        self.assertIsInstance(await self.failure_of(secured), CancelledError)
        self.assertFalse(also.called)
        self.own.drop()
        await self.own.seen.holds(LOST)
        self.assertIsInstance(await self.failure_of(also), self.left)

    async def test_leaves(self: Any) -> None:
        """A peer that leaves in the handshake has not failed at TLS."""
        await self.connect()
        secured = self.own.start_tls(self.options)
        self.peer.transport.loseConnection()
        error = await self.failure_of(secured)
        self.assertIsInstance(error, self.left)
        self.assertIn("before the TLS handshake was done", str(error))

    async def test_twice(self: Any) -> None:
        """TLS can begin once."""
        await self.secure()
        with self.assertRaisesRegex(RuntimeError, f"the connection of the {self.own.side.value} uses TLS already"):
            self.own.start_tls(self.options)
        self.own.outlet.push([b"goes on"])
        await self.until(lambda: self.peer.received == b"goes on")

    async def test_wrong_options(self: Any) -> None:
        """Options for the wrong side, or of another type, are refused before anything is changed."""
        await self.connect()
        wanted = "CertificateOptions, not" if self.own.side is Side.CLIENT else "optionsForClientTLS, not"
        for wrong in (None, "server.pem", *([self.offers] if self.own.side is Side.CLIENT else [])):
            with self.assertRaisesRegex(TypeError, f"for a {self.own.side.value} must .*{wanted}"):
                self.own.start_tls(wrong)
        await self.both_start()

    async def test_slow_reader(self: Any) -> None:
        """A peer that doesn't read fills the connection, which goes on when it reads, and loses nothing."""
        await self.secure()
        shrink_buffers(self.own.outlet.innermost)
        self.peer.transport.pauseProducing()
        pushed = 0
        while not self.own.outlet.full:
            self.own.outlet.push([bytes(100_000)])
            pushed += 100_000
            self.links.clock.advance(0)
            await turn()
        self.peer.transport.resumeProducing()
        await self.until(lambda: len(self.peer.received) == pushed)
        self.assertEqual(self.host.told, ["full", "drained"])

    async def test_not_read(self: Any) -> None:
        """A connection whose valve is closed isn't read, and its peer must wait."""
        await self.secure()
        self.own.valve.close("test")
        self.peer.transport.write(bytes(SYSTEM))
        await turn(20)
        self.assertEqual(len(self.own.received), 0)
        self.own.valve.open("test")
        await self.until(lambda: len(self.own.received) == SYSTEM)

    async def test_close(self: Any) -> None:
        """Closing ends TLS in good order after the last bytes."""
        await self.secure()
        self.own.outlet.push([b"last"])
        self.own.close()
        await self.until(lambda: LOST in self.own.seen and LOST in self.peer.seen)
        self.assertEqual(self.peer.received, b"last")
        self.assertIsInstance(self.peer.reason, ConnectionDone)
        self.assertIsInstance(self.own.loss, (ConnectionDone, ConnectionLost) if self.unix else ConnectionDone)

    async def test_close_without_answer(self: Any) -> None:
        """A peer that never answers the end of TLS does not keep the connection open, and gets its last bytes."""
        await self.secure()
        self.peer.transport.pauseProducing()
        self.own.outlet.push([b"last"])
        self.own.close()
        if self.unix:  # such a peer's system has taken nothing until it reads, so it gets all the time there is
            await turn(5)
            self.own.force()
        while LOST not in self.own.seen:
            self.links.clock.advance(0.1)
            await turn()
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(LOST)
        self.assertEqual(self.peer.received, b"last")

    async def test_drop_while_not_read(self: Any) -> None:
        """A connection that isn't read is closed all the same: the answer to the end of TLS is read."""
        await self.secure()
        self.own.valve.close("test")
        self.peer.transport.write(b"unread")
        self.own.drop()
        await self.until(lambda: LOST in self.own.seen)
        self.assertEqual(self.own.received, b"")

    async def test_peer_closes(self: Any) -> None:
        """The last bytes of a peer that closes arrive; the end of its stream is the loss of the connection."""
        await self.secure()
        self.peer.transport.write(bytes(SYSTEM))
        self.peer.transport.loseConnection()
        await self.until(lambda: LOST in self.own.seen)
        self.assertEqual(len(self.own.received), SYSTEM)
        self.assertIsInstance(self.own.loss, ConnectionDone)
        self.assertEqual(self.host.told[-1], ConnectionDone)

    async def test_peer_closes_without_farewell(self: Any) -> None:
        """So do those of a peer that closes its socket without ending TLS, though that is no good order."""
        await self.secure()
        self.peer.transport.write(b"last")
        await turn(5)
        transport = self.peer.transport
        transport.TLS = False
        transport.loseConnection()
        await self.until(lambda: LOST in self.own.seen)
        self.assertEqual(self.own.received, b"last")
        self.assertIsInstance(self.own.loss, ConnectionLost)

    async def test_abort(self: Any) -> None:
        """An aborted connection is gone at once."""
        await self.secure()
        self.own.abort()
        await self.until(lambda: LOST in self.own.seen and LOST in self.peer.seen)

    async def test_gone(self: Any) -> None:
        """On a connection that is being closed, or is gone, TLS cannot begin."""
        await self.connect()
        self.own.drop()
        self.assertIsInstance(await self.failure_of(self.own.start_tls(self.options)), self.left)
        await self.until(lambda: LOST in self.own.seen)
        self.assertIsInstance(await self.failure_of(self.own.start_tls(self.options)), self.left)

    async def test_alpn(self: Any) -> None:
        """The protocol that both know is agreed on, and known."""
        issued = self.authority.issue("localhost").load()
        self.accepts = CertificateOptions(
            issued.privateKey.original, issued.original, acceptableProtocols=[b"first", b"second"]
        )
        self.offers = self.trusting(acceptableProtocols=[b"second", b"third"])
        await self.connect()
        self.assertEqual(self.own.alpn, None)
        await self.both_start()
        self.assertEqual(self.own.alpn, b"second")

    async def test_certificate(self: Any) -> None:
        """The peer's certificate is known when the handshake is done, and after the connection is lost."""
        root = trustRootFromCertificates([self.authority.load()])
        issued = self.authority.issue("localhost").load()
        self.accepts = CertificateOptions(issued.privateKey.original, issued.original, trustRoot=root)
        self.offers = self.trusting(clientCertificate=self.authority.issue("ann").load())
        await self.connect()
        self.assertIsNone(self.own.certificate)
        await self.both_start()
        expected = "ann" if self.own.side is Side.CLIENT else "localhost"
        self.assertEqual(self.own.certificate.get_subject().CN, expected)
        self.own.abort()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.own.certificate.get_subject().CN, expected)


class ClientSideTests(SwitchTests, TLSCase):
    """Towards a client, whose TLS server the repeater is."""

    refused = InvalidHello
    left = ClientGone

    async def test_unread(self) -> None:
        """Bytes of the handshake that were received already are fed to it."""
        await self.connect()
        self.peer.options = self.offers
        self.peer.switch()
        await self.own.seen.reach(1)
        await self.own.start_tls(self.accepts, bytes(self.own.received))
        self.peer.transport.write(b"secret")
        await self.until(lambda: self.own.received.endswith(b"secret"))

    async def test_several_wait(self) -> None:
        """Each caller has a Deferred of its own."""
        await self.connect()
        await self.own.when_secure()  # nothing is to be waited for without TLS
        started, also = self.own.start_tls(self.accepts), self.own.when_secure()
        started.addCallback(lambda result: "changed")
        self.peer.options = self.offers
        self.peer.switch()
        self.assertEqual((await started, await also, await self.own.when_secure()), ("changed", None, None))

    async def test_client_distrusts(self) -> None:
        """A client that does not accept the repeater's certificate is refused with the alert that it sent."""
        self.offers = optionsForClientTLS("localhost")
        await self.connect()
        error = await self.failure_of(self.secured_with_switch())
        self.assertEqual(str(error), "the client's TLS handshake failed: tlsv1 alert unknown ca")
        self.assertIsInstance(error, InvalidHello)

    def secured_with_switch(self) -> Any:
        """Start TLS on both ends; return what the connection waits for."""
        self.peer.options = self.offers
        secured = self.own.start_tls(self.accepts)
        self.peer.switch()
        return secured

    async def test_options_that_raise(self) -> None:
        """Options that raise have changed nothing: the connection goes on without TLS."""

        @implementer(IOpenSSLServerConnectionCreator)
        class Broken:
            def serverConnectionForTLS(self, protocol: Any) -> Any:
                raise OSError("no such file")

        await self.connect()
        with self.assertRaisesRegex(OSError, "no such file"):
            self.own.start_tls(Broken())
        self.own.outlet.push([b"clear"])
        await self.until(lambda: self.peer.received == b"clear")
        self.peer.received.clear()
        await self.secured_with_switch()

    async def test_handshake_that_raises(self) -> None:
        """If something else than TLS fails as the handshake begins, the connection can still be closed."""
        accepts = self.accepts

        class Wild:
            def __init__(self, real: Any) -> None:
                self.real = real

            def __getattr__(self, name: str) -> Any:
                return getattr(self.real, name)

            def do_handshake(self) -> None:
                raise ZeroDivisionError

        @implementer(IOpenSSLServerConnectionCreator)
        class Options:
            def serverConnectionForTLS(self, protocol: Any) -> Any:
                return Wild(SSLConnection(accepts.getContext(), None))

        await self.connect()
        self.assertFalse(self.own.handshaking)
        self.assertRaises(ZeroDivisionError, self.own.start_tls, Options())
        self.assertTrue(self.own.handshaking)
        self.own.drop()
        await self.own.seen.holds(LOST)

    async def test_ended(self) -> None:
        """After the end of the client's stream there can be no handshake."""
        await self.connect()
        self.peer.transport.loseWriteConnection()
        await self.until(lambda: self.own.ended)
        self.assertIsInstance(await self.failure_of(self.own.start_tls(self.accepts)), ClientGone)

    async def test_read_size(self) -> None:
        """A transport that was read in large pieces is read in those of TLS from then on."""
        await self.connect()
        self.own.outlet.read_at_once(BUSY_READ_SIZE)
        await self.secured_with_switch()
        self.assertEqual(self.own.outlet.innermost.bufferSize, READ_SIZE)

    async def test_from_the_start(self) -> None:
        """Where the endpoint begins TLS, its handshake is waited for, and TLS cannot begin again."""
        self.wrap_listener = lambda endpoint: wrapServerTLS(self.accepts, endpoint)
        await self.connect()
        secured = self.own.when_secure()
        self.assertFalse(secured.called)
        with self.assertRaisesRegex(RuntimeError, "uses TLS already"):
            self.own.start_tls(self.accepts)
        self.peer.options = self.offers
        self.peer.switch()
        await secured

    async def test_behind_a_header(self) -> None:
        """Behind a PROXY header TLS begins as elsewhere."""
        self.wrap_listener = proxyEndpoint
        await self.connect()
        watch_headers(self.port_factory, self.port_factory.wrappedFactory)
        self.peer.transport.write(HEADER + b"STARTTLS")
        await self.until(lambda: self.own.received == b"STARTTLS")
        self.own.outlet.push([b"go"])
        self.peer.clear = 2
        self.peer.options = self.offers
        await self.own.start_tls(self.accepts)
        self.peer.transport.write(b"secret")
        await self.until(lambda: self.own.received == b"STARTTLSsecret")
        self.assertEqual(self.own.transport.getPeer().host, "192.0.2.7")
        self.own.close()
        await self.until(lambda: LOST in self.own.seen)

    async def test_header_before_tls(self) -> None:
        """TLS of an endpoint that begins after a PROXY header is reported as elsewhere."""
        self.links.proxied = True
        self.wrap_listener = lambda endpoint: wrapServerTLS(self.accepts, proxyEndpoint(endpoint))
        await self.connect()
        secured = self.own.when_secure()
        self.peer.transport.write(HEADER)
        await turn(5)
        self.own.address_known()
        self.assertFalse(secured.called)
        self.peer.options = self.offers
        self.peer.switch()
        await secured

    async def test_header_inside_tls(self) -> None:
        """Where the header comes inside of TLS it shows that the handshake is done: nothing else is reported."""
        self.links.proxied = True
        self.accepts = self.demanding()
        self.offers = self.trusting(clientCertificate=self.authority.issue("ann").load())
        self.wrap_listener = lambda endpoint: proxyEndpoint(wrapServerTLS(self.accepts, endpoint))
        await self.connect()
        secured = self.own.when_secure()
        self.peer.options = self.offers
        self.peer.switch()
        await turn(20)
        self.assertFalse(secured.called)
        self.peer.transport.write(HEADER + b"hello")
        await self.until(lambda: self.own.received == b"hello")
        self.own.address_known()
        await secured
        self.assertEqual(self.own.certificate.get_subject().CN, "ann")

    async def test_unknown_wrapper(self) -> None:
        """Behind another wrapper nobody reports the handshake: it isn't waited for. The certificate is known after."""
        self.accepts = self.demanding()
        self.offers = self.trusting(clientCertificate=self.authority.issue("ann").load())
        self.wrap_listener = lambda endpoint: wrapServerTLS(self.accepts, endpoint)
        self.wrap_factory = wrapped
        await self.connect()
        await self.own.when_secure()
        self.assertIsNone(self.own.certificate)
        self.peer.options = self.offers
        self.peer.switch()
        self.peer.transport.write(b"hello")
        await self.until(lambda: self.own.received == b"hello")
        self.assertEqual(self.own.certificate.get_subject().CN, "ann")

    def demanding(self) -> Any:
        """Return the options of a server that demands a certificate."""
        root = trustRootFromCertificates([self.authority.load()])
        issued = self.authority.issue("localhost").load()
        return CertificateOptions(issued.privateKey.original, issued.original, trustRoot=root)


def wrapped(factory: Any) -> Any:
    """Wrap a factory in one that does nothing."""
    wrapping: Any = WrappingFactory(factory)
    wrapping.protocol = ProtocolWrapper
    return wrapping


class ServerSideTests(SwitchTests, TLSCase):
    """Towards a server, whose TLS client the repeater is."""

    kind = ServerSide
    refused = left = ServerUnreachable

    async def test_unknown_authority(self) -> None:
        """A server whose certificate is of an authority that nobody trusts is not reached."""
        self.offers = optionsForClientTLS("localhost")
        await self.connect()
        error = await self.failure_of(Deferred.fromCoroutine(self.both_start()))
        self.assertEqual(str(error), "the server's TLS handshake failed: certificate verify failed")
        self.assertIsInstance(error, ServerUnreachable)

    async def test_other_host(self) -> None:
        """Nor is one whose certificate is for another host."""
        self.offers = self.trusting("db.example.org")
        await self.connect()
        error = await self.failure_of(Deferred.fromCoroutine(self.both_start()))
        self.assertIn("the server's certificate is for another host: ", str(error))
        self.assertIn("db.example.org", str(error))

    async def test_from_the_start(self) -> None:
        """Where the endpoint begins TLS, its handshake is waited for."""
        self.wrap_dialler = lambda endpoint: wrapClientTLS(self.offers, endpoint)
        self.peer = Switching()
        self.peer.options = self.accepts
        await self.connect(self.peer)
        await self.own.when_secure()
        self.assertEqual(self.own.certificate.get_subject().CN, "localhost")
        self.own.outlet.push([b"secret"])
        await self.until(lambda: self.peer.received == b"secret")


class UnixClientSideTests(ClientSideTests):
    """The same on Unix sockets."""

    unix = True


class UnixServerSideTests(ServerSideTests):
    """The same on Unix sockets."""

    unix = True


class MemoryTests(SynchronousTestCase):
    """In memory, as the test kit has it."""

    def test_both_ways(self) -> None:
        """A connection in memory can start TLS."""
        self.addCleanup(self.flushWarnings)
        authority = Authority(self.mktemp())
        host, links = host_and_links()
        network = MemoryNetwork(links.clock)
        own: Any = ClientSide(host, links)
        own.start()
        peer = InMemory()
        offers = optionsForClientTLS("localhost", trustRoot=trustRootFromCertificates([authority.load()]))
        factory = TLSMemoryBIOFactory(offers, True, Factory.forProtocol(lambda: peer), links.clock)
        network.connect(own, factory.buildProtocol(None), network.new_address(), network.new_address())
        secured = own.start_tls(authority.issue("localhost").load().options())
        network.settle()
        self.successResultOf(secured)
        own.outlet.push([b"down"])
        peer.transport.write(b"up")
        network.settle()
        self.assertEqual((bytes(own.received), peer.data), (b"up", b"down"))
        own.close()
        network.advance(1)
        self.assertIs(own.state, ConnectionState.LOST)


class InMemory(Protocol):
    """A peer in memory."""

    transport: Any
    data = b""

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.data += data


class OtherTests(MemoryCase):
    """What needs no sockets."""

    def test_interface(self) -> None:
        """A connection is told of handshakes."""
        self.assertTrue(verifyObject(IHandshakeListener, self.connection))

    def test_foreign_transport(self) -> None:
        """A transport that cannot get another protocol is refused."""
        self.connect()
        with self.assertRaisesRegex(RuntimeError, "TLS cannot be started on <twisted"):
            self.connection.start_tls(CertificateOptions())

    def test_errors(self) -> None:
        """Who left before the handshake was done is told from who failed at it."""
        lost = ConnectionLost()
        for side, kind in ((Side.CLIENT, ClientGone), (Side.SERVER, ServerUnreachable)):
            error = handshake_error(side, lost)
            self.assertEqual((type(error), error.side, error.__cause__), (kind, side, lost))

    def test_reported_twice(self) -> None:
        """A handshake counts once."""
        connection: Connection = self.connection
        connection.makeConnection(StringTransport())
        self.assertEqual((connection.certificate, connection.alpn), (None, None))
        handshake = TLSHandshake(Side.CLIENT)
        handshake.lost(ConnectionLost())
        handshake.complete(None)
        self.assertFalse(handshake.done)
