"""The plot that answers what a proxy costs: CPU time for a message, a request or a link, in several situations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .short_tables import two_digits

__all__ = ["plot"]

SITUATIONS = {
    "oneway-16": "a message of 16 B",
    "oneway-256": "a message of 256 B",
    "oneway-4k": "a message of 4 KiB",
    "oneway-64k": "a message of 64 KiB",
    "echo-1": "a request and its answer",
    "connections": "a link made and ended",
    "tls-256": "256 B, TLS on both sides",
    "tls-64k": "64 KiB, TLS on both sides",
}
"""By load: what each panel shows."""

SHOWN = ("haproxy", "nginx", "portforward", "repeater-no-filter", "repeater-pass", "njs", "mitmproxy", "usual")
"""From top to bottom: first those that look at nothing, then those that call a function."""

OURS, THEIRS = "black", "silver"


def plot(everything: dict[str, Any], path: Path) -> str | None:
    """Draw what `Results.as_json` gave; say why if that cannot be."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no plot: matplotlib is not installed (pip install -e '.[bench]')"
    cpu = {(row["load"], row["contestant"]): row["cpu_per_message"] for row in everything["rows"]}
    measured = {pair for pair, seconds in cpu.items() if seconds and pair[0] in SITUATIONS and pair[1] in SHOWN}
    if not measured:
        return "no plot: nothing that it compares was measured"
    mpl.use("svg")
    from matplotlib import pyplot

    names = [name for name in reversed(SHOWN) if any(contestant == name for _, contestant in measured)]
    loads = [load for load in SITUATIONS if any(name == load for name, _ in measured)]
    across = min(4, len(loads))
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9, "font.family": "sans-serif"}
    with mpl.rc_context(style):
        down = -(-len(loads) // across)
        size = 2.2 + 2.2 * across, 0.6 + (0.5 + 0.24 * len(names)) * down
        figure, axes = pyplot.subplots(down, across, figsize=size, layout="constrained", sharey=True, squeeze=False)
        for panel, load in zip(axes.flat, loads, strict=False):
            _bars(panel, [(name, cpu[load, name]) for name in names if (load, name) in measured], names)
            panel.set_title(SITUATIONS[load], fontsize=9)
        for panel in axes.flat[len(loads) :]:
            panel.set_axis_off()
        axes[0][0].set_yticks(range(len(names)), [everything["titles"][name] for name in names])
        figure.suptitle("CPU time of the proxy in µs; less is better", fontsize=10)
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return None


def _bars(panel: Any, costs: list[tuple[str, float]], names: list[str]) -> None:
    """One bar for each contestant that was measured, in its own row, with its number behind it."""
    rows = [names.index(name) for name, _ in costs]
    microseconds = [seconds * 1e6 for _, seconds in costs]
    labels = [two_digits(seconds) for _, seconds in costs]
    colors = [OURS if name.startswith("repeater") else THEIRS for name, _ in costs]
    bars = panel.barh(rows, microseconds, color=colors, height=0.7)
    panel.bar_label(bars, labels, padding=2)
    panel.set_xlim(0, max(microseconds) * 1.35)
    panel.set_xticks([])
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "bottom"]].set_visible(False)
