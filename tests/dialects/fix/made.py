"""Messages as an engine sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from twisted_repeater.dialects.fix import Message, NewOrderSingle

__all__ = ["order", "sent"]

M = TypeVar("M", bound=Message)


def sent(message: M, number: int = 2, begin: str = "FIX.4.4", more: Mapping[int, str] | None = None) -> M:
    """Return a message with the header that the engine of a trader writes."""
    header: dict[int, str | int] = {49: "TRADER", 56: "EXCHANGE", 34: number, 52: "20261126-12:00:00.000"}
    return message.with_header(begin, header | dict(more or {}))


def order(number: int = 2, begin: str = "FIX.4.4", **fields: str | None) -> NewOrderSingle:
    """Return a limit order; fields as ``f38="5"``, ``None`` leaves one out."""
    body: dict[int, str | None] = {11: f"id-{number}", 21: "1", 55: "MSFT", 54: "1", 60: "20261126-12:00:00"}
    body |= {38: "100", 40: "2", 44: "10.50"}
    body |= {int(name[1:]): value for name, value in fields.items()}
    return sent(NewOrderSingle({tag: value for tag, value in body.items() if value is not None}), number, begin)
