# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The numbers of bin_prot.

Compiled where a compiler was found at installation, with the types of ``_numbers.pxd``.
"""

from __future__ import annotations

import operator
import struct
from contextlib import suppress
from typing import Any

from ._errors import cut_short, unexpected, wrong
from ._type import BinType
from ._wire import Reader, Sink, Source, Writer

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""
MIN_INT, MAX_INT = -(2**62), 2**62 - 1  # an OCaml int has 63 bits
TWO_63, TWO_64 = 2**63, 2**64
DOUBLE = struct.Struct("<d")


# -- integers: one byte up to 127, else a code and 1, 2, 4 or 8 bytes, little-endian --------------------------


class IntReader(Reader):
    """Reads integers.

    Args:
        name: the name of the type in errors.
        codes: the first and the last code that it knows, of ``fc`` for 8 bytes to ``ff`` for one. ``ff`` is for
            integers from -128 to -1. A type without it has no sign.
        least: the least value.
        most: the greatest value.
    """

    def __init__(self, name: str, codes: tuple[int, int], least: int, most: int) -> None:
        self._name = name
        self._first, self._last = codes
        self._least, self._most = least, most

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        view, at = source.data, source.at
        if at < source.end and view[at] < 0x80:
            source.at = at + 1
            return view[at]
        return self._long(source)

    def count(self, source: Source) -> int:
        """Return a value of nat0 as a C integer, which holds each of them."""
        view, at = source.data, source.at
        if at < source.end and view[at] < 0x80:
            source.at = at + 1
            return view[at]
        count: int = self._long(source)
        return count

    def _long(self, source: Source) -> Any:
        """Read an integer that has a code."""
        view, at = source.data, source.at
        if at >= source.end:
            raise cut_short(self._name, source.data, at)
        code = view[at]
        if code < self._first or code > self._last:
            raise unexpected(self._name, at, f"the byte {code:02x}")
        width = 8 if code == 0xFC else 4 if code == 0xFD else 2 if code == 0xFE else 1
        if source.end - at <= width:
            raise cut_short(f"{self._name} of {1 + width} bytes", source.data, at)
        value = little_endian(source.data, at + 1, width)
        if width == 8:
            value = self._of_8_bytes(value, at)
        elif self._last == 0xFF:
            value = _with_sign(value, width)
            if width == 1 and value >= 0:
                raise unexpected(f"{self._name} from -128 to -1 after the byte ff", at, str(value))
        source.at = at + 1 + width
        return value

    def _of_8_bytes(self, value: int, at: int) -> int:
        """Return the integer that the bits of another one mean."""
        if self._last == 0xFF and value >= TWO_63:
            value -= TWO_64
        if not self._least <= value <= self._most:
            raise unexpected(f"{self._name} from {self._least} to {self._most} after the byte fc", at, str(value))
        return value


def little_endian(data: bytes, at: int, width: int) -> int:
    """Return the number without a sign that so many bytes are."""
    view, number = data, 0
    while width > 0:
        width -= 1
        number = number << 8 | view[at + width]
    return number


def _with_sign(number: int, width: int) -> int:
    """Return the number that 1, 2 or 4 bytes mean if their first bit is a sign."""
    half = 1
    half <<= 8 * width - 1
    return number - half - half if number >= half else number


class IntWriter(Writer):
    """Writes integers in their shortest form; see `IntReader`."""

    def __init__(self, name: str, codes: tuple[int, int], least: int, most: int) -> None:
        self._name = name
        self._signed = codes[1] == 0xFF
        self._least, self._most = least, most

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if type(value) is not int:
            value = _checked_int(self._name, value)
        if not self._least <= value <= self._most:
            raise wrong(f"{self._name} from {self._least} to {self._most}", value)
        self.put_number(sink.out, value)

    def put_number(self, out: bytearray, number: int) -> None:
        """Append an integer of this type."""
        if 0 <= number < 0x80:
            out.append(number)
            return
        width = self._width(number)
        out.append(0xFF if width == 1 else 0xFE if width == 2 else 0xFD if width == 4 else 0xFC)
        while width > 0:
            width -= 1
            out.append(number & 0xFF)
            number >>= 8

    def _width(self, number: int) -> int:
        """Return how many bytes an integer takes after its code."""
        if not self._signed:
            return 2 if number <= 0xFFFF else 4 if number <= 0xFFFFFFFF else 8
        if -0x80 <= number < 0:
            return 1
        return 2 if -0x8000 <= number <= 0x7FFF else 4 if -0x80000000 <= number <= 0x7FFFFFFF else 8


def _checked_int(name: str, value: object) -> int:
    """Return the integer of an object that Python accepts as one, except a bool."""
    if not isinstance(value, bool):
        with suppress(TypeError):
            return operator.index(value)  # type: ignore[arg-type]
    raise wrong(name, value)


def _integer(name: str, codes: tuple[int, int], least: int, most: int) -> BinType[int]:
    return BinType(name, 1, IntReader(name, codes, least, most), IntWriter(name, codes, least, most))


bin_int: BinType[int] = _integer("int", (0xFC, 0xFF), MIN_INT, MAX_INT)
"""``int``, which has 63 bits."""

bin_int32: BinType[int] = _integer("int32", (0xFD, 0xFF), -(2**31), 2**31 - 1)
"""``int32``. It differs from `bin_int` in its range only."""

bin_int64: BinType[int] = _integer("int64", (0xFC, 0xFF), -(2**63), 2**63 - 1)
"""``int64``, and ``nativeint`` of programs for 64 bits. It differs from `bin_int` in its range only."""

bin_nat0: BinType[int] = _integer("nat0", (0xFC, 0xFE), 0, MAX_INT)
"""``Nat0.t``, an int from 0, as which lengths are written. It differs from `bin_int` from 32768 on."""


# -- floats ---------------------------------------------------------------------------------------------------


class FloatReader(Reader):
    """Reads floats of 8 bytes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        at = source.at
        if source.end - at < 8:
            raise cut_short(f"{self._name} of 8 bytes", source.data, at)
        source.at = at + 8
        return (
            double_at(source.data, at)  # type: ignore[name-defined]  # noqa: F821
            if COMPILED  # the function is in the .pxd
            else DOUBLE.unpack_from(source.data, at)[0]
        )


class FloatWriter(Writer):
    """Writes floats."""

    def __init__(self, name: str) -> None:
        self._name = name

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if isinstance(value, bool) or not isinstance(value, (float, int)):
            raise wrong(self._name, value)
        try:
            value = float(value)
        except OverflowError:
            raise wrong(self._name, value) from None
        sink.out += packed(value) if COMPILED else DOUBLE.pack(value)  # type: ignore[name-defined]  # noqa: F821


bin_float: BinType[float] = BinType("float", 8, FloatReader("float"), FloatWriter("float"))
"""``float``. All bits are kept, also those of a NaN. An ``int`` is written as the nearest float."""

bin_time: BinType[float] = BinType("time", 8, FloatReader("time"), FloatWriter("time"))
"""``Time.t``: a ``float``, seconds since the Unix epoch."""
