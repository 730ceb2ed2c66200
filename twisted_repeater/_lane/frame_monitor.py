"""Watches unfinished frames: how long they make no progress, and how many bytes they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..errors import FramingError

if TYPE_CHECKING:
    from .lane import Lane

__all__ = ["FrameMonitor"]

INTERVAL = 1.0
"""The number of seconds between two checks of the unfinished frames, unless ``frame_timeout`` is short."""

LOOKS = 8
"""How often a lane is checked within ``frame_timeout``, at least."""


class _Watched:
    """The progress of a lane's frame at the last check, and two times in seconds."""

    __slots__ = ("age", "messages", "size", "still")

    def __init__(self, lane: Lane) -> None:
        self.messages = lane.messages
        self.size = lane.unfinished_size
        self.age = 0.0
        """For how long the frame has been coming."""
        self.still = 0.0
        """For how long no byte of it has come."""

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

    A lane that begins to keep an unfinished frame is listed, and stays listed until a check finds no such frame. So a
    busy lane, whose reads all end inside a frame, costs one check a second.
    """

    def __init__(self, clock: IReactorTime, timeout: float | None, limit: int) -> None:
        self.size: int = 0
        """The number of bytes in the unfinished frames of all lanes, which they count themselves."""
        self.limit: int = limit
        self._clock = clock
        self._timeout = timeout
        self._interval = INTERVAL if timeout is None else min(INTERVAL, timeout / LOOKS)
        self._watched: dict[Lane, _Watched] = {}
        self._looked = 0.0
        self._look_timer: IDelayedCall | None = None
        self._relief: IDelayedCall | None = None

    def watch(self, lane: Lane) -> None:
        """List a lane, whose frame has grown. If all frames together are too large, reduce that in the next turn."""
        if lane not in self._watched:
            self._watched[lane] = _Watched(lane)
            if self._look_timer is None:
                self._wait()
        if self.size > self.limit and self._relief is None:
            self._relief = self._clock.callLater(0, self._relieve)

    def forget(self, lane: Lane) -> None:
        """A listed lane has ended."""
        lane.listed = False
        del self._watched[lane]
        if not self._watched:
            self._stop()

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
        # A time in which the process was stopped, or by which the clock was set, counts against no sender.
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
        if self._watched and self._look_timer is None:  # a lane that was listed meanwhile has set the timer already
            self._wait()

    def _relieve(self) -> None:
        """Cut off the largest and slowest frames until the others have room."""
        self._relief = None
        for lane in sorted(self._watched, key=self._burden, reverse=True):
            if self.size <= self.limit:
                break
            if lane.kept_size:
                lane.cut_off(
                    FramingError(
                        f"unfinished frames hold {self.size} bytes, max_unfinished_frames is {self.limit}; that of "
                        f"the {lane.direction.source.value}, {lane.kept_size} bytes, was the largest and slowest"
                    )
                )

    def _burden(self, lane: Lane) -> float:
        """Return the size of a lane's frame times its age, in bytes times seconds."""
        return lane.kept_size * (self._watched[lane].age + self._interval)
