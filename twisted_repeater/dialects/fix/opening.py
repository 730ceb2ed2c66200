"""The opening of FIX, and what logs may show."""

from __future__ import annotations

from ..._types import Message as AnyMessage
from ...errors import InvalidHello, ParseError
from ...framings.fix import FixFraming
from ...model import Direction, Side
from ..attempt import Attempt
from .codec import decode
from .identity import Identity, default_version
from .message import Message
from .messages import Logon

__all__ = ["FixOpening", "redacted"]

STARS = b"***"
MARKS = (b"\x0135=A\1", b"\x0135=BE\1")
"""The types of messages that have passwords: Logon and UserRequest."""


class FixOpening:
    """Looks at the client's Logon, and leaves it in the stream, for the filters and the server.

    Args:
        max_logon: the longest Logon, in bytes.
        sub_ids: whether SenderSubID and TargetSubID are parts of the name.
        locations: whether SenderLocationID and TargetLocationID are.
    """

    def __init__(self, max_logon: int, sub_ids: bool, locations: bool) -> None:
        self._framing = FixFraming(max_logon)
        self._sub_ids = sub_ids
        self._locations = locations

    async def __call__(self, attempt: Attempt) -> None:
        """Play the opening."""
        frame = await attempt.client.peek(self._framing)
        logon = decode(frame.payload)
        if not isinstance(logon, Logon):
            raise InvalidHello(f"a client must begin with a Logon, not a message of type {logon.type!r}", Side.CLIENT)
        identity = Identity.of(logon, sub_ids=self._sub_ids, locations=self._locations)
        if not identity.sender or not identity.target:
            raise ParseError("a Logon must have SenderCompID and TargetCompID")
        await attempt.admit(
            identity.name,
            begin_string=identity.begin_string,
            version=default_version(logon),
            sender=identity.sender,
            target=identity.target,
            heartbeat=logon.heartbeat,
            username=logon.username,
            identity=identity,
        )
        await attempt.dial()
        await attempt.connect(client=logon)


def redacted(message: AnyMessage, direction: Direction) -> AnyMessage:
    """Return what logs may show of a message: one without passwords. The same object if it has none."""
    if isinstance(message, Message):
        return message.redacted
    if isinstance(message, bytes):  # one that no filter has looked at
        for mark in MARKS:
            if mark in message[:64]:
                return message[: message.index(mark) + len(mark)] + STARS
    return message
