"""Calls about links: their state, closing them, and holding what clients send."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..._link.link import Link, pair_of
from ..._text import address_text
from ...model import Direction
from .answers import Nothing, json_of
from .pieces import answer_in_pieces
from .routes import Call, Route
from .subject import AdministeredRepeater

__all__ = ["ROUTES", "Changed", "LinkState", "link_state"]

LINKS_AT_ONCE = 50
"""How many links are looked at before the reactor can do other work; describing them takes about a millisecond."""

LONGEST_NAME = 1000
"""How much of a client's name a pattern sees. Clients choose their names, and long ones would take long."""


class Way(Struct):
    """One direction of a link."""

    messages: int
    """How many messages were received."""
    bytes: int
    """Bytes of these messages, headers included."""
    waiting_bytes: int
    """Bytes that the target has not taken yet."""
    behind_bytes: int
    """Bytes that were received, and wait behind a message whose verdict is awaited."""
    stopped: bool
    """Whether the failure of a filter has ended this direction."""
    awaits: Literal["filter", "hold"] | None
    """What the first of the waiting messages waits for: the verdict of a filter, or being held by a rule."""


class LinkState(Struct, kw_only=True):
    """The state of a link."""

    id: int
    client: str
    """The client's name."""
    client_address: str
    server: str
    """The server's name, in dialects where it has one."""
    server_address: str
    state: Literal["active", "stopped", "half gone", "finishing", "closing"]
    made: float | None
    """When it was made, in seconds since 1970."""
    held: bool
    """Whether nothing is read from its client until somebody resumes it."""
    last_error: str | None
    to_server: Way
    to_client: Way


class Links(Struct):
    """Links, in the order of their ids."""

    links: list[LinkState]
    total: int
    """How many links match, on this page and on all others."""


class LinksQuery(Struct, forbid_unknown_fields=True):
    """Which links to show."""

    client: Annotated[str, Meta(max_length=256, description="a pattern of the client's name, such as `ann*`")] = "*"
    after: Annotated[int, Meta(ge=0, description="only links with a higher id: that of the last one you have")] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000, description="how many links to show at most")] = 200


class Changed(Struct):
    """How many links a call concerned."""

    links: int


def link_state(administered: AdministeredRepeater, link: Link) -> LinkState:
    """Return the state of a link."""
    pair = pair_of(link)
    state: Literal["active", "stopped", "half gone", "finishing", "closing"]
    state = "closing" if pair.closing else "finishing" if pair.finishing else "half gone"
    if pair.active and not pair.finishing:
        state = "stopped" if link.stopped else "active"
    return LinkState(
        id=link.id,
        client=link.client_name,
        client_address=address_text(link.client_address),
        server=link.server_name,
        server_address=address_text(link.server_address),
        state=state,
        made=administered.errors.made(link),
        held=link.held,
        last_error=administered.errors.last_of(link),
        to_server=_way(administered, link, Direction.TO_SERVER),
        to_client=_way(administered, link, Direction.TO_CLIENT),
    )


def _way(administered: AdministeredRepeater, link: Link, direction: Direction) -> Way:
    pair = pair_of(link)
    messages, size = link.received(direction)
    lane = next((lane for lane in pair.lanes if lane.direction is direction), None)
    awaits: Literal["filter", "hold"] | None = None
    if lane is not None and lane.awaited is not None:
        awaits = "hold" if lane in administered.repeater._factory.links.holds.held else "filter"
    return Way(
        messages=messages,
        bytes=size,
        waiting_bytes=pair.connection(direction.target).outlet.waiting,
        behind_bytes=0 if lane is None else lane.holding,
        stopped=direction in link.stopped,
        awaits=awaits,
    )


def show_all(call: Call[LinksQuery, None]) -> object:
    """Begin to write the links; there may be thousands."""
    return answer_in_pieces(call.request, _links(call.administered, call.query), LINKS_AT_ONCE)


def _links(administered: AdministeredRepeater, query: LinksQuery) -> Iterator[bytes]:
    """Describe the links, one on each line. A link that has ended meanwhile is left out."""
    wanted = re.compile(fnmatch.translate(query.client))
    before, total, shown = b'{"links":[\n', 0, 0
    for link in sorted(administered.repeater.links(), key=lambda link: link.id):
        piece = b""
        if not pair_of(link).over and wanted.match(link.client_name[:LONGEST_NAME]):
            total += 1
            if link.id > query.after and shown < query.limit:
                shown += 1
                piece = before + json_of(link_state(administered, link))
                before = b",\n"
        yield piece
    yield (b"" if shown else before) + b'\n],"total":%d}\n' % total


def show(call: Call[Nothing, None]) -> LinkState:
    """Return the state of a link."""
    return link_state(call.administered, call.link)


def close(call: Call[Nothing, None]) -> Changed:
    """Close a link."""
    call.link.close()
    return Changed(1)


def hold(call: Call[Nothing, None]) -> Changed:
    """Read nothing more from a client."""
    call.link.hold()
    return Changed(1)


def resume(call: Call[Nothing, None]) -> Changed:
    """Go on with a client."""
    call.link.resume()
    return Changed(1)


NO_LINK = {404: "no repeater has this name, or the link has ended"}
ONE = "/repeaters/{repeater}/links/{link:int}"

ROUTES: list[Route] = [
    Route(
        "GET",
        "/repeaters/{repeater}/links",
        "Show links, in the order of their ids.",
        show_all,
        Links,
        query=LinksQuery,
        errors={404: "no repeater has this name"},
    ),
    Route("GET", ONE, "Show one link.", show, LinkState, errors=NO_LINK),
    Route("POST", f"{ONE}/close", "Close a link.", close, Changed, errors=NO_LINK, frequent=True),
    Route("POST", f"{ONE}/hold", "Read nothing more from the client, until resumed.", hold, Changed, errors=NO_LINK),
    Route("POST", f"{ONE}/resume", "Read from the client again.", resume, Changed, errors=NO_LINK),
]
