"""Several processes and their parent, without processes; real ones are in ``test_twistd_processes.py``."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from twisted.application.service import Application, IServiceCollection
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service import processes, systemd
from twisted_repeater.service.child_process import Command
from twisted_repeater.service.loading import LoadingError
from twisted_repeater.service.processes import ABORT_WITHIN, ProcessesService, command_of
from twisted_repeater.service.service import CannotStart
from twisted_repeater.service.settings import ProcessSettings
from twisted_repeater.service.tap import settings_of

from ..logged import lines_logged
from ..modules import ModuleCase
from ..peers import Seen
from .test_child_process import KILLED, Transport

WRITTEN = {"server": "tcp:127.0.0.1:1", "dialect": "lines", "processes": "2"}


class Reactor(MemoryReactorClock):
    """A reactor that starts no processes, and whose threads have their calls done at once."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Transport] = []

    def spawnProcess(self, protocol: Any, *arguments: Any, **named: Any) -> Any:
        """See `IReactorProcess`."""
        self.started.append(Transport(protocol, arguments, named))
        return self.started[-1]

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        """See `IReactorFromThreads`."""
        call(*arguments)

    def addSystemEventTrigger(self, *arguments: Any, **named: Any) -> Any:
        """See `IReactorCore`."""

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """See `IReactorCore`."""


class ServiceCase(ModuleCase):
    """A test case with a service of two processes."""

    def setUp(self) -> None:
        """Let signals do nothing, and record the log and the notices to systemd."""
        super().setUp()
        self.lines = lines_logged(self, processes.__name__)
        self.notices = Seen()
        self.reactor = Reactor()
        self.patch(systemd.Systemd, "_send", lambda _, *lines: self.notices.append(lines[0]))
        self.raised: list[int] = []
        self.patch(signal, "raise_signal", self.raised.append)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.signal(number, lambda number, frame: None))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.listen = f"tcp:{free.getsockname()[1]}:interface=127.0.0.1"

    def settings(self, **more: Any) -> ProcessSettings:
        """Return settings."""
        return settings_of({**WRITTEN, "listen": self.listen, **more})

    def make(self, settings: ProcessSettings | None = None) -> ProcessesService:
        """Make the service."""
        settings = settings or self.settings()
        self.service = ProcessesService(settings, lambda number: Command([number], "/"), reactor=self.reactor)
        return self.service

    def start(self, settings: ProcessSettings | None = None, *, ready: bool = True) -> list[Transport]:
        """Start the service as twistd does; return the processes."""
        service = self.make(settings)
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service._signals._watchdog.stop)
        self.assertEqual(self.reactor.started, [])
        for call, arguments, named in self.reactor.whenRunningHooks:
            call(*arguments, **named)
        for process in self.reactor.started if ready else ():
            process.says(b"ready\n")
        self.addCleanup(self.stop)
        return self.reactor.started

    def stop(self) -> None:
        """Stop the service, and let all processes end."""
        if self.service.running:
            self.service.stopService()
        for child in self.service.children:
            if child.exists:
                child._transport.ends()


