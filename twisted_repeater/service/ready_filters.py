"""The filters that the command line knows by name. Each is made by a function whose arguments are its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Literal, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import LogLevel

from .._types import Filter, FilterPairObject
from ..dialects.fix import Orders
from ..dialects.hl7 import Mask, Messages
from ..dialects.lines import AllowLines, LogLines, RefuseLines, ReplaceInLines
from ..dialects.modbus import ReadOnly as ModbusReadOnly
from ..dialects.modbus import Registers
from ..dialects.mqtt import Topics
from ..dialects.postgres import MaskColumns, ReadOnly, Statements
from ..dialects.redis import Commands
from ..filters import WAIT, FilterPair, Log, RateLimit
from ..verdicts import DROP

__all__ = ["DIALECTS", "READY_FILTERS", "READY_FOR_ONE_WAY", "log", "rate_limit"]


def log(
    sample: float = 1.0,
    *,
    direction: Literal["both", "to-server", "to-client"] = "both",
    level: Literal["debug", "info", "warn"] = "info",
) -> FilterPair:
    """Return a pair that logs messages; see `Log`.

    Args:
        sample: the share of messages that is logged.
        direction: the direction whose messages are logged.
        level: the level in the log.

    Raises:
        ValueError: ``sample`` is out of range.
    """

    def make(label: str) -> Log:
        return Log(label, sample=sample, level=LogLevel.levelWithName(level))

    return _pair(direction, make)


def rate_limit(
    rate: float,
    *,
    burst: int | None = None,
    by: Literal["name", "address"] = "name",
    above: Literal["drop", "wait"] = "drop",
    direction: Literal["both", "to-server", "to-client"] = "to-server",
) -> FilterPair:
    """Return a pair that limits the messages of each client; see `RateLimit`.

    Args:
        rate: messages per second.
        burst: how many messages may come at once; if it is left out, as many as a second brings, and at least one.
        by: what the links of a client have in common: the client's name, or its address without the port.
        above: what to do with messages above the limit.
        direction: the direction that is limited; ``both`` limits each by itself.

    Raises:
        ValueError: ``rate`` or ``burst`` is out of range.
    """
    from twisted.internet import reactor

    clock = cast("IReactorTime", reactor)

    def make(label: str) -> RateLimit:
        return RateLimit(rate, burst=burst, by=by, above=WAIT if above == "wait" else DROP, clock=clock)

    return _pair(direction, make)


def _pair(direction: str, make: Callable[[str], Filter]) -> FilterPair:
    """Return a pair with filters for one direction or both. ``make`` gets the words for its direction."""
    return FilterPair(
        to_server=make("to the server") if direction != "to-client" else None,
        to_client=make("to the client") if direction != "to-server" else None,
    )


READY_FILTERS: dict[str, Callable[..., FilterPairObject]] = {
    "fix-orders": Orders,
    "hl7-mask": Mask,
    "hl7-messages": Messages,
    "lines-allow": AllowLines,
    "lines-log": LogLines,
    "lines-refuse": RefuseLines,
    "lines-replace": ReplaceInLines,
    "log": log,
    "modbus-read-only": ModbusReadOnly,
    "modbus-registers": Registers,
    "mqtt-topics": Topics,
    "postgres-mask-columns": MaskColumns,
    "postgres-read-only": ReadOnly,
    "postgres-statements": Statements,
    "rate-limit": rate_limit,
    "redis-commands": Commands,
}
"""The functions that make the pairs, by the names on the command line."""

READY_FOR_ONE_WAY: list[str] = [
    name for name, maker in READY_FILTERS.items() if "direction" in inspect.signature(maker).parameters
]
"""The names of those that can be the filter of one direction: the others need both."""

DIALECTS: dict[str, str] = {
    "fix-orders": "fix",
    "hl7-mask": "hl7",
    "hl7-messages": "hl7",
    "modbus-read-only": "modbus",
    "modbus-registers": "modbus",
    "mqtt-topics": "mqtt",
    "postgres-mask-columns": "postgres",
    "postgres-read-only": "postgres",
    "postgres-statements": "postgres",
    "redis-commands": "redis",
}
"""The names of the dialects whose messages a pair needs; other pairs take any."""
