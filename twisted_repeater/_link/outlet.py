"""The writing half of one connection: keeps order, counts what waits, says when it is full."""

from __future__ import annotations

import array
import fcntl
import socket
import sys
import termios
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from .._text import class_name, text_of
from ..codecs import LEFT_OUT
from ..errors import MarshalingError
from ..framings.base import Framing

__all__ = ["HIGH_WATER", "Outlet", "OutletHost"]

HIGH_WATER = 64 * 1024
"""Above so many waiting bytes an outlet is full."""

SMALL = 4 * 1024
"""Waiting pieces below this size are merged: a list entry for each tiny frame would cost many times the frame."""

MAX_POSTPONED = 64
"""How many frames are postponed at most. If an application broadcasts faster, its own call sends them."""

LARGE = 16 * 1024
"""Pieces of this size on average go to a socket one by one: joining them would cost more than a system call each."""

BYTES_ACKED = slice(120, 128)
"""Where Linux's ``struct tcp_info`` has ``tcpi_bytes_acked``."""


class OutletHost(Protocol):
    """What an outlet needs of its end of a link."""

    def outlet_full(self) -> None:
        """More waits than should."""

    def outlet_drained(self) -> None:
        """Nothing waits any more."""

    def outlet_overflowed(self) -> None:
        """The application sent more than may wait."""

    def outlet_marshaling_error(self, error: MarshalingError) -> None:
        """A message could not be encoded and is not sent."""

    def outlet_lost(self) -> None:
        """The connection breaks; its socket is about to be closed."""


