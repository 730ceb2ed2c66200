"""What the repeater itself says to a client, in the client's version, and what logs may show."""

from __future__ import annotations

from dataclasses import replace

from ..._types import Message
from ...errors import (
    ClientNotAllowed,
    ConnectingError,
    DuplicateClient,
    RefusedByApplication,
    RepeaterClosed,
    Replaced,
    TooManyClients,
)
from ...link import Link
from ...model import Direction, Side
from ..attempt import Attempt
from .assigned_names import AssignedNames
from .messages import Auth, ConnAck, Connect
from .properties import Properties, Property
from .property_codec import PacketType
from .reasons import Reason
from .wire import MalformedPacket

__all__ = ["Farewell", "redacted", "refusal"]

REFUSALS: dict[type[ConnectingError], tuple[int, int]] = {
    ClientNotAllowed: (5, Reason.NOT_AUTHORIZED),
    RefusedByApplication: (5, Reason.NOT_AUTHORIZED),
    DuplicateClient: (2, Reason.CLIENT_IDENTIFIER_NOT_VALID),
    TooManyClients: (3, Reason.SERVER_BUSY),
}
"""The codes of a CONNACK, before version 5 and in it."""
UNAVAILABLE = (3, Reason.SERVER_UNAVAILABLE)
UNKNOWN_VERSION = (1, Reason.UNSUPPORTED_PROTOCOL_VERSION)
STARS = b"***"
SECRETS = {PacketType.CONNECT, PacketType.CONNACK, PacketType.AUTH}
"""The types of packets in which passwords and the like may be."""


def refusal(error: ConnectingError, attempt: Attempt) -> bytes | None:
    """Return the CONNACK for a client that cannot be linked, in its version; ``None`` if that is not known."""
    version = attempt.details.get("version")
    codes = REFUSALS.get(type(error), UNAVAILABLE)
    if version is None:
        cause = error.__cause__
        if not isinstance(cause, MalformedPacket) or cause.level is None:
            return None
        version = cause.level
        if cause.reason == Reason.UNSUPPORTED_PROTOCOL_VERSION:
            codes = UNKNOWN_VERSION
        elif version == 5:
            codes = (0, cause.reason)
        else:
            return None  # earlier versions have no answer to a CONNECT that is not valid
    return (
        bytes((0x20, 3, 0, codes[1], 0)) if isinstance(version, int) and version >= 5 else bytes((0x20, 2, 0, codes[0]))
    )


class Farewell:
    """Says the DISCONNECT of a link that is closed from here. Only clients of version 5 know it, after their CONNACK.

    Args:
        names: knows which clients have got their CONNACK.
    """

    def __init__(self, names: AssignedNames) -> None:
        self._names = names

    def __call__(self, reason: BaseException | None, link: Link) -> bytes | None:
        """Return the DISCONNECT, or ``None``."""
        answered = self._names.is_answered(link, link.received(Direction.TO_CLIENT)[0])
        if link.details["version"] != 5 or not answered:
            return None
        if isinstance(reason, ConnectingError) and not isinstance(reason, (Replaced, RepeaterClosed)):
            return None  # it has had a CONNACK that refuses it
        return bytes((0xE0, 2, _farewell_reason(reason), 0))


def _farewell_reason(reason: BaseException | None) -> int:
    """Return the reason of a DISCONNECT."""
    if isinstance(reason, Replaced):
        return Reason.SESSION_TAKEN_OVER
    if isinstance(reason, RepeaterClosed):
        return Reason.SERVER_SHUTTING_DOWN
    if isinstance(reason, MalformedPacket) and reason.side is Side.CLIENT:
        return reason.reason
    return Reason.ADMINISTRATIVE_ACTION


def redacted(message: Message, direction: Direction) -> Message:
    """Return what logs may show of a message: no password, and no data of a login. Payloads are shown, of wills too."""
    if isinstance(message, Connect):
        password = None if message.password is None else STARS
        return replace(message, password=password, properties=_without_secrets(message.properties))
    if isinstance(message, (ConnAck, Auth)):
        return replace(message, properties=_without_secrets(message.properties))
    if isinstance(message, bytes) and message and message[0] >> 4 in SECRETS:  # one that no filter has looked at
        return message[:1] + STARS
    return message


def _without_secrets(properties: Properties) -> Properties:
    name = Property.AUTHENTICATION_DATA
    if properties.get(name) is None:
        return properties
    return Properties((own, STARS if own == name else value) for own, value in properties)
