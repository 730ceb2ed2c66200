"""Calls about the faults of a repeater."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from http import HTTPStatus
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from ..._text import printable, text_of
from ...faults import ActiveFault, Fault
from ..descriptions import options_of
from ..ready_faults import READY_FAULTS, fault_of
from .answers import ApiError, Nothing
from .routes import Call, Route

__all__ = ["ROUTES"]

MAX_FAULTS = 100
"""How many faults may be set at once over HTTP."""


class FaultState(Struct):
    """A fault that is set."""

    name: str
    fault: str
    """Its kind and its options, as they are written in Python."""
    direction: Literal["to-server", "to-client", "both"]
    seed: int
    """What its random numbers begin with."""
    seconds_left: float | None
    """In how many seconds it ends by itself; null if it stays until it is removed."""
    seen: int
    """How many messages, or links, it could have hit."""
    hit: int
    """How many of them it has hit."""


class FaultList(Struct):
    """The faults that are set, in the order in which they hit."""

    faults: list[FaultState]


class NewFault(Struct, forbid_unknown_fields=True):
    """A fault to set."""

    fault: Annotated[
        str,
        Meta(max_length=1024, description="a kind with its options, such as `latency:seconds=0.2:direction=to-client`"),
    ]
    lasts: (
        Annotated[float, Meta(gt=0, le=31_536_000, description="after how many seconds it ends by itself")] | None
    ) = None


class FaultOption(Struct):
    """An option of a kind of faults."""

    name: str
    kind: Literal["number", "whole number", "text", "choice"]
    default: str | None
    """What it is if it is left out; null if it must be given, or if there is none."""
    required: bool
    choices: list[str] | None


class FaultKind(Struct):
    """A kind of faults."""

    name: str
    summary: str
    options: list[FaultOption]


class FaultKinds(Struct):
    """All kinds of faults."""

    kinds: list[FaultKind]


def show_all(call: Call[Nothing, None]) -> FaultList:
    """Return the faults that are set."""
    return FaultList([_state(active) for active in call.administered.repeater.faults])


def _state(active: ActiveFault) -> FaultState:
    left = active.seconds_left
    return FaultState(
        name=active.name,
        fault=str(active.fault),
        direction=active.fault.way,  # type: ignore[arg-type]
        seed=active.seed,
        seconds_left=None if left is None else round(left, 3),
        seen=active.seen,
        hit=active.hit,
    )


def put(call: Call[Nothing, NewFault]) -> FaultState:
    """Set a fault, or replace the one of this name."""
    faults, name = call.administered.repeater.faults, call.path["fault"]
    names = [active.name for active in faults]
    if name not in names and len(names) >= MAX_FAULTS:
        raise ApiError(HTTPStatus.CONFLICT, f"{MAX_FAULTS} faults are set; remove one first")
    try:
        wanted = fault_of(call.body.fault, name)
        if wanted.name != name:
            raise ValueError(f"the name must be that of the path, {name}, not {wanted.name}")
        if wanted.lasts is not None and call.body.lasts is not None:
            raise ValueError("lasts must be in the fault or beside it, not both")
        lasts = call.body.lasts if wanted.lasts is None else wanted.lasts
        return _state(faults.set(name, wanted.fault, seconds=lasts))
    except ValueError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, printable(text_of(error))) from error


def remove(call: Call[Nothing, None]) -> FaultList:
    """Remove a fault."""
    if not call.administered.repeater.faults.remove(call.path["fault"]):
        raise ApiError(HTTPStatus.NOT_FOUND, f"no fault {call.path['fault']!a} is set")
    return show_all(call)


def clear(call: Call[Nothing, None]) -> FaultList:
    """Remove all faults."""
    call.administered.repeater.faults.clear()
    return show_all(call)


def kinds(call: Call[Nothing, None]) -> FaultKinds:
    """Return all kinds of faults, with their options."""
    return FaultKinds([FaultKind(name, _summary(kind), list(_options(kind))) for name, kind in READY_FAULTS.items()])


def _summary(kind: type[Fault]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("``", "")


def _options(kind: type[Fault]) -> Iterator[FaultOption]:
    """Return the options that can be written as text, and ``lasts``, which is one of every fault."""
    hints, parameters = get_type_hints(kind), inspect.signature(kind).parameters
    for name in options_of(kind):
        default = parameters[name].default
        required = default is inspect.Parameter.empty
        if name == "direction":
            yield FaultOption(name, "choice", "both", False, ["to-server", "to-client", "both"])
            continue
        what, choices = _kind_of(hints[name])
        shown = None if required or default is None else _written(default)
        yield FaultOption(name.replace("_", "-"), what, shown, required, choices)
    yield FaultOption("lasts", "number", None, False, None)


def _kind_of(hint: Any) -> tuple[Literal["number", "whole number", "text", "choice"], list[str] | None]:
    kinds = [each for each in get_args(hint) or (hint,) if each is not NoneType]
    if get_origin(hint) is Literal:
        return "choice", list(get_args(hint))
    if kinds == [bool]:
        return "choice", ["yes", "no"]
    return ("whole number" if kinds == [int] else "number" if kinds == [float] else "text"), None


def _written(value: object) -> str:
    """Return a default as it is written in a description."""
    return (
        {True: "yes", False: "no"}[value]
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


UNKNOWN = {404: "no repeater has this name"}
ALL = "/repeaters/{repeater}/faults"

ROUTES: list[Route] = [
    Route("GET", "/fault-kinds", "Show which faults there are, and their options.", kinds, FaultKinds),
    Route("GET", ALL, "Show the faults that are set.", show_all, FaultList, errors=UNKNOWN),
    Route("DELETE", ALL, "Remove all faults.", clear, FaultList, errors=UNKNOWN),
    Route(
        "PUT",
        f"{ALL}/{{fault}}",
        "Set a fault, or replace the one of this name.",
        put,
        FaultState,
        body=NewFault,
        errors={**UNKNOWN, 409: f"{MAX_FAULTS} faults are set", 422: "there is no such fault, or an option is wrong"},
    ),
    Route(
        "DELETE",
        f"{ALL}/{{fault}}",
        "Remove a fault.",
        remove,
        FaultList,
        errors={404: "no repeater has this name, or no fault"},
    ),
]
