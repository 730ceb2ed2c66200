# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Frames that begin with their length, as a 4-byte integer.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from .._offsets import outside
from ..errors import FrameTooLong
from .base import TRUSTED, Framing

__all__ = ["Int32Framing"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

unpack_uint32: Callable[[bytes, int], tuple[int]] = struct.Struct(">I").unpack_from


class Int32Framing(Framing):
    """A 4-byte unsigned big-endian length, not counting itself, then that many bytes of payload.

    The wire of `twisted.protocols.basic.Int32StringReceiver`.
    """

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if not 0 <= start <= end <= len(data):
            raise outside(start, end)
        body = start + 4
        if body > end:
            return 0
        if COMPILED:
            view = data
            size = view[start]
            size = size << 8 | view[start + 1]
            size = size << 8 | view[start + 2]
            size = size << 8 | view[start + 3]
        else:  # the same: it saves a fifth of the cost of a message that is passed on
            (size,) = unpack_uint32(data, start)
        if size > self.max_frame:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def skip(self, data: bytes, start: int, end: int) -> int:
        """See `Framing`. It looks for frames as `find` does, without a call for each."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        view = data
        limit = self.max_frame
        count = 0
        stop = start
        while end - start >= 4:
            size = view[start]
            size = size << 8 | view[start + 1]
            size = size << 8 | view[start + 2]
            size = size << 8 | view[start + 3]
            stop = start + 4 + size
            if size > limit or stop > end:
                break
            count += 1
            start = stop
        self.count = count
        return start

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        size = len(payload)
        self.check_size(size)
        return size.to_bytes(4, "big") + payload


TRUSTED.add(Int32Framing)
