"""Messages as people read them: a type, a line, and their fields, whatever the dialect."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from ..._text import class_name, repr_of, told
from ...codecs import LEFT_OUT
from ...dialects.fix.message import Message as FixMessage
from ...dialects.fix.tags import HEADER, TRAILER
from ...dialects.hl7.batches import Batch
from ...dialects.hl7.frames import Frame as Hl7Frame
from ...dialects.hl7.messages import Message as Hl7Message
from ...dialects.hl7.structure import Level, parts_of, segments_of
from ...dialects.modbus.message import Message as ModbusMessage
from ...dialects.mqtt.messages import Publish
from ...dialects.postgres.messages import DataRow, Parse, Query, RowDescription
from ...dialects.postgres.reports import Report
from ...dialects.redis.messages import Command, Reply
from ...dialects.redis.messages import Raw as RawCommand
from .escaped import clean, escaped, one_line
from .fix_names import FIELDS, TYPES

__all__ = ["LARGEST_JSON", "Described", "Field", "Space", "described", "parts_named", "types_of"]

KINDS: Final = {
    "+": "status", "-": "error", "$": "string", "*": "array", ":": "integer", "_": "null", "%": "map", "~": "set",
    ">": "push", "#": "boolean", ",": "double", "(": "big number", "=": "verbatim string", "!": "error",
}  # fmt: skip
"""What the first byte of a reply of Redis says."""

REPORT: Final = {
    "S": "Severity", "V": "Severity", "C": "Code", "M": "Message", "D": "Detail", "H": "Hint", "P": "Position",
    "W": "Where", "s": "Schema", "t": "Table", "c": "Column", "d": "Data type", "n": "Constraint", "F": "File",
    "L": "Line", "R": "Routine",
}  # fmt: skip
"""What the letters in an error of PostgreSQL stand for."""

LARGEST_JSON: Final = 64 * 1024
"""How long a payload that may be JSON may be to be read as such. That of a megabyte would keep links waiting."""

DEPTH: Final = 8
"""How deep the parts of a message that are shown may be in each other."""


class Field(NamedTuple):
    """One row of a message as it is shown."""

    name: str
    """Its name, by which it can be changed where it can be."""
    value: str
    """Its value, escaped."""
    label: str | None
    """What the name means, for people."""


class Space(NamedTuple):
    """How much of a message is shown."""

    value: int
    """How many bytes or characters of one value."""
    rows: int
    """How many fields."""
    total: int
    """How many characters of all fields."""


class Described(NamedTuple):
    """What people see of a message."""

    types: tuple[str, ...]
    """The name of its type as it is shown, and other names of it; empty if it has none."""
    summary: str
    """One line."""
    fields: list[Field] | None
    """Its fields, in order; ``None`` if it has none."""
    whole: frozenset[str]
    """The names of the fields whose values are shown to their ends, and that are the only ones of their name."""


Row = tuple[str, Any, str | None]
"""A name, a value that is not written yet, and a label."""


def types_of(message: Any) -> tuple[str, ...]:
    """Return the names of a message's type: the one that is shown, then others; empty if messages have no types."""
    if isinstance(message, FixMessage):
        code = message.type
        name = TYPES.get(code)
        return (clean(code),) if name is None else (f"{name} ({code})", name, code)
    if isinstance(message, Command):
        return (escaped(message.name),)
    if isinstance(message, Reply):
        is_null = bytes(message)[1:2] == b"-" and message.kind in "$*"
        return ("null" if is_null else KINDS.get(message.kind, message.kind),)
    if isinstance(message, Hl7Message):
        kind = clean(message.type)
        return (kind, kind.partition("^")[0])
    if isinstance(message, ModbusMessage):
        name, function = class_name(message), str(getattr(message, "function", ""))
        return (f"{name} ({function})", name, function)
    if message is None or (isinstance(message, (bytes, str, int, float, list, tuple, Mapping)) and not _named(message)):
        return ()
    return (class_name(message),)


def described(message: Any, space: Space) -> Described:
    """Describe a message. It may be of any class, and its methods may raise."""
    try:
        types = types_of(message)
        rows, line = _rows_and_line(message)
        fields, whole = (None, frozenset[str]()) if rows is None else _fields(rows, space)
        return Described(types, _line(types, line, fields), fields, whole)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # methods of messages of the application are called
        return Described(
            (), one_line(f"{class_name(message)}, which cannot be shown: {told(error)}"), None, frozenset()
        )


