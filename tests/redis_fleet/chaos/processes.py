"""The processes of a chaos: nodes, HAProxy, and the engine."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from ...needed import needed
from ...programs import Program, environment

__all__ = ["Balancer", "Controls", "Engine", "LinesProcess", "NodeProcess"]

WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""What a command begins with, so that a program does not outlive a chaos that was killed."""

BALANCER = """
global
    maxconn 4000
defaults
    mode tcp
    maxconn 4000
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    option redispatch
    retries 2
listen nodes
    bind 127.0.0.1:{port}
    balance roundrobin
    default-server check inter 500ms fall 2 rise 1
"""


class _Process:
    """A program that is started, stopped, and started again."""

    program: Program | None = None

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *command: str, **more: str) -> None:
        """Start it."""
        self.program = Program(*WITH_US, *command, cwd=str(self.directory), env=environment() | more)

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self.program is not None and self.program.runs

    def kill(self) -> None:
        """End it at once."""
        program, self.program = self.program, None
        if program is not None:
            program.kill()

    def freeze(self) -> None:
        """Let it stand still."""
        assert self.program is not None
        self.program.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.program is not None
        self.program.send_signal(signal.SIGCONT)


class Engine(_Process):
    """A Redis without any file."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self.port = port

    def start(self) -> None:
        """Start it, empty."""
        program = needed("redis-server", "redis-server")
        self.run(program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")


class Balancer(_Process):
    """HAProxy in TCP mode."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self.port = port

    def start(self, ports: list[int]) -> None:
        """Start it before nodes."""
        servers = "".join(f"    server node{number} 127.0.0.1:{port}\n" for number, port in enumerate(ports, 1))
        Path(self.directory, "haproxy.cfg").write_text(BALANCER.format(port=self.port) + servers)
        self.run(needed("haproxy", "haproxy"), "-db", "-f", "haproxy.cfg")


class NodeProcess(_Process):
    """A node, or another program that does what it is told.

    Attributes:
        name: its name in the fleet.
        address: the address that it dials the server from.
        port: where it listens.
        problem: why it is no member of its fleet, as far as it has said so.
    """

    module = "node"
    """Its program."""

    def __init__(self, directory: Path, name: str, address: str, port: int, stood_still: Callable[[float], None]):
        super().__init__(directory)
        self.name = name
        self.address = address
        self.port = port
        self.problem: str | None = "not started"
        self.started: Deferred[None] = Deferred()
        self.control: _Control | None = None
        self.stood_still = stood_still
        self.outputs: list[str] = []

    def start(self, **options: Any) -> Deferred[None]:
        """Start it; fire when it accepts clients."""
        self.started = Deferred()
        self.problem = "starting"
        words = {"node": self.name, "address": self.address, "port": self.port, **options}
        self.run(sys.executable, "-m", f"{__package__}.{self.module}", json.dumps(words))
        return self.started

    def kill(self) -> None:
        """End it at once."""
        if self.program is not None:
            self.outputs.append(self.program.output)
        super().kill()
        self.problem = "killed"

    @property
    def output(self) -> str:
        """All that it has printed, each time that it ran."""
        return "".join(self.outputs) + (self.program.output if self.program is not None else "")

    def call(self, call: str, *arguments: Any) -> Deferred[Any]:
        """Let it make a call. The Deferred fails if it ends before it answers."""
        if self.control is None:
            return fail(ConnectionError(f"{self.name} does not run"))
        return self.control.call(call, arguments)

    def told(self, news: dict[str, Any]) -> None:
        """It has said something."""
        if "problem" in news:
            self.problem = news["problem"]
        elif "late" in news:
            self.stood_still(news["late"])
        elif "started" in news:
            self.started.callback(None)
        elif "failed" in news:
            self.started.errback(RuntimeError(news["failed"]))


class LinesProcess(NodeProcess):
    """The lines from the nodes to the engine."""

    module = "lines"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "lines", "", 0, lambda late: None)


class _Control(LineReceiver):
    """The connection of a node."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20
    factory: Controls
    node: NodeProcess | None = None

    def connectionMade(self) -> None:
        """Nothing was asked yet."""
        self.calls: dict[int, Deferred[Any]] = {}
        self.last = 0

    def lineReceived(self, line: bytes) -> None:
        """The node has said something."""
        news = json.loads(line)
        if "node" in news:
            self.node = self.factory.nodes[news["node"]]
            self.node.control = self
        elif "id" not in news:
            assert self.node is not None
            self.node.told(news)
        elif "error" in news:
            self.calls.pop(news["id"]).errback(RuntimeError(news["error"]))
        else:
            self.calls.pop(news["id"]).callback(news["value"])

    def call(self, call: str, arguments: tuple[Any, ...]) -> Deferred[Any]:
        """Let the node make a call."""
        self.last += 1
        done = self.calls[self.last] = Deferred()
        self.sendLine(json.dumps({"id": self.last, "call": call, "arguments": arguments}).encode())
        return done

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The node has ended."""
        calls, self.calls = self.calls, {}
        for done in calls.values():
            done.errback(ConnectionError("the node has ended"))
        if self.node is not None and self.node.control is self:
            self.node.control = None


class Controls(Factory):
    """Where nodes connect to, to be told what to do."""

    noisy = False
    protocol: Any = _Control

    def __init__(self) -> None:
        self.nodes: dict[str, NodeProcess] = {}
