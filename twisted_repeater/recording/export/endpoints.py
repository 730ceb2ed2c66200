"""The addresses that a link has in a capture."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from ..records import RecordedLink

__all__ = ["Endpoint", "endpoints_of"]

HOST_AND_PORT: Final = re.compile(r"(?:\[([^\]%]+)(?:%[^\]]*)?\]|([^:\[\]]+)):(\d{1,5})", re.ASCII)
"""Addresses as they are recorded: ``127.0.0.1:80`` or ``[fe80::1%eth0]:80``."""

MADE_UP: Final = int(IPv4Address("198.18.0.0"))
"""The first address of a network that is reserved for tests of networks, which no host has."""

MADE_UP_SERVER: Final = IPv4Address("198.19.255.254")

CLIENTS: Final = 50_000
"""How many clients share a made-up address, each with another port, from `FIRST_PORT`."""

FIRST_PORT: Final = 10_000

ADDRESSES: Final = 2**16
"""How many made-up addresses there are for clients."""

PORTS: Final = {"hl7": 2575, "modbus": 502, "mqtt": 1883, "postgres": 5432, "redis": 6379}
"""The usual ports of dialects: programs that read captures know protocols by them."""

OTHER_PORT: Final = 55_555


class Endpoint(NamedTuple):
    """One end of a connection in a capture."""

    host: bytes
    """The address: 4 bytes, or 16 of IPv6."""
    port: int


def endpoints_of(link: RecordedLink, dialect: str = "") -> tuple[Endpoint, Endpoint]:
    """Return the client's and the server's end of a link: both with IPv4, or both with IPv6.

    Addresses that are not of IP, such as those of Unix sockets, are replaced by made-up ones.

    Args:
        link: the link.
        dialect: the dialect, as on the command line. It decides about a made-up port of a server.
    """
    client = _parsed(link.client_address) or _made_up_client(link.id)
    server = _parsed(link.server_address) or (MADE_UP_SERVER, PORTS.get(dialect.partition(":")[0], OTHER_PORT))
    if client[0].version == server[0].version:
        return Endpoint(client[0].packed, client[1]), Endpoint(server[0].packed, server[1])
    return Endpoint(_mapped(client[0]), client[1]), Endpoint(_mapped(server[0]), server[1])


def _parsed(text: str) -> tuple[IPv4Address | IPv6Address, int] | None:
    found = HOST_AND_PORT.fullmatch(text)
    try:
        return (ip_address(found[1] or found[2]), int(found[3])) if found and int(found[3]) < 65536 else None
    except ValueError:  # a PROXY header may contain any text
        return None


def _made_up_client(number: int) -> tuple[IPv4Address, int]:
    host, port = divmod(number, CLIENTS)
    return IPv4Address(MADE_UP + 1 + host % ADDRESSES), FIRST_PORT + port


def _mapped(host: IPv4Address | IPv6Address) -> bytes:
    """Return an address as one of IPv6."""
    return host.packed if host.version == 6 else bytes(10) + b"\xff\xff" + host.packed
