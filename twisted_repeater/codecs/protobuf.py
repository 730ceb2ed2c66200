"""The codec of Protocol Buffers messages, through ``protobuf``, which is an optional extra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, EncodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ..errors import MarshalingError, ParseError
from ._typed import TypedCodec, in_path

__all__ = ["ProtobufCodec", "protobuf"]

LEVELS = 100
"""How deep messages may nest; protobuf itself reads no deeper."""

Place = tuple[str, int]
"""The path of a field, and its offset in the payload."""


def protobuf(cls: type[Message], *, unknown: bool = True) -> ProtobufCodec:
    """Make the codec whose messages are of a class that ``protoc`` made.

    A field that the class does not have is kept in the message and written again, as Protocol Buffers mean it; with
    ``unknown`` false it is a `ParseError`. For several kinds of message use a ``oneof``, or
    `tagged`.
    """
    return ProtobufCodec(cls, unknown)


class ProtobufCodec(TypedCodec):
    """Messages of one generated class; `protobuf` makes it."""

    def __init__(self, cls: type[Message], unknown: bool) -> None:
        self.message_types = (cls,)
        self._cls = cls
        self._unknown = unknown

    def decode(self, payload: bytes) -> Any:
        """Read a message, all of whose required fields must be there."""
        try:
            message: Any = self._cls.FromString(payload)
        except DecodeError as error:
            path, offset = _bad_place(payload, self._cls.DESCRIPTOR, 0, len(payload), "", LEVELS) or ("", None)
            raise ParseError(f"{path}: {error}" if path else str(error), offset=offset, field=path or None) from error
        if not message.IsInitialized():
            missing = message.FindInitializationErrors()[0]
            raise ParseError(f"{missing}: the required field is missing", field=missing)
        if not self._unknown:
            for path in _unknown_fields(message, ""):
                raise ParseError(f"{path}: there is no such field", field=path)
        return message

    def encode(self, message: Any) -> bytes:
        """Write a message, all of whose required fields must be there."""
        if not isinstance(message, self._cls):
            raise self.wrong_type(message)
        try:
            payload: bytes = message.SerializeToString()
        except EncodeError as error:
            missing = message.FindInitializationErrors()  # type: ignore[attr-defined]
            raise MarshalingError(str(error), field=missing[0] if missing else None) from error
        return payload


def _unknown_fields(message: Any, path: str) -> Iterator[str]:
    """Return the paths of the fields that the class of a message, or of one inside it, does not have."""
    for field in UnknownFieldSet(message):  # type: ignore[attr-defined]
        yield in_path(path, str(field.field_number))
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        inner = in_path(path, descriptor.name)
        if isinstance(value, Message):
            yield from _unknown_fields(value, inner)
        elif descriptor.message_type.GetOptions().map_entry:
            yield from _unknown_in(value.values(), inner)
        else:
            yield from _unknown_in(value, inner)


def _unknown_in(values: Any, path: str) -> Iterator[str]:
    for index, value in enumerate(values):
        if isinstance(value, Message):
            yield from _unknown_fields(value, f"{path}[{index}]")


def _bad_place(payload: bytes, descriptor: Any, at: int, end: int, path: str, levels: int) -> Place | None:
    """Find where a payload that protobuf refused, without saying where, is not well-formed; ``None`` if unclear."""
    while at < end:
        key, after = _varint(payload, at, end)
        if key < 8:  # cut, or of the field 0, which is none
            return (path, at)
        field = descriptor.fields_by_number.get(key >> 3)
        inner = in_path(path, field.name if field is not None else str(key >> 3))
        stop = _end_of_value(payload, key & 7, after, end)
        if stop is None:
            return None
        if stop > end or levels == 0:
            return (inner, at)
        if key & 7 == 2 and field is not None:
            start = _varint(payload, after, end)[1]
            if field.message_type is not None:
                place = _bad_place(payload, field.message_type, start, stop, inner, levels - 1)
                if place is not None:
                    return place
            elif field.type == field.TYPE_STRING and not _is_utf8(payload[start:stop]):
                return (inner, at)
        at = stop
    return None


def _end_of_value(payload: bytes, wire_type: int, at: int, end: int) -> int | None:
    """Return where a value ends: behind ``end`` if it is cut or bad, ``None`` if that is not worth finding out."""
    if wire_type in (1, 5):
        return at + (8 if wire_type == 1 else 4)
    if wire_type in (0, 2):
        number, after = _varint(payload, at, end)
        if number < 0:
            return end + 1
        return after if wire_type == 0 else after + number
    return None if wire_type in (3, 4) else end + 1


def _varint(payload: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a number; it is negative if it is cut or too long. Gives where it ends as well."""
    number = 0
    for index in range(at, min(at + 10, end)):
        number |= (payload[index] & 0x7F) << 7 * (index - at)
        if payload[index] < 0x80:
            return number, index + 1
    return -1, end


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
