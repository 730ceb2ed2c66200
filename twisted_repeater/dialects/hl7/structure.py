"""The parts of a message: its delimiters, its segments, and how one part is replaced.

Nothing is parsed into objects. Parts are found by offset and cut out, so that all other bytes stay as they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from ...errors import ParseError

__all__ = [
    "BLANK",
    "HEADERS",
    "Delimiters",
    "Level",
    "Segment",
    "delimiters_at",
    "edited",
    "named",
    "parts_of",
    "segments_of",
]

HEADERS = (b"MSH", b"FHS", b"BHS")
"""The segments that begin with the delimiters."""


BLANK = bytes([*range(33), *range(127, 256)])
"""Bytes that may be before the name of a segment: white space of all kinds, as servers skip it, and no ASCII letter."""

MOST_PARTS = 100_000
"""How many segments of one name are looked at, and how many repetitions of a field."""


class Delimiters(NamedTuple):
    """The bytes that separate the parts of a message. One that the message does not have is empty."""

    field: bytes
    component: bytes
    repetition: bytes
    escape: bytes
    subcomponent: bytes
    segment: bytes
    """The end of a segment: a carriage return, a line feed, or both.

    If the header ends with a carriage return, a line feed is text, unless it is right after one. If it ends with a line
    feed, a carriage return ends a segment all the same.
    """


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

_end = re.compile(rb"\r\n?|\n")


def delimiters_at(data: bytes, at: int) -> Delimiters:
    """Return the delimiters of the message whose header is at an offset."""
    end = _end.search(data, at + 4)
    field = data[at + 3 : at + 4]
    stop = data.find(field, at + 4, end.start() if end else len(data))
    if stop < 0:
        stop = end.start() if end else len(data)
    marks = data[at + 4 : min(stop, at + 8)]
    component, repetition, escape, subcomponent = (marks[index : index + 1] for index in range(4))
    return Delimiters(field, component, repetition, escape, subcomponent, end[0] if end else b"\r")


def segments_of(view: bytes, at: int, delimiters: Delimiters) -> Iterator[Segment]:
    """Return all segments from an offset on. A segment without a delimiter has the first three bytes as its name."""
    while at < len(view):
        stop = _stop_of(view, at, delimiters, loose=False)
        start = at
        while start < stop and view[start] in BLANK:
            start += 1
        name = view.find(delimiters.field, start, stop)
        yield Segment(view[start : min(start + 3, stop) if name < 0 else name], start, stop)
        at = stop + 1


def named(view: bytes, name: bytes, at: int, delimiters: Delimiters, *, loose: bool = False) -> list[Segment]:
    """Return the segments of a name, from an offset on, without a look at the others.

    Before a name there may be blanks. Without a delimiter of fields, whatever begins with the name has it.

    Args:
        view: the message, with characters hidden that only look like delimiters.
        name: three letters.
        at: where the message begins.
        delimiters: those of the message.
        loose: whether a line feed ends a segment, too, if what follows it looks like one. Some servers read it so.

    Raises:
        ParseError: there are more than anybody can want.
    """
    found: list[Segment] = []
    ends = b"\r\n" if loose or delimiters.segment == b"\n" else b"\r"
    follow = (delimiters.field, b"\r", b"\n", b"") if delimiters.field else None
    start = view.find(name, at)
    while start >= 0:
        before = start - 1
        while before >= at and view[before] in BLANK and view[before] not in ends:
            before -= 1
        after = start + len(name)
        if (before < at or view[before] in ends) and (follow is None or view[after : after + 1] in follow):
            after = _stop_of(view, start, delimiters, loose)
            found.append(Segment(name, start, after))
            if len(found) > MOST_PARTS:
                raise ParseError(f"the message has more than {MOST_PARTS} segments {name.decode()}", ends_link=True)
        start = view.find(name, after)
    return found


def _stop_of(view: bytes, start: int, delimiters: Delimiters, loose: bool) -> int:
    """Return where a segment ends."""
    if delimiters.segment == b"\n":
        end = _end.search(view, start)
    elif loose:
        end = _loose_end(delimiters.field).search(view, start)
    else:
        stop = view.find(b"\r", start)
        return len(view) if stop < 0 else stop
    return end.start() if end else len(view)


@lru_cache(100)
def _loose_end(field: bytes) -> re.Pattern[bytes]:
    """Return what finds a carriage return, or a line feed before something that looks like a segment."""
    return re.compile(rb"\r|\n(?=[^\S\r\n]{0,8}[A-Z][A-Z0-9]{2}%s)" % re.escape(field))


def parts_of(view: bytes, start: int, stop: int, level: Level) -> list[tuple[int, int]]:
    """Return where the pieces that a level means begin and end; none if the one that it means is missing.

    Raises:
        ParseError: there are more than anybody can want.
    """
    pieces: list[tuple[int, int]] = []
    number = 0
    while True:
        found = view.find(level.delimiter, start, stop) if level.delimiter else -1
        if level.number is None or level.number == number:
            pieces.append((start, stop if found < 0 else found))
        if found < 0 or number == level.number:
            return pieces
        if len(pieces) > MOST_PARTS:
            raise ParseError(f"a field has more than {MOST_PARTS} repetitions", ends_link=True)
        start = found + 1
        number += 1


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
    pieces = parts_of(view, *where, level)
    if level.number is None:
        return level.delimiter.join([edited(data, view, piece, below, edit) for piece in pieces])
    if pieces:
        start, stop = pieces[0]
        new = edited(data, view, (start, stop), below, edit)
        return data[where[0] : start] + new + data[stop : where[1]]
    new = edited(b"", b"", (0, 0), below, edit)
    if not new:
        return data[where[0] : where[1]]
    if not level.delimiter:
        raise ParseError("the message has no delimiter for a part that is not the first", ends_link=True)
    missing = level.number - view.count(level.delimiter, *where)
    return data[where[0] : where[1]] + level.delimiter * missing + new