class StartTests(ServiceCase):
    """How the processes start."""

    def test_ready(self) -> None:
        """systemd is told when all are ready, and the log says so, and that they are no fleet."""
        first, second = self.start(ready=False)
        self.assertEqual((first.arguments[0], second.arguments[0]), (b"1", b"2"))
        first.says(b"ready\n")
        self.assertEqual(list(self.notices), [])
        second.says(b"ready\n")
        self.assertEqual(list(self.notices), ["READY=1"])
        fleet, ready = self.lines
        self.assertEqual(fleet, "2 processes without a fleet: each refuses two clients of one name only among its own")
        self.assertEqual(ready, "2 processes share the ports")

    def test_failed(self) -> None:
        """If one ends before it is ready, the service ends as after SIGTERM, and the log says which one."""
        settings = self.settings()
        first, second = self.start(replace(settings, values={**settings.values, "fleet": "redis://h"}), ready=False)
        self.assertEqual(list(self.lines), [])  # nothing about a fleet that is missing
        first.says(b"ready\n")
        second.ends()
        self.assertEqual(self.raised, [signal.SIGTERM])
        self.assertIn("cannot start: process 2 has ended before it was ready, with status 0", self.lines[-1])

    def test_restarted_early(self) -> None:
        """One that was ready is started again, even if another one is not ready yet."""
        first, _ = self.start(ready=False)
        first.says(b"ready\n")
        first.ends(KILLED)
        self.reactor.advance(0)
        self.assertEqual((len(self.reactor.started), self.raised), (3, []))

    def test_taken(self) -> None:
        """If somebody else listens at a port, even if he shares it, the service does not start; unless it is wanted."""
        with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
            self.listen = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            error = self.assertRaises(CannotStart, self.make().privilegedStartService)
            self.make(self.settings(**{"share-port": True})).privilegedStartService()
        self.assertEqual(error.code, 1)
        self.assertEqual(list(self.lines), [f"cannot start: {self.listen} cannot be listened at: {os.strerror(98)}"])

    def test_stopped_before(self) -> None:
        """Stopped before the reactor runs, it starts nothing."""
        service = self.make()
        service.startService()
        stopped = service.stopService()
        for call, arguments, named in self.reactor.whenRunningHooks:
            call(*arguments, **named)
        self.assertEqual((self.reactor.started, stopped.called), ([], True))

    def test_log(self) -> None:
        """The application has the log that the settings describe."""
        application: Any = Application("repeater")
        self.make().setServiceParent(application)
        self.assertTrue(application.getComponent(ILogObserver))
        self.assertIs(self.service.parent, IServiceCollection(application))

    def test_options_of_twistd(self) -> None:
        """Options of twistd that cannot hold for the processes are refused."""
        for option in ("chroot", "logger"):
            with self.assertRaisesRegex(
                LoadingError, f"--processes must not be above 1 with the option --{option} of twistd"
            ):
                ProcessesService(self.settings(), lambda number: Command([], "/"), reactor=None, twistd={option: "x"})


class RunTests(ServiceCase):
    """While they run."""

    def test_one_less(self) -> None:
        """One that ends is started again; systemd is told how many run."""
        first, _ = self.start()
        first.ends(KILLED)
        self.reactor.advance(0)
        self.reactor.started[-1].says(b"ready\n")
        self.assertEqual([process.arguments[0] for process in self.reactor.started], [b"1", b"2", b"1"])
        self.assertEqual(list(self.notices), ["READY=1"] * 3)

    def test_blocked(self) -> None:
        """One that says nothing is killed, if systemd watches."""
        first, second = self.start()
        self.reactor.advance(10)
        self.assertEqual((first.signals, second.signals), ([], []))
        self.service._systemd.watchdog = 0.5
        second.says(b"alive\n")
        self.reactor.advance(1)
        self.assertEqual((first.signals, second.signals), (["KILL"], []))
        self.assertEqual(self.lines[-1], "process 1 is blocked, and is killed")

    def test_reload(self) -> None:
        """SIGHUP reloads all, and systemd is told when the last one is done."""
        first, second = self.start()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual((first.orders, second.orders), ([b"reload\n"], [b"reload\n"]))
        first.says(b"ready\n")
        self.assertEqual(list(self.notices), ["READY=1", "RELOADING=1"])
        second.says(b"ready\n")
        self.assertEqual(list(self.notices), ["READY=1", "RELOADING=1", "READY=1"])

    def test_early_hangup(self) -> None:
        """A SIGHUP that came before the service was there counts."""

        def early(number: int, frame: Any) -> None:
            """Handle nothing."""

        early.came = True  # type: ignore[attr-defined]
        signal.signal(signal.SIGHUP, early)
        self.start()
        self.assertEqual(list(self.notices), ["RELOADING=1", "READY=1"])

    def test_wrong_reload(self) -> None:
        """If the file is wrong, the log says so once, and nothing is reloaded."""
        table = f'[repeater.edge]\nlisten = "{self.listen}"\nserver = "tcp:127.0.0.1:1"\ndialect = "lines"\n'
        path = self.write("edge.toml", f"processes = 2\n{table}")
        first, _ = self.start(settings_of({"config": str(path)}))
        self.write("edge.toml", "processes = 2\n")
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(first.orders, [])
        self.assertIn("edge.toml: there is no repeater", self.lines[-1])
        self.assertTrue(self.lines[-1].startswith("not reloaded: "))

    def test_rotate(self) -> None:
        """SIGUSR1 rotates the log files of all, and that of the parent."""
        rotated: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, frame: rotated.append(number))
        first, second = self.start()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual((first.orders, second.orders, rotated), ([b"rotate\n"], [b"rotate\n"], [signal.SIGUSR1]))

    def test_nothing_to_rotate(self) -> None:
        """Without a log file SIGUSR1 is left alone."""
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.start()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_DFL)


