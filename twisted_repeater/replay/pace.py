"""How fast a recording is played, and in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Pace", "Schedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a recording is played, and in which order.

    In any case a request waits for the messages that the server had sent before it in the recording. If they are late,
    so is the request.
    """

    speed: float = 1.0
    """How many times faster than it was recorded; `math.inf` for as fast as answers come."""
    links_apart: bool = False
    """Whether a request waits only for the messages of its own link. If not, it waits for those of all links, so that
    the server gets requests in the recorded order."""
    max_pause: float | None = None
    """The longest time without an event, in seconds. Longer ones are shortened."""
    timeout: float = 10.0
    """How many seconds longer than in the recording a message may take. The time for connecting, too."""
    max_clients: int | None = None
    """How many links may be open at once; ``None`` for as many as the file descriptors of the process allow."""

    def __post_init__(self) -> None:
        for name, value in (("speed", self.speed), ("timeout", self.timeout), ("max_pause", self.max_pause)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value!r}")
        if not math.isfinite(self.timeout):
            raise ValueError(f"timeout must be a number of seconds, not {self.timeout!r}")
        if self.max_clients is not None and self.max_clients < 1:
            raise ValueError(f"max_clients must be at least 1, not {self.max_clients!r}")


class Schedule:
    """When events are due, in seconds after the first one.

    All times are counted from one beginning, so that being late once does not shift what follows.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._longest = math.inf if pace.max_pause is None else pace.max_pause
        self._last: int | None = None
        self._due = 0.0

    def due(self, time: int) -> float:
        """Return when an event is due that was recorded at a time, in microseconds; times never go back."""
        if self._last is not None:
            self._due += min((time - self._last) / 1e6 / self._pace.speed, self._longest)
        self._last = time
        return self._due
