"""Connections for tests, in memory and on sockets, with what stands for their link."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from twisted_repeater import Limits, MarshalingError, dialects
from twisted_repeater._link.connection import ClientSideProtocol, Connection
from twisted_repeater._link.deadline import Timers
from twisted_repeater._sockets.connection_monitor import ConnectionMonitor
from twisted_repeater.framings.base import Framing
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.model import Side

from ..peers import END, LOST, Seen, turn

reactor: Any = installed_reactor


DIALECT = dialects.int32()


LIMITS = Limits()

FRAMING = Int32Framing(LIMITS.max_frame)


BUFFER = 16 * 1024


class Host:
    """Stands for a link; ``told`` has what it heard."""

    closing = False

    def __init__(self, clock: Any) -> None:
        self.told = Seen()
        self.timers = Timers(clock)
        self.connecting: Deferred[None] = Deferred()

    def framing_from(self, side: Side) -> Framing:
        """See `Pair`."""
        return FRAMING

    def framing_to(self, side: Side) -> Framing:
        """See `Pair`."""
        return FRAMING

    def connected(self, connection: Connection) -> None:
        """See `Pair`."""
        self.connecting.callback(None)

    def peer_ended(self, connection: Connection) -> None:
        """See `Pair`."""
        self.told.append("stopped")

    def peer_ended_unread(self, connection: Connection) -> None:
        """See `Pair`."""
        self.told.append("stops unread")

    def break_off(self, connection: Connection, reason: BaseException) -> None:
        """See `Pair`."""
        self.told.append(("vanished", type(reason)))

    def connection_lost(self, connection: Connection, reason: BaseException) -> None:
        """See `Pair`."""
        self.told.append(type(reason))

    def connection_full(self, connection: Connection) -> None:
        """See `Pair`."""
        self.told.append("full")

    def connection_drained(self, connection: Connection) -> None:
        """See `Pair`."""
        self.told.append("drained")

    def connection_overflowed(self, connection: Connection) -> None:
        """See `Pair`."""
        self.told.append("overflowed")

    def marshaling_error(self, connection: Connection, error: MarshalingError) -> None:
        """See `Pair`."""
        self.told.append(error)


class Links:
    """What the connections of a repeater share."""

    settings: Any

    limits = LIMITS
    dialect = DIALECT

    def __init__(self) -> None:
        self.clock: Any = Clock()
        self.settings = self
        self.monitor = ConnectionMonitor(self.clock, None)


def host_and_links() -> tuple[Any, Any]:
    """Return what stands for a link and for all links."""
    links = Links()
    return Host(links.clock), links


class MemoryCase(SynchronousTestCase):
    """A test case with a connection whose transport keeps what is written."""

    def setUp(self) -> None:
        """Connect it."""
        self.host, self.links = host_and_links()
        self.clock, self.monitor = self.links.clock, self.links.monitor
        self.connection = ClientSideProtocol(self.host, self.links)
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 4711))

    def connect(self) -> None:
        """Connect it."""
        self.connection.makeConnection(self.transport)

    def paused(self) -> bool:
        """Whether nothing is read."""
        return self.transport.producerState == "paused"


class Own(ClientSideProtocol):
    """A connection that notes what its transport says, as its peer does."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen = Seen()

    def makeConnection(self, transport: Any) -> None:
        """The connection is there."""
        shrink_buffers(transport)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        super().dataReceived(data)
        self.seen.append(len(data))

    def readConnectionLost(self) -> None:
        """The peer has ended its stream."""
        super().readConnectionLost()
        self.seen.append(END)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        if LOST not in self.seen:
            self.seen.append(LOST)


@implementer(IHalfCloseableProtocol)
class Far(Protocol):
    """The peer; ``seen`` has what it was told."""

    transport: Any
    reason: Any = None

    def __init__(self) -> None:
        self.seen = Seen()
        self.received = bytearray()

    def connectionMade(self) -> None:
        """The connection is there."""
        shrink_buffers(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.received += data
        self.seen.append(len(data))

    def readConnectionLost(self) -> None:
        """The other stream has ended."""
        self.seen.append(END)

    def writeConnectionLost(self) -> None:
        """This stream has ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.reason = reason.value
        self.seen.append(LOST)


def shrink_buffers(transport: Any) -> None:
    """Ask for small buffers of the system, which are full soon."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        transport.getHandle().setsockopt(socket.SOL_SOCKET, option, BUFFER)


class SocketCase(TestCase):
    """A test case with a connection on a socket, and its peer. ``received`` has what the connection was fed."""

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        """Connect them."""
        self.host, self.links = host_and_links()
        self.clock, self.monitor = self.links.clock, self.links.monitor
        self.connection = Own(self.host, self.links)
        self.own, self.peer = self.connection, Far()
        factory = Factory.forProtocol(lambda: self.own)
        factory.noisy = False
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(self.cut_off)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await endpoint.connect(Factory.forProtocol(lambda: self.peer))
        await self.host.connecting
        self.received = Seen()
        self.connection.relay_to(self.received.append)

    async def cut_off(self) -> None:
        """Close both ends."""
        for one in (self.own, self.peer):
            if LOST not in one.seen:
                one.transport.abortConnection()
                await one.seen.holds(LOST)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def fill(self) -> bytes:
        """Push until the outlet is full, while the peer doesn't read. Gives what was pushed."""
        self.peer.transport.pauseProducing()
        pushed = b""
        while not self.connection.outlet.full:
            self.connection.outlet.push([bytes(10_000)])
            pushed += bytes(10_000)
            await turn()
        return pushed
