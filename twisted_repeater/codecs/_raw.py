"""Codecs: payloads into messages and back."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from ..errors import MarshalingError
from ..interfaces import ICodec

__all__ = ["LEFT_OUT", "RawCodec"]


class _LeftOut:
    """The type of `LEFT_OUT`."""

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT = _LeftOut()
"""What stands for a message that does not exist in the version it would be needed in: it is not sent."""


@implementer(ICodec)
class RawCodec:
    """A message is its payload, as ``bytes``. What a dialect without a codec uses."""

    def decode(self, payload: bytes) -> Any:
        """Return the payload as it is."""
        return payload

    def encode(self, message: Any) -> bytes:
        """Return the bytes of a ``bytes``, ``bytearray`` or ``memoryview``."""
        if not isinstance(message, (bytes, bytearray, memoryview)):
            raise MarshalingError(f"a message without a codec must be bytes, not {type(message).__name__}")
        return bytes(message)
