"""A deadline that counts from the last progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

__all__ = ["ProgressDeadline"]

LOOKS = 8
"""How often it is looked for progress within the time allowed without any."""


class ProgressDeadline:
    """Calls ``run_out`` once when ``progress()`` has given the same for ``timeout`` seconds, or after ``at_most``."""

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
        self._timer: Any = None
        self._wait()

    def hurry(self, at_most: float) -> None:
        """Run out at most this many seconds from now, whatever the progress."""
        self._end = min(self._end, self._clock.seconds() + at_most)
        if self._timer is not None:
            self._timer.cancel()
            self._wait()

    def stop(self) -> None:
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
