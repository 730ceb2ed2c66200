"""Long conversations of the model, drawn with weights: a search by hypothesis alone rarely gets so deep."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .engines import Habits
from .test_numbers_model import ACTS, Filtered

__all__ = ["run"]

WEIGHTS = {
    "send": 10, "move": 4, "arrive": 4, "move_all": 12, "flush": 4, "break_off": 2, "connect_again": 5, "say": 3,
    "ask": 4, "raise_numbers": 1, "reset": 1, "lose_store": 1, "verdict_comes": 4, "application_adds": 4, "kill": 2,
}  # fmt: skip
"""How often each step is taken. Some are left out of a run altogether."""


class Drawn:
    """What `Conversation.ask` draws from, with the values that come next.

    Args:
        random: decides.
        highest: the highest number that may be asked for.
    """

    def __init__(self, random: Random, highest: int) -> None:
        begin = random.randint(1, highest)
        self.values = [begin, random.choice((0, 0, begin + random.randrange(9)))]

    def draw(self, strategy: object) -> int:
        """Return the next value."""
        return self.values.pop(0)


def habits(random: Random) -> Habits:
    """Return the habits of an engine."""
    flags = [random.random() < 0.4 for _ in range(5)]
    return Habits(b"", not flags[0], random.choice(("0", "999999", "exact", "1", "3")), *flags[1:])


def amount(random: Random) -> int:
    """Return how many bytes come through."""
    return random.choice((0, 0, random.randrange(1, 300)))


ARGUMENTS: dict[str, Callable[[Random, int, list[str]], tuple[Any, ...]]] = {
    "send": lambda r, side, acts: (side, r.randrange(6), r.choices(acts, k=r.choice((1, 1, 2))), r.randrange(5)),
    "move": lambda r, side, acts: (side, amount(r)),
    "arrive": lambda r, side, acts: (side, amount(r)),
    "move_all": lambda r, side, acts: (r.randrange(1, 4),),
    "break_off": lambda r, side, acts: (0,),
    "connect_again": lambda r, side, acts: (r.random() < 0.5,),
    "say": lambda r, side, acts: (side, r.choice(("test", "heartbeat", "reject", "logout"))),
    "raise_numbers": lambda r, side, acts: (side, r.randrange(1, 5), 0),
    "reset": lambda r, side, acts: (side,),
    "lose_store": lambda r, side, acts: (r.choice(((0,), (1,), (0, 1), (0, 1))), 0),
    "application_adds": lambda r, side, acts: (side,),
    "kill": lambda r, side, acts: (r.choice(("now", "before", "after", "restart")), 0),
}


def run(seed: int, length: int) -> None:
    """Hold one conversation, with all checks at its end.

    Args:
        seed: decides.
        length: the number of steps.
    """
    random = Random(seed)
    conversation = Filtered()
    conversation.begin(random.choice((b"FIX.4.2", b"FIX.4.4", b"FIXT.1.1")), habits(random), habits(random))
    acts = list(ACTS) if random.random() < 0.7 else random.sample(ACTS, 2)
    weights = {name: 0 if weight < 5 and random.random() < 0.2 else weight for name, weight in WEIGHTS.items()}
    try:
        for name in random.choices(list(weights), list(weights.values()), k=length):
            side = random.randrange(2)
            if name == "ask":
                conversation.ask(side, Drawn(random, max(1, conversation.engines[side].next_in - 1)))
            elif name != "verdict_comes" or conversation.pending:
                arguments = ARGUMENTS[name](random, side, acts) if name in ARGUMENTS else ()
                getattr(conversation, name)(*arguments)
            conversation.once()
    except BaseException:
        conversation.between.close()
        raise
    conversation.teardown()
