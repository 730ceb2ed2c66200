"""The codec of messages of several kinds, told apart by the first bytes of the payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._text import text_of
from .._types import Codec
from ..errors import ParseError
from ..selectors import Selector, bytes_at
from ._typed import TypedCodec

__all__ = ["TaggedCodec", "tagged"]


def tagged(codecs: Mapping[bytes, Codec]) -> TaggedCodec:
    """Make the codec of payloads that begin with a tag, which says what the rest is.

    The tags are of one length. Each codec must know the classes of its messages, as those of this package do (except
    for raw bytes), and no class may be under two tags::

        tagged({b"O": fixed(Order, id="Q", price="d"), b"C": fixed(Cancel, id="Q")})
    """
    return TaggedCodec(codecs)


class TaggedCodec(TypedCodec):
    """Messages of several kinds behind a tag; `tagged` makes it."""

    def __init__(self, codecs: Mapping[bytes, Codec]) -> None:
        sizes = {len(tag) for tag in codecs}
        if len(sizes) != 1 or 0 in sizes:
            raise ValueError("the tags must be of one length, at least one byte")
        (self._size,) = sizes
        self._codecs = dict(codecs)
        self._kinds: dict[type, tuple[bytes, Codec]] = {}
        for tag, codec in codecs.items():
            types = getattr(codec, "message_types", ())
            if not types:
                raise TypeError(f"{tag!r}: the codec does not know the classes of its messages")
            for cls in types:
                if cls in self._kinds:
                    raise ValueError(f"{cls.__name__} is under two tags")
                self._kinds[cls] = (tag, codec)
        self.message_types = tuple(self._kinds)

    def decode(self, payload: bytes) -> Any:
        """Read a message of the kind that its tag says."""
        tag = payload[: self._size]
        codec = self._codecs.get(tag)
        if codec is None:
            raise ParseError(f"expected a tag at byte 0, found {tag!r}" if tag else "no tag: empty", offset=0)
        try:
            return codec.decode(payload[self._size :])
        except ParseError as error:
            if error.offset is not None:
                error.offset += self._size
            error.args = (f"behind the tag {tag!r}: {text_of(error)}",)
            raise

    def encode(self, message: Any) -> bytes:
        """Write a message behind the tag of its class."""
        for cls in type(message).__mro__:
            kind = self._kinds.get(cls)
            if kind is not None:
                tag, codec = kind
                payload: bytes = codec.encode(message)
                return tag + payload
        raise self.wrong_type(message)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`. Exact as far as each tag is of one class."""
        return bytes_at(0, {self._kinds[cls][0] for cls in types})
