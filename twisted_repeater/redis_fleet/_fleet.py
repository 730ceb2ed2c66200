"""A fleet whose nodes meet at a Redis or Valkey, as seen by one of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from .._alone import facts, in_time, infos, unknown_nodes
from .._text import text_of
from .._types import Reactor
from ..fleet import Call, Entrant, Entry, FleetAnswer, IFleet, NodeAnswer, NodeInfo
from ._address import EngineAddress
from ._claims import Claims
from ._engine import EngineError
from ._entry import RedisEntry
from ._metrics import node_metrics
from ._node import ENDED, NOT_STARTED, STOPPED, Node
from ._orders import Answer, Order, Orders, check_size
from ._scripts import HOLDERS, NODES
from ._settings import FleetSettings, NewcomersWithoutEngine, OnLeaseLost, own_name

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["RedisFleet"]

log: Logger = Logger()

OnChange = Callable[[str | None], object]
"""Called with why the fleet cannot be asked, or with ``None`` when it can be."""


@implementer(IFleet)
class RedisFleet:
    """A fleet whose nodes meet at a Redis or Valkey: the engine.

    Make one for the process, give it to each `Repeater.create`, and call `start`. Its nodes must all have the same
    ``lease`` and ``on_lease_lost``. The engine must be a single primary of Redis 6.2 or newer, or of Valkey, whose
    ``maxmemory-policy`` is ``noeviction``. It needs the extra ``fleet``.

    Args:
        address: where the engine is: ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, or
            ``unix:///path``.
        name: the name of the fleet. Several can share an engine.
        node: the name of this node, which no other node has; by default made of the host's name and the process's id.
        lease: for how many seconds the others believe that this node is there without a sign of it.
        on_lease_lost: what becomes of links whose names may belong to others, because the lease could not be renewed.
        newcomers: what becomes of newcomers while the engine cannot be asked.
        timeout: how many seconds the engine may take to answer.
        on_change: called with ``None`` when the node has become a member, and with the reason when the fleet cannot be
            asked any more, or the reason changes.
        reactor: the global one by default.

    Raises:
        ValueError: an argument is wrong.
        ImportError: the extra is not installed.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str = "main",
        node: str | None = None,
        lease: float = 10.0,
        on_lease_lost: OnLeaseLost = OnLeaseLost.KEEP,
        newcomers: NewcomersWithoutEngine = NewcomersWithoutEngine.REFUSE,
        timeout: float = 2.0,
        on_change: OnChange = lambda problem: None,
        reactor: Reactor = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        settings = FleetSettings(
            address=EngineAddress.parse(address),
            fleet=name,
            node=node or own_name(),
            lease=lease,
            on_lease_lost=OnLeaseLost(on_lease_lost),
            newcomers=NewcomersWithoutEngine(newcomers),
            timeout=timeout,
        )
        self.node: str = settings.node
        """The name of this node."""
        self._clock: IReactorTime = reactor
        self._entrants: dict[str, Entrant] = {}
        self._on_change = on_change
        self._waiting: list[Deferred[None]] = []
        unique = settings.on_lease_lost is OnLeaseLost.CLOSE and settings.newcomers is NewcomersWithoutEngine.REFUSE
        self.fence: Callable[[], bool] | None = self._holds if unique else None
        """See `NameClaims`."""
        self._node = Node(settings, reactor, self)
        self._problem: str | None = self._node.off
        self._orders = Orders(self._node, reactor, self._handle)
        self._claims = Claims(self._node, self._orders, reactor, self._name_lost)

    def __repr__(self) -> str:
        settings = self._node.settings
        return f"<node {self.node} of the fleet {settings.fleet} at {settings.address}>"

    @property
    def problem(self) -> str | None:
        """Why this node is no member of the fleet at the moment, or cannot ask it; ``None`` if all is well."""
        return self._problem

    def start(self) -> None:
        """Connect to the engine, and stay connected. While it cannot be reached, the node goes on trying.

        To start twice is to start once.

        Raises:
            RuntimeError: it was stopped. Make another one.
        """
        if self._node.off == STOPPED:
            raise RuntimeError("a fleet that was stopped cannot be started again: make another one")
        if self._node.off == NOT_STARTED:
            self._node.start()

    def when_member(self) -> Deferred[None]:
        """Fire when this node is a member; each call returns a Deferred of its own.

        Fails with `RuntimeError` if the fleet is stopped before, or was.
        """
        if self._node.off == STOPPED:
            return fail(RuntimeError("the fleet was stopped"))
        done: Deferred[None] = Deferred(lambda waiting: self._waiting.remove(waiting))
        if self._problem is None:
            done.callback(None)
        else:
            self._waiting.append(done)
        return done

    def stop(self) -> Deferred[None]:
        """Leave the fleet, so that the names of this node are free at once.

        Call it when the repeaters are shut down. Links that are there yet go on, unless ``on_lease_lost`` is ``close``:
        then those that have a name are aborted, as others may get it. Newcomers get at once what ``newcomers`` says.
        """
        first = self._node.off != STOPPED
        self._problem = self._node.off = STOPPED
        if first:
            self._abort_links()
        while self._waiting:  # one who is told may cancel others
            self._waiting.pop(0).errback(RuntimeError("the fleet was stopped before this node was a member"))
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._claims.stop()
        await self._node.stop()
        await self._orders.stop()

    def _abort_links(self) -> None:
        """Others may get the names of this node: if it must not keep them, abort what has one."""
        if self._node.settings.on_lease_lost is OnLeaseLost.CLOSE:
            for entrant in list(self._entrants.values()):
                entrant.lease_lost()

    # -- IFleet ----------------------------------------------------------------------------------------------

    def enter(self, name: str, entrant: Entrant) -> Entry:
        """See `IFleet`."""
        if self._node.off == STOPPED:
            raise RuntimeError("the fleet was stopped, so nobody can take part in it: make another one")
        if name in self._entrants:
            raise ValueError(f"{name!r} takes part in the fleet already")
        self._entrants[name] = entrant
        return RedisEntry(self, name, entrant, self._claims)

    def leave(self, name: str, entrant: Entrant) -> None:
        """Let an entrant take part no longer, if it does."""
        if self._entrants.get(name) is entrant:  # another one may have its name by now
            del self._entrants[name]

    def nodes(self) -> Deferred[list[NodeInfo]]:
        """See `IFleet`. Fails with `EngineError` if the engine cannot be asked."""
        return Deferred.fromCoroutine(self._nodes())

    async def _nodes(self) -> list[NodeInfo]:
        answer = await self._node.run(NODES, self._node.keys("state", "nodes", "names", "info"))
        return sorted((self._info_of(*each) for each in answer[1]), key=lambda info: info.name)

    def _info_of(self, incarnation: bytes, name: bytes, info: bytes) -> NodeInfo:
        own = incarnation.decode() == self._node.incarnation
        said = self.info() if own else json.loads(info)
        return NodeInfo(name.decode(), own, said["repeaters"], said["facts"])

    def collect(self) -> Iterator[Metric]:
        """Return its numbers as metrics of ``prometheus_client``, which the fleet is a collector of."""
        connection = self._node.connection
        return node_metrics(
            is_member=self._problem is None,
            nodes=self._node.nodes,
            names=self._claims.count,
            refused=self._claims.refused,
            calls=connection.calls,
            errors=connection.errors,
        )

    # -- calls -----------------------------------------------------------------------------------------------

    async def call(
        self, entrant: str, call: Call, timeout: float, nodes: Collection[str] | None, call_id: str
    ) -> FleetAnswer:
        """Have a call carried out; see `IEntry`.

        Raises:
            ValueError: the payload is too large for other nodes. Then this one does nothing, either.
        """
        arguments = {"entrant": entrant, "call": call.what, "arguments": dict(call.arguments)}
        order = Order("call", arguments, call.payload)
        own: list[Deferred[NodeAnswer]] = []
        asks_others = nodes is None or set(nodes) != {self.node}
        if asks_others:
            check_size(call.payload)
        if nodes is None or self.node in nodes:
            outcome = self._orders.once(call_id, order).addCallback(self._own_answer)
            own.append(in_time(outcome, self.node, timeout, self._clock))
        found: list[Answer] = []
        known, problem = {self.node}, None
        try:
            if asks_others:
                found = await self._orders.call(
                    "call", arguments, call.payload, only=nodes, timeout=timeout, number=call_id
                )
            known |= {answer.node for answer in found}
            if not known.issuperset(nodes or ()):
                known |= {info.name for info in await self._nodes()}
        except EngineError as error:
            problem = text_of(error)
        answers = {} if problem is not None else unknown_nodes(nodes, known)
        answers |= {answer.node: NodeAnswer(answer.node, answer.value, answer.error) for answer in found}
        for answer in await gatherResults(own):
            answers[answer.node] = answer
        return FleetAnswer(call_id, dict(sorted(answers.items())), problem)

    def _own_answer(self, outcome: Mapping[str, Any]) -> NodeAnswer:
        return NodeAnswer(self.node, outcome.get("value"), outcome.get("error"))

    async def holders(self, name_keys: list[str]) -> list[str]:
        """Return the names of the nodes that have a client of a name."""
        answer = await self._node.run(HOLDERS, self._node.keys("state", "nodes", "names", *name_keys))
        return sorted(name.decode() for name in answer[1])

    async def _handle(self, order: Order) -> Any:
        """Carry an order of another node out, or a call of this one."""
        arguments = order.arguments
        if order.what == "call":
            entrant = self._entrants.get(arguments["entrant"])
            if entrant is None:
                raise ValueError(f"this node has no {arguments['entrant'].replace(':', ' ', 1)}")
            return await entrant.carry_out(Call(arguments["call"], arguments["arguments"], order.payload))
        if order.what == "contest":
            await self._contest(arguments["key"], arguments["within"])
        elif order.what == "lost":
            self._claims.lost(arguments["key"], arguments["fence"])
        else:
            raise ValueError(f"this version of twisted_repeater knows no order {order.what!r} of a fleet")
        return None

    # -- names -----------------------------------------------------------------------------------------------

    def _holds(self) -> bool:
        """Return whether the names of this node are its own, as far as it can know."""
        if self._node.is_member:
            return True
        self._node.look()  # the timers may not have run yet
        return False

    async def _contest(self, key: str, timeout: float) -> None:
        entrant, name = self._entrant_of(key)
        if entrant is not None:
            await entrant.contest(name, timeout)
        await self._claims.contested(key)

    def _name_lost(self, key: str) -> None:
        entrant, name = self._entrant_of(key)
        if entrant is not None:
            entrant.name_lost(name)

    def _entrant_of(self, key: str) -> tuple[Entrant | None, str]:
        _, entrant, name = key.removeprefix(self._node.settings.prefix).split(":", 2)
        return self._entrants.get(unquote(entrant)), name

    # -- Watcher -----------------------------------------------------------------------------------------------

    async def joined(self, last: bytes) -> None:
        """See `Watcher`."""
        self._orders.joined(last)
        await self._claims.joined()

    def usable(self) -> None:
        """See `Watcher`."""
        self._claims.goes_on()
        self._tell(None)
        while self._waiting:
            self._waiting.pop(0).callback(None)

    def unusable(self, why: str) -> None:
        """See `Watcher`."""
        self._tell(why)

    def endangered(self) -> None:
        """See `Watcher`."""
        if self._node.settings.on_lease_lost is OnLeaseLost.CLOSE:
            for entrant in list(self._entrants.values()):
                entrant.lease_endangered()

    def lost(self) -> None:
        """See `Watcher`."""
        self._abort_links()
        why = self._node.connection.problem
        self._tell(ENDED if why in (None, ENDED) else f"{ENDED}: {why}")

    def info(self) -> Mapping[str, Any]:
        """See `Watcher`."""
        return {"repeaters": infos(self._entrants), "facts": facts()}

    def _tell(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            try:
                self._on_change(problem)
            except Exception:
                log.failure("on_change of the fleet failed")
