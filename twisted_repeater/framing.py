# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Cuts streams of bytes into frames by offset: sans-IO, nothing copied, linear in the size of a frame.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the
types of ``framing.pxd``.
"""

from __future__ import annotations

from zope.interface import classImplements

from .errors import FrameTooLong, MarshalingError
from .interfaces import IFraming

__all__ = ["ForeignFraming", "Framing", "Int32Framing", "framing_of"]


class Framing:
    """The base of the framings that a lane calls without going through Python.

    ``max_frame`` is the longest payload allowed, in bytes. See `IFraming` for what each method promises.
    """

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self.body = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """Tell where the frame that begins at ``start`` ends; 0 when more bytes are needed to tell."""
        raise NotImplementedError

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
        if start < 0 or end > len(data):
            raise ValueError("offsets outside of the data")
        body = start + 4
        if body > end:
            return 0
        view = data
        size = view[start]
        size = size << 8 | view[start + 1]
        size = size << 8 | view[start + 2]
        size = size << 8 | view[start + 3]
        if size > self.max_frame:
            raise FrameTooLong(size, self.max_frame)
        self.body = body
        return body + size

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        size = len(payload)
        self.check_size(size)
        return size.to_bytes(4, "big") + payload


class ForeignFraming(Framing):
    """Lets a lane use any `IFraming` provider, at the price of Python calls for each message."""

    def __init__(self, provider: IFraming) -> None:
        Framing.__init__(self, 0)
        self.provider = provider

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = self.provider.find(data, start, end)
        if stop:
            if not start <= self.provider.body <= stop:
                raise ValueError(f"{self.provider!r} found a frame at {start} to {stop}, its body at {self.provider.body}")
            self.body = self.provider.body
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.provider.encode(payload)

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.provider.replace(frame, payload)


classImplements(Framing, IFraming)


def framing_of(provider: IFraming | Framing) -> Framing:
    """Give the framing that a lane can call: the provider itself, or an adapter around it."""
    return provider if isinstance(provider, Framing) else ForeignFraming(provider)
