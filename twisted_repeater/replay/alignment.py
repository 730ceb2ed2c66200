"""Pairs two sequences of messages that come bit by bit, so that one missing message is one difference."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Alignment", "Comparable", "Unordered", "aligned"]

WINDOW = 128
"""How many messages of both sequences are kept after a difference, to find where the sequences agree again."""

MOST_CELLS = 65_536
"""How many pairs of messages are compared at once, at most."""

MOST_HELD = 10_000
MOST_HELD_SIZE = 64 * 1024 * 1024
"""How many messages of one sequence, and how many of their bytes, wait for the other sequence."""

EQUAL, CHANGED, OTHER_KIND, GAP = 0, 2, 3, 2
"""The costs. Two messages of different kinds are a pair, and not one missing and one extra: an error may be in the
place of an answer."""


class Comparable(Protocol):
    """A message of a sequence."""

    def same_as(self, other: Any, /) -> bool:
        """Return whether two messages count as equal."""

    @property
    def kind(self) -> Hashable:
        """Messages of the same kind are paired rather than others."""

    @property
    def key(self) -> Hashable:
        """Equal for messages that count as equal."""

    @property
    def size(self) -> int:
        """How many bytes it has."""


T = TypeVar("T", bound=Comparable)


def aligned(one: Sequence[T], other: Sequence[T], *, ends: bool) -> list[tuple[T | None, T | None]]:
    """Return the pairs of the cheapest way to make one sequence of the other.

    Args:
        one: the first sequence.
        other: the second sequence.
        ends: whether both sequences are complete. Otherwise what follows is unknown, and a rest of one is left out.
    """
    costs = _costs(one, other)
    row, column = len(one), len(other)
    if not ends:
        edge = [(row, at) for at in range(column + 1)] + [(at, column) for at in range(row)]
        row, column = min(edge, key=lambda place: (costs[place[0]][place[1]], -sum(place)))
    pairs: list[tuple[T | None, T | None]] = []
    while row or column:
        cost = costs[row][column]
        if row and column and cost == costs[row - 1][column - 1] + _cost(one[row - 1], other[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((one[row], other[column]))
        elif row and cost == costs[row - 1][column] + GAP:
            row -= 1
            pairs.append((one[row], None))
        else:
            column -= 1
            pairs.append((None, other[column]))
    return pairs[::-1]


def _costs(one: Sequence[T], other: Sequence[T]) -> list[list[int]]:
    """Return for each two beginnings of the sequences the lowest cost."""
    row = [GAP * at for at in range(len(other) + 1)]
    costs = [row]
    for number, item in enumerate(one, 1):
        above, row = row, [GAP * number]
        left = row[0]
        for at, against in enumerate(other):
            left = min(above[at] + _cost(item, against), above[at + 1] + GAP, left + GAP)
            row.append(left)
        costs.append(row)
    return costs


def _cost(one: Comparable, other: Comparable) -> int:
    if one.same_as(other):
        return EQUAL
    return CHANGED if one.kind == other.kind else OTHER_KIND


class Alignment(Generic[T]):
    """Pairs two sequences while they come.

    Equal messages are pairs at once, as long as nothing before them is open. After a difference, both sequences are
    kept until it is clear where they agree again, or until there are too many.

    Args:
        found: called for each pair, in order. ``None`` stands for a message that is missing in a sequence.
    """

    def __init__(self, found: Callable[[T | None, T | None], None]) -> None:
        self._found = found
        self._sequences: tuple[deque[T], deque[T]] = (deque(), deque())
        self._sizes = [0, 0]

    def first(self, item: T) -> None:
        """Accept the next message of the first sequence."""
        self._add(0, item)

    def second(self, item: T) -> None:
        """Accept the next message of the second sequence."""
        self._add(1, item)

    def end(self) -> None:
        """Pair what is left: both sequences are complete."""
        one, other = self._sequences
        while one and other:
            self._settle(ends=True)
        while one or other:
            self._pair(bool(one), bool(other))

    def _add(self, which: int, item: T) -> None:
        one, other = self._sequences
        self._sequences[which].append(item)
        self._sizes[which] += item.size
        while one and other and one[0].same_as(other[0]):
            self._pair(True, True)
        if len(one) >= WINDOW <= len(other):
            self._settle(ends=False)
        while len(self._sequences[which]) > MOST_HELD or self._sizes[which] > MOST_HELD_SIZE:
            if one and other:
                self._settle(ends=False)
            else:
                self._pair(which == 0, which == 1)

    def _settle(self, *, ends: bool) -> None:
        """Pair what both sequences begin with. What is near to the end of what was compared stays, if more follows."""
        one, other = self._sequences
        columns = min(len(other), max(WINDOW, MOST_CELLS // len(one)))
        rows = min(len(one), MOST_CELLS // columns)
        complete = ends and rows == len(one) and columns == len(other)
        pairs = aligned(list(islice(one, rows)), list(islice(other, columns)), ends=complete)
        taken = [0, 0]
        for left, right in pairs:
            self._pair(left is not None, right is not None)
            taken[0] += left is not None
            taken[1] += right is not None
            if not complete and (taken[0] > rows // 2 or taken[1] > columns // 2):
                break

    def _pair(self, has_first: bool, has_second: bool) -> None:
        items = [
            sequence.popleft() if has else None
            for sequence, has in zip(self._sequences, (has_first, has_second), strict=True)
        ]
        for which, item in enumerate(items):
            self._sizes[which] -= 0 if item is None else item.size
        self._found(*items)


class Unordered(Generic[T]):
    """Pairs the equal messages of two sequences whose order is chance, while they come.

    The rest is paired in its order at the end.

    Args:
        found: called for each pair. ``None`` stands for a message that is missing in a sequence.
        moved: called for each pair that is in another place of its sequence.
    """

    def __init__(self, found: Callable[[T | None, T | None], None], moved: Callable[[], object]) -> None:
        self._found = found
        self._moved = moved
        self._waiting: tuple[dict[Hashable, deque[tuple[int, T]]], dict[Hashable, deque[tuple[int, T]]]] = ({}, {})
        self._counts = [0, 0]
        self._sizes = [0, 0]
        self._number = 0

    def first(self, item: T) -> None:
        """Accept the next message of the first sequence."""
        self._add(0, item)

    def second(self, item: T) -> None:
        """Accept the next message of the second sequence."""
        self._add(1, item)

    def end(self) -> None:
        """Pair what is left: both sequences are complete."""
        rest: Alignment[T] = Alignment(self._found)
        for which, add in enumerate((rest.first, rest.second)):
            entries = [entry for queue in self._waiting[which].values() for entry in queue]
            for _, item in sorted(entries, key=itemgetter(0)):
                add(item)
            self._waiting[which].clear()
        rest.end()

    def _add(self, which: int, item: T) -> None:
        others = self._waiting[1 - which]
        if item.key in others:
            if item.key != next(iter(others)):
                self._moved()
            other = self._take(1 - which, item.key)
            self._found(*((item, other) if which == 0 else (other, item)))
            return
        own = self._waiting[which]
        self._number += 1
        own.setdefault(item.key, deque()).append((self._number, item))
        self._counts[which] += 1
        self._sizes[which] += item.size
        while self._counts[which] > MOST_HELD or self._sizes[which] > MOST_HELD_SIZE:
            old = self._take(which, next(iter(own)))
            self._found(*((old, None) if which == 0 else (None, old)))

    def _take(self, which: int, key: Hashable) -> T:
        """Take the oldest message with a key that waits for the other sequence."""
        queue = self._waiting[which][key]
        _, item = queue.popleft()
        if not queue:
            del self._waiting[which][key]
        self._counts[which] -= 1
        self._sizes[which] -= item.size
        return item
