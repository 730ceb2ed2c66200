"""What happened in a test, in order: kept by everything in this package, printed when an assertion fails."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._text import guarded_text, printable, told

__all__ = ["Entry", "Event", "Transcript", "numbered"]

WIDTH = 160
"""The most that is printed of one message."""

LINES = 200
"""The most entries that are printed, the last ones."""


class Event(enum.Enum):
    """What an entry of a transcript tells."""

    CLIENT_SENDS = "client sends"
    CLIENT_GETS = "client gets"
    SERVER_SENDS = "server sends"
    SERVER_GETS = "server gets"
    TO_SERVER = "  to server:"
    TO_CLIENT = "  to client:"
    LINKED = "linked"
    REFUSED = "refused"
    CLIENT_ERROR = "client error"
    SERVER_ERROR = "server error"
    STOPPED = "stopped"
    CLIENT_GONE = "client gone"
    SERVER_GONE = "server gone"
    ENDED = "link ended"
    CLIENT_ENDS = "client ends"
    SERVER_ENDS = "server ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened."""

    event: Event
    client: str
    """The name of the client whose link it happened on, "" where that is not known."""
    value: Any = None
    """The message, the verdict (``None`` while it is awaited), the error, or a word about it."""
    data: bytes = b""
    """The bytes on the wire, of a message that was sent or received."""
    at: float | None = None
    """The time on the clock of the test, ``None`` without one."""

    def __str__(self) -> str:
        time = "" if self.at is None else f"{self.at:8.3f} s  "
        if self.event in (Event.TO_SERVER, Event.TO_CLIENT):
            what = "(no verdict yet)" if self.value is None else shown(self.value)
        elif isinstance(self.value, BaseException):
            what = printable(told(self.value))
        elif isinstance(self.value, Remark):
            what = printable(self.value)
        else:
            what = shown(self.value)
        return f"{time}{self.client or '-':10} {self.event.value:13} {what}".rstrip()


class Remark(str):
    """A value of an entry that is printed as it is, unlike a message."""

    __slots__ = ()


NOTHING = Remark()
"""The value where the event says it all."""


class Transcript:
    """The entries of one test; iterate over it, or print it.

    ``clock`` gives the time of new entries, ``None`` for none.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._entries: list[Entry] = []

    def add(self, event: Event, client: str, value: Any = NOTHING, data: bytes = b"") -> None:
        """Put down what happened just now."""
        at = None if self._clock is None else self._clock()
        self._entries.append(Entry(event=event, client=client, value=value, data=data, at=at))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def since(self, mark: int) -> list[Entry]:
        """Return what happened since there were ``mark`` entries."""
        return self._entries[mark:]

    def __str__(self) -> str:
        left_out = len(self) - LINES
        lines = [f"({left_out} earlier entries are left out)"] if left_out > 0 else []
        lines += map(str, self._entries[-LINES:])
        return "\n".join(lines or ["(nothing happened)"])

    def error(self, complaint: str) -> AssertionError:
        """Make the exception of an assertion that failed: the complaint, then all that happened."""
        return AssertionError(f"{complaint}\n\nWhat happened:\n{self}")

    def expect(self, what: str, got: Sequence[Any], expected: Sequence[Any]) -> None:
        """Raise the exception unless a list is as expected; ``what`` begins the complaint: "the server got"."""
        if list(got) != list(expected):
            raise self.error(f"{what}:\n{numbered(got)}\nexpected:\n{numbered(expected)}")


def numbered(values: Sequence[Any]) -> str:
    """Print a list, one value a line."""
    lines = [f"  {number}. {shown(value)}" for number, value in enumerate(values, 1)]
    return "\n".join(lines or ["  nothing"])


def shown(value: Any) -> str:
    """Print a value on one line, cut where it is long."""
    text = guarded_text(repr, value, "__repr__")
    if len(text) > WIDTH:
        text = f"{text[: WIDTH - 20]}... ({len(text)} characters)"
    return printable(text)
