"""The table of calls in the reference, made from the routes: ``python -m tests.service.admin.calls_table --write``."""

from __future__ import annotations

import sys
from itertools import groupby

from msgspec.structs import fields

from twisted_repeater.service.admin.answers import Nothing
from twisted_repeater.service.admin.api import ROUTES
from twisted_repeater.service.admin.openapi import ANY_CALL
from twisted_repeater.service.admin.routes import Route

from ...paths import DOCS

PAGE = DOCS / "reference" / "administration.md"
BEGIN, END = "<!-- made by tests.service.admin.calls_table: {} -->", "<!-- end -->"

HEADS = {
    "": "The process",
    "repeaters": "Repeaters",
    "links": "Links",
    "clients": "Clients",
    "send": "Clients",
    "errors": "Repeaters",
    "faults": "Faults",
    "fault-kinds": "Faults",
    "recording": "Recording",
    "stream": "Watching",
    "streams": "Watching",
    "rules": "Holding messages",
    "held": "Holding messages",
    "fleet": "The fleet",
    "session": "Tokens and sessions",
    "page": "The page",
}
"""The head of the table that a route belongs to, by what its path is about."""


def head_of(route: Route) -> str:
    """Return the head of the table of a route."""
    first, *others = route.path.split("/")[1:]
    if route.path == "/":
        return HEADS["page"]
    about = others[1] if first == "repeaters" and len(others) > 1 else first
    return HEADS.get(about, HEADS["repeaters"] if first == "repeaters" and others else HEADS[""])


def path_of(route: Route) -> str:
    """Return the path with capital letters for what differs from call to call."""
    parts = []
    for part in route.path.split("/"):
        parts.append(part.strip("{}").removesuffix(":int").upper() if part.startswith("{") else part)
    return "/".join(parts)


def table() -> str:
    """Return all tables of calls."""
    order = list(dict.fromkeys(HEADS.values()))
    routes = sorted(ROUTES, key=lambda route: order.index(head_of(route)))
    lines = []
    for head, group in groupby(routes, head_of):
        lines += ["", f"### {head}", "", "| call | what it does |", "|---|---|"]
        for route in group:
            query = "&".join(field.name for field in fields(route.query)) if route.query is not Nothing else ""
            sent = ", ".join(f'"{field.name}"' for field in fields(route.body)) if route.body else ""
            call = f"`{route.method} {path_of(route)}{query and f'?{query}'}`{sent and f' `{{{sent}}}`'}"
            why = "".join(f" {status}: {why}." for status, why in sorted(route.errors.items()) if status != 404)
            lines.append(f"| {call} | {route.summary}{why} |")
    return "\n".join([*lines, ""])


def failures() -> str:
    """Return the table of how any call may fail."""
    rows = [f"| {status} | {why} |" for status, why in sorted({**ANY_CALL, **OTHERS}.items())]
    return "\n".join(["", "| status | when |", "|---|---|", *rows, ""])


OTHERS = {
    404: "nothing has this path: no repeater, no link, no client of this name",
    405: "the path has other methods; the header `Allow` has them",
    409: "that is not possible now",
    422: "the body is as described, but means nothing: there is no such fault, for example",
    431: "a line of the head is longer than 8 KiB",
    503: "`/readyz`: not ready; a stream: there are too many of them; the fleet cannot be asked",
    504: "not every node of the fleet has done it; see [above](#on-all-nodes-of-a-fleet)",
}
"""Statuses of some calls only."""


def written(page: str) -> str:
    """Return the page with its tables as they should be."""
    for name, made in (("calls", table()), ("statuses", failures())):
        begin = BEGIN.format(name)
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{made}\n{END}{rest.partition(END)[2]}"
    return page


if __name__ == "__main__":
    text = written(PAGE.read_text())
    if "--write" in sys.argv:
        PAGE.write_text(text)
    else:
        print(text)
