"""The codec of fixed records: every field has its offset and its size, as in the ``struct`` module."""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, TypeVar

from .._text import class_name, text_of
from ..errors import MarshalingError, ParseError
from ._typed import TypedCodec

__all__ = ["Chars", "FixedCodec", "fixed"]

T = TypeVar("T")


@dataclass(frozen=True)
class Chars:
    """A field that is a ``str``, filled up at its end.

    Raises:
        ValueError: ``size`` is below 1, or ``fill`` is not one byte long.
    """

    size: int
    """How many bytes the field has."""
    fill: str = "\0"
    """The character that fills it up, one byte long."""
    encoding: str = "ascii"
    """The encoding of the text."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"the size of Chars must be at least 1, not {self.size}")
        if len(self.fill.encode(self.encoding)) != 1:
            raise ValueError(f"the fill of Chars must be one character of one byte, not {self.fill!r}")

    def read(self, value: bytes) -> str:
        """Return the text without the characters that fill it up."""
        return value.decode(self.encoding).rstrip(self.fill)

    def write(self, value: str) -> bytes:
        """Return the bytes of a text, filled up."""
        return value.encode(self.encoding).ljust(self.size, self.fill.encode(self.encoding))


@dataclass(frozen=True)
class _Field:
    """One field of a record, at an offset."""

    name: str
    format: str
    at: int
    size: int
    chars: Chars | None

    @property
    def is_padding(self) -> bool:
        """Whether the field has no value."""
        return self.format.endswith("x")

    def checked(self, value: Any) -> object:
        """Return the object that ``struct`` packs for a value, or raise an error."""
        if self.chars is not None:
            value = self.chars.write(value)
        if self.format.endswith("s") and len(value) > self.size:  # struct would cut it off
            raise ValueError(f"the value must have at most {self.size} bytes, not {len(value)}")
        return value


def fixed(cls: type[T], byte_order: Literal[">", "<"] = ">", /, **fields: str | Chars) -> FixedCodec[T]:
    """Return the codec of records whose messages are instances of a class::

        fixed(Order, id="Q", price="d", symbol=Chars(8))

    Args:
        cls: a dataclass, a named tuple, a msgspec struct, or any class like them. It is called with all values, and has
            each as the attribute of its name.
        byte_order: ``">"`` for big-endian, ``"<"`` for little-endian. Fields are not aligned.
        fields: the fields in their order on the wire. Each is a format of the ``struct`` module for one value (``"Q"``,
            ``"d"``, ``"8s"`` for bytes), or `Chars` for text, or padding (``"3x"``), which has no attribute.

    Raises:
        TypeError: the fields do not fit the class, or one is of another kind.
        ValueError: a format is not of one value, or the byte order is unknown.
    """
    return FixedCodec(cls, byte_order, fields)


class FixedCodec(TypedCodec[T]):
    """Records of one kind; `fixed` makes it."""

    def __init__(self, cls: type[T], byte_order: str, fields: dict[str, str | Chars]) -> None:
        if byte_order not in (">", "<"):
            raise ValueError(f"the byte order must be '>' or '<', not {byte_order!r}")
        self.message_types: tuple[type, ...] = (cls,)
        self._order = byte_order
        self._fields: list[_Field] = []
        at = 0
        for name, what in fields.items():
            field = _field(name, what, at)
            self._fields.append(field)
            at += field.size
        self._struct = struct.Struct(byte_order + "".join(field.format for field in self._fields))
        self._values = [field for field in self._fields if not field.is_padding]
        if not self._values:
            raise TypeError("a record needs a field")
        names = [field.name for field in self._values]
        self._new = _maker(cls, names)
        self._get = attrgetter(*names) if len(names) > 1 else lambda message: (getattr(message, names[0]),)
        self._texts = [(index, field) for index, field in enumerate(self._values) if field.chars is not None]
        self._bytes = any(field.format.endswith("s") for field in self._values)

    def decode(self, payload: bytes) -> T:
        """See `ICodec`."""
        if len(payload) != self._struct.size:
            raise self._wrong_size(len(payload))
        values: Sequence[object] = self._struct.unpack(payload)
        if self._texts:
            values = self._with_texts(values)
        try:
            return self._new(values)
        except Exception as error:
            raise ParseError(f"{self.message_types[0].__name__} refuses these values: {text_of(error)}") from error

    def _with_texts(self, values: Sequence[Any]) -> list[object]:
        """Return the values with texts in place of their bytes."""
        with_texts = list(values)
        for index, field in self._texts:
            assert field.chars is not None
            try:
                with_texts[index] = field.chars.read(values[index])
            except UnicodeDecodeError as error:
                at = field.at + error.start
                message = f"{field.name}: not {field.chars.encoding} at byte {at}: {error.reason}"
                raise ParseError(message, offset=at, field=field.name) from error
        return with_texts

    def _wrong_size(self, size: int) -> ParseError:
        """Return the error about a payload that ends inside a field, or has bytes after the last."""
        for field in self._fields:
            left = size - field.at
            if left < field.size:
                message = f"{field.name}: expected {field.size} bytes at byte {field.at}, found {left}"
                return ParseError(message, offset=field.at, field=field.name)
        end = self._struct.size
        return ParseError(f"expected the end at byte {end}, found {size - end} bytes left over", offset=end)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if not isinstance(message, self.message_types):
            raise self.wrong_type(message)
        try:
            values: Sequence[object] = self._get(message)
            if self._bytes:
                values = [field.checked(value) for field, value in zip(self._values, values, strict=True)]
            return self._struct.pack(*values)
        except Exception as error:
            raise self._wrong_value(message) from error

    def _wrong_value(self, message: object) -> MarshalingError:
        """Return the error about a message with a value that does not fit its field."""
        for field in self._values:
            try:
                struct.pack(self._order + field.format, field.checked(getattr(message, field.name)))
            except Exception as error:
                what = "" if isinstance(error, (struct.error, ValueError)) else f"{class_name(error)}: "
                return MarshalingError(f"{field.name}: {what}{text_of(error)}", field=field.name)
        return MarshalingError("the message changed while it was written")


def _field(name: str, what: str | Chars, at: int) -> _Field:
    """Return the field of a declaration; raise an error if that is wrong."""
    if isinstance(what, Chars):
        return _Field(name, f"{what.size}s", at, what.size, what)
    if not isinstance(what, str):
        raise TypeError(f"{name}: a field must be a format of the struct module or Chars, not {what!r}")
    if not re.fullmatch(r"[cbB?hHiIlLqQefd]|\d*[sx]", what):
        raise ValueError(f"{name}: the format must be of one value, not {what!r}")
    return _Field(name, what, at, struct.calcsize(f">{what}"), None)


def _maker(cls: type[T], names: list[str]) -> Callable[[Sequence[object]], T]:
    """Return a function from values to an instance. It passes them by position if their order is that of the class."""
    signature = inspect.signature(cls)
    signature.bind(**dict.fromkeys(names))  # fields that do not fit the class are an error now, not at each message
    positional = [name for name, of in signature.parameters.items() if of.kind is of.POSITIONAL_OR_KEYWORD]
    if positional[: len(names)] == names:
        return lambda values: cls(*values)
    return lambda values: cls(**dict(zip(names, values, strict=True)))
