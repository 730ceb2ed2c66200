"""The values of fields: as they are written, and as filters read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import methodcaller
from typing import TYPE_CHECKING, TypeAlias, overload

from ..._text import repr_of
from .tags import DATA_FIELDS, HEADER, LENGTH_FIELDS, TRAILER

__all__ = [
    "Fields",
    "Flag",
    "Number",
    "Text",
    "Value",
    "Whole",
    "encoded",
    "encoded_fields",
    "placed",
    "timestamp",
    "with_lengths",
]

Value: TypeAlias = bytes | str | int | Decimal | bool | datetime
"""What a field may be made of."""
Fields: TypeAlias = Mapping[int, Value] | Sequence[tuple[int, Value]]
"""Some fields in order, the tags and the values. Where a tag occurs several times they are pairs."""


def timestamp(when: datetime) -> bytes:
    """Return a time as FIX writes it: in UTC, with milliseconds."""
    if when.tzinfo is None:
        raise ValueError(f"a time must have a time zone, not {when!r}")
    when = when.astimezone(UTC)
    return b"%b.%03d" % (when.strftime("%Y%m%d-%H:%M:%S").encode(), when.microsecond // 1000)


def encoded(tag: int, value: Value) -> bytes:
    """Return the bytes of a value.

    Raises:
        TypeError: the value is of another kind.
        ValueError: it cannot be written: an infinite number, a time without a zone, SOH where no data may be, or
            characters that Latin-1 does not have.
    """
    if isinstance(value, bytes):
        data = value
    elif isinstance(value, str):
        data = value.encode("latin-1")
    elif isinstance(value, bool):
        data = b"Y" if value else b"N"
    elif isinstance(value, int):
        data = b"%d" % value
    elif isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"field {tag} must be a finite number, not {value}")
        data = format(value, "f").encode()
    elif isinstance(value, datetime):
        data = timestamp(value)
    else:
        raise TypeError(f"field {tag} must be bytes, a string, a number, a flag or a time, not {repr_of(value)}")
    if b"\1" in data and tag not in LENGTH_FIELDS:
        raise ValueError(f"field {tag} must not contain SOH")
    return data


def encoded_fields(fields: Fields) -> list[tuple[int, bytes]]:
    """Return fields as bytes. The length of data stands before it, whether it was given or not.

    Raises:
        TypeError: a tag or a value is of another kind.
        ValueError: a tag is not above 0, or a value cannot be written.
    """
    made: list[tuple[int, bytes]] = []
    for tag, value in fields.items() if isinstance(fields, Mapping) else fields:
        check_tag(tag)
        data = encoded(tag, value)
        if tag in LENGTH_FIELDS:
            made.append((LENGTH_FIELDS[tag], b"%d" % len(data)))
        if tag not in DATA_FIELDS:
            made.append((tag, data))
    return made


def check_tag(tag: int) -> None:
    """Raise an error unless a tag is one."""
    if type(tag) is not int:
        raise TypeError(f"a tag must be a whole number, not {repr_of(tag)}")
    if not 0 < tag < 10**9:
        raise ValueError(f"a tag must be above 0 and have at most 9 digits, not {tag}")


def with_lengths(changes: Mapping[int, bytes | None]) -> dict[int, bytes | None]:
    """Return changes with those of the lengths of data. A length goes before its data."""
    left: dict[int, bytes | None] = {}
    for tag, value in changes.items():
        if tag in LENGTH_FIELDS:
            left[LENGTH_FIELDS[tag]] = None if value is None else b"%d" % len(value)
        left[tag] = value
    return left


def placed(fields: tuple[tuple[int, bytes], ...], added: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the fields of a message and new ones, in their places."""
    body = next((at for at, (tag, _) in enumerate(fields) if tag not in HEADER), len(fields))
    trailer = next((at for at, (tag, _) in enumerate(fields) if tag in TRAILER), len(fields))
    new = [field for field in added if field[0] in HEADER]
    other = [field for field in added if field[0] not in HEADER]
    return [*fields[:body], *new, *fields[body:trailer], *other, *fields[trailer:]]


class Text(property):
    """A field of a typed message, read as a string; ``None`` without it.

    Args:
        tag: the number of the field.
    """

    def __init__(self, tag: int) -> None:
        super().__init__(methodcaller("text", tag))

    if TYPE_CHECKING:

        @overload
        def __get__(self, message: None, owner: type | None = None) -> Text: ...
        @overload
        def __get__(self, message: object, owner: type | None = None) -> str | None: ...
        def __get__(self, message: object, owner: type | None = None) -> Text | str | None: ...


class Number(property):
    """A field of a typed message, read as a number; ``None`` without it.

    Reading a value that is no number is a `ParseError`.

    Args:
        tag: the number of the field.
    """

    def __init__(self, tag: int) -> None:
        super().__init__(methodcaller("number", tag))

    if TYPE_CHECKING:

        @overload
        def __get__(self, message: None, owner: type | None = None) -> Number: ...
        @overload
        def __get__(self, message: object, owner: type | None = None) -> Decimal | None: ...
        def __get__(self, message: object, owner: type | None = None) -> Number | Decimal | None: ...


class Whole(property):
    """A field of a typed message, read as a whole number; ``None`` without it.

    Reading a value that is no whole number is a `ParseError`.

    Args:
        tag: the number of the field.
    """

    def __init__(self, tag: int) -> None:
        super().__init__(methodcaller("whole", tag))

    if TYPE_CHECKING:

        @overload
        def __get__(self, message: None, owner: type | None = None) -> Whole: ...
        @overload
        def __get__(self, message: object, owner: type | None = None) -> int | None: ...
        def __get__(self, message: object, owner: type | None = None) -> Whole | int | None: ...


class Flag(property):
    """A field of a typed message, read as a flag: whether it is there, and ``Y``.

    Args:
        tag: the number of the field.
    """

    def __init__(self, tag: int) -> None:
        super().__init__(methodcaller("flag", tag))

    if TYPE_CHECKING:

        @overload
        def __get__(self, message: None, owner: type | None = None) -> Flag: ...
        @overload
        def __get__(self, message: object, owner: type | None = None) -> bool: ...
        def __get__(self, message: object, owner: type | None = None) -> Flag | bool: ...
