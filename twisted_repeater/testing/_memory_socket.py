"""A socket that is none: two of them are connected in memory."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

__all__ = ["CAPACITY", "MemorySocket"]

CAPACITY = 64 * 1024
"""How many bytes a socket holds that its owner has not read yet."""


class MemorySocket:
    """One of two sockets that are connected to each other. Has what `tcp.Connection` uses of a socket.

    ``arrived`` is the number, out of ``counter``, of what came first of all that was not read yet.
    """

    def __init__(self, counter: Iterator[int]) -> None:
        self.peer: MemorySocket = self
        self.arrived = 0
        self._counter = counter
        self._inbox = bytearray()
        self._writable = True
        self._ended = False
        self._reset = False
        self._lingers = True

    @classmethod
    def pair(cls, counter: Iterator[int]) -> tuple[MemorySocket, MemorySocket]:
        """Make two that are connected."""
        one, other = cls(counter), cls(counter)
        one.peer, other.peer = other, one
        return one, other

    @property
    def readable(self) -> bool:
        """Whether `recv` has something to tell."""
        return bool(self._inbox) or self._ended or self._reset

    @property
    def writable(self) -> bool:
        """Whether `send` has something to do."""
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
            raise BlockingIOError(errno.EWOULDBLOCK, "nothing to read")
        data = bytes(self._inbox[:size])
        del self._inbox[:size]
        self.arrived = next(self._counter)
        return data

    def _wake(self) -> None:
        """Something comes."""
        if not self.readable:
            self.arrived = next(self._counter)

    def shutdown(self, how: int) -> None:
        """See `socket.socket`: nothing more is sent."""
        self._writable = False
        self.peer._wake()
        self.peer._ended = True

    def close(self) -> None:
        """See `socket.socket`. With unread data, or when it doesn't linger, the other end sees a reset."""
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
