"""``twistd repeater --processes``: several processes that share a port, with kills, reloads and drains."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

from .programs import LONGEST, TWISTD, Program, ProgramCase, kept_port
from .test_twistd_service import Echo, NoticesCase, Talker

READY = "2 processes share the ports"

FILTER = """
from twisted_repeater import PASS_ON, SendBack
import os

def decide(message, link):
    return SendBack([b"%d {}" % os.getpid()]) if message == b"who" else PASS_ON
"""
"""Answers with the id of the process."""


class ProcessesCase(ProgramCase):
    """Two processes before a server that echoes lines."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        echo = Echo(("127.0.0.1", 0), Echo.RequestHandlerClass)
        self.addCleanup(echo.server_close)
        self.addCleanup(echo.shutdown)
        threading.Thread(target=echo.serve_forever, args=(0.05,), daemon=True).start()
        self.port = kept_port(self)
        self.write_filter("a")
        head = f'[repeater.edge]\nlisten = "tcp:{self.port}:interface=127.0.0.1"\ndialect = "lines"\n'
        self.table = f'{head}server = "tcp:127.0.0.1:{echo.server_address[1]}"\nto-server-filter = "rules:decide"\n'

    def write_filter(self, letter: str) -> None:
        """Write the filter, whose answers end with a letter."""
        self.path("rules.py").write_text(FILTER.format(letter))

    def run_two(self, *options: str) -> Program:
        """Start two processes, and return when both are ready."""
        self.path("edge.toml").write_text(f"processes = 2\n{self.table}")
        parent = self.run_twistd("repeater", "--config=edge.toml", *options)
        parent.wait_for(READY)
        return parent

    def connect(self) -> socket.socket:
        """Connect a client."""
        client = socket.create_connection(("127.0.0.1", self.port), LONGEST)
        self.addCleanup(client.close)
        return client

    def ask_who(self, client: socket.socket) -> tuple[int, str]:
        """Return which process has a client, and the letter of its filter."""
        client.sendall(b"who\n")
        number, letter = client.makefile("rb").readline().decode().split()
        return int(number), letter

    def both(self) -> dict[int, socket.socket]:
        """Return a client of each process, by the id of the process."""
        found: dict[int, socket.socket] = {}
        while len(found) < 2:
            client = self.connect()
            found[self.ask_who(client)[0]] = client
        return found


class LifeTests(ProcessesCase):
    """How they live and end."""

    def test_life(self) -> None:
        """Killed, one is replaced, and the others stay; SIGHUP reloads all; SIGTERM drains all, and no line is lost."""
        parent = self.run_two()
        self.assertIn("2 processes without a fleet", parent.output)
        children = self.both()
        killed, kept = children
        os.kill(killed, signal.SIGKILL)
        self.assertEqual(children.pop(killed).recv(1), b"")
        number = parent.wait_for(r"process (\d) has ended, by SIGKILL; it is started again now")[1]
        parent.wait_for(rf"process {number}: .*accepting clients", 2)
        children |= {pid: client for pid, client in self.both().items() if pid != kept}
        self.assertNotIn(parent.pid, children)
        self.check_reload(parent, children)
        quiet = threading.Event()
        talkers = [Talker(self.port, quiet) for _ in range(20)]
        quiet.set()
        status, output = parent.terminate()
        for talker in talkers:
            talker.join(LONGEST)
        self.assertEqual((status, [talker.error for talker in talkers]), (-signal.SIGTERM, [None] * 20), output)
        self.assertTrue(all(talker.answered % 50 == 0 for talker in talkers))
        for pid in children:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        self.assertNotIn("Traceback", output)
        self.assertNotRegex(output, r"process \d: not reloaded")

    def check_reload(self, parent: Program, children: dict[int, socket.socket]) -> None:
        """See that SIGHUP reloads all, and that one line says so if the file is wrong."""
        self.write_filter("b")
        parent.send_signal(signal.SIGHUP)
        parent.wait_for(r"process \d: reloaded; applied: to-server-filter", 2)
        self.assertEqual([self.ask_who(client)[1] for client in children.values()], ["b", "b"])
        self.path("edge.toml").write_text("processes = 0\n")
        parent.send_signal(signal.SIGHUP)
        parent.wait_for("not reloaded: edge.toml: processes must be a number from 1 to 256, not '0'")
        self.assertEqual([self.ask_who(client)[1] for client in children.values()], ["b", "b"])

    def test_killed_parent(self) -> None:
        """When the parent is killed, both drain: what they have received is delivered, and they end.

        Each has an administration, and a recording, of its own.
        """
        admin = f"unix:{self.path('admin')}-{{process}}"
        self.table += 'record = "traffic-{process}.db"\n'
        parent = self.run_two(f"--admin={admin}", "--log-format=json")
        children = self.both()
        for number in "12":
            self.assertTrue(Path(f"{self.path('admin')}-{number}").is_socket())
            self.assertTrue(self.path(f"traffic-{number}.db").exists())
        for client in children.values():
            client.sendall(b"last\n")
        parent.send_signal(signal.SIGKILL)
        for client in children.values():
            self.assertEqual(client.makefile("rb").read(), b"last\n")
        for pid in children:
            self.wait_for_end_of(pid)

    def test_signal_to_all(self) -> None:
        """A signal that a terminal or systemd sends to all is one signal. ``twist`` starts processes, too."""
        self.path("edge.toml").write_text(f"processes = 2\n{self.table}")
        twist = TWISTD.removesuffix("d")
        parent = self.run_program(twist, "--reactor=poll", "--log-format=text", "repeater", "--config=edge.toml")
        parent.wait_for("reactor class: twisted.internet.pollreactor", 2)
        parent.wait_for(READY)
        children = self.both()
        for pid in (*children, parent.pid):
            os.kill(pid, signal.SIGINT)
        for client in children.values():
            self.assertEqual(client.recv(1), b"")
        _, output = parent.end()
        self.assertNotIn("aborted", output)
        self.assertNotIn("Traceback", output)

    def test_background(self) -> None:
        """In the background each has a log file of its own, and the parent a pid file, which is gone in the end."""
        self.path("edge.toml").write_text(f"processes = 2\n{self.table}")
        status, _, error = self.ask_twistd("--pidfile=pid", "--logfile=edge.log", "repeater", "--config=edge.toml")
        self.assertEqual(status, 0, error)
        parent = int(self.path("pid").read_text())
        self.addCleanup(self.kill_if_left, parent)
        while READY not in self.path("edge.log").read_text():
            os.sched_yield()
        children = self.both()
        for number in "12":
            self.assertIn("accepting clients", self.path(f"edge-{number}.log").read_text())
            os.rename(self.path(f"edge-{number}.log"), self.path(f"old-{number}.log"))
        os.kill(parent, signal.SIGUSR1)
        while not all(self.path(f"edge-{number}.log").exists() for number in "12"):
            self.ask_who(self.connect())
        os.kill(parent, signal.SIGTERM)
        for pid in (parent, *children):
            self.wait_for_end_of(pid)
        self.assertFalse(self.path("pid").exists())

    def kill_if_left(self, pid: int) -> None:
        """Kill the parent if the test has failed; the others end by themselves."""
        if self.path("pid").exists():
            os.kill(pid, signal.SIGKILL)

    def test_cannot_start(self) -> None:
        """If one cannot start, the others end, too, and so does the parent."""
        self.path("edge_app.py").write_text(
            "import os\nclass App:\n    def start(self, repeater):\n"
            "        assert os.environ['TWISTED_REPEATER_PROCESS'] == '1'\n"
        )
        self.path("edge.toml").write_text(f'processes = 2\n{self.table}app = "edge_app:App"\n')
        status, output = self.run_twistd("repeater", "--config=edge.toml").end()
        self.assertEqual(status, -signal.SIGTERM, output)
        self.assertIn("process 2: cannot start: edge.toml: repeater.edge.app: edge_app:App cannot start", output)
        self.assertIn("cannot start: process 2 has ended before it was ready, with status 1", output)


