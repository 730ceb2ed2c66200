# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Frames whose header has a length in base 128, of as many bytes as it needs: `VarintFraming`.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from ..errors import FARTHEST, BadLength, FrameTooLong, FramingError, MarshalingError
from .base import TRUSTED, checked_number
from .length import MOST_HEADER, HeaderFraming

__all__ = ["VarintFraming"]

LARGEST: int = FARTHEST // 2
"""Lengths above this are refused before anything is added to them: the sum would not fit into a C integer."""

MOST_BYTES = 9
"""The most bytes of a length: they have 63 bits."""


class VarintFraming(HeaderFraming):
    """A length in base 128, then as many bytes as it says: the least significant seven bits first.

    Each byte but the last has its highest bit set. A length may be written in more bytes than it needs, such as
    ``80 00`` for 0; such a frame is accepted, and passes as it came.

    Some examples:

    * MQTT, with a byte before the length: ``VarintFraming(limit, at=1, whole=True)``
    * delimited messages of Protocol Buffers: ``VarintFraming(limit, max_bytes=5)``

    Args:
        max_frame: the longest payload allowed, in bytes. With ``whole`` the payload is the frame, so that the limit
            counts the header too.
        at: where the length begins, counted from the beginning of the frame.
        max_bytes: the most bytes that a length may have, 1 to 9. If the last of them says that another follows, that is
            a `BadLength`.
        whole: whether the payload is the whole frame, so that filters see the header. It must be True if ``at`` is not
            0: `encode` could not make up the bytes before the length.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or does not fit the others.
    """

    at: int
    """Where the length begins in a frame."""
    max_bytes: int
    """The most bytes that a length may have."""

    def __init__(self, max_frame: int, *, at: int = 0, max_bytes: int = 4, whole: bool = False) -> None:
        HeaderFraming.__init__(self, max_frame, whole)
        checked_number("at", at, 0, MOST_HEADER)
        checked_number("max_bytes", max_bytes, 1, MOST_BYTES)
        if at and not whole:
            raise ValueError(f"whole must be True for a length at {at}: encode cannot make the bytes before it")
        self.at, self.max_bytes = at, max_bytes

    def _measure(self, data: bytes, start: int, end: int) -> int:
        """See `HeaderFraming`."""
        view = data
        at = start + self.at
        shift = length = 0
        most = 7 * self.max_bytes
        while shift < most:
            if at >= end:
                return 0
            byte = view[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if length > LARGEST:
                    return -1
                size = length
                size += at - start
                if not self.whole:
                    self._head = at - start
                return size if size - self._head <= self.max_frame else -1
            shift += 7
        return -1

    def _wrong(self, data: bytes, start: int) -> FramingError:
        """See `HeaderFraming`."""
        first = start + self.at
        raw = data[first : first + self.max_bytes]
        length = 0
        for number, byte in enumerate(raw):
            length |= (byte & 0x7F) << 7 * number
            if byte < 0x80:
                return FrameTooLong(length + (self.at + number + 1 if self.whole else 0), self.max_frame)
        return BadLength(f"a length must end within {self.max_bytes} bytes, not go on after {raw!r}")

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. With ``whole`` it returns the payload, which must be exactly one frame."""
        size = len(payload)
        self.check_size(size)
        if self.whole:
            return self._one_frame(payload)
        header = bytearray()
        rest = size
        while rest > 0x7F:
            header.append(rest & 0x7F | 0x80)
            rest >>= 7
        header.append(rest)
        if len(header) > self.max_bytes:
            raise MarshalingError(f"a message must have a length of at most {self.max_bytes} bytes, not {len(header)}")
        return bytes(header) + payload


TRUSTED.add(VarintFraming)
