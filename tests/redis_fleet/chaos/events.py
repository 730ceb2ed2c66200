"""What happens in a chaos, at random: nodes and the engine are killed, frozen and cut off, and calls are made."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from .judge import Span
from .processes import NodeProcess
from .world import World

__all__ = ["Events"]

Happening: TypeAlias = Callable[..., Awaitable[None]]
"""Something that happens to a node, to the line with a number, or to nobody in particular."""


class Events:
    """What happens.

    Args:
        world: to whom.
        peace: how many seconds pass between two events, at most.
    """

    def __init__(self, world: World, peace: float) -> None:
        self.world = world
        self.judge = world.judge
        self.random = Random(f"events {world.settings.seed}")
        self.peace = peace
        self.told: list[str] = []
        """What has happened."""
        self._busy: set[str] = set()
        self._running: list[Deferred[None]] = []
        self._calls = 0

    # -- the run ---------------------------------------------------------------------------------------------

    async def run(self, seconds: float) -> None:
        """Let things happen for so long, and wait for the end of the last."""
        ends = time.monotonic() + seconds
        counts = LoopingCall(lambda: self.tell(f"{len(self.world.linked)} names are linked"))
        counts.start(1.0)
        calls = Deferred.fromCoroutine(self._let_happen(self._calls_to_make(), ends, self.peace / 4))
        await self._let_happen(self._troubles(), ends, self.peace)
        await calls
        for running in self._running:
            await running
        counts.stop()

    async def _let_happen(self, kinds: list[tuple[str, Happening]], ends: float, peace: float) -> None:
        random = Random(f"{kinds[0][0]} {self.world.settings.seed}")
        bag: list[tuple[str, Happening]] = []
        while True:
            await self.world.pause(random.uniform(peace / 10, peace))
            if time.monotonic() >= ends:
                return
            bag = bag or random.sample(kinds, len(kinds))
            self._begin(*bag.pop(), random)

    def _troubles(self) -> list[tuple[str, Happening]]:
        kinds: list[tuple[str, Happening]] = [
            ("node", self.kill_node),
            ("node", self.freeze_node),
            ("node", self.set_clock),
        ]
        kinds += [("node", self.roll_node)] * 2
        if self.world.settings.fleet:
            kinds += [("line", self.cut_off), ("line", self.hang), ("line", self.slow_down)]
            kinds += [("engine", self.kill_engine), ("engine", self.freeze_engine)]
            kinds += [("engine", self.fill_engine), ("engine", self.flush_engine)]
        return kinds

    def _calls_to_make(self) -> list[tuple[str, Happening]]:
        kinds: list[tuple[str, Happening]] = [("call", self.broadcast)] * 4
        return [*kinds, *[("call", self.from_all)] * 2, ("call", self.close_client), ("call", self.find_client)]

    def _begin(self, what: str, happening: Happening, random: Random) -> None:
        """Let something happen, unless its victim has enough to bear."""
        arguments: list[Any] = []
        victim = what
        if what in ("node", "line"):
            at = random.randrange(len(self.world.nodes))
            victim = f"{what}{at}"
            arguments = [self.world.nodes[at] if what == "node" else at]
        if what != "call":
            if victim in self._busy:
                return
            self._busy.add(victim)
        self.tell(f"{happening.__name__} {victim}")
        running = Deferred.fromCoroutine(_as_coroutine(happening, arguments))
        running.addErrback(self._failed, happening.__name__)
        running.addBoth(lambda _: self._busy.discard(victim))
        self._running.append(running)

    def tell(self, text: str) -> None:
        """Note what happens."""
        self.told.append(f"{time.monotonic():.3f} {text}")

    def _failed(self, failure: Failure, what: str) -> None:
        self.judge.fault("event", f"{what} failed: {failure.getTraceback()}")

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        span = Span(time.monotonic())
        self.judge.troubles.append(span)
        try:
            yield
        finally:
            span.end()

    def _lease(self, least: float, most: float) -> Deferred[None]:
        return self.world.pause(self.world.settings.lease * self.random.uniform(least, most))

    # -- nodes -----------------------------------------------------------------------------------------------

    async def kill_node(self, node: NodeProcess) -> None:
        """End a node at once, and start it again."""
        node.kill()
        await self._lease(0, 1.5)
        await self._start(node)

    async def _start(self, node: NodeProcess) -> None:
        await self.world.start_node(node)

    async def freeze_node(self, node: NodeProcess) -> None:
        """Let a node stand still, for longer than its lease or not."""
        span = Span(time.monotonic())
        self.judge.stops[node.address].append(span)
        node.freeze()
        await self._lease(0.2, 5.0)
        node.thaw()
        span.end()

    async def roll_node(self, node: NodeProcess) -> None:
        """Drain a node, and start it again."""
        drains = self.world.settings.fleet
        if drains:
            self.judge.drain_begins(node.address)
            await node.call("drain", self.random.uniform(0.5, 3.0))
        else:
            await node.call("leave")
        await self.world.pause(0.2)
        if drains:
            self.judge.drain_ends(node.address)
        node.kill()
        await self._start(node)

    async def set_clock(self, node: NodeProcess) -> None:
        """Set the clock of a node's host, and set it back later. All timers of the process follow it."""
        with self._trouble():  # this excuses no name that is linked twice with ``close``
            if node.control is not None:
                await node.call("clock", self.random.choice((-3600, -10, 10, 3600)))
                await self._lease(0.5, 3.0)
                await node.call("clock", 0)

    # -- lines and the engine --------------------------------------------------------------------------------

    async def cut_off(self, at: int) -> None:
        """Refuse connections of a node to the engine."""
        await self._break_line(at, "down")

    async def hang(self, at: int) -> None:
        """Let no byte pass between a node and the engine. Later they all do."""
        await self._break_line(at, "hang")

    async def slow_down(self, at: int) -> None:
        """Let each word between a node and the engine take its time."""
        await self._break_line(at, "slow", self.world.settings.lease * self.random.uniform(0.05, 0.4))

    async def _break_line(self, at: int, how: str, seconds: float = 0.0) -> None:
        with self._trouble():
            await self.world.lines.call("break", at, how, seconds)
            await self._lease(0.2, 2.5)
            await self.world.lines.call("mend", at)

    async def kill_engine(self) -> None:
        """End the engine at once, and start an empty one."""
        with self._trouble():
            self.world.engine.kill()
            await self._lease(0, 2.5)
            self.world.engine.start()

    async def freeze_engine(self) -> None:
        """Let the engine stand still."""
        with self._trouble():
            self.world.engine.freeze()
            await self._lease(0.2, 2.5)
            self.world.engine.thaw()

    async def fill_engine(self) -> None:
        """Let the engine have no memory left."""
        with self._trouble():
            await self._ask_engine("CONFIG", "SET", "maxmemory", "1")
            await self._lease(0.2, 2.5)
            await self._ask_engine("CONFIG", "SET", "maxmemory", "0")

    async def flush_engine(self) -> None:
        """Let the engine forget everything."""
        with self._trouble():
            await self._ask_engine("FLUSHALL")

    async def _ask_engine(self, *words: str) -> None:
        for _ in range(50):  # it may have been started just now
            try:
                self.world.ask_engine(*words)
            except OSError:
                await self.world.pause(0.1)
            else:
                return

    # -- calls -----------------------------------------------------------------------------------------------

    async def broadcast(self) -> None:
        """Send a message to all clients of the fleet."""
        self._calls += 1
        call = f"{self._calls}"
        before = [client.visit for client in self.world.clients if client.linked]
        answer = await self._call("send_to_all_clients", f"b {call}")
        self._count(answer)
        if answer is None:
            return
        for visit in before:
            node = self.name_at(visit.node) if visit is not None else ""
            if visit is not None and node in answer["done"] and visit.client.visit is visit:
                visit.expect(call)
        if answer["failed"] and self.random.random() < 0.7:
            again = await self._call("send_to_all_clients", f"b {call}", call_id=answer["id"])
            self._count(again)

    async def from_all(self) -> None:
        """Send a message to the server on all links of the fleet."""
        self._calls += 1
        answer = await self._call("send_from_all_clients", f"f {self._calls}")
        self._count(answer)

    async def close_client(self) -> None:
        """Close a client's connection, wherever it is."""
        name = self.random.choice(sorted(self.world.names))
        links = list(self.judge.open.get(name, ()))
        answer = await self._call("close_connection_from_client", name)
        self._count(answer)
        if answer is not None and not answer["failed"]:
            for link in links:
                if self.name_at(link.node) in answer["done"]:
                    self.tell(f"closed {link.session}")

    async def find_client(self) -> None:
        """Find a client."""
        node = self._caller()
        if node is not None:
            try:
                await node.call("find", self.random.choice(sorted(self.world.names)))
            except (RuntimeError, ConnectionError) as error:
                self.tell(f"find at {node.name}: {error}")

    def name_at(self, address: str) -> str:
        """Return the name of the node that dials from an address."""
        return next(node.name for node in self.world.nodes if node.address == address)

    def _caller(self) -> NodeProcess | None:
        running = [node for node in self.world.nodes if node.control is not None]
        return self.random.choice(running) if running else None

    async def _call(self, name: str, *arguments: str, **options: Any) -> dict[str, Any] | None:
        node = self._caller()
        if node is None:
            return None
        try:
            answer: dict[str, Any] = await node.call("fleet", name, list(arguments), {"timeout": 3.0, **options})
        except (RuntimeError, ConnectionError) as error:
            self.tell(f"{name} at {node.name}: {error}")
            return None
        return answer

    def _count(self, answer: dict[str, Any] | None) -> None:
        if answer is None:
            self.judge.counts["calls failed"] += 1
        else:
            self.judge.counts["calls done by nodes"] += len(answer["done"])
            self.judge.counts["calls not done by nodes"] += len(answer["failed"])


async def _as_coroutine(happening: Happening, arguments: list[Any]) -> None:
    await happening(*arguments)
