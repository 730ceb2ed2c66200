"""Divides long work into slices of time, so that no call keeps the reactor for long."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

SLICE = 0.002
"""How many seconds one piece of work may keep the reactor before others have their turn."""


def in_slices(clock: IReactorTime, steps: Iterable[object]) -> Deferred[None]:
    """Take all steps: the first ones at once, for a slice of time, then a slice in each turn of the reactor.

    Args:
        clock: the reactor.
        steps: an iterator that takes a step each time it is asked for the next item.

    Returns:
        A Deferred that fires when all steps are taken, perhaps at once. It fails if a step raises; then no more are
        taken.
    """
    done: Deferred[None] = Deferred()
    rest = iter(steps)

    def go_on() -> None:
        begun = clock.seconds()
        try:
            for _ in rest:
                if not 0 <= clock.seconds() - begun < SLICE:  # a clock may be set back
                    clock.callLater(0, go_on)
                    return
        except Exception:
            done.errback(Failure())
        else:
            done.callback(None)

    go_on()
    return done
