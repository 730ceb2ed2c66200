"""One of a link's two connections: its protocol, its hello, and what its link hears."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.testing import StringTransport
from zope.interface.verify import verifyObject

from twisted_repeater import Hello, HelloTimeout, InvalidHello, Side
from twisted_repeater._link.closing import ConnectionState
from twisted_repeater._link.connection import BUSY_READ_SIZE, MAX_EARLY
from twisted_repeater._link.starting_tls import READ_SIZE

from ..peers import frame, hello
from .connections import (
    LIMITS,
    MemoryCase,
    SocketCase,
)


class StateTests(MemoryCase):
    """What is known of a connection."""

    def test_connected(self) -> None:
        """The connection's address is known."""
        self.connect()
        self.assertEqual(
            (self.connection.gone, self.connection.state, self.connection.address.host),
            (False, ConnectionState.OPEN, "192.0.2.1"),
        )

    def test_no_tcp(self) -> None:
        """A connection that isn't TCP's is fine as well."""
        self.transport = StringTransport(peerAddress=UNIXAddress("client"))
        self.connect()
        self.assertEqual(self.connection.address, UNIXAddress("client"))

    def test_lost_in_memory(self) -> None:
        """A transport that breaks and cannot be read is left alone."""
        self.connect()
        self.connection.read_the_last()
        self.assertEqual(self.host.told, [])
        self.connection.drop()
        self.connection.read_the_last()
        self.assertEqual(self.host.told, [])

    def test_not_read_on(self) -> None:
        """Once its peer has ended its stream, a connection is neither paused nor read on."""
        self.connect()
        self.connection.readConnectionLost()
        self.connection.valve.close("lane")
        self.assertFalse(self.paused())
        self.connection.valve.open("lane")


class ProtocolTests(MemoryCase):
    """What Twisted's transports tell it, and what becomes of them."""

    def test_interfaces(self) -> None:
        """It is Twisted's protocol for its side, and takes part in half-closing."""
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.connection))
        self.assertTrue(verifyObject(IProtocol, self.connection))

    def test_bytes(self) -> None:
        """What is received goes to where its bytes are wanted."""
        self.connect()
        received: list[bytes] = []
        self.connection.receive = received.append
        self.connection.dataReceived(b"one")
        self.connection.dataReceived(b"two")
        self.assertEqual(received, [b"one", b"two"])

    def test_busy(self) -> None:
        """A transport in memory, or of TLS, is read in pieces of its own size."""
        self.connect()
        self.connection.receive = lambda data: None
        self.connection.dataReceived(bytes(READ_SIZE))
        self.assertFalse(hasattr(self.transport, "bufferSize"))

    def test_connected_too_late(self) -> None:
        """A server that is reached when the client has left already is let go at once, and changes nothing."""
        self.host.closing = True
        self.connect()
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(self.transport.value(), b"")
        self.connection.connectionLost()
        self.assertEqual((self.host.told, self.host.connecting.called), ([], False))
        self.assertIs(self.connection.state, ConnectionState.UNCONNECTED)

    def test_connected_twice(self) -> None:
        """So is a second connection, of an endpoint that tries again."""
        self.connect()
        again = StringTransport()
        self.connection.makeConnection(again)
        self.assertTrue(again.disconnected)
        self.assertIs(self.connection.transport, self.transport)


