# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Frames that end with a mark, such as lines: `DelimitedFraming`.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from ..errors import FARTHEST, FrameTooLong, FramingError, MarshalingError, outside
from .base import TRUSTED, Framing, checked_flag, checked_number

__all__ = ["DelimitedFraming"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

LARGEST: int = FARTHEST // 2
"""Limits above this count as this: the sum with an offset would not fit into a C integer."""


class DelimitedFraming(Framing):
    """A payload, then a mark that ends it; a mark may begin it too.

    Only the whole mark ends a frame: with ``b"\\r\\n"``, a carriage return or a line feed alone is a byte like any
    other. A payload cannot have the mark in it.

    Some examples:

    * lines: ``DelimitedFraming(limit, b"\\r\\n")``
    * HL7 over MLLP: ``DelimitedFraming(limit, b"\\x1c\\r", start=b"\\x0b", between=b"\\r\\n\\0")``

    It remembers how much of an unfinished frame it has seen, so each stream needs one of its own. A `Dialect` makes one
    for each direction of each link.

    Args:
        max_frame: the longest payload allowed, in bytes. With ``whole`` the payload is the frame, so that the limit
            counts the marks too. A longer frame is a `FrameTooLong` whose ``size`` is the limit plus 1, as nobody knows
            where it would have ended.
        end: the bytes that end a frame, at least one.
        start: the bytes that a frame begins with. Other bytes there are a `FramingError`.
        whole: whether the payload is the whole frame, with both marks.
        between: bytes that may be between two frames, although they belong to none. Each of them is a frame of its own,
            with itself as the payload.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or does not fit the others.
    """

    end: bytes
    """The bytes that end a frame."""
    start: bytes
    """The bytes that a frame begins with."""
    whole: bool
    """Whether the payload is the whole frame."""
    between: bytes
    """The bytes that may be between two frames."""

    def __init__(
        self, max_frame: int, end: bytes, *, start: bytes = b"", whole: bool = False, between: bytes = b""
    ) -> None:
        Framing.__init__(self, checked_number("max_frame", max_frame, 0, FARTHEST))
        for name, mark in (("end", end), ("start", start), ("between", between)):
            if type(mark) is not bytes:
                raise TypeError(f"{name} must be bytes, not {mark!r}")
        if not end:
            raise ValueError("end must have at least one byte")
        if between and (not start or start[0] in between):
            raise ValueError("between needs a start whose first byte is not among its bytes")
        self.whole = checked_flag("whole", whole)
        self.end, self.start, self.between = end, start, between
        self._skips = bytes(byte in between for byte in range(256)) if between else b""
        """A table with 1 for each byte that may be between frames; empty if there are none."""
        self._end_size, self._start_size = len(end), len(start)
        self._head = 0 if whole else len(start)
        self._marks = 0 if whole else len(start) + len(end)
        """How many bytes of a frame the limit does not count."""
        self._before = 0
        """How many bytes of the unfinished frame are before those that `more` gets."""
        self._tail = 0 if whole else len(end)
        self.tail: int = self._tail
        self.goes_on = True
        self.opens: int = self._head

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        if self._start_size != 0:
            same = self._same(data, start, end)
            if same != self._start_size:
                if same == 0 and self._is_between(data, start, end):
                    self.tail = 0
                    self.body = start
                    return start + 1
                if same != end - start:
                    raise FramingError(
                        f"a frame must begin with {self.start!r}, not {data[start : start + same + 1]!r}"
                    )
                self._before = 0
                self.seen = start
                return 0
        stop = self._stop(data, start, start + self._start_size, end)
        self.tail = self._tail
        self.body: int = start + self._head
        return stop

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        if self._before == 0:
            stop = self.find(data, start, end)
        else:
            if start < 0 or start > end or end > len(data):
                raise outside(start, end)
            stop = self._stop(data, start - self._before, start, end)
        self.body = self._head if self.tail == self._tail else 0
        return stop

    def skip(self, data: bytes, start: int, end: int) -> int:
        """See `Framing`. It looks for frames as `find` does, without a call through Python for each."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        count = 0
        while start < end:
            if self._start_size == 0 or self._same(data, start, end) == self._start_size:
                stop = self._found(data, start, start + self._start_size, end)
                if stop <= start:
                    break
                start = stop
            elif self._is_between(data, start, end):
                start += 1
            else:
                break
            count += 1
        self.count = count
        return start

    def _is_between(self, data: bytes, start: int, end: int) -> bool:
        """Return whether the byte at an offset may be between two frames."""
        if self._skips is None or len(self._skips) == 0 or start >= end:
            return False
        skips = self._skips
        return skips[data[start]] != 0

    def _same(self, data: bytes, start: int, end: int) -> int:
        """Return how many of the first bytes of a frame are those of the mark at its beginning."""
        mark = self.start
        most = self._start_size
        if most > end - start:
            most = end - start
        same = 0
        while same < most and data[start + same] == mark[same]:
            same += 1
        return same

    def _stop(self, data: bytes, start: int, at: int, end: int) -> int:
        """Return the end of a frame that begins at ``start``, which may be below 0, and is searched from ``at`` on."""
        stop = self._found(data, start, at, end)
        if stop == 0:
            seen = end - self._end_size + 1  # the bytes after it may begin the mark
            if seen < at:
                seen = at
            self.seen: int = seen
            self._before = seen - start
        elif stop < 0:
            raise FrameTooLong(self.max_frame + 1, self.max_frame)
        return stop

    def _found(self, data: bytes, start: int, at: int, end: int) -> int:
        """Return the end of that frame; 0 if more bytes are needed, -1 if it is too long."""
        most = self.max_frame
        if most > LARGEST:
            most = LARGEST
        most += start + self._marks
        last = most if most < end else end
        if last - at >= self._end_size:
            found: int = (
                find_mark(data, self.end, self._end_size, at, last)  # type: ignore[name-defined]  # noqa: F821
                if COMPILED  # the function is in the .pxd
                else data.find(self.end, at, last)
            )
            if found >= 0:
                return found + self._end_size
        return 0 if end < most else -1

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. With ``whole`` it returns the payload, which must be exactly one frame."""
        self.check_size(len(payload))
        if self.whole:
            frame = bytes(payload)
            if not frame.startswith(self.start):
                raise MarshalingError(f"a message must begin with {self.start!r}, not {frame[: len(self.start)]!r}")
            if not frame.endswith(self.end) or len(frame) < len(self.start) + len(self.end):
                raise MarshalingError(f"a message must end with {self.end!r}, not {frame[-len(self.end) :]!r}")
        else:
            frame = b"".join((self.start, payload, self.end))
        if frame.find(self.end, len(self.start)) != len(frame) - len(self.end):
            raise MarshalingError(f"a message must not have its end mark {self.end!r} before its end")
        return frame


TRUSTED.add(DelimitedFraming)
