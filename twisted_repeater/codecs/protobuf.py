"""The codec of Protocol Buffers messages, through ``protobuf``, which is an optional extra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import DecodeError, EncodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ..errors import MarshalingError, ParseError
from ._typed import TypedCodec, in_path

__all__ = ["ProtobufCodec", "protobuf"]

M = TypeVar("M", bound=Message)


def protobuf(cls: type[M], *, unknown: bool = True) -> ProtobufCodec[M]:
    """Return the codec whose messages are of a class that ``protoc`` made.

    For several kinds of message use a ``oneof``, or `tagged`.

    Args:
        cls: the generated class.
        unknown: whether a field that the class does not have is kept in the message and written again, as Protocol
            Buffers mean it. If false, such a field is a `ParseError`.
    """
    return ProtobufCodec(cls, unknown)


class ProtobufCodec(TypedCodec[M]):
    """Messages of one generated class; `protobuf` makes it."""

    def __init__(self, cls: type[M], unknown: bool) -> None:
        self.message_types: tuple[type, ...] = (cls,)
        self._cls = cls
        self._unknown = unknown

    def decode(self, payload: bytes) -> M:
        """See `ICodec`. All required fields of the message must be there."""
        try:
            message = self._cls.FromString(payload)
        except DecodeError as error:
            raise ParseError(str(error)) from error
        if not message.IsInitialized():
            missing = _missing(message)
            raise ParseError(f"{missing}: the required field is missing", field=missing)
        if not self._unknown:
            for path in _unknown_fields(message, ""):
                raise ParseError(f"{path}: there is no such field", field=path)
        return message

    def encode(self, message: object) -> bytes:
        """See `ICodec`. All required fields of the message must be there."""
        if not isinstance(message, self._cls):
            raise self.wrong_type(message)
        try:
            return message.SerializeToString()
        except EncodeError as error:
            raise MarshalingError(str(error), field=_missing(message)) from error


def _missing(message: Message) -> str | None:
    """Return the path of a required field that a message lacks."""
    paths: list[str] = message.FindInitializationErrors()  # type: ignore[attr-defined]
    return paths[0] if paths else None


def _unknown_fields(message: Message, path: str) -> Iterator[str]:
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


def _unknown_in(values: Iterable[object], path: str) -> Iterator[str]:
    for index, value in enumerate(values):
        if isinstance(value, Message):
            yield from _unknown_fields(value, f"{path}[{index}]")
