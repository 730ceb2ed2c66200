"""What is wrong with the text of an endpoint, found before there is a reactor; and what it would bind."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import getPlugins
from zope.interface import Interface

from .._sockets.endpoints import check_server, parts_of

__all__ = ["Bound", "admin", "bound_by", "check_free", "listening", "server"]

INTERFACE_AT = {"tcp": 1, "tcp6": 1, "ssl": 4}
"""The kinds of server endpoints that bind a port, and the place of the interface in their descriptions."""

INTERNET_KINDS = (*INTERFACE_AT, "tls")
"""The kinds of endpoints that listen on a port."""

WRAPPERS = re.compile(r"^(?:haproxy:)+")
"""What may stand before the description of a server endpoint."""

ALL = ("0.0.0.0", "::")
"""The interfaces that stand for all addresses."""


class Bound(NamedTuple):
    """What a server endpoint binds: a port of an interface, or something else that has a name."""

    name: str
    """An address, "" for all of them; or a path."""
    port: int | None = None

    def takes(self, other: Bound) -> bool:
        """Return whether only one of the two can be bound."""
        return self.port == other.port and (
            self.name == other.name or (self.port is not None and "" in (self.name, other.name))
        )


def bound_by(description: str) -> Bound | None:
    """Return what a server endpoint binds according to its description; ``None`` if nobody knows yet."""
    kind, positional, named = parts_of(WRAPPERS.sub("", description))
    if kind == "unix":
        path = named.get("address") or (positional[0] if positional else "")
        return Bound(os.path.abspath(path)) if path else None
    if kind == "systemd":
        return Bound(f"systemd:{named['name']}") if "name" in named else None
    if kind not in INTERFACE_AT:
        return None
    interface, port = _interface_and_port(kind, positional, named)
    if not re.fullmatch(r"\d+", port, re.ASCII) or int(port) == 0:
        return None
    return Bound("" if interface in ALL else interface, int(port))


def check_free(description: str) -> None:
    """Raise ``OSError`` if somebody listens at the port of a server endpoint, even if he would share it.

    Args:
        description: of the kind ``tcp:``, ``tcp6:`` or ``ssl:``, with a port that is not 0.
    """
    kind, positional, named = parts_of(WRAPPERS.sub("", description))
    interface, port = _interface_and_port(kind, positional, named)
    with socket.socket(socket.AF_INET6 if kind == "tcp6" or ":" in interface else socket.AF_INET) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((interface, int(port)))


def _interface_and_port(kind: str, positional: Sequence[str], named: Mapping[str, str]) -> tuple[str, str]:
    """Return two arguments of a server endpoint that binds a port, "" for what is not given."""
    at = INTERFACE_AT[kind]
    port = named.get("port") or (positional[0] if positional else "")
    interface = named.get("interface") or (positional[at] if len(positional) > at else "")
    return interface, port


def listening(text: str) -> str:
    """Read the description of a server endpoint: where clients connect.

    Raises:
        ValueError: it is wrong.
    """
    why = _wrong_in_listening(text)
    if why is not None:
        raise ValueError(f"must be an endpoint such as tcp:9000 or unix:/run/quotes, not {text!r}{why}")
    return text


def server(text: str) -> str:
    """Read the description of a client endpoint: where the server is.

    Raises:
        ValueError: it is wrong.
    """
    why = _wrong_in_server(text)
    if why is not None:
        raise ValueError(f"must be an endpoint such as tcp:127.0.0.1:9001, not {text!r}{why}")
    return text


def admin(text: str) -> str:
    """Read where the administration listens, which must say who can connect.

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
    why = _wrong_in_listening(text)
    if why is not None:
        raise ValueError(f"must be an endpoint such as tcp:8090:interface=127.0.0.1, not {text!r}{why}")
    return text


def _wrong_in_listening(text: str) -> str | None:
    """Return the end of the message about a description that is wrong."""
    kind, positional, named = parts_of(WRAPPERS.sub("", text))
    if kind in INTERFACE_AT:
        return _wrong_port(named.get("port", positional[0] if positional else ""), lowest=0)
    if kind == "unix":
        path = named.get("address", positional[0] if positional else "")
        return ": it needs a path" if not path else without_directory(path)
    if kind in _kinds(IStreamServerEndpointStringParser):
        return None
    port, interface = (kind, "") if kind.isdigit() else (positional[0] if positional else "", kind)
    local = {"": "", "localhost": ":interface=127.0.0.1"}.get(interface, f":interface={interface}")
    return _unknown_kind(text, f"tcp:{port}{local}" if port.isdigit() else "", "tcp:PORT")


def _wrong_in_server(text: str) -> str | None:
    """Return the end of the message about a description that is wrong."""
    kind, positional, named = parts_of(text)
    kind = kind.lower()
    if kind in ("tcp", "tls") and "endpoint" not in named:
        rest = positional[0 if "host" in named else 1 :]
        why = _wrong_port(named.get("port", rest[0] if rest else ""), lowest=1)
        if why is not None:
            return why
    elif kind not in ("tcp", "tls", "ssl", "unix", *_kinds(IStreamClientEndpointStringParserWithReactor)):
        host, port = ("127.0.0.1", kind) if kind.isdigit() else (kind, positional[0] if positional else "")
        return _unknown_kind(text, f"tcp:{host}:{port}" if port.isdigit() else "", "tcp:HOST:PORT")
    try:
        check_server(text)
    except ValueError as error:
        return f": {error}"
    return None


def _kinds(interface: type[Interface]) -> set[str]:
    """Return the kinds of endpoints that plugins of Twisted add, its own and those of others."""
    plugins: Iterable[Any] = getPlugins(interface)
    return {plugin.prefix.lower() for plugin in plugins}


def _unknown_kind(text: str, meant: str, form: str) -> str:
    """Return the end of the message about a description that begins with no kind of endpoints."""
    if "://" in text:
        return f"; it is no URL: write {form}"
    return f"; did you mean {meant}?" if meant and meant.isascii() and meant.isprintable() else f": write {form}"


def _wrong_port(port: str, *, lowest: int) -> str | None:
    if not port:
        return ": it needs a port"
    if not re.fullmatch(r"\d+", port, re.ASCII):
        return f": its port must be a number, not {port!r}"
    return None if lowest <= int(port) <= 0xFFFF else f": its port must be {lowest} to 65535"


def without_directory(path: str) -> str | None:
    """Return the end of the message about a file whose directory is not there.

    A relative path may count from another directory: twistd changes to its ``--rundir`` later.
    """
    directory = os.path.dirname(path)
    return f": there is no directory {directory!r}" if os.path.isabs(path) and not os.path.isdir(directory) else None
