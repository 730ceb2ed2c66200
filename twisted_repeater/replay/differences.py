"""The differences that a replay finds: what is kept of each, and how many there are."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from .decoding import Shown

__all__ = ["Difference", "Findings", "Kind", "Part", "Request", "Trouble"]

MOST_TEXTS = 100
"""How many different notes, and reasons for troubles, are counted each by itself."""

OTHERS = "others"
"""Stands for the texts after these."""


class Kind(enum.Enum):
    """The kind of a difference. The values are those of reports in JSON."""

    DIFFERENT = "different"
    """Another message came, or a filter decided otherwise."""
    MISSING = "missing"
    """A recorded message did not come."""
    EXTRA = "extra"
    """A message came that was not recorded."""
    TROUBLE = "trouble"
    """The link as such went another way."""


class Trouble(enum.Enum):
    """What can happen to a link while it is played. The values are the words of reports."""

    NOT_CONNECTED = "not connected"
    """There was no connection to the server."""
    LOST = "connection lost"
    """The connection was lost."""
    ENDED_EARLY = "ended early"
    """The server ended the connection before all recorded answers had come, or before all requests were sent."""
    STALLED = "no answer in time"
    """An answer that was waited for has not come."""
    BAD_FRAMING = "no messages of the dialect"
    """The bytes of the server are no messages of the dialect."""
    NOT_SENT = "not sent"
    """Requests could not be sent."""
    FAILED = "a filter failed"
    """A filter raised, or the link could not be made."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request before a difference."""

    number: int
    """Which of the link it was, from 1."""
    shown: Shown
    """The request as it was sent."""


@dataclass(frozen=True, slots=True)
class Part:
    """Two messages that differ, or one that has no counterpart."""

    what: str
    """``answer``; in a replay through filters ``passed on``, ``sent back``, ``sent to the server`` or ``sent to the
    client``, or ``link``."""
    expected: Shown | None
    """The recorded one."""
    came: Shown | None
    """The one of the replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference between a recording and its replay."""

    kind: Kind
    link: int
    """The number of the link in the file."""
    client_name: str
    """The name of its client."""
    direction: str = "to_client"
    """The direction of the message, a value of `Direction`."""
    number: int | None = None
    """Which message of its direction it was in the recording, from 1; ``None`` if it was not recorded."""
    replayed_number: int | None = None
    """Which message it was in the replay; ``None`` if it did not come."""
    time: int | None = None
    """When it was recorded, in microseconds since 1970."""
    request: Request | None = None
    """The request before it."""
    message: Shown | None = None
    """The message that filters decided about."""
    parts: tuple[Part, ...] = ()
    """What differs."""
    text: str = ""
    """What has happened, where that is no message."""


@dataclass(slots=True)
class Findings:
    """The counts of a replay, and its first differences.

    Args:
        keep: how many differences are kept. The others are counted.
    """

    keep: int = 100
    differences: list[Difference] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    links: int = 0
    """How many links were played."""
    requests: int = 0
    recorded: int = 0
    """How many recorded messages were compared."""
    replayed: int = 0
    """How many messages of the replay were compared."""
    equal: int = 0
    masked: int = 0
    """How many were equal but for what is masked."""
    ignored: int = 0

    @property
    def wants_more(self) -> bool:
        """Whether the next difference is kept."""
        return len(self.differences) < self.keep

    def add(self, difference: Difference) -> None:
        """Count a difference, and keep it if it is one of the first."""
        self.counts[difference.kind] += 1
        if self.wants_more:
            self.differences.append(difference)

    def note(self, text: str) -> None:
        """Count a note for whoever reads the report."""
        count_text(self.notes, text)


def count_text(texts: Counter[str], text: str) -> None:
    """Count a text. The number of different ones is limited."""
    texts[text if text in texts or len(texts) < MOST_TEXTS else OTHERS] += 1
