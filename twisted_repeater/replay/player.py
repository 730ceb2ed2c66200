"""Plays the events of a recording: opens links, sends requests, and waits for what was recorded before each.

One walk over all events keeps the recorded order among links. With links apart, each link has its own walk, and the
player only hands out the events when they are due.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from .._slices import SLICE
from .._sockets.dialling import Dialled
from ..framings.base import Framings
from ..recording import RecordedLink
from .comparison import Conversation
from .events import Ahead, Event, Kind
from .pace import Pace, Schedule
from .played_link import PlayedLink
from .waiting import Waiting
from .walk import Walk

__all__ = ["Dial", "Player"]

T = TypeVar("T")

Dial: TypeAlias = Callable[[PlayedLink], Dialled]
"""Connects a link to the server, within a time limit."""

MOST_CONNECTING = 50
"""How many links are being connected at once. A server's listen queue must hold them."""

MOST_WAITING = 10_000
"""How many events of links apart wait at most for their turn."""

LEAST_PAUSE = 0.001
"""Shorter pauses, in seconds, are not worth a timer."""


class Player:
    """Plays the events of a recording.

    Args:
        dial: connects a link to the server, within a time limit.
        conversation: makes the comparison of a link.
        framings: makes the framings of a link.
        pace: how fast, and in which order.
        max_clients: how many links may be open at once.
        clock: the reactor.
    """

    def __init__(
        self,
        *,
        dial: Dial,
        conversation: Callable[[RecordedLink], Conversation],
        framings: Callable[[], Framings],
        pace: Pace,
        max_clients: int,
        clock: IReactorTime,
    ) -> None:
        self.conversation: Callable[[RecordedLink], Conversation] = conversation
        """Makes the comparison of a link."""
        self.framings: Callable[[], Framings] = framings
        """Makes the framings of a link."""
        self.pace: Pace = pace
        """How fast, and in which order."""
        self.max_clients: int = max_clients
        """How many links may be open at once."""
        self.clock: IReactorTime = clock
        """The reactor."""
        self.links: dict[int, PlayedLink] = {}
        """The links that are open, by their numbers in the file."""
        self.late: float = 0.0
        """How many seconds after its time an event was played, at most."""
        self._dial = dial
        self._schedule = Schedule(pace)
        self._began = self._turn = 0.0
        """When the replay began, and when others had their turn of the reactor."""
        self._connecting = DeferredSemaphore(MOST_CONNECTING)
        self._walks: dict[int, Walk] = {}
        self._waiting = 0
        """How many events wait for their turn, or are being played."""
        self._room = Waiting(clock)
        self._failure: Failure | None = None

    async def play(self, events: Iterable[Event]) -> None:
        """Play events, in order. They are taken as they are needed."""
        self._began = self._turn = time.monotonic()
        ahead = Ahead(events)
        walk = None if self.pace.links_apart else Walk(self, ahead.more)
        try:
            for event in ahead:
                await self._until_due(event.time)
                if walk is None:
                    await self._hand_out(event)
                else:
                    await walk.play(event)
            await self._room.until(lambda: not self._waiting)
            self._check()
        finally:
            await self._clean_up()

    async def _until_due(self, recorded: int) -> None:
        """Wait until an event is due. If it is, let others have their turn now and then."""
        due = self._began + self._schedule.due(recorded)
        now = time.monotonic()
        if due - now >= LEAST_PAUSE:
            await deferLater(self.clock, due - now)
            self._turn = time.monotonic()
            return
        if self.pace.speed != math.inf:
            self.late = max(self.late, now - due)
        if now - self._turn > SLICE:
            await deferLater(self.clock, 0)
            self._turn = time.monotonic()

    # -- links apart ---------------------------------------------------------------------------------------------

    async def _hand_out(self, event: Event) -> None:
        """Add an event to those of its link, when there is room."""
        if self._waiting >= MOST_WAITING:
            await self._room.until(lambda: self._waiting <= MOST_WAITING // 2)
        self._check()
        number = event.link.id
        walk = self._walks.get(number)
        if walk is None:
            walk = self._walks[number] = Walk(self)
        self._waiting += 1
        walk.add(event)

    def event_played(self, event: Event) -> None:
        """An event that was handed out was played."""
        self._waiting -= 1
        if event.kind is Kind.ENDED:
            del self._walks[event.link.id]
        if self._room.waits and self._waiting in (0, MOST_WAITING // 2):
            self.clock.callLater(0, self._room.look)  # not now: what waits may stop the walk that calls this

    def fail(self, failure: Failure) -> None:
        """A walk has failed: there is a mistake in a framing, or here."""
        self._failure = failure
        self._waiting = 0
        self._room.look()

    def _check(self) -> None:
        if self._failure is not None:
            self._failure.raiseException()

    # -- links ---------------------------------------------------------------------------------------------------

    async def may_connect(self) -> None:
        """Wait until few enough links are being connected. Each that may connect must do it."""
        await self._connecting.acquire()

    def dial(self, link: PlayedLink) -> Dialled:
        """Connect a link to the server."""
        return self._dial(link).addBoth(self._has_dialled)

    def _has_dialled(self, result: T) -> T:
        self._connecting.release()
        return result

    async def _clean_up(self) -> None:
        """Close what is left, if the replay was cancelled or has failed."""
        for walk in list(self._walks.values()):
            walk.stop()
        for link in list(self.links.values()):
            link.changed = lambda behind: self._room.look()
            link.abort()
            link.finish()
        await self._room.until(lambda: all(link.over for link in self.links.values()))
