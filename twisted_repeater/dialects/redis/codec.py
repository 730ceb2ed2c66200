"""The codecs of commands and of replies."""

from __future__ import annotations

from ...codecs._typed import TypedCodec
from ...interfaces import ICodec, ITypedCodec
from ...selectors import Selector, bytes_at
from .messages import Command, Raw, Reply, read_command, read_reply

__all__ = ["CommandCodec", "ReplyCodec", "check_codec"]


class CommandCodec(TypedCodec[Command | Raw]):
    """What clients send. A command that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = (Command, Raw)

    def decode(self, payload: bytes) -> Command | Raw:
        """See `ICodec`."""
        return read_command(payload)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if not isinstance(message, (Command, Raw)):
            raise self.wrong_type(message)
        return bytes(message)

    def selector_of_some(self, types: list[type]) -> Selector | None:
        """See `TypedCodec`. Those that are `Raw` are empty arrays, or lines."""
        return None if Command in types else ~bytes_at(0, [b"*"]) | bytes_at(1, [b"0", b"-"])


class ReplyCodec(TypedCodec[Reply]):
    """What servers send. A reply that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = (Reply,)

    def decode(self, payload: bytes) -> Reply:
        """See `ICodec`."""
        return read_reply(payload)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if not isinstance(message, Reply):
            raise self.wrong_type(message)
        return bytes(message)


def check_codec(codec: ICodec | None, kind: type, who: str) -> None:
    """Raise ``TypeError`` unless messages of a class are made by a codec of this dialect.

    Args:
        codec: the codec that a filter gets.
        kind: the class.
        who: the name of the filter.
    """
    if not ITypedCodec.providedBy(codec) or kind not in codec.message_types:
        raise TypeError(f"{who} is for the dialect redis")
