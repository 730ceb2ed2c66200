"""Loads the filters and dialects that options name as ``package.module:name``, or describe."""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

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
from ..filters._provider import checked_function, checked_pair, is_pair
from ..interfaces import IFilter
from .descriptions import arguments_of, described, options_of
from .ready_filters import READY_FILTERS

__all__ = ["LoadingError", "load_dialect", "load_filter", "load_filter_pair"]

P = ParamSpec("P")
T = TypeVar("T")

READY: dict[str, Callable[..., Dialect]] = {
    function.__name__: function
    for function in (async_extra, delimited, fix, hl7, int32, length, lines, modbus, mqtt, postgres, redis, varint)
}
"""The functions of the package `dialects` that make one, by their names."""

OURS = str(Path(__file__).parents[1]) + os.sep
"""The directory of this package."""


class LoadingError(Exception):
    """A filter or a dialect cannot be loaded. The message is one line that says which one, and why."""


def find(name: str) -> Any:
    """Return the object that ``package.module:name`` names."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise LoadingError(f"a name must be of the form package.module:name, not {name!r}")
    module = trying(f"cannot import {module_name}", importlib.import_module, module_name)
    try:
        return trying(name, attrgetter(path), module)  # the module may have a __getattr__ of its own
    except LoadingError as error:
        if isinstance(error.__cause__, AttributeError):
            raise LoadingError(f"module {module_name} has no {path!r}") from None
        raise


def load_filter(name: str) -> Filter:
    """Load a filter.

    Args:
        name: ``package.module:name`` of a function of a message and its link, of an object that provides `IFilter`, or
            of a class. A class is called without arguments, and returns the filter.

    Raises:
        LoadingError: the filter cannot be loaded.
    """
    if described(name).name in READY_FILTERS:
        raise LoadingError(f"{name} is a pair of filters: name it with --filter")
    found: Any = find(name)
    if issubclass(type(found), type) and not IFilter.providedBy(found):
        found = trying(f"cannot make the filter {name}", found)
    try:
        checked_function(found)
    except TypeError as error:
        if is_pair(found):
            raise LoadingError(f"{name} is a pair of filters: name it with --filter") from error
        raise LoadingError(f"{name}: {text_of(error)}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise LoadingError(f"{name}: {_reason(error)}") from error
    loaded: Filter = found
    return loaded


def load_filter_pair(description: str) -> FilterPairObject:
    """Load a pair of filters.

    Args:
        description: a pair of this package, such as ``log:sample=0.01``, or ``package.module:name`` of an object with a
            method ``for_link``, or of a class or a function that returns one. Its options follow.

    Raises:
        LoadingError: the pair cannot be loaded.
    """
    name, found = _described("--filter", description, READY_FILTERS, _makes_pair)
    try:
        return checked_pair(found)
    except TypeError as error:
        if callable(found) or callable(getattr(found, "filter", None)):
            raise LoadingError(
                f"{name} is the filter of one direction: name it with --to-server-filter or --to-client-filter"
            ) from error
        raise LoadingError(f"{name}: {text_of(error)}") from error


def module_of(description: str) -> str | None:
    """Return the name of the module that a description of a pair names, ``None`` for one of this package."""
    name = described(description).name
    return None if name in READY_FILTERS else name.partition(":")[0]


def load_dialect(description: str) -> Dialect:
    """Load a dialect.

    Args:
        description: a dialect of this package, such as ``int32``, or ``package.module:name`` of a `Dialect` or of a
            function that returns one. Options of a function follow, as in ``length:size=2:order=little``.

    Raises:
        LoadingError: the dialect cannot be loaded.
    """
    name, found = _described("dialect", description, READY, lambda found, _: not isinstance(found, Dialect))
    if not isinstance(found, Dialect):
        raise LoadingError(f"dialect {name} must be a Dialect, or a function that returns one, not {class_name(found)}")
    return found


def _makes_pair(found: Any, has_options: bool) -> bool:
    """Return whether this is called to get a pair. A function without options may be the filter of one direction."""
    return isinstance(found, type) or (has_options and not is_pair(found))


def _described(
    kind: str, description: str, ready: Mapping[str, Callable[..., Any]], is_maker: Callable[[Any, bool], bool]
) -> tuple[str, Any]:
    """Return the name in a description, and what it describes: a ``ready`` one, an object, or what that returns."""
    name, options = described(description)
    first, _, rest = name.partition(":")
    if name in ready:
        return name, _made(kind, name, ready[name], options)
    if first in ready and not _importable(first):
        hint = r"; write \: for a colon in a value" if options else ""
        raise LoadingError(f"{kind} {first}: an option must be written as name=value, not {rest!r}{hint}")
    if not rest:
        raise LoadingError(f"{kind} must be one of {', '.join(ready)}, or package.module:name, not {name!r}")
    found = find(name)
    if callable(found) and is_maker(found, bool(options)):
        return name, _made(kind, name, found, options)
    if options:
        raise LoadingError(f"{kind} {name}: it is made already, and takes no options")
    return name, found


def _made(kind: str, name: str, maker: Callable[..., Any], options: Mapping[str, str]) -> Any:
    """Call what makes an object, with these options."""
    is_ours = ":" not in name
    try:
        make = partial(maker, **(arguments_of(maker, options) if options or is_ours else {}))
        if is_ours:
            return make()
    except (ValueError, TypeError, ImportError, OSError) as error:  # a wrong option, no extra, a file that is not there
        raise LoadingError(f"{kind} {name}: {_in_options(maker, error)}") from error
    return trying(f"cannot make the {kind.strip('-')} {name}", make)


def _in_options(maker: Callable[..., Any], error: Exception) -> str:
    """Return an error with the names that options have on the command line, where it has those of arguments."""
    text = text_of(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename!r} cannot be read: {error.strerror}"
    for name in options_of(maker):
        text = re.sub(rf"\b{name}\b", name.replace("_", "-"), text)
    return text


def _importable(name: str) -> bool:
    """Return whether there is a module of this name; it is not imported."""
    return name in sys.modules or find_spec(name) is not None


def trying(what: str, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call code of the user. If it raises, raise a `LoadingError` whose message begins with ``what``."""
    try:
        return call(*arguments, **named)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module that calls sys.exit() must not end a running repeater
        raise LoadingError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return on one line the error, and where in the user's code it was raised."""
    reason = " ".join(told(error).split())
    if isinstance(error, SyntaxError):
        return reason  # it has the place already
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<", OURS)) and frame.filename != importlib.__file__:
            return f"{reason} ({Path(frame.filename).name}, line {frame.lineno})"
    return reason
