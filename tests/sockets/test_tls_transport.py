"""TLS that hands over the records of a read together, and writes at once."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_repeater._sockets import tls_transport
from twisted_repeater._sockets.tls_transport import RECORD, ListeningOverTLS, RelayingTLS, RelayingTLSFactory

from ..certificates import Authority


class Wire(StringTransport):
    """A transport with a socket that takes so many bytes, or is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.takes: int | Exception = 1 << 30
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []
        self.sent = bytearray()

    def writeSomeData(self, data: bytes) -> int | Exception:
        """See `FileDescriptor`."""
        if isinstance(self.takes, Exception):
            return self.takes
        taken = data[: self.takes]
        self.takes -= len(taken)
        self.sent += taken
        return len(taken)

    def write(self, data: bytes) -> None:
        """See `ITransport`."""
        self._tempDataBuffer.append(data)

    def take_sent(self) -> bytes:
        """Return what the socket took, and empty the buffer that follows it."""
        sent = bytes(self.sent) + b"".join(self._tempDataBuffer)
        self.sent.clear()
        self._tempDataBuffer.clear()
        return sent


class Kept(Protocol):
    """Keeps what it receives, and why the connection was lost."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.reason: Any = None

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        """See `IProtocol`."""
        self.reason = reason.value


class TLSCase(SynchronousTestCase):
    """A test case with a server of `RelayingTLS`, and a client of Twisted's own TLS."""

    def setUp(self) -> None:
        """Make both; the handshake is not done yet."""
        self.addCleanup(self.flushWarnings)  # Twisted uses what pyOpenSSL would rather not have
        authority = Authority(self.mktemp())
        self.clock, self.own, self.peer, self.wire, self.other = Clock(), Kept(), Kept(), Wire(), StringTransport()
        served: Any = authority.issue("localhost").load().options()
        trusting: Any = optionsForClientTLS("localhost", trustRoot=authority.load())
        makes_own = RelayingTLSFactory(served, False, Factory.forProtocol(lambda: self.own), self.clock)
        self.tls: Any = makes_own.buildProtocol(None)
        makes_peer = TLSMemoryBIOFactory(trusting, True, Factory.forProtocol(lambda: self.peer), self.clock)
        makes_peer.protocol = TLSMemoryBIOProtocol
        self.client: Any = makes_peer.buildProtocol(None)
        self.tls.makeConnection(self.wire)
        self.client.makeConnection(self.other)

    def shake_hands(self) -> None:
        """Do the handshake."""
        while self.to_server() or self.to_client():
            pass

    def written(self) -> bytes:
        """Return what the client has written."""
        data: bytes = self.other.value()
        self.other.clear()
        return data

    def to_server(self) -> bool:
        """Have the server read all that the client has written, in one read; return whether there was any."""
        data = self.written()
        if data:
            self.tls.dataReceived(data)
        return bool(data)

    def to_client(self) -> bool:
        """Do the same for the client."""
        data = self.wire.take_sent()
        if data:
            self.client.dataReceived(data)
        return bool(data)

    @property
    def arrived(self) -> bytes:
        """What the client has received."""
        return b"".join(self.peer.received)


