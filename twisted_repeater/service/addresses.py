"""Addresses and names of hosts, as options and requests give them."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .._sockets.endpoints import parts_of

__all__ = ["HOST", "Bound", "bound_by", "host", "ip_filter", "ip_of", "network"]

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
        raise ValueError(f"must be an address or a network, not {text!r}: {error}") from error
    if isinstance(read, ipaddress.IPv6Network) and read.prefixlen >= 96 and read.network_address.ipv4_mapped:
        return ipaddress.IPv4Network((read.network_address.ipv4_mapped, read.prefixlen - 96))
    return read


def ip_filter(networks: Sequence[Network]) -> Callable[[str], bool]:
    """Return a function that returns whether an address is in one of these networks."""

    def is_authorized(text: str) -> bool:
        ip = ip_of(text)  # None for a client on a Unix socket
        return ip is not None and any(ip in network for network in networks)

    return is_authorized


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


INTERFACE_AT = {"tcp": 1, "tcp6": 1, "ssl": 4}
"""The kinds of endpoints that bind a port, and the place of the interface in their descriptions."""

ALL = ("0.0.0.0", "::")
"""The interfaces that stand for all addresses."""


def bound_by(description: str) -> Bound | None:
    """Return what a server endpoint binds according to its description; ``None`` if nobody knows yet."""
    kind, positional, named = parts_of(re.sub(r"^(haproxy:)+", "", description))
    if kind == "unix":
        path = named.get("address") or (positional[0] if positional else "")
        return Bound(os.path.abspath(path)) if path else None
    if kind not in INTERFACE_AT:
        return None
    at = INTERFACE_AT[kind]
    port = named.get("port") or (positional[0] if positional else "")
    interface = named.get("interface") or (positional[at] if len(positional) > at else "")
    if not re.fullmatch(r"\d+", port, re.ASCII) or int(port) == 0:
        return None
    return Bound("" if interface in ALL else interface, int(port))
