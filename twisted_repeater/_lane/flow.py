# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The states of a lane: received bytes are looked at, in order, as long as nothing stops it.

Compiled where a compiler was found at installation, with the types of ``flow.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._slices import SLICE
from .input import Backlog

if TYPE_CHECKING:
    from .._pending import PendingVerdict
    from ..verdicts import Verdict

__all__ = ["MAX_HELD", "Flow"]

DISCARDING = 0  # for good: what comes is dropped; also the state of a lane that was made without __init__
RUNNING = 1
WAITING = 2  # for the verdict of a filter
CHOKED = 3  # an outlet that it writes to is full
HELD = 4  # not started yet: what comes is held
GAVE_WAY = 5  # it has worked for long enough: other links have their turn of the reactor first

FIRST_LOOK = 8
"""After how many messages of a read a lane first looks at the clock, unless it knows that its messages are slow: a read
of a few messages must not pay for a clock."""

MAX_STRIDE = 64
"""After how many messages a lane looks at the clock at the latest. Each look costs about as much as a message that is
passed on. If messages suddenly become slow, this many are judged before the lane notices."""

MAX_HELD = 1024 * 1024
"""While a lane gives way, its connection is still read until this many bytes wait. When a client closes with unread
replies, its system drops all bytes that it has not sent yet, so the repeater receives them as early as it can."""

UNKNOWN = -1.0
"""Stands for a time while the clock was not asked yet."""


