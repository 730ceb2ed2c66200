"""The content of a frame: the base of messages and batches, and the classes of what is neither.

A message keeps the bytes that came. What changes it cuts the new part into them, so all other bytes stay equal: the
order and the number of fields, delimiters at the end of a segment, the way segments end, the character set.
"""

from __future__ import annotations

import re

from .charsets import Charset, charset_of
from .header import SHOWN, Frame, Header
from .structure import Delimiters, named, segments_of

__all__ = ["FILLERS", "SHOWN", "Filler", "Frame", "Headed", "Raw", "header_in", "headers_in"]

FILLERS = b"\r\n\0"
"""Bytes that some programs send between two frames."""

SHOWN_OF_HEADER = 150
"""How many bytes of a header are shown."""

_header = re.compile(rb"[\x00-\x20\x7f-\xff]*(MSH|FHS|BHS)[^\r\n]")
_surely = re.compile(rb"MSH[^\w\s]{2}", re.ASCII)
_any = Delimiters(b"", b"", b"", b"", b"", b"\r")


class Raw(Frame):
    """A frame that does not begin with a header, so nothing is known about it."""

    __slots__ = ()


class Filler(Frame):
    """A line feed, carriage return or NUL between two frames. Pass it on, or drop it."""

    __slots__ = ()


class Headed(Header):
    """The base of what begins with a header: MSH, FHS or BHS."""

    __slots__ = ()

    def __init__(self, data: bytes, *, charset: str = "utf-8") -> None:
        found = header_in(bytes(data))
        super().__init__(data, -1 if found is None else found[1], charset)

    def __repr__(self) -> str:
        # The segments after the header are about patients. They do not belong in logs.
        start = max(self._at, 0)
        header = re.split(rb"[\r\n]", self._data[start : start + SHOWN_OF_HEADER], maxsplit=1)[0]
        return f"{type(self).__name__}({header!r}, {len(self._data)} bytes)"

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
