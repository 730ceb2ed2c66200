"""The codec whose messages are strings."""

from __future__ import annotations

from ..errors import MarshalingError, ParseError
from ._typed import TypedCodec

__all__ = ["TextCodec", "text"]


def text(encoding: str = "utf-8") -> TextCodec:
    """Return the codec whose messages are ``str``: each payload is text in this encoding, strictly.

    Raises:
        LookupError: Python does not know the encoding.
    """
    return TextCodec(encoding)


class TextCodec(TypedCodec[str]):
    """Text in one encoding; `text` makes it."""

    message_types: tuple[type, ...] = (str,)

    def __init__(self, encoding: str) -> None:
        "".encode(encoding)  # an unknown encoding is an error now, not at each message
        self._encoding = encoding

    def decode(self, payload: bytes) -> str:
        """See `ICodec`."""
        try:
            return payload.decode(self._encoding)
        except UnicodeDecodeError as error:
            message = f"not {self._encoding} at byte {error.start}: {error.reason}"
            raise ParseError(message, offset=error.start) from error

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if not isinstance(message, str):
            raise self.wrong_type(message)
        try:
            return message.encode(self._encoding)
        except UnicodeEncodeError as error:
            shown = message[error.start : error.start + 1]
            raise MarshalingError(f"{shown!a} cannot be written in {self._encoding}: {error.reason}") from error
