"""The thread that notices when something blocks the reactor."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service import watchdog as _watchdog
from twisted_repeater.service.watchdog import Watchdog, stack_text

NAME = _watchdog.__name__

LONGEST = 60.0
"""Seconds; a bound for a test that hangs, far above what any takes."""


class Reactor:
    """As much of a reactor as the watchdog knows; it answers when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], None]] = []
        self._changed = threading.Condition()

    def callFromThread(self, call: Callable[..., None], *arguments: Any) -> None:
        """See `IReactorFromThreads`."""
        with self._changed:
            self.asked.append(lambda: call(*arguments))
            self._changed.notify_all()

    def answer(self, number: int = 1) -> None:
        """Wait until it was asked so often, and answer the last question."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= number, LONGEST)
        self.asked[-1]()


class WatchingTests(SynchronousTestCase):
    """The log."""

    def setUp(self) -> None:
        """Watch a reactor, which is this thread, for short times."""
        self.patch(_watchdog, "LOOK_EVERY", 0.001)
        self.lines: list[str] = []
        self.logged = threading.Condition()
        observer: Any = self.record
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.reactor = Reactor()
        self.stalls = 0
        self.watchdog = Watchdog(self.reactor, self.stall)
        self.addCleanup(self.end)

    def record(self, event: LogEvent) -> None:
        """Record the log of the watchdog."""
        if event["log_namespace"] == NAME:
            with self.logged:
                self.lines.append(formatEvent(event))
                self.logged.notify_all()

    def stall(self) -> None:
        """The watchdog says that the reactor is blocked."""
        with self.logged:
            self.stalls += 1
            self.logged.notify_all()

    def end(self) -> None:
        """End the thread."""
        self.watchdog.stop()
        if self.watchdog._thread.ident is not None:
            self.watchdog._thread.join(LONGEST)
        self.assertFalse(self.watchdog._thread.is_alive())

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Keep this thread, as a filter that blocks would, until something is so."""
        with self.logged:
            self.assertTrue(self.logged.wait_for(condition, LONGEST))

    def test_quiet(self) -> None:
        """A reactor that answers is asked again and again, and nothing is logged."""
        self.watchdog.start()
        for number in range(1, 6):
            self.reactor.answer(number)
        self.assertFalse(self.watchdog.stalled)
        self.assertEqual((self.lines, self.stalls), ([], 0))

    def test_stall(self) -> None:
        """What keeps it is logged once with its name and place, and again when that is over; then again."""
        self.patch(_watchdog, "TOO_LONG", 0.01)
        self.watchdog.start()
        for number in (1, 2):
            self.stalls = 0
            self.wait_for(lambda: self.stalls > 3)
            self.assertTrue(self.watchdog.stalled)
            self.assertEqual(len(self.reactor.asked), number)
            self.reactor.answer(number)
            kept, let_go = self.lines[-2:]
            self.assertRegex(
                kept, r"^\S+:\S+ has blocked the reactor for \d+\.\d seconds, and nobody is served meanwhile; "
            )
            self.assertRegex(kept, r"served meanwhile; it is at \S+:\d+ in \S+")
            who = kept.partition(" has blocked ")[0]
            self.assertRegex(let_go, rf"^{re.escape(who)} released the reactor after \d+\.\d seconds$")
            self.assertEqual(len(self.lines), 2 * number)

    def test_unseen(self) -> None:
        """What kept every thread waiting is logged when it is over."""
        self.patch(_watchdog, "TOO_LONG", 0.0)
        self.patch(_watchdog, "LOOK_EVERY", LONGEST)
        question = _watchdog._Question()
        time.sleep(0.001)  # the clock has moved
        self.watchdog._answer(question)
        (line,) = self.lines
        self.assertRegex(line, r"^something unknown blocked the reactor for \d+\.\d seconds$")

    def test_never_started(self) -> None:
        """One that was never started can be stopped."""
        self.watchdog.stop()
        self.assertFalse(self.watchdog.stalled)


class Filter:
    """A filter of the application's, whose stack is looked at."""

    def decide(self, look: Callable[[], Any]) -> Any:
        """Look at the stack from a function that it calls."""
        return inner(look)


def inner(look: Callable[[], Any]) -> Any:
    """A function of the application."""
    return look()


class StackTests(SynchronousTestCase):
    """The description of a stack."""

    def look(self) -> tuple[str, str]:
        """Tell from here."""
        return stack_text(sys._getframe())

    def test_application(self) -> None:
        """It is kept by the outermost function of the application that the reactor called; the innermost come first."""
        fired: Deferred[Any] = Deferred()
        fired.addCallback(lambda _: Filter().decide(self.look))
        found: list[tuple[str, str]] = []
        fired.addCallback(found.append)
        fired.callback(None)
        ((who, where),) = found
        self.assertEqual(who, f"{__name__}:StackTests.test_application.<locals>.<lambda>")
        names = [place.rpartition(" in ")[2] for place in where.split(", called ")]
        self.assertEqual(names, ["StackTests.look", "inner", "Filter.decide", who.partition(":")[2]])
        self.assertRegex(where, rf"^at {__file__}:\d+ in ")

    def test_no_application(self) -> None:
        """Where no function of the application is there, it is the innermost of all."""
        namespace: dict[str, Any] = {"__name__": "twisted.internet.base", "sys": sys, "told": []}
        exec("def busy(tell):\n    told.append(tell(sys._getframe()))\n", namespace)
        namespace["busy"](lambda frame: stack_text(frame))
        ((who, where),) = namespace["told"]
        self.assertEqual((who, where), ("twisted.internet.base:busy", "at <string>:2 in busy"))

    def test_thread_pool(self) -> None:
        """As the process ends, it is kept by threads that do not: that is said, and not that somebody joins them."""
        pool, told = ThreadPool(), []
        worker: Any = SimpleNamespace(join=lambda: told.append(self.look()))
        pool.threads.append(worker)
        pool.stop()
        ((who, where),) = told
        self.assertEqual(who, "a thread that has not ended, such as the look-up of a name,")
        self.assertRegex(where, rf"^at {__file__}:\d+ in StackTests.look$")

    def test_long(self) -> None:
        """Of a deep stack the innermost places are told."""

        def deeper(depth: int) -> tuple[str, str]:
            return deeper(depth - 1) if depth else stack_text(sys._getframe())

        _, where = deeper(50)
        self.assertEqual(where.count(", called "), 3)

    def test_nothing(self) -> None:
        """A thread that has ended has no stack."""
        self.assertEqual(stack_text(None), ("something", "at an unknown place"))

    def test_odd_names(self) -> None:
        """Names that could break the line are escaped."""
        namespace: dict[str, Any] = {"__name__": "twisted.internet.odd\n", "sys": sys}
        exec(compile("def f():\n    return sys._getframe()\n", "a\nb", "exec"), namespace)
        frame = namespace["f"]()
        who, where = stack_text(frame)
        self.assertEqual((who, where.partition(", ")[0]), ("twisted.internet.odd\\n:f", "at a\\nb:2 in f"))
