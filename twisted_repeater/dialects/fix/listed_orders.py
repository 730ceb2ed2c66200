"""The orders in a message: one, or several in a list of orders or a cross."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .messages import Message

__all__ = ["ListedOrder", "listed_orders"]

BEGINS: dict[str, int] = {"E": 11, "s": 54, "t": 54}
"""The field that each order in a message begins with, by MsgType."""
CROSSES = frozenset({"s", "t"})
"""Messages whose sides share the fields of the message, wherever these are."""
SYMBOL, LEG_SYMBOL = 55, 600
ONCE = (SYMBOL, 38, 152, 40, 44)
"""What an order may say once: symbol, quantity, cash quantity, type, price. Of two, each receiver chooses its own."""


class ListedOrder(NamedTuple):
    """An order."""

    fields: dict[int, bytes]
    """Its fields."""
    symbols: tuple[bytes, ...]
    """The symbol, and those of its legs."""
    repeated: int | None
    """The tag of a field that it has twice, and must not have; ``None`` if all is well."""


def listed_orders(message: Message) -> list[ListedOrder]:
    """Return the orders in a message, at least one; most messages are one order themselves.

    A field that stands in one order does not count for the next. What stands before the first counts for all.
    """
    fields = message.fields
    begins = BEGINS.get(message.type)
    if begins is None:
        return [_order(fields)]
    places = [at for at, (tag, _) in enumerate(fields) if tag == begins]
    if not places:
        return [_order(fields)]
    shared = dict(fields if message.type in CROSSES else fields[: places[0]])
    return [_order(fields[start:stop], shared) for start, stop in _spans(places, len(fields))]


def _spans(places: list[int], size: int) -> Iterator[tuple[int, int]]:
    """Yield where each order begins and ends."""
    yield from zip(places, [*places[1:], size], strict=True)


def _order(fields: tuple[tuple[int, bytes], ...], shared: dict[int, bytes] | None = None) -> ListedOrder:
    """Return the order that some fields are, with those that are not its own."""
    own = dict(fields)
    repeated = None
    if len(own) != len(fields):
        tags = [tag for tag, _ in fields]
        repeated = next((tag for tag in ONCE if tags.count(tag) > 1), None)
    every = own if shared is None else shared | own
    symbol = every.get(SYMBOL)
    symbols: tuple[bytes, ...] = () if symbol is None else (symbol,)
    if LEG_SYMBOL in own:
        symbols += tuple(value for tag, value in fields if tag == LEG_SYMBOL)
    return ListedOrder(every, symbols, repeated)