class HelloTests(MemoryCase):
    """The first frame each way."""

    def setUp(self) -> None:
        """Connect it."""
        super().setUp()
        self.connect()

    def test_read(self) -> None:
        """The hello is there with its last byte."""
        reading = self.connection.read_hello(10)
        self.assertFalse(self.connection.heard)
        for byte in hello("ann"):
            self.assertNoResult(reading)
            self.connection.receive(bytes([byte]))
        self.assertTrue(self.connection.heard)
        self.assertEqual(self.successResultOf(reading), Hello("ann"))
        self.assertEqual((self.connection.early, self.clock.getDelayedCalls()), (0, []))

    def test_address(self) -> None:
        """The address is that of a PROXY header when this is read, or with the first byte behind it, or in time."""
        for header_is_told in (True, False):
            self.setUp()
            known = self.connection.when_address_known(10)
            self.transport.peerAddr = IPv4Address("TCP", "198.51.100.7", 1)
            self.assertNoResult(known)
            self.assertEqual(self.connection.address.host, "192.0.2.1")
            if header_is_told:
                self.connection.address_known()
            else:
                self.connection.receive(b"\0")
            self.successResultOf(known)
            self.assertEqual(self.connection.address.host, "198.51.100.7")
            self.assertEqual(self.clock.getDelayedCalls(), [])
        known = self.connection.when_address_known(10)
        self.clock.advance(10)
        self.assertIn("no PROXY header in time", str(self.failureResultOf(known, HelloTimeout).value))

    def test_no_header(self) -> None:
        """What came in the place of a PROXY header is told, cut; once the address is known it is no matter any more."""
        known = self.connection.when_address_known(10)
        self.connection.no_header(b"GET / HTTP/1.1\r\n" * 10)
        text = str(self.failureResultOf(known, InvalidHello).value)
        self.assertEqual(text, f"no PROXY header: {(b'GET / HTTP/1.1' + bytes([13, 10])) * 2!r}")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connection.no_header(b"more")

    def test_not_asked_yet(self) -> None:
        """A hello that comes before it is asked for waits."""
        self.connection.receive(hello("ann") + b"more")
        self.assertEqual(self.connection.early, 0)
        self.assertEqual(self.successResultOf(self.connection.read_hello(10)), Hello("ann"))
        self.assertEqual(self.connection.early, 4)

    def test_behind(self) -> None:
        """What comes behind the hello waits, until the link is complete, in order; then all goes there."""
        self.connection.read_hello(10)
        self.connection.receive(hello("ann") + b"one")
        self.connection.receive(b"two")
        self.assertEqual(self.connection.early, 6)
        fed: list[bytes] = []
        self.connection.relay_to(fed.append)
        self.assertEqual(fed, [b"onetwo"])
        self.connection.receive(b"three")
        self.assertEqual(fed, [b"onetwo", b"three"])

    def test_nothing_behind(self) -> None:
        """Without anything behind the hello nothing is fed."""
        self.connection.read_hello(10)
        self.connection.receive(hello("ann"))
        self.connection.relay_to(lambda data: self.fail("there is nothing"))

    def test_much_behind(self) -> None:
        """No more is read than may wait, until the link is complete."""
        self.connection.read_hello(10)
        self.connection.receive(hello("ann") + bytes(MAX_EARLY))
        self.assertFalse(self.paused())
        self.connection.receive(b"x")
        self.assertTrue(self.paused())
        fed: list[bytes] = []
        self.connection.relay_to(fed.append)
        self.assertEqual((fed, self.paused()), ([bytes(MAX_EARLY) + b"x"], False))

    def test_long_and_early(self) -> None:
        """A hello as long as is allowed is understood though it came before it was asked for, with more behind it."""
        wire = hello("ann", comment="x" * (LIMITS.max_hello - 30))
        self.assertEqual(len(wire), LIMITS.max_hello + 4)
        self.connection.receive(wire[:-1])
        self.assertTrue(self.paused())
        reading = self.connection.read_hello(10)
        self.assertFalse(self.paused())
        self.connection.receive(wire[-1:] + bytes(MAX_EARLY + 1))
        self.assertEqual(self.successResultOf(reading).name, "ann")
        self.assertTrue(self.paused())

    def test_invalid(self) -> None:
        """What is no hello is an error, and whatever comes then is ignored."""
        reading = self.connection.read_hello(10)
        self.connection.receive(frame(b"[]"))
        self.assertEqual(self.failureResultOf(reading, InvalidHello).value.side, Side.CLIENT)
        self.connection.receive(hello("ann"))
        self.assertEqual(self.connection.early, 0)

    def test_too_late(self) -> None:
        """A hello that doesn't come in time is an error; coming too late it changes nothing."""
        reading = self.connection.read_hello(10)
        self.connection.receive(hello("ann")[:-1])
        self.clock.advance(9.9)
        self.assertNoResult(reading)
        self.clock.advance(0.2)
        self.assertEqual(self.failureResultOf(reading, HelloTimeout).value.side, Side.CLIENT)
        self.connection.receive(hello("ann")[-1:])

    def test_no_time_left(self) -> None:
        """With no time left the hello has to be there."""
        self.connection.receive(hello("ann"))
        self.assertEqual(self.successResultOf(self.connection.read_hello(-1)), Hello("ann"))


class ReadSizeTests(SocketCase):
    """How much is read at once."""

    async def test_busy(self) -> None:
        """A socket whose reads are full is read in larger pieces, until one is not full."""
        sizes = []
        for size in (1, READ_SIZE, BUSY_READ_SIZE, READ_SIZE - 1, 1):
            self.connection.dataReceived(bytes(size))
            sizes.append(self.connection.transport.bufferSize)
        self.assertEqual(sizes, [READ_SIZE, BUSY_READ_SIZE, BUSY_READ_SIZE, READ_SIZE, READ_SIZE])
