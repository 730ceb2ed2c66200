"""Loads the filters and dialects that options name as ``package.module:name``, or describe."""

from __future__ import annotations

import importlib
import os
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from twisted.internet import defer

from .._text import class_name, text_of, told
from .._types import Filter, FilterPairObject
from ..dialects import (
    Dialect,
    async_extra,
    delimited,
    fix,
    hl7,
    int32,
    length,
    lines,
    modbus,
    mqtt,
    postgres,
    redis,
    varint,
)
from ..filters._provider import checked_function, checked_pair, fixed_filters, is_pair
from ..interfaces import IFilter
from ..model import Direction
from .descriptions import Description, arguments_of, described, is_module, near, options_of
from .ready_filters import DIALECTS, READY_FILTERS, READY_FOR_ONE_WAY

__all__ = ["LoadingError", "dialect_needed", "is_ready", "load_dialect", "load_filter", "load_filter_pair"]

P = ParamSpec("P")
T = TypeVar("T")

READY: dict[str, Callable[..., Dialect]] = {
    function.__name__: function
    for function in (async_extra, delimited, fix, hl7, int32, length, lines, modbus, mqtt, postgres, redis, varint)
}
"""The functions of the package `dialects` that make one, by their names."""

OURS = tuple(str(directory) + os.sep for directory in (Path(__file__).parents[1], Path(defer.__file__).parents[1]))
"""The directories of this package and of Twisted."""


class LoadingError(Exception):
    """A filter or a dialect cannot be loaded. The message is one line that says which one, and why."""


