"""A set of numbers that takes little memory: numbers that follow each other are one run."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

__all__ = ["Runs"]


class Runs:
    """A set of numbers, as runs of 16 bytes each. To add the number that follows the last one costs next to nothing.

    Args:
        runs: the first number of each run, and the number behind its last, in order. They may overlap.
        most: how many runs are remembered; the lowest are forgotten. ``None`` for all.
    """

    def __init__(self, runs: Iterable[tuple[int, int]] = (), most: int | None = None) -> None:
        self._starts = array("q")
        self._stops = array("q")
        self._most = most
        last = 0
        for start, stop in runs:
            if start > last or not self._stops:
                self._starts.append(start)
                self._stops.append(stop)
                last = stop
            elif stop > last:
                self._stops[-1] = last = stop

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self._starts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._stops[at]

    @property
    def stop(self) -> int:
        """The number behind the highest; 0 for an empty set."""
        return self._stops[-1] if self._stops else 0

    def run_of(self, number: int) -> tuple[int, int]:
        """Return the run that a number is in, with the number behind its last; an empty one if it is in none."""
        at = bisect_right(self._starts, number) - 1
        if at >= 0 and number < self._stops[at]:
            return self._starts[at], self._stops[at]
        return number, number

    def between(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Return the runs from a number up to another, without that; the outer ones are cut there."""
        for at in range(max(bisect_right(self._starts, start) - 1, 0), len(self._starts)):
            begin, end = max(self._starts[at], start), min(self._stops[at], stop)
            if self._starts[at] >= stop:
                return
            if begin < end:
                yield begin, end

    def add_all(self, start: int, stop: int) -> None:
        """Add the numbers from ``start`` up to ``stop``, which follow all others."""
        if start < stop:
            self.add(start)
            self._stops[-1] = stop

    def add(self, number: int) -> None:
        """Add a number."""
        starts, stops = self._starts, self._stops
        if stops and stops[-1] == number:
            stops[-1] = number + 1
            return
        if number in self:
            return
        at = bisect_right(starts, number)
        starts.insert(at, number)
        stops.insert(at, number + 1)
        if at + 1 < len(starts) and starts[at + 1] == number + 1:
            del starts[at + 1], stops[at]
        if at and stops[at - 1] == number:
            del starts[at], stops[at - 1]
        if self._most is not None and len(starts) > self._most:
            del starts[0], stops[0]
