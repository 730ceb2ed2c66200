"""Faults for the length of a block of a test, with seeds that can be given again."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from ..faults import ActiveFault, Fault, Faults
from ._transcript import Event, Remark, Transcript

__all__ = ["Breaking"]

SEEDS = 2**32
"""The seeds of faults are below this number."""


class Breaking:
    """Sets the faults of a test, and records them in its transcript.

    Args:
        transcript: written to.
        seed: the seeds of faults that have none are drawn from this one, in order. With ``None`` each draws its own.
    """

    def __init__(self, transcript: Transcript, seed: int | None) -> None:
        self._transcript = transcript
        self._random = None if seed is None else Random(seed)

    def set(self, faults: Faults, fault: Fault) -> ActiveFault:
        """Set a fault under a name of its own."""
        if self._random is not None and isinstance(fault, Fault) and fault.seed is None:
            fault = replace(fault, seed=self._random.randrange(SEEDS))
        kind = type(fault).__name__.lower()
        names = (kind if number == 1 else f"{kind}-{number}" for number in range(1, len(faults) + 2))
        active = faults.set(next(name for name in names if name not in faults), fault)
        self._transcript.add(Event.FAULT, "", Remark(f"{fault} begins, with the seed {active.seed}"))
        return active

    def remove(self, faults: Faults, active: ActiveFault) -> None:
        """Remove a fault, unless its time was over before."""
        faults.remove(active.name)
        self._transcript.add(Event.FAULT, "", Remark(f"{active.fault} ends: it has hit {active.hit} of {active.seen}"))
