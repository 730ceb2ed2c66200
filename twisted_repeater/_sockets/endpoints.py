"""Where clients connect and where the server is: endpoints, or numbers."""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IListeningPort,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from zope.interface import alsoProvides

from .._types import Reactor
from .dialling import TIMEOUT, AtPath, Dialled, ServerEndpoint, Through, at_host, is_address
from .shared_ports import SharingReactor, check_can_share
from .tls_endpoints import MAX_POSITIONAL, tls_listener, tls_server

__all__ = [
    "check_server",
    "check_shareable",
    "dialler",
    "let_half_close",
    "listener",
    "listening_endpoint",
    "parts_of",
    "server_endpoint",
]

T = TypeVar("T")

ARGUMENT: re.Pattern[str] = re.compile(r"(?:^|:)((?:[^\\:]|\\.)*)", re.DOTALL)
"""One part of the description of an endpoint: up to a colon that has no backslash before it."""

NAMED = re.compile(r"((?:[^\\=]|\\.)*)=(.*)", re.DOTALL)

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
"""Where Linux says how long a listen queue may be; Python knows only the value it was compiled with."""

HAS_BACKLOG = re.compile(r"(?:haproxy:)*(?:tcp6?|ssl|tls|unix):")
"""Matches the beginning of the description of a server endpoint that takes ``backlog=``."""

OURS = ("TCP", "TLS", "UNIX")
"""The kinds of servers that are connected to without an endpoint of Twisted's."""

NO_HEADER = "a PROXY header can be sent to a server of tcp:, tls: or unix:, not to {}"

SSL = re.compile(r"((?:haproxy:)*)(ssl:.*)", re.DOTALL)
"""Matches the description of a server endpoint over TLS."""

SHAREABLE = re.compile(r"(?:haproxy:)*(?:tcp6?|ssl):")
"""Matches the beginning of the description of a server endpoint at whose port several processes can listen."""


def longest_listen_queue() -> int:
    """Return how many connections the system lets wait to be accepted."""
    try:
        return int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        return socket.SOMAXCONN


def check_shareable(description: str) -> None:
    """Raise ``ValueError`` if several processes cannot listen at what a description names."""
    check_can_share()
    found = SSL.fullmatch(description)
    if SHAREABLE.match(description) is None:
        raise ValueError(f"needs a port of tcp:, tcp6: or ssl:, not {description!r}")
    if found is not None and is_left_to_twisted(*parts_of(found[2])[1:]):
        raise ValueError("cannot be used with sslmethod=")


def is_left_to_twisted(positional: list[str], named: dict[str, str]) -> bool:
    """Return whether these arguments of ``ssl:`` have a method, which only Twisted's own endpoint takes."""
    return "sslmethod" in named or len(positional) >= MAX_POSITIONAL


def listening_endpoint(reactor: Reactor, description: str, *, shared: bool = False) -> IStreamServerEndpoint:
    """Make a server endpoint from its description.

    Its listen queue is as long as the system allows, unless the description has a ``backlog=``. Twisted's own default
    is 50: if hundreds of clients connect at the same moment, most would have to wait one to three seconds.

    Args:
        reactor: the reactor.
        description: the description.
        shared: whether other processes may listen at the same port.

    Raises:
        ValueError: the description is wrong, or the port cannot be shared.
    """
    if shared:
        check_shareable(description)
        reactor = SharingReactor(reactor)
    found = SSL.fullmatch(description)
    if found is not None:
        _, positional, named = parts_of(found[2])
        if "sslmethod" in named and {"clientRoots", "alpn"} & set(named):
            raise ValueError("sslmethod= is left to Twisted, which has no clientRoots= and no alpn=")
        if not is_left_to_twisted(positional, named):
            wrappers = found[1].count(":")
            return tls_listener(reactor, wrappers, positional, named, longest_listen_queue(), description)
    endpoint: IStreamServerEndpoint | None = None
    if HAS_BACKLOG.match(description) and ":backlog=" not in description:
        # It may have a backlog as its third value, or be wrong, and Twisted says below in which way.
        with suppress(TypeError):
            endpoint = serverFromString(reactor, f"{description}:backlog={longest_listen_queue()}")
    return endpoint or serverFromString(reactor, description)


