"""The values of options, and the options that set limits. A wrong value is a ``ValueError`` that says why."""

from __future__ import annotations

import difflib
import enum
import fnmatch
import inspect
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple, TypeVar

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from .._sockets.endpoints import check_server, listening_endpoint, parts_of, server_endpoint
from .._text import text_of, told
from .._types import Reactor
from ..model import DefaultSize, Limits, OnFilterError, SameName
from . import endpoint_texts
from .systemd import check_passed

__all__ = [
    "LIMITS",
    "LimitOption",
    "admin_endpoint",
    "listen_endpoint",
    "name_filter",
    "on_filter_error",
    "same_name",
    "server",
]

T = TypeVar("T")
Choice = TypeVar("Choice", bound=enum.Enum)

SIZES = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}

Read = Callable[[str], float | None]
"""Reads the value of a limit."""


def size(text: str) -> int:
    """Read a size: ``16MiB``, ``64KiB``, ``1GiB``, or bytes."""
    match = re.fullmatch(r"(\d+) ?([KMG]iB|B|)", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError(f"must be a size such as 16MiB, 64KiB or 1000, not {text!r}")
    return int(match[1]) * SIZES[match[2].upper()]


def number(text: str) -> int:
    """Read a number."""
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Read a time in seconds."""
    try:
        time = float(text)
    except ValueError:
        time = math.nan
    if not math.isfinite(time):
        raise ValueError(f"must be a number of seconds, not {text!r}")
    return time


def seconds_or_none(text: str) -> float | None:
    """Read a time in seconds, or ``none``."""
    return None if text == "none" else seconds(text)


def shown(value: float | None, read: Read) -> str:
    """Write a value as a user writes it."""
    if value is None:
        return "none"
    if read is size:
        for unit in ("GiB", "MiB", "KiB"):
            if value % SIZES[unit.upper()] == 0:
                return f"{value // SIZES[unit.upper()]}{unit}"
    return f"{value:g}"


def not_empty(text: str) -> str:
    """Read a text."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def repeater_name(text: str) -> str:
    """Read the name of a repeater, which stands in paths and in logs."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text, re.ASCII):
        raise ValueError(f"must be a name of letters, digits, '-', '_' and '.', such as edge-1, not {text!r}")
    return text


def module_and_name(text: str) -> str:
    """Read the name of an object in a module."""
    if not re.fullmatch(r"[\w.]+:[\w.]+", text):
        raise ValueError(f"must be of the form package.module:name, not {text!r}")
    return text


def positive_seconds(text: str) -> float:
    """Read a time above 0."""
    time = seconds(text)
    if time <= 0:
        raise ValueError(f"must be above 0, not {text}")
    return time


def on_filter_error(text: str) -> OnFilterError:
    """Read the name of a policy."""
    return _choice(OnFilterError, text)


def same_name(text: str) -> SameName:
    """Read what to do with a newcomer whose name is taken."""
    return _choice(SameName, text)


def _choice(choices: type[Choice], text: str) -> Choice:
    """Return the member of an enum whose value is this text."""
    return choices(one_of([choice.value for choice in choices], text))


def one_of(choices: Sequence[str], text: str) -> str:
    """Return a text that is one of these."""
    if text not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}, not {text!r}{near(text, choices)}")
    return text


def hyphened(name: str) -> str:
    """Return a name with hyphens in place of underscores."""
    return name.replace("_", "-")


def near(name: str, known: Iterable[str], before: str = "") -> str:
    """Return the end of a message about an unknown name: which one may be meant, or "" if none is alike.

    Args:
        name: the unknown name.
        known: the names that there are.
        before: stands before each name that a user writes, such as ``--``.
    """
    names = {hyphened(each).lower(): each for each in known}
    found = difflib.get_close_matches(hyphened(name).lower(), names, 1, 0.65)
    return f"; did you mean {before}{names[found[0]]}?" if found else ""


def name_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that returns whether a name matches one of these patterns; without patterns, all names do."""
    if not patterns:
        return lambda name: True
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda name: matches(name) is not None


def server(reactor: Reactor, text: str) -> IStreamClientEndpoint:
    """Read the endpoint of the server."""
    try:
        check_server(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from error
    return _endpoint(server_endpoint, reactor, text)


def listen_endpoint(reactor: Reactor, text: str, *, shared: bool = False) -> IStreamServerEndpoint:
    """Read the endpoint where clients connect; ``shared`` if other processes may listen there, too."""
    return _endpoint(partial(listening_endpoint, shared=shared), reactor, text)


def admin_endpoint(reactor: Reactor, text: str) -> IStreamServerEndpoint:
    """Make the endpoint of the administration."""
    endpoint: IStreamServerEndpoint = _endpoint(serverFromString, reactor, endpoint_texts.admin(text))
    return endpoint


def _endpoint(make: Callable[[Reactor, str], T], reactor: Reactor, text: str) -> T:
    """Make an endpoint, and find here what Twisted would find only when the endpoint is used."""
    kind, _, _ = parts_of(text)
    if kind in ("tls", "ssl") and find_spec("OpenSSL") is None:
        raise ValueError(f"{text!r} needs pyOpenSSL: pip install 'twisted_repeater[tls]'")
    try:
        check_passed(endpoint_texts.WRAPPERS.sub("", text))
        return make(reactor, text)
    except Exception as error:  # each kind of endpoint raises its own
        raise ValueError(f"must be an endpoint, not {text!r}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return why Twisted cannot make an endpoint, without its functions."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename!r} cannot be read: {error.strerror}"
    if isinstance(error, LookupError):  # of the sockets that systemd passes
        return "systemd passes no such socket to this process"
    unknown = re.search(r"unexpected keyword argument '(\w+)'", text_of(error))
    if unknown:
        return f"there is no {unknown[1]}= in it"
    return text_of(error) if isinstance(error, ValueError) else told(error)


# -- an option for each field of `Limits`, made of its name, type, default and docstring ---------------------

COUNTS = {"max_clients", "max_unfinished_hellos"}
"""The fields that are plain numbers; other whole numbers are sizes in bytes."""

UNITS: dict[Read, str] = {
    seconds: " In seconds.",
    seconds_or_none: " In seconds, or none for no limit.",
}

FIELD = re.compile(r'^    (\w+): [^\n]*\n    """(.*?)"""$', re.M | re.S)
"""A field and the docstring below it, in the source."""


class LimitOption(NamedTuple):
    """One option; ``default`` is ``None`` if it depends on something, as the description then says."""

    name: str
    field: str
    read: Read
    default: str | None
    description: str


def limit_options() -> list[LimitOption]:
    """Make the options."""
    try:  # Python does not keep the docstrings of fields, so they are read from the source
        descriptions = dict(FIELD.findall(inspect.getsource(Limits)))
    except OSError:
        descriptions = {}
    options = []
    for field in fields(Limits):
        read: Read = number if field.name in COUNTS else size
        if "float" in field.type:
            read = seconds_or_none if "None" in field.type else seconds
        description = for_users(descriptions.get(field.name, ""))
        default = None
        depends = field.default is None and read is not seconds_or_none
        if not depends and not isinstance(field.default, DefaultSize):
            default = shown(getattr(Limits(), field.name), read)
            description = re.split(r"(?<=\.) (?=[A-Z])", description, maxsplit=1)[0] + UNITS.get(read, "")
        options.append(LimitOption(field.name.replace("_", "-"), field.name, read, default, description))
    return options


def for_users(description: str) -> str:
    """Write a description for people who write options, not Python, on one line."""
    text = " ".join(description.split()).replace("``None`` means", "If not given:")
    names = "|".join(field.name for field in fields(Limits))
    text = re.sub(rf"``({names})``", lambda found: "--" + found[1].replace("_", "-"), text)
    return text.replace("`", "")


LIMITS = limit_options()
