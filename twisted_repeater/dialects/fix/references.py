"""Fields that name the number of another message, in the words of the one who reads them.

An engine that names a message of the other one knows it by the number that it received: ``r`` of the other flow. The
other engine must read its own number, ``s``. See `FlowMap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ...errors import ParseError
from .flow_map import FlowMap
from .message import Message
from .messages import BusinessMessageReject, Reject

__all__ = ["NO_CHANGES", "passed", "refers_to_added", "whole_or_none"]

M = TypeVar("M", bound=Message)
REFERENCES = (369, 45)
"""LastMsgSeqNumProcessed, which any message may have, and RefSeqNum."""
NO_CHANGES: Mapping[int, int] = {}
"""Other values for no fields."""


def whole_or_none(message: Message, tag: int) -> int | None:
    """Return the number in a field; ``None`` without the field, or if it is no number, which its receiver will say."""
    try:
        return message.whole(tag)
    except ParseError:
        return None


def refers_to_added(message: Message, other: FlowMap) -> bool:
    """Return whether a message rejects one that the repeater added: nobody else knows what it is about."""
    if not other.added or not isinstance(message, (Reject, BusinessMessageReject)):
        return False
    number = whole_or_none(message, 45)
    return number is not None and other.is_added(number)


def passed(message: M, number: int, other: FlowMap, changes: Mapping[int, int] = NO_CHANGES) -> M:
    """Return a message as its receiver gets it, and the message itself if nothing in it is different.

    Args:
        message: the message, with all numbers as its sender knows them.
        number: its number for the receiver.
        other: the numbers of the other flow.
        changes: further fields with other values.
    """
    different = {tag: value for tag, value in changes.items() if whole_or_none(message, tag) != value}
    if other.added:
        for tag in REFERENCES if isinstance(message, (Reject, BusinessMessageReject)) else REFERENCES[:1]:
            said = whole_or_none(message, tag)
            if said is not None and said > 0 and other.sender_up_to(said) != said:
                different[tag] = other.sender_up_to(said)
    if whole_or_none(message, 34) == number:
        return message.changed(different) if different else message
    return message.changed({34: number, **different}) if different else message.renumbered(number)
