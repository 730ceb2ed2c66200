"""The rules of `Registers`: which addresses, of which units, for which clients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from twisted.internet.interfaces import IAddress

from .message import Area

__all__ = ["LAST", "Rule", "address_of", "covered", "rules_of"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
LAST = 0xFFFF
"""The last address of a table."""
BROADCAST = 0
"""The unit that stands for all of them behind a gateway."""
EXPECTED = "a rule such as 'holding 100-109 from 10.0.0.5 unit 1'"


@dataclass(frozen=True, slots=True)
class Rule:
    """Some addresses: ``Rule.read("holding 100-109 from 10.0.0.0/8 unit 1")``."""

    area: Area | None
    """The table; ``None`` for all four."""
    first: int = 0
    """The first address."""
    last: int = LAST
    """The last address."""
    client: Network | None = None
    """The clients that it is about; ``None`` for all."""
    unit: int | None = None
    """The unit that it is about; ``None`` for all."""

    @classmethod
    def read(cls, text: str) -> Rule:
        """Read a rule.

        Raises:
            ValueError: it is not understood.
        """
        words = text.split()
        if not words or words[0] not in (*Area, "any"):
            raise ValueError(f"expected coils, discrete, input, holding or any first in {EXPECTED}, not {text!r}")
        area = None if words[0] == "any" else Area(words[0])
        first, last = 0, LAST
        rest = words[1:]
        if rest and (found := RANGE.fullmatch(rest[0])):
            first, last = int(found[1]), int(found[2] or found[1])
            rest = rest[1:]
        if not first <= last <= LAST:
            raise ValueError(f"addresses must be from 0 to {LAST}, the lower one first, not {text!r}")
        named = dict(zip(rest[::2], rest[1::2], strict=False))
        if len(named) * 2 != len(rest) or not named.keys() <= {"from", "unit"}:
            raise ValueError(f"expected {EXPECTED}, not {text!r}")
        return cls(area, first, last, _network(named.get("from")), _unit(named.get("unit")))

    @property
    def is_whole(self) -> bool:
        """Whether it is about all addresses of all tables and units."""
        return self.area is None and self.unit is None and (self.first, self.last) == (0, LAST)

    def is_about(self, area: Area, unit: int) -> bool:
        """Return whether it is about a table of a unit."""
        return self.area in (None, area) and self.unit in (None, unit)

    def overlaps(self, area: Area, addresses: range, unit: int) -> bool:
        """Return whether it is about one of these addresses. A broadcast reaches every unit."""
        reaches = self.is_about(area, unit) or (unit == BROADCAST and self.area in (None, area))
        return reaches and len(addresses) > 0 and self.first < addresses.stop and addresses.start <= self.last


def rules_of(option: str, texts: Iterable[str]) -> tuple[Rule, ...]:
    """Read several rules.

    Raises:
        TypeError: it is one text, not several.
        ValueError: one is not understood.
    """
    if isinstance(texts, str):
        raise TypeError(f"{option} takes several rules: write ({texts!r},)")
    return tuple(map(Rule.read, texts))


def covered(rules: Sequence[Rule], addresses: range) -> bool:
    """Return whether some rules together are about all of these addresses."""
    at = addresses.start
    while at < addresses.stop:
        ends = [rule.last + 1 for rule in rules if rule.first <= at <= rule.last]
        if not ends:
            return False
        at = max(ends)
    return True


def address_of(peer: IAddress) -> Address | None:
    """Return the internet address of a client; ``None`` if it has none, as on a Unix socket."""
    try:
        address = ip_address(getattr(peer, "host", ""))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # such as ::ffff:10.0.0.5


def _network(text: str | None) -> Network | None:
    if text is None:
        return None
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"from must be an address or a network such as 10.0.0.0/8, not {text!r}: {error}") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return network if mapped is None or network.prefixlen < 96 else ip_network((mapped, network.prefixlen - 96))


def _unit(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII) or int(text) > 255:
        raise ValueError(f"unit must be a number from 0 to 255, not {text!r}")
    return int(text)
