"""Ends the links of a repeater in good order, spread over time: newcomers are refused, then links end as they rest.

The time has four parts, up to the deadline:

1. *Resting*, 60 % of it: each link gets a time to end, at random, so that not all clients connect elsewhere at the same
   moment. From then on it ends as soon as it rests: nothing was received for a moment, and nothing waits.
2. *Insisting*, up to 80 %: one after the other, the clients of links that never rest are read no more. So what they had
   sent is answered, and their links rest, too.
3. *Leaving*: a link that rests ends at its client's side first; `closing` has the rules.
4. *Closing*, at the deadline: the rest is closed. A link that closes still delivers all that it has received.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random, SystemRandom

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._slices import in_slices
from .factory import Links
from .pair import Pair

__all__ = ["Draining"]

LOOK_EVERY = 0.25
"""How many seconds pass between two looks at the links, at most."""

REST = 0.5
"""How many seconds nothing must have been received on a link that rests; less if there is little time."""

REST_SHARE = 0.1
"""The share of the time that a rest may last, at most."""

AT_ONCE = 100.0
"""How many links may end in a second. So few links end soon, and many are spread over the time that there is."""

RESTING = 0.6
"""The share of the time over which the links are spread."""

INSISTING = 0.2
"""The share of the time, after that, over which clients are spread whose links do not rest."""

log: Logger = Logger()


class _Awaited:
    """A link whose end is awaited."""

    __slots__ = ("fraction", "received", "rests_since")

    def __init__(self, fraction: float, now: float) -> None:
        self.fraction = fraction
        """When it ends, as a fraction of a part of the time."""
        self.rests_since = now
        """When something was received last, as far as known."""
        self.received: list[int] = []


class Draining:
    """Drains the links of one repeater. It closes no port, and it is not over before it is told that that is closed.

    Args:
        links: the links.
        random: spreads the ends.
    """

    def __init__(self, links: Links, random: Random | None = None) -> None:
        self._listening = True
        """Whether clients may still be accepted."""
        self._links = links
        self._clock = links.clock
        self._random = random or SystemRandom()
        self._began = self._start = self._clock.seconds()
        self._deadline = float("inf")
        self._over = self._spread = self._rest = 0.0
        self._awaited: dict[Pair, _Awaited] = {}
        self._next_look: IDelayedCall | None = None
        self._ends = False
        """Whether the deadline is over."""
        self._done = False
        self._callers: list[Deferred[None]] = []

    def drain(self, over: float) -> Deferred[None]:
        """Begin, or shorten the time. Return a Deferred of its own, which fires when every link is over."""
        done: Deferred[None] = Deferred()
        if self._done:
            done.callback(None)
            return done
        self._callers.append(done)
        now = self._clock.seconds()
        if not self._ends and now + over < self._deadline:
            first = self._deadline == float("inf")
            self._set_times(now, over)
            if first:
                self._log_begin()
            if first or self._next_look is not None:  # otherwise it looks just now
                self._stop_timer()
                self._look()
        return done

    def stopped_listening(self) -> None:
        """No client is accepted any more."""
        self._listening = False
        if self._next_look is not None:
            self._stop_timer()
            self._look()

    def end(self) -> None:
        """The time is over: close every link."""
        if not self._ends:
            self._ends = True
            self._stop_timer()
            self._awaited.clear()
            self._links.close_all().addBoth(self._all_over)

    def _set_times(self, now: float, over: float) -> None:
        self._start, self._over, self._deadline = now, over, now + over
        self._spread = min(over * RESTING, len(self._links) / AT_ONCE)
        self._rest = min(over * REST_SHARE, REST)

    def _log_begin(self) -> None:
        count = sum(1 for _ in self._links.made())
        if count:
            words = "links that end as they rest: {count}; at the latest in {left:.0f} seconds"
            log.info(words, count=count, left=self._over, repeater=self._links.settings.repeater_name)

    def _stop_timer(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    # -- looking ---------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._next_look = None
        before, self._awaited = self._awaited, {}
        in_slices(self._clock, self._look_at_all(before)).addErrback(_log_bug).addCallback(self._look_again)

    def _look_at_all(self, before: dict[Pair, _Awaited]) -> Iterator[None]:
        for pair in list(self._links):
            if self._ends:
                return
            if pair.relaying:  # others end by themselves, at the deadline at the latest
                self._awaited[pair] = before.get(pair) or self._meet(pair)
                self._look_at(pair, self._awaited[pair])
            yield

    def _meet(self, pair: Pair) -> _Awaited:
        """A link is there: what its client sends is to be relayed, so it must be read."""
        pair.resume()
        return _Awaited(self._random.random(), self._clock.seconds())

    def _look_at(self, pair: Pair, awaited: _Awaited) -> None:
        now = self._clock.seconds()
        received = [number for lane in pair.lanes for number in (lane.size, lane.unfinished_size)]
        if received != awaited.received:
            awaited.received, awaited.rests_since = received, now
        if now < self._start + awaited.fraction * self._spread:
            return
        if now - awaited.rests_since >= self._rest and pair.idle:
            pair.leave()
        elif now >= self._start + self._over * (RESTING + INSISTING * awaited.fraction):
            pair.client.valve.close("draining")

    def _look_again(self, result: None) -> None:
        if self._ends:
            return
        now = self._clock.seconds()
        if now >= self._deadline or not (self._listening or any(map(self._is_waited_for, self._links))):
            self.end()
        else:
            delay = min(LOOK_EVERY, self._rest / 2, self._deadline - now)
            self._next_look = self._clock.callLater(delay, self._look)

    def _is_waited_for(self, pair: Pair) -> bool:
        """Return whether a link is not over, or may still be made. A client that says nothing is not waited for."""
        return pair.made or pair.closing or pair.client.heard or self._clock.seconds() - self._began < REST

    def _all_over(self, result: object) -> None:
        if isinstance(result, Failure):
            _log_bug(result)
        self._done = True
        callers, self._callers = self._callers, []
        for done in callers:
            done.callback(None)


def _log_bug(failure: Failure) -> None:
    log.failure("bug: links could not be drained", failure=failure)
