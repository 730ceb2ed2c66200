"""Three processes behind HAProxy are restarted, one after the other, under load."""

from __future__ import annotations

import csv
import signal
import socket
import sys
from contextlib import closing

from ..needed import needed
from ..paths import ROOT
from ..programs import LONGEST, TWISTD, Program, environment, kept_port
from ..redis_fleet.engines import Engine
from .rolling import NAMED, PLAIN, Rolling
from .servers import ENDS_WITH_US, RealCase

DEBIAN_PACKAGES = "haproxy redis-server"

CONFIGURATION = """
global
    stats socket {directory}/stats level operator
defaults
    mode tcp
    retries 3
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    option redispatch 1
listen front
    bind 127.0.0.1:{port}
    balance leastconn
    {check}
    default-server check inter 100ms fall 1 rise 1
"""

READY = """option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost"""

COUNT = 10
"""How many clients there are of each kind."""


class Node:
    """A process with a repeater, at ports that it keeps."""

    def __init__(self, case: RollingCase, name: str) -> None:
        self.name = name
        self.port, self.admin = kept_port(case), kept_port(case)
        self._case = case
        self.start()

    def start(self) -> None:
        """Start it, again."""
        command = self._case.command(self)
        self.program = Program(*ENDS_WITH_US, *command, cwd=str(ROOT), env=environment())
        self._case.addCleanup(self.program.kill)

    def accepts(self) -> bool:
        """Return whether it accepts clients. HAProxy takes a server for up before it has looked."""
        with closing(socket.socket()) as client:
            return not client.connect_ex(("127.0.0.1", self.port))


class RollingCase(RealCase):
    """A test case with a server, three nodes, HAProxy before them, and clients."""

    timeout = 3 * LONGEST

    wire = PLAIN
    check_by = "option tcp-check"
    """How HAProxy checks the nodes."""
    status = 0
    """The status of a node that has ended."""

    def command(self, node: Node) -> list[str]:
        """Return the command of a node."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start them all, the clients last."""
        haproxy = needed("haproxy", "haproxy")
        self.rolling = Rolling(self.wire)
        self.addCleanup(self.rolling.end)
        self.nodes = [Node(self, f"node{number}") for number in range(3)]

        def command(port: int) -> list[str]:
            text = CONFIGURATION.format(port=port, directory=self.directory, check=self.check_by)
            for node in self.nodes:
                checked = node.admin if self.check_by == READY else node.port
                text += f"    server {node.name} 127.0.0.1:{node.port} port {checked}\n"
            configuration = self.directory / "haproxy.cfg"
            configuration.write_text(text)
            return [haproxy, "-db", "-f", str(configuration)]

        self.haproxy = self.start_server(command)
        await self.all_up()
        self.rolling.start(self.haproxy.port, COUNT)
        await self.until(lambda: self.rolling.clients)
        await self.served()

    def states(self) -> dict[str, str]:
        """Return what HAProxy says of the nodes."""
        with closing(socket.socket(socket.AF_UNIX)) as asking:
            if asking.connect_ex(str(self.directory / "stats")):
                return {}  # it has not begun yet
            asking.sendall(b"show stat\n")
            with asking.makefile() as answer:
                rows = list(csv.DictReader(answer))
        return {row["svname"]: row["status"] for row in rows if row["svname"].startswith("node")}

    async def all_up(self) -> None:
        """Wait until all nodes are ready: they accept clients, and HAProxy finds it, too."""
        await self.until(lambda: all(node.accepts() for node in self.nodes), self.said)
        await self.until(lambda: set(self.states().values()) == {"UP"}, self.said)

    async def served(self) -> None:
        """Wait until the server has got some more lines of each client."""
        await self.until(self.rolling.since(), self.said)

    def said(self) -> str:
        """Return what all have said."""
        return "\n".join([str(self.states()), *(node.program.output for node in self.nodes)])

    async def restart(self, node: Node) -> None:
        """Restart a node, and wait until all are up again, and all clients at work."""
        node.program.send_signal(signal.SIGTERM)
        status, output = await self.in_thread(node.program.end)
        self.assertEqual(status, self.status, output)
        self.assertNotIn("Traceback", output)
        node.start()
        await self.all_up()
        await self.served()

    async def check(self) -> None:
        """Let the clients end. Nothing may be lost, and nobody may have been turned away on his way back."""
        await self.in_thread(self.rolling.end)
        self.assertIsNone(self.rolling.error, self.said())
        self.assertEqual(dict(self.rolling.lost()), {})
        for client in self.rolling.clients:
            self.assertLessEqual(client.connections, 1 + len(self.nodes), client.name)
            if client.kind != "tells":
                unanswered = client.sent - len(client.answers)
                self.assertLess(unanswered, client.connections, client.name)
        self.assertGreater(sum(client.connections for client in self.rolling.clients), len(self.rolling.clients))


class LinesTests(RollingCase):
    """Clients without names, and nodes that ``twistd`` runs."""

    check_by = READY
    status = -signal.SIGTERM

    def command(self, node: Node) -> list[str]:
        """See `RollingCase`."""
        return [
            *(TWISTD, "-n", "--pidfile=", "repeater", "--dialect=lines", "--drain-timeout=2"),
            f"--listen=tcp:{node.port}:interface=127.0.0.1",
            f"--server=tcp:127.0.0.1:{self.rolling.port}",
            f"--admin=tcp:{node.admin}:interface=127.0.0.1",
        ]

    async def test_restarted(self) -> None:
        """Every line that was sent comes to the server once, and each client comes back at its first try."""
        await self.start()
        for node in self.nodes:
            await self.restart(node)
        await self.check()


class FleetTests(RollingCase):
    """Clients with names, which nobody else may have, and nodes of a fleet."""

    wire = NAMED

    def setUp(self) -> None:
        """Start the engine of the fleet."""
        super().setUp()
        self.engine = Engine(self)

    def command(self, node: Node) -> list[str]:
        """See `RollingCase`."""
        arguments = [str(node.port), str(self.rolling.port), self.engine.url, node.name]
        return [sys.executable, "-m", "tests.real.rolling_node", *arguments]

    async def test_restarted(self) -> None:
        """The same is so; each client gets its name at the other node at once, and the server never has it twice."""
        await self.start()
        for node in self.nodes:
            await self.restart(node)
        await self.check()
        self.assertEqual(self.rolling.twice, set())
