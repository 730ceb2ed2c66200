"""The codecs of JSON and MessagePack, into typed structs through ``msgspec``, which is an optional extra."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from contextlib import suppress
from types import UnionType
from typing import Any

import msgspec

from .._text import text_of
from ..errors import MarshalingError, ParseError
from ..selectors import Selector, contains
from ._typed import TypedCodec, in_path

__all__ = ["MsgspecCodec", "msgspec_json", "msgspec_msgpack"]

Hook = Callable[..., Any]


def msgspec_json(
    of: Any, *, strict: bool = True, enc_hook: Hook | None = None, dec_hook: Hook | None = None
) -> MsgspecCodec:
    """Make the codec of JSON messages of a type: ``msgspec_json(Order | Cancel)``.

    ``of`` is any type that msgspec decodes. A union must be of tagged structs (``tag=True``), so that one direction
    carries many kinds of message. ``strict`` and the hooks are msgspec's own.
    """
    return MsgspecCodec(
        of,
        msgspec.json.Decoder(of, strict=strict, dec_hook=dec_hook),
        msgspec.json.Encoder(enc_hook=enc_hook),
        # A string is written in many ways, but with a backslash in it, or as it is.
        lambda tags: contains({f'"{tag}"'.encode() for tag in tags} | {b"\\"}),
    )


def msgspec_msgpack(
    of: Any, *, strict: bool = True, enc_hook: Hook | None = None, dec_hook: Hook | None = None
) -> MsgspecCodec:
    """Make the codec of MessagePack messages of a type; see `msgspec_json`."""
    return MsgspecCodec(
        of,
        msgspec.msgpack.Decoder(of, strict=strict, dec_hook=dec_hook),
        msgspec.msgpack.Encoder(enc_hook=enc_hook),
        lambda tags: contains({tag.encode() for tag in tags}),
    )


class MsgspecCodec(TypedCodec):
    """Messages that msgspec reads and writes; `msgspec_json` and `msgspec_msgpack` make it."""

    def __init__(self, of: Any, decoder: Any, encoder: Any, selector: Callable[[list[str]], Selector]) -> None:
        self._decode = decoder.decode
        self._encode = encoder.encode
        self._selector = selector
        parts = typing.get_args(of) if isinstance(of, UnionType) or typing.get_origin(of) is typing.Union else (of,)
        self.message_types = parts if all(map(_has_instances, parts)) else ()
        self._raw = type(decoder)()
        self._arrays = _arrays(self.message_types)

    def decode(self, payload: bytes) -> Any:
        """Read a message."""
        try:
            return self._decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._parse_error(error, payload) from error

    def _parse_error(self, error: Exception, payload: bytes) -> ParseError:
        """Make the error of the same words, with the field and the offset that they tell."""
        said = re.fullmatch(r"(.*?)(?: - at (?:`key` in )?`\$\.?(.*)`)?", str(error), re.DOTALL)
        assert said is not None
        what, path = said[1], said[2] or ""
        if missing := re.search(r"(?:required|unknown) field `(.*)`$", what):
            path = in_path(path, missing[1])
        if self._arrays and isinstance(error, msgspec.ValidationError):
            path = self._named(path, what, payload)
        malformed = re.search(r"\(byte (\d+)\)$", what)
        return ParseError(
            f"{path}: {what}" if path else what, offset=int(malformed[1]) if malformed else None, field=path or None
        )

    def _named(self, path: str, what: str, payload: bytes) -> str:
        """Return a path that begins with a field's name where it began with the index in an array."""
        values = None
        with suppress(Exception):  # what is behind the field may be malformed
            values = self._raw.decode(payload)
        if not isinstance(values, list):
            return path
        fields = next((of for tag, of in self._arrays if tag is None or tag == values[0]), ()) if values else ()
        index = re.match(r"\[(\d+)\]", path)
        at = int(index[1]) if index else len(values) if "at least length" in what else len(fields)
        return fields[at] + path[index.end() if index else 0 :] if at < len(fields) else path

    def encode(self, message: Any) -> bytes:
        """Write a message. That it is of the right class is checked, what is in its fields is not."""
        if self.message_types and not isinstance(message, self.message_types):
            raise self.wrong_type(message)
        try:
            payload: bytes = self._encode(message)
        except Exception as error:
            raise MarshalingError(f"{type(message).__name__}: {text_of(error)}") from error
        return payload

    def selector_of_some(self, types: list[type]) -> Selector | None:
        """See `TypedCodec`. A selector that finds the tags: it wants all messages of these types, and a few others.

        There is one for unions of structs with strings for tags only: elsewhere a tag may be missing, or written in
        other ways.
        """
        tags = [_tag(own) for own in self.message_types]
        if not all(isinstance(tag, str) and tag for tag in tags):
            return None
        return self._selector([_tag(own) for own in types])


def _has_instances(part: Any) -> bool:
    """Return whether a type is a class of which it can be told what is of it, as ``Any`` and a ``TypedDict`` are not."""
    try:
        isinstance(None, part)
    except TypeError:
        return False
    return isinstance(part, type)


def _tag(cls: type) -> Any:
    """Return the tag of a struct, ``None`` if it has none."""
    return cls.__struct_config__.tag if issubclass(cls, msgspec.Struct) else None


def _arrays(types: tuple[type, ...]) -> list[tuple[Any, tuple[str, ...]]]:
    """Return the tags of the structs that are written as arrays, each with the names of what stands in the array."""
    return [
        (_tag(cls), (*(["the tag"] if _tag(cls) is not None else []), *cls.__struct_encode_fields__))
        for cls in types
        if issubclass(cls, msgspec.Struct) and cls.__struct_config__.array_like
    ]
