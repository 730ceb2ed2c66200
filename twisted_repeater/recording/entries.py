"""What the reactor's thread hands to the writer's thread, and how it becomes rows."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from .._text import address_text, class_name, told
from ..link import Link
from ..model import Direction
from ..verdicts import DO_NOTHING, PASS_ON, Verdict
from ..watching import Origin, WatchedMessage

if TYPE_CHECKING:
    from .file import RecordingFile

__all__ = [
    "COLUMNS",
    "PLAIN_COLUMNS",
    "Gap",
    "KnownLink",
    "LinkEvent",
    "is_plain",
    "microseconds",
    "plain_values",
    "values_of",
]

TO_SERVER = Direction.TO_SERVER
MESSAGE, OPENING = Origin.MESSAGE, Origin.OPENING

PLAIN_COLUMNS: Final = ("link", "time", "direction", "number", "frame", "by_filter", "took")
"""What differs between messages that were passed on as they came. The other columns have their defaults."""

COLUMNS: Final = (*PLAIN_COLUMNS, "origin", "passed", "forward", "back", "verdict")
"""All columns but the number of the row."""


class KnownLink:
    """A link that the recording has seen. The reactor's thread fills it in, the writer's thread writes it down."""

    __slots__ = ("ended", "file", "id", "made", "name", "number", "reason", "refused", "row")

    def __init__(self, link: Link, made: int | None) -> None:
        self.file: RecordingFile | None = None
        """The file that has a row for it."""
        self.number: int = 0
        """The number of that row."""
        self.id: int = link.id
        self.name: str = link.client_name
        """The name of its client that is written there."""
        self.made: int | None = made
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

    def end(self, link: Link, time: int, reason: BaseException | None) -> None:
        """Note that the link has ended."""
        self.name, self.ended = link.client_name, time
        self.reason = None if reason is None else _storable(told(reason))

    def refuse(self, link: Link, time: int, error: BaseException) -> None:
        """Note that no link was made."""
        self.name, self.ended, self.refused = link.client_name, time, _storable(told(error))

    def values(self) -> tuple[Any, ...]:
        """Return the values of its row."""
        client, server_name, server, details = self.row
        return (
            self.id,
            _storable(self.name),
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
        return (_storable(self.name), self.ended, self.reason, self.refused)

    def rename(self, name: str) -> tuple[Any, ...]:
        """Note another name, and return the value of its row that this changes."""
        self.name = name
        return (_storable(name),)


class LinkEvent(Enum):
    """What else happens to a link."""

    MADE = 0
    """It was made."""
    OVER = 1
    """It has ended, or was refused."""


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


def microseconds(time: float) -> int:
    """Return a time in whole microseconds."""
    return int(time * 1e6)


def is_plain(message: WatchedMessage) -> bool:
    """Return whether a message was passed on as it came, and nothing else was sent, as is so with most messages."""
    return (
        message.verdict is PASS_ON
        and message.passed
        and message.origin is MESSAGE
        and not message.forward
        and not message.back
    )


def plain_values(messages: list[tuple[int, WatchedMessage]]) -> list[Any]:
    """Return the values of the rows of plain messages, one row after the other; see `PLAIN_COLUMNS`."""
    values: list[Any] = []
    for link, message in messages:
        values += (
            link,
            int(message.time * 1e6),
            0 if message.direction is TO_SERVER else 1,
            message.number,
            message.frame,
            message.by_filter,
            int(message.took * 1e6),
        )
    return values


def values_of(messages: list[tuple[int, WatchedMessage]]) -> list[Any]:
    """Return the values of the rows of messages, one row after the other; see `COLUMNS`.

    Each message comes with the number of its link's row.
    """
    values: list[Any] = []
    for link, message in messages:
        origin, verdict = message.origin, message.verdict
        values += (
            link,
            int(message.time * 1e6),
            0 if message.direction is TO_SERVER else 1,
            message.number,
            message.frame,
            message.by_filter,
            int(message.took * 1e6),
            0 if origin is MESSAGE else 1 if origin is OPENING else 2,
            message.passed,
            message.forward or None,
            message.back or None,
            "PASS_ON" if verdict is PASS_ON else _name(verdict),
        )
    return values


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
