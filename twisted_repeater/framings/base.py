# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The base of the framings: where a frame begins and ends in a stream of bytes, by offset, sans-IO.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from operator import index
from typing import NamedTuple

from zope.interface import classImplements

from .._text import repr_of
from .._types import FramingObject
from ..errors import FARTHEST, MarshalingError, outside
from ..interfaces import IFraming

__all__ = ["TRUSTED", "CheckedFraming", "Framing", "Framings", "checked_flag", "checked_number", "framing_of"]


class Framing:
    """The base of the framings that a lane calls without going through Python.

    See `IFraming` for the promises of each method. A lane relies on the offsets of this package's own framings. It uses
    any other framing, also one derived from these, as a `CheckedFraming`.

    Args:
        max_frame: the longest payload allowed, in bytes.
    """

    max_frame: int
    """The longest payload allowed, in bytes."""
    body: int
    """See `IFraming`."""
    tail: int
    """See `ITailedFraming`."""
    count: int
    """How many complete frames the last call of `skip` found."""
    least: int
    """See `IPatientFraming`."""
    seen: int
    """See `IResumingFraming`."""
    goes_on: bool
    """Whether it has `more`."""
    follows: bool
    """Whether `taken` must be called for each frame."""
    opens: int
    """If it has `more`: where in a frame the payload begins, known before the frame's size is; else -1."""

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self.body = 0
        self.tail = 0
        self.count = 0
        self.least = 0
        self.seen = 0
        self.goes_on = False
        self.follows = False
        self.opens = -1

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        raise NotImplementedError

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`. Called if ``goes_on`` is set."""
        raise NotImplementedError

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`. Called if ``follows`` is set. By default it only checks the offsets."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)

    def skip(self, data: bytes, start: int, end: int) -> int:
        """Return the offset at which the last complete frame ends. ``count`` is set to the number of frames up to it.

        A bad frame ends the search like an incomplete one. The next call of `find` raises its error. It does not call
        `taken`: the frames of a framing that follows them must be found one by one.

        Args:
            data: bytes of the stream.
            start: the offset at which the first frame begins.
            end: the offset at which the bytes that have come end.
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
        """See `IFraming`."""
        raise NotImplementedError

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`. By default nothing of the old header is kept."""
        return self.encode(payload)

    def check_size(self, size: int) -> None:
        """Raise `MarshalingError` for a payload that is too long to be sent."""
        if size > self.max_frame:
            raise MarshalingError(f"a message must have at most {self.max_frame} bytes, not {size}")


class CheckedFraming(Framing):
    """Lets a lane use any provider of `IFraming`, at the price of Python calls and checks for each message.

    It has the optional members that the provider has: see `IPatientFraming`, `IResumingFraming`, `IStatefulFraming`,
    `ITailedFraming`.

    Args:
        provider: a provider of `IFraming`.
    """

    provider: FramingObject
    """The framing that it calls."""

    def __init__(self, provider: FramingObject) -> None:
        Framing.__init__(self, 0)
        self.provider = provider
        self.goes_on: bool = _has(provider, "more", "goes_on")
        self.follows: bool = _has(provider, "taken", "follows")
        self._shown: int = 0
        """How many bytes of the present frame need not be shown again."""
        self._anew = False
        """Whether the provider must look at the frame from its beginning again: it has found one with half a header."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        self._shown = 0
        return self._answer(self.provider.find(data, start, end), start, end, 0)

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        if not self._anew:
            answer = self.provider.more(data, start, end)  # type: ignore[attr-defined]
            return self._answer(answer, start, end, start - self._shown)
        stop = self.find(data, start, end)
        self.body -= start
        return stop

    def _answer(self, answer: object, start: int, end: int, zero: int) -> int:
        """Check an answer of the provider, while it is an object: not every integer is one of C.

        ``zero`` is the offset that ``body`` counts from.
        """
        stop = _integer(answer, "find or more", self.provider)
        self._anew = False
        if stop == 0:
            self._check_wait(start, end)
            return 0
        body = _integer(self.provider.body, "body", self.provider)
        tail = _integer(getattr(self.provider, "tail", 0), "tail", self.provider)
        first = start - self._shown
        if not (start < stop <= FARTHEST and tail >= 0 and first <= zero + body <= stop - tail):
            after = f", and {tail} bytes after that" if tail else ""
            raise ValueError(
                f"{repr_of(self.provider)} found a frame from {first} to {stop}, its body at {body}{after}"
            )
        if zero + body > end:  # the size is known already, but the header is not complete
            self._anew = True
            self.seen = start
            self.least = 0
            return 0
        self.body: int = body
        self.tail: int = tail
        return stop

    def _check_wait(self, start: int, end: int) -> None:
        """Check how many bytes the provider waits for, and up to where it has seen the data."""
        provider = self.provider
        least = _integer(getattr(provider, "least", 0), "least", provider)
        if not 0 <= least <= FARTHEST:
            raise ValueError(f"{repr_of(provider)} needs at least {least} bytes")
        self.least: int = least
        if self.goes_on:
            seen = _integer(provider.seen, "seen", provider)  # type: ignore[attr-defined]
            if not start <= seen <= end:
                raise ValueError(f"{repr_of(provider)} has seen the bytes up to {seen}, of those from {start} to {end}")
            self.seen: int = seen
            self._shown += seen - start

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        Framing.taken(self, data, start, stop)
        if self.follows:
            self.provider.taken(data, start, stop)  # type: ignore[attr-defined]

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.provider.encode(payload)

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.provider.replace(frame, payload)


def _has(provider: object, method: str, flag: str) -> bool:
    """Return whether a provider has an optional method. A `Framing` has all of them, and says which of them count."""
    return bool(getattr(provider, flag)) if isinstance(provider, Framing) else callable(getattr(provider, method, None))


def _integer(value: object, what: str, provider: object) -> int:
    """Return a number of a provider as an ``int``."""
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what} of {repr_of(provider)} must be an integer, not {repr_of(value)}") from None


def checked_number(name: str, value: int, least: int, most: int) -> int:
    """Return the argument of a framing if it is a whole number within these limits."""
    if not isinstance(value, int) or isinstance(value, bool):  # the limits of `Limits` are of a class of their own
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} to {most}, not {value}")
    return value


def checked_flag(name: str, value: bool) -> bool:
    """Return the argument of a framing if it is true or false."""
    if type(value) is not bool:
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


classImplements(Framing, IFraming)


class Framings(NamedTuple):
    """The framings of both directions of a link, where they differ or keep state; see `Dialect.framing`."""

    to_server: FramingObject
    """Of the messages to the server."""
    to_client: FramingObject
    """Of the messages to the client."""


TRUSTED: set[type] = {CheckedFraming}
"""The framings whose offsets a lane can rely on. The modules of this package add theirs."""


def framing_of(provider: FramingObject) -> Framing:
    """Return the framing that a lane calls: the provider if it is one of this package, or a `CheckedFraming` of it."""
    return provider if isinstance(provider, Framing) and type(provider) in TRUSTED else CheckedFraming(provider)
