"""Several messages in one frame, and how what is in a frame is read."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import MarshalingError
from .frames import FILLERS, SHOWN, Filler, Headed, Raw, header_in, is_several
from .messages import Message
from .structure import HEADERS, Segment, segments_of

__all__ = ["Batch", "read_frame"]

TRAILERS = (b"BTS", b"FTS")
"""The segments that end a batch, and a file of batches."""


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
        self._messages: tuple[Message, ...] | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages in it, in order. What is between them, such as BHS, is in none."""
        if self._messages is None:
            self._messages = tuple(message for inner in self._inner() for message in inner.messages)
        return self._messages

    def changed(self, function: Callable[[Message], Message]) -> Batch:
        """Return the batch with what a function makes of each message. All other bytes stay as they are."""
        data: list[bytes] = []
        at = 0
        for inner, (start, stop) in zip(self._inner(), self._wheres(), strict=True):
            data += self._data[at:start], bytes(inner.changed(function))
            at = stop
        return Batch(b"".join((*data, self._data[at:])), charset=self.default_charset)

    def _inner(self) -> list[Message | Batch]:
        """Return the messages; and a batch where one of them, with other ends of segments, is several."""
        return [_read_headed(self._data[start:stop], 0, self.default_charset) for start, stop in self._wheres()]

    def _wheres(self) -> list[tuple[int, int]]:
        """Return where the messages are."""
        found: list[tuple[int, int]] = []
        begin = -1
        for name, start, _ in self._starts():
            if begin >= 0:
                found.append((begin, start))
            begin = start if name == b"MSH" else -1
        return found if begin < 0 else [*found, (begin, len(self._data))]

    def _starts(self) -> list[Segment]:
        """Return the segments with which a message, or what is between messages, begins."""
        ends = (*HEADERS, *TRAILERS)
        # Each message may have other delimiters: only the first three bytes count.
        every = segments_of(self._data, self._at, self.delimiters._replace(field=b""))
        return [each for each in every if each.name in ends and (each.name in TRAILERS or each.stop > each.start + 3)]


def read_frame(data: bytes, charset: str = "utf-8") -> Message | Batch | Raw | Filler:
    """Return what is in a frame.

    Args:
        data: the bytes, without the marks of MLLP.
        charset: the character set if MSH-18 does not say it.
    """
    if len(data) == 1 and data in FILLERS:
        return Filler(data)
    found = header_in(data)
    if found is None:
        return Raw(data)
    name, at = found
    return Batch(data, charset=charset) if name != b"MSH" else _read_headed(data, at, charset)


def _read_headed(data: bytes, at: int, charset: str) -> Message | Batch:
    """Return what begins with MSH at an offset."""
    if is_several(data, at):
        return Batch(data, charset=charset)
    message = Message.__new__(Message)
    message._data = data
    message._at = at
    message.default_charset = charset
    message._charset = message._delimiters = message._view = message._fields = None
    return message
