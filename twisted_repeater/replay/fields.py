"""The parts of decoded messages, by name, whatever classes a dialect has for its messages."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import Enum
from typing import Any

from ..dialects.fix.message import COMPUTED
from ..dialects.fix.message import Message as FixMessage
from ..dialects.redis.messages import Command, Reply

__all__ = ["named_parts", "plain_of", "rebuilt"]

Parts = list[tuple[str | None, object]]


def named_parts(value: Any) -> Parts | None:
    """Return the parts of a value with their names, ``None`` for those without; ``None`` if it has no parts."""
    if isinstance(value, (bytes, str)):
        return None
    if isinstance(value, Reply):
        return [("value", value.value)]
    if isinstance(value, Command):
        return [("name", value.name), ("arguments", value.arguments)]
    if isinstance(value, FixMessage):
        return [(str(tag), content) for tag, content in value.fields]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return [(_text_of(name), content) for name, content in value.items()]
    names = getattr(type(value), "_fields", None) or getattr(type(value), "__struct_fields__", None)
    if names:  # a named tuple, or a struct of msgspec
        return [(name, getattr(value, name)) for name in names]
    if isinstance(value, (list, tuple)):
        return [_element(content) for content in value]
    return None


def _element(content: object) -> tuple[str | None, object]:
    """Return the name and the value of an element: MQTT's properties are pairs of a name and a value."""
    if isinstance(content, tuple) and len(content) == 2 and isinstance(content[0], Enum):
        return content[0].name.lower(), content[1]
    return None, content


def _text_of(name: object) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def plain_of(value: object, change: Callable[[str | None, object], Any], name: str | None = None) -> Hashable:
    """Return a value as nested tuples, which can be compared.

    Args:
        value: the value.
        change: called with the name and the value of each part, before its own parts; returns what to put in its place,
            or the same object.
        name: the name of the value.
    """
    changed: Hashable = change(name, value)
    if changed is not value:
        return changed
    parts = named_parts(value)
    if parts is None:
        return value if isinstance(value, (bytes, str, int, float, Enum, type(None))) else repr(value)
    return (type(value).__name__, *((part, plain_of(content, change, part)) for part, content in parts))


def from_json(message: object) -> object:
    """Return the value of a message that is a JSON object or list; any other message as it is."""
    if isinstance(message, (bytes, str)) and message[:1] in (b"{", b"[", "{", "["):
        try:
            return json.loads(message)
        except (ValueError, RecursionError):
            return message
    return message


def rebuilt(value: Any, change: Callable[[bytes], bytes]) -> Any:
    """Return a value with other texts in it. The same object if none has changed, or if it cannot be built again.

    Args:
        value: the value.
        change: called with each text.
    """
    if isinstance(value, bytes):
        changed = change(value)
        return value if changed == value else changed
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        changed = change(text)
        return value if changed == text else changed.decode("utf-8", "surrogateescape")
    if isinstance(value, Command):
        arguments = rebuilt(value.arguments, change)
        return value if arguments is value.arguments else Command(value.name, *arguments)
    if isinstance(value, FixMessage):
        new = {tag: change(content) for tag, content in value.fields if tag not in COMPUTED}
        changes = {tag: content for tag, content in new.items() if content != value.get(tag)}
        return value.changed(changes) if changes else value
    return _rebuilt_parts(value, change)


def _rebuilt_parts(value: Any, change: Callable[[bytes], bytes]) -> Any:
    parts = named_parts(value)
    if not parts:
        return value
    changes: dict[Any, Any] = {}
    for at, (name, content) in enumerate(parts):
        changed = rebuilt(content, change)
        if changed is not content:
            changes[at if isinstance(value, (list, tuple)) else name or ""] = changed
    if not changes:
        return value
    if isinstance(value, (list, tuple)):
        return _with_elements(value, changes)
    if isinstance(value, Mapping):
        return {name: changes.get(_text_of(name), content) for name, content in value.items()}
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(value, **changes)  # type: ignore[type-var]
    if hasattr(value, "__struct_fields__"):
        from msgspec.structs import replace  # it is a struct of msgspec, so this is there

        return replace(value, **changes)
    return value


def _with_elements(value: Any, changes: Mapping[Any, Any]) -> Any:
    """Return a list or a tuple with other elements."""
    elements: Iterable[Any] = (
        (content[0], changes[at]) if at in changes and _element(content)[0] is not None else changes.get(at, content)
        for at, content in enumerate(value)
    )
    if hasattr(type(value), "_fields"):
        return type(value)(*elements)
    return type(value)(elements)
