"""The program of the page about the fleet, on two nodes, with a real Redis."""

from __future__ import annotations

import re
import signal
import sys
from typing import Any

from ..paths import DOCS
from ..programs import Program, ProgramCase
from ..redis_fleet.engines import Engine
from ..run_page import fences_of, file_name_of

DEBIAN_PACKAGES = "redis-server"


class FleetProgramTests(ProgramCase):
    """The page about the fleet."""

    def setUp(self) -> None:
        """Start the engine and the server, and write the page's program with their ports."""
        super().setUp()
        case: Any = self
        engine = Engine(case)
        server_port = self.run_example("server", "0").wait_for(r"^quotes on port (\d+)$")[1]
        page = (DOCS / "howto" / "fleet.md").read_text()
        program = next(fence.code for fence in fences_of(page) if file_name_of(fence.code) == "node.py")
        code = program.replace(":6379", f":{engine.port}").replace(":9001", f":{server_port}")
        self.path("node.py").write_text(code)

    def start_node(self, name: str) -> tuple[Program, str]:
        """Start a node; return it and its port when it is a member."""
        node = self.run_program(sys.executable, "node.py", name, "0")
        node.wait_for("a member of the fleet$")
        return node, node.wait_for(r"RepeaterFactory starting on (\d+)$")[1]

    def start_client(self, port: str, name: str) -> Program:
        """Start the example's client, and see it linked."""
        client = self.run_example("client", port, name)
        client.wait_for("^linked to quotes$")
        return client

    def test_shout(self) -> None:
        """What a client shouts reaches the clients of both nodes, and Ctrl-C ends a node in good order."""
        one, first_port = self.start_node("one")
        _, second_port = self.start_node("two")
        ann, bob = self.start_client(first_port, "ann"), self.start_client(second_port, "bob")
        ann.type("shout hello")
        for client in (ann, bob):
            client.wait_for("^hello$")
        one.wait_for(re.escape("clients reached: {'one': 1, 'two': 1}"))
        one.send_signal(signal.SIGINT)
        ann.wait_for("^disconnected$")
        _, output = one.end()
        self.assertNotIn("Traceback", output)
