# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The variants of bin_prot: one of several constructors, each with or without arguments.

Compiled where a compiler was found at installation, with the types of ``_variant.pxd``.
"""

from __future__ import annotations

import enum
from typing import Any, TypeVar

from ...errors import MarshalingError, ParseError
from ._compounds import TupleReader, TupleWriter
from ._errors import add_to_path, cut_short, unexpected, wrong
from ._record import RecordType
from ._type import BinProtCodec, BinType, SomeType, check_type
from ._wire import Reader, Sink, Source, Writer, reader_of, writer_of

E = TypeVar("E", bound=enum.Enum)


class VariantReader(Reader):
    """Reads the index of a constructor, and its arguments.

    Args:
        name: the name of the variant in errors.
        types: the types of the constructors' arguments.
    """

    def __init__(self, name: str, types: list[SomeType]) -> None:
        self._what = f"a constructor of {name}"
        self._count = len(types)
        self._readers = tuple(reader_of(of) for of in types)

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        wide = self._count > 0x100
        index = self._index_of_two_bytes(source) if wide else source.code(self._what, self._count)
        reader = self._readers[index]
        source.enter()
        value = reader.take(source)
        source.leave()
        return value

    def _index_of_two_bytes(self, source: Source) -> int:
        view, at = source.data, source.at
        if source.end - at < 2:
            raise cut_short(f"{self._what}, 2 bytes", source.data, at)
        index = view[at] | view[at + 1] << 8
        if index >= self._count:
            raise unexpected(f"{self._what} (up to {self._count - 1})", at, str(index))
        source.at = at + 2
        return index


class VariantWriter(Writer):
    """Writes the index of a constructor, and its arguments.

    Args:
        name: the name of the variant in errors.
        types: the types of the constructors' arguments.
        index_of: the index of each constructor, by the key of `_constructor`.
    """

    def __init__(self, name: str, types: list[SomeType], index_of: dict[object, int]) -> None:
        self._name = name
        self._wide = len(types) > 0x100
        self._writers = tuple(writer_of(of) for of in types)
        self._index_of = index_of

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        found = self._find(value)
        if found is None:
            raise wrong(f"a value of {self._name}", value)
        index = found
        sink.out.append(index & 0xFF)
        if self._wide:
            sink.out.append(index >> 8)
        writer = self._writers[index]
        sink.enter()
        writer.put(sink, value)
        sink.leave()

    def _find(self, value: Any) -> int | None:
        """Return the index of a value's constructor: by its class, else by its tag, else by itself."""
        for cls in type(value).__mro__:
            if cls in self._index_of:
                return self._index_of[cls]
        key = value[0] if isinstance(value, tuple) and value else value
        try:
            return self._index_of.get(key)
        except TypeError:  # it cannot be hashed, so it is not a constant
            return None


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
    width = 1 if len(types) <= 0x100 else 2
    least = width + min(of.least for of in types)
    return BinType(name, least, VariantReader(name, types), VariantWriter(name, types, index_of))


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
    return key, _tagged(key, tuple(arguments)) if isinstance(given, tuple) else _constant(given)


def _is_hashable(key: object) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


class ConstantReader(Reader):
    """Reads a value that has no bytes."""

    def __init__(self, constant: object) -> None:
        self._constant = constant

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        return self._constant


class ConstantWriter(Writer):
    """Writes a value that has no bytes."""

    def __init__(self, constant: object) -> None:
        self._constant = constant

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if value != self._constant:
            raise wrong(repr(self._constant), value)


def _constant(constant: object) -> SomeType:
    return BinType(repr(constant), 0, ConstantReader(constant), ConstantWriter(constant))


class TaggedReader(Reader):
    """Reads the arguments of a constructor, as a tuple after its tag."""

    def __init__(self, label: str, tag: object, types: tuple[SomeType, ...]) -> None:
        self._label = label
        self._arguments = TupleReader(types, (tag,))

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        try:
            return self._arguments.take(source)
        except ParseError as error:
            add_to_path(self._label, error)
            raise


class TaggedWriter(Writer):
    """Writes the arguments of a constructor, which are in a tuple after its tag."""

    def __init__(self, label: str, types: tuple[SomeType, ...]) -> None:
        self._label = label
        self._arguments = TupleWriter(f"tuple of {len(types)}", types)

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, tuple):
            raise wrong(f"{self._label} in a tuple with its arguments", value)
        try:
            self._arguments.put(sink, tuple(value[1:]))
        except MarshalingError as error:
            add_to_path(self._label, error)
            raise


def _tagged(tag: object, types: tuple[SomeType, ...]) -> SomeType:
    label = tag.name if isinstance(tag, enum.Enum) else str(tag)
    for index, of in enumerate(types):
        check_type(of, f"{label}[{index}]")
    return BinType(label, sum(of.least for of in types), TaggedReader(label, tag, types), TaggedWriter(label, types))
