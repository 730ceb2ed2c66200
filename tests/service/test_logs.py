"""The log of the process: where it goes, and what it leaves out."""

from __future__ import annotations

import json
import os
import signal
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from twisted.application.service import Application, MultiService
from twisted.internet.address import IPv4Address
from twisted.logger import ILogObserver, LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.service.logs import Logs, RotatedFile, log_format, log_level, log_start


def event(text: str, level: LogLevel = LogLevel.info, **fields: Any) -> dict[str, Any]:
    """Return an event as a logger makes it."""
    return {"log_format": text, "log_level": level, "log_namespace": "edge", "log_time": 0.0, **fields}


class LogsCase(SynchronousTestCase):
    """A test case with a directory, and an application that takes the observer."""

    def setUp(self) -> None:
        """Change to the directory, and see to it that signals are as they were."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        patched = patch.object(RotatedFile, "fromFullPath", self._open)
        patched.start()
        self.addCleanup(patched.stop)

    def _open(self, path: str) -> RotatedFile:
        """Open a file that is closed with the test; a process closes its log only at its end."""
        file = RotatedFile(os.path.basename(path), os.getcwd())
        self.addCleanup(file.close)
        return file

    def observer(self, logs: Logs) -> Any:
        """Return the observer that an application gets."""
        application: Any = Application("repeater")
        logs.install(application)
        return application.getComponent(ILogObserver, None)


class OptionTests(SynchronousTestCase):
    """The options."""

    def test_read(self) -> None:
        """The form and the level are read from texts."""
        self.assertEqual((log_format("json"), log_level("warn")), ("json", LogLevel.warn))
        for read, text, told in (
            (log_format, "xml", "must be one of text, json, not 'xml'"),
            (log_level, "warning", "must be one of debug, info, warn, error, not 'warning'; did you mean warn?"),
        ):
            self.assertEqual(str(self.assertRaises(ValueError, read, text)), told)


class PlaceTests(LogsCase):
    """Where the log goes."""

    def test_standard_output(self) -> None:
        """In the foreground it goes to the standard output, unless it has a file."""
        for twistd in ({}, {"nodaemon": True}, {"nodaemon": True, "logfile": "-"}):
            with patch.object(sys, "stdout", StringIO()) as out:
                self.observer(Logs("text", LogLevel.info, twistd))(event("hello"))
                self.assertRegex(out.getvalue(), r"^\S+ \[edge#info\] hello\n$")

    def test_file(self) -> None:
        """It goes to the file that twistd is given, or that it has by itself as a daemon."""
        for twistd, name in (
            ({"nodaemon": True, "logfile": "edge.log"}, "edge.log"),
            ({"nodaemon": False, "logfile": None}, "twistd.log"),
        ):
            self.observer(Logs("json", LogLevel.info, twistd))(event("h\N{LATIN SMALL LETTER E WITH ACUTE}llo"))
            self.assertEqual(json.loads(Path(name).read_text())["message"], "h\xe9llo")

    def test_daemon_to_standard_output(self) -> None:
        """A daemon has no standard output, as twistd says."""
        error = self.assertRaises(SystemExit, self.observer, Logs(twistd={"nodaemon": False, "logfile": "-"}))
        self.assertEqual(str(error), "Daemons cannot log to stdout, exiting!")

    def test_syslog(self) -> None:
        """It goes to syslog line by line, with the priority of its level, and without the time that syslog adds."""
        sent: list[tuple[int, str]] = []
        logs = Logs("text", LogLevel.debug, {"syslog": True, "prefix": "edge"})
        with patch("syslog.openlog") as opened, patch("syslog.syslog", lambda *line: sent.append(line)):
            observe = self.observer(logs)
            for level in (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical):
                observe(event("a\0\nb", level))
            logs.use("json", LogLevel.error)
            observe(event("left out"))
            observe(event("two", LogLevel.critical))
        opened.assert_called_once_with("edge")
        self.assertEqual([priority for priority, _ in sent], [7, 7, 6, 6, 4, 4, 3, 3, 2, 2, 2])
        self.assertEqual([text for _, text in sent[:2]], [r"[edge#debug] a\x00", "\tb"])
        self.assertEqual(json.loads(sent[-1][1])["message"], "two")

    def test_own_observer_of_twistd(self) -> None:
        """With --logger of twistd there is no other observer, and no form or level to choose."""
        twistd = {"logger": print}
        self.assertIs(self.observer(Logs(twistd=twistd)), None)
        told = "log-format and log-level cannot be used with the option --logger of twistd"
        for form, level in (("json", LogLevel.info), ("text", LogLevel.warn)):
            self.assertEqual(str(self.assertRaises(ValueError, Logs, form, level, twistd)), told)

    def test_other_parents(self) -> None:
        """A service of another program gets no observer: that program has its own log."""
        Logs().install(MultiService())


class ChangeTests(LogsCase):
    """What is written, and how, may change."""

    def test_changes(self) -> None:
        """Form, level and names of repeaters hold from the next event on; one without a level is left out."""
        logs = Logs("text", LogLevel.warn, {"logfile": "edge.log"})
        observe = self.observer(logs)
        self.assertTrue(ILogObserver.providedBy(observe))
        observe(event("left out"))
        observe({"log_format": "left out", "log_namespace": "edge"})
        observe({"log_format": "left out", "log_level": LogLevel.error})
        observe(event("one", LogLevel.warn, repeater="edge"))
        logs.names_repeaters = True
        observe(event("two", LogLevel.error, repeater="edge"))
        logs.use("json", LogLevel.debug)
        observe(event("three", LogLevel.debug, repeater="edge"))
        one, two, three = Path("edge.log").read_text().splitlines()
        self.assertTrue(one.endswith("[edge#warn] one") and two.endswith("[edge#error] edge: two"), (one, two))
        self.assertEqual(json.loads(three)["repeater"], "edge")


class RotationTests(LogsCase):
    """A new file begins."""

    def texts(self) -> dict[str, str]:
        """Return what the files have."""
        return {path.name: path.read_text() for path in Path().iterdir()}

    def file(self) -> RotatedFile:
        """Open the file, and write a line."""
        file = self._open("edge.log")
        file.write("a\n")
        return file

    def test_by_itself(self) -> None:
        """A rotation gives the file a number; a file of a megabyte is rotated."""
        file: Any = self.file()
        file.write("d" * 1_000_000)
        file.write("a\n")
        os.remove("edge.log.1")
        for text in ("b\n", "c\n"):
            file.rotate()
            file.write(text)
        self.assertEqual(self.texts(), {"edge.log": "c\n", "edge.log.1": "b\n", "edge.log.2": "a\n"})

    def test_moved(self) -> None:
        """If another program has moved the file, a rotation only opens its path again; the program may have made it."""
        for again in (False, True):
            file: Any = self.file()
            os.rename("edge.log", "edge.old")
            if again:
                Path("edge.log").touch()
            file.write("b\n")
            file.rotate()
            file.write("c\n")
            self.assertEqual(self.texts(), {"edge.log": "c\n", "edge.old": "a\nb\n"})
            for text in ("d" * 1_000_000, "e"):
                file.write(text)
            self.assertEqual(sorted(self.texts()), ["edge.log", "edge.old"])
            os.remove("edge.log")

    def test_signal(self) -> None:
        """SIGUSR1 rotates in the reactor's own time, unless the program uses the signal for something else."""
        later: list[Any] = []
        with patch("twisted.internet.reactor", SimpleNamespace(callFromThread=later.append), create=True):
            observe = self.observer(Logs(twistd={"logfile": "edge.log"}))
            observe(event("one"))
            signal.raise_signal(signal.SIGUSR1)
        self.assertEqual(os.listdir(), ["edge.log"])
        (rotate,) = later
        rotate()
        self.assertEqual(sorted(os.listdir()), ["edge.log", "edge.log.1"])
        taken = signal.getsignal(signal.SIGUSR1)
        self.observer(Logs(twistd={"logfile": "edge.log"}))
        self.assertIs(signal.getsignal(signal.SIGUSR1), taken)


class StartTests(SynchronousTestCase):
    """What each repeater says at its start."""

    def test_line(self) -> None:
        """The line has what matters, and its fields too."""
        limits = Limits(max_clients=10, max_unfinished_hellos=5, max_frame=65536)
        repeater: Any = SimpleNamespace(limits=limits, address=IPv4Address("TCP", "10.0.0.1", 9000))
        with capturedLogs() as events:
            log_start("edge", repeater, "lines:end=crlf", "tcp:10.0.0.2:25")
        (line,) = map(formatEvent, events)
        self.assertRegex(
            line or "",
            r"^repeater edge: dialect lines:end=crlf, server tcp:10.0.0.2:25, hot path (compiled by .*|interpreted); "
            r"max_clients 10, max_unfinished_hellos 5, max_frame 64KiB; accepting clients at 10.0.0.1:9000$",
        )
        self.assertEqual((events[0]["repeater"], events[0]["max_frame"]), ("edge", "64KiB"))
