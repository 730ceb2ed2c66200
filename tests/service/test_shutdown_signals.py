"""The second SIGTERM or Ctrl-C, with real signals; the processes are in ``test_twistd.py``."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service import shutdown_signals
from twisted_repeater.service import watchdog as _watchdog
from twisted_repeater.service.shutdown_signals import ShutdownSignals

from ..logged import lines_logged

BOTH = (signal.SIGTERM, signal.SIGINT)


class Reactor(MemoryReactorClock):
    """A reactor in memory, in which what threads ask for is done when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []
        self.removed: list[Any] = []

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        """See `IReactorFromThreads`."""
        self.calls.append((call, arguments))

    def addSystemEventTrigger(  # type: ignore[override]
        self, phase: str, event: str, call: Any, *arguments: Any, **named: Any
    ) -> Any:
        """See `IReactorCore`."""
        super().addSystemEventTrigger(phase, event, call, *arguments, **named)
        return (phase, event, call)

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """See `IReactorCore`."""
        phase, event, call = triggerID
        self.triggers[phase][event].remove((call, (), {}))

    def run_calls(self) -> None:
        """Do as asked."""
        calls, self.calls = self.calls, []
        for call, arguments in calls:
            call(*arguments)


class SignalCase(SynchronousTestCase):
    """A test case in whose process the reactor's handlers only record, and nothing is killed."""

    def setUp(self) -> None:
        """Put them in place."""
        self.reactor = Reactor()
        self.got: list[int] = []
        self.aborted = 0
        self.killed: list[tuple[int, Any]] = []
        self.lines = lines_logged(self, shutdown_signals.__name__)
        for number in BOTH:
            before = signal.signal(number, self.reactor_gets)
            self.addCleanup(signal.signal, number, before)

    def reactor_gets(self, number: int, frame: Any) -> None:
        """The handler of the reactor."""
        self.got.append(number)

    def abort(self) -> None:
        """See `ShutdownSignals`."""
        self.aborted += 1

    def start(self, pid_file: str | None = None) -> ShutdownSignals:
        """Start, and let the reactor run."""
        signals = ShutdownSignals(self.reactor, self.abort, pid_file)
        signals.start()
        self.assertIs(signal.getsignal(signal.SIGTERM), self.handler)  # the reactor has yet to put its own there
        self.run_reactor()
        self.addCleanup(signals._watchdog.stop)
        return signals

    @property
    def handler(self) -> Any:
        """The handler of the reactor, as it is in place."""
        return next(handler for handler in [signal.getsignal(signal.SIGTERM)] if handler == self.reactor_gets)

    def run_reactor(self) -> None:
        """The reactor runs now."""
        hooks, self.reactor.whenRunningHooks = self.reactor.whenRunningHooks, []
        for call, arguments, named in hooks:
            call(*arguments, **named)


