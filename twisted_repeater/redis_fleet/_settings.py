"""What a fleet is told when it is made."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from enum import Enum

from ._address import EngineAddress

__all__ = ["FleetSettings", "NewcomersWithoutEngine", "OnLeaseLost"]


class OnLeaseLost(Enum):
    """What becomes of the links of a node that could not renew its lease."""

    KEEP = "keep"
    """They go on. Another node may link a client of the same name meanwhile; when the engine is back, one of the two
    links is closed."""
    CLOSE = "close"
    """They are closed before the lease ends, so a name is never linked twice."""


class NewcomersWithoutEngine(Enum):
    """What becomes of newcomers while the engine cannot be asked."""

    REFUSE = "refuse"
    """They wait, and are refused if the engine is not back in time."""
    ALONE = "alone"
    """They are linked; their names are unique on their node only until the engine is back."""


def own_name() -> str:
    """Return a name for a node that was given none."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """What a fleet is told when it is made.

    Attributes:
        address: where the engine is.
        fleet: the name of the fleet: nodes of the same one belong together.
        node: the name of this node, which no other node has.
        lease: for how many seconds a node is believed to be there without a sign of it.
        on_lease_lost: what becomes of links if the lease could not be renewed.
        newcomers: what becomes of newcomers while the engine cannot be asked.
        timeout: how many seconds the engine may take to answer.
    """

    address: EngineAddress
    fleet: str = "main"
    node: str = field(default_factory=own_name)
    lease: float = 10.0
    on_lease_lost: OnLeaseLost = OnLeaseLost.KEEP
    newcomers: NewcomersWithoutEngine = NewcomersWithoutEngine.REFUSE
    timeout: float = 2.0

    def __post_init__(self) -> None:
        for name in ("fleet", "node"):
            value = getattr(self, name)
            if not value or len(value) > 200 or not value.isprintable() or set(value) & set("{}|"):
                raise ValueError(f"{name} must be a printable name of at most 200 characters, without {{, }} and |")
        for name, least in (("lease", 0.5), ("timeout", 0.05)):
            value = getattr(self, name)
            if not least <= value <= 3600:
                raise ValueError(f"{name} must be from {least} to 3600 seconds, not {value!r}")
        if self.timeout > self.lease / 2:
            raise ValueError(
                f"timeout, {self.timeout:g} seconds, must be at most half of lease, {self.lease:g} seconds"
            )

    @property
    def prefix(self) -> str:
        """What the keys of this fleet begin with. The part in braces keeps them together in the engine."""
        return f"{{twisted_repeater:{self.fleet}}}:"

    @property
    def gap(self) -> int:
        """For how many milliseconds the engine counts on without a call; see `_scripts`."""
        return round(self.lease * 500)

    @property
    def kept(self) -> int:
        """For how many milliseconds the engine keeps a lease: longer than the node trusts it, by the longest gap."""
        return round(self.lease * 1500)

    @property
    def shared(self) -> str:
        """What must be the same for all nodes of a fleet, as text."""
        return json.dumps({"lease": float(self.lease), "on_lease_lost": self.on_lease_lost.value}, sort_keys=True)
