"""TCP ports at which several processes listen: the system spreads the connections over them (``SO_REUSEPORT``).

Each process has a socket of its own, with a listen queue of its own. Linux chooses the socket by a hash of the
addresses and ports, not by load. All the sockets must have the option, and belong to the same user.
"""

from __future__ import annotations

import socket
from typing import Any

import twisted.internet.tcp
from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from .._types import Reactor

__all__ = ["SharingReactor", "check_can_share"]

make_binding: Any = getattr(twisted.internet.tcp, "makeBinding", None)
"""Describes a port with this option to Twisted 26.10 and newer; ``None`` in an older one."""


def check_can_share() -> None:
    """Raise ``ValueError`` if this system has no ports that processes can share."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("needs a system with SO_REUSEPORT, such as Linux")


class SharingReactor:
    """The part of a reactor that an endpoint listens with. Its ports can be shared with other processes.

    Args:
        reactor: the reactor.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        """Listen. See `IReactorTCP`."""
        if make_binding is None:
            return self._adopted(port, factory, backlog, interface)
        binding = make_binding(interface, port, reuseAddress=True, reusePort=True)
        bound: IListeningPort = self._reactor.listenTCP(binding, factory, backlog, interface)
        return bound

    def _adopted(self, port: int, factory: IProtocolFactory, backlog: int, interface: str) -> IListeningPort:
        """Listen with a socket that Twisted has not made. Such a port cannot be switched off by a fault."""
        family, address = socket.AF_INET, (interface, port)
        if isIPv6Address(interface):
            family, _, _, _, address = socket.getaddrinfo(  # type: ignore[assignment]
                interface, port, socket.AF_INET6, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
        with socket.socket(family) as listening:
            listening.setblocking(False)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                listening.bind(address)
            except OSError as error:
                raise CannotListenError(interface, port, error) from error
            listening.listen(backlog)
            adopted: IListeningPort = self._reactor.adoptStreamPort(listening.fileno(), family, factory)
            return adopted
