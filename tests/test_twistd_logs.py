"""The log of real processes of ``twistd repeater``: its form, its level, its rotation."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.trial.unittest import SkipTest

from .programs import LONGEST, TWISTD, Program, ProgramCase

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

    def refused(self, start: dict[str, Any]) -> None:
        """Connect a client that is refused, because there is no server. ``start`` has the address."""
        port = int(start["address"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"hello\n")
            client.settimeout(LONGEST)
            self.assertEqual(client.recv(1), b"")

    def found(self, name: str, words: str) -> list[dict[str, Any]]:
        """Return the objects whose messages have these words."""
        return [each for each in self.objects(name) if words in each["message"]]


class ForegroundTests(LogCase):
    """A process in the foreground."""

    def test_log(self) -> None:
        """Lines of JSON name their repeater; a file that was moved is opened again; SIGHUP changes form and level."""
        self.path("edge.toml").write_text(TWO)
        program = self.run_twistd("--logfile=edge.log", "repeater", "--config", "edge.toml")
        self.wait_until(lambda: len(self.found("edge.log", "accepting clients")) == 2)
        starts = {each["repeater"]: each for each in self.found("edge.log", "accepting clients")}
        self.assertEqual(starts.keys(), {"one", "two"})
        self.refused(starts["two"])
        (line,) = self.wait_until(lambda: self.found("edge.log", "ServerUnreachable"))
        self.assertEqual((line["level"], line["repeater"]), ("info", "two"))
        self.assertEqual((line["client_address"][:10], line["error"][:17]), ("127.0.0.1:", "ServerUnreachable"))

        os.rename(self.path("edge.log"), self.path("moved"))
        program.send_signal(signal.SIGUSR1)
        self.wait_until(self.path("edge.log").exists)
        self.path("edge.toml").write_text(TWO.replace('"json"', '"text"'))
        program.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "#info] " in self.path("edge.log").read_text())
        self.refused(starts["two"])
        words = "[twisted_repeater.observers._log#info] two: client '127.0.0.1"
        self.wait_until(lambda: words in self.path("edge.log").read_text())
        program.send_signal(signal.SIGUSR1)
        self.wait_until(self.path("edge.log.1").exists)
        program.terminate()
        self.assertFalse(self.path("moved.1").exists())


class SyslogTests(LogCase):
    """``twistd --syslog``, with a socket of the test in the place of ``/dev/log``."""

    def setUp(self) -> None:
        """Make a directory that takes the place of ``/dev`` for one process."""
        super().setUp()
        dev = self.path("dev")
        dev.mkdir()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(LONGEST)
        self.socket.bind(str(dev / "log"))
        mounts = ""
        for name in ("null", "zero", "random", "urandom"):
            (dev / name).touch()
            mounts += f"mount --bind /dev/{name} dev/{name} && "
        self.private = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
        self.mounts = f"{mounts}mount --rbind dev /dev"
        if shutil.which("unshare") is None or self.ask(*self.private, self.mounts)[0]:
            raise SkipTest("a process may not have file systems of its own here")

    def start(self, form: str) -> Program:
        """Start a repeater that logs to the socket."""
        options = ("-n", "--pidfile=", "--syslog", "--prefix=edge", *ONE, f"--log-format={form}")
        return self.run_program(*self.private, f'{self.mounts} && exec "$@"', "sh", TWISTD, *options)

    def line(self, start: str) -> str:
        """Return the next line that begins so, after its priority, time and prefix."""
        while True:
            data = self.socket.recv(1 << 16).decode()
            found = re.fullmatch(r"(<\d+>)\w{3} [ \d]\d \d\d:\d\d:\d\d edge: (.*?)\n?", data, re.DOTALL)
            assert found is not None, data
            if f"{found[1]}{found[2]}".startswith(start):
                return found[2]

    def test_text(self) -> None:
        """Lines of text arrive without a time, which syslog adds, with the priority of their level."""
        program = self.start("text")
        line = self.line("<14>[twisted_repeater.service.logs#info] ")
        self.assertIn("accepting clients at 127.0.0.1:", line)
        program.send_signal(signal.SIGHUP)
        self.line("<14>[twisted_repeater.service.reload#info] reloaded: nothing has changed")
        self.assertEqual(program.terminate(), (-signal.SIGTERM, ""))

    def test_json(self) -> None:
        """Lines of JSON arrive whole."""
        program = self.start("json")
        while "accepting clients" not in (event := json.loads(self.line("<14>{")))["message"]:
            pass
        self.assertEqual((event["level"], event["repeater"]), ("info", "repeater"))
        self.assertEqual(program.terminate(), (-signal.SIGTERM, ""))


class DaemonTests(LogCase):
    """A daemon."""

    def test_daemon(self) -> None:
        """A daemon writes JSON into its file, too, from its level on."""
        status, _, errors = self.ask_twistd("--pidfile=edge.pid", "--logfile=edge.log", *ONE, "--log-format=json")
        self.assertEqual((status, errors), (0, ""))
        pid = int(self.path("edge.pid").read_text())
        self.addCleanup(self.end, pid)
        (start,) = self.wait_until(lambda: self.found("edge.log", "accepting clients"))
        self.refused(start)  # so the reactor runs, and obeys signals
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end_of(pid)
        self.assertTrue(self.found("edge.log", "Server Shut Down"))

    def end(self, pid: int) -> None:
        """End a daemon that has not ended itself."""
        if self.path("edge.pid").exists():
            os.kill(pid, signal.SIGKILL)
