"""A plain framing in Python, which tests break."""

from __future__ import annotations

import struct

from zope.interface import implementer

from twisted_repeater import FrameTooLong, IFraming, Limits, MarshalingError

__all__ = ["PlainFraming"]


@implementer(IFraming)
class PlainFraming:
    """Frames with three bytes of length, big-endian, before the payload."""

    body = 0

    def __init__(self, limits: Limits) -> None:
        self.limit = limits.max_frame

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start + 3 > end:
            return 0
        size = int.from_bytes(data[start : start + 3], "big")
        if size > self.limit:
            raise FrameTooLong(size, self.limit)
        self.body = start + 3
        return self.body + size

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        if len(payload) > self.limit:
            raise MarshalingError("too long")
        return struct.pack(">I", len(payload))[1:] + payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(payload)