def _line(types: tuple[str, ...], line: str | None, fields: list[Field] | None) -> str:
    """Return the line of a message: its type, and what is most important about it."""
    if line is None:
        line = " ".join(f"{label or name}={value}" for name, value, label in islice(fields or (), 20))
    return one_line(f"{types[0]} {line}".strip() if types else line)


def _fields(rows: Iterator[Row], space: Space) -> tuple[list[Field], frozenset[str]]:
    """Write rows, as many as there is space for. Also return the names of those that can be changed by their names."""
    fields: list[Field] = []
    seen: set[str] = set()
    whole: set[str] = set()
    left = space.total
    for name, value, label in rows:
        if len(fields) >= space.rows or left <= 0:
            fields.append(Field("…", "more fields, which are not shown", None))
            break
        text, is_whole = _written(value, min(space.value, left))
        fields.append(Field(name, text, label))
        left -= len(name) + len(text)
        if name in seen or not is_whole:
            whole.discard(name)
        else:
            whole.add(name)
        seen.add(name)
    return fields, frozenset(whole)


def _written(value: Any, longest: int) -> tuple[str, bool]:
    """Return a value as text, and whether that is all of it."""
    is_simple = True
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value)
    elif isinstance(value, Enum):
        value = value.name
    elif value is None:
        value = ""
    elif isinstance(value, bool):
        value = ("false", "true")[value]
    elif isinstance(value, (list, tuple)):  # of numbers
        value = ", ".join(_written(item, 100)[0] for item in value)
    elif not isinstance(value, str):
        is_simple = isinstance(value, (int, float))
        value = str(value) if is_simple else repr_of(value)
    if len(value) <= longest:
        return escaped(value), is_simple
    return escaped(value[:longest]) + "…", False


# -- the parts of each class -------------------------------------------------------------------------------------------


def _rows_and_line(message: Any) -> tuple[Iterator[Row] | None, str | None]:
    """Return the rows of a message, and a line about it if its first fields do not say the most."""
    for kind, parts in PARTS:
        if isinstance(message, kind):
            return parts(message)
    if isinstance(message, Mapping) or _named(message):
        return _rows(message), None
    return _of_value(message)


def _of_value(message: Any) -> tuple[Iterator[Row] | None, str | None]:
    """Return the parts of a payload, or of a value of a plain class. One in JSON has those of its object."""
    if isinstance(message, (bytes, str)):
        if message[:1] in (b"{", "{") and len(message) <= LARGEST_JSON:
            try:
                read = json.loads(message)
            except (ValueError, RecursionError):
                pass
            else:
                return _rows(read), _start(message)
        return None, _start(message)
    return None, "" if message is None or message is LEFT_OUT else _start(repr_of(message))


def _start(value: bytes | str) -> str:
    return escaped(value[:200]) + ("…" if len(value) > 200 else "")


def _of_fix(message: FixMessage) -> tuple[Iterator[Row], str]:
    fields = message.fields
    body = ((tag, value) for tag, value in fields if tag not in HEADER and tag not in TRAILER)
    line = " ".join(f"{FIELDS.get(tag, tag)}={_start(value)}" for tag, value in islice(body, 12))
    return ((str(tag), value, FIELDS.get(tag)) for tag, value in fields), line


def _of_command(message: Command) -> tuple[Iterator[Row], str]:
    words = message.arguments
    rows = ((f"argument {number}", word, None) for number, word in enumerate(words, 1))
    return chain([("command", message.name, None)], rows), " ".join(map(_start, words[:20]))


def _of_reply(message: Reply) -> tuple[Iterator[Row], str]:
    value = message.value
    if isinstance(value, (list, Mapping)):
        return _rows(value), _start(repr_of(value))
    line = _start(value) if isinstance(value, (bytes, str)) else "" if value is None else str(value)
    return iter([("value", value, None)]), line


def _of_hl7(message: Hl7Message) -> tuple[Iterator[Row], str]:
    line = f"{clean(message.control_id)}: {' '.join(islice(message.segments, 30))}"
    return _hl7_rows(message), line


