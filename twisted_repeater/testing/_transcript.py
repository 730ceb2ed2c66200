"""The record of what happened in a test, in order, which is printed when an assertion fails."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._text import guarded_text, printable, told

WIDTH = 160
"""The most that is printed of one message."""

LINES = 200
"""The most entries that are printed, the last ones."""


def __tracebackhide__(raised: object) -> bool:
    """Return whether pytest leaves a module's frames out of a traceback: where an expectation has failed.

    pytest asks the function of this name in the globals of each frame, so the modules of the kit import it.
    """
    return isinstance(getattr(raised, "value", None), AssertionError)


class Event(enum.Enum):
    """The kind of an entry of a transcript."""

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
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened."""

    event: Event
    client: str
    """The name of the client whose link it happened on, "" where that is not known."""
    value: Any = None
    """The message, the verdict (``None`` while it is awaited), the error, or a remark."""
    data: bytes = b""
    """The bytes on the wire of a message that was sent or received."""
    at: float | None = None
    """The time on the clock of the test, ``None`` on real sockets."""

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
        return f"{time}{printable(self.client) or '-':10} {self.event.value:13} {what}".rstrip()


class Remark(str):
    """A value of an entry that is text about it, not a message, and is printed as it is."""

    __slots__ = ()


NOTHING = Remark()
"""The value of an entry whose event says it all."""


class Transcript:
    """The entries of one test. Iterate over it, or print it.

    Args:
        clock: returns the time of a new entry. Without it, entries have no time.
        most: how many entries are kept at least, and up to twice as many; ``None`` keeps all.
    """

    def __init__(self, clock: Callable[[], float] | None = None, most: int | None = None) -> None:
        self._clock = clock
        self._most = most
        self._forgotten = 0
        self._entries: list[Entry] = []

    def add(self, event: Event, client: str, value: object = NOTHING, data: bytes = b"") -> None:
        """Record what happened just now."""
        at = None if self._clock is None else self._clock()
        self._entries.append(Entry(event=event, client=client, value=value, data=data, at=at))
        if self._most is not None and len(self._entries) > 2 * self._most:
            del self._entries[: self._most]
            self._forgotten += self._most

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def since(self, mark: int) -> list[Entry]:
        """Return the entries after the first ``mark``."""
        return self._entries[mark:]

    def __str__(self) -> str:
        left_out = self._forgotten + len(self) - LINES
        lines = [f"({left_out} earlier entries are left out)"] if left_out > 0 else []
        lines += map(str, self._entries[-LINES:])
        return "\n".join(lines or ["(nothing happened)"])

    def error(self, complaint: str) -> AssertionError:
        """Return the exception for a failed assertion: the complaint, then all that happened."""
        return AssertionError(f"{complaint}\n\nWhat happened:\n{self}")

    def expect(self, what: str, got: Sequence[object], expected: Sequence[object]) -> None:
        """Raise `AssertionError` unless a list is as expected.

        Args:
            what: how the complaint begins, such as "the server got".
            got: the list.
            expected: the list that it must be equal to.
        """
        if list(got) != list(expected):
            raise self.error(f"{what}:\n{numbered(got)}\nexpected:\n{numbered(expected)}")


def numbered(values: Sequence[object]) -> str:
    """Return a list as text, one value a line."""
    lines = [f"  {number}. {shown(value)}" for number, value in enumerate(values, 1)]
    return "\n".join(lines or ["  nothing"])


def shown(value: object) -> str:
    """Return a value as text on one line, cut if it is long."""
    text = guarded_text(repr, value, "__repr__")
    if len(text) > WIDTH:
        text = f"{text[: WIDTH - 20]}... ({len(text)} characters)"
    return printable(text)
