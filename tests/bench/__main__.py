"""``python -m tests.bench``: runs the loads on the contestants and reports what came out."""

from __future__ import annotations

import argparse
import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from time import monotonic

from ..paths import ROOT
from .contestants import CONTESTANTS, Contestant
from .loads import LOADS, QUICK, Load
from .measure import cannot, measure
from .plot import plot
from .process import Failed
from .protocols import measure_protocol
from .report import summary, write
from .results import Results
from .servers import SERVERS

Pair = tuple[Load, Contestant]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks."""
    options = _options(arguments)
    results = Results()
    pairs = _pairs(options, results)
    if not pairs:
        print("no load on any contestant is of that name; --list shows all", file=sys.stderr)
        return 2
    if options.list:
        for load, contestant in pairs:
            print(f"{load.name}/{contestant.name}: {load.title}; {contestant.title}")
        return 0
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = options.seconds or (0.2 if options.quick else 0.4)
    began = monotonic()
    for number in range(rounds):
        _round(_rotated(pairs, number), seconds, results)
    print(f"measured for {(monotonic() - began) / 60:.1f} minutes", file=sys.stderr)
    print(summary(results))
    whole = not (options.quick or options.only)
    directory = Path(options.out) if options.out else ROOT / "docs" if whole else None
    everything = results.as_json()
    if options.json:
        Path(options.json).write_text(json.dumps(everything, indent=1) + "\n")
    if directory is not None:
        page, picture = directory / "performance.md", directory / "performance.svg"
        print(f"written: {page}" if write(results, everything, page) else f"{page} has no marks for a table")
        print(plot(everything, picture) or f"drawn: {picture}")
    return 0


def _round(pairs: list[Pair], seconds: float, results: Results) -> None:
    for load, contestant in pairs:
        name = f"{load.name}/{contestant.name}"
        if name in results.absent:
            continue
        try:
            sample = (measure_protocol if load.is_protocol else measure)(load, contestant, seconds)
        except Failed as failed:
            results.miss(load, name, f"failed: {failed}")
            print(f"{name}: {failed}", file=sys.stderr)
            continue
        results.add(load, contestant, sample)
        cpu = "" if sample.proxy_cpu is None else f", {sample.proxy_cpu / sample.messages * 1e6:.3f} µs CPU for each"
        print(f"{name}: {sample.messages / sample.seconds:,.0f} messages/s{cpu}", file=sys.stderr)


def _pairs(options: argparse.Namespace, results: Results) -> list[Pair]:
    """What is to be measured and can be; what cannot is noted."""
    patterns = options.only or (list(QUICK) if options.quick else ["*"])
    pairs = []
    missing = {contestant: contestant.missing() for contestant in CONTESTANTS}
    for load in LOADS:
        impossible = SERVERS[load.kind].missing() if load.is_protocol else cannot(load)
        for contestant in CONTESTANTS:
            name = f"{load.name}/{contestant.name}"
            if not contestant.takes(load) or not any(_fits(name, pattern) for pattern in patterns):
                continue
            if reason := missing[contestant]:
                results.miss(load, contestant.title, reason)
            elif impossible:
                results.miss(load, load.title, impossible)
            else:
                pairs.append((load, contestant))
    return pairs


def _fits(name: str, pattern: str) -> bool:
    """Whether LOAD/CONTESTANT is meant: by both, or by either alone."""
    names = (name,) if "/" in pattern else name.split("/")
    return any(fnmatchcase(each, pattern) for each in names)


def _rotated(pairs: list[Pair], number: int) -> list[Pair]:
    """The same pairs, load by load, but in each round another contestant begins."""
    rotated: list[Pair] = []
    for load in dict.fromkeys(load for load, _ in pairs):
        of_load = [pair for pair in pairs if pair[0] is load]
        first = number % len(of_load)
        rotated += of_load[first:] + of_load[:first]
    return rotated


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three loads, one short round")
    parser.add_argument("--rounds", type=int, help="how often each is measured (3, quick: 1)")
    parser.add_argument("--seconds", type=float, help="how long each measurement lasts (0.4, quick: 0.2)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="LOAD/CONTESTANT",
        help="these alone; one of the two will do; may hold * and be repeated",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="write table and picture there; a whole run writes to docs/, others nowhere"
    )
    parser.add_argument("--json", metavar="FILE", help="write every single measurement to this file")
    parser.add_argument("--list", action="store_true", help="name what would be measured, and stop")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
