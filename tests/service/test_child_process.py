"""A process as its parent sees it; real ones are in ``test_twistd_processes.py``."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service import child_process
from twisted_repeater.service.child_process import LONGEST_DELAY, STABLE, ChildProcess, Command

from ..logged import lines_logged

KILLED = ProcessTerminated(signal=signal.SIGKILL)


class Transport:
    """A process."""

    def __init__(self, protocol: Any, arguments: tuple[Any, ...], named: Any) -> None:
        self.protocol = protocol
        self.arguments = arguments
        self.named = named
        self.orders: list[bytes] = []
        self.signals: list[str] = []
        self.closed: list[int] = []
        protocol.makeConnection(self)

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        """See `IProcessTransport`."""
        if self.closed or descriptor != 3:
            raise KeyError(descriptor)
        self.orders.append(data)

    def signalProcess(self, name: str) -> None:
        """See `IProcessTransport`."""
        if self.closed:
            raise ProcessExitedAlready
        self.signals.append(name)

    def closeChildFD(self, descriptor: int) -> None:
        """See `IProcessTransport`."""
        self.closed.append(descriptor)

    def says(self, *notices: bytes) -> None:
        """Tell the parent something."""
        for notice in notices:
            self.protocol.childDataReceived(4, notice)

    def ends(self, reason: Exception | None = None) -> None:
        """End."""
        self.protocol.processExited(Failure(reason or ProcessDone(0)))


class Reactor(Clock):
    """A reactor that starts no processes."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Transport] = []

    def spawnProcess(self, protocol: Any, *arguments: Any, **named: Any) -> Transport:
        """See `IReactorProcess`."""
        self.started.append(Transport(protocol, arguments, named))
        return self.started[-1]


class ChildTests(SynchronousTestCase):
    """One process."""

    def setUp(self) -> None:
        """Start it."""
        self.lines = lines_logged(self, child_process.__name__)
        self.reactor = Reactor()
        self.changes = 0
        self.child = ChildProcess("2", Command(["python", "-c", "x"], "/etc"), self.reactor, self.changed)
        self.assertFalse(self.child.exists)
        self.child.start()

    def changed(self, child: ChildProcess) -> None:
        """See `ChildProcess`."""
        self.assertIs(child, self.child)
        self.changes += 1

    @property
    def process(self) -> Transport:
        """The process that was started last."""
        return self.reactor.started[-1]

    def test_started(self) -> None:
        """It gets its number, and pipes whose descriptors the environment has."""
        executable, arguments, environment, directory = self.process.arguments
        self.assertEqual((executable, arguments, directory), (b"python", [b"python", b"-c", b"x"], b"/etc"))
        self.assertEqual(environment[b"TWISTED_REPEATER_PROCESS"], b"2")
        self.assertEqual(environment[b"TWISTED_REPEATER_CHANNEL"], b"3,4")
        self.assertEqual(self.process.named, {"childFDs": {0: 0, 1: 1, 2: 2, 3: "w", 4: "r"}})

    def test_ready(self) -> None:
        """It is ready when it says so, until it says that it stops; what it says may come in parts."""
        self.assertEqual((self.child.exists, self.child.ready, self.child.was_ready), (True, False, False))
        self.process.says(b"re", b"ady\nali", b"ve\n")
        self.assertEqual((self.child.ready, self.changes), (True, 1))
        self.process.says(b"stopping\n")
        self.assertEqual((self.child.ready, self.child.was_ready, self.changes), (False, True, 2))

    def test_reload(self) -> None:
        """It reloads, and says when that is over; one that starts reloads when it is ready."""
        self.child.reload()
        self.assertEqual((self.child.reloading, self.process.orders), (True, []))
        self.process.says(b"ready\n")
        self.assertEqual((self.child.reloading, self.process.orders), (True, [b"reload\n"]))
        self.process.says(b"ready\n")
        self.assertEqual((self.child.reloading, self.changes), (False, 2))
        self.child.reload()
        self.assertEqual(self.process.orders, [b"reload\n"] * 2)
        self.process.ends()
        self.child.reload()
        self.assertEqual((self.child.reloading, self.changes), (False, 3))

    def test_ended(self) -> None:
        """Its end is a change, and closes the pipes. Nothing can be ordered then, and what it has said is not read."""
        self.process.says(b"ready\n")
        self.process.closed.append(3)
        self.child.order("abort")
        self.child.kill()
        self.process.closed.clear()
        self.child.kill()
        self.process.ends(KILLED)
        self.assertEqual((self.child.exists, self.child.ready, self.changes), (False, False, 2))
        self.assertEqual((self.process.signals, sorted(self.process.closed)), (["KILL"], [3, 4]))
        self.process.says(b"ready\n")
        self.child.order("abort")
        self.child.kill()
        self.assertEqual((self.changes, self.child.ready), (2, False))

    def test_again(self) -> None:
        """Another is started at once, then later and later, until one has run for a while."""
        delays = []
        for _ in range(9):
            self.process.ends(ProcessTerminated(1))
            self.child.start_again()
            (call,) = self.reactor.getDelayedCalls()
            delays.append(call.getTime() - self.reactor.seconds())
            self.reactor.advance(delays[-1])
        self.assertEqual(delays, [0, 1, 2, 4, 8, 16, LONGEST_DELAY, LONGEST_DELAY, LONGEST_DELAY])
        self.process.says(b"ready\n")
        self.reactor.advance(STABLE)
        self.process.ends(KILLED)
        self.child.start_again()
        self.assertEqual(self.reactor.getDelayedCalls()[0].getTime(), self.reactor.seconds())
        self.assertEqual(self.lines[1], "process 2 has ended, with status 1; it is started again in 1 seconds")
        self.assertEqual(self.lines[-1], "process 2 has ended, by SIGKILL; it is started again now")

    def test_stop(self) -> None:
        """No other is started after it is stopped, and it does not reload."""
        self.child.reload()
        self.child.stop()
        self.process.says(b"ready\n")
        self.assertEqual(self.process.orders, [])
        self.process.ends()
        self.child.start_again()
        self.child.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_silent(self) -> None:
        """One that is ready must say now and then that it lives."""
        self.reactor.advance(100)
        self.assertFalse(self.child.is_silent(3))
        self.process.says(b"ready\n")
        self.reactor.advance(2)
        self.process.says(b"alive\n")
        self.reactor.advance(2)
        self.assertFalse(self.child.is_silent(3))
        self.reactor.advance(2)
        self.assertTrue(self.child.is_silent(3))
