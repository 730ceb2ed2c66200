"""The codecs of JSON and MessagePack, into typed structs through ``msgspec``, which is an optional extra."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from types import UnionType
from typing import Any, TypeAlias

import msgspec

from .._text import text_of
from ..errors import MarshalingError, ParseError
from ..selectors import Selector, contains
from ._typed import TypedCodec, in_path

__all__ = ["MsgspecCodec", "msgspec_json", "msgspec_msgpack"]

Hook: TypeAlias = Callable[..., Any]


def msgspec_json(
    of: object, *, strict: bool = True, enc_hook: Hook | None = None, dec_hook: Hook | None = None
) -> MsgspecCodec:
    """Return the codec of JSON messages of a type: ``msgspec_json(Order | Cancel)``.

    Args:
        of: any type that msgspec decodes. For many kinds of message in one direction, use a union of tagged structs
            (``tag=True``).
        strict: as in `msgspec.json.Decoder`.
        enc_hook: as in `msgspec.json.Encoder`.
        dec_hook: as in `msgspec.json.Decoder`.
    """
    return MsgspecCodec(
        of,
        msgspec.json.Decoder(of, strict=strict, dec_hook=dec_hook).decode,
        msgspec.json.Encoder(enc_hook=enc_hook).encode,
        # JSON can write a string in many ways, but either as it is or with a backslash in it.
        lambda tags: contains({f'"{tag}"'.encode() for tag in tags} | {b"\\"}),
    )


def msgspec_msgpack(
    of: object, *, strict: bool = True, enc_hook: Hook | None = None, dec_hook: Hook | None = None
) -> MsgspecCodec:
    """Return the codec of MessagePack messages of a type; see `msgspec_json`."""
    return MsgspecCodec(
        of,
        msgspec.msgpack.Decoder(of, strict=strict, dec_hook=dec_hook).decode,
        msgspec.msgpack.Encoder(enc_hook=enc_hook).encode,
        lambda tags: contains({tag.encode() for tag in tags}),
    )


class MsgspecCodec(TypedCodec[object]):
    """Messages that msgspec reads and writes; `msgspec_json` and `msgspec_msgpack` make it."""

    def __init__(
        self,
        of: object,
        decode: Callable[[bytes], object],
        encode: Callable[[object], bytes],
        selector: Callable[[list[str]], Selector],
    ) -> None:
        self._decode = decode
        self._encode = encode
        self._selector = selector
        parts = typing.get_args(of) if isinstance(of, UnionType) or typing.get_origin(of) is typing.Union else (of,)
        self.message_types: tuple[type, ...] = parts if all(map(_has_instances, parts)) else ()

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        try:
            return self._decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _parse_error(error) from error

    def encode(self, message: object) -> bytes:
        """See `ICodec`. The class of the message is checked, the values of its fields are not."""
        if self.message_types and not isinstance(message, self.message_types):
            raise self.wrong_type(message)
        try:
            return self._encode(message)
        except Exception as error:
            raise MarshalingError(f"{type(message).__name__}: {text_of(error)}") from error

    def selector_of_some(self, types: list[type]) -> Selector | None:
        """See `TypedCodec`. It searches for the tags, so it wants a few other messages too.

        There is one only for unions of structs whose tags are strings: elsewhere a tag may be missing, or written in
        other ways.
        """
        tags = {own: tag for own in self.message_types if isinstance(tag := _tag(own), str) and tag}
        return self._selector([tags[own] for own in types]) if len(tags) == len(self.message_types) else None


def _parse_error(error: Exception) -> ParseError:
    """Return an error with the same text, and with the field and the offset that it names."""
    said = re.fullmatch(r"(.*?)(?: - at (?:`key` in )?`\$\.?(.*)`)?", str(error), re.DOTALL)
    assert said is not None
    what, path = said[1], said[2] or ""
    if missing := re.search(r"(?:required|unknown) field `(.*)`$", what):
        path = in_path(path, missing[1])
    malformed = re.search(r"\(byte (\d+)\)$", what)
    return ParseError(
        f"{path}: {what}" if path else what, offset=int(malformed[1]) if malformed else None, field=path or None
    )


def _has_instances(part: object) -> bool:
    """Return whether a type is a class that `isinstance` accepts, as those of type hints alone are not."""
    try:
        isinstance(None, part)  # type: ignore[arg-type]
    except TypeError:
        return False
    return isinstance(part, type)


def _tag(cls: type) -> object:
    """Return the tag of a struct, ``None`` if it has none."""
    return cls.__struct_config__.tag if issubclass(cls, msgspec.Struct) else None
