"""PROXY headers: ports behind a load balancer read them, and the server may get one for each of its connections.

A port with ``haproxy:`` learns the client's address when the header is read. Without that, a header that a client sends
is like any other bytes, and nobody believes it. `header_maker` makes headers with the addresses that the repeater
knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from socket import SOCK_STREAM
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.protocols.policies import ProtocolWrapper

from .._text import repr_of

__all__ = ["header_maker", "header_version", "watch_headers"]

VERSIONS = ("v1", "v2")
"""The versions of headers that can be sent."""

UNKNOWN = b"PROXY UNKNOWN\r\n"
"""A header of version 1 without addresses. The library leaves spaces in it, which HAProxy does not accept."""


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


# -- headers for the server --------------------------------------------------------------------------------------


def header_version(text: object) -> str:
    """Read the version of the headers to send.

    Raises:
        ValueError: there is no such version, or the library that makes headers is missing.
    """
    if text not in VERSIONS:
        raise ValueError(f"must be one of {', '.join(VERSIONS)}, not {repr_of(text)}")
    _library()
    return str(text)


def header_maker(version: str) -> Callable[[IAddress | None, IAddress | None], bytes]:
    """Return a function that makes a header.

    Its arguments are the address of the client and the one that the client has connected to. If one of them is not an
    IP address, because the client came by a Unix socket or because there is no client, the header has no address:
    ``UNKNOWN`` in version 1, ``LOCAL`` in version 2.

    Args:
        version: ``"v1"`` or ``"v2"``.

    Raises:
        ValueError: there is no such version, or the library is missing.
    """
    try:
        version = header_version(version)
    except ValueError as error:
        raise ValueError(f"send_proxy {error}") from error
    result = _library()
    pack: Callable[[Any], bytes]
    if version == "v1":
        from proxyprotocol.v1 import ProxyProtocolV1

        pack, none = ProxyProtocolV1().pack, UNKNOWN
    else:
        from proxyprotocol.v2 import ProxyProtocolV2

        pack = ProxyProtocolV2().pack
        none = pack(result.ProxyResultLocal())

    def header(source: IAddress | None, destination: IAddress | None) -> bytes:
        ours, theirs = _ip_and_port(source), _ip_and_port(destination)
        if ours is None or theirs is None:
            return none
        if ours[0].version == theirs[0].version == 4:
            return pack(result.ProxyResultIPv4(ours, theirs, protocol=SOCK_STREAM))
        return pack(result.ProxyResultIPv6(_as_ipv6(*ours), _as_ipv6(*theirs), protocol=SOCK_STREAM))

    return header


def _library() -> Any:
    """Return the module of the library that has the addresses of a header."""
    try:
        from proxyprotocol import result
    except ImportError as error:
        raise ValueError(f"needs an extra: pip install 'twisted_repeater[proxy]' ({error})") from error
    return result


def _ip_and_port(address: IAddress | None) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int] | None:
    """Return an IP address, without its zone, and a port. IPv4 written as IPv6 becomes IPv4."""
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return None
    try:
        ip = ipaddress.ip_address(address.host.partition("%")[0])
    except ValueError:  # Twisted does not check what is in a header of version 1
        return None
    if not 0 <= address.port <= 0xFFFF:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip, address.port


def _as_ipv6(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> tuple[ipaddress.IPv6Address, int]:
    return (ip if ip.version == 6 else ipaddress.IPv6Address(f"::ffff:{ip}"), port)
