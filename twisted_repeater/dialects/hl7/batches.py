"""Several messages in one frame, and how what is in a frame is read."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from ...errors import MarshalingError
from .frames import FILLERS, SHOWN, Filler, Headed, Raw, header_in, headers_in
from .header import message_at, read_plain
from .messages import Message
from .structure import named

__all__ = ["Batch", "has_word", "read_frame"]

NO_MESSAGES = (b"FHS", b"BHS", b"BTS", b"FTS")
"""The segments that begin and end a batch, and a file of batches."""


class Batch(Headed):
    """Several messages in one frame. The server answers them with one frame, too.

    A frame with FHS or BHS in the beginning is a batch, and so is one that has MSH more than once.

    Args:
        data: the bytes, without the marks of MLLP.
        charset: the character set if MSH-18 of a message does not say it.

    Raises:
        MarshalingError: the bytes do not begin with a header.
    """

    __slots__ = ("_messages",)

    def __init__(self, data: bytes, *, charset: str = "utf-8") -> None:
        Headed.__init__(self, data, charset=charset)
        if self._at < 0:
            raise MarshalingError(f"a batch must begin with FHS, BHS or MSH, not {self._data[:SHOWN]!r}")
        self._messages: tuple[Message, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages in it, in order. What is between them, such as BHS, is in none."""
        found: tuple[Message, ...] | None = getattr(self, "_messages", None)  # a copy does not have it
        if found is None:
            found = self._messages = tuple(self._message(*where) for where in self._wheres())
        return found

    def changed(self, function: Callable[[Message], Message]) -> Batch:
        """Return the batch with what a function makes of each message. All other bytes stay as they are."""
        data: list[bytes] = []
        at = 0
        for start, stop in self._wheres():
            data += self._data[at:start], bytes(function(self._message(start, stop)))
            at = stop
        return Batch(b"".join((*data, self._data[at:])), charset=self.default_charset)

    @property
    def outside(self) -> bytes:
        """What is in none of the messages, such as BHS."""
        at = 0
        kept: list[bytes] = []
        for start, stop in self._wheres():
            kept.append(self._data[at:start])
            at = stop
        return b"\r".join((*kept, self._data[at:]))

    def has_segment(self, name: str) -> bool:
        """Return whether a segment of a name is in one of the messages, or between them."""
        return any(each.has_segment(name) for each in self.messages) or has_word(self.outside, name.encode())

    def _message(self, start: int, stop: int) -> Message:
        return message_at(Message, self._data[start:stop], 0, self.default_charset)

    def _wheres(self) -> list[tuple[int, int]]:
        """Return where the messages are: each up to the next header, or to the segment that ends the batch."""
        starts = headers_in(self._data, self._at)
        loosely = self.delimiters._replace(field=b"")
        ends = [each.start for name in NO_MESSAGES for each in named(self._data, name, self._at, loosely)]
        ends = sorted([*starts, *ends, len(self._data)])
        return [(start, ends[bisect_right(ends, start)]) for start in starts]


def read_frame(data: bytes, charset: str = "utf-8") -> Message | Batch | Raw | Filler:
    """Return what is in a frame.

    Args:
        data: the bytes, without the marks of MLLP.
        charset: the character set if MSH-18 does not say it.
    """
    message = read_plain(Message, data, charset)
    if message is not None:  # nearly all
        return message
    if len(data) == 1 and data in FILLERS:
        return Filler(data)
    found = header_in(data)
    if found is None:
        return Raw(data)
    name, at = found
    if name != b"MSH" or len(headers_in(data, at)) > 1:
        return Batch(data, charset=charset)
    return message_at(Message, data, at, charset)


def has_word(data: bytes, name: bytes) -> bool:
    """Return whether the name of a segment is in some bytes, as a word of its own. NULs in it do not count."""
    return re.search(rb"(?<![A-Za-z0-9])%s(?![A-Za-z0-9])" % name, data.replace(b"\0", b"")) is not None
