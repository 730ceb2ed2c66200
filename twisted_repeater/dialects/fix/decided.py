"""Which messages of a sender have been decided about, so that filters are not asked twice."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["Decided"]

MOST = 1000
"""How many runs of numbers are remembered: there is one more each time that messages were lost. The lowest are
forgotten."""


class Decided:
    """A set of numbers, as runs. To add the number that follows the last one costs next to nothing."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._stops[at]

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
        del starts[:-MOST], stops[:-MOST]
