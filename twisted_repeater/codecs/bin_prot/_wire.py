# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The bases of bin_prot's readers and writers, and of the codec.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

from ...errors import FARTHEST, MarshalingError, ParseError
from ._errors import count_bytes, cut_short, put_path_first, unexpected

if TYPE_CHECKING:
    from ._type import SomeType

__all__ = ["MessageCodec", "Reader", "Sink", "Source", "Writer", "reader_of", "writer_of"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""
MOST_NESTED: int = 1200
"""How many values may lie inside each other. Python's recursion limit does not stop compiled readers and writers: a
message nested deep enough would use up the stack."""


class Source:
    """The bytes of a message that is read, and how far that has come. See `source_of`."""

    data: bytes
    """The bytes."""
    at: int
    """The offset of the next byte. It is never negative, but may lie after the end."""
    end: int
    """The number of bytes."""
    levels: int
    """How deep recursive types may still nest."""
    room: int
    """How many values may still lie inside each other."""

    def code(self, what: str, limit: int) -> int:
        """Read one byte, which must be below ``limit``."""
        view, at = self.data, self.at
        if at >= self.end:
            raise cut_short(what, self.data, at)
        code = view[at]
        if code >= limit:
            raise unexpected(f"{what} (a byte up to {limit - 1:02x})", at, f"the byte {code:02x}")
        self.at = at + 1
        return code

    def enter(self) -> None:
        """Begin a value that has others in it. When it has been read, `leave` it; after an error that is not needed."""
        self.room -= 1
        if self.room < 0:
            raise RecursionError("too many values inside each other")

    def leave(self) -> None:
        """End a value that has others in it."""
        self.room += 1


def source_of(data: bytes, at: int, levels: int) -> Source:
    """Return a source that stands at an offset. To call its class would take a third of the time of a small message."""
    source = Source.__new__(Source)
    source.data = data
    source.at = at
    source.end = len(data)
    source.levels = levels
    source.room = MOST_NESTED
    return source


class Reader:
    """Reads the values of one type. It can be called like the ``read`` of any `BinType`."""

    def take(self, source: Source) -> Any:
        """Return the value at which the source stands. Afterwards the source stands at the value's end.

        No byte from ``source.end`` on is looked at.
        """
        raise NotImplementedError

    def __call__(self, data: bytes, at: int, levels: int) -> tuple[Any, int]:
        """See `BinType.read`."""
        if not 0 <= at <= FARTHEST:  # a little after the end is a message that is cut short
            raise ValueError(f"the offset of a value must be from 0 to {FARTHEST}, not {at}")
        source = source_of(_exact(data), at, _bounded(levels))
        value = self.take(source)
        return value, source.at


class _OwnReader(Reader):
    """The ``read`` of a type that the application has made."""

    def __init__(self, of: SomeType) -> None:
        self._name = of.name
        self._read = of.read

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        start = source.at
        value, end = self._read(source.data, start, source.levels)
        end = index(end)
        if end < start:
            raise ValueError(f"the reader of {self._name} must not go back from {start} to {end}")
        if end > source.end:
            raise cut_short(f"{self._name} of {count_bytes(end - start)}", source.data, start)
        source.at = end
        return value


def reader_of(of: SomeType) -> Reader:
    """Return the reader of a type."""
    return of.read if isinstance(of.read, Reader) else _OwnReader(of)


class Sink:
    """The bytes of a message that is written. See `sink_of`."""

    out: bytearray
    """The bytes so far."""
    levels: int
    """How deep recursive types may still nest."""
    room: int
    """How many values may still lie inside each other."""

    def enter(self) -> None:
        """Begin a value that has others in it. When it has been written, `leave` it."""
        self.room -= 1
        if self.room < 0:
            raise RecursionError("too many values inside each other")

    def leave(self) -> None:
        """End a value that has others in it."""
        self.room += 1


def sink_of(out: bytearray, levels: int) -> Sink:
    """Return a sink that appends to some bytes. The class is not called, as for `source_of`."""
    sink = Sink.__new__(Sink)
    sink.out = out
    sink.levels = levels
    sink.room = MOST_NESTED
    return sink


class Writer:
    """Writes the values of one type. It can be called like the ``write`` of any `BinType`."""

    def put(self, sink: Sink, value: Any) -> None:
        """Append the bytes of a value."""
        raise NotImplementedError

    def __call__(self, out: bytearray, value: Any, levels: int) -> None:
        """See `BinType.write`."""
        self.put(sink_of(out, _bounded(levels)), value)


class _OwnWriter(Writer):
    """The ``write`` of a type that the application has made."""

    def __init__(self, of: SomeType) -> None:
        self._write = of.write

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        self._write(sink.out, value, sink.levels)


def writer_of(of: SomeType) -> Writer:
    """Return the writer of a type."""
    return of.write if isinstance(of.write, Writer) else _OwnWriter(of)


class MessageCodec:
    """Reads and writes whole messages of a type."""

    def __init__(self, message: SomeType, max_depth: int) -> None:
        self._reader = reader_of(message)
        self._writer = writer_of(message)
        self._levels = _bounded(max_depth)

    def decode(self, payload: bytes) -> Any:
        """See `ICodec`."""
        source = source_of(_exact(payload), 0, self._levels)
        try:
            message = self._reader.take(source)
        except ParseError as error:
            put_path_first(error)
            raise
        except RecursionError:
            raise ParseError("nested deeper than can be read") from None
        if source.at != source.end:
            raise unexpected("the end", source.at, f"{count_bytes(source.end - source.at)} left over")
        return message

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        sink = sink_of(bytearray(), self._levels)
        try:
            self._writer.put(sink, message)
        except MarshalingError as error:
            put_path_first(error)
            raise
        except RecursionError:
            raise MarshalingError("nested deeper than can be written") from None
        return bytes_of(sink.out) if COMPILED else bytes(sink.out)  # type: ignore[name-defined]  # noqa: F821


def _bounded(levels: int) -> int:
    """Return as many levels, but not more than a C integer holds: the limit of values inside each other comes first."""
    return max(0, min(levels, MOST_NESTED + 1))


def _exact(data: bytes) -> bytes:
    """Return the bytes of anything that has some, as a ``bytes`` object itself."""
    return data if type(data) is bytes else bytes(memoryview(data))
