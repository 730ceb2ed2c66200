"""A bin_prot type: its reader, its writer, their errors, and the codec that is made of it."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from zope.interface import implementer

from ...errors import MarshalingError, ParseError
from ...interfaces import ICodec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class BinType(Generic[T]):
    """How the values of one type are read and written.

    Make types of your own by giving these four.
    """

    name: str
    """Its name in errors."""
    least: int
    """The fewest bytes that a value takes. A count of more values than can follow is refused before one is read."""
    read: Callable[[bytes, int, int], tuple[T, int]]
    """``read(data, at, levels)`` returns the value that begins at the offset ``at``, and the offset of its end, or it
    raises `ParseError`. ``levels`` is how deep recursive types may still nest; pass it on to other readers."""
    write: Callable[[bytearray, T, int], None]
    """``write(out, value, levels)`` appends the bytes of a value, or raises `MarshalingError`."""

    def __repr__(self) -> str:
        return f"<bin_prot type: {self.name}>"


SomeType: TypeAlias = BinType[Any]
"""A type whose values are of any class."""


@implementer(ICodec)
class BinProtCodec(Generic[T]):
    """The codec of messages of one type; `bin_prot_codec` makes it."""

    __slots__ = ("_levels", "_read", "_write")

    def __init__(self, message: BinType[T], max_depth: int) -> None:
        self._read = message.read
        self._write = message.write
        self._levels = max_depth

    def decode(self, payload: bytes) -> T:
        """See `ICodec`."""
        try:
            message, end = self._read(payload, 0, self._levels)
        except ParseError as error:
            _put_path_first(error)
            raise
        except RecursionError:
            raise ParseError("nested deeper than can be read") from None
        if end != len(payload):
            raise unexpected("the end", end, f"{count_bytes(len(payload) - end)} left over")
        return message

    def encode(self, message: T) -> bytes:
        """See `ICodec`."""
        out = bytearray()
        try:
            self._write(out, message, self._levels)
        except MarshalingError as error:
            _put_path_first(error)
            raise
        except RecursionError:
            raise MarshalingError("nested deeper than can be written") from None
        return bytes(out)


def bin_prot_codec(message: BinType[T], *, max_depth: int = 100) -> BinProtCodec[T]:
    """Return the codec of messages of a type.

    A message is decoded in one go: one of 16 MiB, the default of `Limits.max_frame`, takes seconds of the reactor's
    time if it is made of many tiny values (2 MiB of empty lists took 1.2 s). Lower that limit if your messages are
    smaller.

    Args:
        message: the type, as the functions of this package describe it.
        max_depth: how deep recursive types (see `lazy`) may nest. Python's recursion limit, 1000 calls by default, may
            be reached earlier, with the same errors: a level takes a call for each type from one `lazy` to the next,
            two for a constructor with arguments. A list that is a variant of records nests about 300 deep.

    Raises:
        TypeError: ``message`` is not a type of bin_prot.
    """
    check_type(message, "bin_prot_codec")
    return BinProtCodec(message, max_depth)


def check_type(of: object, where: str) -> None:
    """Raise ``TypeError``, which names the place of the argument, unless it is a bin_prot type."""
    if isinstance(of, BinType):
        return
    hint = ""
    if isinstance(of, BinProtCodec):
        hint = ": give the type that the codec was made of"
    elif callable(of) and not isinstance(of, type):
        hint = ": call it"
    raise TypeError(f"{where} must be a bin_prot type such as bin_int, not {of!r}{hint}")


def unexpected(expected: str, at: int, found: str) -> ParseError:
    """Return the error of a reader that found something else than it expected at a byte."""
    return ParseError(f"expected {expected} at byte {at}, found {found}", offset=at)


def cut_short(expected: str, data: bytes, at: int) -> ParseError:
    """Return the error of a reader for which too few bytes are left."""
    left = len(data) - at
    return unexpected(expected, at, f"only {count_bytes(left)}" if left > 0 else "the end")


def wrong(expected: str, value: object) -> MarshalingError:
    """Return the error of a writer that was given something else than it expected."""
    try:
        shown = reprlib.repr(value)
    except Exception:  # an int of more digits than Python converts, or a repr of the application's that raises
        shown = f"a value of type {type(value).__name__}"
    return MarshalingError(f"expected {expected}, got {shown}")


def add_to_path(part: str, error: ParseError | MarshalingError) -> None:
    """Add a part to the front of the path of an error, while the error goes up."""
    inner = error.field or ""
    error.field = f"{part}.{inner}" if inner and not inner.startswith("[") else part + inner


def count_bytes(size: int) -> str:
    """Return a number of bytes in words."""
    return "1 byte" if size == 1 else f"{size} bytes"


def _put_path_first(error: ParseError | MarshalingError) -> None:
    if error.field:
        error.args = (f"{error.field}: {error}",)
