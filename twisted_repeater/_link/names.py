"""Who has which name.

A name is claimed by the pair of a client, from the admission of the client until both connections are gone. The
dialect's `SameName` says what to do with a newcomer whose name is taken:

* REFUSE: the newcomer is refused. But if the link that has the name is ending, or its client has vanished, which a
  probe finds out, the newcomer waits for its end.
* REPLACE: the pair that has the name makes way, and the newcomer waits for its end. Of several newcomers the latest
  gets the name. Two clients that take a name from each other again and again are slowed down: each newcomer then pauses
  first. While it pauses it takes nothing from anybody. If a later one comes, it is refused at the end of its pause.
* SHARE: any number of pairs have the name.

A label is made of the address of a client that has not said a name. It is never claimed, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from .._sockets.connection_monitor import ConnectionMonitor
from .._text import address_text
from ..errors import ClientGone, ConnectingError, DuplicateClient, Replaced
from ..fleet import NameClaims
from ..model import SameName, Side
from .deadline import within

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["Names"]

FREE = 3
"""How many times in a row a name is taken over without a pause."""

FIRST_PAUSE = 0.25
"""How many seconds the next newcomer pauses; each one after it pauses twice as long."""

LONGEST_PAUSE = 4.0
"""How many seconds a newcomer pauses at most: less than half of the default hello timeout."""

QUIET = 60.0
"""If a name was not taken over for so many seconds, the times before are forgotten."""

REMEMBERED = 1000
"""How many names are remembered because they were taken over lately."""


class Names:
    """The names of a repeater's pairs.

    Args:
        same_name: what becomes of a newcomer whose name is taken.
        monitor: probes the client of a link.
        clock: the reactor.
        make_way: ends the link or the attempt of a pair, for the reason that it is given.
    """

    def __init__(
        self,
        same_name: SameName,
        monitor: ConnectionMonitor,
        clock: IReactorTime,
        make_way: Callable[[Pair, ConnectingError], None],
    ) -> None:
        self._same_name = same_name
        self._monitor = monitor
        self._clock = clock
        self._make_way = make_way
        self._claimed: dict[str, Pair] = {}
        """The pair that each name belongs to, unless names are shared."""
        self._shared: dict[str, dict[Pair, None]] = {}
        """The pairs of each name, if names are shared."""
        self._labels: dict[str, Pair] = {}
        self._newcomers: dict[str, dict[_Newcomer, None]] = {}
        """Those who wait to take a name over, in the order in which they came."""
        self._contests = _Contests(clock)
        self.claims: NameClaims | None = None
        """Makes names unique in a fleet; ``None`` if the repeater belongs to none."""

    # -- looking up ------------------------------------------------------------------------------------------

    def of(self, name: str) -> list[Pair]:
        """Return every pair of a name, the oldest first: those that claimed it, and the one that it is the label of."""
        pairs = list(self._shared.get(name, ()))
        for registry in (self._claimed, self._labels):
            pair = registry.get(name)
            if pair is not None:
                pairs.append(pair)
        return sorted(pairs, key=lambda pair: pair.id)

    def having(self, name: str | None = None) -> list[Pair]:
        """Return the pairs that have claimed a name; without an argument, those that have claimed any."""
        names = [name] if name is not None else [*self._claimed, *self._shared]
        pairs = [self._claimed[each] for each in names if each in self._claimed]
        return pairs + [pair for each in names for pair in self._shared.get(each, ())]

    def lose(self, why: ConnectingError, name: str | None = None) -> None:
        """End the links and the attempts of those that have claimed a name, or any name, in good order."""
        for pair in self.having(name):
            self._make_way(pair, why)

    def is_labelled(self, pair: Pair) -> bool:
        """Return whether a pair has only a label."""
        return pair.claim is not None and self._labels.get(pair.claim) is pair

    # -- taking and leaving ----------------------------------------------------------------------------------

    def take_at_once(self, pair: Pair, name: str) -> bool:
        """Claim a name for a pair if nobody has it or waits for it, the usual case. Return whether the pair has it."""
        if pair.closing or name in self._claimed or name in self._newcomers or self.claims is not None:
            return False
        self._register(pair, name)
        return True

    async def take(self, pair: Pair, name: str, timeout: float) -> None:
        """Claim a name for a pair, which leaves the one that it had.

        Raises:
            DuplicateClient: another pair has the name, or did not end within ``timeout`` seconds.
            Replaced: a later newcomer wants the name, too.
            ClientGone: the pair closes.
            ConnectingError: the fleet does not give the name.
        """
        deadline = self._clock.seconds() + timeout
        if self._same_name is SameName.REPLACE:
            await self._take_over(pair, name, deadline)
            return
        if self._same_name is SameName.REFUSE:
            await self._wait_for_end(name, deadline)
        if self.claims is None:
            self._register(pair, name)
            return
        await self.claims.claim(name, deadline - self._clock.seconds())
        try:
            if self._same_name is SameName.REFUSE:
                await self._wait_for_end(name, deadline)  # another client of this node may have come first
            self._register(pair, name)
        except BaseException:
            self.claims.release(name)
            raise

    async def contest(self, name: str, timeout: float) -> None:
        """A client of another node wants a name: make it free as for a client of this node.

        Raises:
            DuplicateClient: its link stays, or did not end within ``timeout`` seconds.
            Replaced: a later newcomer wants the name, too.
        """
        deadline = self._clock.seconds() + timeout
        if self._same_name is SameName.REFUSE:
            await self._wait_for_end(name, deadline)
        elif self._same_name is SameName.REPLACE:
            await self._take_over(None, name, deadline)

    def take_label(self, pair: Pair) -> str:
        """Give a pair a label that no other pair has, made of its client's address."""
        address = pair.client.address
        number = f"#{pair.id}"
        label = address_text(address) if isinstance(address, (IPv4Address, IPv6Address)) else number
        if label in self._labels:  # behind a load balancer, or the system uses a port again
            label += number
        self.leave(pair)
        self._labels[label] = pair
        pair.claim = label
        return label

    def leave(self, pair: Pair) -> None:
        """Free the name, or the label, of a pair."""
        name, pair.claim = pair.claim, None
        if name is None:
            return
        if self._labels.get(name) is pair:
            del self._labels[name]
            return
        if self._claimed.get(name) is pair:
            del self._claimed[name]
        else:
            sharing = self._shared[name]
            del sharing[pair]
            if not sharing:
                del self._shared[name]
        if self.claims is not None:
            self.claims.release(name)

    def _register(self, pair: Pair, name: str) -> None:
        if pair.closing:
            raise ClientGone(f"the link closes, so it cannot get the name {name!r}", Side.CLIENT)
        self.leave(pair)
        if self._same_name is SameName.SHARE:
            self._shared.setdefault(name, {})[pair] = None
        else:
            self._claimed[name] = pair
        pair.claim = name

    # -- REFUSE ----------------------------------------------------------------------------------------------

    async def _wait_for_end(self, name: str, deadline: float) -> None:
        """Wait until a name is free, if the link that has it is ending, or its client has vanished."""
        while (holder := self._claimed.get(name)) is not None:
            error = partial(DuplicateClient, f"a client {name!r} is linked already", Side.CLIENT)
            if not (holder.closing or holder.finishing):
                half = (deadline - self._clock.seconds()) / 2  # the rest is for the end of the holder's link
                if not await self._monitor.has_vanished(holder.client, half):
                    if self._claimed.get(name) is holder:
                        raise error()
                    continue  # it has got another name meanwhile
            if holder.closing or holder.finishing:  # the application may let the link of a vanished client stand
                holder.give_way()
            await within(holder.when_over(), deadline - self._clock.seconds(), self._clock, error)

    # -- REPLACE ---------------------------------------------------------------------------------------------

    async def _take_over(self, pair: Pair | None, name: str, deadline: float) -> None:
        """Claim a name, which the pair that has it loses, and everybody who came before; ``None`` for another node."""
        earlier = self._newcomers.get(name, ())
        pause = self._contests.pause(name) if earlier or self._is_used(name) else 0.0
        if not pause:
            _turn_away(earlier)
        newcomer = _Newcomer()
        self._newcomers.setdefault(name, {})[newcomer] = None
        try:
            if pause and (holder := self._claimed.get(name)) is not None:
                pause = max(min(pause, (deadline - self._clock.seconds()) / 2), 0)
                await newcomer.wait(holder.when_over().addTimeout(pause, self._clock, lambda *_: None))
            if pair is not None and self.claims is not None:
                # Before the holder ends: it stays if the fleet does not give the name.
                await newcomer.wait(Deferred.fromCoroutine(self.claims.claim(name, deadline - self._clock.seconds())))
            try:
                await self._end_holder(pair, name, newcomer, deadline)
                self._check_latest(name, newcomer)
                if pair is not None:
                    self._register(pair, name)
            except BaseException:
                if pair is not None and self.claims is not None:
                    self.claims.release(name)
                raise
        finally:
            waiting = self._newcomers[name]
            del waiting[newcomer]
            if not waiting:
                del self._newcomers[name]
        _turn_away(waiting)  # all who are left came before

    async def _end_holder(self, pair: Pair | None, name: str, newcomer: _Newcomer, deadline: float) -> None:
        while (holder := self._claimed.get(name)) is not None and not (pair is not None and pair.closing):
            self._check_latest(name, newcomer)
            self._make_way(holder, Replaced(f"a newcomer took the name {name!r} over", Side.CLIENT))
            error = partial(DuplicateClient, f"the link of the other client {name!r} did not end in time", Side.CLIENT)
            await newcomer.wait(within(holder.when_over(), deadline - self._clock.seconds(), self._clock, error))

    def _is_used(self, name: str) -> bool:
        """Return whether a name belongs to a pair that is not about to end anyway."""
        holder = self._claimed.get(name)
        return holder is not None and not (holder.closing or holder.finishing)

    def _check_latest(self, name: str, newcomer: _Newcomer) -> None:
        if next(reversed(self._newcomers[name])) is not newcomer:
            raise _replaced()


