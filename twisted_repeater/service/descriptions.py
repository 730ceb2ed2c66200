"""Descriptions such as ``length:size=2:order=little``: a name, and options that are written as text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

from .._sockets.endpoints import parts_of
from ..model import Direction
from .option_values import size

__all__ = ["Description", "arguments_of", "described", "options_of"]

Read: TypeAlias = Callable[[str], object]
"""Reads the text of an option."""

MARKS: dict[str, bytes] = {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n", "nul": b"\0"}
"""Bytes that have a name."""

ANSWERS: dict[str, bool] = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}


ESCAPED = re.compile(r"\\([:=\\])|\\")
"""A backslash with what it stands before, or one that stands for itself."""


class Description(NamedTuple):
    """The parts of a description."""

    name: str
    """A name that is ready, or ``package.module:name``."""
    options: Mapping[str, str]
    """The texts of the options, by their names."""


def described(text: str) -> Description:
    r"""Split a description. It is written as that of an endpoint: a colon or a backslash in a value has a backslash.

    A part without ``=`` belongs to the name, so ``module:name`` is a name, and ``length:size=2`` has an option.

    A backslash before anything else is one itself, so that regular expressions are written as elsewhere: ``\d+``.
    """
    kind, positional, options = parts_of(ESCAPED.sub(lambda found: found[0] if found[1] else r"\\", text))
    return Description(":".join([kind, *positional]), options)


def arguments_of(function: Callable[..., object], options: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments for a function that options in text stand for, by the types in its signature.

    An option has the name of its parameter, with hyphens in place of underscores.

    Raises:
        ValueError: an option is unknown, missing or wrong. The message begins with its name.
    """
    readers = {name.replace("_", "-"): (name, read) for name, read in options_of(function).items()}
    arguments: dict[str, Any] = {}
    parameters = inspect.signature(function).parameters
    for written, text in options.items():
        if written not in readers:
            known = ", ".join(readers) or "none"
            raise ValueError(f"there is no option {written!r}; the options are: {known}")
        name, read = readers[written]
        try:
            value = arguments[name] = read(text)
        except ValueError as error:
            raise ValueError(f"{written} {error}") from error
        if value == () == parameters[name].default:  # a variable of the shell that is not set: it would allow all
            raise ValueError(f"{written} must not be empty; leave the option out")
    for written, (name, _) in readers.items():
        if parameters[name].default is inspect.Parameter.empty and name not in arguments:
            raise ValueError(f"{written} is missing; write {written}=")
    return arguments


def options_of(function: Callable[..., object]) -> dict[str, Read]:
    """Return the parameters of a function that can be written as text, each with what reads it."""
    is_plain_class = isinstance(function, type) and not is_dataclass(function)
    try:
        hints = get_type_hints(function.__init__ if is_plain_class else function)
    except Exception:  # an annotation that only type checkers can resolve
        hints = {}
    readers = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            read = _reader(name, hints.get(name)) or _reader(name, type(parameter.default))
            if read is not None:
                readers[name] = read
    return readers


def _reader(name: str, kind: object) -> Read | None:
    """Return what reads a value of a type; ``None`` if no text stands for such a value."""
    if get_origin(kind) in (Union, UnionType):
        readers = [read for each in get_args(kind) if (read := _reader(name, each)) is not None]
        return readers[0] if len(readers) == 1 else None
    if get_origin(kind) is Literal:
        return lambda text: _one_of(get_args(kind), text)
    if get_origin(kind) is tuple and get_args(kind) == (str, ...):
        return _several
    if kind is int and name.startswith("max_"):
        return size
    return READERS.get(kind)


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text, re.ASCII):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number, not {text!r}") from None


def _answer(text: str) -> bool:
    if text not in ANSWERS:
        raise ValueError(f"must be yes or no, not {text!r}")
    return ANSWERS[text]


def _marks(text: str) -> bytes:
    if text in MARKS:
        return MARKS[text]
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"must be hexadecimal such as 1c0d, or {', '.join(MARKS)}, not {text!r}") from None


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text.strip() else ()


def _one_of(choices: tuple[object, ...], text: str) -> str:
    if text not in choices:
        raise ValueError(f"must be {' or '.join(map(str, choices))}, not {text!r}")
    return text


def _direction(text: str) -> Direction | None:
    if text == "both":
        return None
    try:
        return Direction(text.replace("-", "_"))
    except ValueError:
        raise ValueError(f"must be to-server, to-client or both, not {text!r}") from None


READERS: dict[object, Read] = {
    int: _integer,
    float: _number,
    bool: _answer,
    str: str,
    bytes: _marks,
    Direction: _direction,
}
"""What reads a value of each type."""
