"""Answers of the administration as people read them.

Names and messages come from strangers. `printable` escapes all characters that could change the terminal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence

from .._text import printable
from .administration import Answer

__all__ = ["count", "links_table", "moment", "nodes_table", "plural", "repeaters_table", "size", "table"]

UNITS = ("KiB", "MiB", "GiB", "TiB")


def plural(number: int, thing: str) -> str:
    """Return ``1 link``, ``2 links`` or ``1,000 links``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def size(number: float) -> str:
    """Return a number of bytes: ``900 B``, ``1.5 MiB``."""
    if number < 1024:
        return f"{number:.0f} B"
    power = 0
    while number >= 1000 and power < len(UNITS):
        number /= 1024
        power += 1
    return f"{number:.1f} {UNITS[power - 1]}"


def count(direction: Answer) -> str:
    """Return what was received in a direction: ``1,204 (190.1 KiB)``."""
    return f"{direction['messages']:,} ({size(direction['bytes'])})"


def moment(seconds: float, *, day: bool = True) -> str:
    """Return a time in this machine's zone: with its day to the second, without to the millisecond."""
    if day:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    milliseconds = math.floor(seconds * 1000)
    return time.strftime("%H:%M:%S", time.localtime(milliseconds // 1000)) + f".{milliseconds % 1000:03}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Return the lines of a table. A column whose title begins with a space is aligned to the right."""
    texts = [head, *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[at].strip()) for row in texts) for at in range(len(head))]
    for row in texts:
        cells = [
            cell.strip().rjust(width) if title.startswith(" ") else cell.strip().ljust(width)
            for title, cell, width in zip(head, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def repeaters_table(repeaters: Iterable[Answer]) -> Iterator[str]:
    """Return the lines of a table of repeaters."""
    head = ("NAME", "DIALECT", "LISTENS AT", "SERVER", " LINKS", " TO SERVER", " TO CLIENT", "STATE")
    rows = (
        (
            repeater["name"],
            repeater["dialect"],
            repeater["listen"],
            repeater["server"],
            f"{repeater['links']:,}",
            count(repeater["received"]["to_server"]),
            count(repeater["received"]["to_client"]),
            _state_of(repeater),
        )
        for repeater in repeaters
    )
    return table(head, rows)


def _state_of(repeater: Answer) -> str:
    """Return what an operator should know of a repeater."""
    words = ["ready" if repeater["ready"] else "not ready"]
    if repeater["drops_new_clients"]:
        words.append("drops new clients")
    if repeater["faults"]:
        words.append(plural(repeater["faults"], "fault"))
    if repeater["held"]:
        words.append(f"{plural(repeater['held'], 'message')} held")
    if repeater["recording"]:
        words.append("records")
    return ", ".join(words)


def nodes_table(nodes: Iterable[Answer]) -> Iterator[str]:
    """Return the lines of a table of nodes, with a line for each of their repeaters."""
    head = ("NODE", "HOST", " PID", "VERSION", "REPEATER", " LINKS", "STATE")
    rows = []
    for node in nodes:
        about = (node["name"], node["host"] or "", node["pid"] or "", node["version"] or "")
        own = ["this node"] if node["own"] else []
        for repeater in node["repeaters"]:
            rows.append(
                (*about, repeater["name"], f"{repeater['links']:,}", ", ".join([*own, *_state_of_node(repeater)]))
            )
        if not node["repeaters"]:
            rows.append((*about, "", "0", ", ".join(own)))
    return table(head, rows)


def _state_of_node(repeater: Answer) -> Iterator[str]:
    """Return what an operator should know of a repeater on a node."""
    if repeater["draining"]:
        yield "draining"
    if repeater["drops_new_clients"]:
        yield "drops new clients"


def links_table(links: Iterable[Answer]) -> Iterator[str]:
    """Return the lines of a table of links."""
    head = (" LINK", "CLIENT", "FROM", "SINCE", " TO SERVER", " TO CLIENT", "STATE", "LAST ERROR")
    rows = (
        (
            link["id"],
            link["client"],
            link["client_address"],
            "" if link["made"] is None else moment(link["made"]),
            count(link["to_server"]),
            count(link["to_client"]),
            _state_of_link(link),
            link["last_error"] or "",
        )
        for link in links
    )
    return table(head, rows)


def _state_of_link(link: Answer) -> str:
    """Return what an operator should know of a link."""
    words = ["client held" if link["held"] else link["state"]]
    for direction, target in (("to_server", "server"), ("to_client", "client")):
        lane = link[direction]
        if lane["stopped"]:
            words.append(f"stopped to the {target}")
        if lane["awaits"]:
            what = "is held" if lane["awaits"] == "hold" else "waits for a filter"
            words.append(f"a message to the {target} {what}")
        waiting = lane["waiting_bytes"] + lane["behind_bytes"]
        if waiting:
            words.append(f"{size(waiting)} wait for the {target}")
    return ", ".join(words)
