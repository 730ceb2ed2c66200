"""``twistd repeater --fleet``: nodes that are processes, and that meet at a real engine."""

from __future__ import annotations

import os
import re
import signal
import socket
import time

from .certificates import Authority
from .paths import DOCS, PACKAGE
from .real.servers import PAUSE
from .redis_fleet.engines import Engine
from .run_page import commands_of, fences_of
from .test_twistd import TwistdCase

PAGE = DOCS / "howto" / "fleet.md"

IMPORTED = """
import sys

class App:
    def start(self, repeater):
        names = [name for name in sys.modules if "fleet" in name or "redis" in name]
        print("imported:", [name for name in names if ".dialects." not in name])
"""


class FleetCase(TwistdCase):
    """Nodes before the example server."""

    def setUp(self) -> None:
        """Start the engine and the server."""
        super().setUp()
        self.engine = Engine(self)  # type: ignore[arg-type]  # it needs only addCleanup
        self.server_port = self.start_server()[1]

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes whose leases have not ended."""
        begin = "{twisted_repeater:main}:"
        clock = self.engine.ask("HGET", f"{begin}state", "clock") or b"0"
        found = self.engine.ask("ZRANGEBYSCORE", f"{begin}nodes", f"({int(clock)}", "+inf")
        return sorted(self.engine.ask("HGET", f"{begin}names", each).decode() for each in found)


class PageTests(FleetCase):
    """The page about the fleet."""

    def commands(self) -> list[list[str]]:
        """Return the options of the nodes on the page, with ports that are free."""
        ports = {"127.0.0.1:6379": f"127.0.0.1:{self.engine.port}", "127.0.0.1:9001": f"127.0.0.1:{self.server_port}"}
        found = []
        for fence in fences_of(PAGE.read_text()):
            code = re.sub(r"tcp:900[02]:", "tcp:0:", fence.code)
            for port, free in ports.items():
                code = code.replace(port, free)
            words = commands_of(code) if fence.language == "sh" else []
            found += [each[each.index("repeater") :] for each in words if each[0] == "twistd"]
        return found

    def test_refused(self) -> None:
        """A name that is linked at one node is refused by the other, until its client leaves or its node is drained."""
        nodes = [self.run_twistd(*options) for options in self.commands()]
        self.assertEqual(len(nodes), 2)
        one, two = (int(node.wait_for(r"RepeaterFactory starting on (\d+)$")[1]) for node in nodes)
        ann, bob = self.start_client(one, "ann"), self.start_client(one, "bob")
        self.run_example("client", str(two), "ann").wait_for("^disconnected$")
        nodes[1].wait_for("client 'ann' from .* refused: DuplicateClient: a client 'ann' is linked already")
        ann.type_end()
        nodes[0].wait_for("client 'ann' ended")
        self.check_still_talks(self.start_client(two, "ann"))
        self.assertEqual(self.nodes, ["one", "two"])
        self.assertEqual(nodes[0].terminate()[0], -signal.SIGTERM)
        self.assertEqual(self.nodes, ["two"])
        bob.wait_for("^disconnected$")
        self.check_still_talks(self.start_client(two, "bob"))

    def test_rights(self) -> None:
        """A user with the rights on the page is enough, and needs each of them, also with TLS and its authority."""
        authority = Authority(self.directory)
        self.engine = Engine(self, tls=authority.issue("localhost"))  # type: ignore[arg-type]
        text = PAGE.read_text()
        (user,) = re.findall(r"^user (.*)$", text, re.MULTILINE)
        self.engine.ask("ACL", "SETUSER", *user.split())
        self.path("password").write_text("secret\n")
        self.path("password").chmod(0o600)
        url = f"rediss://fleet@localhost:{self.engine.port}?ca={authority.roots}"
        options = ("--fleet", url, "--fleet-password-file", "password")
        one, port = self.start_repeater(self.server_port, *options)
        two, other_port = self.start_repeater(self.server_port, *options)
        ann = self.start_client(port, "ann")
        self.run_example("client", str(other_port), "ann").wait_for("^disconnected$")
        two.wait_for("refused: DuplicateClient")
        ann.type_end()
        one.wait_for("client 'ann' ended")
        for node in (one, two):
            self.assertEqual(node.terminate()[0], -signal.SIGTERM)
            self.assertNotIn("NOPERM", node.output)
        self.assertEqual(self.nodes, [])
        granted = set(re.findall(r" \+(\w+)", text))
        sources = "".join(file.read_text() for file in (PACKAGE / "redis_fleet").glob("*.py"))
        used = set(re.findall(r"""(?:call\(|words = \()['"]([A-Z]+)['"]""", sources))
        self.assertEqual(granted, {command.lower() for command in used})


class ProcessTests(FleetCase):
    """A node as a process."""

    def test_nothing_imported(self) -> None:
        """Without `--fleet` nothing of a fleet's engine is imported."""
        self.path("importing.py").write_text(IMPORTED)
        repeater, _ = self.start_repeater(self.server_port, "--app", "importing:App")
        names = set(re.findall(r"'([\w.]+)'", repeater.wait_for("^.*imported: (.*)$")[1]))
        ours = ("fleet", "_repeater_fleet", "service.fleet_member", "service.fleet_options")
        self.assertEqual(names, {f"twisted_repeater.{name}" for name in ours})

    def test_daemon(self) -> None:
        """In the background, a node is named after the process that it has become."""
        pid_file, log = self.path("edge.pid"), self.path("edge.log")
        options = self.options(self.server_port, "--fleet", self.engine.url)
        self.ask_twistd("--pidfile", str(pid_file), "--logfile", str(log), *options)
        pid = int(pid_file.read_text())
        while "this process is node" not in log.read_text():
            time.sleep(PAUSE)
        self.assertEqual(self.nodes, [f"{socket.gethostname()}:{pid}"])
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end_of(pid)
        self.assertEqual(self.nodes, [])
