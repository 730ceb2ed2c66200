# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The bin_prot types that are made of others: options, lists, tuples, recursive types.

Compiled where a compiler was found at installation, with the types of ``_compounds.pxd``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import MarshalingError, ParseError
from ._errors import add_to_path, count_bytes, unexpected, wrong
from ._numbers import IntReader, IntWriter, bin_nat0
from ._type import BinType, SomeType, check_type
from ._wire import Reader, Sink, Source, Writer, reader_of, writer_of

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

AS_VARIANT = "describe the inner option as a variant"
COUNTS: IntReader = bin_nat0.read  # type: ignore[assignment]
WRITTEN_COUNTS: IntWriter = bin_nat0.write  # type: ignore[assignment]


class OptionReader(Reader):
    """Reads ``None``, or a byte and a value."""

    def __init__(self, name: str, of: SomeType) -> None:
        self._name = name
        self._reader = reader_of(of)

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        at = source.at
        if not source.code(self._name, 2):
            return None
        source.enter()
        value = self._reader.take(source)
        source.leave()
        if value is None:
            raise ParseError(f"Some None at byte {at} cannot be told from None: {AS_VARIANT}", offset=at)
        return value


class OptionWriter(Writer):
    """Writes ``None``, or a byte and a value."""

    def __init__(self, of: SomeType) -> None:
        self._writer = writer_of(of)

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        sink.out.append(value is not None)
        if value is not None:
            sink.enter()
            self._writer.put(sink, value)
            sink.leave()


class _Option(SomeType):
    """A type that reads ``None``."""

    __slots__ = ()


def option(of: BinType[T]) -> BinType[T | None]:
    """Return the type of ``t option``, as ``None`` or a value.

    ``Some None`` would be ``None`` too, so an option of an option is refused: describe the inner one as a variant,
    ``variant("None", ("Some", t))``. If the inner option is hidden by `lazy`, a ``Some None`` is a `ParseError`.

    Raises:
        TypeError: ``of`` is an option, or not a type.
    """
    check_type(of, "option")
    if isinstance(of, _Option):
        raise TypeError(f"None and Some None are the same in Python: {AS_VARIANT}")
    name = f"option of {of.name}"
    return _Option(name, 1, OptionReader(name, of), OptionWriter(of))


class ListReader(Reader):
    """Reads a count and that many values."""

    def __init__(self, name: str, of: SomeType) -> None:
        self._name = name
        self._least = of.least
        self._reader = reader_of(of)

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        reader, start = self._reader, source.at
        count = COUNTS.count(source)
        left = source.end - source.at
        if count > left // self._least:
            raise unexpected(f"{self._name} with {count} values", start, f"{count_bytes(left)} after the count")
        source.enter()
        values: list[Any] = []
        try:
            for _ in range(count):
                values.append(reader.take(source))
        except ParseError as error:
            add_to_path(f"[{len(values)}]", error)
            raise
        source.leave()
        return values


class ListWriter(Writer):
    """Writes a count and the values."""

    def __init__(self, name: str, of: SomeType) -> None:
        self._name = name
        self._writer = writer_of(of)

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, (list, tuple)):
            raise wrong(self._name, value)
        values, index = tuple(value), 0  # a copy, as writing a value may run code that changes the list
        WRITTEN_COUNTS.put_number(sink.out, len(values))
        sink.enter()
        try:
            for each in values:
                self._writer.put(sink, each)
                index += 1
        except MarshalingError as error:
            add_to_path(f"[{index}]", error)
            raise
        sink.leave()


def list_of(of: BinType[T]) -> BinType[list[T]]:
    """Return the type of ``t list``, as a ``list``; a ``tuple`` can be written too.

    Raises:
        ValueError: values of the type may have no bytes.
    """
    check_type(of, "list_of")
    if of.least < 1:
        raise ValueError(f"the values of a list must have at least one byte, those of {of.name} may have 0")
    name = f"list of {of.name}"
    return BinType(name, 1, ListReader(name, of), ListWriter(name, of))


