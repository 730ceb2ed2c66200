"""Plays many mutated sessions through the dialects: ``python -m tests.fuzz.attacks NAME [FIRST] [COUNT]``.

It prints what became of them, and each seed with a fault. ``python -m tests.fuzz.attacks NAME SEED 1`` shows one again.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from twisted_repeater import Direction, Side

from .mutations import mutated
from .playing import Fault, FuzzedRepeater, Pieces, at_random, bytewise, whole
from .protocols import PROTOCOLS, Case

__all__ = ["attack", "attacks"]

AT_ONCE = 250
"""How many sessions one repeater has."""


def attack(repeater: FuzzedRepeater, case: Case, direction: Direction, seed: int) -> str:
    """Play one mutated session, and return what became of it.

    Raises:
        Fault: the repeater did what it must not do. The message has the seed.
    """
    random = Random(f"{case.name} {direction.value} {seed}")
    recordings = [one for one in case.recordings if one.name not in case.wrong]
    steps, what = mutated(random, case.name, recordings, direction)
    pieces: Pieces = random.choice((whole, whole, at_random(random), bytewise))
    culprit = Side.CLIENT if direction is Direction.TO_SERVER else Side.SERVER
    try:
        return str(repeater.attack(steps, pieces, culprit))
    except Exception as error:
        raise Fault(f"seed {seed}, {direction.value}, {what}: {error}") from error


def attacks(
    case: Case, direction: Direction, options: Callable[[], dict[str, Any]], seeds: Iterable[int]
) -> Counter[str]:
    """Play many mutated sessions; return how often there was each outcome."""
    repeater = case.repeater(**options())
    try:
        return Counter(attack(repeater, case, direction, seed) for seed in seeds)
    finally:
        repeater.close()


def main() -> None:
    """Play as many as the command line says, with all kinds of filters, and print what became of them."""
    case = PROTOCOLS[sys.argv[1]]
    first, count = (int(word) for word in (sys.argv[2:] + ["0", "1000"][len(sys.argv) - 2 :]))
    for name, options in {**case.passing, **case.ruling}.items():
        for direction in Direction:
            outcomes: Counter[str] = Counter()
            slowest = (0.0, 0)
            seeds = iter(range(first, first + count))
            repeater = None
            for seed in seeds:
                if repeater is None or seed % AT_ONCE == 0:
                    if repeater is not None:
                        repeater.close()
                    repeater = case.repeater(**options())
                start = time.process_time()
                try:
                    outcomes[attack(repeater, case, direction, seed)] += 1
                except Fault as fault:
                    outcomes["FAULT"] += 1
                    print(f"{case.name}, {name}: {str(fault)[:1500]}", flush=True)
                    if count == 1:
                        traceback.print_exc()
                    repeater = None
                slowest = max(slowest, (time.process_time() - start, seed))
            print(f"{case.name}, {name}, {direction.value}: {dict(outcomes)}; slowest {slowest}", flush=True)


if __name__ == "__main__":
    main()
