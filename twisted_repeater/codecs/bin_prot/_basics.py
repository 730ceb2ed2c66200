"""The bin_prot types that are not made of others: numbers, strings, bool and unit."""

from __future__ import annotations

import operator
import struct
from contextlib import suppress
from typing import TypeVar

from ._type import BinType, cut_short, unexpected, wrong

T = TypeVar("T")

MIN_INT, MAX_INT = -(2**62), 2**62 - 1  # an OCaml int has 63 bits
DOUBLE = struct.Struct("<d")


def _integer(name: str, forms: dict[int, tuple[str, int, int]]) -> BinType[int]:
    """Return the type of integers: one byte up to 127, else a code and a form with a format and a range.

    The writer takes the first form whose range holds the value.
    """
    coded = {code: (struct.Struct("<" + form), low, high) for code, (form, low, high) in forms.items()}
    least, most = min(low for _, low, _ in forms.values()), max(high for _, _, high in forms.values())

    def read(data: bytes, at: int, levels: int) -> tuple[int, int]:
        try:
            code = data[at]
        except IndexError:
            raise cut_short(name, data, at) from None
        if code < 0x80:
            return code, at + 1
        if code not in coded:
            raise unexpected(name, at, f"the byte {code:02x}")
        form, low, high = coded[code]
        end = at + 1 + form.size
        if end > len(data):
            raise cut_short(f"{name} of {1 + form.size} bytes", data, at)
        value: int = form.unpack_from(data, at + 1)[0]
        if not low <= value <= high:
            raise unexpected(f"{name} from {low} to {high} after the byte {code:02x}", at, str(value))
        return value, end

    def write(out: bytearray, value: int, levels: int) -> None:
        if type(value) is not int:
            value = _checked_int(name, value)
        if 0 <= value < 0x80:
            out.append(value)
            return
        for code, (form, low, high) in coded.items():
            if low <= value <= high:
                out.append(code)
                out += form.pack(value)
                return
        raise wrong(f"{name} from {least} to {most}", value)

    return BinType(name, 1, read, write)


def _checked_int(name: str, value: object) -> int:
    """Return the integer of an object that Python accepts as one, except a bool."""
    if not isinstance(value, bool):
        with suppress(TypeError):
            return operator.index(value)  # type: ignore[arg-type]
    raise wrong(name, value)


UP_TO_32_BITS = {0xFF: ("b", -(2**7), -1), 0xFE: ("h", -(2**15), 2**15 - 1), 0xFD: ("i", -(2**31), 2**31 - 1)}

bin_int: BinType[int] = _integer("int", UP_TO_32_BITS | {0xFC: ("q", MIN_INT, MAX_INT)})
"""``int``, which has 63 bits."""

bin_int32: BinType[int] = _integer("int32", UP_TO_32_BITS)
"""``int32``. It differs from `bin_int` in its range only."""

bin_int64: BinType[int] = _integer("int64", UP_TO_32_BITS | {0xFC: ("q", -(2**63), 2**63 - 1)})
"""``int64``, and ``nativeint`` of programs for 64 bits. It differs from `bin_int` in its range only."""

bin_nat0: BinType[int] = _integer(
    "nat0", {0xFE: ("H", 0, 2**16 - 1), 0xFD: ("I", 0, 2**32 - 1), 0xFC: ("Q", 0, MAX_INT)}
)
"""``Nat0.t``, an int from 0, as which lengths are written. It differs from `bin_int` from 32768 on."""

read_nat0 = bin_nat0.read
write_nat0 = bin_nat0.write


def _float(name: str) -> BinType[float]:
    def read(data: bytes, at: int, levels: int) -> tuple[float, int]:
        try:
            return DOUBLE.unpack_from(data, at)[0], at + 8
        except struct.error:
            raise cut_short(f"{name} of 8 bytes", data, at) from None

    def write(out: bytearray, value: float, levels: int) -> None:
        if isinstance(value, bool) or not isinstance(value, (float, int)):
            raise wrong(name, value)
        try:
            out += DOUBLE.pack(float(value))
        except OverflowError:
            raise wrong(name, value) from None

    return BinType(name, 8, read, write)


