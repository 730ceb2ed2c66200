"""The opening that names a client after the sender in its first message."""

from __future__ import annotations

from typing import Literal

from ..attempt import Attempt, Opening
from .batches import Batch, read_frame
from .frames import FILLERS
from .messages import Message

__all__ = ["by_sender", "sender_in"]

LONGEST_HEADER = 2000
"""How many bytes are looked at, at most."""

FIELDS = {"application": 3, "facility": 4}
"""The fields of a header that say who sends."""


def by_sender(field: Literal["application", "facility"], charset: str) -> Opening:
    """Return an opening that names a client after a field of its first header.

    The message may be long, so only its first bytes are awaited: up to the end of these fields.

    Args:
        field: which field.
        charset: the character set of messages that do not say theirs.
    """

    async def opening(attempt: Attempt) -> None:
        count = 1
        while not _is_enough(data := await attempt.client.peek_bytes(count)) and count < LONGEST_HEADER:
            count += 1
        sender = sender_in(data, charset)
        await attempt.admit(sender[field] or None, **sender)

    opening.__qualname__ = f"by_sender({field!r})"
    return opening


def _is_enough(data: bytes) -> bool:
    """Return whether the header has come up to the end of both fields, or there is none."""
    frame = data.lstrip(FILLERS)
    if not frame.startswith(b"\x0b"):
        return bool(frame)
    return frame.count(frame[4:5], 4) >= max(FIELDS.values()) or b"\r" in frame or b"\n" in frame


def sender_in(data: bytes, charset: str) -> dict[str, str]:
    """Return the fields of a header that say who sends; they are empty if there is no header.

    Args:
        data: the first bytes of a client.
        charset: the character set of messages that do not say theirs.
    """
    frame = read_frame(data.lstrip(FILLERS)[1:], charset)
    if not isinstance(frame, (Message, Batch)):
        return dict.fromkeys(FIELDS, "")
    return {field: frame.header_text(number) for field, number in FIELDS.items()}
