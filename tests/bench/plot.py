"""The plot: CPU time for each message over the message's size, and over how many echoes are outstanding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["plot"]

ONE_WAY = {"oneway-16": 16, "oneway-256": 256, "oneway-4k": 4096, "oneway-64k": 65536, "oneway-4m": 4194304}
ECHO = {"echo-1": 1, "echo-64": 64, "echo-1024": 1024}
SIZES = ("16 B", "256 B", "4 KiB", "64 KiB", "4 MiB")


def plot(everything: dict[str, Any], path: Path) -> str | None:
    """Draw what `Results.as_json` gave; say why if that cannot be."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no plot: matplotlib is not installed (pip install -e '.[bench]')"
    mpl.use("svg")
    from matplotlib import pyplot

    if not any(row["load"] in ONE_WAY | ECHO and row["cpu_per_message"] for row in everything["rows"]):
        return "no plot: nothing that it shows was measured"
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9, "font.family": "sans-serif"}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5), layout="constrained", width_ratios=(5, 3))
        _lines(left, everything, ONE_WAY, "One way, over the size of a message", SIZES)
        _lines(right, everything, ECHO, "Echo of 16 B, over messages outstanding", tuple(map(str, ECHO.values())))
        left.set_ylabel("CPU time of the proxy for each message, µs")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return None


def _lines(axes: Any, everything: dict[str, Any], loads: dict[str, int], title: str, ticks: tuple[str, ...]) -> None:
    contestants = dict.fromkeys(row["contestant"] for row in everything["rows"] if row["load"] in ONE_WAY | ECHO)
    cpu = {(row["contestant"], row["load"]): row["cpu_per_message"] for row in everything["rows"]}
    for number, name in enumerate(sorted(contestants)):
        points = [(x, cpu[name, load] * 1e6) for load, x in loads.items() if cpu.get((name, load))]
        if not points:
            continue
        ours = name.startswith("repeater")
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            label=everything["titles"][name],
            color=f"C{number % 10}",
            linewidth=2 if ours else 1,
            linestyle="-" if ours else "--",
            marker="o" if ours else ".",
            markersize=4,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", nonpositive="clip")
    axes.set_xticks(list(loads.values()), ticks)
    axes.minorticks_off()
    axes.set_title(title)
    axes.grid(alpha=0.3)
