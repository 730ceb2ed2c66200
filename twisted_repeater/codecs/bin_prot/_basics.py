# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The basic types of bin_prot that are not numbers: strings, bool and unit.

Compiled where a compiler was found at installation, with the types of ``_basics.pxd``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ._errors import cut_short, unexpected, wrong
from ._numbers import IntReader, IntWriter, bin_nat0
from ._type import BinType
from ._wire import Reader, Sink, Source, Writer

LENGTHS: IntReader = bin_nat0.read  # type: ignore[assignment]
WRITTEN_LENGTHS: IntWriter = bin_nat0.write  # type: ignore[assignment]


class CharReader(Reader):
    """Reads single bytes."""

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        view, at = source.data, source.at
        if at >= source.end:
            raise cut_short("char", source.data, at)
        source.at = at + 1
        return view[at : at + 1]


class CharWriter(Writer):
    """Writes single bytes."""

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, bytes) or len(value) != 1:
            raise wrong("char, as bytes of length 1", value)
        sink.out += value


class StringReader(Reader):
    """Reads a length and that many bytes."""

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        size = LENGTHS.count(source)
        view, at = source.data, source.at
        if size > source.end - at:
            raise cut_short(f"string of {size} bytes", source.data, at)
        source.at = stop = at + size
        return view[at:stop]


class StringWriter(Writer):
    """Writes a length and the bytes."""

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, bytes):
            if not isinstance(value, (bytearray, memoryview)):
                raise wrong("string, as bytes", value)
            value = bytes(value)
        WRITTEN_LENGTHS.put_number(sink.out, len(value))
        sink.out += value


class TextReader(Reader):
    """Reads strings that hold UTF-8."""

    def __init__(self, errors: str) -> None:
        self._errors = errors
        self._strict = errors == "strict"
        self._bytes = StringReader()

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        value = self._bytes.take(source)
        try:
            return value.decode("utf-8") if self._strict else value.decode("utf-8", self._errors)
        except UnicodeDecodeError as error:
            bad = source.at - len(value) + error.start
            raise unexpected("text in UTF-8", bad, f"the byte {source.data[bad]:02x}") from None


class TextWriter(Writer):
    """Writes text as UTF-8."""

    def __init__(self, errors: str) -> None:
        self._errors = errors
        self._bytes = StringWriter()

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, str):
            raise wrong("text", value)
        try:
            encoded = value.encode("utf-8", self._errors)
        except UnicodeEncodeError:
            raise wrong("text that UTF-8 can hold", value) from None
        self._bytes.put(sink, encoded)


bin_char: BinType[bytes] = BinType("char", 1, CharReader(), CharWriter())
"""``char``, as ``bytes`` of length 1."""

bin_string: BinType[bytes] = BinType("string", 1, StringReader(), StringWriter())
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
    return BinType("text", 1, TextReader(errors), TextWriter(errors))


bin_text: BinType[str] = text()
"""``string`` that holds UTF-8, as ``str``; other bytes are an error."""


# -- bool and unit --------------------------------------------------------------------------------------------


class OneByteReader(Reader):
    """Reads a value that is written as its index in a list of values."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        self._name = name
        self._values = values
        self._count = len(values)

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        return self._values[source.code(self._name, self._count)]


class OneByteWriter(Writer):
    """Writes one of some values of one class."""

    def __init__(self, values: tuple[Any, ...], expected: str) -> None:
        self._kind = type(values[0])
        self._values = values
        self._expected = expected

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, self._kind) or value not in self._values:
            raise wrong(self._expected, value)
        sink.out.append(self._values.index(value))


def _one_byte(name: str, values: tuple[Any, ...], expected: str) -> BinType[Any]:
    return BinType(name, 1, OneByteReader(name, values), OneByteWriter(values, expected))


bin_bool: BinType[bool] = _one_byte("bool", (False, True), "bool")
"""``bool``."""

bin_unit: BinType[tuple[()]] = _one_byte("unit", ((),), "unit, which is ()")
"""``unit``, as the empty tuple. ``None`` is an empty option."""
