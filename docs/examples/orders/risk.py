"""A pre-trade risk filter: the rules that an order must keep before the exchange sees it."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from orders import Order, Rejected

from twisted_repeater import PASS_ON, Link, SendBack, Verdict
from twisted_repeater.filters import ByType


class Limit(NamedTuple):
    """What one trader may do."""

    size: int
    """The largest order."""
    rate: int
    """Orders within a second."""


LIMITS = {"ann": Limit(size=1_000, rate=5), "robot": Limit(size=1_000, rate=1_000_000)}
OTHERS = Limit(size=100, rate=1)
HALT = Path("HALT")


class Risk(ByType):
    """Rejects orders that the exchange must not see. Cancels always pass."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.recent: defaultdict[str, deque[float]] = defaultdict(deque)

    def migrate(self, old: "Risk") -> None:
        """Continue where the old filter stopped: a reload gives nobody a new allowance."""
        self.recent.update({trader: deque(times) for trader, times in old.recent.items()})

    def on_order(self, order: Order, link: Link) -> Verdict:
        """Pass an order on, or reject it."""
        reason = self.objection(order, link.client_name)
        return PASS_ON if reason is None else SendBack([Rejected(order.id, reason)])

    def objection(self, order: Order, trader: str) -> str | None:
        """Return why an order is rejected, or None."""
        limit = LIMITS.get(trader, OTHERS)
        if HALT.exists():
            return "trading is halted"
        if order.size > limit.size:
            return f"size {order.size} is above {limit.size}"
        if not self.is_in_time(trader, limit.rate):
            return f"more than {limit.rate} orders in a second"
        return None

    def is_in_time(self, trader: str, rate: int) -> bool:
        """Record an order, unless there were too many within the last second."""
        now = self.now()
        recent = self.recent[trader]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= rate:
            return False
        recent.append(now)
        return True
