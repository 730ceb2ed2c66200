"""The codec of HL7 messages."""

from __future__ import annotations

from ...codecs._typed import TypedCodec
from ...interfaces import ICodec, ITypedCodec
from ...link import Link
from ...model import Side
from ...selectors import Selector, any_of, bytes_at, first_byte
from .batches import Batch, read_frame
from .by_message_type import Again
from .charsets import checked_charset
from .frames import FILLERS, Filler, Raw
from .messages import Message
from .structure import BLANK

__all__ = ["Hl7Codec", "check_codec", "check_fits"]

HEADERS = bytes_at(0, [b"MSH", b"FHS", b"BHS"])
SHIFTED = first_byte(BLANK)
"""Selects frames whose header is perhaps not in the beginning."""

SELECTORS: dict[type, Selector] = {
    Message: bytes_at(0, [b"MSH"]) | SHIFTED,
    Batch: bytes_at(0, [b"FHS", b"BHS"]) | SHIFTED | Again(),
    Raw: ~HEADERS,
    Filler: first_byte(FILLERS),
}


class Hl7Codec(TypedCodec[Message | Batch | Raw | Filler]):
    """What is in the frames of either direction. A message that a filter passes on leaves as the bytes that came.

    Args:
        charset: the character set of messages that do not say theirs in MSH-18.

    Raises:
        ValueError: the character set is not known, or its letters are not those of ASCII.
    """

    message_types: tuple[type, ...] = (Message, Batch, Raw, Filler)
    keeps_bytes: bool = True
    """Filters can select by bytes (`of_type`) also where another filter has a message decoded: it has its bytes."""

    def __init__(self, charset: str = "utf-8") -> None:
        self.charset: str = checked_charset(charset)

    def decode(self, payload: bytes) -> Message | Batch | Raw | Filler:
        """See `ICodec`."""
        return read_frame(payload, self.charset)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if not isinstance(message, (Message, Batch, Raw)):
            raise self.wrong_type(message)
        return bytes(message)

    def selector_of_some(self, types: list[type]) -> Selector | None:
        """See `TypedCodec`."""
        return any_of(SELECTORS[kind] for kind in types)


def check_codec(codec: ICodec | None, who: str) -> None:
    """Raise ``TypeError`` unless messages are made by the codec of this dialect.

    Args:
        codec: the codec that a filter gets.
        who: the name of the filter.
    """
    if not ITypedCodec.providedBy(codec) or Message not in codec.message_types:
        raise TypeError(f"{who} is for the dialect hl7")


def check_fits(message: Message | Batch | Raw, link: Link, side: Side) -> None:
    """Raise ``MarshalingError`` if a message cannot be sent to a side of a link.

    Elsewhere such a message is dropped. Here its sender must know, or would take the next answer for that to it.
    """
    link._pair.framing_to(side).encode(bytes(message))
