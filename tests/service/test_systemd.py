"""What systemd is told; a process and its socket are in ``test_twistd_service.py``."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.service import systemd
from twisted_repeater.service.systemd import MORE, Systemd, check_passed, longest_end

from ..logged import lines_logged


class PassedTests(SynchronousTestCase):
    """`check_passed`."""

    def assert_wrong(self, description: str, names: str, why: str) -> None:
        """See that a description is refused when systemd passes sockets of these names."""
        error = self.assertRaises(ValueError, check_passed, description, {"LISTEN_FDNAMES": names})
        self.assertIn(why, str(error))

    def test_names(self) -> None:
        """A socket that systemd does not pass, or twice, is an error that says what it passes."""
        edge = "systemd:domain=INET:name=edge"
        self.assert_wrong(edge, "egde:mail", "no socket of the name 'edge'; it passes egde, mail")
        self.assert_wrong("systemd:INET:name=edge", "", "no socket of the name 'edge'; it passes none to this process")
        self.assert_wrong(edge, "edge:edge", "passes 2 sockets of the name 'edge'; give each its own by FileDescriptor")
        for description in ("tcp:1", "systemd:domain=INET:index=0"):
            check_passed(description, {})

    def test_domains(self) -> None:
        """A domain that nobody knows is an error, and so is that of another kind of socket."""
        self.assert_wrong(
            "systemd:domain=TCP:name=edge", "edge", "its domain must be one of INET, INET6, UNIX, not 'TCP'"
        )
        for family, domain in ((socket.AF_INET, "UNIX"), (socket.AF_UNIX, "INET6"), (socket.AF_INET, "INET")):
            with socket.socket(family) as made:
                self.patch(systemd, "FIRST", made.fileno() - 1)
                text, names = f"systemd:domain={domain}:name=edge", {"LISTEN_FDNAMES": "mail:edge"}
                if family.name == f"AF_{domain}":
                    check_passed(text, names)
                else:
                    self.assert_wrong(text, "mail:edge", f"has the domain {family.name[3:]}, not {domain}")
        check_passed(text, names)  # the descriptor is closed: whoever uses it says so


class EndTests(SynchronousTestCase):
    """`longest_end`."""

    def test_longest(self) -> None:
        """The end takes as long as draining, and then as the repeater with the longest deadlines, and a bit more."""
        self.assertEqual(longest_end(30, []), 30 + MORE)
        self.assertEqual(longest_end(1, [Limits(linger=7), Limits(linger=2, close_timeout=9)]), 1 + 9 + MORE)


class SystemdTests(SynchronousTestCase):
    """`Systemd`."""

    def setUp(self) -> None:
        """Listen as systemd does."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = str(Path(directory.name, "notify"))
        self.socket = self.listen(self.path)
        self.lines = lines_logged(self, systemd.__name__)

    def listen(self, path: str) -> socket.socket:
        """Make a socket for notices."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.setblocking(False)
        made.bind(path)
        return made

    def got(self) -> list[str]:
        """Return the notices."""
        notices = []
        while True:
            try:
                notices.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return notices

    def test_notices(self) -> None:
        """Each notice is one datagram with the lines that systemd knows."""
        told = Systemd({"NOTIFY_SOCKET": self.path})
        told.ready("edge runs")
        told.reloading()
        told.stopping("draining", 30)
        told.alive()
        ready, reloading, stopping = self.got()
        self.assertEqual(ready, "READY=1\nSTATUS=edge runs")
        first, moment, status = reloading.split("\n")
        self.assertEqual((first, status), ("RELOADING=1", "STATUS=reloading"))
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        self.assertTrue(0 <= now - int(moment.removeprefix("MONOTONIC_USEC=")) / 1e6 < 60)
        self.assertEqual(stopping, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=30000000")

    def test_alive(self) -> None:
        """Life is told twice as often as systemd asks for."""
        moments = iter((100.0, 101.0, 102.5))
        self.patch(time, "monotonic", lambda: next(moments))
        told = Systemd({"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())})
        for _ in range(3):
            told.alive()
        self.assertEqual(self.got(), ["WATCHDOG=1", "WATCHDOG=1"])

    def test_not_watched(self) -> None:
        """A process that systemd does not watch, or watches without an interval, tells no life."""
        for environment in ({}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}):
            self.assertIs(Systemd(dict(environment)).watchdog, None)

    def test_abstract(self) -> None:
        """A socket may have an abstract name."""
        name = f"repeater-{os.getpid()}-{id(self)}"
        self.socket = self.listen(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready("")
        self.assertEqual(self.got(), ["READY=1\nSTATUS="])

    def test_environment(self) -> None:
        """The variables are removed, so that children do not speak for the service; without them nothing is told."""
        self.patch(os, "environ", {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "1000000", "HOME": "/"})
        Systemd()
        self.assertEqual(os.environ, {"HOME": "/"})
        Systemd().ready("")
        self.assertEqual((self.got(), self.lines), ([], []))

    def test_failure(self) -> None:
        """That systemd cannot be told is logged once, until it can."""
        told = Systemd({"NOTIFY_SOCKET": self.path})
        self.socket.close()
        os.unlink(self.path)
        told.ready("")
        told.ready("")
        self.socket = self.listen(self.path)
        told.ready("")
        os.unlink(self.path)
        told.ready("")
        self.assertEqual(len(self.lines), 2)
        self.assertIn("systemd cannot be told how the service fares: ", self.lines[0])
