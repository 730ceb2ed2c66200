"""Changes single fields of messages, by the names under which `described` shows them."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

from ..._text import class_name, guarded_text, without_middle
from ...dialects.fix.decisions import is_of_session
from ...dialects.fix.message import Message as FixMessage
from ...dialects.hl7.batches import Batch
from ...dialects.hl7.messages import Message as Hl7Message
from ...dialects.postgres.messages import DataRow
from ...dialects.redis.messages import Command, Reply
from .answers import ApiError
from .described import LARGEST_JSON, Described, parts_named
from .escaped import unescaped
from .fix_names import FIELDS, NUMBERS

__all__ = ["InputError", "because", "settable", "with_fields"]

FIXED: Final = frozenset({"8", "9", "10", "34", "35", "MSH-1", "MSH-2"})
"""Fields of FIX that the repeater writes, or that say what the message is, and the delimiters of HL7."""

MOST_COPIED: Final = 1024 * 1024
"""How many bytes may be copied to set fields. For each one all of the message is, except in FIX and JSON."""

LONGEST_ERROR: Final = 500
"""How many characters of an error somebody is told: it may quote all of what was given."""

NULL: Final = ("None", "Optional", "Any")
"""What is in the annotation of a field that may be null."""

SCALARS: Final = (bytes, str, bool, int, float)


class InputError(ApiError):
    """What a client has sent cannot be a message. The text says what was expected."""

    def __init__(self, error: str) -> None:
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, without_middle(error, LONGEST_ERROR))


def because(what: str, error: Exception) -> InputError:
    """Return the error that says why a dialect or the application refuses a message; its end says the most."""
    return InputError(f"{what}: {class_name(error)}: {guarded_text(str, error, '__str__')}")


def settable(message: Any, about: Described) -> list[str]:
    """Return the names of the fields of a message that `with_fields` can change.

    Args:
        message: the message.
        about: its description.
    """
    if isinstance(message, Batch) or (isinstance(message, FixMessage) and is_of_session(message)):
        return []
    names = [field.name for field in about.fields or () if field.name in about.whole]
    if isinstance(message, (FixMessage, Hl7Message)):
        return [name for name in names if name not in FIXED]
    return names


def with_fields(message: Any, changes: Mapping[str, Any], size: int = 0) -> Any:
    r"""Return a message with other values in some fields.

    Args:
        message: the message.
        changes: names and values. Texts may have escapes such as ``\x01``; ``None`` takes the field away, where that is
            possible.
        size: how many bytes the message has.

    Raises:
        InputError: there is no such field, or it cannot have the value, or these are too many for such a large message.
    """
    if not changes:
        raise InputError("set must have a field at least")
    if len(changes) > 1 and len(changes) * size > MOST_COPIED and not isinstance(message, FixMessage):
        most = max(1, MOST_COPIED // size)
        raise InputError(f"of a message of {size} bytes, at most {most} fields can be set at once; give it as text")
    try:
        return _with_fields(message, changes)
    except InputError:
        raise
    except Exception as error:  # what the classes of the dialects and of the application raise for a wrong value
        raise because("the fields cannot be set", error) from error


def _with_fields(message: Any, changes: Mapping[str, Any]) -> Any:
    if isinstance(message, FixMessage):
        return message.changed({_tag(name): _fix_value(value) for name, value in changes.items()})
    if isinstance(message, (bytes, str)):
        return _in_json(message, changes)
    for name, value in changes.items():
        if isinstance(message, Hl7Message):
            message = _in_hl7(message, name, value)
        elif isinstance(message, Command):
            message = _in_command(message, name, value)
        elif isinstance(message, Reply):
            message = _in_reply(message, name, value)
        elif isinstance(message, DataRow):
            message = DataRow(_replaced(message.values, name, value, _annotation(message, "values")))
        else:
            message = _replaced(message, name, value)
    return message


def _text(value: Any, name: str) -> bytes:
    """Return the bytes of a value that is given as text, or as a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InputError(f"{name} must be a text or a number, not {json.dumps(value)}")
    try:
        return unescaped(value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


# -- dialects ---------------------------------------------------------------------------------------------------------


def _tag(name: str) -> int:
    """Return the tag of a field of FIX that is named by its tag or its name."""
    tag = NUMBERS.get(name)
    if tag is None and name.isascii() and name.isdigit() and len(name) < 10:
        tag = int(name)
    if tag is None:
        near = difflib.get_close_matches(name, NUMBERS, 1)
        raise InputError(f"{name!a} is no tag and no name of a field of FIX{f'; did you mean {near[0]}?' * bool(near)}")
    if str(tag) in FIXED:
        raise InputError(
            f"field {tag}, {FIELDS[tag]}, cannot be set: the repeater writes it, or the type depends on it"
        )
    return tag


def _fix_value(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else _text(value, "a field")


def _in_hl7(message: Hl7Message, path: str, value: Any) -> Hl7Message:
    data = b"" if value is None else _text(value, path)
    written = message.charset.encode(data.decode("utf-8", "surrogateescape"))
    made = message.replaced(path, written)
    if made is message:
        raise InputError(f"the message has no segment {path.partition('-')[0]!a}")
    return made


def _in_command(message: Command, name: str, value: Any) -> Command:
    if name == "command":
        return Command(_text(value, name).decode("utf-8", "surrogateescape"), *message.arguments)
    arguments = list(message.arguments)
    word, _, number = name.partition(" ")
    if word != "argument" or not number.isdigit() or not 1 <= int(number) <= len(arguments) + 1:
        raise InputError(f"a field must be 'command' or 'argument 1' to 'argument {len(arguments) + 1}', not {name!a}")
    at = int(number) - 1
    arguments[at : at + 1] = [] if value is None else [_text(value, name)]
    return Command(message.name, *arguments)


def _in_reply(message: Reply, name: str, value: Any) -> Reply:
    old = message.value
    if isinstance(old, (list, Mapping)):
        return Reply(_replaced(old, name, value))
    if name != "value":
        raise InputError(f"the only field is 'value', not {name!a}")
    if message.kind in "+-" and value is not None:
        text = _text(value, name).decode("utf-8", "surrogateescape")
        return Reply.status(text) if message.kind == "+" else Reply.failure(text)
    if old is None:
        return Reply(None if value is None else _text(value, name))
    return Reply(None if value is None else _converted(old, value, name))


def _in_json(message: bytes | str, changes: Mapping[str, Any]) -> bytes | str:
    try:
        read = json.loads(message) if len(message) <= LARGEST_JSON else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise InputError("the message has no fields; give it as text, hex or base64")
    for name, value in changes.items():
        read = _replaced(read, name, value)
    text = json.dumps(read, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text if isinstance(message, str) else text.encode("utf-8", "surrogatepass")


# -- any class --------------------------------------------------------------------------------------------------------


def _replaced(value: Any, name: str, new: Any, annotation: str = "", path: str = "") -> Any:
    """Return a value in which the part with this name, such as ``will.topic``, is another one.

    Args:
        value: the value.
        name: the name of the part.
        new: what the part becomes.
        annotation: what the parts of a sequence are, if what it is a part of says so.
        path: the way to the value, for errors.
    """
    parts = _parts(value)
    own = next((part for part in parts if part == name), None)
    if own is None:
        own = next((part for part in sorted(parts, key=len, reverse=True) if name.startswith(f"{part}.")), None)
    if own is None:
        known = ", ".join(list(parts)[:20]) or "it has none"
        raise InputError(f"there is no field {path + name!a}; the fields are: {known}")
    key, old = parts[own]
    written = annotation if _is_plain(value) else _annotation(value, key)
    if own != name:
        return _rebuilt(value, key, _replaced(old, name[len(own) + 1 :], new, written, f"{path}{own}."))
    return _rebuilt(value, key, _converted(old, new, f"{path}{name}", written))


def _parts(value: Any) -> dict[str, tuple[Any, Any]]:
    """Return the parts of a value: names, and what `_rebuilt` needs with what is there now."""
    named = parts_named(value)
    if named is not None:
        return {name: (name, part) for name, part in named}
    if isinstance(value, Mapping):
        return {_key(key): (key, part) for key, part in value.items()}
    if not isinstance(value, (list, tuple)):
        return {}
    found: dict[str, tuple[Any, Any]] = {}
    for at, part in enumerate(value):
        if isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], Enum):
            found.setdefault(part[0].name.lower(), (at, part[1]))
        else:
            found[str(at + 1)] = (at, part)
    return found


def _key(key: Any) -> str:
    return key if isinstance(key, str) else key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _rebuilt(value: Any, key: Any, part: Any) -> Any:
    """Return a value with another part."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{key: part})
    if hasattr(value, "_replace"):
        return value._replace(**{key: part})
    if hasattr(value, "__struct_fields__"):
        from msgspec.structs import replace

        return replace(value, **{key: part})
    if isinstance(value, Mapping):
        return {**value, key: part}
    if isinstance(value, (list, tuple)):
        elements = list(value)
        is_pair = isinstance(elements[key], tuple) and len(elements[key]) == 2 and isinstance(elements[key][0], Enum)
        elements[key] = (elements[key][0], part) if is_pair else part
        return type(value)(elements)
    changed = type(value)()  # a message of protobuf
    changed.CopyFrom(value)
    setattr(changed, key, part)
    return changed


def _is_plain(value: Any) -> bool:
    """Return whether a value has parts of which it cannot say what they are."""
    return isinstance(value, (list, tuple, Mapping)) and not hasattr(value, "_fields")


def _annotation(value: Any, key: Any) -> str:
    """Return what a dataclass or a struct says of a field, as it is written."""
    return str(getattr(type(value), "__annotations__", {}).get(key, "")) if isinstance(key, str) else ""


def _converted(old: Any, new: Any, name: str, annotation: str = "") -> Any:
    """Return a new value, of the class of the old one."""
    may_be_null = old is None or not annotation or any(word in annotation for word in NULL)
    kind: Any = type(old)
    if old is None:
        said = (each for each in SCALARS if each.__name__ in annotation)
        kind = next(said, str if not annotation or "Any" in annotation else object)
    if new is None or (new == "" and issubclass(kind, (int, float)) and may_be_null):
        if may_be_null:
            return None
        raise InputError(f"{name} must not be null")
    if isinstance(old, Enum):
        return kind[new] if isinstance(new, str) and new in kind.__members__ else kind(new)
    if issubclass(kind, bool):
        return _flag(new, name)
    if issubclass(kind, (bytes, str)):
        data = _text(new, name)
        return data if issubclass(kind, bytes) else data.decode("utf-8", "surrogateescape")
    if issubclass(kind, (int, float)):
        return _number(kind, new, name)
    if issubclass(kind, (list, tuple)) and old and isinstance(old[0], int):
        given = [each.strip() for each in new.split(",")] if isinstance(new, str) else new
        if isinstance(given, list):
            return kind(_converted(old[0], each, name, "int") for each in given)
    raise InputError(f"{name} cannot be set; give the message as text, hex or base64")


def _flag(new: Any, name: str) -> bool:
    if isinstance(new, str) and new.lower() in ("true", "false"):
        return new.lower() == "true"
    if not isinstance(new, bool):
        raise InputError(f"{name} must be true or false, not {json.dumps(new)}")
    return new


def _number(kind: type, new: Any, name: str) -> Any:
    base = int if issubclass(kind, int) else float
    try:
        if isinstance(new, bool) or not isinstance(new, (str, int, float)) or (base is int and isinstance(new, float)):
            raise ValueError
        return base(new)
    except ValueError:
        wanted = "a whole number" if base is int else "a number"
        raise InputError(f"{name} must be {wanted}, not {json.dumps(new)}") from None
