"""A pre-trade risk filter: what an order must keep to before the exchange sees it."""

from collections import defaultdict, deque
from pathlib import Path
from typing import NamedTuple

from orders import Order, Rejected
from twisted.internet.interfaces import IReactorTime

from twisted_repeater import PASS_ON, ILink, SendBack, Verdict
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
    """Answers orders that are not to reach the exchange. Cancels always pass."""

    def __init__(self, clock: IReactorTime | None = None) -> None:
        from twisted.internet import reactor

        self.clock: IReactorTime = clock or reactor
        self.recent: defaultdict[str, deque[float]] = defaultdict(deque)

    def migrate(self, old: "Risk") -> None:
        """Go on from the filter before: a reload is no fresh start for anybody."""
        self.recent.update({trader: deque(times) for trader, times in old.recent.items()})

    def on_order(self, order: Order, link: ILink) -> Verdict:
        """Pass an order on, or answer it."""
        reason = self.objection(order, link.client_name)
        return PASS_ON if reason is None else SendBack([Rejected(order.id, reason)])

    def objection(self, order: Order, trader: str) -> str | None:
        """Say what is wrong with an order, if something is."""
        limit = LIMITS.get(trader, OTHERS)
        if HALT.exists():
            return "trading is halted"
        if order.size > limit.size:
            return f"size {order.size} is above {limit.size}"
        if not self.is_in_time(trader, limit.rate):
            return f"more than {limit.rate} orders in a second"
        return None

    def is_in_time(self, trader: str, rate: int) -> bool:
        """Take note of an order, unless there were too many within the last second."""
        now = self.clock.seconds()
        recent = self.recent[trader]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= rate:
            return False
        recent.append(now)
        return True
