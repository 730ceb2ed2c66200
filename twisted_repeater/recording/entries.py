"""What the reactor's thread hands to the writer's thread: rows of messages, and what happens to links.

A row is a tuple of plain values. Python's garbage collector does not look at such tuples, however many wait.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final, TypeAlias

from .._text import address_text, class_name, told
from ..link import Link
from ..model import Direction
from ..verdicts import DO_NOTHING, PASS_ON, Verdict
from ..watching import Origin, WatchedMessage

__all__ = [
    "COLUMNS",
    "COST",
    "FRAME",
    "PLAIN_COLUMNS",
    "TIME",
    "Entry",
    "Gap",
    "KnownLink",
    "LinkEnd",
    "Row",
    "full",
    "microseconds",
    "oldest_in",
    "row_of",
    "size_of",
]

TO_SERVER = Direction.TO_SERVER
MESSAGE, OPENING = Origin.MESSAGE, Origin.OPENING

Row: TypeAlias = tuple[Any, ...]
"""The values of a message, in the order of `PLAIN_COLUMNS` or `COLUMNS`."""

PLAIN_COLUMNS: Final = ("link", "time", "direction", "number", "frame", "by_filter", "took")
"""What differs between messages that were passed on as they came. The other columns have their defaults."""

COLUMNS: Final = (*PLAIN_COLUMNS, "origin", "passed", "forward", "back", "verdict")
"""All columns but the number of the row."""

TIME: Final = PLAIN_COLUMNS.index("time")
"""Where a row has the time."""

FRAME: Final = PLAIN_COLUMNS.index("frame")
"""Where a row has the frame."""

COST: Final = 300
"""How many bytes of memory a waiting message takes beside its own."""

DEFAULTS: Final = (0, True, None, None, "PASS_ON")
"""What a plain row has in the other columns."""


NEAR: Final = 10
"""Among how many entries the oldest message is looked for. Before it are links that were made or have ended."""


class KnownLink:
    """A link that the recording has seen. The reactor's thread fills it in, the writer's thread writes it down.

    Args:
        number: the number of its row, in each file.
        link: the link.
    """

    __slots__ = ("announced", "ended", "id", "link", "made", "name", "number", "reason", "refused", "row")

    def __init__(self, number: int, link: Link) -> None:
        self.number: int = number
        """The number of its row; 0 until the writer is told of it."""
        self.link: Link = link
        """The link."""
        self.announced: bool = False
        """Whether the writer knows it, or will find it in its queue."""
        self.id: int = link.id
        self.name: str = _storable(link.client_name)
        """The name in its row."""
        self.made: int | None = None
        self.ended: int | None = None
        self.reason: str | None = None
        self.refused: str | None = None
        client, server = link.client_address, link.server_address
        self.row: tuple[Any, ...] = (
            "" if client is None else address_text(client),
            _storable(link.server_name),
            "" if server is None else address_text(server),
            _json(link),
        )

    def end(self, time: int, reason: BaseException | None) -> None:
        """Note that the link has ended."""
        self.ended = time
        self.reason = None if reason is None else _storable(told(reason))

    def refuse(self, time: int, error: BaseException) -> None:
        """Note that no link was made."""
        self.ended, self.refused = time, _storable(told(error))

    def renamed(self) -> bool:
        """Return whether the client has another name than the row has."""
        before, self.name = self.name, _storable(self.link.client_name)
        return self.name != before

    def values(self) -> tuple[Any, ...]:
        """Return the values of its row."""
        client, server_name, server, details = self.row
        return (
            self.number,
            self.id,
            self.name,
            client,
            server_name,
            server,
            self.made,
            self.ended,
            self.reason,
            self.refused,
            details,
        )

    def end_values(self) -> tuple[Any, ...]:
        """Return the values of its row that its end changes."""
        self.renamed()
        return (self.name, self.ended, self.reason, self.refused)


class LinkEnd:
    """Says that a link has ended or was refused, or that nothing more of it will come."""

    __slots__ = ("link",)

    def __init__(self, link: KnownLink) -> None:
        self.link: KnownLink = link


class Gap:
    """Messages that are left out, one after the other. Times are microseconds since 1970."""

    __slots__ = ("began", "ended", "left_out", "reason")

    def __init__(self, time: int, reason: str) -> None:
        self.began: int = time
        self.ended: int = time
        self.left_out: int = 0
        self.reason: str = reason

    def add(self, time: int, count: int = 1) -> None:
        """Count more messages; ``time`` is that of the last one."""
        self.ended = max(self.ended, time)
        self.left_out += count


Entry: TypeAlias = Row | KnownLink | LinkEnd | Gap
"""What waits in the queue. A link comes before its first message."""


def microseconds(time: float) -> int:
    """Return a time in whole microseconds."""
    return int(time * 1e6)


def row_of(link: int, message: WatchedMessage) -> Row:
    """Return the row of a message.

    Args:
        link: the number of its link's row.
        message: the message.

    Returns:
        A plain row if the message was passed on as it came, and nothing else was sent, as is so with most messages.
    """
    verdict, forward, back = message.verdict, message.forward, message.back
    plain = (
        link,
        int(message.time * 1e6),
        0 if message.direction is TO_SERVER else 1,
        message.number,
        message.frame,
        message.by_filter,
        int(message.took * 1e6),
    )
    if verdict is PASS_ON and message.passed and not forward and not back:
        return plain
    origin = message.origin
    return (
        *plain,
        0 if origin is MESSAGE else 1 if origin is OPENING else 2,
        message.passed,
        forward or None,
        back or None,
        "PASS_ON" if verdict is PASS_ON else _name(verdict),
    )


def full(row: Row) -> Row:
    """Return a row with the values of all columns."""
    return row if len(row) > len(PLAIN_COLUMNS) else row + DEFAULTS


def size_of(row: Row) -> int:
    """Return how many bytes of traffic a row has."""
    if len(row) == len(PLAIN_COLUMNS):
        return len(row[FRAME])
    return len(row[FRAME]) + sum(len(value) for value in row[-3:-1] if value)


def oldest_in(queue: deque[Entry]) -> float | None:
    """Return the time of the first message in a queue, if one is near its front."""
    for index in range(NEAR):
        try:
            entry = queue[index]
        except IndexError:  # another thread may take it now
            return None
        if isinstance(entry, tuple):
            time: int = entry[TIME]
            return time / 1e6
    return None


def _name(verdict: Verdict | None) -> str | None:
    """Return the name of a verdict as it is written in code."""
    if verdict is None:
        return None
    return "DO_NOTHING" if verdict is DO_NOTHING else class_name(verdict)


def _storable(text: str) -> str:
    """Return a text without surrogates, which SQLite does not store."""
    return text.encode("utf-8", "backslashreplace").decode()


def _json(link: Link) -> str:
    """Return the details of a link as JSON."""
    try:
        return json.dumps({str(name): value for name, value in link.details.items()}, default=repr)
    except Exception:  # an object whose repr raises, or that contains itself
        return "{}"
