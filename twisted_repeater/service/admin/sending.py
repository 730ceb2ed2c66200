"""Calls that send messages of one's own: on a link, to a client or its server, and to all of them."""

from __future__ import annotations

from typing import Any

from twisted.web import http

from ..._link.link import pair_of
from ..._link.session_filters import messages_for
from ...link import Link
from ...model import Direction
from .answers import ApiError, Nothing
from .debugger import Debugger
from .editing import Editor
from .links import Changed
from .routes import MAX_MESSAGE, Call, Route
from .scope import OUTCOMES, SCOPE_ERRORS, FleetResult, ScopeQuery, is_fleet_wide, on_fleet
from .shapes import SendBody

__all__ = ["ROUTES"]


def _editor(call: Call[Any, Any]) -> Editor:
    return call.context.part(Debugger).of(call.administered).editor


def send_on_link(call: Call[Nothing, SendBody]) -> Changed:
    """Send a message on one link."""
    return _send(call, [call.link])


def send_to_client(call: Call[ScopeQuery, SendBody]) -> object:
    """Send a message on all links of a name."""
    if not is_fleet_wide(call):
        return _send(call, call.links)
    name, direction = call.path["client"], Direction(call.body.direction)
    fleet, message = call.administered.repeater.fleet, _editor(call).send(None, direction, call.body.message)
    method = fleet.send_to_server_from if direction is Direction.TO_SERVER else fleet.send_to_client
    return on_fleet(call, method, name, message, nobody=f"no node has a client {name!a}")


def send_to_all(call: Call[ScopeQuery, SendBody]) -> object:
    """Send a message to all clients, or to the server on all links."""
    repeater, direction = call.administered.repeater, Direction(call.body.direction)
    message = _editor(call).send(None, direction, call.body.message)
    if not is_fleet_wide(call):
        return Changed(repeater._factory.links.broadcast(direction.target, message))
    fleet = repeater.fleet
    method = fleet.send_from_all_clients if direction is Direction.TO_SERVER else fleet.send_to_all_clients
    return on_fleet(call, method, message)


def _send(call: Call[Any, SendBody], links: list[Link]) -> Changed:
    direction = Direction(call.body.direction)
    messages = _editor(call).send_each(links, direction, call.body.message)
    sent = sum(_sent(link, direction, message) for link, message in zip(links, messages, strict=True))
    if not sent:
        side = direction.target.value
        raise ApiError(http.CONFLICT, f"the {side} takes no message now: it is leaving, or its dialect says no")
    return Changed(sent)


def _sent(link: Link, direction: Direction, message: object) -> bool:
    """Send a message, as `Link.send_to_server` does; return whether it goes out."""
    pair = pair_of(link)
    connection = pair.connection(direction.target)
    if not pair.can_send(connection):
        return False
    frames = [connection.outlet.encode(one) for one in messages_for(pair, connection, message)]
    for frame in frames:
        if frame:
            pair.send_frame(connection, frame)
    return any(frames)


WRONG = {422: "the bytes are not a message"}
NOT_SENT = WRONG | {404: "there is no such repeater or link", 409: "it cannot be sent now"}

ROUTES: list[Route] = [
    Route(
        "POST",
        "/repeaters/{repeater}/links/{link:int}/send",
        "Send a message of your own on a link; it goes through no filter.",
        send_on_link,
        Changed,
        body=SendBody,
        errors=NOT_SENT,
        max_body=MAX_MESSAGE,
    ),
    Route(
        "POST",
        "/repeaters/{repeater}/clients/{client}/send",
        "Send a message of your own on all links of a client.",
        send_to_client,
        Changed | FleetResult,
        query=ScopeQuery,
        body=SendBody,
        errors=NOT_SENT | SCOPE_ERRORS,
        answers=OUTCOMES,
        max_body=MAX_MESSAGE,
    ),
    Route(
        "POST",
        "/repeaters/{repeater}/send",
        "Send a message of your own to all clients, or to the server on all links.",
        send_to_all,
        Changed | FleetResult,
        query=ScopeQuery,
        body=SendBody,
        errors=WRONG | SCOPE_ERRORS,
        answers=OUTCOMES,
    ),
]
