"""The input of a lane: received bytes that wait, and the beginning of a frame whose end has not come."""

from __future__ import annotations

from collections import deque

__all__ = ["Backlog", "Pieces", "UnfinishedFrame"]

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


class Pieces:
    """Bytes that came one after the other. Small ones are merged, large ones are kept as they came."""

    __slots__ = ("_merging", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._merging: bytearray | None = None

    def add(self, data: bytes) -> None:
        """Append the next bytes."""
        if len(data) >= SMALL:
            self._end_merging()
            self._pieces.append(data)
            return
        if self._merging is None:
            if not data:
                return
            self._merging = bytearray()
        self._merging += data
        if len(self._merging) >= ENOUGH:
            self._end_merging()

    def _end_merging(self) -> None:
        if self._merging is not None:
            self._pieces.append(bytes(self._merging))
            self._merging = None

    def look(self) -> list[bytes]:
        """Return the pieces."""
        self._end_merging()
        return self._pieces

    def take(self) -> list[bytes]:
        """Remove the pieces, and return them."""
        self._end_merging()
        pieces, self._pieces = self._pieces, []
        return pieces


class UnfinishedFrame:
    """A frame that comes in several reads.

    Args:
        seen: its first bytes, up to where the framing has seen it.
        unseen: the bytes after these, which the framing must be shown again.
        need: the size of the whole frame; 0 as long as that is not known.
        body: the offset of its payload, if the size is known.
        least: how many bytes must have come before the framing is asked again.
    """

    __slots__ = ("_seen", "_unseen", "body", "have", "least", "need", "passes", "tail", "unseen_size", "wanted")

    def __init__(self, seen: bytes, unseen: bytes, need: int, body: int, least: int) -> None:
        self.need = need
        self.body = body
        self.tail = 0
        """How many bytes at its end are not of its payload, if the size is known."""
        self.least = least
        self.have = len(seen) + len(unseen)
        """The number of bytes that have come."""
        self.passes = False
        """Whether its bytes are passed on as they come, because nobody wants to see it."""
        self.wanted = False
        """Whether it is known that somebody wants to see it."""
        self._seen = Pieces()
        self._seen.add(seen)
        self._unseen = Pieces()
        self._unseen.add(unseen)
        self.unseen_size = len(unseen)

    @property
    def kept(self) -> int:
        """The number of bytes that are kept."""
        return self.unseen_size if self.passes else self.have

    @property
    def seen_size(self) -> int:
        """The number of bytes that the framing has seen."""
        return self.have - self.unseen_size

    def add(self, data: bytes) -> None:
        """Append the next bytes. If the size of the frame is known, the framing needs not see them."""
        self.have += len(data)
        if self.need:
            self._seen.add(data)
        else:
            self._unseen.add(data)
            self.unseen_size += len(data)

    def show(self, data: bytes) -> bytes:
        """Return the bytes that were not seen, with the next bytes of the stream. They are no part of it then."""
        if not self.unseen_size:
            return data
        unseen = self._unseen.take()
        self.have -= self.unseen_size
        self.unseen_size = 0
        return b"".join([*unseen, data])

    def see(self, data: bytes, seen: int) -> None:
        """Append bytes that were shown to the framing, and seen up to this offset."""
        self.have += seen
        if not self.passes:
            self._seen.add(data[:seen])
        if seen != len(data):
            self.add(data[seen:])

    def pieces(self) -> list[bytes]:
        """Return the bytes that are kept and were seen, in pieces."""
        return self._seen.look()

    def pass_on(self) -> list[bytes]:
        """Keep only unseen bytes from here on; return the others."""
        self.passes = True
        return self._seen.take()
