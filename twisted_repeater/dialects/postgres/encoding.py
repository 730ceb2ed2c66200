"""Writes PostgreSQL's messages: a function for each class, which returns the body.

The functions raise ``ValueError``, ``TypeError``, ``AttributeError`` or ``struct.error`` for a message that has
something else in it than it should.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

from .messages import (
    BackendKeyData,
    Bind,
    Close,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyFail,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    Describe,
    ErrorResponse,
    Execute,
    FunctionCall,
    FunctionCallResponse,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    Parse,
    Query,
    ReadyForQuery,
    RowDescription,
)

__all__ = [
    "backend_key_data",
    "bind",
    "command_complete",
    "copy_data",
    "copy_fail",
    "copy_response",
    "data_row",
    "execute",
    "fields",
    "frame",
    "function_call",
    "function_call_response",
    "letter",
    "named",
    "nothing",
    "notification_response",
    "octets",
    "parameter_description",
    "parameter_status",
    "parse",
    "query",
    "ready_for_query",
    "row_description",
    "text",
]


def frame(kind: bytes, body: bytes) -> bytes:
    """Return a whole message."""
    return kind + pack(">I", len(body) + 4) + body


def text(value: str) -> bytes:
    """Return a text with the zero byte that ends it."""
    data = value.encode("utf-8", "surrogateescape")
    if 0 in data:
        raise ValueError("text must not have a zero byte in it")
    return data + b"\0"


def nothing(message: object) -> bytes:
    """Write a message that has nothing in it."""
    return b""


def query(message: Query) -> bytes:
    """Write a Query."""
    return text(message.sql)


def parse(message: Parse) -> bytes:
    """Write a Parse."""
    return text(message.statement) + text(message.sql) + _numbers("I", message.parameter_types)


def bind(message: Bind) -> bytes:
    """Write a Bind."""
    return b"".join(
        (
            text(message.portal),
            text(message.statement),
            _numbers("H", message.formats),
            _values(message.parameters),
            _numbers("H", message.result_formats),
        )
    )


def named(message: Describe | Close) -> bytes:
    """Write a Describe or a Close."""
    return letter(message.kind) + text(message.name)


def execute(message: Execute) -> bytes:
    """Write an Execute."""
    return text(message.portal) + pack(">i", message.max_rows)


def function_call(message: FunctionCall) -> bytes:
    """Write a FunctionCall."""
    formats, arguments = _numbers("H", message.formats), _values(message.arguments)
    return pack(">I", message.function) + formats + arguments + pack(">H", message.result_format)


def copy_data(message: CopyData) -> bytes:
    """Write a CopyData."""
    return octets(message.data)


def copy_fail(message: CopyFail) -> bytes:
    """Write a CopyFail."""
    return text(message.reason)


def fields(message: ErrorResponse | NoticeResponse) -> bytes:
    """Write an ErrorResponse or a NoticeResponse."""
    parts = []
    for name, value in message.fields.items():
        code = letter(name)
        if code == b"\0":
            raise ValueError("the letter of a field must not be zero")
        parts.append(code + text(value))
    return b"".join(parts) + b"\0"


def row_description(message: RowDescription) -> bytes:
    """Write a RowDescription."""
    parts = [pack(">H", len(message.columns))]
    for name, *numbers in message.columns:
        parts.append(text(name) + pack(">IhIhih", *numbers))
    return b"".join(parts)


def data_row(message: DataRow) -> bytes:
    """Write a DataRow."""
    return _values(message.values)


def command_complete(message: CommandComplete) -> bytes:
    """Write a CommandComplete."""
    return text(message.tag)


def ready_for_query(message: ReadyForQuery) -> bytes:
    """Write a ReadyForQuery."""
    return letter(message.status)


def parameter_description(message: ParameterDescription) -> bytes:
    """Write a ParameterDescription."""
    return _numbers("I", message.types)


def function_call_response(message: FunctionCallResponse) -> bytes:
    """Write a FunctionCallResponse."""
    return _value(message.value)


def parameter_status(message: ParameterStatus) -> bytes:
    """Write a ParameterStatus."""
    return text(message.name) + text(message.value)


def backend_key_data(message: BackendKeyData) -> bytes:
    """Write a BackendKeyData."""
    return pack(">I", message.process) + octets(message.key)


def notification_response(message: NotificationResponse) -> bytes:
    """Write a NotificationResponse."""
    return pack(">I", message.process) + text(message.channel) + text(message.payload)


def copy_response(message: CopyInResponse | CopyOutResponse | CopyBothResponse) -> bytes:
    """Write the message that begins a COPY."""
    return pack(">B", message.format) + _numbers("H", message.formats)


# -- the parts of messages --------------------------------------------------------------------------------------------


def letter(value: str) -> bytes:
    """Return the byte of a letter."""
    data = value.encode("latin-1")
    if len(data) != 1:
        raise ValueError(f"expected one letter, got {value!r}")
    return data


def octets(value: bytes) -> bytes:
    """Return bytes."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return bytes(value)


def _numbers(kind: str, numbers: Sequence[int]) -> bytes:
    return pack(f">H{len(numbers)}{kind}", len(numbers), *numbers)


def _values(values: Sequence[bytes | None]) -> bytes:
    return pack(">H", len(values)) + b"".join(map(_value, values))


def _value(value: bytes | None) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    data = octets(value)
    return pack(">i", len(data)) + data