class _Newcomer:
    """A client that waits for a name that it takes over."""

    __slots__ = ("_awaited", "_turned_away")

    def __init__(self) -> None:
        self._awaited: Deferred[None] | None = None
        self._turned_away = False

    async def wait(self, deferred: Deferred[None]) -> None:
        """Wait, unless a later newcomer comes."""
        self._awaited = deferred
        try:
            await deferred
        except CancelledError:
            if self._turned_away:
                raise _replaced() from None
            raise
        finally:
            self._awaited = None

    def turn_away(self) -> None:
        """A later newcomer gets the name."""
        self._turned_away = True
        if self._awaited is not None:
            self._awaited.cancel()


def _turn_away(newcomers: dict[_Newcomer, None] | tuple[()]) -> None:
    for newcomer in list(newcomers):
        newcomer.turn_away()


def _replaced() -> Replaced:
    return Replaced("a later newcomer gets the name", Side.CLIENT)


class _Contests:
    """How often names were taken over lately."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._times: dict[int, tuple[int, float]] = {}
        """How often in a row, and when it was last, by the hash of a name, which may be long; the latest is last."""

    def pause(self, name: str) -> float:
        """Count one more newcomer who takes a name over. Return for how many seconds it has to pause first."""
        now = self._clock.seconds()
        while self._times:
            oldest, (_, last) = next(iter(self._times.items()))
            if now - last < QUIET and len(self._times) <= REMEMBERED:
                break
            del self._times[oldest]
        key = hash(name)
        times, _ = self._times.pop(key, (0, now))
        pause = 0.0 if times < FREE else FIRST_PAUSE * 2.0 ** (times - FREE)
        if pause < LONGEST_PAUSE:
            times += 1
        self._times[key] = (times, now)
        return min(pause, LONGEST_PAUSE)
