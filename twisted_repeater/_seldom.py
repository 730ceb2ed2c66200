"""Keeps a log small: of events of one kind, one a second is logged, the others are counted."""

from __future__ import annotations

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime

__all__ = ["Seldom"]

EVERY = 1.0
"""At most one event of a kind is logged in so many seconds: nobody must fill the disk with mistakes."""


class Seldom:
    """Says which events are logged."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._logged: dict[Hashable, float] = {}
        self._left_out: dict[Hashable, int] = {}

    def take(self, kind: Hashable) -> str | None:
        """Take one more event of a kind: ``None`` if it is left out, else what its line ends with.

        That is how many were left out since the last line, if any.
        """
        now = self._clock.seconds()
        if now - self._logged.get(kind, float("-inf")) < EVERY:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._logged[kind] = now
        left_out = self._left_out.pop(kind, 0)
        return f" (and {left_out} more since the last such line)" if left_out else ""
