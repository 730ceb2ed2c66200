"""Frames that wait for the end of a frame that passes in pieces, because no message may go out inside another."""

from __future__ import annotations

__all__ = ["FramesBehind"]


class FramesBehind:
    """Frames that others send to a connection while a frame passes to it in pieces, in order."""

    __slots__ = ("pieces", "relayed", "size")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        """How many bytes they have."""
        self.relayed = 0
        """How many of these came from a lane, as answers. The rest is the application's own."""

    def add(self, pieces: list[bytes], *, relayed: bool = False) -> None:
        """Append whole frames."""
        size = sum(map(len, pieces))
        self.pieces += pieces
        self.size += size
        if relayed:
            self.relayed += size
