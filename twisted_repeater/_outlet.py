"""The writing half of one connection: keeps order, counts what waits, says when it is full."""

from __future__ import annotations

import array
import fcntl
import termios
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from .codecs import LEFT_OUT
from .errors import MarshalingError
from .framing import Framing

__all__ = ["HIGH_WATER", "Outlet", "OutletHost"]

HIGH_WATER = 64 * 1024
"""Above so many waiting bytes an outlet is full."""

CHUNK = 64 * 1024
"""The most that is handed to a transport at once: it tells only when it has sent everything."""


class OutletHost(Protocol):
    """What an outlet needs of its link."""

    def outlet_full(self, outlet: Outlet) -> None:
        """More waits than should."""

    def outlet_drained(self, outlet: Outlet) -> None:
        """Nothing waits any more."""

    def outlet_overflowed(self, outlet: Outlet) -> None:
        """The application sent more than may wait."""

    def outlet_marshaling_error(self, outlet: Outlet, error: MarshalingError) -> None:
        """A message could not be encoded and is not sent."""


@implementer(IPushProducer, IPullProducer)
class Outlet:
    """Writes whole frames to one connection.

    On a plain socket the outlet tries the socket at once, and registers as a pull producer: the transport then tells
    each time that it has sent everything, so the outlet knows when it may try again, and counts what waits. Elsewhere
    (TLS, transports in memory) it is a push producer and leaves the waiting to the transport.
    """

    __slots__ = (
        "_busy",
        "_closed",
        "_direct",
        "_ending",
        "_handed",
        "_host",
        "_queue",
        "_transport",
        "framing",
        "full",
        "max_waiting",
        "progress",
        "version",
        "waiting",
        "writer",
    )

    def __init__(self, transport: Any, host: OutletHost, framing: Framing, max_waiting: int) -> None:
        self._transport = transport
        self._host = host
        self._queue: deque[bytes | memoryview] | None = None
        self._busy = False
        self._handed = 0
        self._closed = False
        self._ending: Callable[[], None] | None = None
        self._direct = isinstance(transport, FileDescriptor) and not getattr(transport, "TLS", False)
        self.framing = framing
        self.max_waiting = max_waiting
        self.writer: Callable[[Any], Any] | None = None
        self.version = 0
        self.full = False
        self.waiting = 0
        self.progress = 0
        transport.registerProducer(self, not self._direct)

    # -- what goes out -----------------------------------------------------------------------------------

    def encode(self, message: Any, instead_of: bytes | None = None) -> bytes | None:
        """Make a frame of a message; ``None`` if that cannot be, which is reported, or need not be.

        ``instead_of`` is the frame that the message came in, when it goes on in another version.
        """
        assert self.writer is not None
        try:
            payload = self.writer(message)
            if payload is LEFT_OUT:
                return None
            if instead_of is None:
                return self.framing.encode(payload)
            return self.framing.replace(instead_of, payload)
        except MarshalingError as error:
            self._host.outlet_marshaling_error(self, error)
        except Exception as error:
            marshaling_error = MarshalingError(f"{type(error).__name__} in the codec: {error}")
            marshaling_error.__cause__ = error
            self._host.outlet_marshaling_error(self, marshaling_error)
        return None

    def push(self, pieces: list[bytes]) -> None:
        """Write whole frames, at once as far as the connection takes them. What a lane does at the end of a read."""
        if self._closed:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if not self._direct:
            self._write(data)
        elif self._busy:
            self._enqueue(data)
        else:
            self._try(data)

    def send(self, frame: bytes) -> None:
        """Write a frame of the application's own: one ``transport.write``, so that a burst leaves together."""
        if self._closed:
            return
        if self.waiting > self.max_waiting:
            self._host.outlet_overflowed(self)
        elif self._busy:
            self._enqueue(frame)
        else:
            self._write(frame)

    def _try(self, data: bytes | memoryview) -> None:
        """Write to the socket what it takes now; the rest waits for the transport to say that it is empty."""
        sent = self._transport.writeSomeData(data)
        size = len(data)
        while isinstance(sent, int) and 0 < sent < size:
            self.progress += sent
            data = memoryview(data)[sent:]
            size -= sent
            sent = self._transport.writeSomeData(data)
        if sent == size:
            self.progress += size
            return
        # Full, or lost: then the transport finds that out by itself, and tells the protocol in its own time.
        if size > CHUNK:
            self._enqueue(memoryview(data)[CHUNK:], first=True)
            data = memoryview(data)[:CHUNK]
        self._write(bytes(data))

    def _write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        if self._direct:
            self._busy = True
            self._handed = len(data)
            self._wait(len(data))
        elif self.full:
            self.waiting += len(data)
        self._transport.write(data)

    def _enqueue(self, data: bytes | memoryview, first: bool = False) -> None:
        if self._queue is None:
            self._queue = deque()
        if first:
            self._queue.appendleft(data)
        else:
            self._queue.append(data)
        self._wait(len(data))

    def _wait(self, size: int) -> None:
        self.waiting += size
        if self.waiting > HIGH_WATER and not self.full:
            self.full = True
            self._host.outlet_full(self)

    # -- the end -------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closed

    @property
    def can_half_close(self) -> bool:
        """Whether the stream can be ended while the other way stays open. TLS cannot."""
        return self._direct

    def when_empty(self, then: Callable[[], None]) -> None:
        """Take nothing more, and call ``then`` when everything is handed over, with no producer registered."""
        if self._closed:
            return
        self._closed = True
        self._ending = then
        if not self._busy:
            self._end()

    def _end(self) -> None:
        then, self._ending = self._ending, None
        self._transport.unregisterProducer()  # first: with a producer registered a transport never closes
        if then is not None:
            then()

    def unacknowledged(self) -> int | None:
        """How many bytes the peer's system has not taken yet; ``None`` where that cannot be known."""
        if not self._direct:
            return None
        answer = array.array("i", [0])
        try:
            fcntl.ioctl(self._transport.fileno(), termios.TIOCOUTQ, answer)
        except (OSError, AttributeError, ValueError):
            return None
        return answer[0]

    # -- IPushProducer, IPullProducer: what the transport says ----------------------------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer is full. See `IPushProducer`."""
        if not self.full:
            self.full = True
            self._host.outlet_full(self)

    def resumeProducing(self) -> None:
        """The transport has sent everything. See `IPushProducer` and `IPullProducer`."""
        self._busy = False
        self.progress += self._handed
        self.waiting -= self._handed
        self._handed = 0
        if not self._direct:
            self.progress += 1
            self.waiting = 0
        while self._queue and not self._busy:
            data = self._queue.popleft()
            self.waiting -= len(data)
            self._try(data)
        if self._busy:
            return
        self._queue = None
        if self._ending is not None:
            self._end()
        elif self.full:
            self.full = False
            self._host.outlet_drained(self)

    def stopProducing(self) -> None:
        """The connection is gone. See `IPushProducer`."""
        self._closed = True
        self._ending = None
        self._queue = None
        self.full = False
        self.waiting = 0
