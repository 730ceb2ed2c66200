"""What happened on one leg of the recorded links, in order: the script of a replay."""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..model import Direction, Side
from ..recording import Origin, RecordedLink, RecordedMessage, Recording

__all__ = ["Ahead", "Event", "Kind", "Script"]

FAR: int = 2**62
"""After every time, and above every number of a link."""


MOST_AHEAD = 1000
MOST_BYTES_AHEAD = 16 * 1024 * 1024


class Kind(enum.Enum):
    """What happened."""

    BEGUN = "begun"
    """A client connected."""
    REQUEST = "request"
    """Bytes went to the server."""
    ANSWER = "answer"
    """Bytes came from the server."""
    ENDED = "ended"
    """A link ended, or the recording did."""


@dataclass(slots=True)
class Event:
    """Something that happened on a recorded link."""

    kind: Kind
    """What happened."""
    link: RecordedLink
    """On which link."""
    time: int
    """When, in microseconds since 1970. It is never before that of the event before."""
    data: bytes = b""
    """The bytes of a request or an answer."""
    missing: int = 0
    """How many messages of the link before it are not in the recording."""
    done: bool = False
    """Whether it was played before its turn."""


class Ahead:
    """Events that can be looked at before their turn: at most `MOST_AHEAD` of them, and `MOST_BYTES_AHEAD`.

    Args:
        events: all events, in order. They are taken as they are needed.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = iter(events)
        self._taken: deque[Event] = deque()
        self._size = 0

    def __iter__(self) -> Iterator[Event]:
        while True:
            if self._taken:
                event = self._taken.popleft()
                self._size -= len(event.data)
                yield event
            elif (following := next(self._events, None)) is not None:
                yield following
            else:
                return

    def more(self) -> Iterator[Event]:
        """Yield events before their turn: those that this has not yielded before."""
        while len(self._taken) < MOST_AHEAD and self._size < MOST_BYTES_AHEAD:
            event = next(self._events, None)
            if event is None:
                return
            self._taken.append(event)
            self._size += len(event.data)
            yield event


class Script:
    """What happened on one leg of all links.

    A client that was refused before anything went over this leg has no events.

    Args:
        recording: the recording. Its messages are read as they are needed.
        leg: the connection to play. On that to the server (``Side.SERVER``) requests are what the repeater sent to the
            server, and answers what the server sent; on that to the client, what the client sent, and got.
        chosen: returns whether a link is played.
        read: called for each message that was read.
    """

    def __init__(
        self,
        recording: Recording,
        leg: Side,
        *,
        chosen: Callable[[RecordedLink], bool] = lambda link: True,
        read: Callable[[], object] = lambda: None,
    ) -> None:
        self.left_out: int = 0
        """How many clients were refused without events, so far."""
        self._recording = recording
        self._leg = leg
        self._chosen = chosen
        self._read = read
        self._links = recording.links()
        self._next = next(self._links, None)
        """The first link that has not begun."""
        self._open: dict[int, _OpenLink] = {}
        """The links that have not ended, by their numbers in the file."""
        self._ends: list[tuple[int, int]] = []
        """When they end, and their numbers: a heap."""
        self._last = 0
        """The number of the last link that has begun."""
        self._time = 0

    @property
    def damaged(self) -> bool:
        """Whether a part of the recording could not be read so far."""
        return self._recording.damaged

    def events(self) -> Iterator[Event]:
        """Return the events, in order. Call this once."""
        for message in self._recording.messages():
            self._read()
            time = message.time + message.took  # the verdict may have come later
            yield from self._links_until(time, message.link)
            self._time = max(self._time, time)
            if message.link in self._open:  # else it was not chosen, or a damaged file has its end before it
                yield from self._of_message(message, self._open[message.link])
        yield from self._links_until(FAR, FAR)
        for link in list(self._open.values()):
            yield from self._end(link)

    def _links_until(self, time: int, number: int) -> Iterator[Event]:
        """Yield which links have begun and ended before a message of a link, which begins now at the latest."""
        while self._next is not None and (self._next.id <= number or (self._next.made or FAR) <= time):
            link, self._next = self._next, next(self._links, None)
            yield from self._ended_until(link.made or 0)
            yield from self._begin(link)
        if number > self._last and number != FAR:  # a damaged file lacks the link
            yield from self._begin(RecordedLink(id=number, link=number, made=time))
        yield from self._ended_until(time, number)

    def _begin(self, link: RecordedLink) -> Iterator[Event]:
        self._last = max(self._last, link.id)
        if not self._chosen(link):
            return
        self._open[link.id] = opened = _OpenLink(link)
        if link.ended is not None:
            heapq.heappush(self._ends, (link.ended, link.id))
        if link.made is not None:
            yield self._event(Kind.BEGUN, opened, link.made)

    def _ended_until(self, time: int, but: int = 0) -> Iterator[Event]:
        """Yield which links have ended before a time, but for the link whose message came then: times are rounded."""
        while self._ends and self._ends[0][0] < time and self._ends[0][1] != but:
            ended, number = heapq.heappop(self._ends)
            self._time = max(self._time, ended)
            yield from self._end(self._open[number])

    def _end(self, link: _OpenLink) -> Iterator[Event]:
        del self._open[link.recorded.id]
        if link.has_begun:
            yield self._event(Kind.ENDED, link, self._time)
        else:
            self.left_out += 1

    def _of_message(self, message: RecordedMessage, link: _OpenLink) -> Iterator[Event]:
        link.count(message)
        client_said = message.frame if message.direction is Direction.TO_SERVER else b""
        server_said = message.frame if message.direction is Direction.TO_CLIENT else b""
        happened = (
            ((Kind.ANSWER, server_said), (Kind.REQUEST, message.to_server))
            if self._leg is Side.SERVER
            else ((Kind.REQUEST, client_said), (Kind.ANSWER, message.to_client))
        )
        for kind, data in happened:
            if data:
                if not link.has_begun:
                    yield self._event(Kind.BEGUN, link, self._time)
                yield self._event(kind, link, self._time, data)

    def _event(self, kind: Kind, link: _OpenLink, time: int, data: bytes = b"") -> Event:
        self._time = max(self._time, time)
        link.has_begun = True
        missing, link.missing = link.missing, 0
        return Event(kind, link.recorded, self._time, data, missing)


class _OpenLink:
    """A recorded link that has not ended yet."""

    __slots__ = ("_numbers", "has_begun", "missing", "recorded")

    def __init__(self, recorded: RecordedLink) -> None:
        self.recorded = recorded
        self.has_begun = False
        """Whether it has had an event."""
        self.missing = 0
        """How many messages are not in the recording, since the last event."""
        self._numbers = {Direction.TO_SERVER: 0, Direction.TO_CLIENT: 0}

    def count(self, message: RecordedMessage) -> None:
        """Find out how many messages are missing before this one."""
        if message.origin is Origin.MESSAGE and message.number:
            self.missing += max(message.number - self._numbers[message.direction] - 1, 0)
            self._numbers[message.direction] = message.number