bin_float: BinType[float] = _float("float")
"""``float``. All bits are kept, also those of a NaN. An ``int`` is written as the nearest float."""

bin_time: BinType[float] = _float("time")
"""``Time.t``: a ``float``, seconds since the Unix epoch."""


def _read_char(data: bytes, at: int, levels: int) -> tuple[bytes, int]:
    if at >= len(data):
        raise cut_short("char", data, at)
    return data[at : at + 1], at + 1


def _write_char(out: bytearray, value: bytes, levels: int) -> None:
    if not isinstance(value, bytes) or len(value) != 1:
        raise wrong("char, as bytes of length 1", value)
    out += value


bin_char: BinType[bytes] = BinType("char", 1, _read_char, _write_char)
"""``char``, as ``bytes`` of length 1."""


def _read_string(data: bytes, at: int, levels: int) -> tuple[bytes, int]:
    size, start = read_nat0(data, at, levels)
    end = start + size
    if end > len(data):
        raise cut_short(f"string of {size} bytes", data, start)
    return data[start:end], end


def _write_string(out: bytearray, value: bytes, levels: int) -> None:
    if not isinstance(value, bytes):
        if not isinstance(value, (bytearray, memoryview)):
            raise wrong("string, as bytes", value)
        value = bytes(value)
    write_nat0(out, len(value), levels)
    out += value


bin_string: BinType[bytes] = BinType("string", 1, _read_string, _write_string)
"""``string``, as ``bytes``: an OCaml string need not be text."""


def text(errors: str = "strict") -> BinType[str]:
    """Return the type of ``string`` that holds UTF-8, as ``str``.

    Args:
        errors: the treatment of bytes that are not UTF-8, as for `bytes.decode`: ``"strict"`` makes them an error,
            ``"surrogateescape"`` keeps them.

    Raises:
        LookupError: Python does not know the treatment.
    """
    for probe in (lambda: b"\xff".decode("utf-8", errors), lambda: "\ud800".encode("utf-8", errors)):
        with suppress(UnicodeError):  # it raises LookupError or TypeError if Python lacks the treatment for one of them
            probe()

    def read(data: bytes, at: int, levels: int) -> tuple[str, int]:
        value, end = _read_string(data, at, levels)
        try:
            return value.decode("utf-8", errors), end
        except UnicodeDecodeError as error:
            bad = end - len(value) + error.start
            raise unexpected("text in UTF-8", bad, f"the byte {data[bad]:02x}") from None

    def write(out: bytearray, value: str, levels: int) -> None:
        if not isinstance(value, str):
            raise wrong("text", value)
        try:
            encoded = value.encode("utf-8", errors)
        except UnicodeEncodeError:
            raise wrong("text that UTF-8 can hold", value) from None
        _write_string(out, encoded, levels)

    return BinType("text", 1, read, write)


bin_text: BinType[str] = text()
"""``string`` that holds UTF-8, as ``str``; other bytes are an error."""


def read_code(what: str, limit: int, data: bytes, at: int) -> int:
    """Read one byte, which must be below ``limit``."""
    try:
        code = data[at]
    except IndexError:
        raise cut_short(what, data, at) from None
    if code >= limit:
        raise unexpected(f"{what} (a byte up to {limit - 1:02x})", at, f"the byte {code:02x}")
    return code


def _one_byte(name: str, values: tuple[T, ...], expected: str) -> BinType[T]:
    """Return the type of some values of one class, each written as its index in a byte."""
    kind, count = type(values[0]), len(values)

    def read(data: bytes, at: int, levels: int) -> tuple[T, int]:
        return values[read_code(name, count, data, at)], at + 1

    def write(out: bytearray, value: T, levels: int) -> None:
        if not isinstance(value, kind) or value not in values:
            raise wrong(expected, value)
        out.append(values.index(value))

    return BinType(name, 1, read, write)


bin_bool: BinType[bool] = _one_byte("bool", (False, True), "bool")
"""``bool``."""

bin_unit: BinType[tuple[()]] = _one_byte("unit", ((),), "unit, which is ()")
"""``unit``, as the empty tuple. ``None`` is an empty option."""