class SharedTests(ProcessesCase):
    """Processes that somebody else starts, such as units of systemd."""

    def test_share_port(self) -> None:
        """Two that are started with the option share the port, and one can end while the other goes on."""
        self.path("edge.toml").write_text(f"{self.table}share-port = true\n")
        programs = []
        for number in "ab":
            self.environment["TWISTED_REPEATER_PROCESS"] = number
            programs.append(self.run_twistd("repeater", "--config=edge.toml", "--admin=unix:admin-{process}"))
        for program in programs:
            program.wait_for("accepting clients")
        children = self.both()
        self.assertEqual(set(children), {program.pid for program in programs})
        self.assertTrue(self.path("admin-a").is_socket() and self.path("admin-b").is_socket())
        self.assertEqual(programs[0].terminate()[0], -signal.SIGTERM)
        self.assertEqual(self.ask_who(children[programs[1].pid])[0], programs[1].pid)
        self.assertEqual(self.ask_who(self.connect())[0], programs[1].pid)


class SystemdTests(NoticesCase, ProcessesCase):
    """What systemd is told about all of them."""

    def test_life(self) -> None:
        """It hears of all together. One that is blocked is killed; if all are blocked, a second SIGTERM ends them."""
        self.path("edge.toml").write_text(f"processes = 2\n{self.table}")
        parent = self.run_twistd("repeater", "--config=edge.toml")
        self.notice("WATCHDOG=1")
        self.assertEqual(self.notice("READY=1"), ["READY=1", "STATUS=2 of 2 processes run"])
        blocked, other = self.both()
        os.kill(blocked, signal.SIGSTOP)
        self.assertEqual(self.notice("READY=1"), ["READY=1", "STATUS=1 of 2 processes run"])
        self.assertEqual(self.notice("READY=1"), ["READY=1", "STATUS=2 of 2 processes run"])
        number = parent.wait_for(r"process (\d) is blocked, and is killed")[1]
        parent.wait_for(rf"process {number}: .*accepting clients", 2)
        children = self.both()
        self.assertIn(other, children)
        parent.send_signal(signal.SIGHUP)
        self.notice("RELOADING=1")
        self.assertEqual(self.notice("READY=1"), ["READY=1", "STATUS=2 of 2 processes run"])
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        parent.send_signal(signal.SIGTERM)
        _, status, extend = self.notice("STOPPING=1")
        self.assertEqual(status, "STATUS=draining")
        self.assertRegex(extend, r"EXTEND_TIMEOUT_USEC=\d{7,9}")
        parent.send_signal(signal.SIGTERM)
        parent.wait_for("process 1 does not end, and is killed")
        self.assertEqual(parent.end()[0], -signal.SIGTERM)
