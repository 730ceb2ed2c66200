"""The world of a chaos: three nodes behind HAProxy, an engine, a line from each node to it, a server, and clients."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from ...peers import reactor
from .clients import Client
from .judge import Judge, Span
from .processes import Balancer, Controls, Engine, LinesProcess, NodeProcess
from .server import Server

__all__ = ["Settings", "World"]

PAUSE = 0.02
"""Seconds between two looks at something that tells nobody when it changes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a chaos is told.

    Attributes:
        directory: an empty directory.
        clients: how many clients there are.
        rivals: how many of them have a name that another one has, too.
        nodes: how many nodes.
        fleet: whether the nodes are a fleet.
        policy: what becomes of links if the lease is lost: ``keep`` or ``close``.
        newcomers: what becomes of newcomers without the engine: ``refuse`` or ``alone``.
        same_name: what becomes of a client whose name another one has: ``refuse`` or ``replace``.
        lease: for how many seconds a node is trusted.
        pace: how many seconds pass between two messages of a client, on average.
        seed: what chance draws from.
        patience: how many seconds anything may take that must happen in the end.
    """

    directory: Path
    clients: int = 500
    rivals: int = 50
    nodes: int = 3
    fleet: bool = True
    policy: str = "close"
    newcomers: str = "refuse"
    same_name: str = "refuse"
    lease: float = 2.0
    pace: float = 1.0
    seed: int = 1
    patience: float = 60.0


class World:
    """All that takes part."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        keeps = settings.policy == "keep" or settings.newcomers == "alone"
        self.judge = Judge(keeps=keeps, grace=settings.lease * 2 + 5)
        self._kept: list[socket.socket] = []
        self._ports: list[Any] = []
        self.lines = LinesProcess(settings.directory)
        self.clients: list[Client] = []
        directory = settings.directory
        self.engine = Engine(directory, self._port())
        self.balancer = Balancer(directory, self._port())
        self.controls = Controls()
        self.controls.nodes[self.lines.name] = self.lines
        self.nodes = [self._node(number) for number in range(1, settings.nodes + 1)]

    def _node(self, number: int) -> NodeProcess:
        name, address = f"node{number}", f"127.0.1.{number}"
        spans = self.judge.stops.setdefault(address, [])

        def stood_still(late: float) -> None:
            self.judge.counts["times that a node got no processor"] += 1
            now = time.monotonic()
            spans.append(Span(now - late - 1, now))

        node = NodeProcess(self.settings.directory, name, address, self._port(), stood_still)
        self.controls.nodes[name] = node
        return node

    def _port(self) -> int:
        """Return a port that nobody gets by chance before the end: a socket is bound to it that does not listen."""
        kept = socket.socket()
        self._kept.append(kept)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        return int(kept.getsockname()[1])

    # -- beginning and end -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything."""
        settings = self.settings
        self._server = reactor.listenTCP(0, Server(self.judge), interface="127.0.0.1", backlog=1000)
        self._control = reactor.listenTCP(0, self.controls, interface="127.0.0.1")
        self._ports += [self._server, self._control]
        if settings.fleet:
            self.engine.start()
            control = self._control.getHost().port
            await self.lines.start(control=control, engine=self.engine.port, count=len(self.nodes))
            self._line_ports = await self.lines.call("ports")
        await gatherResults([self.start_node(node) for node in self.nodes])
        await self.until(self.is_whole, lambda: f"no fleet: {[node.problem for node in self.nodes]}")
        self.balancer.start([node.port for node in self.nodes])
        self.start_clients()

    def start_node(self, node: NodeProcess) -> Deferred[None]:
        """Start a node."""
        settings = self.settings
        at = self.nodes.index(node)
        return node.start(
            control=self._control.getHost().port,
            server=self._server.getHost().port,
            engine=f"redis://127.0.0.1:{self._line_ports[at]}" if settings.fleet else "",
            lease=settings.lease,
            policy=settings.policy,
            newcomers=settings.newcomers,
            same_name=settings.same_name,
        )

    def start_clients(self) -> None:
        """Let the clients come."""
        settings = self.settings
        names = settings.clients - settings.rivals
        for number in range(settings.clients):
            client = Client(
                f"client{number % names}",
                number,
                self.balancer.port,
                self.judge,
                settings.seed,
                pace=settings.pace,
                patience=settings.lease * 3,
            )
            client.has_rival = number % names + names < settings.clients or number >= names
            self.clients.append(client)
            client.come(within=2.0)

    async def stop(self) -> None:
        """End everything."""
        for client in self.clients:
            client.stay_away()
        for process in (self.balancer, *self.nodes, self.lines, self.engine):
            process.kill()
        for port in self._ports:
            await port.stopListening()
        await self.until(
            lambda: (
                all(client.is_away for client in self.clients)
                and not self.judge.open
                and not any(node.control for node in self.controls.nodes.values())
            )
        )
        for kept in self._kept:
            kept.close()

    # -- looking ---------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], otherwise: Callable[[], str] = lambda: "in vain") -> None:
        """Wait until a condition holds.

        Raises:
            AssertionError: it does not hold in time.
        """
        deadline = time.monotonic() + self.settings.patience
        while not condition():
            assert time.monotonic() < deadline, otherwise()
            await self.pause(PAUSE)

    def pause(self, seconds: float) -> Deferred[None]:
        """Wait."""
        return deferLater(reactor, seconds, lambda: None)

    def is_whole(self) -> bool:
        """Return whether all nodes are members."""
        return not self.settings.fleet or all(node.runs and node.problem is None for node in self.nodes)

    @property
    def linked(self) -> dict[str, list[Client]]:
        """The clients that are linked, as they know, by name."""
        found: dict[str, list[Client]] = {}
        for client in self.clients:
            if client.linked:
                found.setdefault(client.name, []).append(client)
        return found

    @property
    def names(self) -> set[str]:
        """The names of all clients."""
        return {client.name for client in self.clients}

    def ask_engine(self, *words: Any) -> Any:
        """Return the engine's answer to a command. This blocks for a moment."""
        with closing(redis.Redis(port=self.engine.port, socket_timeout=2, decode_responses=True)) as it:
            return it.execute_command(*words)

    def claimed(self) -> list[str]:
        """Return the names that the engine takes for claimed."""
        hashes = [key for key in self.ask_engine("KEYS", "*") if key.endswith((":held", ":shared"))]
        return [name for key in hashes for name in self.ask_engine("HKEYS", key)]