class Flow:
    """The part of a `Lane` that moves its state. The rules:

    * Nothing is overtaken: what is received while a lane is stopped is held and looked at later, in order.
    * Whatever calls a lane while it is at work, a filter or an outlet that it calls itself, is only noted: the work
      under way goes on with it.
    * The host hears how a lane stands, by ``lane_blocked``, ``lane_gave_way`` and ``lane_flowing``, when that work is
      done.
    * No lane keeps the reactor for much longer than a slice of time: it gives way, and the host lets it go on in the
      next turn of the reactor. ``now`` is the clock for that.
    """

    def __init__(self, host: Any, now: Callable[[], float]) -> None:
        self.awaited: PendingVerdict | None = None
        """The verdict that is waited for."""
        self._host = host
        self._state = HELD
        self._running = False
        self._undisturbed = False
        """Whether it is running and may look at one message after the other without looking up."""
        self._busy = False
        self._sealed = False
        self._held: Backlog | None = None
        self._verdict: Verdict | None = None
        self._now = now
        self._since = UNKNOWN
        """When the present work began."""
        self._looked = UNKNOWN
        """When the clock was asked last."""
        self._stride = FIRST_LOOK
        """How many messages are judged between two looks at the clock."""

    # -- what a lane adds -------------------------------------------------------------------------------------

    def _read(self, data: bytes, at: int) -> None:
        """Look at the bytes from ``at`` on."""
        raise NotImplementedError

    def _carry_out(self, verdict: Verdict) -> None:
        """Do what the verdict says that was waited for."""
        raise NotImplementedError

    def _is_choked(self) -> bool:
        """Return whether an outlet is full."""
        raise NotImplementedError

    # -- what the host does ---------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether everything that was received whole is filtered and pushed."""
        return self._state == DISCARDING or (self._running and not self._busy)

    @property
    def holding(self) -> int:
        """How many received bytes are held, not looked at yet."""
        return self._held.size if self._held is not None else 0

    @property
    def at_work(self) -> bool:
        """Whether the caller is called by this lane at its work, as its filter is."""
        return self._busy

    @property
    def gave_way(self) -> bool:
        """Whether the lane goes on in the next turn of the reactor."""
        return self._state == GAVE_WAY

    @property
    def discarding(self) -> bool:
        """Whether whatever comes is dropped, for good."""
        return self._state == DISCARDING

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if type(data) is not bytes:  # compiled code would accept None as bytes
            raise TypeError(f"a lane is fed bytes, not {type(data).__name__}")
        if self._sealed or self._state == DISCARDING:
            return
        if self._busy or not self._running:
            self._hold(data)
            if self._state == GAVE_WAY and not self._busy:
                self._check_held()
            return
        self._busy = True
        self._since = UNKNOWN
        try:
            self._read(data, 0)
        finally:
            self._busy = False
        if not self._running or self._held is not None or self._sealed:
            self._go_on()

    def start(self) -> None:
        """The link is complete: look at what is held, then at what comes."""
        if self._state == HELD:
            self._enter(RUNNING)
            self._go_on()

    def unchoke(self) -> None:
        """An outlet was emptied: go on if that was what the lane waited for."""
        if self._state == CHOKED and not self._is_choked():
            self._enter(RUNNING)
            self._go_on()

    def take_turn(self) -> None:
        """The next turn of the reactor has come: go on if the lane gave way for it."""
        if self._state == GAVE_WAY:
            self._enter(RUNNING)
            self._go_on()

    def seal(self) -> None:
        """The stream has ended: take no more bytes. What is held is still looked at."""
        self._sealed = True

    def discard(self) -> None:
        """Drop what is held and whatever comes, for good."""
        self._enter(DISCARDING)
        self._held = self._verdict = None
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.give_up()

    # -- how the state moves --------------------------------------------------------------------------------

    def _enter(self, state: int) -> None:
        self._state = state
        self._running = self._undisturbed = state == RUNNING

    def _choke(self) -> None:
        """Look at nothing more until an outlet is emptied."""
        self._enter(CHOKED)

    def _wait_for(self, awaited: PendingVerdict) -> None:
        """Look at nothing more until the verdict is there."""
        self.awaited = awaited
        self._enter(WAITING)

    def _settle(self, verdict: Verdict) -> None:
        """The verdict is there: go on, unless everything ended meanwhile."""
        if self._state == WAITING:
            self._verdict = verdict
        self._go_on()

    # -- giving way -----------------------------------------------------------------------------------------

    def _need_clock(self) -> None:
        """Note when the present work began, unless that is noted already."""
        if self._since == UNKNOWN:
            self._start_clock()

    def _start_clock(self) -> None:
        """The present work begins now."""
        self._since = self._looked = self._now()

    def _first_look(self) -> int:
        """Return how many messages of a read may be judged before the first look at the clock."""
        if self._stride >= FIRST_LOOK:
            return FIRST_LOOK
        self._need_clock()
        return self._stride

    def _gives_way(self) -> bool:
        """Look at the clock, and give way if the present work has taken a slice of time."""
        self._looked = self._now()
        if 0 <= self._looked - self._since < SLICE:  # a clock may be set back
            return False
        self._enter(GAVE_WAY)
        return True

    def _gives_way_after_stride(self) -> bool:
        """Do the same after ``_stride`` messages, and adjust the stride to the time that they took."""
        if self._since == UNKNOWN:
            self._start_clock()
            return False
        before = self._looked
        gives_way = self._gives_way()
        taken = self._looked - before
        if taken > SLICE / 4:
            self._stride = max(int(self._stride * (SLICE / 4) / taken), 1)
        elif taken < SLICE / 16:
            self._stride = min(self._stride * 2, MAX_STRIDE)
        return gives_way

    def _check_held(self) -> None:
        """While the lane gives way, have its connection paused if enough bytes wait."""
        if self.holding > MAX_HELD:
            self._host.lane_blocked(self)

    def _hold(self, data: bytes) -> None:
        """Keep what was received for later."""
        if self._held is None:
            self._held = Backlog()
        self._held.add(data)

    def _put_back(self, data: bytes, at: int) -> None:
        """Keep for later what was received before all that is held, and looked at up to ``at`` only."""
        if at < len(data) and self._state != DISCARDING:
            if self._held is None:
                self._held = Backlog()
            self._held.put_back(data, at)

    def _go_on(self) -> None:
        """Look at what is held, until it is done or something stops the lane again; then tell the host."""
        if self._busy:
            return
        self._busy = True
        self._start_clock()
        try:
            while True:
                if self._verdict is not None:
                    verdict, self._verdict = self._verdict, None
                    self._enter(RUNNING)
                    self._carry_out(verdict)
                elif self._running and self._held is not None:
                    if self._gives_way():
                        break
                    held = self._held
                    data, at = held.take()
                    if not held:
                        self._held = None
                    self._read(data, at)
                else:
                    break
        finally:
            self._busy = False
        if self._running or self._state == DISCARDING:
            self._host.lane_flowing(self)
        elif self._state == GAVE_WAY:
            self._host.lane_gave_way(self)
            self._check_held()
        else:
            self._host.lane_blocked(self)
