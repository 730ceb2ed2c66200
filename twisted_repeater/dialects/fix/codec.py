"""The codec of FIX messages."""

from __future__ import annotations

from typing import cast

from ...codecs._typed import TypedCodec
from ...selectors import NOTHING, Selector
from .message import Message
from .messages import CLASSES
from .of_type import of_type
from .scan import read_as

__all__ = ["FixCodec", "decode"]


class FixCodec(TypedCodec[Message]):
    """Messages of all versions. A message that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = (*CLASSES.values(), Message)

    def decode(self, payload: bytes) -> Message:
        """See `ICodec`."""
        return cast(Message, read_as(CLASSES, Message, payload))

    def encode(self, message: object) -> bytes:
        """See `ICodec`. The message must have its header and trailer."""
        if not isinstance(message, Message):
            raise self.wrong_type(message)
        return message.frame

    def selector_for(self, types: tuple[type, ...]) -> Selector | None:
        """See `ITypedCodec`. All classes are derived from `Message`, so it stands for all of them."""
        if any(issubclass(Message, own) for own in types):
            return None
        wanted = [kind.TYPE for kind in CLASSES.values() if issubclass(kind, types) and kind.TYPE is not None]
        return of_type(wanted) if wanted else NOTHING


def decode(payload: bytes) -> Message:
    """Return the message of a whole frame.

    Raises:
        Garbled: BodyLength or CheckSum is wrong.
        ParseError: the bytes are not a message.
    """
    return cast(Message, read_as(CLASSES, Message, payload))
