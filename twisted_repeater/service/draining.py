"""Ends the links of a repeater in good order, spread over time: newcomers are refused, then links end as they rest.

1. *Refusing*: nobody new is let in. What is held is released by whoever holds it.
2. *Ending*: each link gets a time to end, at random, so that not all clients connect elsewhere at the same moment. From
   then on the link is closed as soon as it rests: nothing was received for a moment, and nothing waits. A link that
   never rests is closed at the deadline. A link that is closed still delivers all that it has received.
"""

from __future__ import annotations

from random import Random, SystemRandom
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._link.link import pair_of
from .._repeater import Repeater
from ..link import Link
from ..model import Direction

__all__ = ["Draining"]

LOOK_EVERY = 0.25
"""How many seconds pass between two looks at the links."""

REST = 0.5
"""How many seconds nothing must have been received on a link that rests."""

AT_ONCE = 100.0
"""How many links may end in a second. So few links end soon, and many are spread over the time that there is."""

SHARE = 0.8
"""The share of the time over which the links are spread; the rest is for those that do not rest then."""

log: Logger = Logger()


class _Leaving(NamedTuple):
    """A link that is to end."""

    since: float
    """When it is to end from."""
    rests_since: float
    """When something was received last, as far as known."""
    received: tuple[tuple[int, int], ...]


class Draining:
    """Drains one repeater. It does not shut the repeater down.

    Args:
        repeater: the repeater.
        timeout: the seconds after which the links that are left are closed.
        clock: for times.
        name: the name of the repeater, for the log.
        random: spreads the ends.
    """

    def __init__(
        self,
        repeater: Repeater,
        timeout: float,
        clock: IReactorTime,
        name: str = "",
        random: Random | None = None,
    ) -> None:
        self._repeater = repeater
        self._name = name
        self._clock = clock
        self._random = random or SystemRandom()
        self._began = clock.seconds()
        self._deadline = self._began + timeout
        self._window = 0.0
        self._leaving: dict[Link, _Leaving] = {}
        self._next_look: IDelayedCall | None = None
        self._done = False
        self._callers: list[Deferred[None]] = []

    def start(self) -> None:
        """Begin."""
        self._repeater.stop_listening().addErrback(_log_failure)
        links = self._repeater.links()
        left = max(self._deadline - self._clock.seconds(), 0.0)
        self._window = min(left * SHARE, len(links) / AT_ONCE)
        for link in links:
            link.resume()
        if links:
            words = "links that end as they rest: {count}; at the latest in {left:.0f} seconds"
            log.info(words, count=len(links), left=left, repeater=self._name)
        self._look()

    def wait(self) -> Deferred[None]:
        """Fire when every link is closed, or at the deadline. Each call returns a Deferred of its own."""
        done: Deferred[None] = Deferred()
        if self._done:
            done.callback(None)
        else:
            self._callers.append(done)
        return done

    def stop(self) -> None:
        """Wait no longer."""
        self._done = True
        if self._next_look is not None and self._next_look.active():
            self._next_look.cancel()
        callers, self._callers = self._callers, []
        for done in callers:
            done.callback(None)

    def _look(self) -> None:
        now = self._clock.seconds()
        links = [link for link in self._repeater.links() if not pair_of(link).closing]
        before, self._leaving = self._leaving, {}
        for link in links:
            leaving = self._seen(link, before.get(link), now)
            if leaving.since <= now and now - leaving.rests_since >= REST and _is_idle(link):
                link.close()
            else:
                self._leaving[link] = leaving
        if now >= self._deadline or not (self._leaving or self._is_linking(now)):
            self.stop()
        else:
            self._next_look = self._clock.callLater(min(LOOK_EVERY, self._deadline - now), self._look)

    def _is_linking(self, now: float) -> bool:
        """Return whether a client is being linked that came before. One that says nothing is not waited for."""
        return any(
            not (pair.made or pair.closing) and (pair.client.heard or now - self._began < REST)
            for pair in self._repeater._factory.links
        )

    def _seen(self, link: Link, before: _Leaving | None, now: float) -> _Leaving:
        """Return what is known of a link now."""
        received = tuple(link.received(direction) for direction in Direction)
        if before is None:
            return _Leaving(now + self._random.uniform(0.0, self._window), now, received)
        return before if received == before.received else before._replace(rests_since=now, received=received)


def _log_failure(failure: Failure) -> None:
    log.failure("a port could not be closed", failure=failure)


def _is_idle(link: Link) -> bool:
    """Return whether nothing waits on a link: for a verdict, for its time, or for a peer that receives slowly."""
    pair = pair_of(link)
    return all(lane.idle for lane in pair.lanes) and not (pair.client.outlet.waiting or pair.server.outlet.waiting)
