"""For each ready dialect a pair of filters that looks at every message, as a user would write it, and passes it on."""

from __future__ import annotations

from twisted_repeater import DROP, PASS_ON, Link, Mixed, Verdict
from twisted_repeater._types import Filter, FilterPairObject
from twisted_repeater.dialects.fix import ExecutionReport, Message, NewOrderSingle, Orders
from twisted_repeater.dialects.mqtt import Publish, Subscribe
from twisted_repeater.dialects.postgres import DataRow, ErrorResponse, Parse, Query
from twisted_repeater.dialects.redis import Command, Reply
from twisted_repeater.filters import ByType, FilterPair

__all__ = ["FILTERS", "RULES"]


def statement(message: object, link: Link) -> Verdict:
    """Look at the text of each statement."""
    if isinstance(message, (Query, Parse)):
        return DROP if message.sql.startswith("DROP") else PASS_ON
    return PASS_ON


def row(message: object, link: Link) -> Verdict:
    """Look at the first value of each row."""
    if isinstance(message, DataRow):
        return DROP if message.values[0] == b"secret" else PASS_ON
    return DROP if isinstance(message, ErrorResponse) and message.code == "00000" else PASS_ON


def command(message: object, link: Link) -> Verdict:
    """Look at the name and the key of each command."""
    if isinstance(message, Command) and message.name != "PING":
        return DROP if message.arguments[:1] == (b"secret",) else PASS_ON
    return PASS_ON


def reply(message: object, link: Link) -> Verdict:
    """Look at each value."""
    return DROP if isinstance(message, Reply) and message.value == b"secret" else PASS_ON


def packet(message: object, link: Link) -> Verdict:
    """Look at the topic of each message and of each subscription."""
    if isinstance(message, Publish):
        return DROP if message.topic.startswith("secret/") else PASS_ON
    if isinstance(message, Subscribe):
        return DROP if message.subscriptions[0].topic_filter == "secret/#" else PASS_ON
    return PASS_ON


def order(message: object, link: Link) -> Verdict:
    """Look at quantity, price and symbol of each order."""
    if isinstance(message, NewOrderSingle):
        quantity, price = message.quantity, message.price
        return DROP if message.symbol == "SECRET" or (quantity and price and quantity * price > 1000_000) else PASS_ON
    return PASS_ON


def report(message: object, link: Link) -> Verdict:
    """Look at the quantity of each report."""
    return DROP if isinstance(message, ExecutionReport) and message.quantity == -1 else PASS_ON


class _Adding(ByType):
    """Returns a verdict at the first order."""

    def __init__(self, verdict: Verdict) -> None:
        self._left = [verdict]

    def on_order(self, order: NewOrderSingle, link: Link) -> Verdict:
        """Add something once."""
        return self._left.pop() if self._left else PASS_ON


class Shifted:
    """Adds a message each way at the first order of a link, so that all later numbers are others."""

    def for_link(self, link: Link) -> tuple[Filter, None]:
        """See `IFilterPair`."""
        news = Message("B", {148: "the numbers are others from here on"})
        return _Adding(Mixed(passes=True, forward=[news], back=[news])), None


RULES: dict[tuple[str, str], FilterPairObject] = {
    ("fix", "orders"): Orders(max_quantity=1000, max_notional=1000_000, symbols=("ACME", "OTHER")),
    ("fix", "shifted"): Shifted(),
}
"""Other pairs of filters, by dialect and by name."""

FILTERS: dict[str, FilterPair] = {
    "postgres": FilterPair(statement, row),
    "redis": FilterPair(command, reply),
    "mqtt": FilterPair(packet, packet),
    "fix": FilterPair(order, report),
}
"""By the name of the dialect."""
