"""The codecs of PostgreSQL's messages, one for each direction: `TO_SERVER` and `TO_CLIENT`.

A payload is a whole message, with its type and length. The first byte tells the classes apart, so messages that no
filter wants are not decoded. A message of a type without a class is `Raw`.

A message that cannot be read ends its link. If it were dropped, its sender would wait for an answer for ever, and a
Bind after a Parse that was dropped would run another statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import error as StructError
from typing import Any, NamedTuple

from ..._text import text_of
from ...codecs._typed import TypedCodec
from ...errors import MarshalingError, ParseError
from ...selectors import Selector, first_byte
from . import decoding, encoding, messages
from .decoding import Decode
from .messages import Raw
from .rows import data_row

__all__ = ["TO_CLIENT", "TO_SERVER", "PostgresCodec"]

WRONG = (ValueError, IndexError, TypeError, AttributeError, StructError)
"""What the functions raise for wrong bytes or a wrong message."""


class Kind(NamedTuple):
    """A class of message."""

    first: bytes
    """The byte that its messages begin with."""
    cls: type
    """The class."""
    decode: Decode
    """Reads a frame."""
    encode: Callable[[Any], bytes]
    """Writes the body."""


class PostgresCodec(TypedCodec[object]):
    """The messages of one direction.

    Args:
        kinds: the classes of messages.
    """

    def __init__(self, kinds: list[Kind]) -> None:
        self.message_types: tuple[type, ...] = (*(kind.cls for kind in kinds), Raw)
        self._decoders: dict[int, Decode] = {kind.first[0]: kind.decode for kind in kinds}
        self._kinds: Mapping[type, Kind] = {kind.cls: kind for kind in kinds}

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        try:
            decode = self._decoders.get(payload[0])
            return _raw(payload) if decode is None else decode(payload)
        except WRONG as error:
            raise _malformed(payload, error) from error

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        try:
            if isinstance(message, Raw):
                return encoding.frame(encoding.letter(message.type), encoding.octets(message.body))
            for cls in type(message).__mro__:
                kind = self._kinds.get(cls)
                if kind is not None:
                    return encoding.frame(kind.first, kind.encode(message))
        except WRONG as error:
            raise MarshalingError(f"this {type(message).__name__} cannot be written: {text_of(error)}") from error
        raise self.wrong_type(message)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`."""
        if Raw not in types:
            return first_byte(b"".join(self._kinds[cls].first for cls in types))
        return ~first_byte(b"".join(kind.first for cls, kind in self._kinds.items() if cls not in types))


def _raw(frame: bytes) -> Raw:
    decoding.check_header(frame)
    return Raw(chr(frame[0]), frame[decoding.BODY :])


def _malformed(payload: bytes, error: Exception) -> ParseError:
    kind = f"a message of type {chr(payload[0])!r}" if payload else "a message without a type"
    return ParseError(f"{kind} cannot be read: {text_of(error)}", ends_link=True)


def _empty(kind: bytes, cls: type) -> Kind:
    """Return the kind of a message that has nothing in it."""
    return Kind(kind, cls, decoding.only(cls()), encoding.nothing)


COPY = [
    Kind(b"d", messages.CopyData, decoding.copy_data, encoding.copy_data),
    _empty(b"c", messages.CopyDone),
]

TO_SERVER: PostgresCodec = PostgresCodec(
    [
        *COPY,
        Kind(b"Q", messages.Query, decoding.query, encoding.query),
        Kind(b"P", messages.Parse, decoding.parse, encoding.parse),
        Kind(b"B", messages.Bind, decoding.bind, encoding.bind),
        Kind(b"D", messages.Describe, decoding.describe, encoding.named),
        Kind(b"E", messages.Execute, decoding.execute, encoding.execute),
        Kind(b"C", messages.Close, decoding.close, encoding.named),
        _empty(b"S", messages.Sync),
        _empty(b"H", messages.Flush),
        Kind(b"F", messages.FunctionCall, decoding.function_call, encoding.function_call),
        Kind(b"f", messages.CopyFail, decoding.copy_fail, encoding.copy_fail),
        _empty(b"X", messages.Terminate),
    ]
)
"""The messages to the server."""

TO_CLIENT: PostgresCodec = PostgresCodec(
    [
        *COPY,
        Kind(b"E", messages.ErrorResponse, decoding.error_response, encoding.fields),
        Kind(b"N", messages.NoticeResponse, decoding.notice_response, encoding.fields),
        Kind(b"T", messages.RowDescription, decoding.row_description, encoding.row_description),
        Kind(b"D", messages.DataRow, data_row, encoding.data_row),
        Kind(b"C", messages.CommandComplete, decoding.command_complete, encoding.command_complete),
        _empty(b"I", messages.EmptyQueryResponse),
        _empty(b"s", messages.PortalSuspended),
        Kind(b"Z", messages.ReadyForQuery, decoding.ready_for_query, encoding.ready_for_query),
        _empty(b"1", messages.ParseComplete),
        _empty(b"2", messages.BindComplete),
        _empty(b"3", messages.CloseComplete),
        Kind(b"t", messages.ParameterDescription, decoding.parameter_description, encoding.parameter_description),
        _empty(b"n", messages.NoData),
        Kind(b"V", messages.FunctionCallResponse, decoding.function_call_response, encoding.function_call_response),
        Kind(b"S", messages.ParameterStatus, decoding.parameter_status, encoding.parameter_status),
        Kind(b"K", messages.BackendKeyData, decoding.backend_key_data, encoding.backend_key_data),
        Kind(b"A", messages.NotificationResponse, decoding.notification_response, encoding.notification_response),
        Kind(b"G", messages.CopyInResponse, decoding.copy_in_response, encoding.copy_response),
        Kind(b"H", messages.CopyOutResponse, decoding.copy_out_response, encoding.copy_response),
        Kind(b"W", messages.CopyBothResponse, decoding.copy_both_response, encoding.copy_response),
    ]
)
"""The messages to the client."""
