"""Filters that refuse, drop, change and add by the ClOrdID, so that two logs can be judged."""

from __future__ import annotations

from collections.abc import Sequence

from twisted_repeater import Link
from twisted_repeater.dialects.fix import ExecutionReport, Message, NewOrderSingle
from twisted_repeater.filters import ByType
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, PassOnAndSendBack, Send, SendBack, Verdict

NEWS = "B"
"""The MsgType of what is added."""


def is_refused(number: int) -> bool:
    """Return whether an order is answered by a refusal."""
    return number % 100 == 7


def is_dropped(number: int) -> bool:
    """Return whether an order is dropped without an answer."""
    return number % 1000 == 33


def is_changed(number: int) -> bool:
    """Return whether an order gets a text."""
    return number % 500 == 250


def added_to_server(number: int) -> Sequence[str]:
    """Return the headlines of the news that the server gets because of an order, and of its report."""
    return [f"order {number}"] * (number % 1000 == 500) + [f"report {number}"] * (number % 1000 == 850)


def added_to_client(number: int) -> Sequence[str]:
    """Return the headlines of the news that the client gets because of an order's report."""
    return [f"fill {number}"] * (number % 1000 == 700)


def news(headline: str) -> Message:
    """Return a message to add."""
    return Message(NEWS, [(148, headline), (33, "1"), (58, "added")])


class JudgedOrders(ByType):
    """Decides about orders."""

    def on_order(self, order: NewOrderSingle, link: Link) -> Verdict:
        """Refuse, drop, change, or add."""
        number = int(order[11])
        if is_refused(number):
            return SendBack([refusal(order)])
        if is_dropped(number):
            return DO_NOTHING
        if is_changed(number):
            return Send(order.changed({58: "changed"}))
        if number % 1000 == 500:
            return Send(order, news(f"order {number}"))
        return PASS_ON


class JudgedReports(ByType):
    """Decides about reports."""

    def on_report(self, report: ExecutionReport, link: Link) -> Verdict:
        """Add, in either direction."""
        number = int(report[11])
        if number % 1000 == 700:
            return Send(report, news(f"fill {number}"))
        if number % 1000 == 850:
            return PassOnAndSendBack([news(f"report {number}")])
        return PASS_ON


def refusal(order: Message) -> ExecutionReport:
    """Return the report that refuses an order."""
    kept = [(tag, order[tag]) for tag in (11, 38, 54, 55)]
    refused = [(37, "NONE"), (17, f"R{order.text(11)}"), (20, "0"), (39, "8"), (150, "8"), (58, "refused")]
    return ExecutionReport([*kept, *refused, (151, "0"), (14, "0"), (6, "0")])


orders = JudgedOrders()
reports = JudgedReports()
