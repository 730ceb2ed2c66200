"""The codec of FIX messages."""

from __future__ import annotations

from ...codecs._typed import TypedCodec
from ...errors import ParseError
from ...selectors import NOTHING, Selector
from .message import Message
from .messages import CLASSES, Reject, SessionMessage
from .of_type import of_type
from .references import whole_or_none
from .scan import Garbled, read_as, type_of

__all__ = ["FixCodec", "SessionCodec", "Unreadable", "decode"]


class FixCodec(TypedCodec[Message]):
    """Messages of all versions. A message that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = (*CLASSES.values(), Message)

    def decode(self, payload: bytes) -> Message:
        """See `ICodec`."""
        return read_as(CLASSES, Message, payload)

    def encode(self, message: object) -> bytes:
        """See `ICodec`. The message must have its header and trailer."""
        if not isinstance(message, Message):
            raise self.wrong_type(message)
        return message.frame

    def encode_for_node(self, message: object) -> bytes:
        """Return a message as it travels between nodes of a fleet: perhaps without a header, which each link writes."""
        if not isinstance(message, Message):
            raise self.wrong_type(message)
        return message.data

    def decode_from_node(self, payload: bytes) -> Message:
        """Return the message that another node has sent by `encode_for_node`."""
        if payload.startswith(b"8="):
            return self.decode(payload)
        kind = CLASSES.get(payload[3 : payload.index(b"\1")], Message)
        message = kind.__new__(kind)
        message.read(payload)
        return message

    def selector_for(self, types: tuple[type, ...]) -> Selector | None:
        """See `ITypedCodec`. All classes are derived from `Message`, so it stands for all of them."""
        if any(issubclass(Message, own) for own in types):
            return None
        wanted = [kind.TYPE for kind in CLASSES.values() if issubclass(kind, types) and kind.TYPE is not None]
        return of_type(wanted) if wanted else NOTHING


class SessionCodec(FixCodec):
    """The codec of the dialect: a message that engines count is one, also if its fields cannot be told apart."""

    def decode(self, payload: bytes) -> Message:
        """See `ICodec`."""
        try:
            return read_as(CLASSES, Message, payload)
        except Garbled:
            raise
        except ParseError:
            code = type_of(payload)
            kind = CLASSES.get(code, Message)
            if not code or not payload.startswith(b"8=") or (issubclass(kind, SessionMessage) and kind is not Reject):
                raise
            message = Unreadable.__new__(Unreadable)
            message.read(payload)
            if not whole_or_none(message, 34):
                raise
            return message


class Unreadable(Message):
    """A message with bytes that are not fields, or with a wrong length of data.

    BodyLength, CheckSum, MsgType and number are right, so engines count it. Fields of its header can be read.
    """

    __slots__ = ("error",)

    error: ParseError
    """What is wrong."""

    def read(self, data: bytes) -> None:
        """See `Scanned`."""
        try:
            super().read(data)
        except ParseError as error:
            self.error = ParseError(str(error), offset=error.offset)

    def get(self, tag: int) -> bytes | None:
        """See `Scanned`."""
        try:
            return super().get(tag)
        except ParseError:
            return None

    @property
    def redacted(self) -> Message:
        """What is logged: the type and the number."""
        return Message(self.type, {34: self.get(34) or b""})

    def renumbered(self, number: int) -> Unreadable:
        """See `Scanned`."""
        made = super().renumbered(number)
        made.error = self.error
        return made

    def text(self, tag: int) -> str | None:
        """See `Scanned`."""
        value = self.get(tag)
        return None if value is None else value.decode("latin-1")

    def flag(self, tag: int) -> bool:
        """See `Scanned`."""
        return self.get(tag) == b"Y"


def decode(payload: bytes) -> Message:
    """Return the message of a whole frame.

    Raises:
        Garbled: BodyLength or CheckSum is wrong.
        ParseError: the bytes are not a message.
    """
    return read_as(CLASSES, Message, payload)
