"""The two protocols of a link: thin shells that hand everything to their end of it."""

from __future__ import annotations

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..framings.base import Framing
from ..model import Limits
from .connection import Connection
from .pair import Pair

__all__ = ["ClientSideProtocol", "ServerSideProtocol"]

READ_SIZE = FileDescriptor.bufferSize
"""What a transport reads at once, in bytes; Twisted's own choice."""

BUSY_READ_SIZE = 120 * 1024
"""What it reads once that was all full: below the 128 KiB from which the C library maps memory anew for each read."""


@implementer(IHalfCloseableProtocol)
class _EndProtocol(Protocol):
    """What both sides share."""

    def __init__(self, link: Pair, end: Connection, framing: Framing, limits: Limits) -> None:
        self.link = link
        self.end = end
        self._framing = framing
        self._limits = limits
        self._busy = False

    def connectionMade(self) -> None:
        """The connection is there. See `IProtocol`."""
        assert self.transport is not None
        if self.link.closing:  # the client left while the server was being dialled
            self.transport.abortConnection()  # type: ignore[attr-defined]
        else:
            self.end.connect(self.transport, self._framing, self._limits)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came. See `IProtocol`."""
        if (len(data) >= READ_SIZE) is not self._busy:
            self._busy = not self._busy
            self.end.outlet.read_at_once(BUSY_READ_SIZE if self._busy else READ_SIZE)
        self.end.receive(data)

    def readConnectionLost(self) -> None:
        """The peer has ended its stream. See `IHalfCloseableProtocol`."""
        self.end.stop()

    def writeConnectionLost(self) -> None:
        """Our own end of the stream is written. See `IHalfCloseableProtocol`."""
        self.end.stream_ended()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone. See `IProtocol`."""
        if self.end.connected:
            assert reason.value is not None
            self.end.lose(reason.value)


class ClientSideProtocol(_EndProtocol):
    """Between a client and the repeater."""

    def __init__(self, link: Pair, framing: Framing, limits: Limits) -> None:
        super().__init__(link, link.client, framing, limits)


class ServerSideProtocol(_EndProtocol):
    """Between the repeater and the server."""

    def __init__(self, link: Pair, framing: Framing, limits: Limits) -> None:
        super().__init__(link, link.server, framing, limits)
