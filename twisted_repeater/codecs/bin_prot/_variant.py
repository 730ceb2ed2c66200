"""The variants of bin_prot: one of several constructors, each with or without arguments."""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, TypeVar

from ...errors import MarshalingError, ParseError
from ._basics import read_code
from ._compounds import RecordType, tuple_of
from ._type import BinProtCodec, BinType, SomeType, add_to_path, check_type, cut_short, unexpected, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

E = TypeVar("E", bound=enum.Enum)

WIDE_INDEX = struct.Struct("<H")


def variant(*constructors: object, name: str = "variant") -> SomeType:
    """Return the type of a variant.

    Args:
        constructors: the constructors in the order of the OCaml type. Each is one of

            - a constant, such as ``"Heartbeat"`` or a member of an enum: ``Heartbeat``, as that constant;
            - a `record`: ``Limit of limit`` or ``Limit of {price: float}``, as an instance of its class;
            - a tuple of a name and types: ``("Rename", bin_string, bin_string)`` for ``Rename of string * string``, as
              a tuple ``("Rename", b"old", b"new")``.
        name: the name of the variant in errors.

    Raises:
        TypeError: a constructor is of another kind.
        ValueError: the number of constructors is not between 1 and 65536, or two are equal.
    """
    if not 1 <= len(constructors) <= 0x10000:
        raise ValueError(f"a variant must have 1 to 65536 constructors, not {len(constructors)}")
    parts = [_constructor(given) for given in constructors]
    types = [of for _, of in parts]
    index_of = {key: index for index, (key, _) in enumerate(parts)}
    if len(index_of) != len(parts):
        raise ValueError(f"the constructors of {name} must all be different")
    readers, writers = [of.read for of in types], [of.write for of in types]
    width = 1 if len(types) <= 0x100 else 2
    read_index = _index_reader(f"a constructor of {name}", len(types), width)

    def read(data: bytes, at: int, levels: int) -> tuple[object, int]:
        index = read_index(data, at)
        value, end = readers[index](data, at + width, levels)
        return value, end

    def write(out: bytearray, value: object, levels: int) -> None:
        index = _find_constructor(index_of, value)
        if index is None:
            raise wrong(f"a value of {name}", value)
        out += index.to_bytes(width, "little")
        writers[index](out, value, levels)

    return BinType(name, width + min(of.least for of in types), read, write)


def enumeration(members: type[E]) -> BinType[E]:
    """Return the type of a variant of constants, as the members of an enum in the order of the OCaml type.

    Raises:
        TypeError: ``members`` is not an enum.
        ValueError: two members have the same value.
    """
    if not (isinstance(members, type) and issubclass(members, enum.Enum)):
        raise TypeError(f"enumeration takes a subclass of enum.Enum, not {members!r}")
    names = [member.name for member in members]
    for name in members.__members__:
        if name not in names:
            raise ValueError(f"{members.__name__}.{name} must have a value of its own, not that of other members")
    return variant(*members, name=members.__name__)


def _constructor(given: object) -> tuple[object, SomeType]:
    """Return the key by which a constructor's values are found, and the type of its arguments."""
    if isinstance(given, RecordType):
        return given.cls, given
    key, *arguments = (given or (None,)) if isinstance(given, tuple) else (given,)
    if key is None or isinstance(key, (BinType, BinProtCodec, type)) or not _is_hashable(key):
        raise TypeError(f"a constructor must be a constant, a record, or a tuple of a name and types, not {given!r}")
    return key, _tagged(key, arguments) if isinstance(given, tuple) else _constant(given)


def _is_hashable(key: object) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _constant(constant: object) -> SomeType:
    def read(data: bytes, at: int, levels: int) -> tuple[object, int]:
        return constant, at

    def write(out: bytearray, value: object, levels: int) -> None:
        if value != constant:
            raise wrong(repr(constant), value)

    return BinType(repr(constant), 0, read, write)


def _tagged(tag: object, types: list[SomeType]) -> SomeType:
    label = tag.name if isinstance(tag, enum.Enum) else str(tag)
    for index, of in enumerate(types):
        check_type(of, f"{label}[{index}]")
    arguments = tuple_of(*types)

    def read(data: bytes, at: int, levels: int) -> tuple[tuple[object, ...], int]:
        try:
            values, end = arguments.read(data, at, levels)
        except ParseError as error:
            add_to_path(label, error)
            raise
        return (tag, *values), end

    def write(out: bytearray, value: object, levels: int) -> None:
        if not isinstance(value, tuple):
            raise wrong(f"{label} in a tuple with its arguments", value)
        try:
            arguments.write(out, value[1:], levels)
        except MarshalingError as error:
            add_to_path(label, error)
            raise

    return BinType(label, arguments.least, read, write)


def _index_reader(what: str, count: int, width: int) -> Callable[[bytes, int], int]:
    def read_byte(data: bytes, at: int) -> int:
        return read_code(what, count, data, at)

    def read_two_bytes(data: bytes, at: int) -> int:
        try:
            index: int = WIDE_INDEX.unpack_from(data, at)[0]
        except struct.error:
            raise cut_short(f"{what}, 2 bytes", data, at) from None
        if index >= count:
            raise unexpected(f"{what} (up to {count - 1})", at, str(index))
        return index

    return read_byte if width == 1 else read_two_bytes


def _find_constructor(index_of: dict[object, int], value: object) -> int | None:
    """Return the index of a value's constructor: by its class, else by its tag, else by itself."""
    for cls in type(value).__mro__:
        if cls in index_of:
            return index_of[cls]
    key = value[0] if isinstance(value, tuple) and value else value
    try:
        return index_of.get(key)
    except TypeError:  # it cannot be hashed, so it is not a constant
        return None
