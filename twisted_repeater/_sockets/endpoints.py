"""Where clients connect and where the server is: endpoints, or numbers."""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TypeAlias, TypeVar

from twisted.internet import error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, clientFromString, serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostResolution,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import ClientCreator, Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from .._types import Reactor
from .tls_endpoints import MAX_POSITIONAL, tls_listener, tls_server

__all__ = ["check_server", "dialler", "listener", "listening_endpoint", "parts_of", "server_endpoint"]

T = TypeVar("T")

Dialled: TypeAlias = "Deferred[IProtocol]"

ARGUMENT: re.Pattern[str] = re.compile(r"(?:^|:)((?:[^\\:]|\\.)*)", re.DOTALL)
"""One part of the description of an endpoint: up to a colon that has no backslash before it."""

NAMED = re.compile(r"((?:[^\\=]|\\.)*)=(.*)", re.DOTALL)

HEAD_START = 0.3
"""How many seconds an address is tried before the next one is tried at the same time; as `HostnameEndpoint` does."""

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
"""Where Linux says how long a listen queue may be; Python knows only the value it was compiled with."""

HAS_BACKLOG = re.compile(r"(?:haproxy:)*(?:tcp6?|ssl|tls|unix):")
"""Matches the beginning of the description of a server endpoint that takes ``backlog=``."""

SSL = re.compile(r"((?:haproxy:)*)(ssl:.*)", re.DOTALL)
"""Matches the description of a server endpoint over TLS."""


def longest_listen_queue() -> int:
    """Return how many connections the system lets wait to be accepted."""
    try:
        return int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        return socket.SOMAXCONN


def listening_endpoint(reactor: Reactor, description: str) -> IStreamServerEndpoint:
    """Make a server endpoint from its description.

    Its listen queue is as long as the system allows, unless the description has a ``backlog=``. Twisted's own default
    is 50: if hundreds of clients connect at the same moment, most would have to wait one to three seconds.
    """
    found = SSL.fullmatch(description)
    if found is not None:
        _, positional, named = parts_of(found[2])
        if "sslmethod" in named and {"clientRoots", "alpn"} & set(named):
            raise ValueError("sslmethod= is left to Twisted, which has no clientRoots= and no alpn=")
        if "sslmethod" not in named and len(positional) < MAX_POSITIONAL:
            wrappers = found[1].count(":")
            return tls_listener(reactor, wrappers, positional, named, longest_listen_queue())
    endpoint: IStreamServerEndpoint | None = None
    if HAS_BACKLOG.match(description) and ":backlog=" not in description:
        with suppress(
            TypeError
        ):  # it has a backlog as its third value, or is wrong, and Twisted says below in which way
            endpoint = serverFromString(reactor, f"{description}:backlog={longest_listen_queue()}")
    return endpoint or serverFromString(reactor, description)


def listener(
    reactor: Reactor, endpoint: str | IStreamServerEndpoint | None, port: int | None
) -> Callable[[Factory], Awaitable[IListeningPort]]:
    """Return a function that makes a factory listen.

    Args:
        endpoint: a server endpoint or its description, or ``None`` for the TCP ``port`` of all interfaces.

    Raises:
        TypeError: both are given, or neither, or they are of the wrong type.
        ValueError: the port or the description cannot be used.
    """
    if (endpoint is None) == (port is None):
        raise TypeError("give either listen or listen_port")
    if isinstance(endpoint, str):
        endpoint = listening_endpoint(reactor, endpoint)
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
) -> Callable[[T], Dialled]:
    """Return a function that connects a link to the server, with the protocol that ``protocol`` makes for it.

    Its Deferred fails with Twisted's ``TimeoutError`` after ``timeout`` seconds.

    Args:
        endpoint: a client endpoint or its description, or ``None`` if ``ip`` and ``port`` say where the server is.

    Raises:
        TypeError: both are given, or neither, or they are of the wrong type.
        ValueError: the server cannot be reached, or not safely.
    """
    if (endpoint is None) == (ip is None and port is None) or (ip is None) != (port is None):
        raise TypeError("give either server or server_ip and server_port")
    if endpoint is not None:
        server: IStreamClientEndpoint | None = _given_server(reactor, endpoint)
    else:
        port = _checked_port("server_port", port, lowest=1)
        ip = _checked_host("server_ip", ip)
        server = None if _is_address(ip) else EachAddress(reactor, ip, port, timeout)

    def dial(link: T) -> Dialled:
        if server is None:
            dialled: Dialled = ClientCreator(reactor, protocol, link).connectTCP(ip, port, timeout=timeout)
            return dialled
        factory = Factory.forProtocol(lambda: protocol(link))
        factory.noisy = False
        return server.connect(factory).addTimeout(timeout, reactor, onTimeoutCancel=_too_late)

    return dial


def _given_server(reactor: Reactor, endpoint: str | IStreamClientEndpoint) -> IStreamClientEndpoint:
    if isinstance(endpoint, str):
        check_server(endpoint)
        return server_endpoint(reactor, endpoint)
    if not IStreamClientEndpoint.providedBy(endpoint):
        raise TypeError(f"server must be a client endpoint or its description, not {endpoint!r}")
    return endpoint


