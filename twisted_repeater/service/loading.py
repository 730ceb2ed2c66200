"""Finds what an option names: filters and dialects, as ``package.module:name``."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import dialects
from .._text import class_name, text_of, told
from ..dialects import Dialect
from ..filters._provider import checked_function
from ..interfaces import IFilter

__all__ = ["LoadingError", "find", "load_dialect", "load_filter"]

OURS = str(Path(__file__).parent) + os.sep
"""Where the files of this package are."""


class LoadingError(Exception):
    """Something cannot be loaded; the message says what and why, on one line."""


def find(name: str) -> Any:
    """Return what ``package.module:name`` names, whatever it is."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise LoadingError(f"{name!r} is not of the form package.module:name")
    found: Any = trying(f"cannot import {module_name}", importlib.import_module, module_name)
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise LoadingError(f"module {module_name} has no {path!r}") from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a module may decide itself what it has
            raise LoadingError(f"{name}: {_reason(error)}") from error
    return found


def load_filter(name: str) -> Any:
    """Return the filter of a name.

    A class is called without arguments, and what it gives is the filter. Anything else is the filter itself: a function
    of a message and its link, or an object that provides `IFilter`.
    """
    found = find(name)
    if issubclass(type(found), type) and not IFilter.providedBy(found):
        found = trying(f"cannot make a {name}", found)
    try:
        if found is None:
            raise TypeError("None is no filter")
        checked_function(found)
    except TypeError as error:
        raise LoadingError(f"{name}: {text_of(error)}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise LoadingError(f"{name}: {_reason(error)}") from error
    return found


def load_dialect(name: str) -> Dialect:
    """Return the dialect of a name: one that comes with this package, or ``package.module:name``.

    What is named may be a `Dialect` or give one when called without arguments.
    """
    if ":" not in name:
        if name not in dialects.__all__:
            known = ", ".join(dialects.__all__)
            raise LoadingError(f"there is no dialect {name!r}: it is one of {known}, or package.module:name")
        found = getattr(dialects, name)
    else:
        found = find(name)
    if not isinstance(found, Dialect) and callable(found):
        found = trying(f"cannot make the dialect {name}", found)
    if not isinstance(found, Dialect):
        raise LoadingError(f"{name} is no dialect but {class_name(found)}")
    return found


def trying(what: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call something of the user's. Whatever goes wrong is a `LoadingError` that begins with ``what``."""
    try:
        return call(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # no exception of a module, that of sys.exit included, may end a running repeater
        raise LoadingError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Say what went wrong, and where in the user's code, on one line."""
    reason = " ".join(told(error).split())
    if isinstance(error, SyntaxError):
        return reason  # which says where
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<frozen", OURS)) and frame.filename != importlib.__file__:
            return f"{reason} ({Path(frame.filename).name}, line {frame.lineno})"
    return reason
