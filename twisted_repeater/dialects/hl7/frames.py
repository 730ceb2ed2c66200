"""What is in a frame: the base of messages and batches, and what is neither.

A message keeps the bytes that came. What changes it cuts the new part into them, so all other bytes stay equal: the
order and the number of fields, delimiters at the end of a segment, the way segments end, the character set.
"""

from __future__ import annotations

import re

from .charsets import Charset, charset_of
from .structure import Delimiters, Segment, delimiters_at, segments_of

__all__ = ["FILLERS", "MAY_BEGIN", "SHOWN", "Filler", "Frame", "Headed", "Raw", "header_in", "is_several"]

FILLERS = b"\r\n\0"
"""Bytes that some programs send between two frames."""

MAY_BEGIN = b" \t\r\n\0\v\f\xef"
"""The first bytes of whatever may be before the header: white space, and the mark of UTF-8. Servers may skip them."""

LAST_FIELD = 18
"""The last field of a header that is read without looking for segments."""

SHOWN = 64
"""How many bytes of a frame without a header are shown."""

SHOWN_OF_HEADER = 150
"""How many bytes of a header are shown."""

_header = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n\0\v\f]*(MSH|FHS|BHS)[^\r\n]")
_next_header = (b"\rMSH", b"\nMSH")


class Frame:
    """The base of what is in a frame.

    Two are equal if their bytes are.

    Args:
        data: the bytes, without the marks of MLLP.
    """

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)

    def __bytes__(self) -> bytes:
        """Return the bytes, without the marks of MLLP."""
        return self._data

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        more = "..." if len(self._data) > SHOWN else ""
        return f"{type(self).__name__}({self._data[:SHOWN]!r}{more})"


class Raw(Frame):
    """A frame that does not begin with a header, so nothing is known about it."""

    __slots__ = ()


class Filler(Frame):
    """A line feed, carriage return or NUL between two frames. Pass it on, or drop it."""

    __slots__ = ()


class Headed(Frame):
    """The base of what begins with a header: MSH, FHS or BHS."""

    __slots__ = ("_at", "_charset", "_delimiters", "_fields", "_view", "default_charset")

    def __init__(self, data: bytes, *, charset: str = "utf-8") -> None:
        Frame.__init__(self, data)
        found = header_in(self._data)
        self._at = -1 if found is None else found[1]
        self.default_charset: str = charset
        """The character set if MSH-18 does not say it."""
        self._charset: Charset | None = None
        self._delimiters: Delimiters | None = None
        self._fields: list[bytes] | None = None
        self._view: bytes | None = None

    def __repr__(self) -> str:
        # The segments after the header are about patients. They do not belong in logs.
        start = max(self._at, 0)
        header = re.split(rb"[\r\n]", self._data[start : start + SHOWN_OF_HEADER], maxsplit=1)[0]
        return f"{type(self).__name__}({header!r}, {len(self._data)} bytes)"

    @property
    def delimiters(self) -> Delimiters:
        """The delimiters, as the header has them."""
        found = self._delimiters
        if found is None:
            found = self._delimiters = delimiters_at(self._data, self._at)
        return found

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in order."""
        return tuple(each.name.decode("latin-1") for each in self._segments() if each.stop > each.start)

    def header_text(self, number: int) -> str:
        """Return the first component of a field of the header, as text."""
        field = self.header_field(number)
        component = self.delimiters.component
        return self.charset.decode(field.partition(component)[0] if component else field).strip()

    def _segments(self) -> list[Segment]:
        return list(segments_of(self._seen, self._at, self.delimiters))

    def header_field(self, number: int) -> bytes:
        """Return a field of the header, up to the eighteenth, as it is written. The rest is not looked at."""
        fields = self._fields
        if fields is None:
            delimiters = self.delimiters
            stop = self._data.find(delimiters.segment, self._at)
            header = self._data[self._at : len(self._data) if stop < 0 else stop]
            fields = self._fields = header.split(delimiters.field, LAST_FIELD)[:LAST_FIELD]
        return fields[number - 1] if number <= len(fields) else b""

    @property
    def charset(self) -> Charset:
        """The character set."""
        if self._charset is None:
            first = self.header_field(18).split(self.delimiters.repetition or None)[:1] if self._is_message else []
            self._charset = charset_of(b"".join(first).decode("latin-1"), self.default_charset)
        return self._charset

    @property
    def _is_message(self) -> bool:
        return self._data.startswith(b"MSH", self._at)

    @property
    def _seen(self) -> bytes:
        """The bytes in which each delimiter is one."""
        if self._view is None:
            self._view = self.charset.view(self._data)
        return self._view


def header_in(data: bytes) -> tuple[bytes, int] | None:
    """Return the name of the segment with which some bytes begin, and its offset; ``None`` without a header."""
    found = _header.match(data)
    return None if found is None else (found[1], found.start(1))


def is_several(data: bytes, at: int) -> bool:
    """Return whether MSH comes again, as the beginning of a segment."""
    if data.find(_next_header[0], at) < 0 and data.find(_next_header[1], at) < 0:
        return False
    delimiters = delimiters_at(data, at)._replace(field=b"")
    return sum(each.name == b"MSH" and each.stop > each.start + 3 for each in segments_of(data, at, delimiters)) > 1