class ReadingTests(TLSCase):
    """What is received."""

    def test_together(self) -> None:
        """The records of one read are handed over in one piece, a record that is not complete with the next read."""
        self.shake_hands()
        message = bytes(range(256)) * 256
        self.client.write(message)
        data = self.written()
        self.tls.dataReceived(data[:10])
        self.assertEqual(self.own.received, [])
        self.tls.dataReceived(data[10:-1])
        self.assertEqual(self.own.received, [message[: 3 * RECORD]])
        self.tls.dataReceived(data[-1:])
        self.assertEqual(self.own.received, [message[: 3 * RECORD], message[3 * RECORD :]])

    def test_end(self) -> None:
        """What came before the end of TLS in the same read is handed over; then the connection ends."""
        self.shake_hands()
        self.client.write(b"one")
        self.client.write(b"two")
        self.client.loseConnection()
        self.to_server()
        self.assertEqual((self.own.received, self.wire.disconnecting), ([b"onetwo"], True))

    def test_answered_end(self) -> None:
        """What is answered to the last bytes leaves before the answer to the end of TLS, which came with them."""
        self.shake_hands()
        self.patch(self.own, "dataReceived", lambda data: self.tls.write_at_once(data.upper()))
        self.client.write(b"last")
        self.client.getHandle().shutdown()
        self.client._flushSendBIO()
        self.to_server()
        self.to_client()
        self.assertEqual((self.arrived, self.wire.disconnecting), (b"LAST", True))

    def test_lost_meanwhile(self) -> None:
        """A connection that is lost while bytes of it are handed over is left alone."""
        self.shake_hands()
        self.client.write(b"one")
        first = self.written()
        self.patch(self.own, "dataReceived", lambda data: self.tls.connectionLost(Failure(ConnectionLost())))
        self.tls.dataReceived(first)
        self.assertIsInstance(self.own.reason, ConnectionLost)

    def test_broken(self) -> None:
        """What came before a broken record is handed over, and the connection ends with Twisted's error."""
        self.shake_hands()
        self.client.write(b"good")
        self.tls.dataReceived(self.written() + b"\x17\x03\x03\x00\x20" + bytes(32))
        self.tls.connectionLost(ConnectionLost())
        self.assertEqual(self.own.received, [b"good"])
        self.assertIn("bad record mac", str(self.own.reason))

    def test_lacking_names(self) -> None:
        """Where Twisted lacks a name that is not promised, each record is handed over, and nothing written at once."""
        self.shake_hands()
        self.assertTrue(self.tls.can_write_at_once())
        for part in ("READING", "WRITING"):
            self.patch(tls_transport, part, ("_tlsConnection", "_nothing"))
        self.client.write(b"one" * RECORD)
        self.to_server()
        self.assertEqual((len(self.own.received), b"".join(self.own.received)), (3, b"one" * RECORD))
        self.assertFalse(self.tls.can_write_at_once())

    def test_other_transports(self) -> None:
        """On a transport without a socket nothing is written at once."""
        self.tls.transport = StringTransport()
        self.assertFalse(self.tls.can_write_at_once())


class WritingTests(TLSCase):
    """What is written at once."""

    def test_at_once(self) -> None:
        """Everything goes to the socket at once, however much it is."""
        self.shake_hands()
        message = bytes(range(256)) * 400
        self.tls.write_at_once(memoryview(message))
        self.client.dataReceived(bytes(self.wire.sent))
        self.assertEqual((self.arrived, self.wire._tempDataBuffer), (message, []))

    def test_behind_others(self) -> None:
        """Small writes of the same turn, which Twisted collects, are sent first."""
        self.shake_hands()
        self.tls.write(b"small ")
        self.tls.write_at_once(b"large")
        self.to_client()
        self.assertEqual(self.arrived, b"small large")

    def test_part(self) -> None:
        """What the socket does not take waits in the transport, and so does all that follows; the order is kept."""
        self.shake_hands()
        self.wire.takes = 10
        for message in (b"one" * RECORD, b"two"):
            self.tls.write_at_once(message)
        self.assertEqual((len(self.wire.sent), len(self.wire._tempDataBuffer)), (10, 2))
        self.to_client()
        self.assertEqual(self.arrived, b"one" * RECORD + b"two")

    def test_lost(self) -> None:
        """What a lost socket does not take is left to the transport, which finds out by itself."""
        self.shake_hands()
        self.wire.takes = ConnectionLost()
        self.tls.write_at_once(b"one")
        self.assertEqual((len(self.wire.sent), len(self.wire._tempDataBuffer)), (0, 1))

    def test_before_handshake(self) -> None:
        """What is written before the handshake is done is sent when it is, in order."""
        self.tls.write_at_once(b"early ")
        self.clock.advance(0)
        self.tls.write_at_once(b"too ")
        self.shake_hands()
        self.tls.write_at_once(b"late")
        self.to_client()
        self.assertEqual(self.arrived, b"early too late")

    def test_ended(self) -> None:
        """After the end of TLS nothing is sent, and nobody is the wiser."""
        self.shake_hands()
        self.tls.getHandle().shutdown()
        self.tls.write_at_once(b"late")
        self.clock.advance(0)
        self.to_client()
        self.assertEqual((self.arrived, self.wire.disconnecting), (b"", True))
        self.tls.connectionLost(ConnectionLost())
        self.tls.write_at_once(b"later")
        self.assertEqual(self.wire.take_sent(), b"")


class ListeningTests(TestCase):
    """An endpoint."""

    async def test_listening(self) -> None:
        """It listens with TLS of this kind."""
        endpoint = ListeningOverTLS(
            Authority(self.mktemp()).issue("localhost").load().options(),
            TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
        )
        port: Any = await endpoint.listen(Factory.forProtocol(Kept))
        self.addCleanup(port.stopListening)
        self.assertIsInstance(port.factory.buildProtocol(None), RelayingTLS)
