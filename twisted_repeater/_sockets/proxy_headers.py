"""Ports behind a load balancer: connections learn when the PROXY header with their client's address is read."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any

from twisted.internet.address import IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.protocols.policies import ProtocolWrapper

__all__ = ["watch_headers"]


def watch_headers(listening: Any, factory: ServerFactory) -> bool:
    """Return whether a port reads PROXY headers before ``factory`` gets the connections.

    If it does, ``address_known`` of each of our protocols is called when its header is read.

    Args:
        listening: the port's own factory, which may wrap others.
        factory: our factory.
    """
    while listening is not None and listening is not factory:
        if isinstance(listening, HAProxyWrappingFactory):
            listening.protocol = _ReportingWrapper  # type: ignore[assignment]
            return True
        listening = getattr(listening, "wrappedFactory", None)
    return False


class _ReportingWrapper(HAProxyProtocolWrapper):
    """Twisted's wrapper, which makes our protocol before the header comes; this one also reports the header.

    Twisted has no public names for this wrapper and for the header that it has read. If ``_proxyInfo`` is renamed,
    ``address_known`` is not called, and the repeater learns the address with the first byte after the header.
    """

    _reported = False

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        if self._reported:
            super().dataReceived(data)
            return
        try:
            super().dataReceived(data)
        except ValueError:  # in a version 1 header Twisted does not check for numbers and UTF-8
            if getattr(self, "_proxyInfo", None) is not None:
                raise  # not the header: our protocol raised it
            self.loseConnection()  # type: ignore[no-untyped-call]
        protocol: Any = self.wrappedProtocol
        while isinstance(protocol, ProtocolWrapper):  # of TLS, which begins after the header
            protocol = protocol.wrappedProtocol
        if not hasattr(protocol, "address_known"):  # a client that is closed at once
            return
        if getattr(self, "_proxyInfo", None) is not None:
            self._reported = True
            protocol.address_known()
        elif self.disconnecting:
            protocol.no_header(data)

    def getPeer(self) -> IAddress:
        """See `ITransport`. IPv6 addresses become short; headers of version 2 have them in their long form."""
        peer = super().getPeer()
        if isinstance(peer, IPv6Address):
            with suppress(ValueError):  # Twisted does not check the addresses of version 1
                return IPv6Address(peer.type, str(ipaddress.IPv6Address(peer.host)), peer.port)
        return peer
