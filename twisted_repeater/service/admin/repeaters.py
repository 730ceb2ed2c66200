"""Calls about repeaters as a whole: their state, newcomers, reloading, draining."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from msgspec import Struct
from twisted.web import http

from ..._text import address_text, printable
from ...model import Direction
from .answers import Answer, Nothing
from .recent_errors import RecentError
from .routes import Call, Context, Route
from .scope import OUTCOMES, SCOPE_ERRORS, FleetResult, ScopeQuery, is_fleet_wide, on_fleet
from .subject import AdministeredRepeater, ReloadOutcome

__all__ = ["ROUTES", "Count", "Summary", "summary"]


class Count(Struct):
    """How much was received."""

    messages: int
    bytes: int
    """Bytes of these messages, headers included."""


class Received(Struct):
    """How much was received in each direction, on all links since the start."""

    to_server: Count
    to_client: Count


class Summary(Struct, kw_only=True):
    """The state of a repeater."""

    name: str
    dialect: str
    listen: str
    """The address that it listens on."""
    server: str
    """The server, as it was configured."""
    links: int
    """How many links there are."""
    drops_new_clients: bool
    """Whether newcomers are refused."""
    ready: bool
    """Whether clients should be sent to it."""
    received: Received
    held: int
    """How many messages are held by rules."""
    faults: int
    """How many faults are set."""
    recording: bool | None
    """Whether its traffic is recorded; null if no file was configured for that."""
    started: float
    """When it was started, in seconds since 1970."""


class Details(Summary, kw_only=True):
    """All about a repeater."""

    limits: dict[str, float | None]
    """The limits that hold: seconds or bytes, null for none."""
    facts: dict[str, str]
    """What was configured."""


class Repeaters(Struct):
    """The repeaters of the process."""

    repeaters: list[Summary]


class Reloaded(Struct):
    """What a reload has done to one repeater, or to the process."""

    repeater: str
    """The name of the repeater; empty for what concerns the process."""
    error: str | None
    """Why nothing was changed."""
    keys: dict[str, str]
    """What has changed: a key of the configuration, and "applied" or "restart needed"."""


class Reload(Struct):
    """What a reload has done."""

    reloaded: list[Reloaded]


class Newcomers(Struct):
    """Whether newcomers are accepted."""

    drops_new_clients: bool


class Draining(Struct):
    """That the process is being drained."""

    draining: bool


class ErrorEntry(Struct):
    """An error that happened."""

    time: float
    """When, in seconds since 1970."""
    link: int | None
    """The id of the link; null for a client that was refused."""
    client: str | None
    """The client's name, if it is known."""
    side: str | None
    """The connection that the trouble is on, "client" or "server"; null for a client that was refused."""
    error: str
    """The kind of the error, and its text."""


class Errors(Struct):
    """The last errors of a repeater, the newest first."""

    errors: list[ErrorEntry]


def summary(context: Context, administered: AdministeredRepeater) -> Summary:
    """Return the state of a repeater."""
    return Summary(**_summary(context, administered))


def _summary(context: Context, administered: AdministeredRepeater) -> dict[str, Any]:
    repeater, metrics, recording = administered.repeater, administered.metrics, administered.recording
    counts = [Count(metrics.messages[direction], metrics.bytes[direction]) for direction in Direction]
    return {
        "name": administered.name,
        "dialect": administered.facts.get("dialect", administered.dialect.name),
        "listen": address_text(repeater.address),
        "server": administered.facts.get("server", ""),
        "links": len(repeater.links()),
        "drops_new_clients": repeater.drops_new_clients,
        "ready": not _reasons(context, administered.name),
        "received": Received(*counts),
        "held": context.held(administered.name),
        "faults": len(list(repeater.faults)),
        "recording": None if recording is None else recording.runs,
        "started": administered.started,
    }


