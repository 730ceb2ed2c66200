"""Deadlines that count from the last progress, and the timers of a link."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["ProgressDeadline", "Timers", "within"]

T = TypeVar("T")

NONE_RUN: dict[Hashable, IDelayedCall | ProgressDeadline] = {}
"""Shared by all links without timers, which nearly all idle ones are: a table that is empty again keeps its size."""

LOOKS = 8
"""How often a deadline looks for progress within the time that it allows without any."""


class ProgressDeadline:
    """Calls ``run_out`` once: ``timeout`` seconds after ``progress()`` last returned something else, or ``at_most``."""

    __slots__ = ("_clock", "_end", "_last", "_progress", "_run_out", "_since", "_timeout", "_timer")

    def __init__(
        self,
        clock: IReactorTime,
        timeout: float,
        progress: Callable[[], object],
        run_out: Callable[[], None],
        *,
        at_most: float = float("inf"),
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._progress = progress
        self._run_out = run_out
        self._last = progress()
        self._since = clock.seconds()
        self._end = self._since + at_most
        self._timer: IDelayedCall | None = None
        self._wait()

    def hurry(self, at_most: float) -> None:
        """Run out at most this many seconds from now, whatever the progress."""
        self._end = min(self._end, self._clock.seconds() + at_most)
        if self._timer is not None:
            self._timer.cancel()
            self._wait()

    def cancel(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        left = min(self._since + self._timeout, self._end) - self._clock.seconds()
        self._timer = self._clock.callLater(max(min(self._timeout / LOOKS, left), 0), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        progress = self._progress()
        if progress != self._last:
            self._last = progress
            self._since = now
        if now >= min(self._since + self._timeout, self._end):
            self._run_out()
        else:
            self._wait()


class Timers:
    """The timers of a link, by their purposes; a purpose has one at most."""

    __slots__ = ("_clock", "_running")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running: dict[Hashable, IDelayedCall | ProgressDeadline] = NONE_RUN

    def call_later(self, purpose: Hashable, delay: float, call: Callable[[], object]) -> None:
        """Call after so many seconds, unless this is stopped before."""
        if purpose in self._running:
            self.stop(purpose)
        self._add(purpose, self._clock.callLater(delay, self._run, purpose, call))

    def call_without_progress(
        self,
        purpose: Hashable,
        timeout: float,
        progress: Callable[[], object],
        call: Callable[[], object],
        at_most: float = float("inf"),
    ) -> None:
        """Call when a `ProgressDeadline` has run out, unless one for this purpose is running already."""
        if purpose not in self._running:
            run_out = partial(self._run, purpose, call)
            self._add(purpose, ProgressDeadline(self._clock, timeout, progress, run_out, at_most=at_most))

    def _add(self, purpose: Hashable, timer: IDelayedCall | ProgressDeadline) -> None:
        if self._running:
            self._running[purpose] = timer
        else:
            self._running = {purpose: timer}

    def _run(self, purpose: Hashable, call: Callable[[], object]) -> None:
        self._remove(purpose)
        call()

    def _remove(self, purpose: Hashable) -> IDelayedCall | ProgressDeadline | None:
        timer = self._running.pop(purpose, None)
        if not self._running:
            self._running = NONE_RUN
        return timer

    def __contains__(self, purpose: Hashable) -> bool:
        return purpose in self._running

    def hurry(self, purpose: Hashable, at_most: float) -> None:
        """Let a `ProgressDeadline`, if there is one, run out at most so many seconds from now."""
        deadline = self._running.get(purpose)
        if isinstance(deadline, ProgressDeadline):
            deadline.hurry(at_most)

    def stop(self, *purposes: Hashable) -> bool:
        """Stop the timers of some purposes. Return whether any ran."""
        stopped = False
        if self._running:  # most links mostly have none
            for purpose in purposes:
                timer = self._remove(purpose)
                if timer is not None:
                    timer.cancel()
                    stopped = True
        return stopped

    def stop_all(self) -> None:
        """Stop them all."""
        running, self._running = self._running, NONE_RUN
        for timer in running.values():
            timer.cancel()


def within(deferred: Deferred[T], timeout: float, clock: IReactorTime, error: Callable[[], Exception]) -> Deferred[T]:
    """Have a Deferred fail with an error, made when it is needed, unless it fires within so many seconds."""

    def too_late(result: object, _: float) -> T:
        raise error()

    return deferred.addTimeout(max(timeout, 0), clock, onTimeoutCancel=too_late)
