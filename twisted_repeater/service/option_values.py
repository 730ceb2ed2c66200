"""Reads the values of options. A wrong value is a ``ValueError`` with a message for the user."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from twisted.internet.endpoints import serverFromString

from .._sockets.endpoints import check_server, listening_endpoint, parts_of, server_endpoint
from .._text import told
from ..model import OnFilterError

__all__ = [
    "admin_endpoint",
    "listen_endpoint",
    "name_filter",
    "number",
    "on_filter_error",
    "seconds",
    "seconds_or_none",
    "server",
    "shown",
    "size",
]

SIZES = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}

INTERNET_KINDS = ("tcp", "tcp6", "ssl", "tls")
"""The kinds of endpoints that listen on a port."""


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


def shown(value: Any, read: Callable[[str], Any]) -> str:
    """Write a value as a user writes it."""
    if value is None:
        return "none"
    if read is size:
        for unit in ("GiB", "MiB", "KiB"):
            if value % SIZES[unit.upper()] == 0:
                return f"{value // SIZES[unit.upper()]}{unit}"
    return f"{value:g}"


def on_filter_error(text: str) -> OnFilterError:
    """Read the name of a policy."""
    try:
        return OnFilterError(text)
    except ValueError:
        choices = ", ".join(choice.value for choice in OnFilterError)
        raise ValueError(f"must be one of {choices}, not {text!r}") from None


def name_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that returns whether a name matches one of these patterns; without patterns, all names do."""
    if not patterns:
        return lambda name: True
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda name: matches(name) is not None


def server(reactor: object, text: str) -> Any:
    """Read the endpoint of the server."""
    try:
        check_server(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from error
    return _endpoint(server_endpoint, reactor, text)


def listen_endpoint(reactor: object, text: str) -> Any:
    """Read the endpoint where clients connect."""
    return _endpoint(listening_endpoint, reactor, text)


def admin_endpoint(reactor: object, text: str) -> Any:
    """Read the endpoint of the administration, which must say who can connect.

    An endpoint that wraps another is refused, because it does not show where the other listens. Only the owner of a
    Unix socket can connect to it, unless a mode is given; Twisted sets the mode before anybody can connect.
    """
    kind, positional, named = parts_of(text)
    if kind in INTERNET_KINDS:
        if not named.get("interface"):
            raise ValueError(
                f"must have an interface, such as interface=127.0.0.1, not {text!r}: anyone who can connect controls "
                "the repeater"
            )
    elif kind == "unix":
        if not (positional[0] if positional else named.get("address")):
            raise ValueError(f"must have the path of a socket, such as unix:/run/edge-admin, not {text!r}")
        if "mode" not in named and len(positional) < 2:
            text += ":mode=600"
    elif kind != "systemd":
        kinds = ", ".join((*INTERNET_KINDS, "unix"))
        raise ValueError(f"must be an endpoint of the kind {kinds} or systemd, not {text!r}")
    return _endpoint(serverFromString, reactor, text)


def _endpoint(make: Callable[[Any, str], Any], reactor: object, text: str) -> Any:
    """Make an endpoint, and find here what Twisted would find only when the endpoint is used."""
    kind, positional, named = parts_of(text)
    if kind in ("tls", "ssl") and find_spec("OpenSSL") is None:
        raise ValueError(f"{text!r} needs pyOpenSSL: pip install 'twisted_repeater[tls]'")
    ports = (part for part in (named.get("port", ""), *positional) if re.fullmatch(r"\d+", part, re.ASCII))
    port = int(next(ports, 0)) if kind in INTERNET_KINDS else 0
    if port > 0xFFFF:
        raise ValueError(f"must be an endpoint, not {text!r}: port {port} is above 65535")
    try:
        return make(reactor, text)
    except Exception as error:  # each kind of endpoint raises its own
        raise ValueError(f"must be an endpoint, not {text!r}: {told(error)}") from error