@implementer(IPushProducer, IPullProducer)
class Outlet:
    """Writes whole frames to one connection.

    On a plain socket the outlet writes past the transport's buffer, which stays empty, and keeps what the socket does
    not take. It is registered there as a pull producer: when the transport is told to write, it finds that it has
    nothing and asks for more, which means that the socket can be tried again. Elsewhere (TLS, transports in memory) the
    outlet is a push producer and writes to the transport until that asks it to pause.
    """

    __slots__ = (
        "_busy",
        "_closed",
        "_direct",
        "_ending",
        "_host",
        "_innermost",
        "_postponed",
        "_queue",
        "_relayed",
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
        self._innermost = _innermost(transport)
        self._host = host
        self._queue: deque[bytes | bytearray | memoryview] | None = None
        self._busy = False
        """Whether the transport has to ask before more is written."""
        self._postponed: list[Callable[[Outlet], bytes | None]] | None = None
        """Functions that make the frames to be sent before anything else."""
        self._relayed = 0
        """How many of the waiting bytes came from lanes, at most."""
        self._closed = False
        self._ending: Callable[[], None] | None = None
        self._direct = isinstance(transport, FileDescriptor) and not getattr(transport, "TLS", False)
        self.framing = framing
        self.max_waiting = max_waiting
        self.writer: Callable[[Any], Any] | None = None
        self.version = 0
        self.full = False
        self.waiting = 0
        """How many bytes wait here."""
        self.progress = 0
        """Grows with what is written."""
        transport.registerProducer(self, not self._direct)

    # -- what goes out -----------------------------------------------------------------------------------

    def encode(self, message: Any, instead_of: bytes | None = None) -> bytes | None:
        """Make a frame of a message: empty for one that does not exist in the version of this connection, ``None``
        where that cannot be done, which is reported.

        ``instead_of`` is the frame that the message came in, when it goes on in another version.
        """
        assert self.writer is not None
        try:
            payload = self.writer(message)
            if payload is LEFT_OUT:
                return b""
            framing = self.framing
            frame = framing.encode(payload) if instead_of is None else framing.replace(instead_of, payload)
            return frame if type(frame) is bytes else bytes(memoryview(frame))
        except MarshalingError as error:
            self._host.outlet_marshaling_error(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a codec that calls sys.exit() has failed, no more
            marshaling_error = MarshalingError(f"{class_name(error)} in the codec: {text_of(error)}")
            marshaling_error.__cause__ = error
            self._host.outlet_marshaling_error(marshaling_error)
        return None

    def push(self, pieces: list[bytes]) -> None:
        """Write whole frames, at once as far as the connection takes them. What a lane does at the end of a read."""
        if self._postponed is not None:
            self.send_postponed()
        if self._closed:
            return
        size = sum(map(len, pieces))
        if len(pieces) > 1 and not (self._direct and size >= LARGE * len(pieces)):
            pieces = [b"".join(pieces)]
        for data in pieces:
            if self._busy:
                self._enqueue(data)
            else:
                self._try(data)
        if self.waiting:
            self._relayed = min(self._relayed + size, self.waiting)

    def send(self, frame: bytes, *, at_once: bool = False) -> None:
        """Write a frame of the application's own.

        A small one waits for the next turn of the reactor, so that a burst leaves together, unless it is to go
        ``at_once``: where it is the only one, that is cheaper.
        """
        if self._postponed is not None:
            self.send_postponed()
        self._send(frame, at_once)

    def _send(self, frame: bytes, at_once: bool) -> None:
        if self._closed:
            return
        if self.waiting - self._relayed > self.max_waiting:
            self._host.outlet_overflowed()
        elif self._busy:
            self._enqueue(frame)
        elif self._direct and len(frame) < SMALL and not at_once:
            self._enqueue(frame)
            self._ask_for_turn()
        else:
            self._try(frame)

    def postpone(self, make: Callable[[Outlet], bytes | None]) -> bool:
        """Have a frame sent by `send_postponed`, or before anything else is written. Return whether it is the first.

        @param make: makes the frame; returns nothing if none is to be sent.
        """
        if self._postponed is None:
            self._postponed = [make]
            return True
        self._postponed.append(make)
        if len(self._postponed) > MAX_POSTPONED:
            self.send_postponed()
        return False

    def send_postponed(self) -> None:
        """Send what was postponed, in order."""
        while self._postponed:
            make = self._postponed.pop(0)
            if not self._postponed:
                self._postponed = None
            frame = make(self)
            if frame:
                self._send(frame, at_once=True)

    def _try(self, data: bytes | bytearray | memoryview) -> None:
        """Write what the connection takes now; the rest waits."""
        if not self._direct:
            self._transport.write(bytes(data))
            return
        size = len(data)
        sent = self._transport.writeSomeData(data)
        while isinstance(sent, int) and 0 < sent < size:
            self.progress += sent
            data = memoryview(data)[sent:]
            size -= sent
            sent = self._transport.writeSomeData(data)
        if sent == size:
            self.progress += size
        elif isinstance(sent, int):
            self._enqueue(data, first=True)
            self._ask_for_turn()
        else:  # lost, it seems: the transport finds that out by itself, and tells the protocol in its own time
            self._busy = True
            self._transport.write(bytes(data))

    def _ask_for_turn(self) -> None:
        """Have the transport ask for more as soon as the socket takes some."""
        self._busy = True
        self._transport.startWriting()

    def _enqueue(self, data: bytes | bytearray | memoryview, first: bool = False) -> None:
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        if first:
            queue.appendleft(data)
        elif len(data) >= SMALL:
            queue.append(data)
        elif queue and isinstance(queue[-1], bytearray) and len(queue[-1]) < HIGH_WATER:
            queue[-1] += data
        else:
            queue.append(bytearray(data))
        self.waiting += len(data)
        if self.waiting > HIGH_WATER and not self.full:
            self.full = True
            self._host.outlet_full()

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
        if self._postponed is not None:
            self.send_postponed()
        if self._closed:
            return
        self._closed = True
        if self._busy:
            self._ending = then
        else:
            self._end(then)

    def _end(self, then: Callable[[], None]) -> None:
        self._ending = None
        self._transport.unregisterProducer()  # first: with a producer registered a transport never closes
        then()

    def close_connection(self) -> None:
        """Close the connection itself, without waiting for what the peer says to that, as TLS would."""
        self._innermost.loseConnection()

    @property
    def innermost(self) -> Any:
        """The transport that has the socket."""
        return self._innermost

    def hear_of_loss(self) -> None:
        """While the stream is being ended, hear of it when the connection breaks, as before; see `stopProducing`.

        A push producer that is never asked to pause does not delay the closing of the transport.
        """
        self._transport.registerProducer(self, True)

    def take_away(self, reason: Failure) -> None:
        """Take the connection away from its reactor and close its socket, as the reactor does with a broken one."""
        innermost = self._innermost
        try:
            innermost.connectionLost(reason)
        finally:
            left = getattr(innermost, "socket", None)
            if left is not None:  # connectionLost has not done all of its work
                innermost.stopReading()
                innermost.stopWriting()
                left.close()

    def discard(self) -> None:
        """Drop what waits and whatever comes."""
        self._closed = True
        self._ending = self._queue = self._postponed = None
        self.full = False
        self.waiting = self._relayed = 0

    def unacknowledged(self) -> int | None:
        """How many bytes the peer's system has not taken yet; ``None`` where that cannot be known."""
        answer = array.array("i", [0])
        try:
            fcntl.ioctl(self._innermost.fileno(), termios.TIOCOUTQ, answer)
        except (OSError, AttributeError, ValueError):
            return None
        return answer[0]

    def acknowledged(self) -> int | None:
        """Something that changes when the peer's system takes something; ``None`` where that cannot be known."""
        try:
            info = self._innermost.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED.stop)
        except (OSError, AttributeError):  # a Unix socket, another system, or gone
            return self.unacknowledged()
        return int.from_bytes(info[BYTES_ACKED], sys.byteorder)

    # -- IPushProducer, IPullProducer: what the transport says ----------------------------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer is full. See `IPushProducer`."""
        self._busy = True
        if not self.full:
            self.full = True
            self._host.outlet_full()

    def resumeProducing(self) -> None:
        """The transport takes more. See `IPushProducer` and `IPullProducer`."""
        self._busy = False
        if not self._direct:
            self.progress += 1
        if not self._direct and getattr(self._innermost, "disconnecting", False):
            # The peer has ended TLS while this was paused: the transport waits for its producer, and closes then.
            self.discard()
            self._transport.unregisterProducer()
            return
        while self._queue and not self._busy:
            data = self._queue.popleft()
            self.waiting -= len(data)
            self._try(data)
        if self._busy:
            return
        self._queue = None
        self._relayed = 0
        if self._ending is not None:
            self._end(self._ending)
        if self.full:  # at its end, too: a lane may be stopped that answers here and serves the other side
            self.full = False
            self._host.outlet_drained()

    def stopProducing(self) -> None:
        """The connection breaks. See `IPushProducer`."""
        self.discard()
        self._host.outlet_lost()


def _innermost(transport: Any) -> Any:
    """Return the transport that has the socket, inside of TLS and other wrappers."""
    while (inner := getattr(transport, "transport", None)) is not None:
        transport = inner
    return transport
