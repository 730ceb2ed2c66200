"""The codec of messages of several kinds, which the first bytes of the payload tell apart."""

from __future__ import annotations

from collections.abc import Mapping

from .._text import text_of
from .._types import Codec
from ..errors import ParseError
from ..selectors import Selector, bytes_at
from ._typed import TypedCodec

__all__ = ["TaggedCodec", "tagged"]


def tagged(codecs: Mapping[bytes, Codec]) -> TaggedCodec:
    """Return the codec of payloads that begin with a tag, which chooses the codec of the rest::

        tagged({b"O": fixed(Order, id="Q", price="d"), b"C": fixed(Cancel, id="Q")})

    Args:
        codecs: a codec for each tag. The tags are of one length. Each codec must know the classes of its messages (see
            `ITypedCodec`), as the codecs of this package do, except for `RawCodec`.

    Raises:
        TypeError: a codec does not know the classes of its messages.
        ValueError: the tags are of several lengths, or a class is under two tags.
    """
    return TaggedCodec(codecs)


class TaggedCodec(TypedCodec[object]):
    """Messages of several kinds after a tag; `tagged` makes it."""

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
        self.message_types: tuple[type, ...] = tuple(self._kinds)

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        tag = payload[: self._size]
        codec = self._codecs.get(tag)
        if codec is None:
            raise ParseError(f"expected a tag at byte 0, found {tag!r}" if tag else "no tag: empty", offset=0)
        try:
            return codec.decode(payload[self._size :])
        except ParseError as error:
            if error.offset is not None:
                error.offset += self._size
            error.args = (f"after the tag {tag!r}: {text_of(error)}",)
            raise

    def encode(self, message: object) -> bytes:
        """See `ICodec`. The tag is that of the message's class, or else of its nearest base class."""
        for cls in type(message).__mro__:
            kind = self._kinds.get(cls)
            if kind is not None:
                tag, codec = kind
                return tag + codec.encode(message)
        raise self.wrong_type(message)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`. It is exact if each tag is of one class."""
        return bytes_at(0, {self._kinds[cls][0] for cls in types})