def check_server(description: str) -> None:
    """Raise ``ValueError`` if a description names a server that cannot be reached, or not safely."""
    kind, arguments = _described(description)
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
        check_server(arguments["endpoint"])


def server_endpoint(reactor: Reactor, description: str) -> IStreamClientEndpoint:
    """Make the endpoint of a server from its description. For ``tcp:`` it tries each address that the host has."""
    kind, given = _described(description)
    if kind == "TLS" and "alpn" in given:
        _, positional, named = parts_of(description)
        return tls_server(reactor, positional, named, lambda inner: server_endpoint(reactor, inner))
    endpoint: IStreamClientEndpoint = clientFromString(reactor, description)
    if kind != "TCP" or _is_address(given["host"]):
        return endpoint
    bind = (given["bindAddress"], 0) if "bindAddress" in given else None
    return EachAddress(reactor, given["host"], int(given["port"]), int(given.get("timeout", 30)), bind)


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


def _is_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)


def _checked_host(name: str, host: object) -> str:
    if not isinstance(host, str):
        raise TypeError(f"{name} must be a string, not {host!r}")
    if host.startswith("["):
        raise ValueError(rf"{name} must be an address without brackets; in a description write \:\:1 for ::1")
    try:
        valid = bool(host) and (_is_address(host) or bool(host.encode("idna")))
    except UnicodeError:
        valid = False
    if not valid:
        raise ValueError(f"{name} must be an address or a host name, not {host!r}")
    return host


@implementer(IStreamClientEndpoint)
class EachAddress:
    """A TCP server at a host name: tries each address that the name has.

    `HostnameEndpoint` does nearly the same. But it waits before it tries the next address even if one refuses at once,
    which would delay each link if ``localhost`` has two addresses and the server listens at the second one.
    """

    def __init__(
        self, reactor: Reactor, host: str, port: int, timeout: float, bind_address: tuple[str, int] | None = None
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._settings = (timeout, bind_address)

    def connect(self, factory: IProtocolFactory) -> Dialled:
        """See `IStreamClientEndpoint`."""
        race = _Race(self._reactor, self._host, self._settings, factory)
        self._reactor.nameResolver.resolveHostName(race, self._host, self._port)
        return race.winner


@implementer(IResolutionReceiver)
class _Race:
    """Connects to the addresses of a host in their order, each after the one before has failed or had its `HEAD_START`.

    ``winner`` fires with the first protocol that is connected, or fails with the last error. The other attempts are
    cancelled then, and also if ``winner`` is cancelled.
    """

    def __init__(
        self, reactor: Reactor, host: str, settings: tuple[float, tuple[str, int] | None], factory: IProtocolFactory
    ) -> None:
        self.winner: Dialled = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._host = host
        self._settings = settings
        self._factory = factory
        self._endpoints: deque[IStreamClientEndpoint] = deque()
        self._attempts: list[Dialled] = []
        self._timer: IDelayedCall | None = None
        self._over = False

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """See `IResolutionReceiver`."""

    def addressResolved(self, address: IAddress) -> None:
        """See `IResolutionReceiver`."""
        assert isinstance(address, (IPv4Address, IPv6Address))
        kind = TCP6ClientEndpoint if isinstance(address, IPv6Address) else TCP4ClientEndpoint
        self._endpoints.append(kind(self._reactor, address.host, address.port, *self._settings))

    def resolutionComplete(self) -> None:
        """See `IResolutionReceiver`."""
        if self._over:
            return
        if self._endpoints:
            self._try_next()
        else:
            self.winner.errback(error.DNSLookupError(f"no address was found for the host {self._host!r}"))

    def _try_next(self) -> None:
        self._stop_timer()
        attempt = self._endpoints.popleft().connect(self._factory)
        self._attempts.append(attempt)
        if self._endpoints:
            self._timer = self._reactor.callLater(HEAD_START, self._try_next)
        attempt.addCallbacks(self._connected, self._failed, callbackArgs=(attempt,), errbackArgs=(attempt,))

    def _connected(self, protocol: IProtocol, attempt: Dialled) -> None:
        self._attempts.remove(attempt)
        self._stop()
        self.winner.callback(protocol)

    def _failed(self, failure: Failure, attempt: Dialled) -> None:
        self._attempts.remove(attempt)
        if self._over:
            return
        if self._endpoints:
            self._try_next()
        elif not self._attempts:
            self._over = True
            self.winner.errback(failure)

    def _stop(self) -> None:
        self._over = True
        self._stop_timer()
        for attempt in list(self._attempts):
            attempt.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _too_late(result: object, timeout: float) -> NoReturn:
    raise error.TimeoutError(string=f"not connected within {timeout} seconds")


def _checked_port(name: str, port: object, *, lowest: int) -> int:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"{name} must be a number, not {port!r}")
    if not lowest <= port <= 65535:
        raise ValueError(f"{name} must be {lowest} to 65535, not {port}")
    return port
