"""The two protocols of a link."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import Limits, Side, dialects
from twisted_repeater._link.pair import Pair
from twisted_repeater._link.protocols import (
    BUSY_READ_SIZE,
    READ_SIZE,
    ClientSideProtocol,
    ServerSideProtocol,
)
from twisted_repeater._sockets.connection_monitor import ConnectionMonitor

LIMITS = Limits()
DIALECT = dialects.int32()


class Host:
    """Stands for the factory, as far as a link needs it; keeps what it is told."""

    clock: Any
    limits = LIMITS
    dialect = DIALECT
    framing = DIALECT.framing(LIMITS)
    handshake = DIALECT.handshake(LIMITS)

    def __init__(self) -> None:
        self.clock = Clock()
        self.watch = ConnectionMonitor(self.clock, None)
        self.told: list[Any] = []

    def link_broke(self, link: Pair, side: Side, reason: BaseException) -> None:
        """A side left."""
        self.told.append((side, type(reason)))

    def link_over(self, link: Pair) -> None:
        """Both connections are gone."""
        self.told.append("over")


class ProtocolTests(SynchronousTestCase):
    """Both sides are shells around their end of the link."""

    def setUp(self) -> None:
        """Make a link without connections."""
        self.host = Host()
        self.link = Pair(self.host, "quotes")  # type: ignore[arg-type]

    def connected(self, side: Side) -> tuple[Any, StringTransport]:
        """Connect the protocol of a side in memory."""
        kind = ClientSideProtocol if side is Side.CLIENT else ServerSideProtocol
        protocol = kind(self.link, self.host.framing, LIMITS)
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 4711))
        protocol.makeConnection(transport)
        return protocol, transport

    def test_each_has_its_end(self) -> None:
        """The end of its side learns of the connection, and the other does not."""
        client, _ = self.connected(Side.CLIENT)
        self.assertIs(client.end, self.link.client)
        self.assertEqual((self.link.client.connected, self.link.server.connected), (True, False))
        self.assertEqual(self.link.client.address.host, "192.0.2.1")
        server, _ = self.connected(Side.SERVER)
        self.assertIs(server.end, self.link.server)
        self.assertTrue(self.link.server.connected)

    def test_bytes(self) -> None:
        """What is received goes to the end."""
        for side in Side:
            protocol, _ = self.connected(side)
            received: list[bytes] = []
            protocol.end.receive = received.append
            protocol.dataReceived(b"one")
            protocol.dataReceived(b"two")
            self.assertEqual(received, [b"one", b"two"])

    def test_busy(self) -> None:
        """A connection whose reads are full is read in larger pieces, until one is not full."""
        protocol, _ = self.connected(Side.CLIENT)
        protocol.end.receive = lambda data: None
        sizes: list[int] = []
        protocol.end.outlet = SimpleNamespace(read_at_once=sizes.append)
        for size in (1, READ_SIZE, BUSY_READ_SIZE, READ_SIZE - 1, 1):
            protocol.dataReceived(bytes(size))
        self.assertEqual(sizes, [BUSY_READ_SIZE, READ_SIZE])

    def test_end_of_stream(self) -> None:
        """Both take part in half-closing: the end learns that its peer's stream has ended, once."""
        for side in Side:
            protocol, _ = self.connected(side)
            self.assertTrue(verifyObject(IHalfCloseableProtocol, protocol))
            protocol.readConnectionLost()
            protocol.readConnectionLost()
            self.assertTrue(protocol.end.ended)
            self.assertEqual(self.host.told.pop(), (side, ConnectionDone))
        self.assertEqual(self.host.told, [])

    def test_own_stream_is_written(self) -> None:
        """The end learns that its own end of stream is written: closing has nothing to wait for then."""
        protocol, transport = self.connected(Side.CLIENT)
        protocol.writeConnectionLost()
        self.assertFalse(transport.disconnecting)
        protocol.end.close()
        self.assertTrue(transport.disconnecting)
        self.assertEqual(self.host.clock.getDelayedCalls(), [])
        protocol, transport = self.connected(Side.SERVER)
        protocol.end.close()
        self.assertNotEqual(self.host.clock.getDelayedCalls(), [])

    def test_loss(self) -> None:
        """The end learns that its connection is gone, and why."""
        client, server = (self.connected(side)[0] for side in Side)
        client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.host.told, [(Side.CLIENT, ConnectionLost)])
        self.assertEqual((client.end.lost, server.end.lost), (True, False))
        server.connectionLost()
        self.assertEqual(self.host.told[1:], [(Side.SERVER, ConnectionDone), "over"])

    def test_connected_too_late(self) -> None:
        """A server that is reached when the client has left already is let go at once, and changes nothing."""
        client, _ = self.connected(Side.CLIENT)
        self.link.close()
        client.connectionLost()
        told = list(self.host.told)
        server, transport = self.connected(Side.SERVER)
        self.assertTrue(transport.disconnected)
        self.assertEqual(transport.value(), b"")
        server.connectionLost()
        self.assertEqual(self.host.told, told)
        self.assertEqual(self.host.clock.getDelayedCalls(), [])
