# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The states of a lane: received bytes are looked at, in order, as long as nothing stops it.

Compiled where a compiler was found at installation, with the types of ``_flow.pxd``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._backlog import Backlog

if TYPE_CHECKING:
    from ._awaited import Awaited
    from .verdicts import Verdict

__all__ = ["Flow"]

DISCARDING = 0  # for good: what comes is dropped; also the state of a lane that was made without __init__
RUNNING = 1
WAITING = 2  # for the verdict of a filter
CHOKED = 3  # an outlet that it writes to is full
HELD = 4  # not started yet: what comes is held


class Flow:
    """The part of a `Lane` that moves its state. The rules:

    * Nothing is overtaken: what is received while a lane is stopped is held and looked at later, in order.
    * Whatever calls a lane while it is at work, a filter or an outlet that it calls itself, is only noted: the work
      under way goes on with it.
    * The host hears how a lane stands, by ``lane_blocked`` and ``lane_flowing``, when that work is done.
    """

    def __init__(self, host: Any) -> None:
        self.awaited: Awaited | None = None
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

    # -- what a lane adds -------------------------------------------------------------------------------------

    def _read(self, data: bytes, at: int) -> None:
        """Look at the bytes from ``at`` on."""
        raise NotImplementedError

    def _carry_out(self, verdict: Verdict) -> None:
        """Do what the verdict says that was waited for."""
        raise NotImplementedError

    def _is_choked(self) -> bool:
        """Tell whether an outlet is full."""
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
    def discarding(self) -> bool:
        """Whether whatever comes is dropped, for good."""
        return self._state == DISCARDING

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if type(data) is not bytes:  # compiled, None would pass for bytes
            raise TypeError(f"a lane is fed bytes, not {type(data).__name__}")
        if self._sealed or self._state == DISCARDING:
            return
        if self._busy or not self._running:
            self._hold(data)
            return
        self._busy = True
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

    def _wait_for(self, awaited: Awaited) -> None:
        """Look at nothing more until the verdict is there."""
        self.awaited = awaited
        self._enter(WAITING)

    def _settle(self, verdict: Verdict) -> None:
        """The verdict is there: go on, unless everything ended meanwhile."""
        if self._state == WAITING:
            self._verdict = verdict
        self._go_on()

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
        try:
            while True:
                if self._verdict is not None:
                    verdict, self._verdict = self._verdict, None
                    self._enter(RUNNING)
                    self._carry_out(verdict)
                elif self._running and self._held is not None:
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
        else:
            self._host.lane_blocked(self)
