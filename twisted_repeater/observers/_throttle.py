"""Keeps a log small: of many events of one kind only some are logged, the others are counted."""

from __future__ import annotations

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime

EVERY = 1.0
"""How many seconds lie between two logged events of a kind in the long run, so that mistakes cannot fill the disk."""


class LeftOut(str):
    """The end of a line that says how many events of its kind were left out since the last one, "" if none were."""

    __slots__ = ("number",)

    def __new__(cls, count: int) -> LeftOut:
        """Make it of their number."""
        text = super().__new__(cls, f" (and {count} more since the last such line)" if count else "")
        text.number = count
        return text

    number: int
    """Their number, for logs that programs read."""


NONE_LEFT_OUT = LeftOut(0)


class LogThrottle:
    """Decides which events are logged.

    Args:
        clock: the reactor.
        burst: how many events of each kind are logged however fast they come. It fills up again by one in ``every``
            seconds.
        every: how many seconds there are between further events.
    """

    def __init__(self, clock: IReactorTime, *, burst: int = 1, every: float = EVERY) -> None:
        self._clock = clock
        self._burst = burst
        self._every = every
        self._left: dict[Hashable, tuple[float, float]] = {}
        """For each kind: how many of its events could be logged now, and when that was counted."""
        self._left_out: dict[Hashable, int] = {}

    def take(self, kind: Hashable) -> LeftOut | None:
        """Count one more event of a kind.

        Returns:
            ``None`` if the event is left out. Otherwise the end of its line, with the number of events that were left
            out since the last line, if there were any.
        """
        now = self._clock.seconds()
        left, since = self._left.get(kind, (float(self._burst), now))
        left = min(left + (now - since) / self._every, float(self._burst))
        if left < 1:
            self._left[kind] = (left, now)
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._left[kind] = (left - 1, now)
        count = self._left_out.pop(kind, 0)
        return LeftOut(count) if count else NONE_LEFT_OUT
