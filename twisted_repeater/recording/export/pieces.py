"""The bytes of one leg, in the order of time.

A message has its place in a recording when its verdict is carried out. Its bytes were received earlier, and sent then.
So the pieces are sorted by their times, as far as a bounded window allows. The pieces of one direction of a link stay
in the order in which they were sent.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from ...model import Direction, Side
from ..records import Origin, RecordedGap, RecordedLink, RecordedMessage
from .conversation import Conversation
from .timeline import Event, LinkMade, MessagePassed

__all__ = ["Kind", "Piece", "Splitter", "Track", "in_order"]

WINDOW: Final = 5000
"""How many pieces are sorted at a time at most."""

WINDOW_BYTES: Final = 16 * 1024 * 1024
"""How many bytes wait to be sorted at most."""

PASSES: Final = frozenset({"PASS_ON", None})
"""The verdicts of messages that just go on: nobody has to be told."""


class Kind(enum.Enum):
    """What happens."""

    MADE = enum.auto()
    SENT = enum.auto()
    ENDED = enum.auto()


@dataclass(slots=True)
class Piece:
    """Bytes that travelled on one leg, or the beginning or the end of their link."""

    time: int
    """When, in microseconds since 1970."""
    kind: Kind
    track: Track
    """The link."""
    by_client: bool = False
    """Whether the bytes travelled towards the server."""
    data: bytes = b""
    comment: str = ""
    """What is special about them."""


@dataclass(slots=True)
class Track:
    """What is known about a link while its messages are read."""

    link: RecordedLink
    is_whole: bool
    """Whether its beginning is in the recording."""
    last: dict[bool, int] = field(default_factory=dict)
    """The time of the last piece of each direction."""
    conversation: Conversation | None = None
    """Its segments, from its first piece on."""
    is_new: bool = True
    """Whether no segment was written yet."""

    def sent(self, time: int, by_client: bool, data: bytes, comment: str) -> Piece:
        """Return the next piece of a direction. It is never before the last one."""
        time = self.last[by_client] = max(time, self.last.get(by_client, 0))
        return Piece(time, Kind.SENT, self, by_client, data, comment)


class Splitter:
    """Makes pieces of events.

    Args:
        leg: the leg whose bytes are wanted.
        began: when the recording began; links that are older have no beginning in it.
    """

    def __init__(self, leg: Side, began: int) -> None:
        self._leg = leg
        self._near = Direction.TO_SERVER if leg is Side.CLIENT else Direction.TO_CLIENT
        """The direction of the messages that are received on this leg."""
        self._began = began
        self._note = ""
        """A comment for the next piece: that messages before it are missing."""
        self._tracks: dict[int, Track] = {}

    def split(self, events: Iterable[Event]) -> Iterator[Piece]:
        """Return the pieces of events, in the order of the events."""
        for event in events:
            if isinstance(event, MessagePassed):
                yield from self._message(event.link, event.message)
            elif isinstance(event, LinkMade):
                track = self._tracks[event.link.id] = self._track(event.link)
                if event.link.made is not None:
                    yield Piece(event.link.made, Kind.MADE, track)
            elif isinstance(event, RecordedGap):
                self._note = f"{event.left_out} messages were not recorded before this one: {event.reason}"
            else:
                ended = self._tracks.pop(event.link.id, None)
                if ended is not None:
                    ended.link = event.link  # it may have got an end since
                    yield Piece(max(event.link.ended or 0, *ended.last.values(), 0), Kind.ENDED, ended)

    def _track(self, link: RecordedLink) -> Track:
        began = link.made if link.refused is None else link.ended
        return Track(link, began is not None and began >= self._began)

    def _message(self, link: RecordedLink, message: RecordedMessage) -> Iterator[Piece]:
        track = self._tracks.get(link.id)
        if track is None:
            track = self._tracks[link.id] = self._track(link)
        is_client = self._leg is Side.CLIENT
        if message.frame and message.direction is self._near:
            yield track.sent(message.time, is_client, message.frame, self._comment(_about_received(message)))
        sent = message.to_client if is_client else message.to_server
        if sent:
            time = message.time + message.took
            yield track.sent(time, not is_client, sent, self._comment(_about_sent(message)))

    def _comment(self, about: str) -> str:
        note, self._note = self._note, ""
        return "\n".join(filter(None, (note, about)))


def in_order(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Return pieces in the order of their times, if none is out of its place by more than a window."""
    heap: list[tuple[int, int, Piece]] = []
    size = 0
    for number, piece in enumerate(pieces):
        heappush(heap, (piece.time, number, piece))
        size += len(piece.data)
        while len(heap) > WINDOW or size > WINDOW_BYTES:
            first = heappop(heap)[2]
            size -= len(first.data)
            yield first
    while heap:
        yield heappop(heap)[2]


def _about_received(message: RecordedMessage) -> str:
    """Return what became of bytes that were received, if they did not just go on."""
    if message.origin is Origin.OPENING:
        return f"message {message.id}: read by the opening"
    if message.passed and message.verdict in PASSES:
        return ""
    if message.verdict is None:
        return f"message {message.id}: not passed on, the link ended first"
    became = "passed on" if message.passed else "replaced" if message.forward else "not passed on"
    answered = ", answered by the repeater" if message.back else ""
    return f"message {message.id}: {became}{answered}; verdict {message.verdict}{_by(message)}"


def _about_sent(message: RecordedMessage) -> str:
    """Return where bytes that were sent come from, if a peer did not send them."""
    if message.origin is Origin.OPENING:
        return f"message {message.id}: sent by the opening"
    if message.origin is Origin.OWN:
        return f"message {message.id}: sent by the repeater or the application"
    if message.passed and message.verdict in PASSES:
        return ""
    return f"message {message.id}: verdict {message.verdict}{_by(message)}"


def _by(message: RecordedMessage) -> str:
    return " of a filter" if message.by_filter else ""
