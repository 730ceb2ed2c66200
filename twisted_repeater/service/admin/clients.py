"""Calls about clients by their names: which there are, closing their links, and holding what they send."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from msgspec import Meta, Struct

from .answers import Nothing
from .links import Changed
from .routes import Call, Route
from .scope import OUTCOMES, SCOPE_ERRORS, FleetResult, ScopeQuery, is_fleet_wide, on_fleet

__all__ = ["ROUTES"]


class Clients(Struct):
    """Names of clients."""

    clients: list[str]
    """Each name once, in the order of their links."""


class ClientsQuery(ScopeQuery):
    """How many clients to show, and of which nodes."""

    limit: Annotated[int, Meta(ge=1, le=10_000, description="how many names to show at most, of each node")] = 1000


def show_all(call: Call[ClientsQuery, None]) -> object:
    """Return the names of clients."""
    repeater, most = call.administered.repeater, call.query.limit
    if is_fleet_wide(call):
        return on_fleet(call, repeater.fleet.active_clients, most=most)
    return Clients(list(islice(repeater.active_clients(), most)))


def close(call: Call[ScopeQuery, None]) -> object:
    """Close all links of a name."""
    if is_fleet_wide(call):
        name = call.path["client"]
        close = call.administered.repeater.fleet.close_connection_from_client
        return on_fleet(call, close, name, nobody=f"no node has a client {name!a}")
    links = call.links
    for link in links:
        link.close()
    return Changed(len(links))


def hold(call: Call[Nothing, None]) -> Changed:
    """Read nothing more from the clients of a name."""
    links = call.links
    for link in links:
        link.hold()
    return Changed(len(links))


def resume(call: Call[Nothing, None]) -> Changed:
    """Go on with the clients of a name."""
    links = call.links
    for link in links:
        link.resume()
    return Changed(len(links))


NO_CLIENT = {404: "no repeater has this name, or no client"}
CLIENT = "/repeaters/{repeater}/clients/{client}"

ROUTES: list[Route] = [
    Route(
        "GET",
        "/repeaters/{repeater}/clients",
        "Show the names of the clients whose links have both sides up.",
        show_all,
        Clients | FleetResult,
        query=ClientsQuery,
        errors=SCOPE_ERRORS,
        answers=OUTCOMES,
    ),
    Route(
        "POST",
        f"{CLIENT}/close",
        "Close all links of a client.",
        close,
        Changed | FleetResult,
        query=ScopeQuery,
        errors=SCOPE_ERRORS,
        answers=OUTCOMES,
        frequent=True,
    ),
    Route("POST", f"{CLIENT}/hold", "Read nothing more from a client.", hold, Changed, errors=NO_CLIENT),
    Route("POST", f"{CLIENT}/resume", "Read from a client again.", resume, Changed, errors=NO_CLIENT),
]
