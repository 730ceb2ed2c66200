"""Calls that are done on this node, or by all nodes of the fleet: what may be asked, and what each node did."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from twisted.web import http

from ..._text import printable, text_of
from ...errors import MarshalingError
from ...fleet import FleetAnswer, NodeAnswer
from .answers import Answer, ApiError

if TYPE_CHECKING:
    from .routes import Call

__all__ = [
    "FLEET_ERRORS",
    "OUTCOMES",
    "SCOPE_ERRORS",
    "FleetResult",
    "HowLong",
    "NodeResult",
    "ScopeQuery",
    "fleet_answer",
    "fleet_error",
    "is_fleet_wide",
    "on_fleet",
]

NodeName = Annotated[str, Meta(min_length=1, max_length=200)]

CallId = Annotated[str, Meta(pattern="^[0-9A-Za-z_.:-]{1,64}$")]

HowLong = Annotated[
    float, Meta(gt=0, le=25, description="for how many seconds to wait for the answers of the other nodes")
]
"""Shorter than the patience of those who ask: `ctl` and many proxies wait for 30 seconds."""


class ScopeQuery(Struct, forbid_unknown_fields=True):
    """Where a call is done."""

    scope: Annotated[
        Literal["node", "fleet"],
        Meta(description="`node`: by this process; `fleet`: by the repeaters of this name on all nodes of the fleet"),
    ] = "node"
    node: Annotated[NodeName | None, Meta(description="with `scope=fleet`: only by the node of this name")] = None
    id: Annotated[
        CallId | None,
        Meta(
            description="with `scope=fleet`: names the call; nodes that have done a call of this id do not do it again"
        ),
    ] = None
    timeout: HowLong = 5.0


class NodeResult(Struct):
    """What one node did of a call."""

    node: str
    """Its name."""
    done: bool
    """Whether it is known that it has done it."""
    value: Any
    """What it returned: how many links that concerned, or names; null if there is nothing to return."""
    error: str | None
    """Why it did not do it, or that its answer did not come in time."""


class FleetResult(Struct):
    """What each node did of a call."""

    id: str
    """Names the call. Repeat it with this id for the nodes that have not done it; the others do not do it again."""
    complete: bool
    """Whether each node is known to have done it."""
    problem: str | None
    """Why other nodes could not be asked; null if they were."""
    nodes: list[NodeResult]


OUTCOMES: dict[int, str] = {
    200: "done; with `scope=fleet` by each node",
    504: "with `scope=fleet`: a node did not do it, or did not say so in time; the answer says which, and has the id "
    "to repeat the call with",
}
"""What the statuses of calls mean that can be done by the fleet."""

FLEET_ERRORS: dict[int, str] = {503: "the fleet cannot be asked"}
"""How calls about the fleet fail in addition."""

SCOPE_ERRORS: dict[int, str] = {404: "there is no such repeater, client or node", **FLEET_ERRORS}
"""How calls fail that can be done by the fleet."""


def is_fleet_wide(call: Call[Any, Any]) -> bool:
    """Return whether a call is to be done by the fleet.

    Raises:
        ApiError: what belongs to such a call was given for this node only.
    """
    query: ScopeQuery = call.query
    if query.scope == "fleet":
        return True
    if query.node is not None or query.id is not None:
        raise ApiError(http.BAD_REQUEST, "the query is wrong: 'node' and 'id' belong to scope=fleet")
    return False


def on_fleet(
    call: Call[Any, Any], method: Callable[..., Deferred[FleetAnswer]], *arguments: Any, nobody: str = "", **named: Any
) -> Deferred[Answer]:
    """Have the fleet do a call; return the answer.

    Args:
        call: the call, with a `ScopeQuery`.
        method: the method of a `RepeaterFleet`, or one that takes the same arguments.
        arguments: what it gets.
        nobody: the error if no node had anything to do; otherwise that is no error.
        named: more that it gets.
    """
    query: ScopeQuery = call.query
    nodes = None if query.node is None else [query.node]
    asked = method(*arguments, timeout=query.timeout, nodes=nodes, call_id=query.id, **named)
    return asked.addCallbacks(fleet_answer, _failed, callbackArgs=(nobody,))


def fleet_answer(answer: FleetAnswer, nobody: str = "") -> Answer:
    """Return what is answered when the nodes have answered; see `on_fleet`.

    Raises:
        ApiError: no node was asked, because the only one that was named does not exist, or because the fleet could not
            be asked; or no node had anything to do.
    """
    if answer.problem is not None and not answer.nodes:
        raise ApiError(http.SERVICE_UNAVAILABLE, _cannot_be_asked(answer.problem))
    if len(answer.nodes) == 1:
        (only,) = answer.nodes.values()
        if not only.exists:
            raise ApiError(http.NOT_FOUND, printable(only.error or ""))
    if nobody and answer.complete and not any(answer.done.values()):
        raise ApiError(http.NOT_FOUND, nobody)
    results = [_result(each) for _, each in sorted(answer.nodes.items())]
    problem = None if answer.problem is None else printable(answer.problem)
    status = http.OK if answer.complete else http.GATEWAY_TIMEOUT
    return Answer(FleetResult(answer.id, answer.complete, problem, results), status)


def _result(answer: NodeAnswer) -> NodeResult:
    error = None if answer.error is None else printable(answer.error)
    return NodeResult(answer.node, error is None, answer.value, error)


def _failed(failure: Any) -> Answer:
    raise fleet_error(failure.value)


def fleet_error(error: Exception) -> ApiError:
    """Return what is answered if the fleet could not be asked."""
    if isinstance(error, MarshalingError | ValueError):  # the latter if it is too large for other nodes
        return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the message cannot be sent: {printable(text_of(error))}")
    return ApiError(http.SERVICE_UNAVAILABLE, _cannot_be_asked(text_of(error)))


def _cannot_be_asked(why: str) -> str:
    return f"the fleet cannot be asked: {printable(why)}"
