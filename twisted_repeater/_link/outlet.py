"""The writing half of one connection: keeps the order of frames, counts what waits, reports when it is full."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from .._sockets.socket_state import innermost, socket_of, unacknowledged
from .encoder import Encoder
from .frames_behind import FramesBehind

if TYPE_CHECKING:
    from .connection import Connection
    from .gated_outlets import OutletGates

__all__ = ["HIGH_WATER", "Outlet"]

HIGH_WATER = 64 * 1024
"""An outlet with more waiting bytes than this is full."""

SMALL = 4 * 1024
"""Waiting pieces below this size are merged: a list entry for each tiny frame would cost many times the frame."""

MAX_POSTPONED = 64
"""How many frames are postponed at most. If an application broadcasts faster, its own call sends them."""


@implementer(IPushProducer, IPullProducer)
class Outlet(ABC):
    """Writes whole frames to one connection. `outlets` has a class for each kind of transport."""

    __slots__ = (
        "_behind",
        "_busy",
        "_connection",
        "_ending",
        "_gates",
        "_postponed",
        "_queue",
        "_relayed",
        "_transport",
        "encode",
        "encoder",
        "ended",
        "full",
        "innermost",
        "max_waiting",
        "progress",
        "socket",
        "waiting",
    )

    can_half_close: ClassVar[bool]
    """Whether the stream can be ended while the other way stays open."""
    _joined_below: ClassVar[float]
    """Pieces below this size on average are joined before they are written."""
    _streaming: ClassVar[bool]
    """Whether the outlet is a push producer of its transport."""

    def __init__(self, transport: Any, connection: Connection, encoder: Encoder, max_waiting: int) -> None:
        self._transport = transport
        self.innermost: Any = innermost(transport)
        """The transport that has the socket, inside TLS and other wrappers."""
        self.socket: socket.socket | None = socket_of(self.innermost)
        self._connection = connection
        self._queue: deque[bytes | bytearray | memoryview] | None = None
        self._busy = False
        """Whether the transport has to ask before more is written."""
        self._postponed: list[Callable[[Outlet], bytes | None]] | None = None
        """Functions that make the frames to be sent before anything else."""
        self._relayed = 0
        """How many of the waiting bytes came from lanes, at most."""
        self._behind: FramesBehind | None = None
        """The frames that wait for the end of a frame that comes in pieces; ``None`` if there is no such frame."""
        self.ended: bool = False
        """Whether nothing can be written any more."""
        self._ending: Callable[[], None] | None = None
        self._gates: OutletGates | None = None
        self.encoder: Encoder = encoder
        self.encode: Callable[..., bytes | None] = encoder.encode
        self.max_waiting: int = max_waiting
        self.full: bool = False
        self.waiting: int = 0
        """How many bytes wait here."""
        self.progress: int = 0
        """Grows with each write."""
        transport.registerProducer(self, self._streaming)

    # -- what goes out -----------------------------------------------------------------------------------

    def push(self, pieces: list[bytes]) -> None:
        """Write whole frames, at once as far as the connection takes them. A lane does this at the end of a read."""
        if self._postponed is not None:
            self.send_postponed()
        if self._behind is not None:
            self._behind.add(pieces, relayed=True)
        elif not self.ended:
            self._put(pieces)

    def push_part(self, pieces: list[bytes], goes_on: bool) -> None:
        """Do the same with a frame that comes in pieces, or its rest. Until it ends, other frames wait behind it.

        Args:
            pieces: the rest of the frame that was begun, if one was, and further frames.
            goes_on: whether the last of them is not complete.
        """
        if self.ended:
            return
        behind = self._behind
        if behind is None:
            if self._postponed is not None:
                self.send_postponed()
            self._behind = FramesBehind()
        self._put(pieces)
        if not goes_on:
            self._behind = None
            if behind is not None and behind.size and not self.ended:
                self._put(behind.pieces, behind.relayed)
                if not self.full:
                    self._connection.link.connection_drained(self._connection)  # a lane may be stopped by what waited

    def tear(self) -> None:
        """End the stream inside of the frame that was begun: its rest will not come, so nothing may follow."""
        stopped = self.crowded
        self._behind = self._postponed = None
        self._connection.end_stream()
        if stopped:
            self._connection.link.connection_drained(self._connection)

    @property
    def held_until(self) -> float | None:
        """Until when a fault holds something back, infinity if that is not known; ``None`` if none does."""
        return None if self._gates is None else self._gates.held_until

    @property
    def someone_waits(self) -> bool:
        """Whether anything waits for the end of a frame that comes in pieces."""
        return self._behind is not None and self._behind.size > 0

    @property
    def crowded(self) -> bool:
        """Whether too much waits for the end of a frame that comes in pieces."""
        return self._behind is not None and self._behind.size > HIGH_WATER

    def _put(self, pieces: list[bytes], relayed: int | None = None) -> None:
        """Write frames. ``relayed`` of their bytes came from lanes, by default all of them."""
        if len(pieces) > 1 and sum(map(len, pieces)) < self._joined_below * len(pieces):
            pieces = [b"".join(pieces)]
        for data in pieces:
            if self._busy:
                self._enqueue(data)
            else:
                self._write(data)
        if self.waiting:
            size = sum(map(len, pieces))
            self._relayed = min(self._relayed + (size if relayed is None else relayed), self.waiting)

    def send(self, frame: bytes, *, at_once: bool = False) -> None:
        """Write a frame of the application's own.

        A small one may wait for the next turn of the reactor, so that a burst leaves together.

        Args:
            frame: what to write.
            at_once: do not wait: the frame is the only one, so writing it now is cheaper.
        """
        if self._postponed is not None:
            self.send_postponed()
        self._send(frame, at_once)

    def _send(self, frame: bytes, at_once: bool) -> None:
        if self.ended:
            return
        behind = self._behind
        own = self.waiting - self._relayed + (0 if behind is None else behind.size - behind.relayed)
        if own > self.max_waiting:
            self._connection.link.connection_overflowed(self._connection)
        elif behind is not None:
            behind.add([frame])
        elif self._busy:
            self._enqueue(frame)
        elif at_once or len(frame) >= SMALL:
            self._write(frame)
        else:
            self._write_soon(frame)

    def postpone(self, make: Callable[[Outlet], bytes | None]) -> bool:
        """Have a frame sent by `send_postponed`, or before anything else is written.

        Args:
            make: makes the frame; ``None`` or empty bytes if there is nothing to send.

        Returns:
            Whether it is the first of those that are postponed.
        """
        if self._postponed is None:
            self._postponed = [make]
            return True
        self._postponed.append(make)
        if len(self._postponed) > MAX_POSTPONED:
            self.send_postponed()
        return False

    def send_postponed(self) -> None:
        """Send the frames that were postponed, in order."""
        while self._postponed:
            make = self._postponed.pop(0)
            if not self._postponed:
                self._postponed = None
            frame = make(self)
            if frame:
                self._send(frame, at_once=True)

    @abstractmethod
    def _write(self, data: bytes | bytearray | memoryview) -> None:
        """Write now; whatever the connection does not take waits."""

    def _write_soon(self, frame: bytes) -> None:
        """Write a small frame, perhaps together with others."""
        self._write(frame)

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
            self._connection.link.connection_full(self._connection)

    def _write_waiting(self) -> None:
        """Write what waits, until the transport has to ask again."""
        while self._queue and not self._busy:
            data = self._queue.popleft()
            self.waiting -= len(data)
            self._write(data)
        if self._busy:
            return
        self._queue = None
        self._relayed = 0
        if self._ending is not None:
            self._end(self._ending)
        if self.full:  # at its end, too: a lane may be stopped that answers here and serves the other side
            self.full = False
            self._connection.link.connection_drained(self._connection)

    # -- the end -------------------------------------------------------------------------------------------

    def when_empty(self, then: Callable[[], None]) -> None:
        """Accept nothing more, and call ``then`` when everything is handed over, with no producer registered."""
        if self._postponed is not None:
            self.send_postponed()
        if self.ended:
            return
        self.ended = True
        if self._busy:
            self._ending = then
        else:
            self._end(then)

    def _end(self, then: Callable[[], None]) -> None:
        self._ending = None
        self._transport.unregisterProducer()  # first: with a producer registered a transport never closes
        then()

    def close_connection(self) -> None:
        """Close the connection itself, without waiting for the peer's answer to that, as TLS would."""
        self.innermost.loseConnection()

    def end_stream(self) -> None:
        """End our stream, if the outlet `can_half_close`; see `stopProducing` for why it is a producer again."""
        self._transport.loseWriteConnection()
        self._transport.registerProducer(self, True)  # a push producer that never pauses does not delay the closing

    def take_away(self, reason: Failure) -> None:
        """Take the connection away from its reactor and close its socket, as the reactor does with a broken one."""
        innermost = self.innermost
        try:
            innermost.connectionLost(reason)
        finally:
            left = getattr(innermost, "socket", None)
            if left is not None:  # connectionLost has not done all of its work
                innermost.stopReading()
                innermost.stopWriting()
                left.close()

    def hand_over(self) -> None:
        """Leave the transport to another outlet. The transport writes what waits before anything else."""
        transport, waiting, was_full = self._transport, self._queue, self.full
        transport.unregisterProducer()
        self.discard()
        for data in waiting or ():
            transport.write(bytes(data))
        if was_full:
            self._connection.link.connection_drained(self._connection)

    def discard(self) -> None:
        """Drop the bytes that wait and all that come later."""
        self.ended = True
        self._ending = self._queue = self._postponed = self._behind = None
        self.full = False
        self.waiting = self._relayed = 0

    def unacknowledged(self) -> int | None:
        """Return how many bytes the peer's system has not taken yet; ``None`` where that cannot be known."""
        return None if self.socket is None else unacknowledged(self.socket)

    @abstractmethod
    def read_at_once(self, size: int) -> None:
        """Have the transport read up to so many bytes at once, if its reads can be set."""

    # -- IPushProducer, IPullProducer ----------------------------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer is full. See `IPushProducer`."""
        self._busy = True
        if not self.full:
            self.full = True
            self._connection.link.connection_full(self._connection)

    def resumeProducing(self) -> None:
        """The transport takes more. See `IPushProducer` and `IPullProducer`."""
        self._busy = False
        self._write_waiting()

    def stopProducing(self) -> None:
        """The connection breaks. See `IPushProducer`.

        A transport calls this from its ``connectionLost``, while its socket is still open and after it was taken away
        from the reactor's work: nobody else reads from it. So the connection reads the last bytes that came, which
        Twisted would throw away when writing fails first.
        """
        self.discard()
        self._connection.read_the_last()
