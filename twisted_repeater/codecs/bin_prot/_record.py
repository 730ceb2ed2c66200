# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The records of bin_prot: instances of any class.

Compiled where a compiler was found at installation, with the types of ``_record.pxd``.
"""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from types import MemberDescriptorType
from typing import Any, TypeVar

from ..._text import text_of
from ...errors import MarshalingError, ParseError
from ._errors import add_to_path, unexpected, wrong
from ._type import BinType, SomeType, check_type
from ._wire import Reader, Sink, Source, Writer, reader_of, writer_of

T = TypeVar("T")

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RecordType(BinType[T]):
    """A type whose values are recognized by their class."""

    cls: type[T]


class RecordReader(Reader):
    """Reads the fields, and calls the class with them.

    Args:
        cls: the class.
        fields: the types of the fields.
        in_order: whether the class takes them in this order. To pass them by keyword takes twice the time.
    """

    def __init__(self, cls: type, fields: dict[str, SomeType], in_order: bool) -> None:
        self._cls = cls
        self._names = tuple(fields)
        self._readers = tuple(reader_of(of) for of in fields.values())
        self._in_order = in_order

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        start = source.at
        source.enter()
        values: list[Any] = []
        try:
            for reader in self._readers:
                values.append(reader.take(source))
        except ParseError as error:
            add_to_path(self._names[len(values)], error)
            raise
        source.leave()
        try:
            if self._in_order:
                return self._cls(*values)
            return self._cls(**dict(zip(self._names, values, strict=True)))
        except Exception as error:
            name = self._cls.__name__
            raise unexpected(name, start, f"values that it refuses: {text_of(error)}") from error


class FieldsReader(Reader):
    """Reads the fields into an instance of a class, whose ``__init__`` is not called: it would do the same.

    To call ``__init__`` takes more time than all the rest of a small message. `assigns_fields` says of which classes
    an instance can be made like this, as they are when the type is described. `RecordReader` makes those of all others.
    """

    def __init__(self, cls: type, fields: dict[str, SomeType]) -> None:
        self._cls = cls
        self._names = tuple(fields)
        self._readers = tuple(reader_of(of) for of in fields.values())

    def take(self, source: Source) -> Any:
        """See `Reader`."""
        made, index = _new(self._cls), 0
        source.enter()
        try:
            for reader in self._readers:
                _assign(made, self._names[index], reader.take(source))
                index += 1
        except ParseError as error:
            add_to_path(self._names[index], error)
            raise
        source.leave()
        return made


def _new(cls: type) -> Any:
    """Return a new object of a class that has the ``__new__`` of `object`."""
    return new_object(cls) if COMPILED else object.__new__(cls)  # type: ignore[name-defined]  # noqa: F821


def _assign(made: object, name: str, value: object) -> None:
    """Assign an attribute; that of a frozen dataclass, too."""
    set_attribute(made, name, value) if COMPILED else object.__setattr__(made, name, value)  # type: ignore[name-defined]  # noqa: F821


def assigns_fields(cls: type, names: tuple[str, ...]) -> bool:
    """Return whether a call of a class with these fields does nothing but assign them to a new object.

    So it is for dataclasses without defaults that are made, and without methods that take part. Their ``__init__`` must
    be, instruction for instruction, the one that `dataclasses` writes for these fields.
    """
    if not dataclasses.is_dataclass(cls) or names != tuple(field.name for field in dataclasses.fields(cls)):
        return False
    if type(cls).__call__ is not type.__call__ or cls.__new__ is not object.__new__ or inspect.isabstract(cls):
        return False
    frozen: bool = cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if hasattr(cls, "__del__") or not (frozen or cls.__setattr__ is object.__setattr__):
        return False
    for name in names:
        found = inspect.getattr_static(cls, name, None)
        if hasattr(type(found), "__set__") and not isinstance(found, MemberDescriptorType):
            return False
    plain: Any = dataclasses.make_dataclass("Plain", names, frozen=frozen)
    ours, its = getattr(cls.__init__, "__code__", None), plain.__init__.__code__
    return ours is not None and all(
        getattr(ours, part) == getattr(its, part)
        for part in ("co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_flags", "co_argcount")
    )


class RecordWriter(Writer):
    """Writes the attributes of an object."""

    def __init__(self, cls: type, fields: dict[str, SomeType]) -> None:
        self._cls = cls
        self._names = tuple(fields)
        self._writers = tuple(writer_of(of) for of in fields.values())

    def put(self, sink: Sink, value: Any) -> None:
        """See `Writer`."""
        if not isinstance(value, self._cls):
            raise wrong(self._cls.__name__, value)
        index = 0
        sink.enter()
        try:
            for writer in self._writers:
                writer.put(sink, getattr(value, self._names[index]))
                index += 1
        except MarshalingError as error:
            add_to_path(self._names[index], error)
            raise
        except AttributeError as error:
            raise MarshalingError(str(error), field=self._names[index]) from error
        sink.leave()


def record(cls: type[T], /, **fields: SomeType) -> BinType[T]:
    """Return the type of a record, as an instance of a class.

    Args:
        cls: a dataclass, a msgspec struct, or any class like them. It is called with all fields, and has each as the
            attribute of its name. For a plain dataclass the fields are assigned to a new object, as its ``__init__``
            would do.
        fields: the types of the fields, in the order of the OCaml type.

    Raises:
        TypeError: the fields do not fit the class, or one is not a type.
    """
    for field, of in fields.items():
        check_type(of, field)
    try:
        signature = inspect.signature(cls)
    except ValueError:  # a few classes have no signature to ask
        in_order = False
    else:
        signature.bind(**fields)  # fields that do not fit the class are an error now
        in_order = _are_in_order(signature, tuple(fields))
    by_field = assigns_fields(cls, tuple(fields))
    reader: Reader = FieldsReader(cls, fields) if by_field else RecordReader(cls, fields, in_order)
    least = sum(of.least for of in fields.values())
    return RecordType(cls.__name__, least, reader, RecordWriter(cls, fields), cls)


def _are_in_order(signature: inspect.Signature, names: tuple[str, ...]) -> bool:
    """Return whether a call takes these names first, in this order, and not only by keyword."""
    first = list(signature.parameters.values())[: len(names)]
    by_place = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in first)
    return by_place and tuple(parameter.name for parameter in first) == names
