"""The faults of a repeater: they are set, changed and removed while it runs, and each may end by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random, SystemRandom
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._text import loggable
from ..link import Link
from ..model import Direction
from ._fault import Chance, Fault, check_seconds
from ._link_faults import MessageFault

__all__ = ["ActiveFault", "Faults", "check_name"]

log: Logger = Logger()

SEEDS = 2**32
"""Drawn seeds are below this number: short enough to be typed again."""

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
"""The names of faults, which are part of paths and command lines."""


class ActiveFault:
    """A fault that is set, with what it has done so far. `Faults.set` makes it."""

    def __init__(self, name: str, fault: Fault, clock: IReactorTime, ends: float | None) -> None:
        self.name: str = name
        """Its name among the faults of the repeater."""
        self.fault: Fault = fault
        """Its kind, and its options."""
        self.seed: int = SystemRandom().randrange(SEEDS) if fault.seed is None else fault.seed
        """What its random numbers begin with: give it to the fault to get the same faults again."""
        self.removed: bool = False
        """Whether it is set no more. A verdict that was awaited then may still reach it."""
        self._clock = clock
        self._ends = ends
        self._logged = False
        self._seen = self._hit = 0
        self._of_links: WeakKeyDictionary[Link, tuple[int, dict[Direction, Chance]]] = WeakKeyDictionary()
        """The number of each link among those of the fault, and what was asked for of its chances."""
        self._links = 0
        """How many links have a number."""
        self._by_link = {direction: Chance(fault, Random()) for direction in Direction}
        self._hit_links: WeakKeyDictionary[Link, dict[Direction, bool]] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"ActiveFault({self.name!r}, {self.fault}, seed={self.seed})"

    @property
    def by_message(self) -> bool:
        """Whether the fault hits messages, and not bytes."""
        return isinstance(self.fault, MessageFault)

    @property
    def seconds_left(self) -> float | None:
        """In how many seconds it ends by itself; ``None`` if it stays until it is removed."""
        return None if self._ends is None else max(self._ends - self._clock.seconds(), 0.0)

    @property
    def seen(self) -> int:
        """How many messages, or links, it could have hit."""
        return self._seen

    @property
    def hit(self) -> int:
        """How many of them it has hit."""
        return self._hit

    def concerns(self, link: Link, direction: Direction) -> bool:
        """Return whether its conditions include a link and a direction. The name of a client may still change."""
        return self.fault.concerns_direction(direction) and self.fault.concerns_client(link.client_name)

    def random_of(self, link: Link, direction: Direction) -> Random:
        """Return the random numbers of a link and a direction: always the same generator.

        They depend on the number of the link, so call `number` as soon as the link is made, or the fault is set.
        """
        return self.chance_of(link, direction).random

    def hits_next(self, chance: Chance) -> bool:
        """Return whether the next one of a sequence is hit, and count it. Call it once for each."""
        hits = chance.hits()
        self._seen += 1
        self._hit += hits
        return hits

    def hits_link(self, link: Link, direction: Direction) -> bool:
        """Return whether a link is hit in a direction: decided when you first ask, and the same from then on."""
        hits = self._hit_links.setdefault(link, {})
        if direction not in hits:
            self.number(link)
            chance = self._by_link[direction]
            if self.fault.probability < 1:  # otherwise nothing is drawn, and generators of thousands of links take long
                chance.random = self.random_of(link, direction)
            hits[direction] = self.hits_next(chance)
        return hits[direction]

    def now(self) -> float:
        """Return the time of its clock."""
        return self._clock.seconds()

    def log_once(self, log: Logger, failure: Failure) -> None:
        """Log that the function ``where`` of the fault has failed, unless it was logged already."""
        if not self._logged:
            self._logged = True
            log.failure("where of the fault {name} failed (logged once)", loggable(failure), name=self.name)

    def number(self, link: Link) -> tuple[int, dict[Direction, Chance]]:
        """Give a link its number among those of the fault, if it has none. Return it, and the chances of the link."""
        found = self._of_links.get(link)
        if found is None:
            self._links += 1
            found = self._of_links[link] = (self._links, {})
        return found

    def chance_of(self, link: Link, direction: Direction) -> Chance:
        """Return what chooses the messages of a link and a direction: always the same object."""
        number, chances = self.number(link)
        if direction not in chances:
            chances[direction] = Chance(self.fault, Random(f"{self.seed}/{number}/{direction.value}"))
        return chances[direction]


class Faults:
    """The faults of a repeater, in the order in which they were set first. ``repeater.faults`` has them.

    A message goes through the faults in this order: first those by message, then those by bytes. Faults live in memory
    only: a repeater that is started again has none.

    Args:
        clock: ends faults whose time is over.
        changed: called after each change, with the fault that was removed, or replaced, if there is one.
    """

    def __init__(self, clock: IReactorTime, changed: Callable[[ActiveFault | None], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._faults: dict[str, ActiveFault] = {}
        self._timers: dict[str, IDelayedCall] = {}
        self._stopped = False

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(list(self._faults.values()))

    def __len__(self) -> int:
        return len(self._faults)

    def __contains__(self, name: object) -> bool:
        return name in self._faults

    def set(self, name: str, fault: Fault, *, seconds: float | None = None) -> ActiveFault:
        """Set a fault, also on the links that are there. One of the same name is replaced, and counts from 0 again.

        Args:
            name: its name, of letters, digits, ``_``, ``.`` and ``-``.
            fault: what to break.
            seconds: after this time the fault is removed; ``None`` leaves it until you remove it.

        Raises:
            TypeError: an argument is of another kind.
            ValueError: the name or the time is out of range.
        """
        check_name(name)
        if not isinstance(fault, Fault) or type(fault) in (Fault, MessageFault):
            raise TypeError(f"fault must be a fault such as Drop(), not {fault!r}")
        ends = None
        if seconds is not None:
            check_seconds("seconds", seconds)
            ends = self._clock.seconds() + seconds
        before = self._faults.get(name)
        active = self._faults[name] = ActiveFault(name, fault, self._clock, ends)
        self._stop_timer(name)
        if seconds is not None and not self._stopped:
            self._timers[name] = self._clock.callLater(seconds, self.remove, name)
        words = "the fault {name} is set: {fault}, direction {direction}, seed {seed}"
        log.info(words, name=name, fault=str(fault), direction=fault.way, seed=active.seed)
        if before is not None:
            before.removed = True
        self._changed(before)
        return active

    def remove(self, name: str) -> bool:
        """Remove a fault; return whether there was one of this name. Messages that it holds go on at once."""
        self._stop_timer(name)
        removed = self._faults.pop(name, None)
        if removed is not None:
            removed.removed = True
            log.info(
                "the fault {name} is removed; it hit {hit} of {seen}", name=name, hit=removed.hit, seen=removed.seen
            )
            self._changed(removed)
        return removed is not None

    def clear(self) -> None:
        """Remove all faults."""
        for name in list(self._faults):
            self.remove(name)

    def stop(self) -> None:
        """The repeater is over: stop the timers, and start none again."""
        self._stopped = True
        for name in list(self._timers):
            self._stop_timer(name)

    def _stop_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None and timer.active():
            timer.cancel()


def check_name(name: object) -> None:
    """Raise ``ValueError`` unless a fault may have this name."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"the name of a fault must be 1 to 64 letters, digits, '_', '.' or '-', not {name!r}")
