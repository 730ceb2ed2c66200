"""`Count`: counts messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

from zope.interface import implementer

from ..interfaces import IFilter
from ..verdicts import PASS_ON, Verdict

__all__ = ["Count"]


def _class_name(message: Any, link: Any) -> str:
    return type(message).__name__


@implementer(IFilter)
class Count:
    """Counts messages, and passes all on.

    ``key`` says of a message and its link under what it is counted, by default the name of the message's class;
    ``counts`` has the numbers.
    """

    def __init__(self, key: Callable[[Any, Any], Hashable] = _class_name) -> None:
        self.key = key
        self.counts: Counter[Hashable] = Counter()

    @property
    def total(self) -> int:
        """How many messages there were."""
        return self.counts.total()

    def migrate(self, old: Any) -> None:
        """Go on from the numbers of the filter before."""
        if isinstance(old, Count):
            self.counts = Counter(old.counts)

    def filter(self, message: Any, link: Any) -> Verdict:
        """See `IFilter`."""
        self.counts[self.key(message, link)] += 1
        return PASS_ON
