"""The places that a repeater has for links, and the names that are taken; for both a newcomer may have to wait."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .._sockets.connection_monitor import ConnectionMonitor
from .._sockets.valve import Valve
from ..errors import DuplicateClient, TooManyClients
from ..model import Side
from ..observers._throttle import LogThrottle
from .pair import Pair

__all__ = ["Admission"]

log = Logger()


class Admission:
    """Who has a place, and who a name.

    ``names`` has the link that each name belongs to. ``port_valve`` is closed as long as no place is left, so that
    newcomers wait in the listen queue; those that were accepted before that wait here.
    """

    def __init__(self, clock: IReactorTime, watch: ConnectionMonitor) -> None:
        self.names: dict[str, Pair] = {}
        self.port_valve: Valve | None = None
        self._clock = clock
        self._seldom = LogThrottle(clock)
        self._watch = watch
        self._placed: set[Pair] = set()
        self._waiting: deque[Deferred[None]] = deque()

    def take(self, link: Pair, places: int, timeout: float) -> Deferred[None]:
        """Fire when the link has one of so many places. Fails with `TooManyClients` after so many seconds."""
        return Deferred.fromCoroutine(self._take(link, places, timeout))

    async def _take(self, link: Pair, places: int, timeout: float) -> None:
        deadline = self._clock.seconds() + timeout
        while len(self._placed) >= places:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            try:
                error = TooManyClients(f"{places} clients are linked, and none left in time")
                await self._within(turn, deadline, error)
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        self._placed.add(link)
        if len(self._placed) >= places and self.port_valve is not None:
            more = self._seldom.take("max_clients")
            if more is not None:
                log.info("max_clients, {count}, is reached: newcomers wait{more}", count=len(self._placed), more=more)
            self.port_valve.close("max_clients")

    def take_name(self, link: Pair, name: str, timeout: float) -> Deferred[None]:
        """Fire when the name is the link's.

        Waits for a link of that name that is ending already, or whose client has vanished, which is found out by a
        probe. Fails with `DuplicateClient` after ``timeout``, or at once if the client of that name answers.
        """
        return Deferred.fromCoroutine(self._take_name(link, name, timeout))

    async def _take_name(self, link: Pair, name: str, timeout: float) -> None:
        deadline = self._clock.seconds() + timeout
        while (holder := self.names.get(name)) is not None:
            error = DuplicateClient(f"a client {name!r} is linked already", Side.CLIENT)
            if not (holder.closing or holder.finishing) and not await self._has_vanished(holder, deadline):
                raise error
            if holder.closing or holder.finishing:  # the application may let the link of a vanished client stand
                holder.give_way()
            await self._within(holder.when_over(), deadline, error)
        self.names[name] = link

    def _has_vanished(self, holder: Pair, deadline: float) -> Deferred[bool]:
        """Probe the client of a link, for at most half of the time that is left: the rest is for the link's end."""
        return self._watch.has_vanished(holder.client, (deadline - self._clock.seconds()) / 2)

    def _within(self, deferred: Deferred[None], deadline: float, error: Exception) -> Deferred[None]:
        """Fail with ``error`` unless the Deferred fires before the deadline."""

        def too_late(result: object, _: float) -> None:
            raise error

        return deferred.addTimeout(max(deadline - self._clock.seconds(), 0), self._clock, onTimeoutCancel=too_late)

    def leave(self, link: Pair) -> None:
        """The link is over: its name and its place are free."""
        if self.names.get(link.client_name) is link:
            del self.names[link.client_name]
        if link in self._placed:
            self._placed.discard(link)
            if self.port_valve is not None:
                self.port_valve.open("max_clients")
            if self._waiting:
                self._waiting.popleft().callback(None)
