"""One of a link's two connections: its hello, then the bytes that it receives and sends.

`closing` has the states of a connection, and the rules that it keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred

from .._sockets.valve import Valve
from ..errors import InvalidHello
from ..model import Hello, Side
from .closing import ENDED, ConnectionEvent, ConnectionState
from .hello import SHOWN, HelloReader
from .outlet import Outlet
from .outlets import outlet_for
from .starting_tls import READ_SIZE, SecureConnection

if TYPE_CHECKING:
    from .factory import Links
    from .pair import Pair

__all__ = ["ClientSideProtocol", "Connection", "ServerSideProtocol"]

BUSY_READ_SIZE = 120 * 1024
"""How many it reads after a read that was all full: below the 128 KiB from which the C library maps memory for each."""

MAX_EARLY = 64 * 1024
"""How many bytes after a hello are read before the link is complete."""


class Connection(SecureConnection):
    """One side of a link, from its connection to its end; Twisted's protocol for it, and the producer of its valve."""

    __slots__ = ("_is_busy", "_reader", "address", "heard")

    def __init__(self, link: Pair, host: Links) -> None:
        super().__init__(link, host)
        self.address: Any = None
        self.heard: bool = False
        """Whether a byte was received."""
        self.receive: Callable[[bytes], None] = self._receive_hello
        """Where received bytes go."""
        self._reader: HelloReader | None = HelloReader(self.side, host.handshake, host.settings.dialect.name)
        """Until the link is made."""
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
        self.address = transport.getPeer()
        self.is_tcp: bool = isinstance(self.address, (IPv4Address, IPv6Address))
        if self.is_tcp and hasattr(transport, "setTcpKeepAlive"):
            transport.setTcpKeepAlive(True)
            transport.setTcpNoDelay(True)
        self.valve: Valve = Valve(self)
        self.outlet: Outlet = outlet_for(transport, self, host.framing, host.limits.max_waiting)
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

    # -- the hello ------------------------------------------------------------------------------------------

    def when_address_known(self, timeout: float) -> Deferred[None]:
        """Fire when the PROXY header with the peer's address is read. Fails with `HelloTimeout` after ``timeout``."""
        assert self._reader is not None
        return self._reader.ask_address(timeout, self._host.clock)

    def address_known(self) -> None:
        """The PROXY header is read: the transport now has the peer's own address."""
        self._header_read()
        if self._reader is not None and self._reader.address is not None:
            known, self._reader.address = self._reader.address, None
            self.address = self.transport.getPeer()
            known.callback(None)

    def no_header(self, data: bytes) -> None:
        """The first bytes are not a PROXY header, and the connection is being closed."""
        if self._reader is not None and self._reader.address is not None:
            known, self._reader.address = self._reader.address, None
            known.errback(InvalidHello(f"no PROXY header: {data[:SHOWN]!r}", self.side))

    def read_hello(self, timeout: float) -> Deferred[Hello]:
        """Return the peer's hello. Fails with `InvalidHello`, or `HelloTimeout` after so many seconds."""
        assert self._reader is not None
        hello = self._reader.ask(timeout, self._host.clock)
        self._look_for_hello(self._reader)
        return hello

    def _receive_hello(self, data: bytes) -> None:
        """Accept bytes before the link is made."""
        reader = self._reader
        assert reader is not None
        self.heard = True
        reader.add(data)
        self._look_for_hello(reader)
        self.address_known()  # data comes after the header

    def _look_for_hello(self, reader: HelloReader) -> None:
        """Fire the hello once it is asked for and complete. Stop reading if too many bytes wait after it."""
        asked, hello = reader.asked, None
        if asked is not None:
            try:
                hello = reader.read()
            except InvalidHello as error:
                reader.asked = None
                self._drop_received()
                asked.errback(error)
                return
            if hello is None:
                self.valve.open("early")
                return
        if reader.size > MAX_EARLY:
            self.valve.close("early")
        if asked is not None and hello is not None:
            reader.asked = None
            asked.callback(hello)

    @property
    def early(self) -> int:
        """How many bytes wait after the hello."""
        return self._reader.size if self._reader is not None and self._reader.complete else 0

    def relay_to(self, feed: Callable[[bytes], None]) -> None:
        """The link is complete: the bytes that waited, and all later ones, go to the lane."""
        assert self._reader is not None
        early = self._reader.take_rest()
        self._reader = None  # it is needed no more, and a link may be idle for long
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


class ClientSideProtocol(Connection):
    """The connection between a client and the repeater."""

    __slots__ = ()

    side = Side.CLIENT


class ServerSideProtocol(Connection):
    """The connection between the repeater and the server."""

    __slots__ = ()

    side = Side.SERVER
