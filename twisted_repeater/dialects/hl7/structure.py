"""The parts of a message: its delimiters, its segments, and how one part is replaced.

Nothing is parsed into objects. Parts are found by offset and cut out, so that all other bytes stay as they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...errors import ParseError

__all__ = ["HEADERS", "Delimiters", "Level", "Segment", "delimiters_at", "edited", "parts_of", "segments_of"]

HEADERS = (b"MSH", b"FHS", b"BHS")
"""The segments that begin with the delimiters."""


class Delimiters(NamedTuple):
    """The bytes that separate the parts of a message. One that the message does not have is empty."""

    field: bytes
    component: bytes
    repetition: bytes
    escape: bytes
    subcomponent: bytes
    segment: bytes
    """The end of a segment: a carriage return, a line feed, or both."""


class Segment(NamedTuple):
    """Where a segment is, without the mark that ends it."""

    name: bytes
    start: int
    stop: int


class Level(NamedTuple):
    """One step down into a part: what splits it, and which piece is meant; ``None`` for each of them."""

    delimiter: bytes
    number: int | None


USUAL = Delimiters(b"|", b"^", b"~", b"\\", b"&", b"\r")
"""Those that nearly all messages have."""

_usual_header = b"|^~\\&|"
_end = re.compile(rb"\r\n?|\n")


def delimiters_at(data: bytes, at: int) -> Delimiters:
    """Return the delimiters of the message whose header is at an offset."""
    if data.startswith(_usual_header, at + 3):
        stop = data.find(b"\r", at)
        if stop > 0 and data[stop + 1 : stop + 2] != b"\n" and data.find(b"\n", at, stop) < 0:
            return USUAL
    end = _end.search(data, at + 4)
    field = data[at + 3 : at + 4]
    stop = data.find(field, at + 4, end.start() if end else len(data))
    if stop < 0:
        stop = end.start() if end else len(data)
    marks = data[at + 4 : min(stop, at + 8)]
    component, repetition, escape, subcomponent = (marks[index : index + 1] for index in range(4))
    return Delimiters(field, component, repetition, escape, subcomponent, end[0] if end else b"\r")


def segments_of(view: bytes, at: int, delimiters: Delimiters) -> Iterator[Segment]:
    """Return the segments from an offset on.

    If the first one ends with a carriage return, a line feed is text, unless it is right after one. Without a delimiter
    of fields, the names are the first three bytes.
    """
    end = delimiters.segment[:1]
    while at < len(view):
        stop = view.find(end, at)
        if stop < 0:
            stop = len(view)
        start = at
        while end == b"\r" and view[start : start + 1] == b"\n":
            start += 1
        name = view.find(delimiters.field, start, stop) if delimiters.field else -1
        yield Segment(view[start : min(start + 3, stop) if name < 0 else name], start, stop)
        at = stop + 1


def parts_of(view: bytes, start: int, stop: int, delimiter: bytes) -> list[tuple[int, int]]:
    """Return where the pieces between delimiters begin and end; at least one."""
    pieces: list[tuple[int, int]] = []
    while delimiter and (found := view.find(delimiter, start, stop)) >= 0:
        pieces.append((start, found))
        start = found + 1
    pieces.append((start, stop))
    return pieces


def edited(
    data: bytes, view: bytes, where: tuple[int, int], levels: tuple[Level, ...], edit: Callable[[bytes], bytes]
) -> bytes:
    """Return the bytes of a part in which smaller parts are edited.

    Args:
        data: the message.
        view: the same, with characters hidden that only look like delimiters.
        where: where the part begins and ends.
        levels: the way down to the smaller parts.
        edit: a function of the bytes of a smaller part that returns others. Those that are missing are added, if it
            returns something for ``b""``.

    Raises:
        ParseError: the message has no delimiter for them.
    """
    if not levels:
        return edit(data[where[0] : where[1]])
    level, *rest = levels
    below = tuple(rest)
    pieces = parts_of(view, *where, level.delimiter)
    if level.number is None:
        return level.delimiter.join([edited(data, view, piece, below, edit) for piece in pieces])
    if level.number < len(pieces):
        start, stop = pieces[level.number]
        new = edited(data, view, (start, stop), below, edit)
        return data[where[0] : start] + new + data[stop : where[1]]
    new = edited(b"", b"", (0, 0), below, edit)
    if not new:
        return data[where[0] : where[1]]
    if not level.delimiter:
        raise ParseError("the message has no delimiter for a part that is not the first", ends_link=True)
    return data[where[0] : where[1]] + level.delimiter * (level.number + 1 - len(pieces)) + new
