"""A bin_prot type: its reader, its writer, and the codec that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from zope.interface import implementer

from ...interfaces import ICodec
from ._wire import MessageCodec

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
class BinProtCodec(MessageCodec, Generic[T]):
    """The codec of messages of one type; `bin_prot_codec` makes it."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self, message: BinType[T], max_depth: int) -> None: ...

        def decode(self, payload: bytes) -> T:
            """See `ICodec`."""

        def encode(self, message: T) -> bytes:
            """See `ICodec`."""


def bin_prot_codec(message: BinType[T], *, max_depth: int = 100) -> BinProtCodec[T]:
    """Return the codec of messages of a type.

    A message is decoded in one go: one of 16 MiB, the default of `Limits.max_frame`, takes seconds of the reactor's
    time if it is made of many tiny values (2 MiB of empty lists took about 1 s). Lower that limit if your messages are
    smaller.

    Args:
        message: the type, as the functions of this package describe it.
        max_depth: how deep recursive types (see `lazy`) may nest. Whatever it is, at most 1200 values may lie inside
            each other: each `lazy`, list, record, variant and so on is one. A list that is a variant of records nests
            300 deep. If the hot path is not compiled, Python's recursion limit may be reached earlier. All of these end
            in the same errors.

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
