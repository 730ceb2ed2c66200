"""The beginning of a frame whose end was not received yet: collected in pieces, copied once at the most."""

from __future__ import annotations

__all__ = ["Unfinished"]

SMALL = 2048
"""Pieces below this size are merged: a list entry for each byte would cost 40 times the frame."""

ENOUGH = 64 * 1024
"""Merged pieces of this size become one piece."""


class Unfinished:
    """A frame that comes in several reads.

    ``start`` is what has come. ``need`` is the size of the whole frame and ``body`` where its payload begins; ``need``
    is 0 as long as its header isn't complete.
    """

    __slots__ = ("_merging", "_pieces", "body", "have", "need")

    def __init__(self, start: bytes, need: int, body: int) -> None:
        self.need = need
        self.body = body
        self.have = len(start)
        """How many bytes have come."""
        self._pieces = [start]
        self._merging: bytearray | None = None

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
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
        """Give what has come, in order."""
        self._end_merging()
        return self._pieces

    def payload(self, rest: memoryview) -> bytes:
        """Give the payload; ``rest`` is what was missing."""
        first, *others = self.pieces()
        return b"".join([memoryview(first)[self.body :], *others, rest])