def _reasons(context: Context, name: str) -> list[str]:
    """Return why a repeater is not ready: what concerns it, or the whole process, but no other repeater."""
    others = tuple(f"{other}: " for other in context.administered.repeaters if other != name)
    return [reason for reason in context.administered.unready() if not reason.startswith(others)]


def show_all(call: Call[Nothing, None]) -> Repeaters:
    """Return the state of each repeater."""
    return Repeaters([summary(call.context, each) for each in call.context.administered.repeaters.values()])


def show(call: Call[Nothing, None]) -> Details:
    """Return all about a repeater."""
    administered = call.administered
    limits = administered.repeater.limits
    numbers = {field.name: getattr(limits, field.name) for field in fields(limits)}
    shown = {name: None if number is None or math.isinf(number) else number for name, number in numbers.items()}
    return Details(**_summary(call.context, administered), limits=shown, facts=dict(administered.facts))


def drop(call: Call[ScopeQuery, None]) -> object:
    """Refuse newcomers."""
    if is_fleet_wide(call):
        return on_fleet(call, call.administered.repeater.fleet.drop_new_clients)
    call.administered.repeater.drop_new_clients()
    return Newcomers(True)


def accept(call: Call[ScopeQuery, None]) -> object:
    """Accept newcomers."""
    if is_fleet_wide(call):
        return on_fleet(call, call.administered.repeater.fleet.accept_new_clients)
    call.administered.repeater.accept_new_clients()
    return Newcomers(False)


def reload_one(call: Call[Nothing, None]) -> Answer:
    """Reload what belongs to a repeater."""
    return _reloaded([call.administered.reload()])


def reload_all(call: Call[Nothing, None]) -> Answer:
    """Reload everything."""
    return _reloaded(list(call.context.administered.reload()))


def _reloaded(outcomes: list[ReloadOutcome]) -> Answer:
    shown = [
        Reloaded(each.repeater, None if each.error is None else printable(each.error), dict(each.keys))
        for each in outcomes
    ]
    failed = any(each.error is not None for each in shown)
    return Answer(Reload(shown), http.CONFLICT if failed else http.OK)


def drain(call: Call[Nothing, None]) -> Draining:
    """Let the process end, without cutting links."""
    call.context.administered.drain()
    return Draining(True)


def errors(call: Call[Nothing, None]) -> Errors:
    """Return the last errors."""
    newest: list[RecentError] = call.administered.errors.newest_first
    return Errors([ErrorEntry(*each) for each in newest])


UNKNOWN = {404: "no repeater has this name"}
RELOADED = {200: "all went well; the answer says what has changed", 409: "something could not be reloaded, and stays"}
ONE = "/repeaters/{repeater}"

ROUTES: list[Route] = [
    Route("GET", "/repeaters", "Show all repeaters.", show_all, Repeaters),
    Route("POST", "/reload", "Reload the configuration, as SIGHUP does.", reload_all, Reload, answers=RELOADED),
    Route("POST", "/drain", "Refuse newcomers, let links end, then end the process, as SIGTERM does.", drain, Draining),
    Route("GET", ONE, "Show one repeater, with its limits and what was configured.", show, Details, errors=UNKNOWN),
    Route(
        "POST",
        f"{ONE}/drop-new-clients",
        "Refuse newcomers from now on; links stay.",
        drop,
        Newcomers | FleetResult,
        query=ScopeQuery,
        errors=SCOPE_ERRORS,
        answers=OUTCOMES,
    ),
    Route(
        "POST",
        f"{ONE}/accept-new-clients",
        "Accept newcomers again.",
        accept,
        Newcomers | FleetResult,
        query=ScopeQuery,
        errors=SCOPE_ERRORS,
        answers=OUTCOMES,
    ),
    Route(
        "POST",
        f"{ONE}/reload",
        "Reload the filters of one repeater.",
        reload_one,
        Reload,
        errors=UNKNOWN,
        answers=RELOADED,
    ),
    Route("GET", f"{ONE}/errors", "Show the last 100 errors, the newest first.", errors, Errors, errors=UNKNOWN),
]
