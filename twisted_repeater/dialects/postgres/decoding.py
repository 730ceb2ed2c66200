"""Reads PostgreSQL's messages: a function for each class, from a whole frame, with its type and length.

The functions raise ``ValueError``, ``IndexError`` or ``struct.error`` for a frame that is not such a message. They
look at every byte: a message must end where its frame does.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, unpack_from
from typing import TypeAlias, TypeVar

from .messages import (
    BackendKeyData,
    Bind,
    Close,
    Column,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyFail,
    CopyInResponse,
    CopyOutResponse,
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
    "BODY",
    "Decode",
    "backend_key_data",
    "bind",
    "check_header",
    "close",
    "command_complete",
    "copy_both_response",
    "copy_data",
    "copy_fail",
    "copy_in_response",
    "copy_out_response",
    "describe",
    "error_response",
    "execute",
    "function_call",
    "function_call_response",
    "notice_response",
    "notification_response",
    "only",
    "parameter_description",
    "parameter_status",
    "parse",
    "query",
    "ready_for_query",
    "row_description",
]

M = TypeVar("M")

Decode: TypeAlias = Callable[[bytes], object]
"""Makes a message of a frame."""

Unpack: TypeAlias = Callable[[bytes, int], tuple[int, ...]]
"""Reads a number at an offset."""

BODY = 5
"""Where the body of a message begins."""

uint16: Unpack = Struct(">H").unpack_from
int32: Unpack = Struct(">i").unpack_from
uint32: Unpack = Struct(">I").unpack_from
after_name: Struct = Struct(">IhIhih")
"""What follows the name of a column."""


def only(message: M) -> Callable[[bytes], M]:
    """Return the function for a message that has nothing in it."""

    def decode(frame: bytes) -> M:
        _end(frame, BODY)
        return message

    return decode


def query(frame: bytes) -> Query:
    """Read a Query."""
    if frame.find(b"\0", BODY) != len(frame) - 1:
        raise ValueError("its text must end where the message ends")
    return Query(frame[BODY:-1].decode("utf-8", "surrogateescape"))


def parse(frame: bytes) -> Parse:
    """Read a Parse."""
    statement, at = _text(frame, BODY)
    sql, at = _text(frame, at)
    types, at = _numbers(frame, at, "I")
    _end(frame, at)
    return Parse(statement, sql, types)


def bind(frame: bytes) -> Bind:
    """Read a Bind."""
    portal, at = _text(frame, BODY)
    statement, at = _text(frame, at)
    formats, at = _numbers(frame, at, "H")
    parameters, at = _values(frame, at)
    results, at = _numbers(frame, at, "H")
    _end(frame, at)
    return Bind(portal, statement, formats, parameters, results)


def describe(frame: bytes) -> Describe:
    """Read a Describe."""
    name, at = _text(frame, BODY + 1)
    _end(frame, at)
    return Describe(chr(frame[BODY]), name)


def close(frame: bytes) -> Close:
    """Read a Close."""
    name, at = _text(frame, BODY + 1)
    _end(frame, at)
    return Close(chr(frame[BODY]), name)


def execute(frame: bytes) -> Execute:
    """Read an Execute."""
    portal, at = _text(frame, BODY)
    _end(frame, at + 4)
    return Execute(portal, int32(frame, at)[0])


def function_call(frame: bytes) -> FunctionCall:
    """Read a FunctionCall."""
    (function,) = uint32(frame, BODY)
    formats, at = _numbers(frame, BODY + 4, "H")
    arguments, at = _values(frame, at)
    _end(frame, at + 2)
    return FunctionCall(function, formats, arguments, uint16(frame, at)[0])


def copy_data(frame: bytes) -> CopyData:
    """Read a CopyData."""
    check_header(frame)
    return CopyData(frame[BODY:])


def copy_fail(frame: bytes) -> CopyFail:
    """Read a CopyFail."""
    reason, at = _text(frame, BODY)
    _end(frame, at)
    return CopyFail(reason)


def error_response(frame: bytes) -> ErrorResponse:
    """Read an ErrorResponse."""
    return ErrorResponse(_fields(frame))


def notice_response(frame: bytes) -> NoticeResponse:
    """Read a NoticeResponse."""
    return NoticeResponse(_fields(frame))


def row_description(frame: bytes) -> RowDescription:
    """Read a RowDescription."""
    (count,) = uint16(frame, BODY)
    columns, at = [], BODY + 2
    for _ in range(count):
        name, at = _text(frame, at)
        columns.append(Column(name, *after_name.unpack_from(frame, at)))
        at += after_name.size
    _end(frame, at)
    return RowDescription(tuple(columns))


def command_complete(frame: bytes) -> CommandComplete:
    """Read a CommandComplete."""
    tag, at = _text(frame, BODY)
    _end(frame, at)
    return CommandComplete(tag)


def ready_for_query(frame: bytes) -> ReadyForQuery:
    """Read a ReadyForQuery."""
    _end(frame, BODY + 1)
    return ReadyForQuery(chr(frame[BODY]))


def parameter_description(frame: bytes) -> ParameterDescription:
    """Read a ParameterDescription."""
    types, at = _numbers(frame, BODY, "I")
    _end(frame, at)
    return ParameterDescription(types)


def function_call_response(frame: bytes) -> FunctionCallResponse:
    """Read a FunctionCallResponse."""
    value, at = _value(frame, BODY)
    _end(frame, at)
    return FunctionCallResponse(value)


def parameter_status(frame: bytes) -> ParameterStatus:
    """Read a ParameterStatus."""
    name, at = _text(frame, BODY)
    value, at = _text(frame, at)
    _end(frame, at)
    return ParameterStatus(name, value)


def backend_key_data(frame: bytes) -> BackendKeyData:
    """Read a BackendKeyData."""
    check_header(frame)
    return BackendKeyData(uint32(frame, BODY)[0], frame[BODY + 4 :])


def notification_response(frame: bytes) -> NotificationResponse:
    """Read a NotificationResponse."""
    channel, at = _text(frame, BODY + 4)
    payload, at = _text(frame, at)
    _end(frame, at)
    return NotificationResponse(uint32(frame, BODY)[0], channel, payload)


def copy_in_response(frame: bytes) -> CopyInResponse:
    """Read a CopyInResponse."""
    return CopyInResponse(frame[BODY], _copy_formats(frame))


def copy_out_response(frame: bytes) -> CopyOutResponse:
    """Read a CopyOutResponse."""
    return CopyOutResponse(frame[BODY], _copy_formats(frame))


def copy_both_response(frame: bytes) -> CopyBothResponse:
    """Read a CopyBothResponse."""
    return CopyBothResponse(frame[BODY], _copy_formats(frame))


# -- the parts of messages --------------------------------------------------------------------------------------------


def _end(frame: bytes, at: int) -> None:
    if at != len(frame):
        raise ValueError(f"it has {len(frame)} bytes, and its parts have {at}")


def check_header(frame: bytes) -> None:
    """Check the length of a frame whose body may be anything. Where parts are read, they show whether it is right."""
    if len(frame) < BODY or uint32(frame, 1)[0] != len(frame) - 1:
        raise ValueError("its length is wrong")


def _text(frame: bytes, at: int) -> tuple[str, int]:
    """Return the text at an offset, up to a zero byte, and the offset after that."""
    end = frame.index(b"\0", at)
    return frame[at:end].decode("utf-8", "surrogateescape"), end + 1


def _numbers(frame: bytes, at: int, kind: str) -> tuple[tuple[int, ...], int]:
    """Return some numbers after how many they are, and the offset after them."""
    (count,) = uint16(frame, at)
    if count == 0:
        return (), at + 2
    numbers = unpack_from(f">{count}{kind}", frame, at + 2)
    return numbers, at + 2 + count * (4 if kind == "I" else 2)


def _values(frame: bytes, at: int) -> tuple[tuple[bytes | None, ...], int]:
    """Return some values after how many they are, and the offset after them."""
    (count,) = uint16(frame, at)
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        value, at = _value(frame, at)
        values.append(value)
    return tuple(values), at


def _value(frame: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the value at an offset, and the offset after it."""
    (size,) = int32(frame, at)
    if size < -1:
        raise ValueError(f"a value cannot have {size} bytes")
    at += 4
    return (None, at) if size == -1 else (frame[at : at + size], at + size)


def _fields(frame: bytes) -> dict[str, str]:
    """Return the fields of an error or a notice."""
    fields, at = {}, BODY
    while frame[at]:
        value, after = _text(frame, at + 1)
        fields[chr(frame[at])] = value
        at = after
    _end(frame, at + 1)
    return fields


def _copy_formats(frame: bytes) -> tuple[int, ...]:
    formats, at = _numbers(frame, BODY + 1, "H")
    _end(frame, at)
    return formats
