"""The log of real processes of ``twistd repeater``: its form, its level, its rotation."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .programs import LONGEST, ProgramCase

T = TypeVar("T")

TWO = """
log-format = "json"
[repeater.one]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:1"
dialect = "lines"
[repeater.two]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:1"
dialect = "lines"
"""

ONE = ("repeater", "--listen=tcp:0:interface=127.0.0.1", "--server=tcp:127.0.0.1:1", "--dialect=lines")


class LogCase(ProgramCase):
    """A test case that reads log files while they are written."""

    def wait_until(self, condition: Callable[[], T]) -> T:
        """Return what a condition gives as soon as it is true."""
        end = time.monotonic() + LONGEST
        while not (found := condition()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        return found

    def objects(self, name: str) -> list[dict[str, Any]]:
        """Return the complete lines of a file as JSON."""
        path = self.path(name)
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def found(self, name: str, words: str) -> list[dict[str, Any]]:
        """Return the objects whose messages have these words."""
        return [each for each in self.objects(name) if words in each["message"]]


class ForegroundTests(LogCase):
    """A process in the foreground."""

    def refused(self, port: int) -> None:
        """Connect a client that is refused, because there is no server."""
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"hello\n")
            client.settimeout(LONGEST)
            self.assertEqual(client.recv(1), b"")

    def test_log(self) -> None:
        """Lines of JSON name their repeater; a file that was moved is opened again; SIGHUP changes form and level."""
        self.path("edge.toml").write_text(TWO)
        program = self.run_twistd("--logfile=edge.log", "repeater", "--config", "edge.toml")
        self.wait_until(lambda: len(self.found("edge.log", "accepting clients")) == 2)
        starts = {each["repeater"]: each for each in self.found("edge.log", "accepting clients")}
        self.assertEqual(starts.keys(), {"one", "two"})
        port = int(starts["two"]["address"].rpartition(":")[2])
        self.refused(port)
        (line,) = self.wait_until(lambda: self.found("edge.log", "ServerUnreachable"))
        self.assertEqual((line["level"], line["repeater"]), ("info", "two"))
        self.assertEqual((line["client_address"][:10], line["error"][:17]), ("127.0.0.1:", "ServerUnreachable"))

        os.rename(self.path("edge.log"), self.path("moved"))
        program.send_signal(signal.SIGUSR1)
        self.wait_until(self.path("edge.log").exists)
        self.path("edge.toml").write_text(TWO.replace('"json"', '"text"'))
        program.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "#info] " in self.path("edge.log").read_text())
        self.refused(port)
        words = "[twisted_repeater.observers._log#info] two: client '127.0.0.1"
        self.wait_until(lambda: words in self.path("edge.log").read_text())
        program.send_signal(signal.SIGUSR1)
        self.wait_until(self.path("edge.log.1").exists)
        program.terminate()
        self.assertFalse(self.path("moved.1").exists())


class DaemonTests(LogCase):
    """A daemon."""

    def test_daemon(self) -> None:
        """A daemon writes JSON into its file, too, from its level on."""
        status, _, errors = self.ask_twistd("--pidfile=edge.pid", "--logfile=edge.log", *ONE, "--log-format=json")
        self.assertEqual((status, errors), (0, ""))
        pid = int(self.path("edge.pid").read_text())
        self.addCleanup(self.end, pid)
        self.wait_until(lambda: self.found("edge.log", "accepting clients"))
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end_of(pid)
        self.assertTrue(self.found("edge.log", "Server Shut Down"))

    def end(self, pid: int) -> None:
        """End a daemon that has not ended itself."""
        if self.path("edge.pid").exists():
            os.kill(pid, signal.SIGKILL)
