"""When a process is reloaded: on SIGHUP, on request, and when files change; and what the log says."""

from __future__ import annotations

import os
import signal
from importlib import import_module
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from twisted_repeater.service import reload
from twisted_repeater.service.changes import ReloadAnswer
from twisted_repeater.service.reload import Reload, let_hangup_end

from ..peers import Seen, turn

reactor: Any = installed_reactor

dropin: Any = import_module("twisted.plugins.repeater_dropin")

DONE = [ReloadAnswer("edge", None, {"filter": "applied"})]


class Modules:
    """Says whether files have changed, or raises what it is told to."""

    def __init__(self) -> None:
        self.says: list[Any] = []
        self.passing = False

    def changed(self) -> bool:
        """See `FilterModules`."""
        said = self.says.pop(0) if self.says else False
        if isinstance(said, BaseException):
            raise said
        return bool(said)


class Process:
    """A process that gives the answers that it is told to give."""

    def __init__(self) -> None:
        self.modules: Any = Modules()
        self.answers: list[Any] = []
        self.asked = Seen()

    def change(self, only: str | None) -> list[ReloadAnswer]:
        """See `RepeaterService`."""
        self.asked.append(only)
        answer = self.answers.pop(0) if self.answers else DONE
        if isinstance(answer, BaseException):
            raise answer
        result: list[ReloadAnswer] = answer
        return result


class ReloadCase(TestCase):
    """A test case with a process whose reloads are logged."""

    def setUp(self) -> None:
        """Record the log."""
        self.process = Process()
        self.lines: list[str] = []
        self.fields: list[Any] = []
        observer: Any = self.record
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def record(self, event: LogEvent) -> None:
        """Record a line."""
        if event["log_namespace"] == reload.__name__:
            self.lines.append(formatEvent(event))
            self.fields.append(event.get("repeater"))

    def start(self, clock: Any, *, watch: bool = False) -> Reload:
        """Start."""
        reloads = Reload(self.process, clock)
        reloads.start()
        reloads.begun(watch=watch)
        self.addCleanup(reloads.stop)
        return reloads


class SignalTests(ReloadCase):
    """SIGHUP."""

    async def test_hangup(self) -> None:
        """SIGHUP reloads everything; when the process has ended, its old handler is back."""
        got: list[int] = []
        before = signal.signal(signal.SIGHUP, lambda number, frame: got.append(number))
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        reloads = self.start(reactor)
        os.kill(os.getpid(), signal.SIGHUP)
        await self.process.asked.reach(1)
        self.assertEqual((self.process.asked, self.lines), ([None], ["reloaded; applied: filter"]))
        reloads.stop()
        os.kill(os.getpid(), signal.SIGHUP)
        while not got:
            await turn()
        self.assertEqual(len(self.process.asked), 1)

    async def test_early(self) -> None:
        """A SIGHUP before all repeaters run is remembered, also by the handler before ours, and reloads once then."""
        for came in (False, True):
            early = dropin.EarlyHangup(signal.SIG_DFL)
            self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, early))
            if came:
                os.kill(os.getpid(), signal.SIGHUP)
                while not early.came:
                    await turn()
            reloads = Reload(self.process, reactor)
            self.addCleanup(reloads.stop)
            reloads.start()
            if not came:
                os.kill(os.getpid(), signal.SIGHUP)
                os.kill(os.getpid(), signal.SIGHUP)
            await turn(3)
            self.assertEqual(self.process.asked, [])
            reloads.begun(watch=False)
            await self.process.asked.reach(1)
            await turn(3)
            self.assertEqual(self.process.asked, [None])
            self.process.asked.clear()
            reloads.stop()

    def test_given_back(self) -> None:
        """A command that reloads nothing ends by SIGHUP, also by one that came before, unless that was ignored."""
        got: list[int] = []
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        for usual in (signal.SIG_DFL, signal.SIG_IGN, lambda number, frame: None):
            for handler in (dropin.EarlyHangup(usual), usual):
                signal.signal(signal.SIGHUP, handler)
                let_hangup_end()
                self.assertIs(signal.getsignal(signal.SIGHUP), usual)
        early = dropin.EarlyHangup(lambda number, frame: got.append(number))
        early.came = True
        signal.signal(signal.SIGHUP, early)
        let_hangup_end()
        self.assertEqual(got, [signal.SIGHUP])
        self.patch(reload, "SIGHUP", None)
        let_hangup_end()

    def test_no_hangup(self) -> None:
        """Where the system has no SIGHUP, a process is reloaded on request all the same."""
        self.patch(reload, "SIGHUP", None)
        reloads = self.start(Clock())
        self.assertEqual(reloads.now("edge"), DONE)
        self.assertEqual(self.process.asked, ["edge"])