class HandlerTests(SignalCase):
    """Which signal does what."""

    def test_stall_alone(self) -> None:
        """A kept reactor ends nothing as long as no second signal came."""
        killed: list[int] = []
        self.patch(signal, "pthread_kill", lambda thread, number: killed.append(number))
        signals = self.start()
        signals._stalled()
        signals._received(signal.SIGTERM, None)
        signals._stalled()
        self.assertEqual(killed, [])
        signals._received(signal.SIGINT, None)
        signals._stalled()
        self.assertEqual(killed, [signal.SIGINT])

    def test_first(self) -> None:
        """The first one goes to the reactor's own handler."""
        for number in BOTH:
            signals = self.start()
            os.kill(os.getpid(), number)
            self.assertEqual((self.got.pop(), self.aborted), (number, 0))
            signals._ending = False
            signals.stop()

    def test_second(self) -> None:
        """The second, and any later one, aborts, in the reactor, and doesn't go to its handler; the log says so."""
        self.start()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        self.assertEqual((self.got, self.aborted), ([signal.SIGTERM], 0))
        self.reactor.run_calls()
        self.assertEqual(self.aborted, 2)
        self.assertEqual(self.lines[0], "a second signal, SIGINT: every connection is aborted")

    def test_begun(self) -> None:
        """The end that another process orders is as after a signal; that signal may still come, another one aborts."""
        signals = self.start()
        signals.begin(signal.SIGTERM)
        signals.begin(signal.SIGINT)
        self.assertEqual((self.got, signals.first), ([signal.SIGTERM], signal.SIGTERM))
        os.kill(os.getpid(), signal.SIGTERM)
        self.reactor.run_calls()
        self.assertEqual((self.got, self.aborted), ([signal.SIGTERM], 0))
        os.kill(os.getpid(), signal.SIGTERM)
        self.reactor.run_calls()
        self.assertEqual((self.got, self.aborted), ([signal.SIGTERM], 1))

    def test_begun_although_ignored(self) -> None:
        """Such an end stops the reactor even if the signal is ignored, and does nothing after a signal."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signals = self.start()
        signals.begin(signal.SIGINT)
        self.assertEqual((self.got, self.reactor.hasStopped, signals.first), ([], True, signal.SIGINT))

    def test_reactor_that_stops(self) -> None:
        """A signal that comes when the reactor stops for another reason is a second one; its end ends the thread."""
        signals = self.start()
        for phase in ("before", "after"):
            for call, arguments, named in self.reactor.triggers[phase]["shutdown"]:
                call(*arguments, **named)
        os.kill(os.getpid(), signal.SIGTERM)
        self.reactor.run_calls()
        self.assertEqual((self.got, self.aborted), ([], 1))
        signals._watchdog._thread.join(60)
        self.assertFalse(signals._watchdog._thread.is_alive())

    def test_stop(self) -> None:
        """Stopped in a process that goes on, it leaves everything as it was."""
        signals = self.start()
        signals.stop()
        self.assertEqual([signal.getsignal(number) for number in BOTH], [self.reactor_gets] * 2)
        self.assertEqual(self.reactor.triggers, {"before": {"shutdown": []}, "after": {"shutdown": []}})

    def test_stop_at_the_end(self) -> None:
        """Stopped by the end of the process it stays: a later signal still must not go to the reactor."""
        signals = self.start()
        os.kill(os.getpid(), signal.SIGTERM)
        signals.stop()
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.got, [signal.SIGTERM])

    def test_stopped_before(self) -> None:
        """Stopped before the reactor runs it does nothing."""
        signals = ShutdownSignals(self.reactor, self.abort)
        signals.start()
        signals.stop()
        self.run_reactor()
        self.assertEqual(signal.getsignal(signal.SIGTERM), self.reactor_gets)

    def test_other_handlers(self) -> None:
        """Signals that are ignored, or have their default effect, stay so."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signals = ShutdownSignals(self.reactor, self.abort)
        signals.start()
        self.run_reactor()
        self.addCleanup(signals.stop)
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_IGN)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_clock(self) -> None:
        """For a mere clock, as tests use in place of a reactor, nothing is done."""
        signals = ShutdownSignals(Clock(), self.abort)
        signals.start()
        signals.stop()
        self.assertEqual(signal.getsignal(signal.SIGTERM), self.reactor_gets)


class StalledTests(SignalCase):
    """Where something blocks the reactor."""

    def setUp(self) -> None:
        """Take every reactor that doesn't answer for a stalled one, at once."""
        super().setUp()
        self.patch(_watchdog, "LOOK_EVERY", 0.001)
        self.patch(_watchdog, "TOO_LONG", 0.0)
        self.killing = threading.Condition()
        self.patch(signal, "raise_signal", lambda number: self.record_kill(0, number))
        self.patch(signal, "pthread_kill", self.record_kill)
        self.pid_file = Path(self.mktemp())
        self.pid_file.write_text("1")

    def record_kill(self, thread: int, number: int) -> None:
        """A signal is sent."""
        with self.killing:
            self.killed.append((number, signal.getsignal(number)))
            self.killing.notify_all()

    def test_second(self) -> None:
        """The second ends the process at once by that signal, with its pid file removed; the log says what kept it."""
        signals = self.start(str(self.pid_file))
        os.kill(os.getpid(), signal.SIGTERM)
        while not signals._watchdog.stalled:
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertIn((signal.SIGTERM, signal.SIG_DFL), self.killed)
        self.assertFalse(self.pid_file.exists())
        self.assertRegex(self.lines[0], r"^a second signal, SIGTERM, while \S+ blocks the reactor at \S+:\d+ in \S+")

    def test_no_pid_file(self) -> None:
        """So it does without such a file, or where that is gone already."""
        for name in (None, self.mktemp()):
            self.killed.clear()
            signals = self.start(name)
            os.kill(os.getpid(), signal.SIGINT)
            while not signals._watchdog.stalled:
                pass
            os.kill(os.getpid(), signal.SIGINT)
            self.assertIn((signal.SIGINT, signal.SIG_DFL), self.killed)
            signal.signal(signal.SIGINT, self.reactor_gets)
            signal.signal(signal.SIGTERM, self.reactor_gets)
            signals._watchdog.stop()

    def test_second_soon(self) -> None:
        """A second that comes before it is clear that the reactor is kept is sent again by the thread."""
        signals = self.start(str(self.pid_file))
        signals._ending = True
        self.patch(_watchdog, "TOO_LONG", 60.0)
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.killed, [])
        self.patch(_watchdog, "TOO_LONG", 0.0)
        with self.killing:
            self.assertTrue(self.killing.wait_for(lambda: self.killed, 60))
        self.assertEqual(self.killed[0], (signal.SIGTERM, signals._received))
