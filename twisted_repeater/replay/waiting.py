"""Waits for something that tells when it changes, within a time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Waiting"]


class Waiting:
    """Waits until a condition holds, or a time is over. One waits at a time.

    Args:
        clock: the reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._condition: Callable[[], object] | None = None
        self._done: Deferred[bool] | None = None
        self._timer: IDelayedCall | None = None

    @property
    def waits(self) -> bool:
        """Whether somebody waits."""
        return self._condition is not None

    async def until(self, condition: Callable[[], object], seconds: float | None = None) -> bool:
        """Wait until a condition holds; return whether it does. `look` must be called when it may hold."""
        if condition():
            return True
        self._condition, self._done = condition, Deferred()
        if seconds is not None:
            self._timer = self._clock.callLater(seconds, self._end, False)
        try:
            return await self._done
        finally:
            self._end(False)

    def look(self) -> None:
        """See whether the condition holds now."""
        if self._condition is not None and self._condition():
            self._end(True)

    def _end(self, holds: bool) -> None:
        done, self._condition, self._done = self._done, None, None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if done is not None and not done.called:
            done.callback(holds)
