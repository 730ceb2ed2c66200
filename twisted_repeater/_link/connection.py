"""One of a link's two connections: the beginning of its protocol, then the bytes that it receives and sends.

`closing` has the states of a connection, and the rules that it keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from socket import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred

from .._sockets.endpoints import let_half_close
from .._sockets.socket_state import acknowledged
from .._sockets.valve import Valve
from ..errors import HelloTimeout, InvalidHello
from ..model import Limits, Side
from .closing import ENDED, ConnectionEvent, ConnectionState
from .deadline import within
from .opening_peer import SHOWN, OpeningPeer
from .outlet import Outlet
from .outlets import outlet_for
from .starting_tls import READ_SIZE, SecureConnection

if TYPE_CHECKING:
    from .factory import Links
    from .pair import Pair

__all__ = ["ClientSideProtocol", "Connection", "ServerSideProtocol"]

BUSY_READ_SIZE = 120 * 1024
"""How many it reads after a read that was all full: below the 128 KiB from which the C library maps memory for each."""


class Connection(SecureConnection):
    """One side of a link, from its connection to its end; Twisted's protocol for it, and the producer of its valve."""

    __slots__ = ("_address_known", "_is_busy", "address", "heard", "opening")

    def __init__(self, link: Pair, host: Links) -> None:
        super().__init__(link, host)
        self.address: Any = None
        self.heard: bool = False
        """Whether a byte was received."""
        self.receive: Callable[[bytes], None] = self._receive_early
        """Where received bytes go."""
        self.opening: OpeningPeer | None = OpeningPeer(self, link.framing_from(self.side))
        """Keeps the bytes for the opening of the dialect, until the link is made."""
        self._address_known: Deferred[None] | None = None
        self._is_busy = False
        """Whether the last read was all full."""

    # -- the protocol of a transport ----------------------------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """The connection is there, or TLS was put between it and its transport. See `IProtocol`."""
        if self.handshake is not None and getattr(transport, "transport", None) is self.transport:
            self._change_transport(transport)
            return
        if self.state is not ConnectionState.UNCONNECTED or self.link.closing:
            transport.abortConnection()  # the client left while the server was being dialled
            return
        host = self._host
        self.transport = transport
        let_half_close(transport, self)
        self.address = transport.getPeer()
        self.is_tcp: bool = isinstance(self.address, (IPv4Address, IPv6Address))
        if self.is_tcp and hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
        self.valve: Valve = Valve(self)
        self.outlet: Outlet = outlet_for(transport, self, self.link.framing_to(self.side), host.limits.max_waiting)
        self.handle: socket | None = self.outlet.socket
        self._find_tls()
        self._move(ConnectionEvent.CONNECTED)
        host.monitor.connected(self)
        self.link.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came. See `IProtocol`."""
        if (len(data) >= READ_SIZE) is not self._is_busy:
            self._is_busy = not self._is_busy
            self.outlet.read_at_once(BUSY_READ_SIZE if self._is_busy else READ_SIZE)
        self.receive(data)

    # -- the producer of the valve --------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Read no more. See `Valve`."""
        if self.state not in ENDED:
            self._host.monitor.reads(self, False)
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read on, unless the stream has ended: the transport would only find its end again. See `Valve`."""
        if self.state not in ENDED:
            self._host.monitor.reads(self, True)
            self.transport.resumeProducing()

    # -- until the link is made -----------------------------------------------------------------------------

    @property
    def limits(self) -> Limits:
        """The limits of the repeater."""
        return self._host.limits

    @property
    def dialect_name(self) -> str:
        """The name of the dialect, for errors."""
        return self._host.settings.dialect.name

    def when_address_known(self, timeout: float) -> Deferred[None]:
        """Fire when the PROXY header with the peer's address is read. Fails with `HelloTimeout` after ``timeout``."""
        known: Deferred[None] = Deferred()
        self._address_known = known
        return within(known, timeout, self._host.clock, lambda: HelloTimeout("no PROXY header in time", self.side))

    def address_known(self) -> None:
        """The PROXY header is read: the transport now has the peer's own address."""
        self._header_read()
        known, self._address_known = self._address_known, None
        if known is not None:
            self.address = self.transport.getPeer()
            known.callback(None)

    def no_header(self, data: bytes) -> None:
        """The first bytes are not a PROXY header, and the connection is being closed."""
        known, self._address_known = self._address_known, None
        if known is not None:
            known.errback(InvalidHello(f"no PROXY header: {data[:SHOWN]!r}", self.side))

    def _receive_early(self, data: bytes) -> None:
        """Accept bytes before the link is made."""
        assert self.opening is not None
        self.heard = True
        self.opening.received(data)
        self.address_known()  # data comes after the header

    def relay_to(self, feed: Callable[[bytes], None]) -> None:
        """The link is complete: the bytes that waited, and all later ones, go to the lane."""
        assert self.opening is not None
        early = self.opening.take_rest()
        self.opening = None  # it is needed no more, and a link may be idle for long
        if not self.lost:
            self.receive = feed
        if early:
            feed(early)
        self.valve.open("early")

    def read_the_last(self) -> None:
        """Receive the bytes that the system still has as the connection breaks on writing.

        Called by way of the ``stopProducing`` of its outlet, before Twisted closes the socket.
        """
        if self.state is not ConnectionState.UNCONNECTED and not self.closes:
            self._why_lost = self._why_lost or self._why_silent()
            self._read_the_rest()

    # -- for deadlines --------------------------------------------------------------------------------------

    def progress(self) -> object:
        """Return something that changes whenever the peer takes something, or as long as it will get more.

        The second is so if a fault holds something back, and will let it go.
        """
        state = self.state
        if state is ConnectionState.UNCONNECTED or state is ConnectionState.LOST:
            return None
        held_until = self.outlet.held_until
        if held_until is not None and held_until < inf:
            return object()
        return (self.outlet.progress, None if self.handle is None else acknowledged(self.handle))

    def progress_of_peer(self) -> object:
        """Return the same to find out whether the peer is slow: never while a fault holds back what it would take."""
        return object() if not self.gone and self.outlet.held_until is not None else self.progress()


class ClientSideProtocol(Connection):
    """The connection between a client and the repeater."""

    __slots__ = ()

    side = Side.CLIENT


class ServerSideProtocol(Connection):
    """The connection between the repeater and the server."""

    __slots__ = ()

    side = Side.SERVER
