# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Cuts streams of bytes into frames by offset: sans-IO, nothing copied, linear in the size of a frame.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the
types of ``framing.pxd``.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from operator import index

from zope.interface import classImplements

from ._text import repr_of
from .errors import BadLength, FrameTooLong, MarshalingError
from .interfaces import IFraming

__all__ = ["ForeignFraming", "Framing", "Int32Framing", "Int64Framing", "StampedFraming", "framing_of"]

COMPILED = not __file__.endswith(".py")
"""Whether this module runs compiled."""

FARTHEST = sys.maxsize
"""The largest offset that there can be; larger ones do not fit into the C integers of compiled code."""

unpack_uint32 = struct.Struct(">I").unpack_from


def outside(start: int, end: int) -> Exception:
    """Return the error about offsets that are not within the data."""
    if max(abs(start), abs(end)) > FARTHEST:  # compiled code raises the same
        return OverflowError("offsets too large for any data")
    return ValueError("offsets outside of the data")


class Framing:
    """The base of the framings that a lane calls without going through Python.

    ``max_frame`` is the longest payload allowed, in bytes. See `IFraming` for what each method promises. A lane
    relies on the offsets that the framings of this module give; it uses any other, also one that is derived from them,
    as a `ForeignFraming`.
    """

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self.body = 0
        self.count = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """Tell where the frame that begins at ``start`` ends; 0 when more bytes are needed to tell."""
        raise NotImplementedError

    def skip(self, data: bytes, start: int, end: int) -> int:
        """Tell where the last complete frame ends, and leave the number of frames up to there in ``count``.

        A bad frame ends the search as an incomplete one does: `find` says what is wrong with it.
        """
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        count = 0
        try:
            while start < end:
                stop = self.find(data, start, end)
                if stop <= start or stop > end:
                    break
                count += 1
                start = stop
        except KeyboardInterrupt:
            raise
        except BaseException:  # find raises it again
            pass
        self.count = count
        return start

    def encode(self, payload: bytes) -> bytes:
        """Make a frame of a payload."""
        raise NotImplementedError

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """Make a frame of ``payload`` that stands for ``frame``."""
        return self.encode(payload)

    def check_size(self, size: int) -> None:
        """Raise `MarshalingError` for a payload that is too long to be sent."""
        if size > self.max_frame:
            raise MarshalingError(f"message of {size} bytes, at most {self.max_frame} can be sent")


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
        else:  # the same, a fifth of a passed message's cost cheaper
            (size,) = unpack_uint32(data, start)
        if size > self.max_frame:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def skip(self, data: bytes, start: int, end: int) -> int:
        """See `Framing`. The same as by `find`, without a call for each frame."""
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


class StampedFraming(Framing):
    """An 8-byte length, a header of time stamp and body length, then the body: ``Versioned_typed_tcp``'s messages.

    All little-endian. The length of the header is a signed integer from 9 to 17. The header is the time stamp as an
    8-byte float, in seconds since the epoch, and the length of the body as an ``int`` of bin_prot: one byte below 128,
    or a code and 2, 4 or 8 bytes; a value may be longer than needed. ``clock`` gives the time stamp of own messages.
    """

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
            raise BadLength(f"a body length that begins with the byte {size:#x}")
        if used != header:
            raise BadLength(f"a header of {header} bytes, of which its fields use {used}")
        if used == 11:
            size = view[start + 17] | view[start + 18] << 8
            if size >= 0x8000:
                size -= 0x10000
        elif used > 11:
            size = self._long_size(data[start + 17 : body], body)
        if size < 0:
            raise BadLength(f"a body of {size} bytes")
        if size > self.max_frame:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def _bad_header(self, data: bytes, start: int) -> BadLength:
        length = int.from_bytes(data[start : start + 8], "little", signed=True)
        return BadLength(f"a header of {length} bytes, it must have 9 to 17")

    def _long_size(self, raw: bytes, body: int) -> int:
        """Read the length, of 4 or 8 bytes, of a body that begins at ``body``."""
        size = int.from_bytes(raw, "little", signed=True)
        if size > self.max_frame or size > FARTHEST - body:  # before it becomes a C integer
            raise FrameTooLong(size, self.max_frame)
        return max(size, -1)

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. The time stamp is the present time."""
        return self._stamped(struct.pack("<d", self.clock()), payload)

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`. The time stamp is kept."""
        return self._stamped(frame[8:16], payload)

    def _stamped(self, time_stamp: bytes, payload: bytes) -> bytes:
        size = len(payload)
        self.check_size(size)
        if size < 0x80:
            length = size.to_bytes(1, "little")
        elif size < 0x8000:
            length = b"\xfe" + size.to_bytes(2, "little")
        elif size < 0x80000000:
            length = b"\xfd" + size.to_bytes(4, "little")
        else:
            length = b"\xfc" + size.to_bytes(8, "little")
        return (8 + len(length)).to_bytes(8, "little") + time_stamp + length + payload


class Int64Framing(Framing):
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
            raise BadLength(f"a length of {size}")
        if size > self.max_frame or size > FARTHEST - body:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        self.check_size(len(payload))
        return len(payload).to_bytes(8, "little") + payload


class ForeignFraming(Framing):
    """Lets a lane use any `IFraming` provider, at the price of Python calls for each message."""

    def __init__(self, provider: IFraming) -> None:
        Framing.__init__(self, 0)
        self.provider = provider

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        stop = index(self.provider.find(data, start, end))
        if stop == 0:
            return 0
        body = index(self.provider.body)
        if stop <= start or not start <= body <= stop or stop > FARTHEST:
            raise ValueError(f"{repr_of(self.provider)} found a frame from {start} to {stop}, its body at {body}")
        if body > end:  # it knows the size already, but the header isn't complete
            return 0
        self.body = body
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.provider.encode(payload)

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.provider.replace(frame, payload)


classImplements(Framing, IFraming)


CHECKED = frozenset({Int32Framing, Int64Framing, StampedFraming, ForeignFraming})
"""The framings whose offsets a lane can rely on."""


def framing_of(provider: IFraming) -> Framing:
    """Give the framing that a lane can call: the provider itself if it is of this module, or an adapter around it."""
    return provider if isinstance(provider, Framing) and type(provider) in CHECKED else ForeignFraming(provider)