def _hl7_rows(message: Hl7Message) -> Iterator[Row]:
    """Return the fields of a message that are not empty, by their paths: those that `Message.replaced` takes."""
    names = message.segments
    numbers: dict[str, int] = {}
    level = Level(message.delimiters.field, None)
    for segment in segments_of(message._seen, message._at, message.delimiters):
        name = segment.name.decode("latin-1")
        number = numbers[name] = numbers.get(name, 0) + 1
        first = 1 if name in ("MSH", "FHS", "BHS") else 0
        place = f"{name}[{number}]" if names.count(name) > 1 else name
        for at, (start, stop) in enumerate(parts_of(message._seen, segment.start, segment.stop, level)):
            if at and start < stop:
                yield f"{place}-{at + first}", message.charset.decode(message._data[start:stop]), None


def _of_batch(message: Batch) -> tuple[Iterator[Row], str]:
    messages = message.messages
    rows = ((f"message {number}", bytes(each), each.type) for number, each in enumerate(messages, 1))
    return rows, f"of {len(messages)}: {' '.join(each.type for each in islice(messages, 20))}"


def _of_modbus(message: ModbusMessage) -> tuple[Iterator[Row], str]:
    area = getattr(message, "area", None)
    line = " ".join(f"{name}={_written(value, 60)[0]}" for name, value, _ in _rows(message) if name != "function")
    return _rows(message), f"{area.value} {line}" if area is not None else line


def _of_report(message: Report) -> tuple[Iterator[Row], str]:
    rows = ((f"fields.{letter}", text, REPORT.get(letter)) for letter, text in message.fields.items())
    return rows, escaped(f"{message.severity} {message.code}: {message.message}"[:300])


def _of_row(message: DataRow) -> tuple[Iterator[Row], str]:
    return _rows(message.values), " | ".join("NULL" if each is None else _start(each) for each in message.values[:20])


PARTS: Final[tuple[tuple[Any, Callable[[Any], tuple[Iterator[Row] | None, str | None]]], ...]] = (
    (FixMessage, _of_fix),
    (Command, _of_command),
    (Reply, _of_reply),
    (Publish, lambda message: (_rows(message), f"{_start(message.topic)}: {_start(message.payload)}")),
    (Hl7Message, _of_hl7),
    (Batch, _of_batch),
    ((Hl7Frame, RawCommand), lambda message: (None, _start(bytes(message)))),
    (ModbusMessage, _of_modbus),
    ((Query, Parse), lambda message: (_rows(message), _start(message.sql))),
    (Report, _of_report),
    (DataRow, _of_row),
    (RowDescription, lambda message: (_rows(message), " ".join(_start(each.name) for each in message.columns[:20]))),
)
"""How messages of some classes are described; others are by their fields."""


def parts_named(value: Any) -> list[tuple[str, Any]] | None:
    """Return the fields of a dataclass, a named tuple, a struct of msgspec or a message of protobuf, if it is one."""
    names = _named(value)
    return None if names is None else [(name, getattr(value, name)) for name in names]


def _named(value: Any) -> tuple[str, ...] | None:
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    names = getattr(kind, "_fields", None) or getattr(kind, "__struct_fields__", None)
    if names is None and hasattr(kind, "DESCRIPTOR"):
        names = tuple(field.name for field in kind.DESCRIPTOR.fields)
    return tuple(names) if isinstance(names, (tuple, list)) else None


def _rows(value: Any, name: str = "", depth: int = DEPTH) -> Iterator[Row]:
    """Return the rows of a value: one for each simple part, named by the way to it, such as ``will.topic``."""
    own: Iterable[tuple[str, Any]] | None = parts_named(value)
    if own is None and isinstance(value, Mapping):
        own = ((key if isinstance(key, str) else _written(key, 100)[0], item) for key, item in value.items())
    elif own is None and isinstance(value, (list, tuple, set, frozenset)):
        own = (_element(number, item) for number, item in enumerate(value, 1))
        if name and value and isinstance(value, (list, tuple)) and all(isinstance(item, int) for item in value):
            yield name, value, None
            return
    if own is None or not depth:
        yield name, value if own is None else _Deep(value), None
        return
    for part, item in own:
        yield from _rows(item, f"{name}.{part}" if name else clean(str(part)), depth - 1)


class _Deep:
    """A part that is too deep in a message to be shown as rows."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr_of(self._value)


def _element(number: int, value: Any) -> tuple[str, Any]:
    """Return the name of an element, and its value. The properties of MQTT are pairs of a name and a value."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Enum):
        return value[0].name.lower(), value[1]
    return str(number), value
