"""The plot: the proxies' CPU time for each message, as a multiple of the repeater's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .contestants import REFERENCE

__all__ = ["plot"]

ONE_WAY = {
    "oneway-16": "16 B",
    "oneway-256": "256 B",
    "oneway-4k": "4 KiB",
    "oneway-64k": "64 KiB",
    "oneway-4m": "4 MiB",
}
ECHO = {"echo-1": "1", "echo-64": "64", "echo-1024": "1024"}

COLORS = (*(f"C{number}" for number in range(10)), "navy", "peru", "lime")


def plot(everything: dict[str, Any], path: Path) -> str | None:
    """Draw what `Results.as_json` gave; say why if that cannot be."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no plot: matplotlib is not installed (pip install -e '.[bench]')"
    rows = [row for row in everything["rows"] if row["ratio"]]
    panels = [loads for loads in (ONE_WAY, ECHO) if any(row["load"] in loads for row in rows)]
    if not panels:
        return "no plot: nothing that it compares was measured"
    mpl.use("svg")
    from matplotlib import pyplot

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9, "font.family": "sans-serif"}
    with mpl.rc_context(style):
        widths = [len(loads) for loads in panels]
        figure, axes = pyplot.subplots(
            1, len(panels), figsize=(11, 5), layout="constrained", sharey=True, squeeze=False, width_ratios=widths
        )
        drawn: dict[str, Any] = {}
        for panel, loads in zip(axes[0], panels, strict=True):
            drawn |= _lines(panel, rows, loads)
            panel.set_title("one way, over the size" if loads is ONE_WAY else "echo, over messages outstanding")
        axes[0][0].set_ylabel("CPU time for each message, in multiples of the repeater's")
        titles = [everything["titles"][name] for name in drawn]
        figure.legend(list(drawn.values()), titles, loc="outside right center", frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return None


def _lines(panel: Any, rows: list[dict[str, Any]], loads: dict[str, str]) -> dict[str, Any]:
    """One line for each contestant, always of the same look; the repeater with a filter is the line at 1."""
    ratios = {(row["contestant"], row["load"]): row["ratio"] for row in rows}
    drawn = {}
    for number, name in enumerate(sorted({row["contestant"] for row in rows if row["load"] in ONE_WAY | ECHO})):
        ours = name.startswith("repeater")
        points = [(x, ratios[name, load]) for x, load in enumerate(loads) if (name, load) in ratios]
        (drawn[name],) = panel.plot(
            *zip(*points, strict=True) if points else ((), ()),
            color="black" if name == REFERENCE[0] else COLORS[number % len(COLORS)],
            linestyle="-" if ours else "--",
            marker="o^sDvPX*<>dh"[number % 12],
            markersize=5,
        )
    panel.set_yscale("log", base=2)
    panel.yaxis.set_major_formatter(lambda y, _: f"{y:g}" if y >= 1 else f"1/{1 / y:g}")
    panel.set_xticks(range(len(loads)), list(loads.values()))
    panel.grid(alpha=0.3)
    return drawn
