"""A process that belongs to no fleet, and what all kinds of fleets need."""

from __future__ import annotations

import os
import secrets
import socket
from collections import OrderedDict
from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ._text import text_of
from ._types import Reactor
from .fleet import (
    NO_ANSWER,
    REPEATER,
    Call,
    Entrant,
    Entry,
    FleetAnswer,
    IEntry,
    IFleet,
    NameClaims,
    NodeAnswer,
    NodeInfo,
)

__all__ = ["Alone", "answer_of", "facts", "in_time", "infos", "new_id", "unknown_nodes"]

ALONE = "this process"
"""The name of the only node of a process that belongs to no fleet."""

SHOWN = 20
"""How many names of nodes an error has at most."""

REMEMBERED = 1000
"""How many calls a process remembers that belongs to no fleet."""


@implementer(IFleet)
class Alone:
    """The fleet of a process that belongs to none: it is the only node.

    Args:
        node: the name of the process in answers.
        reactor: for deadlines; the global one by default.
    """

    problem: str | None = None

    def __init__(self, node: str = ALONE, reactor: Reactor = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.node: str = node
        self._clock: IReactorTime = reactor
        self._entrants: dict[str, Entrant] = {}
        self._done: OrderedDict[str, Deferred[NodeAnswer]] = OrderedDict()
        """The answers to the latest calls, by their ids."""

    def enter(self, name: str, entrant: Entrant) -> Entry:
        """See `IFleet`."""
        if name in self._entrants:
            raise ValueError(f"{name!r} takes part in the fleet already")
        self._entrants[name] = entrant
        return _AloneEntry(self, name, entrant)

    def nodes(self) -> Deferred[list[NodeInfo]]:
        """See `IFleet`."""
        return succeed([NodeInfo(self.node, True, infos(self._entrants), facts())])

    def leave(self, name: str, entrant: Entrant) -> None:
        """Let an entrant take part no longer, if it does."""
        if self._entrants.get(name) is entrant:  # another one may have its name by now
            del self._entrants[name]

    async def answer(self, call_id: str, entrant: Entrant, call: Call, timeout: float) -> NodeAnswer:
        """Carry a call out, unless this was done before."""
        if call_id not in self._done:
            self._done[call_id] = answer_of(self.node, entrant, call)
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        return await in_time(self._done[call_id], self.node, timeout, self._clock)


@implementer(IEntry)
class _AloneEntry:
    """The part of one entrant in a process that belongs to no fleet."""

    claims: NameClaims | None = None

    def __init__(self, fleet: Alone, name: str, entrant: Entrant) -> None:
        self._fleet = fleet
        self._name = name
        self._entrant = entrant

    def call(
        self, call: Call, *, timeout: float, nodes: Collection[str] | None = None, call_id: str | None = None
    ) -> Deferred[FleetAnswer]:
        """See `IEntry`."""
        return Deferred.fromCoroutine(self._call(call_id or new_id(), call, timeout, nodes))

    async def _call(self, call_id: str, call: Call, timeout: float, nodes: Collection[str] | None) -> FleetAnswer:
        own = self._fleet.node
        answers = unknown_nodes(nodes, [own])
        if nodes is None or own in nodes:
            answers[own] = await self._fleet.answer(call_id, self._entrant, call, timeout)
        return FleetAnswer(call_id, answers)

    def holders(self, name: str) -> Deferred[list[str]]:
        """See `IEntry`."""
        return succeed([self._fleet.node] if self._entrant.has_name(name) else [])

    def leave(self) -> None:
        """See `IEntry`."""
        self._fleet.leave(self._name, self._entrant)


def new_id() -> str:
    """Return an id for a call."""
    return secrets.token_hex(8)


def infos(entrants: Mapping[str, Entrant]) -> dict[str, Mapping[str, Any]]:
    """Return what each repeater says of itself, by its name."""
    return {
        name.removeprefix(REPEATER): entrant.info() for name, entrant in entrants.items() if name.startswith(REPEATER)
    }


def facts() -> dict[str, Any]:
    """Return the facts of this process; see `NodeInfo`."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "version": version("twisted_repeater")}


def unknown_nodes(nodes: Collection[str] | None, known: Collection[str]) -> dict[str, NodeAnswer]:
    """Return an answer for each name that is the name of no node, with the names of those that there are."""
    unknown = [name for name in nodes or () if name not in known]
    if not unknown:
        return {}
    shown = [repr(name) for name in sorted(known)]
    there = f"the nodes are {', '.join(shown[:SHOWN])}" if len(shown) > 1 else f"the only node is {shown[0]}"
    if len(shown) > SHOWN:
        there += f" and {len(shown) - SHOWN} more"
    return {name: NodeAnswer(name, error=f"there is no node {name!r}: {there}", exists=False) for name in unknown}


def answer_of(node: str, entrant: Entrant, call: Call) -> Deferred[NodeAnswer]:
    """Carry a call out; fire with the answer, which has the error if there was one."""
    work = Deferred.fromCoroutine(entrant.carry_out(call))
    return work.addCallbacks(
        lambda value: NodeAnswer(node, value), lambda failure: NodeAnswer(node, error=text_of(failure.value))
    )


def in_time(answer: Deferred[NodeAnswer], node: str, timeout: float, clock: IReactorTime) -> Deferred[NodeAnswer]:
    """Wait for an answer, but not for longer than this. The call is carried out to its end all the same."""
    waiting: Deferred[NodeAnswer] = Deferred()

    def pass_on(result: NodeAnswer) -> NodeAnswer:
        if not waiting.called:
            waiting.callback(result)
        return result

    answer.addCallback(pass_on)
    return waiting.addTimeout(timeout, clock, onTimeoutCancel=lambda *_: NodeAnswer(node, error=NO_ANSWER))
