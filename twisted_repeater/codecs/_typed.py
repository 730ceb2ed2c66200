"""The base of codecs that know the classes of their messages."""

from __future__ import annotations

from typing import Generic, TypeVar

from zope.interface import implementer

from ..errors import MarshalingError
from ..interfaces import ITypedCodec
from ..selectors import NOTHING, Selector

T = TypeVar("T")


@implementer(ITypedCodec)
class TypedCodec(Generic[T]):
    """The base of codecs that know the classes of their messages; see `ITypedCodec`."""

    message_types: tuple[type, ...]

    def decode(self, payload: bytes) -> T:
        """See `ICodec`."""
        raise NotImplementedError

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        raise NotImplementedError

    def selector_for(self, types: tuple[type, ...]) -> Selector | None:
        """See `ITypedCodec`."""
        wanted = [own for own in self.message_types if any(overlap(own, other) for other in types)]
        if len(wanted) == len(self.message_types):
            return None
        return self.selector_of_some(wanted) if wanted else NOTHING

    def selector_of_some(self, types: list[type]) -> Selector | None:
        """Return the selector of some of ``message_types``, at least one and not all."""
        return None

    def wrong_type(self, message: object) -> MarshalingError:
        """Return the error about a message of another class."""
        expected = " or ".join(own.__name__ for own in self.message_types)
        return MarshalingError(f"expected {expected}, got {type(message).__name__}")


def overlap(one: type, other: type) -> bool:
    """Return whether an object may be of both classes because one is a subclass of the other."""
    return issubclass(one, other) or issubclass(other, one)


def in_path(path: str, field: str) -> str:
    """Return the dotted path of a field inside another: ``legs[2].price``."""
    return f"{path}.{field}" if path and not field.startswith("[") else path + field
