"""The content of a frame: the base of messages and batches, and the classes of what is neither.

A message keeps the bytes that came. What changes it cuts the new part into them, so all other bytes stay equal: the
order and the number of fields, delimiters at the end of a segment, the way segments end, the character set.
"""

from __future__ import annotations

import re
from typing import cast

from .charsets import Charset, charset_of
from .structure import Delimiters, delimiters_at, named, segments_of

__all__ = ["FILLERS", "SHOWN", "Filler", "Frame", "Headed", "Raw", "header_in", "headers_in"]

FILLERS = b"\r\n\0"
"""Bytes that some programs send between two frames."""

LAST_FIELD = 18
"""The last field of a header that is read without looking for segments."""

SHOWN = 64
"""How many bytes of a frame without a header are shown."""

SHOWN_OF_HEADER = 150
"""How many bytes of a header are shown."""

_header = re.compile(rb"[\x00-\x20\x7f-\xff]*(MSH|FHS|BHS)[^\r\n]")
_surely = re.compile(rb"MSH[^\w\s]{2}", re.ASCII)
_any = Delimiters(b"", b"", b"", b"", b"", b"\r")


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
        if self._delimiters is None:
            self._read_header()
        return cast("Delimiters", self._delimiters)

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in order."""
        return tuple(
            each.name.decode("latin-1") for each in segments_of(self._seen, self._at, self.delimiters) if each.name
        )

    def header_text(self, number: int) -> str:
        """Return the first component of a field of the header, as text."""
        field = self.header_field(number)
        component = self.delimiters.component
        return self.charset.decode(field.partition(component)[0] if component else field).strip()

    def header_field(self, number: int) -> bytes:
        """Return a field of the header, up to the eighteenth, as it is written. The rest is not looked at."""
        if self._fields is None:
            self._read_header()
        fields = cast("list[bytes]", self._fields)
        return fields[number - 1] if number <= len(fields) and number <= LAST_FIELD else b""

    def _read_header(self) -> None:
        data, at = self._data, self._at
        self._delimiters = delimiters = delimiters_at(data, at)
        stop = data.find(delimiters.segment, at)
        header = data[at:stop] if stop >= 0 else data[at:]
        self._fields = header.split(delimiters.field, LAST_FIELD)

    @property
    def charset(self) -> Charset:
        """The character set."""
        if self._charset is None:
            named = self.header_field(18) if self._is_message else b""
            names = named.decode("latin-1").split(self.delimiters.repetition.decode("latin-1") or None) if named else ()
            self._charset = charset_of(names, self.default_charset)
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


def headers_in(data: bytes, at: int) -> list[int]:
    """Return the offsets of all segments MSH, from an offset on.

    After a line feed, where it may be text, MSH is a header only with two delimiters after it.
    """
    if data.find(b"MSH", at + 3) < 0:
        return [at] if data.startswith(b"MSH", at) else []
    sure = {each.start for each in named(data, b"MSH", at, _any) if each.stop > each.start + 3}
    after_line_feed = (each.start for each in named(data, b"MSH", at, _any, loose=True))
    return sorted(sure.union(start for start in after_line_feed if _surely.match(data, start)))
