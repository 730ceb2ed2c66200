"""Watches unfinished frames, which have begun and not ended: how long they stand still, and how much they hold."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime

from ..errors import FramingError
from .lane import Lane
from .setup import UnfinishedTotal

__all__ = ["FrameMonitor"]

INTERVAL = 1.0
"""How many seconds lie between two checks of the lanes with an unfinished frame, unless ``frame_timeout`` is short."""

LOOKS = 8
"""How often a lane is checked within ``frame_timeout``, at least."""


class _Watched:
    """How far the frame of one lane had come at the last check, and two times in seconds."""

    __slots__ = ("age", "messages", "size", "still")

    def __init__(self, lane: Lane) -> None:
        self.messages = lane.messages
        self.size = lane.unfinished_size
        self.age = 0.0
        """How long the frame has been coming."""
        self.still = 0.0
        """How long nothing of it has come."""

    def look(self, lane: Lane, passed: float) -> None:
        """Add the time since the last check, which does not count while the connection is not read."""
        messages, size = lane.messages, lane.unfinished_size
        if messages != self.messages:
            self.age = self.still = 0.0
        elif lane.is_read:
            self.age += passed
            self.still = self.still + passed if size == self.size else 0.0
        else:
            self.still = 0.0
        self.messages, self.size = messages, size


class FrameMonitor:
    """Disconnects the senders of frames that stand still, and of frames that hold too much.

    A lane that begins to keep an unfinished frame is listed, and stays listed until a check finds that it has none. So
    a busy lane, of which each read ends inside a frame, costs one check a second. The lanes add up their sizes
    themselves, in ``total``.
    """

    def __init__(self, clock: IReactorTime, timeout: float | None, limit: int) -> None:
        self.total = UnfinishedTotal(limit, self)
        self._clock = clock
        self._timeout = timeout
        self._interval = INTERVAL if timeout is None else min(INTERVAL, timeout / LOOKS)
        self._watched: dict[Lane, _Watched] = {}
        self._looked = 0.0
        self._look_timer: Any = None
        self._relief: Any = None

    def watch(self, lane: Lane) -> None:
        """List a lane, which has begun to keep an unfinished frame."""
        self._watched[lane] = _Watched(lane)
        if self._look_timer is None:
            self._wait()

    def forget(self, lane: Lane) -> None:
        """A lane has ended."""
        del self._watched[lane]
        if not self._watched:
            self._stop()

    def exceeded(self) -> None:
        """All frames together hold too much: reduce that in the next turn, as a lane is at work now."""
        if self._relief is None:
            self._relief = self._clock.callLater(0, self._relieve)

    def _wait(self) -> None:
        self._looked = self._clock.seconds()
        self._look_timer = self._clock.callLater(self._interval, self._look)

    def _stop(self) -> None:
        for timer in (self._look_timer, self._relief):
            if timer is not None and timer.active():
                timer.cancel()
        self._look_timer = self._relief = None

    def _look(self) -> None:
        self._look_timer = None
        # If the process was stopped for a while, or the clock was set, that time counts against nobody.
        passed = min(self._clock.seconds() - self._looked, 2 * self._interval)
        late = []
        for lane, watched in list(self._watched.items()):
            if not lane.unfinished_size:
                del self._watched[lane]
                lane.listed = False
                continue
            watched.look(lane, passed)
            if self._timeout is not None and watched.still >= self._timeout:
                late.append(lane)
        for lane in late:
            if lane.unfinished_size:  # the application may have closed its link when it heard of another
                lane.cut_off(
                    FramingError(
                        f"a frame of the {lane.direction.source.value} made no progress within {self._timeout:g} "
                        f"seconds, frame_timeout; {lane.unfinished_size} bytes of it had come"
                    )
                )
        if self._watched and self._look_timer is None:  # a lane that was listed meanwhile has begun to wait already
            self._wait()

    def _relieve(self) -> None:
        """Cut off the largest and slowest frames until the others have room."""
        self._relief = None
        total = self.total
        for lane in sorted(self._watched, key=self._burden, reverse=True):
            if total.size <= total.limit:
                break
            if lane.unfinished_size:
                lane.cut_off(
                    FramingError(
                        f"unfinished frames hold {total.size} bytes, max_unfinished_frames is {total.limit}; that of "
                        f"the {lane.direction.source.value}, {lane.unfinished_size} bytes, was the largest and slowest"
                    )
                )

    def _burden(self, lane: Lane) -> float:
        """Return how much a lane's frame holds for how long, in bytes times seconds."""
        return lane.unfinished_size * (self._watched[lane].age + self._interval)
