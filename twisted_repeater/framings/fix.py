# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Messages of FIX, from BeginString to CheckSum: `FixFraming`.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from ..errors import BadLength, FrameTooLong, FramingError, MarshalingError
from .base import TRUSTED
from .length import HeaderFraming

__all__ = ["FixFraming"]

BEGIN: bytes = b"8=FIX"
"""The first bytes of each message."""
LONGEST_BEGIN: int = 18
"""How many bytes BeginString may have, with its tag: 16 and ``8=``."""
MOST_DIGITS: int = 18
"""How many digits BodyLength may have. Leading zeros are allowed."""
LEAST_BODY: int = 5
"""The fewest bytes between BodyLength and CheckSum: a MsgType."""
TRAILER: int = 7
"""How many bytes ``10=`` and the CheckSum have, with the SOH after it."""


class FixFraming(HeaderFraming):
    """Messages of FIX: ``8=FIX…``, ``9=`` and the length of the body, the body, ``10=`` and three digits.

    The length says where a message ends: its data may contain ``10=``, or whatever else. If CheckSum is not where the
    length says, the stream cannot be read any further, so it is a `FramingError`. Nothing of such a message is passed
    on. Whether CheckSum is right is not looked at here.

    Args:
        max_frame: the longest message allowed, in bytes.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``max_frame`` is out of range.
    """

    def __init__(self, max_frame: int) -> None:
        HeaderFraming.__init__(self, max_frame, True)

    def _measure(self, data: bytes, start: int, end: int) -> int:
        """See `HeaderFraming`. The size is told when the message is complete, and ends as it must."""
        view = data
        begin = BEGIN
        self.least: int = 0
        at = start
        while at < start + 5:
            if at >= end:
                return 0
            if view[at] != begin[at - start]:
                return -1
            at += 1
        while at < end and view[at] != 1 and at - start <= LONGEST_BEGIN:
            at += 1
        if at - start > LONGEST_BEGIN:
            return -1
        at += 1
        first = at + 2
        if at < end and view[at] != 57:  # 9
            return -1
        if at + 1 < end and view[at + 1] != 61:  # =
            return -1
        at = first
        length = 0
        while at < end and 48 <= view[at] <= 57 and at - first < MOST_DIGITS:
            length = length * 10 + view[at] - 48
            at += 1
        if at >= end:
            return 0
        if view[at] != 1 or at == first or length < LEAST_BODY:
            return -1
        size = at + 1 - start + length + TRAILER
        if size > self.max_frame:
            return -1
        if end - start < size:
            self.least = size
            return 0
        return size if self._is_trailer(data, start + size - TRAILER) else -1

    def _is_trailer(self, data: bytes, at: int) -> bool:
        """Return whether a field ends before an offset, and a CheckSum and nothing else is behind it."""
        view = data
        if view[at - 1] != 1 or view[at] != 49 or view[at + 1] != 48 or view[at + 2] != 61 or view[at + 6] != 1:
            return False
        return 48 <= view[at + 3] <= 57 and 48 <= view[at + 4] <= 57 and 48 <= view[at + 5] <= 57

    def _wrong(self, data: bytes, start: int) -> FramingError:
        """See `HeaderFraming`."""
        header = bytes(data[start : start + LONGEST_BEGIN + MOST_DIGITS + 5])
        first, _, rest = header.partition(b"\1")
        second, end, _ = rest.partition(b"\1")
        if not first.startswith(BEGIN) or len(first) > LONGEST_BEGIN or not second.startswith(b"9="):
            return FramingError(f"a FIX message must begin with 8=FIX and 9=, not {header[:20]!r}")
        digits = second[2:]
        if not end or not digits.isdigit() or len(digits) > MOST_DIGITS or int(digits) < LEAST_BODY:
            return BadLength(f"BodyLength must be a number of at least {LEAST_BODY}, not {digits!r}")
        size = len(first) + len(second) + 2 + int(digits) + TRAILER
        if size > self.max_frame:
            return FrameTooLong(size, self.max_frame)
        return BadLength(f"a BodyLength of {int(digits)} must lead to the CheckSum")

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. It returns the payload, which must be exactly one message."""
        frame = bytes(payload)
        self.check_size(len(frame))
        size = self._measure(frame, 0, len(frame))
        if size < 0:
            error = self._wrong(frame, 0)
            raise MarshalingError(f"a message must be a whole FIX message: {error}") from error
        if size == 0 or size != len(frame):
            raise MarshalingError(f"a message must be exactly one FIX message, not {frame[:32]!r}")
        return frame


TRUSTED.add(FixFraming)