def listener(
    reactor: Reactor, endpoint: str | IStreamServerEndpoint | None, port: int | None, *, shared: bool = False
) -> Callable[[Factory], Awaitable[IListeningPort]]:
    """Return a function that makes a factory listen.

    Args:
        endpoint: a server endpoint or its description, or ``None`` for the TCP ``port`` of all interfaces.
        shared: whether other processes may listen at the same port.

    Raises:
        TypeError: both are given, or neither, or they are of the wrong type.
        ValueError: the port or the description cannot be used, or not be shared.
    """
    if (endpoint is None) == (port is None):
        raise TypeError("give either listen or listen_port")
    if isinstance(endpoint, str):
        endpoint = listening_endpoint(reactor, endpoint, shared=shared)
    elif shared:
        if endpoint is not None:
            raise TypeError(f"share_port needs listen_port, or the description of an endpoint, not {endpoint!r}")
        check_can_share()
        reactor = SharingReactor(reactor)
    if endpoint is None:
        _checked_port("listen_port", port, lowest=0)
    elif not IStreamServerEndpoint.providedBy(endpoint):
        raise TypeError(f"listen must be a server endpoint or its description, not {endpoint!r}")

    async def listening(factory: Factory) -> IListeningPort:
        if endpoint is not None:
            return await endpoint.listen(factory)
        bound: IListeningPort = reactor.listenTCP(port, factory, backlog=longest_listen_queue())
        return bound

    return listening


def dialler(
    reactor: Reactor,
    timeout: float,
    protocol: Callable[[T], Protocol],
    endpoint: str | IStreamClientEndpoint | None,
    ip: str | None,
    port: int | None,
    first: Callable[[T], bytes] | None = None,
) -> Callable[[T], Dialled]:
    """Return a function that connects a link to the server, with the protocol that ``protocol`` makes for it.

    Its Deferred fails with Twisted's ``TimeoutError`` after ``timeout`` seconds.

    Args:
        endpoint: a client endpoint or its description, or ``None`` if ``ip`` and ``port`` say where the server is.
        first: returns the bytes that a link sends to the server before anything else, before TLS, too.

    Raises:
        TypeError: both are given, or neither, or they are of the wrong type.
        ValueError: the server cannot be reached, or not safely; or ``first`` is given, and the endpoint is of a kind
            that does not allow it.
    """
    if (endpoint is None) == (ip is None and port is None) or (ip is None) != (port is None):
        raise TypeError("give either server or server_ip and server_port")
    if endpoint is not None:
        server = _given_server(reactor, endpoint)
    else:
        number = _checked_port("server_port", port, lowest=1)
        server = at_host(reactor, _checked_host("server_ip", ip), number)
    if first is not None and not server.sends_first:
        raise ValueError(NO_HEADER.format(endpoint))

    def dial(link: T) -> Dialled:
        return server.dial(protocol(link), timeout, b"" if first is None else first(link))

    return dial


def let_half_close(transport: object, protocol: Protocol) -> None:
    """Have a transport report the half-closes of its peer to a protocol that an endpoint has wrapped.

    Twisted's endpoints mean their wrapper to provide what the protocol does: half-closes, descriptors, handshakes. But
    it ends up with the last of these interfaces only, and without the first a half-close closes the connection.
    """
    wrapper = getattr(transport, "protocol", protocol)
    if (
        wrapper is not protocol
        and hasattr(type(wrapper), "readConnectionLost")  # other wrappers have all attributes of their transports
        and not IHalfCloseableProtocol.providedBy(wrapper)
    ):
        alsoProvides(wrapper, IHalfCloseableProtocol)


