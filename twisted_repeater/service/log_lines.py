"""Writes events of Twisted's log as lines: JSON for programs, text for people."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from twisted.internet.interfaces import IAddress
from twisted.logger import LogEvent, LogLevel, eventAsText, formatEvent, formatTime
from twisted.python.failure import Failure

from .._text import address_text, loggable, printable, told
from ..observers._throttle import LeftOut

__all__ = ["LONGEST", "json_line", "text_line"]

LONGEST = 48_000
"""How many bytes a line of JSON has at most: what journald takes as one line, with its defaults."""

CUTS = ((16_000, 1_000), (4_000, 200), (400, 40))
"""How many characters of a traceback and the message, and of another text, are kept. The last ones always fit."""

LEVEL: type[Any] = type(LogLevel.info)

LONGEST_NAME = 30
MOST_FIELDS = 30
MOST_ITEMS = 20

OURS = {"time", "level", "logger", "message", "traceback"}

OLD = {"failure", "format", "isError", "logLevel", "printed", "system", "why"}
"""The fields that Twisted's older log adds."""

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | list[Scalar]


def text_line(event: LogEvent, names_repeaters: bool = False, *, time: bool = True, process: str = "") -> str | None:
    """Return an event as Twisted writes it: the time, its origin and level, and the text, with a traceback if any.

    Args:
        event: the event.
        names_repeaters: whether the name of the repeater begins the text, if the event is about one and does not say
            it elsewhere.
        time: whether the time begins the line.
        process: the number of the process, if there are several.
    """
    failed = "log_failure" in event
    text = eventAsText(event, includeTimestamp=False, includeSystem=False) if failed else _text(event)
    if not text:
        return None
    origin = event.get("log_system") or event.get("log_namespace") or "-"
    name = event.get("repeater") if names_repeaters and "{repeater" not in str(event.get("log_format")) else None
    start = f"{_local_time(event)} " if time else ""
    who = f"process {process}: " if process else ""
    who += f"{printable(str(name))}: " if name else ""
    lines = f"{start}[{origin}#{_level(event)}] {who}{text.rstrip()}".replace("\n", "\n\t")
    return f"{lines}\n"


def json_line(event: LogEvent, process: str = "") -> str | None:
    """Return an event as one line of JSON, of `LONGEST` bytes at most, in ASCII.

    It has ``time``, ``level``, ``logger`` and ``message``, the fields of the event that are plain values, and for a
    failure ``error`` and ``traceback``. If there are several processes, ``process`` is the number of this one.
    """
    failure = _failure(event)
    message = _message(event, failure)
    if not message and failure is None:
        return None
    fields: dict[str, Value] = {"time": _time(event), "level": _level(event)}
    fields["logger"] = str(event.get("log_namespace") or "-")
    fields["message"] = message
    if process:
        fields["process"] = process
    fields.update(_plain_fields(event))
    if failure is not None:
        fields.setdefault("error", told(failure.value))
        fields["traceback"] = loggable(failure).getTraceback()
    lines = (json.dumps(_all_cut(fields, *longest)) for longest in CUTS)
    return f"{next(line for line in lines if len(line) < LONGEST)}\n"


def _time(event: LogEvent) -> str:
    """Return the time of an event in ISO 8601, in UTC."""
    try:
        moment = datetime.fromtimestamp(event["log_time"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):  # code of the application made it
        moment = datetime.now(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local_time(event: LogEvent) -> str:
    """Return the time of an event as Twisted writes it: the second, and the offset of the time zone."""
    moment = event.get("log_time")
    return _second(math.floor(moment)) if isinstance(moment, float) else formatTime(moment)


@lru_cache(maxsize=1)
def _second(moment: int) -> str:
    """Return the text of a second. Hundreds of lines may have the same, and to make it takes longer than the rest."""
    return formatTime(moment)


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return str(level.name) if isinstance(level, LEVEL) else "info"


def _failure(event: LogEvent) -> Failure | None:
    failure = event.get("log_failure") or event.get("failure")
    return failure if isinstance(failure, Failure) else None


def _message(event: LogEvent, failure: Failure | None) -> str:
    """Return the text of an event. In an error of Twisted's older log it has the traceback, which is a field here."""
    if failure is not None and event.get("isError") and "log_text" in event:
        return str(event.get("why") or "Unhandled Error")
    return _text(event)


def _text(event: LogEvent) -> str:
    """Return the text of an event. Python formats in a tenth of the time that Twisted takes, but knows no calls."""
    form = event.get("log_format")
    if type(form) is str and "(" not in form and "log_flattened" not in event:
        try:
            return form.format_map(event)
        except KeyboardInterrupt:
            raise
        except BaseException:  # Twisted writes what is wrong
            return formatEvent(event)
    return formatEvent(event)


def _plain_fields(event: Mapping[str, object]) -> Iterator[tuple[str, Value]]:
    """Return the fields of an event that are plain values."""
    left = MOST_FIELDS
    for name, value in event.items():
        if left and not name.startswith("log_") and name not in OURS | OLD:
            if isinstance(value, LeftOut):
                name, value = "left_out", value.number or None
            plain = _plain(value)
            if plain is not None:
                left -= 1
                yield name, plain


def _plain(value: object) -> Value | None:
    """Return a value as JSON has it; ``None`` for an object, of which a program cannot use the ``repr``."""
    if isinstance(value, (list, tuple)):
        items = [plain for item in value[:MOST_ITEMS] if (plain := _scalar(item)) is not None]
        return items if len(items) == min(len(value), MOST_ITEMS) else None
    return _scalar(value)


def _scalar(value: object) -> Scalar | None:
    if value is None or type(value) is str:  # as most are
        return value
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, bytes):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, LEVEL):
        return str(value.name)
    return address_text(value) if IAddress.providedBy(value) else None


def _all_cut(fields: Mapping[str, Value], long: int, short: int) -> dict[str, Value]:
    """Return the fields without the ends of long names and texts."""
    return {
        _text_cut(name, LONGEST_NAME): _cut(value, long if name in ("message", "traceback") else short)
        for name, value in fields.items()
    }


def _cut(value: Value, longest: int) -> Value:
    """Return a value, without its end if it is a text or a list of more than so many characters."""
    if isinstance(value, str):
        return _text_cut(value, longest)
    if not isinstance(value, list):
        return value
    kept: list[Scalar] = []
    for item in value:
        longest -= len(str(item))
        if longest >= 0:
            kept.append(_text_cut(item, longest + len(item)) if isinstance(item, str) else item)
    return kept


def _text_cut(text: str, longest: int) -> str:
    """Return a text without its end if it is long, and without halves of characters, which JSON cannot have."""
    whole = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    return whole if len(whole) <= longest else f"{whole[:longest]}... ({len(whole)} characters)"
