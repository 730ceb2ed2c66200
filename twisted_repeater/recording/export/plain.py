"""Turns bytes and decoded messages into what JSON can express."""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import math
from collections.abc import Mapping, Set
from itertools import chain
from typing import Any, Final

from ..._text import class_name, printable, repr_of

__all__ = ["bytes_of", "plain", "plain_bytes"]

PREVIEW: Final = 200
"""How many bytes are shown as text beside their base64."""

DEPTH: Final = 16
"""How deep objects may be in each other; deeper ones are shown as texts."""

SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "twisted_repeater.dialects.fix.message.Message": ("type", "fields"),
    "twisted_repeater.dialects.hl7.frames.Headed": ("type", "control_id", "segments"),
    "twisted_repeater.dialects.redis.messages.Command": ("name", "arguments"),
    "twisted_repeater.dialects.redis.messages.Reply": ("kind", "value"),
}
"""The fields of messages that are decoded when they are asked for, by their class; derived classes have the same."""


def plain_bytes(data: bytes) -> str | dict[str, str]:
    r"""Return bytes for JSON, so that `bytes_of` can turn them back.

    Returns:
        Text if the bytes are UTF-8. Else ``{"base64": …, "text": …}``, where ``text`` is for people: at most the first
        200 bytes, with ``\x`` before those that are not ASCII.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        text = printable(data[:PREVIEW].decode("ascii", "backslashreplace"))
        return {"base64": base64.b64encode(data).decode(), "text": text + ("…" if len(data) > PREVIEW else "")}


def bytes_of(value: str | Mapping[str, str]) -> bytes:
    """Return the bytes that an export as JSON lines has as text, or as ``{"base64": …}``."""
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def plain(value: object, depth: int = DEPTH) -> Any:
    """Return a decoded message for JSON.

    An object becomes ``{"class": its class, field: value, …}``, with the fields of its dataclass or named tuple, or its
    public attributes. What JSON cannot express becomes a text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return plain_bytes(bytes(value))
    return _composed(value, depth - 1) if depth else repr_of(value)


def _composed(value: object, depth: int) -> Any:
    """Return an object that is made of others."""
    if isinstance(value, Mapping):
        return {_key(key): plain(item, depth) for key, item in value.items()}
    kind: type = type(value)
    shown = _shown(kind)
    names = shown or _field_names(kind)
    if not names and isinstance(value, list | tuple | Set | range):
        return [plain(item, depth) for item in value]
    if not shown:
        own = (name for name in getattr(value, "__dict__", ()) if not name.startswith("_"))
        names = tuple(dict.fromkeys((*names, *own)))
    if not names and not dataclasses.is_dataclass(kind):
        return repr_of(value)
    fields = ((name, getattr(value, name, None)) for name in names)
    return {"class": class_name(value)} | {name: plain(field, depth) for name, field in fields}


def _key(key: object) -> str:
    text = plain(key, 0)
    return text if isinstance(text, str) else str(text)


@functools.cache
def _shown(kind: type) -> tuple[str, ...]:
    """Return the fields of a message that is decoded when it is asked, nothing for another class."""
    names = (SHOWN.get(f"{base.__module__}.{base.__qualname__}", ()) for base in kind.__mro__)
    return next(filter(None, names), ())


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields that all objects of a class have."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, tuple):
        return tuple(getattr(kind, "_fields", ()))
    slots = (vars(base).get("__slots__", ()) for base in reversed(kind.__mro__))
    names = chain.from_iterable((each,) if isinstance(each, str) else each for each in slots)
    return tuple(name for name in names if not name.startswith("_"))
