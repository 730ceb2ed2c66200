"""Readers and writers for bin_prot, the binary protocol of OCaml programs, built by combination.

A type is described by combining the types of this module, and `bin_prot_codec` makes the codec of it::

    @dataclass
    class Order:
        seq: int
        body: bytes

    codec = bin_prot_codec(record(Order, seq=bin_int, body=bin_string))
"""

from __future__ import annotations

import enum
import functools
import inspect
import reprlib
import struct
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import index as to_int
from typing import Any, Generic, TypeVar

from zope.interface import implementer

from .errors import MarshalingError, ParseError
from .interfaces import ICodec

__all__ = [
    "BinProtCodec",
    "BinType",
    "array_of",
    "bin_bool",
    "bin_float",
    "bin_int",
    "bin_nat0",
    "bin_prot_codec",
    "bin_string",
    "bin_text",
    "bin_time",
    "bin_unit",
    "enumeration",
    "lazy",
    "list_of",
    "option",
    "pair",
    "record",
    "text",
    "tuple_of",
    "variant",
]

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
E = TypeVar("E", bound=enum.Enum)

MIN_INT, MAX_INT = -(2**62), 2**62 - 1  # an OCaml int has 63 bits
DOUBLE = struct.Struct("<d")


@dataclass(frozen=True, slots=True, eq=False)
class BinType(Generic[T]):
    """How values of one type are read and written."""

    name: str
    """What it is called in errors."""
    least: int
    """The fewest bytes that a value takes: a count of more values than fit is refused before any is read."""
    read: Callable[[bytes, int, int], tuple[T, int]]
    """``read(data, at, levels)`` gives the value that begins at ``at`` and where it ends, or raises `ParseError`.
    ``levels`` is how many more recursive types may be entered."""
    write: Callable[[bytearray, T, int], None]
    """``write(out, value, levels)`` appends the bytes of a value, or raises `MarshalingError`."""

    def __repr__(self) -> str:
        return f"<bin_prot {self.name}>"


