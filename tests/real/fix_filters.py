"""Filters for the tests of FIX: they drop, refuse, change and add by the ClOrdID."""

from __future__ import annotations

from collections.abc import Callable

from twisted_repeater import Link
from twisted_repeater.dialects.fix import ExecutionReport, NewOrderSingle
from twisted_repeater.filters import ByType
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, Answer, PassOnAndSendBack, Send, SendBack, Verdict

from .quickfix.judged_orders import news, refusal

__all__ = [
    "OWN",
    "PASSING",
    "add_after_order",
    "add_before_report",
    "change",
    "decide_by_eight",
    "every_third",
    "every_third_refused",
    "on_orders",
    "on_reports",
]


def on_orders(decide: Callable[[NewOrderSingle, Link], Answer]) -> ByType:
    """Return a filter that decides about orders by a function, and passes everything else undecoded."""

    class Orders(ByType):
        def on_order(self, order: NewOrderSingle, link: Link) -> Answer:
            return decide(order, link)

    return Orders()


def on_reports(decide: Callable[[ExecutionReport, Link], Answer]) -> ByType:
    """Return a filter that decides about execution reports, as `on_orders` does."""

    class Reports(ByType):
        def on_report(self, report: ExecutionReport, link: Link) -> Answer:
            return decide(report, link)

    return Reports()


def every_third(then: Verdict | None = None) -> object:
    """Return a filter that drops every third order, or does something else with it."""

    def decide(order: NewOrderSingle, link: Link) -> Verdict:
        if then is None or int(order[11]) % 3:
            return every_third_refused(order, link)
        return then

    return on_orders(decide)


def every_third_refused(order: NewOrderSingle, link: Link) -> Verdict:
    """Refuse every third order."""
    return PASS_ON if int(order[11]) % 3 else SendBack([refusal(order)])


def add_after_order(order: NewOrderSingle, link: Link) -> Verdict:
    """Add a message after every third order."""
    return PASS_ON if int(order[11]) % 3 else Send(order, news(f"order {order.text(11)}"))


def add_before_report(report: ExecutionReport, link: Link) -> Verdict:
    """Add a message before every fourth report, and one the other way."""
    number = int(report[11])
    if number % 4 == 0:
        return Send(news(f"fill {number}"), report)
    return PassOnAndSendBack([news(f"report {number}")]) if number % 4 == 1 else PASS_ON


def change(order: NewOrderSingle, link: Link) -> Verdict:
    """Change every third order."""
    return PASS_ON if int(order[11]) % 3 else Send(order.changed({58: "a longer text", 44: "11"}))


PASSING = (2, 3, 4, 6, 7)
"""The orders that `decide_by_eight` lets pass, by the rest when divided by eight."""
OWN = ("2", "3", "4", "6", "10", "11", "12", "14")
"""Those that it changes, or that pass with others."""


def decide_by_eight(order: NewOrderSingle, link: Link) -> Verdict:
    """Do something else with each of seven orders, and pass the eighth."""
    verdicts = {
        0: DO_NOTHING,
        1: SendBack([refusal(order)]),
        2: Send(order.changed({58: "changed"})),
        3: Send(order, news("after")),
        4: Send(news("before"), order),
        5: Send(news("instead")),
        6: PassOnAndSendBack([news("back")]),
    }
    return verdicts.get(int(order[11]) % 8, PASS_ON)
