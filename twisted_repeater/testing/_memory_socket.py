"""A pair of connected sockets in memory."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

CAPACITY = 64 * 1024
"""How many unread bytes a socket holds."""


class MemorySocket:
    """One of two connected sockets, with the methods that `twisted.internet.tcp.Connection` calls."""

    def __init__(self, counter: Iterator[int], awake: dict[MemorySocket, None]) -> None:
        self.peer: MemorySocket = self
        self.arrived: int = 0
        """The number, from the counter, of the oldest event that was not read."""
        self._counter = counter
        self._awake = awake
        self.owner: Any = None
        """The transport on this socket."""
        self._closed = False
        self._inbox = bytearray()
        self._writable = True
        self._ended = False
        self._reset = False
        self._lingers = True

    @classmethod
    def pair(
        cls, counter: Iterator[int], awake: dict[MemorySocket, None] | None = None
    ) -> tuple[MemorySocket, MemorySocket]:
        """Make two connected sockets.

        Args:
            counter: numbers the events of all sockets.
            awake: gets each socket that has something to read.
        """
        awake = {} if awake is None else awake
        one, other = cls(counter, awake), cls(counter, awake)
        one.peer, other.peer = other, one
        return one, other

    @property
    def readable(self) -> bool:
        """Whether `recv` has bytes, the end of the stream or an error."""
        return bool(self._inbox) or self._ended or self._reset

    @property
    def writable(self) -> bool:
        """Whether `send` can take bytes, or has an error."""
        return len(self.peer._inbox) < CAPACITY or self._reset

    def send(self, data: memoryview | bytes) -> int:
        """See `socket.socket`."""
        if self._reset or not self._writable:
            raise BrokenPipeError(errno.EPIPE, "the other end is closed")
        room = CAPACITY - len(self.peer._inbox)
        if room <= 0:
            raise BlockingIOError(errno.EWOULDBLOCK, "the other end does not read")
        if data:
            self.peer._wake()
            self.peer._inbox += data[:room]
        return min(room, len(data))

    def recv(self, size: int) -> bytes:
        """See `socket.socket`."""
        if self._reset:
            raise ConnectionResetError(errno.ECONNRESET, "the other end has aborted")
        if not self._inbox and not self._ended:
            raise BlockingIOError(errno.EWOULDBLOCK, "there is nothing to read")
        data = bytes(self._inbox[:size])
        del self._inbox[:size]
        self.arrived = next(self._counter)
        return data

    def _wake(self) -> None:
        """Number an event, unless an older one is unread."""
        if not self.readable:
            self.arrived = next(self._counter)
            if not self._closed:
                self._awake[self] = None

    def shutdown(self, how: int) -> None:
        """See `socket.socket`. It ends what is sent, whatever ``how`` is."""
        self._writable = False
        self.peer._wake()
        self.peer._ended = True

    def close(self) -> None:
        """See `socket.socket`. The other end sees a reset if there are unread bytes, or the socket does not linger."""
        self._closed = True
        self._awake.pop(self, None)
        if self._inbox or not self._lingers:
            self.peer._wake()
            self.peer._inbox.clear()
            self.peer._reset = True
        self.shutdown(socket.SHUT_RDWR)

    def setsockopt(self, level: int, option: int, value: object) -> None:
        """See `socket.socket`."""
        if option == socket.SO_LINGER:
            self._lingers = False

    def setblocking(self, flag: bool) -> None:
        """See `socket.socket`."""

    def fileno(self) -> int:
        """See `socket.socket`."""
        return -1
