"""A test case with nodes of a fleet, whose time is told by the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred

from twisted_repeater.redis_fleet import _engine, _node
from twisted_repeater.redis_fleet._engine import EngineError
from twisted_repeater.redis_fleet._node import Node
from twisted_repeater.redis_fleet._settings import FleetSettings

from .engines import Engine, EngineCase, StoppedReactor, Wire

__all__ = ["NodeCase", "Recorder"]

LEASE = 8.0


class Recorder:
    """Records what becomes of a node's membership."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.errors: list[Exception] = []
        """What fails when the node has joined, one after the other."""
        self.said: Any = {"links": 3}
        """What the node says of itself."""
        self.last: list[bytes] = []

    async def joined(self, last: bytes) -> None:
        """See `Watcher`."""
        self.seen.append("joined")
        self.last.append(last)
        if self.errors:
            raise self.errors.pop(0)

    def usable(self) -> None:
        """See `Watcher`."""
        self.seen.append("usable")

    def unusable(self, why: str) -> None:
        """See `Watcher`."""
        self.seen.append(f"unusable: {why}")

    def endangered(self) -> None:
        """See `Watcher`."""
        self.seen.append("endangered")

    def lost(self) -> None:
        """See `Watcher`."""
        self.seen.append("lost")

    def info(self) -> Mapping[str, Any]:
        """See `Watcher`."""
        if isinstance(self.said, Exception):
            raise self.said
        said: Mapping[str, Any] = self.said
        return said


class NodeCase(EngineCase):
    """A test case with nodes. Their time stands still; the engine's goes on."""

    def setUp(self) -> None:
        """Stop the time."""
        super().setUp()
        self.clock = StoppedReactor()
        for module, name, value in ((_node, "elapsed", self.clock.seconds), (_engine, "FIRST_DELAY", 0.0)):
            patch = mock.patch.object(module, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def start_node(self, engine: Engine | Wire, name: str = "ann", **settings: Any) -> tuple[Node, Recorder]:
        """Start a node that stops with the test."""
        recorder = Recorder()
        given: dict[str, Any] = {"address": engine.address, "node": name, "lease": LEASE, "timeout": 2.0} | settings
        node = Node(FleetSettings(**given), self.clock, recorder)
        self.addCleanup(lambda: Deferred.fromCoroutine(node.stop()))
        node.start()
        return node, recorder

    async def start_member(self, engine: Engine | Wire, name: str = "ann", **settings: Any) -> tuple[Node, Recorder]:
        """Start a node, and wait until it is a member."""
        node, recorder = self.start_node(engine, name, **settings)
        await self.is_usable(node)
        return node, recorder

    async def is_usable(self, node: Node) -> None:
        """Wait until a node is a member and can ask the engine."""
        await self.soon(
            lambda: node.is_member and node.connection.problem is None, lambda: str(node.connection.problem)
        )

    async def soon(self, condition: Any, otherwise: Any = lambda: "in vain") -> None:
        """Wait until a condition holds, without letting time pass."""

        def look() -> Any:
            self.clock.advance(0)
            return condition()

        await self.until(look, otherwise)

    async def fails(self, coroutine: Any, why: str, kind: type[Exception] = EngineError) -> None:
        """A coroutine raises an error, for a reason."""
        error: Any = await self.assertFailure(Deferred.fromCoroutine(coroutine), kind)
        self.assertRegex(str(error), why)
