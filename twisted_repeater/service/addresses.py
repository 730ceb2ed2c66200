"""Addresses and names of hosts, as options and requests give them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

__all__ = ["HOST", "host", "ip_filter", "ip_of", "network"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+"
"""A name or an address, as it stands in a URL."""


def ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address without its zone, ``None`` if the text is not one. IPv4 written as IPv6 becomes IPv4."""
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def host(text: str) -> str:
    """Read the name or the address of a host."""
    if not re.fullmatch(HOST, text, re.ASCII) and ip_of(text) is None:
        raise ValueError(f"must be the name of a host without a port, not {text!r}")
    return text


def network(text: str) -> Network:
    """Read an address or a network. IPv4 written as IPv6 becomes IPv4."""
    try:
        read = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"must be an address or a network, not {text!r}{_network_around(text)}") from error
    if isinstance(read, ipaddress.IPv6Network) and read.prefixlen >= 96 and read.network_address.ipv4_mapped:
        return ipaddress.IPv4Network((read.network_address.ipv4_mapped, read.prefixlen - 96))
    return read


def _network_around(text: str) -> str:
    """Return the end of a message about an address with a length: the network that may be meant."""
    try:
        return f"; did you mean {ipaddress.ip_network(text, strict=False)}?"
    except ValueError:
        return ""


def ip_filter(networks: Sequence[Network]) -> Callable[[str], bool]:
    """Return a function that returns whether an address is in one of these networks."""

    def is_authorized(text: str) -> bool:
        ip = ip_of(text)  # None for a client on a Unix socket
        return ip is not None and any(ip in network for network in networks)

    return is_authorized
