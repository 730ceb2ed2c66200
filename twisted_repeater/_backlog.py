"""Received bytes that were not looked at yet, in order."""

from __future__ import annotations

from collections import deque

__all__ = ["Backlog"]


class Backlog:
    """What was received while a lane could not go on.

    The first of it may have been looked at in part. That part stays, with an offset behind it: cutting it off anew
    for each message of a read would cost the square of the read's size.
    """

    __slots__ = ("_at", "_reads", "size")

    def __init__(self) -> None:
        self._reads: deque[bytes] = deque()
        self._at = 0
        self.size = 0
        """How many bytes were not looked at."""

    def __bool__(self) -> bool:
        return bool(self._reads)

    def add(self, data: bytes) -> None:
        """Keep what was received last."""
        self._reads.append(data)
        self.size += len(data)

    def put_back(self, data: bytes, at: int) -> None:
        """Keep what was taken out last and was looked at up to ``at`` only."""
        self._reads.appendleft(data)
        self._at = at
        self.size += len(data) - at

    def take(self) -> tuple[bytes, int]:
        """Take out what was received first, and the offset of what was not looked at."""
        at, self._at = self._at, 0
        data = self._reads.popleft()
        self.size -= len(data) - at
        return data, at
