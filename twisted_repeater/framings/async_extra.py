# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The frames of async_extra's ``Versioned_typed_tcp``: its messages and its hello.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from ..errors import FARTHEST, BadLength, FrameTooLong, outside
from .base import TRUSTED, Framing

__all__ = ["AsyncExtraFraming", "AsyncExtraHelloFraming"]

TIME_STAMP = struct.Struct("<d")
SHORT: bytes = bytes(range(0x80))
"""The lengths of bodies that are one byte."""
HEADER_OF_9: bytes = (9).to_bytes(8, "little")
"""The length of the header if the body's is one byte."""


class AsyncExtraFraming(Framing):
    """An 8-byte length, a header of time stamp and body length, then the body: ``Versioned_typed_tcp``'s messages.

    All little-endian. The length of the header is a signed integer from 9 to 17. The header is the time stamp as an
    8-byte float, in seconds since the epoch, and the length of the body as an ``int`` of bin_prot: one byte below 128,
    or a code and 2, 4 or 8 bytes; the form may be longer than needed.

    Args:
        max_frame: the longest body allowed, in bytes.
        clock: a function that returns the time stamp of the repeater's own messages.
    """

    clock: Callable[[], float]
    """Returns the time stamp of the repeater's own messages."""

    def __init__(self, max_frame: int, clock: Callable[[], float]) -> None:
        Framing.__init__(self, max_frame)
        self.clock = clock

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        if end - start < 8:
            return 0
        view = data
        header = view[start]
        if header < 9 or header > 17 or view[start + 1] | view[start + 2] | view[start + 3] | view[start + 4]:
            raise self._bad_header(data, start)
        if view[start + 5] | view[start + 6] | view[start + 7]:
            raise self._bad_header(data, start)
        body = start + 8 + header
        if body > end:
            return 0
        size = view[start + 16]
        if size < 0x80:
            used = 9
        elif size >= 0xFC and size <= 0xFE:
            used = 11 if size == 0xFE else 13 if size == 0xFD else 17
        else:
            raise BadLength(f"the length of a body must not begin with the byte {size:#x}")
        if used != header:
            raise BadLength(f"a header must have the {used} bytes that its fields use, not {header}")
        if used == 11:
            size = view[start + 17] | view[start + 18] << 8
            if size >= 0x8000:
                size -= 0x10000
        elif used > 11:
            size = self._long_size(data[start + 17 : body], body)
        if size < 0:
            raise BadLength(f"the length of a body must not be negative, as {size} is")
        if size > self.max_frame:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def _bad_header(self, data: bytes, start: int) -> BadLength:
        length = int.from_bytes(data[start : start + 8], "little", signed=True)
        return BadLength(f"a header must have 9 to 17 bytes, not {length}")

    def _long_size(self, raw: bytes, body: int) -> int:
        """Return the length, of 4 or 8 bytes, of a body that begins at ``body``."""
        size = int.from_bytes(raw, "little", signed=True)
        if size > self.max_frame or size > FARTHEST - body:  # before it becomes a C integer
            raise FrameTooLong(size, self.max_frame)
        return max(size, -1)

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. The time stamp is the time now."""
        return self._stamped(TIME_STAMP.pack(self.clock()), payload)

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`. The time stamp is kept."""
        return self._stamped(frame[8:16], payload)

    def _stamped(self, time_stamp: bytes, payload: bytes) -> bytes:
        size = len(payload)
        if size > self.max_frame:
            self.check_size(size)
        if size < 0x80:
            return HEADER_OF_9 + time_stamp + SHORT[size : size + 1] + payload
        if size < 0x8000:
            length = b"\xfe" + size.to_bytes(2, "little")
        elif size < 0x80000000:
            length = b"\xfd" + size.to_bytes(4, "little")
        else:
            length = b"\xfc" + size.to_bytes(8, "little")
        return (8 + len(length)).to_bytes(8, "little") + time_stamp + length + payload


class AsyncExtraHelloFraming(Framing):
    """An 8-byte little-endian signed length, not counting itself, then that many bytes of payload.

    The hello of ``Versioned_typed_tcp``.
    """

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        if end - start < 8:
            return 0
        body = start + 8
        size = int.from_bytes(data[start:body], "little", signed=True)
        if size < 0:
            raise BadLength(f"a length must not be negative, as {size} is")
        if size > self.max_frame or size > FARTHEST - body:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        self.check_size(len(payload))
        return len(payload).to_bytes(8, "little") + payload


TRUSTED.update({AsyncExtraFraming, AsyncExtraHelloFraming})
