"""Verdicts on messages that have numbers: what they may be, which message takes the place of another, what goes out."""

from __future__ import annotations

from typing import Any

from ...verdicts import DO_NOTHING, PASS_ON, Mixed, PassOnAndSendBack, Send, Verdict
from .message import Message
from .messages import Logon, Reject, ResendRequest, SequenceReset, SessionMessage

__all__ = ["check_added", "check_size", "going_on", "is_of_session", "is_version", "verdict_with"]

NOT_ADDED = (Logon, ResendRequest, SequenceReset)
"""Messages that only the engines may send."""


def check_added(message: object) -> None:
    """Raise an error unless a message is one that can be added."""
    if not isinstance(message, Message):
        raise TypeError(f"only messages can be sent, not a {type(message).__name__}")
    if isinstance(message, NOT_ADDED):
        raise ValueError(f"only an engine may send a message of type {message.type}")


def check_size(message: Any, largest: int) -> None:
    """Raise an error if a message is too long to be sent: its number would be missing."""
    if len(message.data) > largest:
        raise ValueError(
            f"a message that is changed or added must have at most {largest} bytes, not {len(message.data)}"
        )


def is_of_session(message: Message) -> bool:
    """Return whether a message must not be missing. A Reject may be."""
    return isinstance(message, SessionMessage) and not isinstance(message, Reject)


def is_version(item: object, message: Message) -> bool:
    """Return whether a message was made of another one, by `Message.changed`."""
    return type(item) is type(message) and item.is_whole and item.get(34) == message.get(34)


def going_on(message: Message, verdict: Verdict) -> tuple[list[Any], int]:
    """Return the messages that go on, and the index of the one that takes the place of the message; -1 for none."""
    items = [message, *verdict.forward] if verdict.passes else list(verdict.forward)
    for at, item in enumerate(items):
        if item is message or is_version(item, message):
            return items, at
    return items, -1 if verdict.closes or not items else 0


def verdict_with(message: Message, forward: list[Message], back: list[Message], asked: Verdict) -> Verdict:
    """Return a verdict with these messages."""
    passes = bool(forward) and forward[0] is message
    rest = forward[1:] if passes else forward
    if asked.closes or asked.delay:
        closes, error = asked.closes, asked.error
        return Mixed(passes=passes, forward=rest, back=back, closes=closes, error=error, delay=asked.delay)
    if passes and not rest:
        return PassOnAndSendBack(back) if back else PASS_ON
    if not forward and not back:
        return DO_NOTHING
    return Mixed(passes=passes, forward=rest, back=back) if back else Send(*forward)
