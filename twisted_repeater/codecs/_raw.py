"""The codec whose messages are payloads, and the mark of messages that are left out."""

from __future__ import annotations

from zope.interface import implementer

from ..errors import MarshalingError
from ..interfaces import ICodec


class _LeftOut:
    """The type of `LEFT_OUT`."""

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT = _LeftOut()
"""Stands for a message that does not exist in the version that it is converted to. It is not sent."""


@implementer(ICodec)
class RawCodec:
    """A message is its payload, as ``bytes``. Dialects without a codec use it."""

    def decode(self, payload: bytes) -> bytes:
        """Return the payload as it is."""
        return payload

    def encode(self, message: object) -> bytes:
        """Return the bytes of a ``bytes``, ``bytearray`` or ``memoryview``.

        Raises:
            MarshalingError: the message is of another class.
        """
        if not isinstance(message, (bytes, bytearray, memoryview)):
            raise MarshalingError(f"a message without a codec must be bytes, not {type(message).__name__}")
        return bytes(message)