def _given_server(reactor: Reactor, endpoint: str | IStreamClientEndpoint) -> ServerEndpoint:
    if isinstance(endpoint, str):
        check_server(endpoint)
        endpoint = server_endpoint(reactor, endpoint)
    if not IStreamClientEndpoint.providedBy(endpoint):
        raise TypeError(f"server must be a client endpoint or its description, not {endpoint!r}")
    return endpoint if isinstance(endpoint, ServerEndpoint) else Through(reactor, endpoint)


def check_server(description: str, *, send_proxy: bool = False) -> None:
    """Raise ``ValueError`` if a description names a server that cannot be reached, or not safely.

    Args:
        description: the description of a client endpoint.
        send_proxy: whether the server gets a PROXY header before everything else.
    """
    kind, arguments = _described(description)
    if send_proxy and kind not in OURS:
        raise ValueError(NO_HEADER.format(description))
    if kind == "SSL":
        raise ValueError(
            "ssl: does not check whose certificate the server has; write tls:HOST:PORT, which does, and add "
            "trustRoots=DIRECTORY for certificates of your own"
        )
    if kind == "UNIX" and not arguments.get("path"):
        raise ValueError("the path of the server's socket is missing")
    if kind in ("TCP", "TLS"):
        _checked_host("the server's host", arguments.get("host", ""))
        if re.fullmatch(r"\s*\d+\s*", arguments.get("port", "")):  # Twisted itself refuses other texts
            _checked_port("the server's port", int(arguments["port"]), lowest=1)
    if "endpoint" in arguments:  # the one that tls: connects through
        check_server(arguments["endpoint"], send_proxy=send_proxy)


def server_endpoint(reactor: Reactor, description: str) -> ServerEndpoint:
    """Make the endpoint of a server from its description.

    ``tcp:`` and ``tls:`` try each address that a host name has. ``tls:`` reads its certificates again when they change.
    """
    kind, given = _described(description)
    if kind == "TLS":
        _, positional, named = parts_of(description)
        return tls_server(reactor, positional, named, lambda inner: server_endpoint(reactor, inner), description)
    endpoint: IStreamClientEndpoint = clientFromString(reactor, description)  # which checks the description
    timeout = float(given.get("timeout", TIMEOUT))
    if kind == "TCP":
        bind = (given["bindAddress"], 0) if "bindAddress" in given else None
        return at_host(reactor, given["host"], int(given["port"]), timeout, bind)
    if kind == "UNIX":
        return AtPath(reactor, given["path"], timeout, bool(int(given.get("lockfile", 0))))
    return Through(reactor, endpoint)


def parts_of(description: str) -> tuple[str, list[str], dict[str, str]]:
    """Split the description of an endpoint into its kind, its arguments without a name, and those with one."""
    kind, *parts = ARGUMENT.findall(description)
    named: dict[str, str] = {}
    positional: list[str] = []
    for part in parts:
        match = NAMED.fullmatch(part)
        if match is None:
            positional.append(_unescaped(part))
        else:
            named[_unescaped(match[1])] = _unescaped(match[2])
    return kind, positional, named


def _described(description: str) -> tuple[str, dict[str, str]]:
    """Return the kind of a server's endpoint, in upper case, and its arguments by their names."""
    kind, positional, named = parts_of(description)
    names = ["path"] if kind.upper() == "UNIX" else ["host", "port", "timeout", "bindAddress"]
    free = [name for name in names if name not in named]
    return kind.upper(), dict(zip(free, positional, strict=False)) | named


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _checked_host(name: str, host: object) -> str:
    if not isinstance(host, str):
        raise TypeError(f"{name} must be a string, not {host!r}")
    if host.startswith("["):
        raise ValueError(rf"{name} must be an address without brackets; in a description write \:\:1 for ::1")
    try:
        valid = bool(host) and (is_address(host) or bool(host.encode("idna")))
    except UnicodeError:
        valid = False
    if not valid:
        raise ValueError(f"{name} must be an address or a host name, not {host!r}")
    return host


def _checked_port(name: str, port: object, *, lowest: int) -> int:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"{name} must be a number, not {port!r}")
    if not lowest <= port <= 65535:
        raise ValueError(f"{name} must be {lowest} to 65535, not {port}")
    return port
