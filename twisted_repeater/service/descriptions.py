"""Descriptions such as ``length:size=2:order=little``: a name, and options that are written as text."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from importlib.util import find_spec
from itertools import takewhile
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

from .._sockets.endpoints import ARGUMENT, NAMED, parts_of
from ..model import Direction
from .option_values import hyphened, near, size

__all__ = ["Description", "arguments_of", "described", "near", "options_of", "positional_of"]

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
    positional: tuple[str, ...]
    """The texts of the options that are given without their names."""
    options: Mapping[str, str]
    """The texts of the others, by their names."""


def described(text: str, ready: Iterable[str] = ()) -> Description:
    r"""Split a description. It is written as that of an endpoint: a colon or a backslash in a value has a backslash.

    The name is the first part if that is ``ready``, otherwise the first two: ``module:name``. Other parts are options,
    which a part without ``=`` gives by its place, as in ``rate-limit:100:burst=50``.

    A backslash before anything else is one itself, so that regular expressions are written as elsewhere: ``\d+``.

    Args:
        text: the description.
        ready: the names that are ready. They may be written with hyphens or underscores.

    Raises:
        ValueError: a part without a name comes after one with a name.
    """
    escaped = ESCAPED.sub(lambda found: found[0] if found[1] else r"\\", text)
    kind, positional, options = parts_of(escaped)
    _check_order(escaped)
    known = {hyphened(name): name for name in ready}
    if hyphened(kind) in known and not (positional and _is_name_in_module(kind, positional[0])):
        return Description(known[hyphened(kind)], tuple(positional), options)
    return Description(":".join([kind, *positional[:1]]), tuple(positional[1:]), options)


def _check_order(text: str) -> None:
    """Check that no part without a name comes after one with a name: there a colon belongs to a value, most likely."""
    after_name = False
    for part in ARGUMENT.findall(text)[1:]:
        is_named = NAMED.fullmatch(part) is not None
        if after_name and not is_named:
            raise ValueError(f"an option must be written as name=value, not {part!r}; write \\: for a colon in a value")
        after_name = is_named


def _is_name_in_module(kind: str, path: str) -> bool:
    """Return whether a name that is ready stands for a module of the user. The module is not imported."""
    return all(part.isidentifier() for part in path.split(".")) and is_module(kind)


def is_module(name: str) -> bool:
    """Return whether there is a module of this name, which has no dots. It is not imported."""
    return name.isidentifier() and (name in sys.modules or find_spec(name) is not None)


def arguments_of(
    function: Callable[..., object], options: Mapping[str, str], positional: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the arguments for a function that options in text stand for, by the types in its signature.

    An option has the name of its parameter, with hyphens in place of underscores.

    Args:
        function: the function, or a class.
        options: the texts of the options, by their names.
        positional: the texts of options that are given by their places.

    Raises:
        ValueError: an option is unknown, missing or wrong. The message begins with its name.
    """
    readers = {hyphened(name): (name, read) for name, read in options_of(function).items()}
    arguments: dict[str, Any] = {}
    parameters = inspect.signature(function).parameters
    for written, text in _all_by_name(function, options, positional).items():
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


def _all_by_name(
    function: Callable[..., object], options: Mapping[str, str], positional: Sequence[str]
) -> dict[str, str]:
    """Return the texts of all options by the names of the options, which all are known."""
    known = list(map(hyphened, options_of(function)))
    places = list(map(hyphened, positional_of(function)))
    texts = dict(zip(places, positional, strict=False))
    if len(positional) > len(places):
        also = f" (only {' and '.join(places)} may stand without a name)" if places else ""
        raise ValueError(f"an option must be written as name=value, not {positional[len(places)]!r}{also}")
    for name, text in options.items():
        written = hyphened(name)
        if written not in known:
            those = ", ".join(known) or "none"
            raise ValueError(f"there is no option {name!r}; the options are: {those}{near(name, known)}")
        if written in texts:
            raise ValueError(f"{written} is given twice")
        texts[written] = text
    return texts


def positional_of(function: Callable[..., object]) -> list[str]:
    """Return the parameters whose texts may be given by their places: those that the function takes first."""
    readers = options_of(function)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    first = [name for name, each in inspect.signature(function).parameters.items() if each.kind in kinds]
    return list(takewhile(lambda name: name in readers, first))


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
        *first, last = map(str, choices)
        raise ValueError(f"must be {', '.join(first)}{' or ' if first else ''}{last}, not {text!r}")
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
