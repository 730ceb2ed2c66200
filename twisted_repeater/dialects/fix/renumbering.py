"""Gives a message another number, without reading its other fields."""

from __future__ import annotations

from typing import TypeVar

from .message import Message

__all__ = ["renumbered"]

M = TypeVar("M", bound=Message)
SOH = b"\1"
DATA_OF_HEADER = (b"\00191=", b"\001213=")
"""Fields of the header that may contain anything, also what looks like a number."""


def renumbered(message: M, number: int) -> M:
    """Return a message with another MsgSeqNum. BodyLength and CheckSum follow; all other bytes stay."""
    frame = message.frame
    at = frame.find(b"\00134=") + 4
    length = frame.find(b"\0019=") + 3
    if at < 4 or any(frame.find(data, length, at) >= 0 for data in DATA_OF_HEADER):
        return message.changed({34: number})
    stop = frame.index(SOH, at)
    length_stop = frame.index(SOH, length)
    old, new = frame[at:stop], b"%d" % number
    old_length = new_length = frame[length:length_stop]
    if len(old) != len(new):
        new_length = b"%d" % (int(old_length) + len(new) - len(old))
    total = int(frame[-4:-1]) + sum(new) + sum(new_length) - sum(old) - sum(old_length)
    made = message.__class__.__new__(message.__class__)
    made.read(
        b"%b%b%b%b%b%03d\1" % (frame[:length], new_length, frame[length_stop:at], new, frame[stop:-4], total % 256)
    )
    return made
