# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Makes frames of the messages that are written to one connection.

Compiled where a compiler was found at installation, with the types of ``encoder.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._text import class_name, text_of
from .._types import FramingObject
from ..codecs import LEFT_OUT, RawCodec
from ..errors import MarshalingError

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Encoder", "marshaling_error_of"]


class Encoder:
    """Encodes messages for one connection, and reports those that cannot be encoded to its link."""

    __slots__ = ("_connection", "_keeps_bytes", "_writer", "framing", "version")

    def __init__(self, framing: FramingObject, connection: Connection) -> None:
        self.framing: FramingObject = framing
        self.version: int = 0
        """The version of the messages that the peer receives."""
        self._writer: Callable[[Any], Any] | None = None
        self._keeps_bytes = False
        """Whether a message of type ``bytes`` is its payload, so that no codec needs to be called."""
        self._connection = connection

    def use(self, version: int, writer: Callable[[Any], Any]) -> None:
        """Encode messages by this version, once it is agreed.

        Args:
            version: the version of the messages that the peer receives.
            writer: converts a message to that version, and makes its payload.
        """
        self.version = version
        self._writer = writer
        self._keeps_bytes = type(getattr(writer, "__self__", None)) is RawCodec

    def encode(self, message: Any, instead_of: bytes | None = None) -> bytes | None:
        """Return the frame of a message, or nothing to send.

        Args:
            message: what to encode.
            instead_of: the frame that the message came in, if it goes on in another version.

        Returns:
            Empty bytes for a message that does not exist in this version. ``None`` for one that cannot be encoded; the
            error is reported.
        """
        assert self._writer is not None
        try:
            payload = message if self._keeps_bytes and type(message) is bytes else self._writer(message)
            if payload is LEFT_OUT:
                return b""
            framing = self.framing
            frame = framing.encode(payload) if instead_of is None else framing.replace(instead_of, payload)
            return frame if type(frame) is bytes else bytes(memoryview(frame))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a codec that calls sys.exit() has failed, no more
            self._connection.link.marshaling_error(self._connection, marshaling_error_of(error))
        return None


def marshaling_error_of(error: BaseException) -> MarshalingError:
    """Return the error to report where a message could not be encoded."""
    if isinstance(error, MarshalingError):
        return error
    reported = MarshalingError(f"{class_name(error)} in the codec: {text_of(error)}")
    reported.__cause__ = error
    return reported
