"""Calls about the fleet: its nodes, which of them has a client, and draining one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred

from ..._alone import Alone, facts
from ..._text import printable, text_of
from ...fleet import Call as FleetCall
from ...fleet import NodeInfo
from .answers import Answer, Nothing
from .routes import Call, Route
from .scope import FLEET_ERRORS, FleetResult, HowLong, fleet_answer, fleet_error
from .subject import Administered

__all__ = ["ROUTES"]


class NodeRepeater(Struct):
    """What a node says of one of its repeaters."""

    name: str
    links: int
    """How many links there are."""
    drops_new_clients: bool
    """Whether newcomers are refused."""
    draining: bool
    """Whether its links are being ended."""


class FleetNode(Struct, kw_only=True):
    """A node: a process with repeaters."""

    name: str
    own: bool
    """Whether it is the process that answers."""
    host: str | None
    """The name of its machine."""
    pid: int | None
    """The number of the process there."""
    version: str | None
    """The version of twisted_repeater."""
    links: int
    """How many links its repeaters have."""
    repeaters: list[NodeRepeater]


class FleetState(Struct):
    """The nodes, as new as the last time they said something, in the order of their names."""

    node: str
    """The name of this node."""
    alone: bool
    """Whether this process belongs to no fleet."""
    problem: str | None
    """Why this node is no member of its fleet at the moment, or why the others are not shown; null if all is well."""
    nodes: list[FleetNode]


class ClientQuery(Struct, forbid_unknown_fields=True):
    """Which client to find."""

    name: Annotated[str, Meta(min_length=1, max_length=1000, description="the name of the client")]
    repeater: Annotated[str | None, Meta(description="only clients of this repeater")] = None


class Holders(Struct):
    """The nodes that have a client of a name, for one repeater."""

    repeater: str
    nodes: list[str]


class FoundClient(Struct):
    """The nodes that have a client."""

    client: str
    found: list[Holders]
    """For each repeater of this node that has such a client anywhere; a fleet may have others."""


class DrainBody(Struct, forbid_unknown_fields=True):
    """How to drain a node."""

    over: Annotated[float, Meta(ge=0, le=86_400)] = 30.0
    """Seconds over which its links are ended."""
    timeout: HowLong = 5.0
    """For how many seconds to wait until it says that it has begun."""


def show(call: Call[Nothing, None]) -> Deferred[FleetState]:
    """Return the nodes."""
    return Deferred.fromCoroutine(_show(call.context.administered))


async def _show(administered: Administered) -> FleetState:
    fleet, others = administered.fleet, []
    problem = fleet.problem
    try:
        others = [_node(info) for info in await fleet.nodes() if info.name != fleet.node]
    except Exception as error:  # it cannot be asked; this node is shown all the same
        problem = problem or text_of(error)
    nodes = sorted([_own(administered, fleet.node), *others], key=lambda node: node.name)
    return FleetState(fleet.node, isinstance(fleet, Alone), None if problem is None else printable(problem), nodes)


def _own(administered: Administered, name: str) -> FleetNode:
    """Return this node, which knows more of itself than it has told the others."""
    repeaters: dict[str, Mapping[str, Any]] = {
        name: {
            "links": len(each.repeater.links()),
            "drops_new_clients": each.repeater.drops_new_clients,
            "draining": each.repeater.draining,
        }
        for name, each in administered.repeaters.items()
    }
    return _node(NodeInfo(name, True, repeaters, facts()))


def _node(info: NodeInfo) -> FleetNode:
    repeaters = [
        NodeRepeater(
            name, int(it.get("links", 0)), bool(it.get("drops_new_clients", False)), bool(it.get("draining", False))
        )
        for name, it in sorted(info.repeaters.items())
    ]
    return FleetNode(
        name=info.name,
        own=info.own,
        host=info.facts.get("host"),
        pid=info.facts.get("pid"),
        version=info.facts.get("version"),
        links=sum(each.links for each in repeaters),
        repeaters=repeaters,
    )


def find(call: Call[ClientQuery, None]) -> Deferred[FoundClient]:
    """Return the nodes that have a client."""
    return Deferred.fromCoroutine(_find(call))


async def _find(call: Call[ClientQuery, None]) -> FoundClient:
    name, wanted = call.query.name, call.query.repeater
    repeaters = call.context.administered.repeaters
    if wanted is not None:
        repeaters = {wanted: call.context.repeater(wanted)}
    found = []
    for repeater, each in repeaters.items():
        try:
            nodes = await each.repeater.fleet.find(name)
        except Exception as error:
            raise fleet_error(error) from error
        if nodes:
            found.append(Holders(repeater, sorted(nodes)))
    return FoundClient(name, found)


def drain(call: Call[Nothing, DrainBody]) -> Deferred[Answer]:
    """Let a node end, without cutting links."""
    return Deferred.fromCoroutine(_drain(call))


async def _drain(call: Call[Nothing, DrainBody]) -> Answer:
    administered, node, body = call.context.administered, call.path["node"], call.body
    order = FleetCall("drain", {"over": body.over})
    return fleet_answer(await administered.entry.call(order, timeout=body.timeout, nodes=[node]))


NODES = "/fleet/nodes/{node}"

ROUTES: list[Route] = [
    Route("GET", "/fleet", "Show the nodes of the fleet, with their repeaters.", show, FleetState),
    Route(
        "GET",
        "/fleet/clients",
        "Show which nodes have a client.",
        find,
        FoundClient,
        query=ClientQuery,
        errors={404: "no repeater has this name", **FLEET_ERRORS},
    ),
    Route(
        "POST",
        f"{NODES}/drain",
        "Let a node refuse newcomers, end its links over some time, and then end, as SIGTERM does.",
        drain,
        FleetResult,
        body=DrainBody,
        errors={404: "the fleet has no node of this name", **FLEET_ERRORS},
        answers={200: "the node has begun", 504: "the node could not begin, or has not said so in time"},
    ),
]
