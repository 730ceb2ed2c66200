"""The table, for a terminal and for the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .results import Results, Row
from .short_tables import SHORT_TABLES
from .targets import Outcome, outcomes

__all__ = ["ALL", "PROTOCOLS", "begin_of", "end_of", "summary", "write"]

COLUMNS = (
    "load",
    "contestant",
    "messages/s",
    "MB/s",
    "CPU µs/message",
    "of repeater's",
    "peak MiB",
    "proxy busy",
    "load busy",
    "more",
)

ALL, PROTOCOLS = "measured", "measured by protocol"
"""The names of the two long tables: of the benchmark's own loads, and of those that a protocol's load tool puts on."""


def begin_of(name: str) -> str:
    """Return the mark before a table."""
    return f"<!-- {name}: begin -->"


def end_of(name: str) -> str:
    """Return the mark behind a table."""
    return f"<!-- {name}: end -->"


def summary(results: Results) -> str:
    """The table as text, what is missing, and the targets."""
    lines = [COLUMNS, *_cells(results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(_pad(cell, w, i) for i, (cell, w) in enumerate(zip(line, widths, strict=True))) for line in lines]
    text += _absent(results)
    text += [str(outcome) for outcome in outcomes(results.rows())]
    return "\n".join(line.rstrip() for line in text)


def write(results: Results, everything: dict[str, Any], page: Path) -> bool:
    """Write the tables between their marks in a page; return whether the page has the marks of one.

    A table of which nothing was measured stays as it is.
    """
    before = text = page.read_text() if page.exists() else ""
    tables = {name: markdown(results.part(protocols=name == PROTOCOLS), everything) for name in (ALL, PROTOCOLS)}
    tables |= {short.name: short.markdown(results.rows()) for short in SHORT_TABLES}
    found = False
    for name, table in tables.items():
        head, has_begin, rest = text.partition(begin_of(name))
        _, has_end, tail = rest.partition(end_of(name))
        if table and has_begin and has_end:
            text = head + has_begin + "\n" + table + "\n" + has_end + tail
            found = True
    if text != before:
        page.write_text(text)
    return found


def markdown(results: Results, everything: dict[str, Any]) -> str:
    """The same for the documentation; nothing if nothing was measured."""
    if not results.samples:
        return ""
    machine, versions = everything["machine"], everything["versions"]
    lines = [
        f"Measured on {everything['date'][:10]}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}; "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + ".",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "|".join("---" if i in (0, 1, 9) else "---:" for i in range(len(COLUMNS))) + "|",
        *("| " + " | ".join(cells) + " |" for cells in _cells(results)),
    ]
    absent = _absent(results)
    if absent:
        lines += ["", *(f"* {line}" for line in absent)]
    reached = list(outcomes(results.rows()))
    if reached:
        lines += ["", "| target | at most | measured | |", "|---|---:|---:|---|"]
        lines += [f"| {o.text} | {o.at_most:.3f} | {o.measured:.3f} | {_met(o)} |" for o in reached]
    return "\n".join(lines)


def _cells(results: Results) -> list[tuple[str, ...]]:
    titles = {thing.name: thing.title for pair in results.samples for thing in pair}
    lines = []
    last = None
    for row in results.rows():
        load = titles[row.load] if row.load != last else ""
        last = row.load
        lines.append((load, titles[row.contestant], *_numbers(row)))
    return lines


def _numbers(row: Row) -> tuple[str, ...]:
    return (
        f"{row.messages_per_second:,.0f}",
        f"{row.bytes_per_second / 1e6:,.1f}" if row.bytes_per_second else "-",
        _digits(row.cpu_per_message, 1e6),
        _digits(row.ratio, 1),
        f"{row.peak_memory / 2**20:.0f}" if row.peak_memory else "-",
        f"{row.proxy_busy:.0%}" if row.proxy_busy is not None else "-",
        f"{row.load_busy:.0%}",
        _more(row),
    )


def _more(row: Row) -> str:
    if row.round_trip is not None:
        slow = "" if row.slow_round_trip is None else f", 99 % within {row.slow_round_trip * 1e6:,.0f} µs"
        return f"round trip {row.round_trip * 1e6:,.0f} µs{slow}"
    if row.memory_per_link is not None:
        return f"{row.memory_per_link / 1024:.1f} KiB for each link"
    if row.requests_per_second is not None:
        return f"{row.requests_per_second:,.0f} requests/s"
    return ""


def _digits(value: float | None, unit: float) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return "-"
    scaled = value * unit
    return f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:#.3g}"


def _met(outcome: Outcome) -> str:
    return "met" if outcome.met else "missed"


def _absent(results: Results) -> list[str]:
    return [f"Not measured: {name}: {reason}" for name, reason in results.absent.items()]


def _pad(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column in (0, 1, 9) else cell.rjust(width)