array_of = list_of
"""Returns the type of ``t array``, which is a list on the wire."""


class TupleReader(Reader):
    """Reads values of some types, one after the other.

    Args:
        of: the types.
        begin: values with which each tuple begins. They are not on the wire.
    """

    def __init__(self, of: tuple[SomeType, ...], begin: tuple[object, ...] = ()) -> None:
        self._readers = tuple(reader_of(part) for part in of)
        self._begin = list(begin)

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        source.enter()
        values, index = self._begin.copy(), 0
        try:
            for reader in self._readers:
                values.append(reader.take(source))
                index += 1
        except ParseError as error:
            add_to_path(f"[{index}]", error)
            raise
        source.leave()
        return tuple(values)


class TupleWriter(Writer):
    """Writes values of some types, one after the other."""

    def __init__(self, name: str, of: tuple[SomeType, ...]) -> None:
        self._name = name
        self._writers = tuple(writer_of(part) for part in of)

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, tuple):
            raise wrong(self._name, value)
        values, index = tuple(value), 0  # a tuple itself, not an instance of a subclass
        if len(values) != len(self._writers):
            raise wrong(self._name, value)
        sink.enter()
        try:
            for writer in self._writers:
                writer.put(sink, values[index])
                index += 1
        except MarshalingError as error:
            add_to_path(f"[{index}]", error)
            raise
        sink.leave()


def tuple_of(*of: SomeType) -> BinType[tuple[object, ...]]:
    """Return the type of ``a * b * c``, as a ``tuple``."""
    for index, part in enumerate(of):
        check_type(part, f"[{index}]")
    name = f"tuple of {len(of)}"
    return BinType(name, sum(part.least for part in of), TupleReader(of), TupleWriter(name, of))


def pair(first: BinType[A], second: BinType[B]) -> BinType[tuple[A, B]]:
    """Return the type of ``a * b``, as a ``tuple`` of two."""
    both: SomeType = tuple_of(first, second)
    return both


class LazyReader(Reader):
    """Reads values of a type that is made later."""

    def __init__(self, get: Callable[[], SomeType]) -> None:
        self._get = get
        self._reader: Reader | None = None

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        at = source.at
        if source.levels < 1:
            raise ParseError(f"nested deeper than allowed at byte {at}", offset=at)
        try:
            source.enter()
            if self._reader is None:
                self._reader = reader_of(self._get())
            source.levels -= 1
            value = self._reader.take(source)
        except RecursionError:  # if this fails for the same reason, the next level outside tries again
            raise ParseError(f"nested deeper than Python can read at byte {at}", offset=at) from None
        source.levels += 1
        source.leave()
        return value


class LazyWriter(Writer):
    """Writes values of a type that is made later."""

    def __init__(self, get: Callable[[], SomeType]) -> None:
        self._get = get
        self._writer: Writer | None = None

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if sink.levels < 1:
            raise MarshalingError("nested deeper than allowed")
        try:
            sink.enter()
            if self._writer is None:
                self._writer = writer_of(self._get())
            sink.levels -= 1
            self._writer.put(sink, value)
        except RecursionError:
            raise MarshalingError("nested deeper than Python can write") from None
        sink.levels += 1
        sink.leave()


def lazy(of: Callable[[], BinType[T]]) -> BinType[T]:
    """Return a type that stands for one that is made later, as recursive types need: ``lazy(lambda: tree)``.

    Each such type inside another counts as one level of nesting, which a codec limits by its ``max_depth``.

    Args:
        of: a function that returns the type. It is called once, when the type is needed.
    """
    if not callable(of):
        raise TypeError(f"lazy takes a function that returns the type, as in lazy(lambda: tree), not {of!r}")

    @functools.cache
    def get() -> BinType[T]:
        made = of()
        check_type(made, "lazy")
        return made

    return BinType("recursive value", 1, LazyReader(get), LazyWriter(get))
