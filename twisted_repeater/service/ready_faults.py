"""The faults that ``--fault`` and the administration know by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .. import faults
from ..faults import Fault
from ..faults._fault import check_seconds
from ..faults._registry import check_name
from .descriptions import arguments_of, described, near
from .option_values import seconds

__all__ = ["READY_FAULTS", "NamedFault", "fault_of"]

READY_FAULTS: dict[str, type[Fault]] = {
    "bandwidth": faults.Bandwidth,
    "corrupt": faults.Corrupt,
    "cut": faults.Cut,
    "down": faults.Down,
    "drop": faults.Drop,
    "duplicate": faults.Duplicate,
    "latency": faults.Latency,
    "limit-data": faults.LimitData,
    "reorder": faults.Reorder,
    "reset-peer": faults.ResetPeer,
    "slicer": faults.Slicer,
    "slow-close": faults.SlowClose,
    "stall": faults.Stall,
    "timeout": faults.Timeout,
}
"""The classes of faults, by the names on the command line."""


class NamedFault(NamedTuple):
    """A fault to set."""

    name: str
    fault: Fault
    lasts: float | None
    """How many seconds it lasts; ``None`` until it is removed."""


def fault_of(text: str, name: str = "", taken: Iterable[str] = ()) -> NamedFault:
    """Read a description such as ``latency:seconds=0.1:direction=to-client:lasts=60``.

    Args:
        text: the description. ``lasts`` and ``name`` are options of every fault.
        name: the name of the fault, unless the description has one: by default that of its kind.
        taken: names that others have. The name gets a number then.

    Raises:
        ValueError: the description is wrong.
    """
    kind, positional, options = described(text, READY_FAULTS)
    if kind not in READY_FAULTS:
        kind = kind.partition(":")[0]
        raise ValueError(
            f"there is no fault {kind!r}; the faults are: {', '.join(READY_FAULTS)}{near(kind, READY_FAULTS)}"
        )
    given = dict(options)
    lasts = given.pop("lasts", None)
    wanted = given.pop("name", name) or kind
    try:
        fault = READY_FAULTS[kind](**arguments_of(READY_FAULTS[kind], given, positional))
        time = None if lasts is None else _lasts(lasts)
        check_name(wanted)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind}: {error}") from error
    names, number = set(taken), 2
    unique = wanted
    while unique in names:
        unique = f"{wanted}-{number}"
        number += 1
    return NamedFault(unique, fault, time)


def _lasts(text: str) -> float:
    try:
        time = seconds(text)
    except ValueError as error:
        raise ValueError(f"lasts {error}") from error
    check_seconds("lasts", time)
    return time
