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

from ...link import Link
from ...model import Direction
from ...verdicts import Mixed, Verdict
from .acknowledging import is_answered
from .batches import Batch
from .frames import Filler, Raw
from .messages import Message

__all__ = ["Frame", "Turns", "answered_ids", "ids_of"]

Frame = Message | Batch | Raw | Filler

MOST_UNANSWERED = 1000
"""How many messages of a link are remembered that have no answer yet. Beyond that the oldest are forgotten."""

MOST_BYTES = 1024 * 1024
"""How many bytes the answers may have that wait on a link. A client that sends more is closed."""

MOST_ANSWERED = 100
"""How many answered messages are remembered: in enhanced mode a second answer may follow."""

LONGEST_ID = 200
"""How many bytes of a control id are compared. Senders choose them."""


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

    __slots__ = ("_answered", "_link", "_places", "_size", "_timeout", "_waiting")

    def __init__(self, link: Link, timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        self._places: deque[_Place] = deque()
        self._answered: deque[frozenset[bytes]] = deque(maxlen=MOST_ANSWERED)
        self._size = 0
        self._waiting = 0

    def expect(self, message: Frame, *, ours: bool = False) -> None:
        """A message goes to the server."""
        if not ours and not is_answered(message):
            return
        if len(self._places) >= MOST_UNANSWERED:
            self._places.popleft()
        self._places.append(_Place(ids_of(message), ours))

    def is_next(self) -> bool:
        """Return whether an answer may go out at once: nothing that comes before it is still on its way."""
        # A lane at work has messages for the client that it has not pushed yet.
        return not self._places and not self._link._pair.is_at_work(Direction.TO_CLIENT)

    def wait(self, answers: tuple[object, ...]) -> bool:
        """Keep an answer of the filter until it is its turn. Return false if too many wait."""
        size = sum(len(bytes(answer)) for answer in answers if isinstance(answer, (Message, Batch, Raw)))
        if self._size + size > MOST_BYTES and self._size:
            return False
        if not self._waiting:
            self._link._pair.call_later(self._timeout, self._give_up)
        self._waiting += 1
        self._size += size
        self._places.append(_Place(frozenset(), answers=answers, size=size))
        self._link._pair.call_soon(self._release)
        return True

    def answered(self, message: Frame) -> bool:
        """The server sends this. Return whether it is for the client, and not for the filter."""
        ids = answered_ids(message)
        if ids is None:
            return True
        places = self._places
        for index, place in enumerate(places):
            if ids & place.ids:
                del places[index]
                self._answered.append(place.ids)
                return not place.ours
        if not any(ids & before for before in self._answered):
            oldest = next((index for index, place in enumerate(places) if place.ids), None)
            if oldest is not None:
                del places[oldest]
        return True

    def with_due(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a message of the server, and after it the answers whose turn it is."""
        due = self._take_due()
        if not due:
            return verdict
        forward = [*verdict.forward, *due]
        return Mixed(
            passes=verdict.passes, forward=forward, back=verdict.back, closes=verdict.closes, error=verdict.error
        )

    def _take_due(self) -> list[object]:
        """Return the answers that no message of the client is before any more."""
        due: list[object] = []
        while self._places and self._places[0].answers:
            place = self._places.popleft()
            self._size -= place.size
            self._waiting -= 1
            due += place.answers
        if due and self._waiting:
            self._link._pair.call_later(self._timeout, self._give_up)
        return due

    def _release(self) -> None:
        """Send the answers that are due without a message of the server."""
        for answer in self._take_due():
            self._link.send_to_client(answer)

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
        return frozenset({*found, _shortened(message.header_field(11))})
    return frozenset({b""})


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
