"""SIGTERM and Ctrl-C: the first one ends the process in good order, the second one hurries that."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger

from .._types import Reactor
from .watchdog import Watchdog

__all__ = ["ShutdownSignals"]

log: Logger = Logger()


class ShutdownSignals:
    """Receives SIGTERM and SIGINT before the reactor does, and watches the reactor.

    The first signal goes to the reactor, which stops. A second one calls ``abort`` in the reactor. If a filter blocks
    the reactor, for example in a loop, the reactor can do neither. Then the second signal ends the process at once,
    and removes ``pid_file``, as twistd would have done. While the reactor answers, ``on_alive`` is called in it.

    Python runs a signal handler only between two steps of Python code. So only SIGKILL ends C code that blocks and that
    signals do not interrupt.
    """

    def __init__(
        self,
        reactor: Reactor,
        abort: Callable[[], object],
        pid_file: str | None = None,
        on_alive: Callable[[], object] = lambda: None,
    ) -> None:
        self._reactor = reactor
        self._abort = abort
        self._pid_file = pid_file
        self.first: int = 0
        """The first signal, 0 before it comes."""
        self._watchdog = Watchdog(reactor, self._stalled, on_alive)
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._triggers: list[object] = []
        self._ending = False
        """Whether the reactor is stopping, or was told to stop."""
        self._second = 0
        """The second signal, 0 before it comes."""
        self._forgives = False
        """Whether the next signal is still the first, as the end was begun by `begin`."""
        self._stopped = False

    def start(self) -> None:
        """Begin when the reactor runs, because it installs its own handlers then. A test's clock is left alone."""
        if IReactorCore.providedBy(self._reactor):
            self._reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        if self._stopped:
            return
        add = self._reactor.addSystemEventTrigger
        self._triggers += [
            add("before", "shutdown", self._reactor_stops),
            add("after", "shutdown", self._watchdog.stop),
        ]
        self._watchdog.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before) and before is not signal.default_int_handler:
                self._before[number] = before
                signal.signal(number, self._received)

    def stop(self) -> None:
        """Restore the handlers, unless the process is ending: the reactor's own cannot stop it twice."""
        self._stopped = True
        if self._ending:
            return
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()
        for trigger in self._triggers:
            self._reactor.removeSystemEventTrigger(trigger)
        self._triggers.clear()
        self._watchdog.stop()

    def begin(self, number: int) -> None:
        """End as after this first signal, unless one has come. It may still come, and then does nothing more.

        Call this in the reactor.
        """
        if not self._ending:
            self._ending = self._forgives = True
            self.first = number
            before = self._before.get(number)
            if before is None:  # it is ignored, for example in the background of a shell
                self._reactor.stop()
            else:
                before(number, None)

    def _reactor_stops(self) -> None:
        self._ending = True

    def _received(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal. Python calls this between any two steps of the program."""
        if not self._ending:
            self._ending = True
            self.first = number
            self._before[number](number, frame)
        elif self._forgives:
            self._forgives = False
        elif self._watchdog.stalled:
            self._end_now(number, frame)
        else:
            self._second = number
            self._reactor.callFromThread(self._abort_all, number)

    def _abort_all(self, number: int) -> None:
        log.info("a second signal, {name}: every connection is aborted", name=signal.Signals(number).name)
        self._abort()

    def _stalled(self) -> None:
        """Repeat the second signal, because the blocked reactor cannot abort. Called in the watchdog's thread.

        It is sent to the reactor's thread, which is the one that handles signals: there it also interrupts a call such
        as ``time.sleep``.
        """
        if self._second and hasattr(signal, "pthread_kill"):  # Windows has no signals for threads
            signal.pthread_kill(self._watchdog.watched, self._second)

    def _end_now(self, number: int, frame: FrameType | None) -> None:
        """End the process by a signal, although the reactor is blocked.

        twistd ends by the signal that it got, too, but only after the reactor has stopped, and in a private function.
        """
        signal.signal(number, signal.SIG_DFL)
        try:
            who, where = self._watchdog.look(frame)
            name = signal.Signals(number).name
            log.critical(
                "a second signal, {name}, while {who} blocks the reactor {where}: the process ends as it is",
                name=name,
                who=who,
                where=where,
            )
            if self._pid_file:
                with suppress(OSError):
                    os.unlink(self._pid_file)
        finally:
            signal.raise_signal(number)
