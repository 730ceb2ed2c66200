"""What the samples of all rounds come to, for each load and contestant."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from twisted_repeater.__main__ import how_it_runs

from .contestants import REFERENCE, REFERENCE_OF_PROTOCOLS, Contestant
from .installed import versions
from .loads import Load
from .measure import Sample

__all__ = ["Results", "Row"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One load on one contestant: medians over the rounds. Times in seconds, memory in bytes, shares from 0 to 1."""

    load: str
    contestant: str
    rounds: int
    messages_per_second: float
    bytes_per_second: float
    cpu_per_message: float | None
    """Of the proxy alone, user and system."""
    peak_memory: int | None
    memory_per_link: float | None
    """For ``idle`` only."""
    round_trip: float | None
    slow_round_trip: float | None = None
    """Of 100 round trips, 99 took no longer."""
    proxy_busy: float | None
    load_busy: float
    ratio: float | None = None
    """CPU time for each message, as a multiple of the repeater's."""
    requests_per_second: float | None = None
    """What a protocol's load tool counts."""


@dataclass
class Results:
    """All samples, and what else a reader has to know."""

    samples: dict[tuple[Load, Contestant], list[Sample]] = field(default_factory=dict)
    _missed: dict[tuple[bool, str], str] = field(default_factory=dict)

    def add(self, load: Load, contestant: Contestant, sample: Sample) -> None:
        """Keep what one run gave."""
        self.samples.setdefault((load, contestant), []).append(sample)

    def miss(self, load: Load, name: str, reason: str) -> None:
        """Keep why a contestant, a load, or a load on a contestant could not be measured."""
        self._missed[load.is_protocol, name] = reason

    @property
    def absent(self) -> dict[str, str]:
        """What could not be measured, and why."""
        return {name: reason for (_, name), reason in self._missed.items()}

    def part(self, *, protocols: bool) -> Results:
        """Return the results of the protocols' loads, or of all others."""
        return Results(
            {pair: samples for pair, samples in self.samples.items() if pair[0].is_protocol is protocols},
            {missed: reason for missed, reason in self._missed.items() if missed[0] is protocols},
        )

    def rows(self) -> list[Row]:
        """One row for each load and contestant, in the order of the loads, the cheapest first."""
        made = [_row(load, contestant, samples) for (load, contestant), samples in self.samples.items()]
        rows: list[Row] = []
        for load in dict.fromkeys(load for load, _ in self.samples):
            of_load = [row for row in made if row.load == load.name]
            ours = _reference(of_load, REFERENCE_OF_PROTOCOLS if load.is_protocol else REFERENCE)
            of_load.sort(key=lambda row: row.cpu_per_message or 0)
            rows += [Row(**asdict(row) | {"ratio": _ratio(row.cpu_per_message, ours)}) for row in of_load]
        return rows

    def as_json(self) -> dict[str, Any]:
        """Everything, with the machine, the versions and the date."""
        return {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": packages() | versions(),
            "titles": {thing.name: thing.title for pair in self.samples for thing in pair},
            "absent": self.absent,
            "rows": [asdict(row) for row in self.rows()],
            "samples": [
                {"load": load.name, "contestant": contestant.name, **asdict(sample)}
                for (load, contestant), samples in self.samples.items()
                for sample in samples
            ],
        }


def _row(load: Load, contestant: Contestant, samples: list[Sample]) -> Row:
    def middle(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None

    peak = middle(s.peak_memory for s in samples)
    return Row(
        load=load.name,
        contestant=contestant.name,
        rounds=len(samples),
        messages_per_second=median(s.messages / s.seconds for s in samples),
        bytes_per_second=median(s.bytes / s.seconds for s in samples),
        cpu_per_message=middle(s.proxy_cpu and s.proxy_cpu / s.messages for s in samples),
        peak_memory=None if peak is None else int(peak),
        memory_per_link=middle(s.grown_memory and s.grown_memory / s.messages for s in samples)
        if load.kind == "idle"
        else None,
        round_trip=middle(s.round_trip for s in samples),
        slow_round_trip=middle(s.slow_round_trip for s in samples),
        proxy_busy=middle(s.proxy_cpu and s.proxy_cpu / s.seconds for s in samples),
        load_busy=median(s.load_busy for s in samples),
        requests_per_second=median(s.messages / load.messages / s.seconds for s in samples)
        if load.is_protocol
        else None,
    )


def _reference(rows: list[Row], names: tuple[str, ...]) -> float | None:
    by_name = {row.contestant: row.cpu_per_message for row in rows}
    return next((by_name[name] for name in names if name in by_name), None)


def _ratio(cpu: float | None, ours: float | None) -> float | None:
    return cpu / ours if cpu is not None and ours else None


def machine() -> dict[str, str | int]:
    """What the numbers were measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), platform.machine())
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "memory_gib": round(kilobytes / 1024**2),
        "system": f"{platform.system()} {platform.release()}",
    }


def packages() -> dict[str, str]:
    """The Python packages that matter, and whether the repeater's hot path is compiled."""
    found = {"hot path": how_it_runs(), "Python": platform.python_version()}
    for package in ("twisted", "twisted_repeater", "msgspec"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
