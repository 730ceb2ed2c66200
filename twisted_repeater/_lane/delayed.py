"""What a lane sends later: an ordered queue before the outlets, which exists only while something waits.

An entry has the frames of a verdict that comes later, or of all that was decided after it. It is due when its delay is
over, and not before the entry ahead of it. Nothing overtakes an entry, with one exception: a frame that is `set_aside`
is no part of the queue, and goes out when somebody takes it, or when its time is over.

The lane stops reading while the queue is full, and is not idle while anything waits. So closing waits for it. If the
target is full, entries that are due wait, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from ..watching import Origin, WatchedMessage

if TYPE_CHECKING:
    from ..verdicts import Verdict
    from .lane import Lane
    from .output import Output
    from .setup import LaneHost

__all__ = ["MAX_DELAYED", "Delayed", "Entry", "Reason"]

MAX_DELAYED = 1024 * 1024
"""While more bytes wait than this, the lane is choked."""

MAX_ENTRIES = 16 * 1024
"""So it is while more entries wait than this: each costs some hundred bytes, however small its frames are."""

MERGED = 64 * 1024
"""Up to this size, frames without a delay join the entry before them."""

ROUNDING = 1e-6
"""How many seconds a timer may come too early."""

Reason = tuple[object, float]
"""Whatever delays an entry, and for how many seconds."""


class Entry:
    """Frames that wait together."""

    __slots__ = ("answers", "closes", "decided", "due", "error", "frames", "reasons", "size")

    def __init__(self, frames: list[bytes], answers: list[bytes], decided: float, reasons: Sequence[Reason]) -> None:
        self.frames: list[bytes] = frames
        self.answers: list[bytes] = answers
        self.size: int = sum(map(len, frames)) + sum(map(len, answers))
        self.decided: float = decided
        """When the verdict was given."""
        self.reasons: Sequence[Reason] = reasons
        self.due: float = decided
        """When it goes out."""
        self.closes: bool = False
        """Whether the link is closed after it."""
        self.error: BaseException | None = None

    def own_due(self) -> float:
        """Return when it would go out if nothing were ahead of it."""
        return self.decided + sum(seconds for _, seconds in self.reasons)

    def join(self, frames: list[bytes], answers: list[bytes]) -> int:
        """Append frames that go out with it; return their size."""
        size = sum(map(len, frames)) + sum(map(len, answers))
        self.frames += frames
        self.answers += answers
        self.size += size
        return size


class Delayed:
    """The queue of one lane. ``now`` is a clock, in seconds."""

    def __init__(self, lane: Lane, output: Output, host: LaneHost, now: Callable[[], float]) -> None:
        self._lane = lane
        self._output = output
        self._host = host
        self._now = now
        self._entries: deque[Entry] = deque()
        self._aside: list[Entry] = []
        self._wakes = inf
        """When the timer of the host calls."""
        self._busy = False
        self.size: int = 0
        """How many bytes wait."""

    def __bool__(self) -> bool:
        return bool(self._entries or self._aside)

    @property
    def holds(self) -> bool:
        """Whether anything that comes now has to wait."""
        return bool(self._entries)

    @property
    def full(self) -> bool:
        """Whether enough waits."""
        return self.size > MAX_DELAYED or len(self._entries) + len(self._aside) > MAX_ENTRIES

    def carry_out(self, verdict: Verdict) -> None:
        """Carry out a verdict later, whose frames are in the output."""
        reasons = getattr(verdict, "reasons", ((None, verdict.delay),)) if verdict.delay else ()
        entry = Entry(*self._output.take(), self._now(), reasons)
        entry.closes, entry.error = verdict.closes, verdict.error
        if entry.closes:
            self._queue_aside(inf)
        if entry.frames or entry.answers or entry.closes:
            self._add(entry)
        else:
            self._end_if_empty()

    def _add(self, entry: Entry) -> None:
        entry.due = max(entry.own_due(), self._entries[-1].due if self._entries else -inf)
        self._entries.append(entry)
        self.size += entry.size
        self._wait()

    def extend(self, frames: list[bytes], answers: list[bytes]) -> None:
        """Append frames without a delay of their own: they wait for those ahead of them only."""
        last = self._entries[-1]
        if last.size < MERGED and not last.closes:
            self.size += last.join(frames, answers)
        else:
            self._add(Entry(frames, answers, self._now(), ()))

    def set_aside(self, frame: bytes, seconds: float, reason: object) -> Entry:
        """Let others overtake a frame, for so many seconds at most; see `take`."""
        entry = Entry([frame], [], self._now(), [(reason, seconds)])
        entry.due = entry.own_due()
        self._aside.append(entry)
        self.size += entry.size
        self._wait()
        return entry

    def take(self, entry: Entry) -> bool:
        """Remove a frame that was set aside, to send it now; return False if it is gone already."""
        there = entry in self._aside
        if there:
            self._aside.remove(entry)
            self.size -= entry.size
        self._end_if_empty()
        return there

    def take_back(self, reason: object) -> None:
        """A reason is no more: what waits because of it alone goes out."""
        due = -inf
        for entry in self._entries:
            entry.reasons = [other for other in entry.reasons if other[0] is not reason]
            due = entry.due = max(entry.own_due(), due)
        for entry in self._aside:
            if entry.reasons[0][0] is reason:
                entry.due = -inf
        self.release()

    def send_all(self) -> None:
        """Give up all delays, whatever the target takes."""
        self._queue_aside(inf)
        self._send(inf, at_once=True)

    def release(self) -> None:
        """Send what is due, as far as the target takes it, and have the host call again when more is due."""
        now = self._now() + ROUNDING
        self._queue_aside(now)
        self._send(now)

    def _send(self, now: float, *, at_once: bool = False) -> None:
        if self._busy:
            return
        self._busy = True
        self._wakes = inf
        output = self._output
        sent = False
        try:
            while self._entries and self._entries[0].due <= now and (at_once or not output.is_full()):
                entry = self._next(now)
                self.size -= entry.size
                sent = True
                output.push_now(entry.frames, entry.answers)
                if entry.closes:
                    self.drop()
                    self._host.lane_closes(self._lane, entry.error)
        finally:
            self._busy = False
        self._wait()
        self._end_if_empty()
        if sent:
            self._host.lane_released(self._lane)

    def _next(self, now: float) -> Entry:
        """Remove the first entry, joined with some of those behind it that are due: a write for each would be slow."""
        entry = self._entries.popleft()
        while self._entries and self._entries[0].due <= now and entry.size < MERGED and not entry.closes:
            other = self._entries.popleft()
            entry.join(other.frames, other.answers)
            entry.closes, entry.error = other.closes, other.error
        return entry

    def drop(self) -> None:
        """Drop all that waits."""
        self._entries.clear()
        self._aside.clear()
        self.size = 0

    def _queue_aside(self, now: float) -> None:
        """Let the frames that were set aside go on whose time is over."""
        over = [entry for entry in self._aside if entry.due <= now]
        if over:
            self._aside = [entry for entry in self._aside if entry.due > now]
            for entry in over:
                self._tell_own(entry.frames[0])
                entry.reasons = ()
                entry.due = max(entry.decided, self._entries[-1].due if self._entries else -inf)
                self._entries.append(entry)

    def _tell_own(self, frame: bytes) -> None:
        """Tell those who watch of a frame that goes out by itself: they were told before that its message is gone."""
        lane, watch = self._lane, self._lane.setup.watch
        if watch is not None:
            link: Any = lane.link
            watch.message_watched(
                WatchedMessage(link, lane.direction, watch.clock.now(), origin=Origin.OWN, forward=frame)
            )

    def _wait(self) -> None:
        """Have the host call when the next entry is due."""
        if self._busy:
            return
        due = min([entry.due for entry in self._aside], default=inf)
        if self._entries:
            due = min(due, self._entries[0].due)
        now = self._now()
        if due < self._wakes and (due > now or not self._output.is_full()):
            self._wakes = due
            self._host.lane_delayed(self._lane, max(due - now, 0.0))

    def _end_if_empty(self) -> None:
        if not self and self._output.delayed is self:
            self._lane.all_sent()
