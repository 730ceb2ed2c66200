"""``python -m twisted_repeater ctl`` before real repeaters, in a process of their own."""

from __future__ import annotations

import io
import json
import signal
import socket
import sys
from typing import Any

from twisted_repeater.ctl.command import main

from .programs import Program, ProgramCase

CONFIG = """\
admin = "{admin}"
[defaults]
dialect = "lines"
[repeater.lines]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:{server}"
[repeater.quiet]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:1"
"""


class CtlTests(ProgramCase):
    """All that an operator does, over TCP and a Unix socket."""

    def setUp(self) -> None:
        """Take the server's place."""
        super().setUp()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(60)
        self.addCleanup(self.server.close)

    def start(self, admin: str, **files: str) -> Program:
        """Start two repeaters with an administration."""
        config = CONFIG.format(admin=admin, server=self.server.getsockname()[1])
        self.path("edge.toml").write_text(config)
        for name, content in files.items():
            self.path(name).write_text(content)
            self.path(name).chmod(0o600)
        tokens = [f"--admin-token-file={self.path(name)}" for name in files]
        process = self.run_twistd("repeater", "--config", str(self.path("edge.toml")), *tokens)
        process.wait_for("GuardedSite.* starting on|starting on .*edge-admin")
        return process

    def ctl(self, *words: str, status: int = 0) -> tuple[Any, str]:
        """Obey a command; return what it prints for programs, and what is wrong."""
        output, errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        self.assertEqual(main([*self.admin, "--json", *words]), status, errors.getvalue())
        return (json.loads(output.getvalue()) if output.getvalue() else None), errors.getvalue()

    def link(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a new link."""
        port = self.ctl("status")[0]["repeaters"][0]["listen"].rpartition(":")[2]
        client = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
        self.addCleanup(client.close)
        server, _ = self.server.accept()
        server.settimeout(60)
        self.addCleanup(server.close)
        return client, server

    def test_operations(self) -> None:
        """Links are shown, held, sent to and closed; faults are set, and newcomers refused; then the process ends."""
        process = self.start("unix:edge-admin")
        self.admin = ["--admin", f"unix:{self.path('edge-admin')}", "--repeater", "lines"]
        self.assertEqual(self.ctl("ready")[0], {"ready": True, "reasons": []})
        client, server = self.link()
        (link,) = self.ctl("links")[0]["links"]
        name = link["client"]
        self.assertEqual(self.ctl("hold", name)[0], {"links": 1})
        self.assertTrue(self.ctl("links", "--client", name)[0]["links"][0]["held"])
        self.ctl("resume", "--link", str(link["id"]))
        self.ctl("send", "to-client", name, "--text", "hello")
        self.assertEqual(client.recv(100), b"hello\n")
        self.ctl("faults", "set", "slow", "latency:seconds=0.01", "--lasts", "60")
        self.assertEqual([fault["name"] for fault in self.ctl("faults")[0]["faults"]], ["slow"])
        self.assertIn("latency", [kind["name"] for kind in self.ctl("fault-kinds")[0]["kinds"]])
        self.assertEqual(self.ctl("faults", "clear")[0], {"faults": []})
        self.ctl("drop-new-clients")
        self.ctl("accept-new-clients")
        self.ctl("reload")
        self.assertIn("there is no recording", self.ctl("recording", status=1)[1])
        self.ctl("close", name)
        self.assertEqual((client.recv(1), server.recv(1)), (b"", b""))
        self.ctl("drain")
        process.end()

    def test_token_and_hold(self) -> None:
        """With the token a message is held, and changed at the prompt; Ctrl-C releases what is held then."""
        process = self.start("tcp:0:interface=127.0.0.1", token="a token of at least 32 characters".replace(" ", "-"))
        port = process.wait_for(r"GuardedSite.* starting on (\d+)")[1]
        url = ["--admin", f"http://127.0.0.1:{port}"]
        self.admin = [*url, "--repeater", "lines"]
        self.assertIn("token", self.ctl("status", status=1)[1])
        self.admin += ["--token-file", str(self.path("token"))]
        client, server = self.link()
        holding = self.run_program(
            sys.executable, "-m", "twisted_repeater", "ctl", *self.admin, "hold-messages", "--direction", "to-server"
        )
        holding.wait_for("Ctrl-C ends that")
        client.sendall(b"buy 100\n")
        holding.wait_for("^message 1 is held until")
        self.assertEqual(self.ctl("held")[0]["held"][0]["message"]["summary"], "buy 100")
        holding.type("change buy 50")
        holding.wait_for("^message 1: changed")
        self.assertEqual(server.recv(100), b"buy 50\n")
        client.sendall(b"sell 7\n")
        holding.wait_for("^message 2 is held until")
        holding.send_signal(signal.SIGINT)
        self.assertEqual(server.recv(100), b"sell 7\n")
        self.assertEqual(holding.end()[0], 0)