class WatchTests(ReloadCase):
    """Files that are watched."""

    def test_changed(self) -> None:
        """Files are looked at each second, and a change reloads; the end stops that."""
        clock = Clock()
        reloads = self.start(clock, watch=True)
        self.process.modules.says = [False, True]
        clock.pump([1, 1, 1])
        self.assertEqual(self.process.asked, [None])
        reloads.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_passing_failure(self) -> None:
        """A failure that each look repeats is logged once, and again after a reload that was asked for."""
        clock = Clock()
        reloads = self.start(clock, watch=True)
        self.process.modules.says = [True] * 4
        self.process.modules.passing = True
        self.process.answers = [[ReloadAnswer("", "too many files")]] * 5
        clock.pump([1, 1])
        reloads.now()
        clock.pump([1])
        self.assertEqual(self.lines, ["not reloaded: too many files"] * 3)

    def test_look_that_fails(self) -> None:
        """A look that fails is logged, once for each way in which it does, and repeated."""
        clock = Clock()
        self.start(clock, watch=True)
        self.process.modules.says = [OSError(24, "too many files"), OSError(24, "too many files"), SystemExit(), True]
        clock.pump([1, 1, 1, 1])
        trouble = "cannot look whether the files of the filters have changed; trying again"
        self.assertEqual(self.lines, [trouble, trouble, "reloaded; applied: filter"])
        self.assertEqual(len(self.flushLoggedErrors(OSError, SystemExit)), 2)

    def test_interrupted(self) -> None:
        """Ctrl-C while the files are looked at reaches whoever runs the reactor, and they are looked at again."""
        clock = Clock()
        self.start(clock, watch=True)
        self.process.modules.says = [KeyboardInterrupt(), True]
        self.assertRaises(KeyboardInterrupt, clock.advance, 1)
        clock.advance(1)
        self.assertEqual(self.process.asked, [None])


class LogTests(ReloadCase):
    """What the log says."""

    def test_answers(self) -> None:
        """There is a line for each repeater, with what was applied and what needs a restart."""
        reloads = self.start(Clock())
        keys: Any = {"filter": "applied", "listen": "restart needed", "server": "applied"}
        self.process.answers = [
            [],
            [ReloadAnswer("edge", None, keys), ReloadAnswer("", None, {"admin-host": "applied"})],
        ]
        reloads.now()
        reloads.now()
        self.assertEqual(
            self.lines,
            [
                "reloaded: nothing has changed",
                "reloaded; applied: filter, server; restart needed: listen",
                "reloaded; applied: admin-host",
            ],
        )
        self.assertEqual(self.fields, [None, "edge", None])

    def test_errors(self) -> None:
        """Each error has a line, in which nothing can forge another line."""
        reloads = self.start(Clock())
        self.process.answers = [[ReloadAnswer("edge", "no\nway"), ReloadAnswer("", "wrong")]]
        reloads.now()
        start = "not reloaded: "
        self.assertEqual(self.lines, [rf"{start}no\nway", f"{start}wrong"])

    def test_bug(self) -> None:
        """A reload that raises is logged, and answered as a failure."""
        reloads = self.start(Clock())
        self.process.answers = [OSError(24, "too many files"), KeyboardInterrupt()]
        self.assertEqual(reloads.now(), [ReloadAnswer("", "OSError during the reload; see the log")])
        self.assertEqual(self.lines, ["cannot reload"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertRaises(KeyboardInterrupt, reloads.now)