def find(name: str) -> Any:
    """Return the object that ``package.module:name`` names."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise LoadingError(f"a name must be of the form package.module:name, not {name!r}")
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise LoadingError(f"{name}: write the name of a module, not of a file, such as {dotted}:{path}")
    module = trying(f"cannot import {module_name}", importlib.import_module, module_name)
    try:
        return trying(name, attrgetter(path), module)  # the module may have a __getattr__ of its own
    except LoadingError as error:
        if isinstance(error.__cause__, AttributeError):
            names = [each for each in vars(module) if not each.startswith("_")]
            raise LoadingError(f"module {module_name} has no {path!r}{near(path, names)}") from None
        raise


def load_filter(description: str, direction: Direction = Direction.TO_SERVER) -> Filter:
    """Load the filter of one direction.

    Args:
        description: a filter of this package that is for one direction, too, such as ``rate-limit:100:burst=50``, or
            ``package.module:name`` of a function of a message and its link, of an object that provides `IFilter`, or of
            a class. A class is called with the options that follow, and so is a function if any follow; it returns the
            filter.
        direction: the direction of the messages.

    Raises:
        LoadingError: the filter cannot be loaded.
    """
    parts = _parts("", description, READY_FILTERS)
    if parts.name in READY_FILTERS:
        return _ready_for_one_way(parts, direction)
    ready = {name: READY_FILTERS[name] for name in READY_FOR_ONE_WAY}
    name, found = _described("", description, ready, _makes_filter)
    try:
        checked_function(found)
    except TypeError as error:
        if is_pair(found):
            raise LoadingError(f"{name} is a pair of filters: use the option filter") from error
        raise LoadingError(f"{name}: {text_of(error)}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise LoadingError(f"{name}: {reason_of(error)}") from error
    loaded: Filter = found
    return loaded


def _ready_for_one_way(parts: Description, direction: Direction) -> Filter:
    """Make a filter of this package for one direction, which the option on the command line gives."""
    name, _, options = parts
    if name not in READY_FOR_ONE_WAY:
        raise LoadingError(f"{name} is a pair of filters: use the option filter")
    way = direction.value.replace("_", "-")
    given = options.get("direction", way)
    if given != way:
        raise LoadingError(f"{name}: direction must be {way}, not {given!r}; use the option filter for {given!r}")
    pair = _made("", parts._replace(options={**options, "direction": way}), READY_FILTERS[name])
    ours: dict[Direction, Filter] = dict(fixed_filters(pair))
    return ours[direction]


def load_filter_pair(description: str) -> FilterPairObject:
    """Load a pair of filters.

    Args:
        description: a pair of this package, such as ``log:sample=0.01``, or ``package.module:name`` of an object with a
            method ``for_link``, or of a class or a function that returns one. Its options follow.

    Raises:
        LoadingError: the pair cannot be loaded.
    """
    name, found = _described("", description, READY_FILTERS, _makes_pair)
    try:
        return checked_pair(found)
    except TypeError as error:
        if callable(found) or callable(getattr(found, "filter", None)):
            raise LoadingError(
                f"{name} is the filter of one direction: use the option to-server-filter or to-client-filter"
            ) from error
        raise LoadingError(f"{name}: {text_of(error)}") from error


def module_of(description: str) -> str | None:
    """Return the name of the module that the description of a filter names, ``None`` for one of this package.

    It is ``None`` for a wrong description, too: to load that says what is wrong.
    """
    try:
        name = described(description, READY_FILTERS).name
    except ValueError:
        return None
    return None if name in READY_FILTERS else name.partition(":")[0]


def is_ready(description: str) -> bool:
    """Return whether a description is that of a filter of this package, or a wrong one."""
    return module_of(description) is None


def dialect_needed(description: str) -> str | None:
    """Return the name of the dialect that a filter of this package is for, ``None`` for any and for other filters."""
    return DIALECTS.get(_parts("", description, READY_FILTERS).name)


def load_dialect(description: str) -> Dialect:
    """Load a dialect.

    Args:
        description: a dialect of this package, such as ``int32``, or ``package.module:name`` of a `Dialect` or of a
            function that returns one. Options of a function follow, as in ``length:size=2:order=little``.

    Raises:
        LoadingError: the dialect cannot be loaded.
    """
    name, found = _described("dialect ", description, READY, lambda found, _: not isinstance(found, Dialect))
    if not isinstance(found, Dialect):
        raise LoadingError(f"dialect {name} must be a Dialect, or a function that returns one, not {class_name(found)}")
    return found


def _makes_filter(found: Any, has_options: bool) -> bool:
    """Return whether this is called to get the filter of a direction. A function without options may be one."""
    if IFilter.providedBy(found):
        return False
    return issubclass(type(found), type) or (has_options and not is_pair(found))


def _makes_pair(found: Any, has_options: bool) -> bool:
    """Return whether this is called to get a pair. A function without options may be the filter of one direction."""
    return isinstance(found, type) or (has_options and not is_pair(found))


def _parts(kind: str, description: str, ready: Iterable[str]) -> Description:
    """Split a description."""
    try:
        return described(description, ready)
    except ValueError as error:
        raise LoadingError(f"{kind}{description.partition(':')[0]}: {error}") from error


def _described(
    kind: str, description: str, ready: Mapping[str, Callable[..., Any]], is_maker: Callable[[Any, bool], bool]
) -> tuple[str, Any]:
    """Return the name in a description, and what it describes: a ``ready`` one, an object, or what that returns.

    ``kind`` begins the errors, if the caller does not say which option they are about.
    """
    parts = _parts(kind, description, ready)
    name, has_options = parts.name, bool(parts.positional or parts.options)
    if name in ready:
        return name, _made(kind, parts, ready[name])
    first, colon, _ = name.partition(":")
    suggestion = near(first, ready) or _with_colon(name)
    if not colon or "-" in first or (suggestion and "." not in first and not is_module(first)):
        choice = f"one of {', '.join(ready)}, or package.module:name"
        raise LoadingError(f"{kind}must be {choice}, not {first!r}{suggestion}")
    found = find(name)
    if callable(found) and is_maker(found, has_options):
        return name, _made(kind, parts, found)
    if has_options:
        raise LoadingError(f"{kind}{name}: it is made already, and takes no options")
    return name, found


def _with_colon(name: str) -> str:
    """Return the end of a message about a name with a dot where a colon must be, "" about another one."""
    module, dot, last = name.rpartition(".")
    is_meant = dot and ":" not in name and last != "py" and all(map(str.isidentifier, name.split(".")))
    return f"; did you mean {module}:{last}?" if is_meant else ""


def _made(kind: str, parts: Description, maker: Callable[..., Any]) -> Any:
    """Call what makes an object, with the options of its description."""
    name, positional, options = parts
    is_ours = ":" not in name
    has_options = bool(positional or options)
    try:
        make = partial(maker, **(arguments_of(maker, options, positional) if has_options or is_ours else {}))
        if is_ours:
            return make()
    except (ValueError, TypeError, ImportError, OSError) as error:  # a wrong option, no extra, a file that is not there
        raise LoadingError(f"{kind}{name}: {_in_options(maker, error)}") from error
    return trying(f"cannot make the {kind or 'filter '}{name}", make)


def _in_options(maker: Callable[..., Any], error: Exception) -> str:
    """Return an error with the names that options have on the command line, where it has those of arguments."""
    text = text_of(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename!r} cannot be read: {error.strerror}"
    for name in options_of(maker):
        text = re.sub(rf"\b{name}\b", name.replace("_", "-"), text)
    return text


def trying(what: str, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call code of the user. If it raises, raise a `LoadingError` whose message begins with ``what``."""
    try:
        return call(*arguments, **named)
    except (KeyboardInterrupt, LoadingError):
        raise
    except BaseException as error:  # a module that calls sys.exit() must not end a running repeater
        raise LoadingError(f"{what}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Return on one line the error, and where in the user's code it was raised."""
    reason = " ".join(told(error).split())
    if isinstance(error, SyntaxError):
        return reason  # it has the place already
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<", *OURS)) and frame.filename != importlib.__file__:
            return f"{reason} ({Path(frame.filename).name}, line {frame.lineno})"
    return reason
