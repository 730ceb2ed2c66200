"""Turns bytes and decoded messages into what JSON can express."""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import math
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

from ..._text import class_name, printable, repr_of

__all__ = ["bytes_of", "plain", "plain_bytes"]

PREVIEW: Final = 200
"""How many bytes are shown as text beside their base64."""

DEPTH: Final = 16
"""How deep objects may be in each other; deeper ones are shown as texts."""

REPEATED: Final = frozenset({"data", "frame", "redacted"})
"""Attributes of messages that have all their bytes once more; fields of dataclasses are shown whatever their names."""


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

    An object becomes ``{"type": class, field: value, …}``. Its fields are those of its dataclass or named tuple, or its
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
    names = _field_names(kind)
    if names is not None:
        return _object(value, names, depth)
    if isinstance(value, list | tuple | Set | range):
        return [plain(item, depth) for item in value]
    fields = _object(value, [*_attributes(kind), *_own_attributes(value)], depth)
    return fields if len(fields) > 1 else repr_of(value)


def _object(value: object, names: Iterable[str], depth: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": class_name(value)}
    for name in names:
        try:
            field = getattr(value, name)
        except KeyboardInterrupt:
            raise
        except BaseException:  # code of the application; or an optional part that the message does not have
            continue
        fields[name if name != "type" else "type_"] = plain(field, depth)
    return fields


def _key(key: object) -> str:
    text = plain(key, 0)
    return text if isinstance(text, str) else str(text)


@functools.cache
def _field_names(kind: type) -> tuple[str, ...] | None:
    """Return the names of the fields of a dataclass or a named tuple, ``None`` for another class."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    names = getattr(kind, "_fields", None)
    return tuple(names) if issubclass(kind, tuple) and names else None


@functools.cache
def _attributes(kind: type) -> tuple[str, ...]:
    """Return the names of the slots and properties of a class that are public and worth showing."""
    names = (name for name in dir(kind) if not name.startswith("_") and name not in REPEATED)
    return tuple(
        name for name in names if hasattr(type(getattr(kind, name)), "__get__") and not callable(getattr(kind, name))
    )


def _own_attributes(value: object) -> list[str]:
    return [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]
