"""Where clients connect and where the server is: endpoints, or numbers."""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import ClientCreator, Factory, Protocol

__all__ = ["dialler", "listener", "server_endpoint"]

T = TypeVar("T")

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
"""Where Linux says how long a listen queue may be; Python knows only the value it was compiled with."""

HAS_BACKLOG = re.compile(r"(?:haproxy:)*(?:tcp6?|ssl|tls|unix):")
"""How the descriptions begin of the server endpoints that take ``backlog=``."""


def longest_listen_queue() -> int:
    """Return how many connections the system lets wait until they are accepted."""
    try:
        return int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        return socket.SOMAXCONN


def server_endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """Make a server endpoint of its description.

    Its listen queue is as long as the system allows, unless the description has a ``backlog=``. Twisted's own default
    is 50: of hundreds of clients that connect at the same moment most would try again a second later, or three.
    """
    endpoint: IStreamServerEndpoint
    if HAS_BACKLOG.match(description) and ":backlog=" not in description:
        try:
            endpoint = serverFromString(reactor, f"{description}:backlog={longest_listen_queue()}")
            return endpoint
        except TypeError:  # it has a backlog without its name, as its third value, or is wrong: Twisted says how
            pass
    endpoint = serverFromString(reactor, description)
    return endpoint


def listener(reactor: Any, endpoint: Any, port: Any) -> Callable[[Factory], Awaitable[IListeningPort]]:
    """Give what listens for a factory: at an endpoint or its description, or on a TCP port of all interfaces.

    Raises ``TypeError`` or ``ValueError`` for what is neither, or both.
    """
    if (endpoint is None) == (port is None):
        raise TypeError("give either listen or listen_port")
    if isinstance(endpoint, str):
        endpoint = server_endpoint(reactor, endpoint)
    if endpoint is None:
        _check_port("listen_port", port, lowest=0)
    elif not IStreamServerEndpoint.providedBy(endpoint):
        raise TypeError(f"listen must be a server endpoint or its description, not {endpoint!r}")

    async def listening(factory: Factory) -> IListeningPort:
        bound: IListeningPort
        if endpoint is None:
            bound = reactor.listenTCP(port, factory, backlog=longest_listen_queue())
        else:
            bound = await endpoint.listen(factory)
        return bound

    return listening


def dialler(
    reactor: Any, timeout: float, protocol: Callable[[T], Protocol], endpoint: Any, ip: Any, port: Any
) -> Callable[[T], Deferred[Any]]:
    """Give what connects to the server, with a protocol made of what it is called with: a link.

    The server is at an endpoint or its description, or at a TCP port. Raises ``TypeError`` or ``ValueError`` for what
    is neither, or both. The Deferred fails with Twisted's ``TimeoutError`` after so many seconds.
    """
    if (endpoint is None) == (ip is None and port is None) or (ip is None) != (port is None):
        raise TypeError("give either server or server_ip and server_port")
    if isinstance(endpoint, str):
        endpoint = clientFromString(reactor, endpoint)
    if endpoint is None:
        _check_port("server_port", port, lowest=1)
    elif not IStreamClientEndpoint.providedBy(endpoint):
        raise TypeError(f"server must be a client endpoint or its description, not {endpoint!r}")

    def dial(link: T) -> Deferred[Any]:
        dialled: Deferred[Any]
        if endpoint is None:
            dialled = ClientCreator(reactor, protocol, link).connectTCP(ip, port, timeout=timeout)
            return dialled
        factory = Factory.forProtocol(lambda: protocol(link))
        factory.noisy = False
        dialled = endpoint.connect(factory)
        return dialled.addTimeout(timeout, reactor, onTimeoutCancel=_too_late)

    return dial


def _too_late(result: object, timeout: float) -> Any:
    raise error.TimeoutError(string=f"not connected within {timeout} seconds")


def _check_port(name: str, port: Any, *, lowest: int) -> None:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"{name} must be a number, {port!r} is none")
    if not lowest <= port <= 65535:
        raise ValueError(f"{name} must be {lowest} to 65535, not {port}")
