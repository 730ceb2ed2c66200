"""The short tables at the top of the page: what a message costs, what else costs, and what is on beside."""

from __future__ import annotations

from dataclasses import dataclass

from .results import Row

__all__ = ["SHORT_TABLES", "ShortTable", "two_digits"]


@dataclass(frozen=True)
class ShortTable:
    """CPU time in µs, of some loads, on some contestants."""

    name: str
    """What its marks in the page say."""
    loads: dict[str, str]
    """By load: the title of a column."""
    contestants: dict[str, str]
    """By contestant: the title of a line."""

    def markdown(self, rows: list[Row]) -> str:
        """Return the table for the documentation; nothing if nothing of it was measured."""
        cpu = {(row.load, row.contestant): row.cpu_per_message for row in rows}
        lines = []
        for contestant, title in self.contestants.items():
            cells = [two_digits(seconds) if (seconds := cpu.get((load, contestant))) else "-" for load in self.loads]
            if any(cell != "-" for cell in cells):
                lines.append(f"| {title} | " + " | ".join(cells) + " |")
        if not lines:
            return ""
        head = ["| | " + " | ".join(self.loads.values()) + " |", "|---|" + "---:|" * len(self.loads)]
        return "\n".join(head + lines)


def two_digits(seconds: float) -> str:
    """Return a time in µs with two significant digits, without an exponent."""
    value = seconds * 1e6
    return f"{value:#.2g}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"


SHORT_TABLES = (
    ShortTable(
        "measured by size",
        {"oneway-16": "16 B", "oneway-256": "256 B", "oneway-4k": "4 KiB", "oneway-64k": "64 KiB"},
        {
            "haproxy": "HAProxy, looks at nothing",
            "repeater-no-filter": "repeater, no filter",
            "repeater-pass": "**repeater, a filter passes each message on**",
            "njs": "nginx, a JavaScript filter for each message",
            "mitmproxy": "mitmproxy, a hook for each read",
            "repeater-pass-interpreted": "repeater, the same filter, not compiled",
            "repeater-replace": "repeater, a filter replaces each message",
            "usual": "two `Int32StringReceiver`s and a function",
        },
    ),
    ShortTable(
        "measured by kind of filter",
        {"oneway-16": "16 B", "oneway-256": "256 B"},
        {
            "repeater-pass": "a function that passes each message on",
            "repeater-chain": "a `chain` of three such functions",
            "repeater-struct": "one that looks at what `struct` decoded",
            "repeater-msgspec": "one that looks at what msgspec decoded",
            "repeater-replace": "one that answers `Send` of a new message",
            "repeater-coroutine": "a coroutine function that waits for nothing",
        },
    ),
    ShortTable(
        "measured beside messages",
        {
            "echo-1": "a request and its answer",
            "connections": "a link, made and ended",
            "tls-256": "256 B, TLS on both sides",
            "tls-64k": "64 KiB, TLS on both sides",
        },
        {
            "haproxy": "HAProxy",
            "nginx": "nginx",
            "portforward": "Twisted's port forwarder",
            "repeater-no-filter": "repeater, no filter",
            "repeater-pass": "**repeater, a filter passes each message on**",
            "repeater-logged": "repeater, no filter, two lines in the log for each link",
        },
    ),
    ShortTable(
        "measured with more",
        {"oneway-16": "16 B", "oneway-256": "256 B", "oneway-4k": "4 KiB"},
        {
            "repeater-no-filter": "repeater, no filter",
            "repeater-watched": "watched by a function that does nothing",
            "repeater-recorded": "recorded to a file",
            "repeater-latency": "a fault by message that is set and hits one in 1,000",
            "repeater-bandwidth": "a fault by bytes that is set and never holds anything up",
        },
    ),
)
