"""What happened in a recording, as one sequence: links begin and end between their messages.

A recording may be far larger than the memory. So only the links that are open at the place that is being read are kept.
Messages are in the order in which their verdicts were carried out. When all messages up to a time have been read, no
message of a link that had ended then can follow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, TypeAlias

from ..reader import Recording
from ..records import RecordedGap, RecordedLink, RecordedMessage
from .choice import Choice

__all__ = ["Event", "LinkEnded", "LinkMade", "MessagePassed", "timeline"]


OUT_OF_ORDER: Final = 600_000_000
"""How far the times of messages may be out of order, in microseconds: a verdict may come late, and a clock be set."""


@dataclass(frozen=True, slots=True)
class LinkMade:
    """A link begins here, or a client comes that will be refused. Its messages follow."""

    link: RecordedLink


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """A link ends here, or a client is refused. Its messages came before."""

    link: RecordedLink


@dataclass(frozen=True, slots=True)
class MessagePassed:
    """A message, and its link."""

    link: RecordedLink
    message: RecordedMessage


Event: TypeAlias = LinkMade | LinkEnded | MessagePassed | RecordedGap
"""What happens in a recording."""


def timeline(
    recording: Recording, choice: Choice | None = None, counted: Callable[[int], object] = lambda count: None
) -> Iterator[Event]:
    """Return what happened in a recording.

    Args:
        recording: the recording. It may grow meanwhile.
        choice: which part is wanted.
        counted: called with a number of messages that were read or passed over, also of those that are not wanted.

    Returns:
        The events. A link whose end was not recorded has none.
    """
    choice = choice or Choice()
    links = _Links(recording, choice)
    gaps = iter(recording.gaps())
    gap = next(gaps, None)
    first = 0 if choice.since is None else _last_before(recording, choice.since - OUT_OF_ORDER)
    counted(first)
    for message in recording.messages(after=first, link=min(choice.links) if len(choice.links) == 1 else None):
        counted(1)
        if choice.until is not None and message.time > choice.until + OUT_OF_ORDER:
            break
        yield from links.up_to(message.link)
        yield from links.ended_before(message.time)
        while gap is not None and gap.after < message.id:
            if choice.meets(gap.began, gap.ended):
                yield gap
            gap = next(gaps, None)
        link = links.wanted(message.link)
        if link is not None and choice.wants_message(message):
            yield MessagePassed(link, message)
    yield from links.rest()


def _last_before(recording: Recording, time: int) -> int:
    """Return the number of a message before which no verdict came later than a time; 0 if there is none."""
    low, high = 0, recording.count
    while low < high:
        middle = (low + high) // 2
        message = next(recording.messages(after=middle), None)
        if message is None or message.time + message.took >= time:
            high = middle
        else:
            low = message.id
    return low


class _Links:
    """The links that are open at the place that is being read."""

    def __init__(self, recording: Recording, choice: Choice) -> None:
        self._recording = recording
        self._choice = choice
        self._rows = recording.links()
        self._last = 0
        """The number of the last row that was read."""
        self._open: dict[int, RecordedLink] = {}
        self._unwanted: set[int] = set()
        self._ends: list[tuple[int, int]] = []
        """A heap of the ends of links that are still to come: the time, and the number of the link."""

    def up_to(self, number: int) -> Iterator[Event]:
        """Read the links up to one; return the beginnings of those that are wanted."""
        while self._last < number:
            row = next(self._rows, None)
            if row is None:  # it is lost, or not there yet
                self._rows = self._recording.links(after=self._last)
                return
            self._last = row.id
            if row.ended is not None:
                heappush(self._ends, (row.ended, row.id))
            began = row.made if row.refused is None else row.ended
            if not self._choice.wants_link(row) or not self._choice.meets(began, row.ended):
                self._unwanted.add(row.id)
                continue
            self._open[row.id] = row
            yield LinkMade(row)

    def ended_before(self, time: float) -> Iterator[Event]:
        """Return the ends that came before a time, and forget these links."""
        while self._ends and self._ends[0][0] < time:
            number = heappop(self._ends)[1]
            self._unwanted.discard(number)
            yield from self._ended(self._open.pop(number, None))

    def wanted(self, number: int) -> RecordedLink | None:
        """Return a link whose messages are wanted, else ``None``."""
        if number in self._unwanted:
            return None
        link = self._open.get(number)
        if link is None:  # a damaged file has lost its row, or has a wrong end
            link = RecordedLink(id=number, link=number)
            return link if self._choice.wants_link(link) else None
        return link

    def rest(self) -> Iterator[Event]:
        """Return what comes after the last message."""
        yield from self.up_to(sys.maxsize)
        yield from self.ended_before(float("inf"))
        if self._open:  # some have ended since their rows were read
            for row in self._recording.links():
                if row.ended is not None and row.id in self._open:
                    yield from self._ended(row)

    def _ended(self, link: RecordedLink | None) -> Iterator[Event]:
        if link is not None and link.ended is not None and self._choice.has(link.ended):
            yield LinkEnded(link)
