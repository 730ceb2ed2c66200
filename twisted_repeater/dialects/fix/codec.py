"""The codec of FIX messages."""

from __future__ import annotations

from ...codecs._typed import TypedCodec
from ...errors import ParseError
from .message import Message
from .messages import CLASSES

__all__ = ["FixCodec", "decode"]


class FixCodec(TypedCodec[Message]):
    """Messages of all versions. A message that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = (*CLASSES.values(), Message)

    def decode(self, payload: bytes) -> Message:
        """See `ICodec`."""
        return decode(payload)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if not isinstance(message, Message):
            raise self.wrong_type(message)
        return message.frame


def decode(payload: bytes) -> Message:
    """Return the message of a whole frame.

    Raises:
        Garbled: BodyLength or CheckSum is wrong.
        ParseError: the bytes are not a message.
    """
    kind = CLASSES.get(type_in(payload), Message)
    message = kind.__new__(kind)
    message.read(payload)
    if not message.is_whole:
        raise ParseError("a message must begin with BeginString", ends_link=True)
    return message


def type_in(payload: bytes) -> bytes:
    """Return the third field, without looking for errors."""
    parts = payload[:100].split(b"\1", 3)
    return parts[2][3:] if len(parts) > 2 else b""