class EndTests(ServiceCase):
    """How they end."""

    def end(self, number: int) -> Deferred[None]:
        """Stop the service as after a signal."""
        self.service._signals.first = number
        return self.service.stopService()

    def test_drain(self) -> None:
        """SIGTERM drains all, and the service ends with the last one; nothing is started again or reloaded then."""
        first, second = self.start()
        stopped = self.end(signal.SIGTERM)
        self.service.reload()
        self.assertEqual((first.orders, second.orders), ([b"drain\n"], [b"drain\n"]))
        first.says(b"stopping\n")
        first.ends(KILLED)
        self.assertFalse(stopped.called)
        second.ends()
        self.assertTrue(stopped.called)
        self.assertEqual(len(self.reactor.started), 2)
        self.assertEqual(list(self.notices), ["READY=1", "STOPPING=1"])

    def test_waiting(self) -> None:
        """One that waits to be started again is not waited for."""
        first, second = self.start()
        for process in (first, second):
            process.ends()
        self.assertTrue(self.end(signal.SIGINT).called)
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.started), 2)

    def test_abort(self) -> None:
        """A second signal aborts all, and those that are left after a while are killed."""
        first, second = self.start()
        stopped = self.end(signal.SIGINT)
        self.service._abort()
        self.service._abort()
        self.assertEqual(first.orders, [b"end\n", b"abort\n", b"abort\n"])
        second.ends()
        self.reactor.advance(ABORT_WITHIN)
        self.assertEqual((first.signals, second.signals), (["KILL"], []))
        first.ends(KILLED)
        self.assertTrue(stopped.called)

    def test_aborted_in_time(self) -> None:
        """If all have ended, nobody is killed."""
        first, second = self.start()
        stopped = self.end(signal.SIGTERM)
        self.service._abort()
        for process in (first, second):
            process.ends()
        self.assertTrue(stopped.called)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class CommandTests(SynchronousTestCase):
    """How a process is started."""

    def command(self, twistd: Any = None, **written: Any) -> list[str]:
        """Return what follows the name of the program, for the process 2."""
        from twisted.internet import reactor

        command = command_of(written, reactor, twistd)("2")
        self.assertEqual((command.arguments[0], command.directory), (sys.executable, os.getcwd()))
        self.assertEqual(command.arguments[1:5], ["-c", processes.TWISTD, "--nodaemon", "--pidfile="])
        return list(command.arguments[5:])

    def test_options(self) -> None:
        """It has the same options, each as often as it is given, and a reactor of the same kind."""
        kind = "--reactor=epoll" if "epoll" in str(sys.modules["twisted.internet.reactor"]) else None
        rest = self.command(listen="tcp:1", reload=True, filter=["log", "a:b"])
        self.assertIn(kind, [None, *rest])
        self.assertEqual(rest[0], "--rundir=.")
        start = rest.index("repeater")
        self.assertEqual(
            rest[start - 1 :], ["--logfile=-", "repeater", "--listen=tcp:1", "--reload", "--filter=log", "--filter=a:b"]
        )

    def test_log(self) -> None:
        """It logs where its parent does, but to a file of its own."""
        for twistd, options in (
            ({"nodaemon": True}, ["--logfile=-"]),
            ({"nodaemon": 0, "logfile": None}, ["--logfile=twistd-2.log"]),
            ({"nodaemon": True, "logfile": "/var/log/edge.log"}, ["--logfile=/var/log/edge-2.log"]),
            ({"nodaemon": True, "logfile": "-"}, ["--logfile=-"]),
            ({"nodaemon": False, "syslog": True, "prefix": "edge"}, ["--syslog", "--prefix=edge"]),
            ({"logFile": sys.stdout}, ["--logfile=-"]),  # twist
        ):
            rest = self.command({**twistd, "rundir": "/run"} if "nodaemon" in twistd else twistd)
            self.assertEqual(rest[-len(options) - 1 : -1], options)
            self.assertEqual(rest[0], "--rundir=/run" if "nodaemon" in twistd else "--rundir=.")
