"""One of a link's two connections: its protocol, its first bytes, and what its link hears."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.testing import StringTransport
from zope.interface.verify import verifyObject

from twisted_repeater import HelloTimeout, InvalidHello, Side
from twisted_repeater._link.closing import ConnectionState
from twisted_repeater._link.connection import BUSY_READ_SIZE
from twisted_repeater._link.gated_outlets import OutletGates
from twisted_repeater._link.opening_peer import MAX_EARLY, OpeningPeer
from twisted_repeater._link.starting_tls import READ_SIZE, TLSHandshake
from twisted_repeater.faults._gates import TimeoutGate

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

    def test_progress(self) -> None:
        """It makes progress when the peer takes something, and as long as a fault holds back what it will get."""
        self.assertEqual((self.connection.progress(), self.connection.progress_of_peer()), (None, None))
        self.connect()
        self.assertEqual(self.connection.progress(), self.connection.progress())
        gates = OutletGates(self.clock.seconds, paused=False)
        self.connection.outlet._gates = gates
        self.assertEqual(self.connection.progress_of_peer(), self.connection.progress())
        active: Any = "never"
        gates.set(active, TimeoutGate(float("inf")))
        gates.allows(1, 0)
        self.assertEqual(self.connection.progress(), self.connection.progress())
        self.assertNotEqual(self.connection.progress_of_peer(), self.connection.progress_of_peer())
        gates.set(active, TimeoutGate(5))
        self.assertNotEqual(self.connection.progress(), self.connection.progress())
        self.connection.connectionLost()
        self.assertEqual((self.connection.progress(), self.connection.progress_of_peer()), (None, None))

    def test_not_read_on(self) -> None:
        """Once its peer has ended its stream, a connection is neither paused nor read on."""
        self.connect()
        self.connection.readConnectionLost()
        self.connection.valve.close("lane")
        self.assertFalse(self.paused())
        self.connection.valve.open("lane")

    def test_transport_inside(self) -> None:
        """TLS may come between the connection and its transport."""
        self.connect()
        inside: Any = StringTransport()
        inside.transport = self.transport
        self.connection.handshake = TLSHandshake(Side.CLIENT)
        self.connection.makeConnection(inside)
        self.assertIs(self.connection.transport, inside)
        self.assertIs(self.connection.outlet.innermost, self.transport)


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


class EarlyTests(MemoryCase):
    """Before the link is made."""

    def setUp(self) -> None:
        """Connect it."""
        super().setUp()
        self.connect()

    @property
    def opening(self) -> OpeningPeer:
        """What keeps the bytes."""
        assert self.connection.opening is not None
        return self.connection.opening

    def test_heard(self) -> None:
        """The first byte is noted, and kept."""
        self.assertFalse(self.connection.heard)
        self.connection.dataReceived(b"x")
        self.assertTrue(self.connection.heard)
        self.assertEqual(self.opening.size, 1)

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

    def test_relay(self) -> None:
        """Bytes wait until the link is complete, in order; then all go to the lane."""
        self.connection.receive(b"one")
        self.connection.receive(b"two")
        fed: list[bytes] = []
        self.connection.relay_to(fed.append)
        self.assertEqual(fed, [b"onetwo"])
        self.assertIsNone(self.connection.opening)
        self.connection.receive(b"three")
        self.assertEqual(fed, [b"onetwo", b"three"])

    def test_nothing_early(self) -> None:
        """If no bytes wait, none are given to the lane."""
        self.connection.relay_to(lambda data: self.fail("there is nothing"))

    def test_much_early(self) -> None:
        """No more is read than may wait, until the link is complete."""
        self.connection.receive(bytes(MAX_EARLY))
        self.assertFalse(self.paused())
        self.connection.receive(b"x")
        self.assertTrue(self.paused())
        fed: list[bytes] = []
        self.connection.relay_to(fed.append)
        self.assertEqual((fed, self.paused()), ([bytes(MAX_EARLY) + b"x"], False))

    def test_relay_of_a_lost_peer(self) -> None:
        """The last bytes of a peer that is gone go to the lane, and no others."""
        self.connection.receive(b"last")
        self.connection.connectionLost()
        fed: list[bytes] = []
        self.connection.relay_to(fed.append)
        self.connection.receive(b"more")
        self.assertEqual(fed, [b"last"])

    def test_limits(self) -> None:
        """It knows the limits, and the dialect that its peer should speak."""
        self.assertIs(self.connection.limits, LIMITS)
        self.assertEqual(self.connection.dialect_name, "int32")


class ReadSizeTests(SocketCase):
    """How much is read at once."""

    async def test_busy(self) -> None:
        """A socket whose reads are full is read in larger pieces, until one is not full."""
        sizes = []
        for size in (1, READ_SIZE, BUSY_READ_SIZE, READ_SIZE - 1, 1):
            self.connection.dataReceived(bytes(size))
            sizes.append(self.connection.transport.bufferSize)
        self.assertEqual(sizes, [READ_SIZE, BUSY_READ_SIZE, BUSY_READ_SIZE, READ_SIZE, READ_SIZE])
