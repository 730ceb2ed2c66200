"""The codec of fixed records: every field has its place and its size, as in the ``struct`` module."""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from .._text import class_name, text_of
from ..errors import MarshalingError, ParseError
from ._typed import TypedCodec

__all__ = ["Chars", "FixedCodec", "fixed"]


@dataclass(frozen=True)
class Chars:
    """A field of ``size`` bytes that is a ``str``, filled up at its end."""

    size: int
    fill: str = "\0"
    encoding: str = "ascii"

    def __post_init__(self) -> None:
        if self.size < 1 or len(self.fill.encode(self.encoding)) != 1:
            raise ValueError("Chars takes a size of at least 1, and one character of one byte to fill up with")

    def read(self, value: bytes) -> str:
        """Return the text without what fills it up."""
        return value.decode(self.encoding).rstrip(self.fill)

    def write(self, value: str) -> bytes:
        """Return the bytes of a text, filled up."""
        return value.encode(self.encoding).ljust(self.size, self.fill.encode(self.encoding))


@dataclass(frozen=True)
class _Field:
    """One field of a record, and its place in it."""

    name: str
    format: str
    at: int
    size: int
    chars: Chars | None

    @property
    def is_padding(self) -> bool:
        """Whether it has no value."""
        return self.format.endswith("x")

    def checked(self, value: Any) -> Any:
        """Return what ``struct`` packs for a value, or raise."""
        if self.chars is not None:
            value = self.chars.write(value)
        if self.format.endswith("s") and len(value) > self.size:  # struct would cut it off
            raise ValueError(f"{len(value)} bytes, at most {self.size} have a place")
        return value


def fixed(cls: type, byte_order: Literal[">", "<"] = ">", /, **fields: str | Chars) -> FixedCodec:
    """Make the codec of records whose messages are instances of ``cls``.

    ``cls`` is a dataclass, a named tuple, a msgspec struct, or any class like them: it is called with all the values,
    and each is read back as the attribute of its name. The fields stand in their order on the wire; each is a format
    of the ``struct`` module for one value (``"Q"``, ``"d"``, ``"8s"`` for bytes), or `Chars` for text, or padding
    (``"3x"``), which is no attribute. There is no alignment; ``byte_order`` is ``">"`` (big-endian) or ``"<"``::

        fixed(Order, id="Q", price="d", symbol=Chars(8))
    """
    return FixedCodec(cls, byte_order, fields)


class FixedCodec(TypedCodec):
    """Records of one kind; `fixed` makes it."""

    def __init__(self, cls: type, byte_order: str, fields: dict[str, str | Chars]) -> None:
        if byte_order not in (">", "<"):
            raise ValueError(f"the byte order is '>' or '<', not {byte_order!r}")
        self.message_types = (cls,)
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

    def decode(self, payload: bytes) -> Any:
        """Read a record."""
        if len(payload) != self._struct.size:
            raise self._wrong_size(len(payload))
        values: Any = self._struct.unpack(payload)
        if self._texts:
            values = self._with_texts(values)
        try:
            return self._new(values)
        except Exception as error:
            raise ParseError(f"{self.message_types[0].__name__} refuses these values: {text_of(error)}") from error

    def _with_texts(self, values: tuple[Any, ...]) -> list[Any]:
        """Return the values with strings for the bytes of texts."""
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
        """Make the error of a payload that ends inside a field, or has bytes behind the last."""
        for field in self._fields:
            left = size - field.at
            if left < field.size:
                message = f"{field.name}: expected {field.size} bytes at byte {field.at}, found {left}"
                return ParseError(message, offset=field.at, field=field.name)
        end = self._struct.size
        return ParseError(f"expected the end at byte {end}, found {size - end} bytes left over", offset=end)

    def encode(self, message: Any) -> bytes:
        """Write a record."""
        if not isinstance(message, self.message_types):
            raise self.wrong_type(message)
        try:
            values: Any = self._get(message)
            if self._bytes:
                values = [field.checked(value) for field, value in zip(self._values, values, strict=True)]
            return self._struct.pack(*values)
        except Exception as error:
            raise self._wrong_value(message) from error

    def _wrong_value(self, message: Any) -> MarshalingError:
        """Make the error of a message one of whose values has no place in its field."""
        for field in self._values:
            try:
                struct.pack(self._order + field.format, field.checked(getattr(message, field.name)))
            except Exception as error:
                what = "" if isinstance(error, (struct.error, ValueError)) else f"{class_name(error)}: "
                return MarshalingError(f"{field.name}: {what}{text_of(error)}", field=field.name)
        return MarshalingError("the message changed while it was written")


def _field(name: str, what: str | Chars, at: int) -> _Field:
    """Check a declaration."""
    if isinstance(what, Chars):
        return _Field(name, f"{what.size}s", at, what.size, what)
    if not isinstance(what, str):
        raise TypeError(f"{name}: a field is a format of the struct module or Chars, not {what!r}")
    if not re.fullmatch(r"[cbB?hHiIlLqQefd]|\d*[sx]", what):
        raise ValueError(f"{name}: {what!r} is not the format of one value")
    return _Field(name, what, at, struct.calcsize(f">{what}"), None)


def _maker(cls: type, names: list[str]) -> Callable[[Any], Any]:
    """Return what makes an instance of its values: by position where that is the order of the class."""
    signature = inspect.signature(cls)
    signature.bind(**dict.fromkeys(names))  # what does not fit the class is told now, not at each message
    positional = [name for name, of in signature.parameters.items() if of.kind is of.POSITIONAL_OR_KEYWORD]
    if positional[: len(names)] == names:
        return lambda values: cls(*values)
    return lambda values: cls(**dict(zip(names, values, strict=True)))
