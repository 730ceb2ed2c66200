"""The bin_prot types that are made of others: options, lists, tuples, records, recursive types."""

from __future__ import annotations

import functools
import inspect
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..._text import text_of
from ...errors import MarshalingError, ParseError
from ._basics import read_code, read_nat0, write_nat0
from ._type import BinType, SomeType, add_to_path, check_type, count_bytes, unexpected, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

AS_VARIANT = "describe the inner option as a variant"


class _Option(SomeType):
    """A type that reads ``None``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RecordType(BinType[T]):
    """A type whose values are recognized by their class."""

    cls: type[T]


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
    name, read_value, write_value = f"option of {of.name}", of.read, of.write

    def read(data: bytes, at: int, levels: int) -> tuple[T | None, int]:
        if not read_code(name, 2, data, at):
            return None, at + 1
        value, end = read_value(data, at + 1, levels)
        if value is None:
            raise ParseError(f"Some None at byte {at} cannot be told from None: {AS_VARIANT}", offset=at)
        return value, end

    def write(out: bytearray, value: T | None, levels: int) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            write_value(out, value, levels)

    return _Option(name, 1, read, write)


def list_of(of: BinType[T]) -> BinType[list[T]]:
    """Return the type of ``t list``, as a ``list``; a ``tuple`` can be written too.

    Raises:
        ValueError: values of the type may have no bytes.
    """
    check_type(of, "list_of")
    if of.least < 1:
        raise ValueError(f"the values of a list must have at least one byte, those of {of.name} may have 0")
    name, least, read_value, write_value = f"list of {of.name}", of.least, of.read, of.write

    def read(data: bytes, at: int, levels: int) -> tuple[list[T], int]:
        count, start = read_nat0(data, at, levels)
        left = len(data) - start
        if count * least > left:
            raise unexpected(f"{name} with {count} values", at, f"{count_bytes(left)} after the count")
        values: list[T] = []
        at = start
        try:
            for _ in range(count):
                value, at = read_value(data, at, levels)
                values.append(value)
        except ParseError as error:
            add_to_path(f"[{len(values)}]", error)
            raise
        return values, at

    def write(out: bytearray, value: list[T], levels: int) -> None:
        if not isinstance(value, (list, tuple)):
            raise wrong(name, value)
        write_nat0(out, len(value), levels)
        index = 0
        try:
            for index in range(len(value)):
                write_value(out, value[index], levels)
        except MarshalingError as error:
            add_to_path(f"[{index}]", error)
            raise

    return BinType(name, 1, read, write)


array_of = list_of
"""Returns the type of ``t array``, which is a list on the wire."""


def tuple_of(*of: SomeType) -> BinType[tuple[object, ...]]:
    """Return the type of ``a * b * c``, as a ``tuple``."""
    for index, part in enumerate(of):
        check_type(part, f"[{index}]")
    name = f"tuple of {len(of)}"
    readers, writers = [part.read for part in of], [part.write for part in of]

    def read(data: bytes, at: int, levels: int) -> tuple[tuple[object, ...], int]:
        values: list[object] = []
        try:
            for read_part in readers:
                value, at = read_part(data, at, levels)
                values.append(value)
        except ParseError as error:
            add_to_path(f"[{len(values)}]", error)
            raise
        return tuple(values), at

    def write(out: bytearray, value: tuple[object, ...], levels: int) -> None:
        if not isinstance(value, tuple) or len(value) != len(writers):
            raise wrong(name, value)
        index = 0
        try:
            for index, write_part in enumerate(writers):
                write_part(out, value[index], levels)
        except MarshalingError as error:
            add_to_path(f"[{index}]", error)
            raise

    return BinType(name, sum(part.least for part in of), read, write)


def pair(first: BinType[A], second: BinType[B]) -> BinType[tuple[A, B]]:
    """Return the type of ``a * b``, as a ``tuple`` of two."""
    both: SomeType = tuple_of(first, second)
    return both


def record(cls: type[T], /, **fields: SomeType) -> BinType[T]:
    """Return the type of a record, as an instance of a class.

    Args:
        cls: a dataclass, a msgspec struct, or any class like them. It is called with all fields by keyword, and has
            each as the attribute of its name.
        fields: the types of the fields, in the order of the OCaml type.

    Raises:
        TypeError: the fields do not fit the class, or one is not a type.
    """
    for field, of in fields.items():
        check_type(of, field)
    with suppress(ValueError):  # a few classes have no signature to ask
        inspect.signature(cls).bind(**fields)  # fields that do not fit the class are an error now
    name = cls.__name__
    readers = [(field, of.read) for field, of in fields.items()]

    def read(data: bytes, at: int, levels: int) -> tuple[T, int]:
        start, field, values = at, "", {}
        try:
            for field, read_field in readers:
                values[field], at = read_field(data, at, levels)
        except ParseError as error:
            add_to_path(field, error)
            raise
        try:
            return cls(**values), at
        except Exception as error:
            raise unexpected(name, start, f"values that it refuses: {text_of(error)}") from error

    return RecordType(name, sum(of.least for of in fields.values()), read, _record_writer(cls, fields), cls)


def _record_writer(cls: type[T], fields: dict[str, SomeType]) -> Callable[[bytearray, T, int], None]:
    """Return the writer of a record."""
    writers = [(field, of.write) for field, of in fields.items()]

    def write(out: bytearray, value: T, levels: int) -> None:
        if not isinstance(value, cls):
            raise wrong(cls.__name__, value)
        field = ""
        try:
            for field, write_field in writers:
                write_field(out, getattr(value, field), levels)
        except MarshalingError as error:
            add_to_path(field, error)
            raise
        except AttributeError as error:
            raise MarshalingError(str(error), field=field) from error

    return write


def lazy(of: Callable[[], BinType[T]]) -> BinType[T]:
    """Return a type that stands for one that is made later, as recursive types need: ``lazy(lambda: tree)``.

    Each such type inside another counts as one level of nesting, which a codec limits by its ``max_depth``. Python's
    recursion limit may be reached earlier, with the same errors.

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

    def read(data: bytes, at: int, levels: int) -> tuple[T, int]:
        if levels < 1:
            raise ParseError(f"nested deeper than allowed at byte {at}", offset=at)
        try:
            return get().read(data, at, levels - 1)
        except RecursionError:  # if this fails for the same reason, the next level outside tries again
            raise ParseError(f"nested deeper than Python can read at byte {at}", offset=at) from None

    def write(out: bytearray, value: T, levels: int) -> None:
        if levels < 1:
            raise MarshalingError("nested deeper than allowed")
        try:
            get().write(out, value, levels - 1)
        except RecursionError:
            raise MarshalingError("nested deeper than Python can write") from None

    return BinType("recursive value", 1, read, write)
