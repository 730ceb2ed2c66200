"""Messages of the session that name numbers: Logon, ResendRequest and SequenceReset.

Each function gets the flow of the message, and the other flow, as the sender of the message knows it.
"""

from __future__ import annotations

from collections.abc import Mapping

from .flow import Flow
from .message import Message
from .messages import Logon, ResendRequest, SequenceReset
from .references import NO_CHANGES, passed, whole_or_none
from .resends import Gap

__all__ = ["session_message"]

ALL_THAT_FOLLOW = 999999
"""EndSeqNo of a ResendRequest that stands for all that follow, up to FIX 4.2."""
OLD_VERSIONS = (b"FIX.4.0", b"FIX.4.1", b"FIX.4.2")


def session_message(flow: Flow, other: Flow, message: Message, number: int) -> tuple[list[Message], list[Message]]:
    """Return what the receiver gets for a message of the session, and what its sender gets."""
    if isinstance(message, Logon) and not (message.possible_duplicate and number <= flow.last):
        return _logon(flow, other, message, number)
    if isinstance(message, SequenceReset):
        return _sequence_reset(flow, other, message, number), []
    if number <= flow.last:
        return [passed(message, flow.map.receiver(number), other.map)], []
    if isinstance(message, ResendRequest):
        return _resend_request(flow, other, message, number)
    return _first(flow, other, message, number), []


def _first(
    flow: Flow, other: Flow, message: Message, number: int, changes: Mapping[int, int] = NO_CHANGES
) -> list[Message]:
    """Return what the receiver gets for a message that is sent for the first time."""
    due = flow.due()
    flow.note(number)
    return [*due, passed(message, flow.map.receiver(number), other.map, changes)]


def _logon(flow: Flow, other: Flow, message: Logon, number: int) -> tuple[list[Message], list[Message]]:
    flow.maker.learn(message)
    back: list[Message] = []
    changes: dict[int, int] = {}
    expected = whole_or_none(message, 789)
    if expected is not None and expected > 0:
        changes[789] = other.map.sender_from(expected)
        if other.logged_on:  # the sender of the other flow now sends again what is missing, without a request
            back = other.again(other.resends.begin(expected, other.next_number))
        else:
            other.awaited = expected
    forward = _first(flow, other, message, number, changes)
    flow.note(number, logon=True)
    if flow.awaited:
        forward += flow.again(flow.resends.begin(flow.awaited, flow.map.receiver(number)))
        flow.awaited = 0
    flow.logged_on = True
    if other.logged_on:
        flow.last_is_logon = other.last_is_logon = False
    return forward, back


def _sequence_reset(flow: Flow, other: Flow, message: SequenceReset, number: int) -> list[Message]:
    place, new = flow.map.receiver(number), whole_or_none(message, 36)
    if new is None or new < 1:
        return [passed(message, place, other.map)]
    if not message.gap_fill:
        if new > flow.last:  # the receiver goes on from there, whatever it has missed
            flow.owed = None
            flow.resends.clear()
            flow.last = new - 1
        return [passed(message, place, other.map, {36: flow.map.receiver(new)})]
    if number > flow.last:
        forward = _first(flow, other, message, number, {36: flow.map.receiver(new)})
        flow.last = max(flow.last, new - 1)
        return forward
    if new <= number:
        return [passed(message, place, other.map)]
    whole = Gap(place, flow.map.receiver(new))
    pieces = flow.resends.gap(whole.start, whole.stop)
    flow.last = max(flow.last, new - 1)
    if pieces == [whole]:
        flow.told(whole.stop)
        return [passed(message, place, other.map, {36: whole.stop})]
    return flow.again(pieces)


def _resend_request(flow: Flow, other: Flow, message: Message, number: int) -> tuple[list[Message], list[Message]]:
    begin, end = whole_or_none(message, 7), whole_or_none(message, 16)
    if begin is None or end is None or begin < 1 or other.is_over:
        return _first(flow, other, message, number), []
    limit = other.next_number
    infinite = end == 0 or (end == ALL_THAT_FOLLOW and message[8] in OLD_VERSIONS)
    stop = limit if infinite else min(limit, end + 1)
    owed = other.owed
    if owed is not None and begin <= owed.start and stop >= owed.stop:
        other.owed = None  # it is in the answer
    first = other.map.end_of_run(begin, stop)
    back = other.again(other.resends.begin(begin, stop, goes_on=infinite or end >= limit))
    if begin < stop == first:  # the sender has nothing to do with any of them
        return flow.owe(number), back
    changes = {7: other.map.sender_from(first)}
    if not infinite:
        last = other.map.start_of_run(first, end + 1) - 1 if end < limit else end
        changes[16] = other.map.sender_up_to(last)
    return _first(flow, other, message, number, changes), back
