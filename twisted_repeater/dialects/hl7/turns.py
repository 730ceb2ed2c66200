"""The order of answers on one link.

A client may send several messages without waiting for the answers. Then the answer of the repeater to a refused message
waits for the answers to the messages before it. Answers are found by MSA-2, which repeats MSH-10 of the message. One
without MSA-2, or with one that nobody has sent, counts for the oldest message.

The answer that the repeater gives does not wait for ever. If the server does not answer the earlier messages in time,
the link is closed: an answer that comes late would be taken for that to another message.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from twisted.internet.defer import Deferred

from ...link import Link
from ...model import Direction
from ...verdicts import Mixed, Verdict, delayed_like
from .acknowledging import is_answered
from .batches import Batch
from .frames import Filler, Raw
from .messages import Message

__all__ = ["Frame", "Turns", "answered_ids", "ids_of"]

Frame = Message | Batch | Raw | Filler

MOST_UNANSWERED = 1000
"""How many messages of a link are remembered that have no answer yet, and how many others whose answer may come. Beyond
that the oldest are forgotten, or, where an answer waits for them, the client's next message waits."""

MOST_BYTES = 1024 * 1024
"""The number of bytes in waiting answers from which on the client's next message waits."""

MOST_ANSWERED = 100
"""How many messages of a batch are looked at."""

LONGEST_ID = 200
"""How many bytes of a control id are compared. Senders choose them."""

NAMELESS = frozenset({b""})


class _Place(NamedTuple):
    """A message that the server has to answer, or an answer that waits for those before it."""

    ids: frozenset[bytes]
    """The control ids by which the server may answer; empty for an answer that waits."""
    ours: bool = False
    """Whether the message was added by the filter, so that its answer is not for the client."""
    answers: tuple[object, ...] = ()
    """The answer that waits."""
    size: int = 0
    """How many bytes it has."""


