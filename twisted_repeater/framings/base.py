# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The base of the framings: where a frame begins and ends in a stream of bytes, by offset, sans-IO.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from operator import index

from zope.interface import classImplements

from .._offsets import FARTHEST, outside
from .._text import repr_of
from ..errors import MarshalingError
from ..interfaces import IFraming

__all__ = ["TRUSTED", "CheckedFraming", "Framing", "framing_of"]


class Framing:
    """The base of the framings that a lane calls without going through Python.

    ``max_frame`` is the longest payload allowed, in bytes. See `IFraming` for what each method promises. A lane
    relies on the offsets that the framings of this package give; it uses any other, also one that is derived from them,
    as a `CheckedFraming`.
    """

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self.body = 0
        self.count = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """Return where the frame that begins at ``start`` ends; 0 when more bytes are needed to tell."""
        raise NotImplementedError

    def skip(self, data: bytes, start: int, end: int) -> int:
        """Return where the last complete frame ends, and leave the number of frames up to there in ``count``.

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


class CheckedFraming(Framing):
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

TRUSTED: set[type] = {CheckedFraming}
"""The framings whose offsets a lane can rely on; the modules of this package add theirs."""


def framing_of(provider: IFraming) -> Framing:
    """Return the framing that a lane can call: the provider itself if it is of this package, or an adapter around it."""
    return provider if isinstance(provider, Framing) and type(provider) in TRUSTED else CheckedFraming(provider)