class _Option(BinType[Any]):
    """Marks the types that read ``None``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Record(BinType[T]):
    """A type whose values a variant knows by their class."""

    cls: type[T]


@implementer(ICodec)
class BinProtCodec(Generic[T]):
    """The codec of messages of one type: see `bin_prot_codec`."""

    __slots__ = ("_levels", "_read", "_write")

    def __init__(self, message: BinType[T], max_depth: int) -> None:
        self._read = message.read
        self._write = message.write
        self._levels = max_depth

    def decode(self, payload: bytes) -> T:
        """Make the message of a whole payload."""
        try:
            message, end = self._read(payload, 0, self._levels)
        except ParseError as error:
            raise _with_field(error) from error.__cause__
        except RecursionError:
            raise ParseError("nested too deeply") from None
        if end != len(payload):
            raise ParseError(f"expected the end at byte {end}, found {_count(len(payload) - end)} more", offset=end)
        return message

    def encode(self, message: T) -> bytes:
        """Make the payload of a message."""
        out = bytearray()
        try:
            self._write(out, message, self._levels)
        except MarshalingError as error:
            raise _with_field(error) from error.__cause__
        except RecursionError:
            raise MarshalingError("nested too deeply") from None
        return bytes(out)


def bin_prot_codec(message: BinType[T], *, max_depth: int = 100) -> BinProtCodec[T]:
    """Make the codec of messages of a type, whose recursive types may be nested ``max_depth`` deep."""
    return BinProtCodec(message, max_depth)


# -- errors -----------------------------------------------------------------------------------------------


def _unexpected(what: str, at: int, found: str) -> ParseError:
    return ParseError(f"expected {what} at byte {at}, found {found}", offset=at)


def _short(what: str, data: bytes, at: int) -> ParseError:
    rest = len(data) - at
    return _unexpected(what, at, f"only {_count(rest)}" if rest > 0 else "the end")


def _wrong(what: str, value: object) -> MarshalingError:
    try:
        shown = reprlib.repr(value)
    except Exception:  # reprlib fails on ints of more digits than Python converts
        shown = f"a value of type {type(value).__name__}"
    return MarshalingError(f"expected {what}, got {shown}")


def _inside(part: str, error: ParseError | MarshalingError) -> None:
    """Note that the error happened inside a part: the path grows from its end as the error goes up."""
    inner = error.field or ""
    error.field = f"{part}.{inner}" if inner and not inner.startswith("[") else part + inner


def _with_field(error: Any) -> Any:
    if error.field is not None:
        error.args = (f"{error.field}: {error.args[0]}",)
    return error


def _count(size: int) -> str:
    return "1 byte" if size == 1 else f"{size} bytes"


# -- numbers ----------------------------------------------------------------------------------------------


def _integer(name: str, forms: dict[int, tuple[str, int, int]]) -> BinType[int]:
    """Describe integers: below 128 one byte, else the first of ``forms`` (by its code) whose range holds it."""
    long = {code: (struct.Struct("<" + form), low, high) for code, (form, low, high) in forms.items()}

    def read(data: bytes, at: int, levels: int) -> tuple[int, int]:
        try:
            code = data[at]
        except IndexError:
            raise _short(name, data, at) from None
        if code < 0x80:
            return code, at + 1
        if code not in long:
            raise _unexpected(name, at, f"byte {code:02x}")
        form, low, high = long[code]
        end = at + 1 + form.size
        if end > len(data):
            raise _short(f"{name} of {form.size + 1} bytes", data, at)
        value: int = form.unpack_from(data, at + 1)[0]
        if not low <= value <= high:
            raise _unexpected(f"{name} from {low} to {high} after byte {code:02x}", at, str(value))
        return value, end

    def write(out: bytearray, value: int, levels: int) -> None:
        if type(value) is not int:
            value = _checked_int(name, value)
        if 0 <= value < 0x80:
            out.append(value)
            return
        for code, (form, low, high) in long.items():
            if low <= value <= high:
                out.append(code)
                out += form.pack(value)
                return
        raise _wrong(f"{name} from {max(low, MIN_INT)} to {high}", value)

    return BinType(name, 1, read, write)


def _checked_int(name: str, value: object) -> int:
    if not isinstance(value, bool):
        try:
            return to_int(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise _wrong(name, value)


bin_int = _integer(
    "int",
    {
        0xFF: ("b", -(2**7), -1),
        0xFE: ("h", -(2**15), 2**15 - 1),
        0xFD: ("i", -(2**31), 2**31 - 1),
        0xFC: ("q", MIN_INT, MAX_INT),
    },
)
"""``int``, of 63 bits."""

bin_nat0 = _integer(
    "nat0", {0xFE: ("H", 0, 2**16 - 1), 0xFD: ("I", 0, 2**32 - 1), 0xFC: ("Q", 0, MAX_INT)}
)
"""``Nat0.t``, what lengths and counts are written as: an ``int`` from 0."""


def _float(name: str) -> BinType[float]:
    def read(data: bytes, at: int, levels: int) -> tuple[float, int]:
        try:
            return DOUBLE.unpack_from(data, at)[0], at + 8
        except struct.error:
            raise _short(f"{name} of 8 bytes", data, at) from None

    def write(out: bytearray, value: float, levels: int) -> None:
        if isinstance(value, bool) or not isinstance(value, (float, int)):
            raise _wrong(name, value)
        try:
            out += DOUBLE.pack(value)
        except OverflowError:
            raise _wrong(name, value) from None

    return BinType(name, 8, read, write)


bin_float = _float("float")
"""``float``. All bits are kept."""

bin_time = _float("time")
"""``Time.t``: a ``float``, seconds since the Unix epoch."""


# -- one byte ---------------------------------------------------------------------------------------------


def _code(what: str, count: int, data: bytes, at: int) -> int:
    """Read a byte that must be below ``count``."""
    try:
        code = data[at]
    except IndexError:
        raise _short(what, data, at) from None
    if code >= count:
        raise _unexpected(f"{what} (byte 00 to {count - 1:02x})", at, f"byte {code:02x}")
    return code


def _bool() -> BinType[bool]:
    def read(data: bytes, at: int, levels: int) -> tuple[bool, int]:
        return _code("bool", 2, data, at) == 1, at + 1

    def write(out: bytearray, value: bool, levels: int) -> None:
        if not isinstance(value, bool):
            raise _wrong("bool", value)
        out.append(value)

    return BinType("bool", 1, read, write)


bin_bool = _bool()
"""``bool``."""


def _unit() -> BinType[tuple[()]]:
    def read(data: bytes, at: int, levels: int) -> tuple[tuple[()], int]:
        _code("unit", 1, data, at)
        return (), at + 1

    def write(out: bytearray, value: tuple[()], levels: int) -> None:
        if value != ():
            raise _wrong("unit, which is ()", value)
        out.append(0)

    return BinType("unit", 1, read, write)


bin_unit = _unit()
"""``unit``: the empty tuple, for ``None`` is what an option holds."""


def option(of: BinType[T]) -> BinType[T | None]:
    """Describe ``of option``: ``None`` or a value."""
    if isinstance(of, _Option):
        raise TypeError("None and Some None are one in Python: describe the inner option as a variant")
    name, read_value, write_value = f"option of {of.name}", of.read, of.write

    def read(data: bytes, at: int, levels: int) -> tuple[T | None, int]:
        return read_value(data, at + 1, levels) if _code(name, 2, data, at) else (None, at + 1)

    def write(out: bytearray, value: T | None, levels: int) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            write_value(out, value, levels)

    return _Option(name, 1, read, write)
