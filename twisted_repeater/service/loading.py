"""Loads the filters and dialects that options name as ``package.module:name``, or describe."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from .. import dialects
from .._text import class_name, text_of, told
from .._types import Filter, FilterPairObject
from ..dialects import Dialect
from ..filters._provider import checked_function, checked_pair, is_pair
from ..interfaces import IFilter
from .descriptions import arguments_of, described
from .ready_filters import READY_FILTERS

__all__ = ["LoadingError", "load_dialect", "load_filter", "load_pair"]

P = ParamSpec("P")
T = TypeVar("T")

READY: tuple[str, ...] = ("async_extra", "delimited", "int32", "length", "lines", "varint")
"""The functions of the package `dialects` that make one."""

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
        LoadingError: The filter cannot be loaded.
    """
    found: Any = find(name)
    if issubclass(type(found), type) and not IFilter.providedBy(found):
        found = trying(f"cannot make a {name}", found)
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


def load_pair(description: str) -> FilterPairObject:
    """Load a pair of filters.

    Args:
        description: A pair of this package, such as ``log:sample=0.01``, or ``package.module:name`` of an object with a
            method ``for_link``, or of a class or a function that returns one. Its options follow.

    Raises:
        LoadingError: The pair cannot be loaded.
    """
    name, options = described(description)
    if name in READY_FILTERS:
        found: Any = READY_FILTERS[name]
    elif ":" in name:
        found = find(name)
    else:
        raise LoadingError(f"--filter must be one of {', '.join(READY_FILTERS)}, or package.module:name, not {name!r}")
    if options and not (callable(found) and (isinstance(found, type) or not is_pair(found))):
        raise LoadingError(f"{name} is made already, so it has no options")
    if isinstance(found, type) or name in READY_FILTERS or options:
        try:
            arguments = arguments_of(found, options)
            found = found(**arguments) if name in READY_FILTERS else trying(f"cannot make a {name}", found, **arguments)
        except ValueError as error:
            raise LoadingError(f"--filter {name}: {error}") from error
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
        description: A dialect of this package, such as ``int32``, or ``package.module:name`` of a `Dialect` or of a
            function that returns one. Options of a function follow, as in ``length:size=2:order=little``.

    Raises:
        LoadingError: The dialect cannot be loaded.
    """
    name, options = described(description)
    if name in READY:
        found = getattr(dialects, name)
    elif name.partition(":")[0] in READY and not _importable(name.partition(":")[0]):
        kind, _, part = name.partition(":")
        raise LoadingError(f"dialect {kind}: an option must be written as name=value, not {part!r}")
    elif ":" in name:
        found = find(name)
    else:
        raise LoadingError(f"dialect must be one of {', '.join(READY)}, or package.module:name, not {name!r}")
    if not isinstance(found, Dialect) and callable(found):
        found = _made(name, found, options)
    elif options:
        raise LoadingError(f"dialect {name}: it takes no options: it is not a function")
    if not isinstance(found, Dialect):
        raise LoadingError(f"dialect {name} must be a Dialect, or a function that returns one, not {class_name(found)}")
    return found


def _made(name: str, function: Callable[..., Any], options: Mapping[str, str]) -> Any:
    """Call a function that returns a dialect."""
    try:
        arguments = arguments_of(function, options) if options or name in READY else {}
        if name in READY:
            return function(**arguments)
    except (ValueError, TypeError) as error:
        raise LoadingError(f"dialect {name}: {text_of(error)}") from error
    return trying(f"cannot make the dialect {name}", partial(function, **arguments))


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
