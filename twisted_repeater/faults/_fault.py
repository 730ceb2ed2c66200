"""What all faults have in common: the conditions under which they hit, and the checks of their options."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from ..model import Direction

__all__ = ["MOST_SECONDS", "Chance", "Fault", "check_seconds", "check_whole"]

MOST_SECONDS = 31_536_000.0
"""The longest time that a fault may last or take, in seconds: a year."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The base of all faults: something to break on purpose.

    ``probability``, ``every`` and ``first`` choose what is hit: messages of a link and a direction for faults by
    message, and links for faults by bytes. They count one after the other: of all that the fault sees, every nth is
    taken; of these, each is hit with the probability; and only the first ones are hit.

    The choice is made with random numbers of a generator for each link and direction, which begins with the seed and
    the number of the link among the links of the fault. So the same traffic gets the same faults again, whatever
    other links do.
    """

    direction: Direction | None = None
    """The way that is broken; ``None`` breaks both."""
    clients: str | None = None
    """A pattern of the names of the clients whose links are broken, such as ``edge-*``; ``None`` breaks all."""
    probability: float = 1.0
    """How likely it is that a message, or a link, is hit: above 0, and at most 1."""
    every: int = 1
    """Hit every nth only."""
    first: int | None = None
    """Hit so many only, and no more after them; ``None`` sets no end."""
    seed: int | None = None
    """What the random numbers begin with; ``None`` draws one, which `ActiveFault.seed` has."""

    def __post_init__(self) -> None:
        if self.direction is not None and not isinstance(self.direction, Direction):
            raise TypeError(f"direction must be a Direction or None, not {self.direction!r}")
        if self.clients is not None and not isinstance(self.clients, str):
            raise TypeError(f"clients must be a pattern such as 'edge-*', or None, not {self.clients!r}")
        if not _is_number(self.probability):
            raise TypeError(f"probability must be a number, not {self.probability!r}")
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability must be above 0 and at most 1, not {self.probability!r}")
        check_whole("every", self.every, least=1)
        if self.first is not None:
            check_whole("first", self.first, least=1)
        if self.seed is not None:
            check_whole("seed", self.seed, least=0)

    def __str__(self) -> str:
        """Return it as it is written in Python, without the options that have their defaults."""
        given = []
        for option in fields(self):
            value = getattr(self, option.name)
            if value != option.default:
                text = value if isinstance(value, Direction) else getattr(value, "__name__", None) or repr(value)
                given.append(f"{option.name}={text}")
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def way(self) -> str:
        """The direction in words: ``to-server``, ``to-client`` or ``both``."""
        return "both" if self.direction is None else self.direction.value.replace("_", "-")

    def concerns_client(self, name: str) -> bool:
        """Return whether it breaks the links of a client of this name."""
        return self.clients is None or fnmatch.fnmatchcase(name, self.clients)

    def concerns_direction(self, direction: Direction) -> bool:
        """Return whether it breaks this way."""
        return self.direction is None or self.direction is direction


class Chance:
    """Chooses what a fault hits, for one sequence: the messages of a link and a direction, or links.

    Args:
        fault: has the conditions.
        random: the random numbers of the sequence.
    """

    __slots__ = ("_fault", "hit", "kept", "random", "seen")

    def __init__(self, fault: Fault, random: Random) -> None:
        self._fault = fault
        self.random: Random = random
        """The fault draws its own choices from it, too, but only for what is hit."""
        self.kept: list[Any] = []
        """What the fault has to remember for this sequence."""
        self.seen: int = 0
        """How many it was asked about."""
        self.hit: int = 0
        """How many of them are hit."""

    def hits(self) -> bool:
        """Return whether the next one of the sequence is hit."""
        fault = self._fault
        self.seen += 1
        if fault.first is not None and self.hit >= fault.first:
            return False
        if self.seen % fault.every or (fault.probability < 1 and self.random.random() >= fault.probability):
            return False
        self.hit += 1
        return True


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless an option is a time in seconds; ``zero`` allows 0."""
    if not _is_number(value):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    assert isinstance(value, (int, float))
    if not (value >= 0 if zero else value > 0):
        raise ValueError(f"{name} must be {'at least' if zero else 'above'} 0, not {value!r}")
    if value > MOST_SECONDS:
        raise ValueError(f"{name} must be at most {MOST_SECONDS:.0f} seconds, not {value!r}")


def check_whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless an option is a whole number within these bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most}, not {value}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
