"""`Count`: counts messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

from zope.interface import implementer

from .._types import Message
from ..interfaces import IFilter, IMigrating
from ..link import Link
from ..verdicts import PASS_ON, Verdict

__all__ = ["Count"]


def _class_name(message: object, link: Link) -> str:
    return type(message).__name__


@implementer(IFilter, IMigrating)
class Count:
    """Counts messages, and passes all on. ``counts`` has the numbers.

    Args:
        key: a function of a message and its link that returns the key that the message is counted under; by default
            the name of the message's class.
    """

    def __init__(self, key: Callable[[Message, Link], Hashable] = _class_name) -> None:
        self.key = key
        self.counts: Counter[Hashable] = Counter()

    @property
    def total(self) -> int:
        """The number of all messages."""
        return self.counts.total()

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It goes on from the numbers of a `Count` before it."""
        if isinstance(old, Count):
            self.counts = Counter(old.counts)

    def filter(self, message: object, link: Link) -> Verdict:
        """See `IFilter`."""
        self.counts[self.key(message, link)] += 1
        return PASS_ON
