"""Plays events one after the other: opens links, sends requests, and waits for what was recorded before each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ..recording import RecordedLink
from .comparison import Trouble
from .events import Event, Kind
from .played_link import PlayedLink
from .waiting import Waiting

if TYPE_CHECKING:
    from .player import Player

__all__ = ["Walk"]

INCOMPLETE = "a link is not complete in the recording: it began earlier, or messages were left out"


MOMENT = 0.002
"""How many seconds a server has to notice a request before the next one is sent to it on another connection. It has all
this time only for a request that gets no answer."""


class _Sent(NamedTuple):
    """A request that was sent."""

    link: PlayedLink
    came: int
    """How many messages had come before."""
    matters: bool
    """Whether it may not change places with one of another link."""


class Walk:
    """Plays events one after the other.

    Args:
        player: has what all walks share.
        ahead: returns the events to come that it has not returned before. By default, those that were added.
    """

    def __init__(self, player: Player, ahead: Callable[[], Iterable[Event]] | None = None) -> None:
        self._player = player
        self._ahead = ahead or (lambda: self._queue)
        self._links: dict[int, PlayedLink] = {}
        self._behind = 0
        """How many messages must come until all links are where the recording is."""
        self._waiting = Waiting(player.clock)
        self._last: int | None = None
        """When the event was recorded that was played last, but for answers."""
        self._last_sent: _Sent | None = None
        self._queue: deque[Event] = deque()
        self._busy = False
        """Whether it plays the events of the queue."""
        self._done: Deferred[None] | None = None
        """Fires when it has played them."""

    # -- one event after the other -------------------------------------------------------------------------------

    async def play(self, event: Event) -> None:
        """Play the next event."""
        if event.done:
            return
        number = event.link.id
        if event.kind is Kind.BEGUN:
            await self._catch_up(event.time)
            await self._begin(event.link)
            return
        link = self._links[number]
        if event.missing:
            link.conversation.note(INCOMPLETE)
        if event.kind is Kind.ANSWER:
            link.expect(event.data, event.time)
            return
        if self._acknowledged(event):
            return
        await self._catch_up(event.time)
        if link.connecting:
            await self._waiting.until(lambda: not link.connecting)  # the time for that is limited
        if event.kind is Kind.REQUEST:
            await self._request(link, event)
        else:
            await self._end(number, link)

    async def _catch_up(self, time: int) -> None:
        """Wait for the messages that were recorded before an event, for as long as in the recording and the timeout."""
        recorded = 0.0 if self._last is None else (time - self._last) / 1e6
        self._last = time
        if not self._behind:
            return
        for event in self._ahead():  # a broker may wait for these before it sends more
            event.done = event.done or self._acknowledged(event)
        patience = self._player.pace.timeout + recorded
        if not await self._waiting.until(self._has_caught_up, patience):
            for link in list(self._links.values()):
                if link.behind:
                    link.late(patience)

    def _acknowledged(self, event: Event) -> bool:
        """Play an event if it is an acknowledgement, which need not wait for its turn. Return whether it is."""
        link = self._links.get(event.link.id)
        if link is None or event.kind is not Kind.REQUEST or not link.conversation.acknowledges(event.data):
            return False
        link.acknowledge(event.data)
        return True

    def _has_caught_up(self) -> bool:
        return not self._behind

    async def _begin(self, recorded: RecordedLink) -> None:
        player = self._player
        link = PlayedLink(player.conversation(recorded), player.framings, player.clock, self._changed)
        if len(player.links) >= player.max_clients:
            link.give_up(Trouble.NOT_CONNECTED, f"more than {player.max_clients} links would be open at once")
        else:
            await player.may_connect()
            link.connect(player.dial)
        self._links[recorded.id] = player.links[recorded.id] = link

    async def _request(self, link: PlayedLink, event: Event) -> None:
        timeout = self._player.pace.timeout
        if link.full and not await self._waiting.until(lambda: not link.full, timeout):
            link.give_up(Trouble.STALLED, f"the server has read nothing for {timeout:g} seconds")
        await self._let_notice(link, event.data)
        link.send(event.data, event.time)

    async def _let_notice(self, link: PlayedLink, request: bytes) -> None:
        """Give the server a moment to notice the last request, before the next one comes on another connection."""
        before, matters = self._last_sent, link.conversation.gets_answer(request)
        self._last_sent = _Sent(link, link.came, matters)
        if before is not None and before.link is not link and (matters or before.matters):
            for _ in range(2):  # if the system stops everybody for a moment, the server still has the other half
                if await self._waiting.until(lambda: before.came != before.link.came or before.link.over, MOMENT / 2):
                    break

    async def _end(self, number: int, link: PlayedLink) -> None:
        link.finish()
        await self._waiting.until(lambda: link.over)  # the time for that is limited
        del self._links[number], self._player.links[number]

    def _changed(self, behind: int) -> None:
        """See `PlayedLink`."""
        self._behind += behind
        self._waiting.look()

    # -- events that have to wait for their turn -----------------------------------------------------------------

    def add(self, event: Event) -> None:
        """Play an event after those that were added before."""
        self._queue.append(event)
        if not self._busy:
            self._busy = True
            self._done = Deferred.fromCoroutine(self._play_all()).addErrback(self._failed)

    async def _play_all(self) -> None:
        try:
            while self._queue:
                event = self._queue.popleft()
                await self.play(event)
                self._player.event_played(event)
        finally:
            self._busy = False

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._player.fail(failure)

    def stop(self) -> None:
        """Play no more of the events that were added."""
        self._queue.clear()
        assert self._done is not None
        self._done.cancel()
