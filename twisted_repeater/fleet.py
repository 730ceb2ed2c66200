"""What a fleet is: repeaters on many nodes that act as one.

A node is a process. Its repeaters enter the fleet, each under its ``repeater_name``: those of one name, on all nodes,
belong together. The name of a client is unique among all of them, and a call reaches all.
`twisted_repeater.redis_fleet` has the fleet whose nodes meet at a Redis or Valkey.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from .model import SameName

__all__ = [
    "Call",
    "Entrant",
    "Entry",
    "Fleet",
    "FleetAnswer",
    "IEntry",
    "IFleet",
    "NameClaims",
    "NodeAnswer",
    "NodeInfo",
]

REPEATER = "repeater:"
"""The names of entrants that are repeaters begin with this."""

LONGEST = 60.0
"""How many seconds a call may take at most."""

NO_ANSWER = "no answer in time"
"""The error of a node whose answer did not come."""


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What one node did when it was called.

    Attributes:
        node: the name of the node.
        value: the result; see the call.
        error: why the node did not do it, or that its answer did not come in time; ``None`` if it was done.
        exists: whether there is such a node. If not, the error says which there are.
    """

    node: str
    value: Any = None
    error: str | None = None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """What each node did when it was called.

    Attributes:
        id: names the call. Give it as ``call_id`` to repeat the call: nodes that have done it do not do it again.
        nodes: an answer for each node that was to do it, in the order of their names.
        problem: why other nodes could not be asked; ``None`` if all were.
    """

    id: str
    nodes: Mapping[str, NodeAnswer]
    problem: str | None = None

    @property
    def complete(self) -> bool:
        """Whether each node is known to have done it."""
        return self.problem is None and not self.failed

    @property
    def done(self) -> dict[str, Any]:
        """The result of each node that did it, by the name of the node."""
        return {name: answer.value for name, answer in self.nodes.items() if answer.error is None}

    @property
    def failed(self) -> dict[str, str]:
        """The error of each node that is not known to have done it, by the name of the node."""
        return {name: answer.error for name, answer in self.nodes.items() if answer.error is not None}


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What a node says of itself: four times in a lease.

    Attributes:
        name: its name.
        own: whether it is this process.
        repeaters: what each of its repeaters says of itself, by name: ``links``, ``drops_new_clients``, ``draining``.
        facts: ``host``, ``pid``, and ``version`` of twisted_repeater.
    """

    name: str
    own: bool = False
    repeaters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """What an entrant is to do on the nodes of a fleet.

    Attributes:
        what: which call.
        arguments: what belongs to it, for JSON.
        payload: bytes that belong to it.
    """

    what: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class NameClaims(Protocol):
    """Makes the names of one repeater's clients unique in its fleet."""

    @property
    def fence(self) -> Callable[[], bool] | None:
        """Asked whenever bytes of a client with a name, or for it, were received: if it returns false, they go nowhere.

        A process that stood still may find them when others have its names already, before its timers run. If the
        fence is down, it has called `Entrant.lease_lost`. ``None`` if names may be held twice.
        """

    def claim(self, name: str, timeout: float) -> Coroutine[Any, Any, None]:
        """Claim a name for one more client of this node; the node keeps it until each claim is released.

        Raises:
            ConnectingError: another node has the name, or the fleet cannot be asked. The claim counts as released.
        """

    def release(self, name: str) -> None:
        """End a claim that has succeeded."""


class Entrant(Protocol):
    """Who takes part in a fleet under a name: a repeater, or the service of a process."""

    @property
    def same_name(self) -> SameName:
        """What becomes of a client whose name another client has."""

    def info(self) -> Mapping[str, Any]:
        """Return what it says of itself, for JSON."""

    def has_name(self, name: str) -> bool:
        """Return whether a client of this name is linked here."""

    async def carry_out(self, call: Call) -> Any:
        """Do what another node, or this one, has called for; return the answer, for JSON.

        What it does first, before it waits for anything, is done in the order in which a node has called.
        """

    async def contest(self, name: str, timeout: float) -> None:
        """A client of another node wants a name: make it free as for a client of this node.

        Raises:
            ConnectingError: the name stays taken.
        """

    def name_lost(self, name: str) -> None:
        """Another node has got a name: close what has it here."""

    def lease_endangered(self) -> None:
        """Names may soon belong to others: close what has a name, in good order."""

    def lease_lost(self) -> None:
        """Names belong to nobody now, and others may get them: abort what still has a name."""


class IEntry(Interface):
    """One entrant's part of a fleet."""

    claims: NameClaims | None = Attribute("""Makes names unique; ``None`` if names are unique anyway.""")

    def call(
        call: Call, *, timeout: float, nodes: Collection[str] | None = None, call_id: str | None = None
    ) -> Deferred[FleetAnswer]:
        """Have a call carried out by the entrants of this name on other nodes, and on this one.

        Args:
            call: the call.
            timeout: for how many seconds to wait for answers.
            nodes: the names of the nodes that are to do it; ``None`` for all.
            call_id: the id of an earlier call, to repeat it.
        """

    def holders(name: str) -> Deferred[list[str]]:
        """Return the names of the nodes that have a client of this name."""

    def leave() -> None:
        """Take part no longer. All claims are released by then. To leave twice does nothing more."""


class Entry(Protocol):
    """An `IEntry`, for type checkers."""

    @property
    def claims(self) -> NameClaims | None:
        """See `IEntry`."""

    def call(
        self, call: Call, /, *, timeout: float, nodes: Collection[str] | None = None, call_id: str | None = None
    ) -> Deferred[FleetAnswer]:
        """See `IEntry`."""

    def holders(self, name: str, /) -> Deferred[list[str]]:
        """See `IEntry`."""

    def leave(self) -> None:
        """See `IEntry`."""


class IFleet(Interface):
    """The nodes that act as one, as seen by one of them."""

    node: str = Attribute("""The name of this node.""")
    problem: str | None = Attribute("""Why this node is no member of the fleet at the moment; ``None`` if it is.""")

    def enter(name: str, entrant: Entrant) -> Entry:
        """Take part.

        Raises:
            ValueError: somebody of this process takes part under this name.
            RuntimeError: this process has left the fleet for good.
        """

    def nodes() -> Deferred[list[NodeInfo]]:
        """Return the nodes."""


class Fleet(Protocol):
    """An `IFleet`, for type checkers."""

    @property
    def node(self) -> str:
        """See `IFleet`."""

    @property
    def problem(self) -> str | None:
        """See `IFleet`."""

    def enter(self, name: str, entrant: Entrant, /) -> Entry:
        """See `IFleet`."""

    def nodes(self) -> Deferred[list[NodeInfo]]:
        """See `IFleet`."""
