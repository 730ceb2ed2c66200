"""What the repeater is meant to reach: ratios within one run, and where nothing stands beside it, times and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .contestants import CONTESTANTS
from .loads import LOADS
from .results import Row

__all__ = ["Outcome", "outcomes"]

SIZES = ("16", "256", "4k", "64k", "4m")
OURS = "repeater-pass"
INTERPRETED = "repeater-pass-interpreted"
NO_FILTER = "repeater-no-filter"
TYPED = "repeater-typed"

CPU = "cpu_per_message", 1e6, "µs of CPU for each message"
MEMORY = "memory_per_link", 1 / 1024, "KiB for each link"
ROUND_TRIP = "round_trip", 1e3, "ms for half of the round trips of the others"
"""A field of `Row`, what it is multiplied by, and what it is then."""

CPU_TARGETS = (
    ("oneway-16", OURS, "usual", 1 / 25),
    ("oneway-16", OURS, "njs", 1 / 2.5),
    ("oneway-16", INTERPRETED, "usual", 1 / 5),
    ("oneway-256", OURS, "usual", 1 / 6),
    ("oneway-256", OURS, "njs", 1 / 3),
    ("oneway-4k", OURS, "portforward", 1.0),
    ("oneway-4k", OURS, "nginx", 1.5),
    ("oneway-64k", OURS, "portforward", 1.0),
    ("oneway-64k", OURS, "nginx", 1.5),
    *((f"oneway-{size}", NO_FILTER, "portforward", 1.1) for size in SIZES),
    ("broadcast", OURS, "broadcaster", 1.0),
    *(("connections", ours, "portforward", 1.5) for ours in (OURS, "repeater-logged")),
    ("selector", "repeater-selector", OURS, 0.6),
    ("oneway-16", "repeater-chain", OURS, 1.5),
    ("oneway-4m", NO_FILTER, "haproxy", 1.0),
    ("echo-1", OURS, "haproxy", 1.3),
    *((load, ours, "nginx", 2.0) for load in ("tls-256", "tls-64k") for ours in (NO_FILTER, OURS)),
    *((load.name, TYPED, NO_FILTER, 2.0) for load in LOADS if load.is_protocol),
)

LIMITS = (
    ("oneway-16", "repeater-replace", CPU, 0.30),
    ("oneway-16", "repeater-msgspec", CPU, 0.12),
    ("oneway-16", "repeater-coroutine", CPU, 1.0),
    ("oneway-64k", NO_FILTER, CPU, 25.0),
    ("echo-async-extra", "repeater-bin-prot", CPU, 0.8),
    ("idle", NO_FILTER, MEMORY, 4.0),
    *(("greedy", ours, ROUND_TRIP, 5.0) for ours in (NO_FILTER, OURS)),
)
"""What nothing is compared with. It depends on the machine."""

WIRES = (
    ("async-extra", "async_extra", 1.3),
    ("length", "LengthFraming", 1.3),
    ("varint", "VarintFraming", 1.3),
    ("delimited", "DelimitedFraming", 3.0),
)
"""Loads like ``oneway-16`` in other dialects."""


@dataclass(frozen=True)
class Outcome:
    """A target, and what was measured."""

    text: str
    at_most: float
    measured: float

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.measured <= self.at_most

    def __str__(self) -> str:
        return f"{'met' if self.met else 'missed':6}  {self.measured:6.3f}, at most {self.at_most:5.3f}: {self.text}"


def outcomes(rows: list[Row]) -> Iterator[Outcome]:
    """The targets for which enough was measured."""
    by_name = {(row.load, row.contestant): row for row in rows}

    def cpu(load: str, contestant: str) -> float | None:
        row = by_name.get((load, contestant))
        return row.cpu_per_message if row else None

    for load, ours, theirs, at_most in CPU_TARGETS:
        a, b = cpu(load, ours), cpu(load, theirs)
        if a and b:
            yield Outcome(f"{_load(load)}: CPU time, {_title(ours)} / {_title(theirs)}", at_most, a / b)
    plain = cpu("oneway-16", OURS)
    for load, wire, at_most in WIRES:
        other = cpu(load, OURS)
        if other and plain:
            yield Outcome(f"one way, 16 B: CPU time, {_title(OURS)}, {wire} / int32", at_most, other / plain)
    small, large = cpu("oneway-64k", OURS), cpu("oneway-4m", OURS)
    if small and large:
        yield Outcome(f"CPU time for each byte, {_title(OURS)}, at 4 MiB / at 64 KiB", 1.0, large / 64 / small)
    for load, ours, (attribute, unit, what), at_most in LIMITS:
        row = by_name.get((load, ours))
        measured: float | None = getattr(row, attribute, None)
        if measured is not None:
            yield Outcome(f"{_load(load)}: {what}, {_title(ours)}", at_most, measured * unit)
    yield from _added(by_name)


def _load(name: str) -> str:
    return next(load.title for load in LOADS if load.name == name)


def _title(name: str) -> str:
    return next(contestant.title for contestant in CONTESTANTS if contestant.name == name)


def _added(by_name: dict[tuple[str, str], Row]) -> Iterator[Outcome]:
    """What the proxies add to a round trip, and what many idle links do."""
    trips = [by_name.get(("echo-1", name)) for name in ("direct", OURS, "haproxy")]
    direct, us, them = (row.round_trip if row else None for row in trips)
    if direct and us and them:
        added = (us - direct) / (them - direct)
        text = f"{_load('echo-1')}: added round trip, {_title(OURS)} / {_title('haproxy')}"
        yield Outcome(text, 1.5, added)
    for ours in (NO_FILTER, OURS):
        few, many = (by_name.get((f"active-of-{links}", ours)) for links in (95, 9500))
        for part, attribute in (("half", "round_trip"), ("99 %", "slow_round_trip")):
            a, b = (getattr(row, attribute, None) for row in (many, few))
            if a and b:
                text = f"95 links take turns: {part} of the round trips, {_title(ours)}, of 9,500 links / of 95"
                yield Outcome(text, 1.1, a / b)
