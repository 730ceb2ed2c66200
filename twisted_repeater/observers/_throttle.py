"""Keeps a log small: of many events of one kind only some are logged, the others are counted."""

from __future__ import annotations

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime

__all__ = ["LogThrottle"]

EVERY = 1.0
"""How many seconds lie between two logged events of a kind in the long run: nobody must fill the disk with mistakes."""


class LogThrottle:
    """Says which events are logged.

    Of each kind, ``burst`` events are logged however fast they come, and after that one in each ``every`` seconds. The
    burst fills up again at the same pace.
    """

    def __init__(self, clock: IReactorTime, *, burst: int = 1, every: float = EVERY) -> None:
        self._clock = clock
        self._burst = burst
        self._every = every
        self._left: dict[Hashable, tuple[float, float]] = {}
        """For each kind: how many of its events could be logged now, and when that was counted."""
        self._left_out: dict[Hashable, int] = {}

    def take(self, kind: Hashable) -> str | None:
        """Count one more event of a kind. Return ``None`` if it is left out, or the end of its line.

        That is how many were left out since the last line, or nothing if there were none.
        """
        now = self._clock.seconds()
        left, since = self._left.get(kind, (float(self._burst), now))
        left = min(left + (now - since) / self._every, float(self._burst))
        if left < 1:
            self._left[kind] = (left, now)
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._left[kind] = (left - 1, now)
        left_out = self._left_out.pop(kind, 0)
        return f" (and {left_out} more since the last such line)" if left_out else ""
