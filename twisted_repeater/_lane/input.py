"""The input of a lane: received bytes that wait, and the beginning of a frame whose end has not come."""

from __future__ import annotations

from collections import deque

__all__ = ["Backlog", "UnfinishedFrame"]

SMALL = 2048
"""Pieces below this size are merged: a list entry for each byte would cost 40 times the frame."""

ENOUGH = 64 * 1024
"""Merged pieces of this size become one piece."""


class Backlog:
    """Reads that came while a lane could not go on.

    The first one may have been looked at in part. It is kept whole, with an offset: cutting it after each of its
    messages would cost the square of its size.
    """

    __slots__ = ("_at", "_reads", "size")

    def __init__(self) -> None:
        self._reads: deque[bytes] = deque()
        self._at = 0
        self.size = 0
        """The number of bytes that were not looked at."""

    def __bool__(self) -> bool:
        return bool(self._reads)

    def add(self, data: bytes) -> None:
        """Append a read."""
        self._reads.append(data)
        self.size += len(data)

    def put_back(self, data: bytes, at: int) -> None:
        """Put back the read that was taken last, which was looked at up to ``at``."""
        self._reads.appendleft(data)
        self._at = at
        self.size += len(data) - at

    def take(self) -> tuple[bytes, int]:
        """Remove the first read; return it, and the offset up to which it was looked at."""
        at, self._at = self._at, 0
        data = self._reads.popleft()
        self.size -= len(data) - at
        return data, at


class UnfinishedFrame:
    """A frame that comes in several reads.

    ``start`` are its first bytes. ``need`` is the size of the whole frame, 0 as long as its header is not complete.
    ``body`` is the offset of its payload.
    """

    __slots__ = ("_merging", "_pieces", "body", "have", "need")

    def __init__(self, start: bytes, need: int, body: int) -> None:
        self.need = need
        self.body = body
        self.have = len(start)
        """The number of bytes that have come."""
        self._pieces = [start]
        self._merging: bytearray | None = None

    def add(self, data: bytes) -> None:
        """Append the next bytes."""
        self.have += len(data)
        if len(data) >= SMALL:
            self._end_merging()
            self._pieces.append(data)
            return
        if self._merging is None:
            self._merging = bytearray()
        self._merging += data
        if len(self._merging) >= ENOUGH:
            self._end_merging()

    def _end_merging(self) -> None:
        if self._merging is not None:
            self._pieces.append(bytes(self._merging))
            self._merging = None

    def pieces(self) -> list[bytes]:
        """Return the bytes that have come, in pieces."""
        self._end_merging()
        return self._pieces