class Turns:
    """What is known of the order of answers on one link. Both its filters have it, and those that replace them.

    Args:
        link: the link.
        timeout: how long an answer may wait, in seconds.
    """

    __slots__ = ("_link", "_others", "_places", "_room", "_size", "_timeout", "_waiting")

    def __init__(self, link: Link, timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        self._places: deque[_Place] = deque()
        self._others: deque[_Place] = deque(maxlen=MOST_UNANSWERED)
        """Messages whose answer, if there is one, is for no other message: those that are answered, as a second answer
        may follow in enhanced mode; those that may have no answer; and those that were forgotten."""
        self._room: Deferred[None] | None = None
        self._size = 0
        self._waiting = 0

    def expect(self, message: Frame, *, ours: bool = False) -> None:
        """A message goes to the server."""
        if isinstance(message, Filler):
            return
        place = _Place(ids_of(message), ours)
        if not is_answered(message):
            self._others.append(place)
            return
        if len(self._places) >= MOST_UNANSWERED and not self._waiting:
            self._others.append(self._places.popleft())
        self._places.append(place)

    def is_next(self) -> bool:
        """Return whether an answer may go out at once: nothing that comes before it is still on its way."""
        # A lane at work has messages for the client that it has not pushed yet.
        return not self._places and not self._link._pair.is_at_work(Direction.TO_CLIENT)

    def wait(self, answers: tuple[object, ...]) -> None:
        """Keep an answer of the filter until it is its turn."""
        size = sum(len(bytes(answer)) for answer in answers if isinstance(answer, (Message, Batch, Raw)))
        if not self._waiting:
            self._wait_longer()
        self._waiting += 1
        self._size += size
        self._places.append(_Place(frozenset(), answers=answers, size=size))
        self._link._pair.call_soon(self._release)

    def wait_or_close(self, answers: tuple[object, ...]) -> None:
        """Do the same where the client's next message cannot wait."""
        self.wait(answers)
        if not self._has_room:
            self._link.close(BufferError("the client sends messages faster than it gets answers"))

    def in_room(self, verdict: Verdict) -> Verdict | Deferred[Verdict]:
        """Return a verdict on a message of the client, or, where too much waits, a Deferred that has it later."""
        if self._has_room:
            return verdict
        self._room = Deferred()
        return self._room.addCallback(lambda _: verdict)

    @property
    def _has_room(self) -> bool:
        return not self._waiting or (len(self._places) < MOST_UNANSWERED and self._size < MOST_BYTES)

    def _fire_room(self) -> None:
        """Let the client's next message follow, if there is room."""
        if self._room is not None and self._has_room:
            room, self._room = self._room, None
            room.callback(None)

    def answered(self, message: Frame) -> bool:
        """The server sends this. Return whether it is for the client, and not for the filter."""
        ids = answered_ids(message)
        if ids is None:
            return True
        for places in (self._others,) if ids == NAMELESS else (self._places, self._others):
            for index, place in enumerate(places):
                if ids & place.ids:
                    self._is_answered(places, index)
                    return not place.ours
        oldest = next((index for index, place in enumerate(self._places) if place.ids), None)
        if oldest is None:
            return True
        place = self._places[oldest]
        self._is_answered(self._places, oldest)
        return not place.ours

    def _is_answered(self, places: deque[_Place], index: int) -> None:
        """A message has an answer, and may get another one."""
        place = places[index]
        if places is self._places:
            del places[index]
            if place.ids != NAMELESS:
                self._others.append(place)
            if self._waiting:
                self._wait_longer()
            if self._room is not None:
                self._link._pair.call_soon(self._fire_room)
        elif place.ids == NAMELESS:  # otherwise it would stand for all answers without a name
            del places[index]

    def with_due(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a message of the server, and after it the answers whose turn it is."""
        due = self._take_due()
        if not due:
            return verdict
        forward = [*verdict.forward, *due]
        due_now = Mixed(
            passes=verdict.passes, forward=forward, back=verdict.back, closes=verdict.closes, error=verdict.error
        )
        return delayed_like(due_now, verdict)

    def _take_due(self) -> list[object]:
        """Return the answers that no message of the client is before any more."""
        due: list[object] = []
        while self._places and self._places[0].answers:
            place = self._places.popleft()
            self._size -= place.size
            self._waiting -= 1
            due += place.answers
        return due

    def _release(self) -> None:
        """Send the answers that are due without a message of the server."""
        for answer in self._take_due():
            self._link.send_to_client(answer)

    def _wait_longer(self) -> None:
        """Give the server the whole time again: it has answered something, or has not been waited for."""
        self._link._pair.call_later(self._timeout, self._give_up)

    def _give_up(self) -> None:
        """The server has not answered earlier messages in time."""
        if self._waiting:
            why = f"the server did not answer earlier messages within {self._timeout:g} seconds"
            self._link.close(TimeoutError(why))


def ids_of(message: Frame) -> frozenset[bytes]:
    """Return the control ids by which an answer may name a message, and one that every message has."""
    if isinstance(message, Message):
        return frozenset({_shortened(message.header_field(10))})
    if isinstance(message, Batch):
        found = {_shortened(each.header_field(10)) for each in message.messages[:MOST_ANSWERED]}
        if not message._is_message:
            found.add(_shortened(message.header_field(11)))
        return frozenset(found - NAMELESS) or NAMELESS
    return NAMELESS


def answered_ids(message: Frame) -> frozenset[bytes] | None:
    """Return the control ids of the messages that something from the server answers; ``None`` if it is no answer."""
    if isinstance(message, Message):
        if not message.is_acknowledgement and not message.has_segment("MSA"):
            return None
        return frozenset({_shortened(message.part("MSA-2"))})
    if isinstance(message, Batch):
        return frozenset(_shortened(each.part("MSA-2")) for each in message.messages[:MOST_ANSWERED])
    return None


def _shortened(control_id: bytes) -> bytes:
    return control_id.strip()[:LONGEST_ID]
