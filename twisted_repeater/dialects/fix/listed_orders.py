"""The orders in a message: one, or several in a list of orders or a cross."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from .messages import Message

__all__ = ["ListedOrder", "amount_of", "has_two_sizes", "is_priced", "listed_orders"]

BEGINS: dict[str, int] = {"E": 11, "s": 54, "t": 54}
"""The field that each order in a message begins with, by MsgType."""
CROSSES = frozenset({"s", "t"})
"""Messages whose sides share the fields of the message, wherever these are."""
SYMBOL, LEG_SYMBOL = 55, 600
QUANTITIES = (38, 152)
"""The quantities of an order, which cannot stand before it."""
ONCE = (SYMBOL, 38, 152, 40, 44, 423)
"""What an order may say once: symbol, quantity, cash quantity, type, price and its type. Of two, each receiver chooses
its own."""
Pairs: TypeAlias = tuple[tuple[int, bytes], ...]
LEG_QUANTITIES = (687, 685)
"""LegQty and LegOrderQty."""
WITH_LEGS = frozenset({"AB", "AC"})
"""Orders with legs, and changes of these."""
FIELD: re.Pattern[bytes] = re.compile(rb"\x01(\d{1,9})=")

LIMITED = frozenset({b"2", b"4", b"6", b"7", b"8", b"B", b"D", b"E", b"F", b"H", b"S"})
"""The OrdTypes whose Price is a limit. With others it says nothing about what is paid."""

DISCRETION, DISCRETION_OFFSET = 388, 389

AMOUNTS = frozenset({None, b"1", b"2", b"3"})
"""The PriceTypes in which Price is an amount, or no less than that: not a yield, and not a difference."""

NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)")
"""What FIX writes as a number: it has no exponent."""
LONGEST_NUMBER = 40
"""How many characters a number may have."""

QUANTITY, CASH_QUANTITY, PERCENT = 38, 152, 516
"""OrderQty, CashOrderQty and OrderPercent: an order has one of them."""


OF_SIZE = frozenset((*ONCE, LEG_SYMBOL, DISCRETION, DISCRETION_OFFSET, PERCENT))
"""The fields that say how large an order is, and of what."""


class ListedOrder(NamedTuple):
    """An order."""

    fields: Message | Mapping[int, bytes]
    """Its fields, each by its tag."""
    symbols: tuple[bytes, ...]
    """The symbol, and those of its legs."""
    repeated: int | None
    """The tag of a field that it has twice, or in the wrong place, such as within data; ``None`` if all is well."""
    leg_quantities: tuple[bytes, ...] = ()
    """The quantities of its legs, where they have their own."""


def listed_orders(message: Message, *, whole: bool = True) -> list[ListedOrder]:
    """Return the orders in a message, at least one; most messages are one order themselves.

    A field that stands in one order does not count for the next. What stands before the first counts for all.

    Args:
        message: the message.
        whole: whether all fields of the orders are needed, not only those that say how large they are.
    """
    kind = message.type
    begins = BEGINS.get(kind)
    if begins is None and kind not in WITH_LEGS and not message.has_data:
        return [_single(message, whole)]
    fields = message.fields
    orders = [_order(fields)] if begins is None else _several(kind, fields, begins)
    hidden = _hidden(fields)
    return orders if hidden is None else [orders[0]._replace(repeated=hidden), *orders[1:]]


def _several(kind: str, fields: Pairs, begins: int) -> list[ListedOrder]:
    """Return the orders in a message that may have several."""
    places = [at for at, (tag, _) in enumerate(fields) if tag == begins]
    if not places:
        return [_order(fields)]
    head = fields[: places[0]]
    is_cross = kind in CROSSES
    shared = dict(fields if is_cross else head)
    orders = [_order(fields[start:stop], shared) for start, stop in _spans(places, len(fields))]
    misplaced = _misplaced(head, fields, is_cross=is_cross)
    return orders if misplaced is None else [orders[0]._replace(repeated=misplaced), *orders[1:]]


def _hidden(fields: Pairs) -> int | None:
    """Return the tag of what looks like a field within data: it is one for a receiver that does not know the data."""
    found = (FIELD.search(value) for _, value in fields if b"\1" in value)
    return next((int(field[1]) for field in found if field is not None), None)


def _single(message: Message, whole: bool) -> ListedOrder:
    """Return the order that a message is. Most have each field once, so that the others need not be read."""
    found = message.chosen(OF_SIZE)
    fields = dict(found)
    if LEG_SYMBOL in fields or (len(fields) != len(found) and _repeated(found) is not None):
        return _order(message.fields)
    symbol = fields.get(SYMBOL)
    return ListedOrder(message if whole else fields, () if symbol is None else (symbol,), None)


def _spans(places: list[int], size: int) -> Iterator[tuple[int, int]]:
    """Yield where each order begins and ends."""
    yield from zip(places, [*places[1:], size], strict=True)


def _misplaced(head: Pairs, fields: Pairs, *, is_cross: bool) -> int | None:
    """Return the tag of a field that is where it does not belong: before the first order, or twice in a cross."""
    tags = [tag for tag, _ in fields] if is_cross else []
    before = {tag for tag, _ in head}
    for tag in ONCE:
        if tags.count(tag) > 1 if is_cross and tag not in QUANTITIES else tag in before:
            return tag
    return None


def _order(fields: Pairs, shared: dict[int, bytes] | None = None) -> ListedOrder:
    """Return the order that some fields are, with those that are not its own."""
    own = dict(fields)
    repeated = None if len(own) == len(fields) else _repeated(fields)
    every = own if shared is None else ChainMap(own, shared)  # a copy for each order could be large
    symbol = every.get(SYMBOL)
    symbols: tuple[bytes, ...] = () if symbol is None else (symbol,)
    if LEG_SYMBOL in own:
        symbols += tuple(value for tag, value in fields if tag == LEG_SYMBOL)
    return ListedOrder(every, symbols, repeated, tuple(value for tag, value in fields if tag in LEG_QUANTITIES))


def _repeated(fields: Pairs) -> int | None:
    """Return the tag of a field that an order has twice."""
    tags = [tag for tag, _ in fields]
    return next((tag for tag in ONCE if tags.count(tag) > 1), None)


def is_priced(fields: Message | Mapping[int, bytes]) -> bool:
    """Return whether Price is the limit of what an order pays for one."""
    if fields.get(40) not in LIMITED or fields.get(423) not in AMOUNTS:
        return False
    return fields.get(DISCRETION) is None and fields.get(DISCRETION_OFFSET) is None  # or it may trade beyond its Price


def has_two_sizes(fields: Message | Mapping[int, bytes]) -> bool:
    """Return whether an order says in two ways how large it is: each receiver chooses its own."""
    if fields.get(QUANTITY) is None:
        return fields.get(CASH_QUANTITY) is not None and fields.get(PERCENT) is not None
    return fields.get(CASH_QUANTITY) is not None or fields.get(PERCENT) is not None


def amount_of(value: bytes | None) -> Decimal | None:
    """Return how large a number is; ``None`` if it is none, or too long to be meant."""
    return None if value is None or len(value) > LONGEST_NUMBER else _amount(value)


@lru_cache(1000)  # orders share sizes and prices
def _amount(value: bytes) -> Decimal | None:
    return None if NUMBER.fullmatch(value) is None else abs(Decimal(value.decode()))
