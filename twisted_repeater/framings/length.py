# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Frames whose header has a length of a fixed size: `Int32Framing`, and `LengthFraming` for the other forms.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal

from ..errors import FARTHEST, BadLength, FrameTooLong, FramingError, MarshalingError, outside
from .base import TRUSTED, Framing, checked_flag, checked_number

__all__ = ["HeaderFraming", "Int32Framing", "LengthFraming"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

LARGEST: int = FARTHEST // 2
"""Lengths above this are refused before anything is added to them: the sum would not fit into a C integer."""

MOST_HEADER = 65_535
"""The longest header, in bytes."""

HEADERS: list[bytes] = [size.to_bytes(4, "big") for size in range(1024)]
"""The headers of `Int32Framing` for small payloads, which would take longer to make than all the rest."""

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
        return (HEADERS[size] if size < 1024 else size.to_bytes(4, "big")) + payload


class HeaderFraming(Framing):
    """The base of framings whose header has the size of the frame.

    Args:
        max_frame: the longest payload allowed, in bytes. With ``whole`` it counts the whole frame.
        whole: whether the payload is the whole frame.
    """

    whole: bool
    """Whether the payload is the whole frame."""

    def __init__(self, max_frame: int, whole: bool) -> None:
        Framing.__init__(self, checked_number("max_frame", max_frame, 0, FARTHEST))
        self.whole = checked_flag("whole", whole)
        self._head: int = 0
        """Where the payload begins in the frame that was measured last, counted from the beginning of the frame."""

    def _measure(self, data: bytes, start: int, end: int) -> int:
        """Return the size of the frame at ``start``: 0 if more bytes are needed, -1 if `_wrong` has an error for it."""
        raise NotImplementedError

    def _wrong(self, data: bytes, start: int) -> FramingError:
        """Return the error about the header at ``start``."""
        raise NotImplementedError

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        size = self._measure(data, start, end)
        if size == 0:
            return 0
        if size < 0:
            raise self._wrong(data, start)
        self.body: int = start + self._head
        return start + size

    def skip(self, data: bytes, start: int, end: int) -> int:
        """See `Framing`. It looks for frames as `find` does, without a call through Python for each."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        count = 0
        while True:
            size = self._measure(data, start, end)
            if size <= 0 or size > end - start:
                break
            count += 1
            start += size
        self.count = count
        return start

    def _one_frame(self, payload: bytes) -> bytes:
        """Return a payload that is a whole frame, with a header that says so."""
        data = bytes(payload)
        size = self._measure(data, 0, len(data))
        if size == len(data) and size != 0:
            return data
        if size < 0:
            error = self._wrong(data, 0)
            raise MarshalingError(f"a message must be a whole frame, with its header: {error}") from error
        announced = f"whose header announces {size}" if size else "which do not even make a header"
        raise MarshalingError(f"a message must be a whole frame, not {len(data)} bytes {announced}")


class LengthFraming(HeaderFraming):
    """A length of 1, 2, 3, 4 or 8 bytes at any place of the header, then the rest of the frame.

    Some examples:

    * DNS over TCP: ``LengthFraming(65535, size=2)``
    * PostgreSQL, with a type byte before a length that counts itself:
      ``LengthFraming(limit, size=4, at=1, adds=-4, whole=True)``
    * MySQL, with a number after the length: ``LengthFraming(limit, size=3, order="little", adds=1, whole=True)``
    * Modbus/TCP, whose shortest frame has 8 bytes: ``LengthFraming(260, size=2, at=4, header=8, whole=True)``

    Args:
        max_frame: the longest payload allowed, in bytes. With ``whole`` the payload is the frame, so that the limit
            counts the header too.
        size: how many bytes the length has, 1, 2, 3, 4 or 8. It is unsigned.
        at: where the length begins, counted from the beginning of the frame.
        order: ``"big"`` or ``"little"``, the order of its bytes.
        adds: a number that is added to the length, to get the number of bytes after the length. It is below 0 if the
            length counts itself, or the header before it.
        header: where the payload begins; right after the length if it is 0. With ``whole`` it is the size of the
            shortest frame.
        whole: whether the payload is the whole frame, so that filters see the header. It must be True if the header
            has more than the length: `encode` could not make up the rest.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or does not fit the others.
    """

    size: int
    """How many bytes the length has."""
    at: int
    """Where the length begins in a frame."""
    order: Literal["big", "little"]
    """The order of its bytes."""
    adds: int
    """What is added to the length."""
    header: int
    """The size of the header, which is that of the shortest frame."""

    def __init__(
        self,
        max_frame: int,
        *,
        size: int,
        at: int = 0,
        order: Literal["big", "little"] = "big",
        adds: int = 0,
        header: int = 0,
        whole: bool = False,
    ) -> None:
        HeaderFraming.__init__(self, max_frame, whole)
        if checked_number("size", size, -FARTHEST, FARTHEST) not in (1, 2, 3, 4, 8):
            raise ValueError(f"size must be 1, 2, 3, 4 or 8, not {size}")
        if order != "big" and order != "little":
            raise ValueError(f'order must be "big" or "little", not {order!r}')
        checked_number("adds", adds, -(2**31), 2**31)
        after = checked_number("at", at, 0, MOST_HEADER - size) + size
        if checked_number("header", header, 0, MOST_HEADER) != 0 and header < after:
            raise ValueError(f"header must be at least {after}, where the length ends, not {header}")
        header = header or after
        if not whole and header != size:
            raise ValueError(
                f"whole must be True for a header of {header} bytes of which {size} are the length: encode cannot make "
                "the others"
            )
        self.size, self.at, self.order, self.adds, self.header = size, at, order, adds, header
        self._after = after
        self._most = (1 << 8 * size) - 1  # an object of Python: it may not fit into a C integer
        self._little = order == "little"
        self._head = 0 if whole else header

    def _measure(self, data: bytes, start: int, end: int) -> int:
        """See `HeaderFraming`."""
        after = self._after
        if end - start < after:
            return 0
        if COMPILED:
            view = data
            at = start + self.at
            length = 0
            if self._little:
                stop = at
                at = start + after
                while at > stop:
                    at -= 1
                    length = length << 8 | view[at]
            else:
                stop = start + after
                while at < stop:
                    length = length << 8 | view[at]
                    at += 1
        else:  # the same, in less time
            length = int.from_bytes(data[start + self.at : start + after], self.order)
        if length > LARGEST:
            return -1
        size = length
        size += after + self.adds
        if size < self.header or size - self._head > self.max_frame or size <= 0:  # 0 without __init__
            return -1
        return size

    def _wrong(self, data: bytes, start: int) -> FramingError:
        """See `HeaderFraming`."""
        after: int = self._after
        length = int.from_bytes(data[start + self.at : start + after], self.order or "big")
        size = after + length + self.adds
        if size < self.header:
            return BadLength(
                f"a frame must have at least the {self.header} bytes of its header, not {size} by a length of {length}"
            )
        return FrameTooLong(size - self._head, self.max_frame)

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. With ``whole`` it returns the payload, which must be exactly one frame."""
        size = len(payload)
        self.check_size(size)
        if self.whole:
            return self._one_frame(payload)
        length = size - self.adds
        least, most = max(self.adds, 0), self._most + self.adds
        if not least <= size <= most:
            raise MarshalingError(f"a message must have {least} to {most} bytes to suit its length, not {size}")
        return length.to_bytes(self.size, self.order) + payload


TRUSTED.update({Int32Framing, LengthFraming})
