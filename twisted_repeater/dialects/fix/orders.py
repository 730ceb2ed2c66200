"""`Orders`: limits for orders, and a switch that stops all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Literal, NamedTuple, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ..._text import printable, shortened
from ..._types import Filter
from ...filters.rate_limit import RateLimit
from ...interfaces import ICodec, IFilter, IFilterPair, IMigrating, ISelectiveByCodec
from ...link import Link
from ...observers._throttle import LogThrottle
from ...selectors import Selector
from ...verdicts import PASS_ON, Verdict
from .codec import FixCodec
from .listed_orders import ListedOrder, amount_of, has_two_sizes, is_priced, listed_orders
from .message import Message
from .of_type import of_type
from .refusals import refuse

__all__ = ["Orders"]

ORDERS = frozenset({"D", "E", "G", "AB", "AC", "s", "t"})
"""Orders, lists of orders, crosses, and changes of these: the limits hold for them."""
QUOTES = frozenset({"S", "i", "AJ", "DJ"})
"""Quote, MassQuote, QuoteResponse, MassOrder: they may trade, and their sizes stand elsewhere."""
EXECUTES = frozenset({"L", "n"})
"""ListExecute, which sends the orders of a list to the market, and XMLnonFIX, which may be anything."""

NO_SYMBOL = b"[N/A]"
"""Stands in Symbol where another field names the instrument."""

UNKNOWN_SYMBOL, EXCEEDS_LIMIT, OTHER = 1, 3, 0
"""Reasons of an ExecutionReport."""

LONGEST = 40
"""How many characters of a symbol are shown."""

Limit = float | Decimal | None


class _Reason(NamedTuple):
    """Why an order is refused."""

    kind: str
    """The rule."""
    text: str
    """What its sender reads."""
    number: int = OTHER
    """OrdRejReason."""


class _SystemTime:
    """The time that a process has, where no clock is given."""

    seconds = staticmethod(time.monotonic)


@implementer(IFilterPair, IFilter, ISelectiveByCodec, IMigrating)
class Orders:
    """A pair of filters that limits orders, and a switch that stops them all.

    For example, at most 1000 at once, of two symbols, fifty orders a second::

        Orders(max_quantity=1000, symbols=("MSFT", "IBM"), max_rate=50)

    The limits hold for each order by itself: also for each in a list (E), for crosses (s), for orders with legs (AB),
    and for what a change makes of an order (G, AC, t). If a limit needs a field, an order without the field is refused,
    and so is an order that has it twice, or in the wrong place.

    A cancel always passes (F, and any other message that is not an order), also while orders are halted.

    A refused order is answered as `refuse` says. Each refusal is a line in the log, but of many in a second some are
    only counted.

    Args:
        max_quantity: the largest OrderQty (38) of an order.
        max_notional: the most that an order may cost: OrderQty times Price (38 times 44), or CashOrderQty (152).
        max_rate: how many orders a session may send in a second, on average.
        burst: how many of these may come at once; by default ``max_rate``.
        symbols: the symbols that are allowed; without any, all are.
        refuse_symbols: symbols that are refused, in upper and lower case.
        unpriced: with ``max_notional``, what to do with an order whose price has no limit, such as a market order.
        quotes: what to do with a Quote, a MassQuote, a QuoteResponse or a MassOrder: the limits do not look at their
            sizes.
        halt_file: the path of a file. As long as something is there, all orders are refused.
        clock: the reactor, or a `twisted.internet.task.Clock` in tests; ``None`` for the time of the system.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: a limit is not above 0, or ``halt_file`` is empty.
    """

    log: Logger = Logger()

    def __init__(
        self,
        *,
        max_quantity: Limit = None,
        max_notional: Limit = None,
        max_rate: float | None = None,
        burst: int | None = None,
        symbols: tuple[str, ...] = (),
        refuse_symbols: tuple[str, ...] = (),
        unpriced: Literal["refuse", "pass"] = "refuse",
        quotes: Literal["refuse", "pass"] = "refuse",
        halt_file: str | None = None,
        clock: IReactorTime | None = None,
    ) -> None:
        if burst is not None and max_rate is None:
            raise ValueError("burst needs max_rate")
        if max_rate is not None and not max_rate > 0:
            raise ValueError(f"max_rate must be above 0, not {max_rate}")
        if halt_file == "":
            raise ValueError("halt_file must be the path of a file, not ''")
        self.max_quantity: Decimal | None = _limit("max_quantity", max_quantity)
        self.max_notional: Decimal | None = _limit("max_notional", max_notional)
        self.symbols: frozenset[bytes] = _symbols("symbols", symbols)
        self.refuse_symbols: frozenset[bytes] = frozenset(map(_folded, _symbols("refuse_symbols", refuse_symbols)))
        self.passes_unpriced: bool = _passes("unpriced", unpriced)
        self.passes_quotes: bool = _passes("quotes", quotes)
        self.halt_file: str | None = halt_file
        clock = clock or cast("IReactorTime", _SystemTime())
        self._rate = None
        if max_rate is not None:
            self._rate = RateLimit(max_rate, burst=max(1, int(max_rate)) if burst is None else burst, clock=clock)
        self._throttle = LogThrottle(clock, burst=10)
        self._halted: set[str | None] = set()
        self._file_is_there = False
        self._rules: list[Callable[[ListedOrder], _Reason | None]] = []
        if self.symbols or self.refuse_symbols:
            self._rules.append(self._about_symbol)
        if self.max_quantity is not None:
            self._rules.append(self._about_quantity)
        if self.max_notional is not None:
            self._rules.append(self._about_notional)
        self.__qualname__: str = "Orders"

    def halt(self, client_name: str | None = None) -> None:
        """Refuse all orders from now on. Cancels pass.

        Args:
            client_name: the name of the only session that is meant, whether it has a link or not; ``None`` for all.
        """
        self._halted.add(client_name)
        self._log_halt(client_name, "halted")

    def resume(self, client_name: str | None = None) -> None:
        """Undo `halt`: what was halted with the same argument goes on. Other halts stay, and so does the file.

        Args:
            client_name: the name of the session; ``None`` for the halt of all sessions.
        """
        self._halted.discard(client_name)
        self._log_halt(client_name, "no longer halted")

    def _log_halt(self, client_name: str | None, now: str) -> None:
        if client_name is None:
            self.log.warn("orders of all sessions are {now}", now=now)
        else:
            self.log.warn("orders of {client!r} are {now}", client=shortened(client_name), now=now)

    def is_halted(self, client_name: str) -> bool:
        """Return whether the orders of a session are refused: by `halt`, or because the file is there."""
        halted = self._halted
        if halted and (None in halted or client_name in halted):
            return True
        return self.halt_file is not None and self._is_file_there(self.halt_file)

    def for_link(self, link: Link) -> tuple[Filter | None, Filter | None]:
        """See `IFilterPair`."""
        return self, None

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        if not isinstance(codec, FixCodec):
            raise TypeError("Orders is for the dialect fix")
        return of_type(ORDERS | QUOTES | EXECUTES)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. What is halted stays halted, and the rates go on."""
        if isinstance(old, Orders):
            self._halted = old._halted
            self._file_is_there = old._file_is_there
            if self._rate is not None and old._rate is not None:
                self._rate.migrate(old._rate)

    def filter(self, message: Message, link: Link) -> Verdict:
        """See `IFilter`."""
        kind = message.type
        if kind in ORDERS:
            reason = self._about(message, link)
        elif kind in QUOTES or kind in EXECUTES:
            reason = self._about_others(kind, link)
        else:
            reason = None
        if reason is None:
            return PASS_ON
        self._log(message, reason, link)
        return refuse(message, reason.text, reason=reason.number, link=link)

    def _about(self, message: Message, link: Link) -> _Reason | None:
        """Return why a message with orders is refused."""
        if self.is_halted(link.client_name):
            return HALTED
        orders = listed_orders(message, whole=False)
        for order in orders:
            if order.repeated is not None and self._rules:
                return _Reason("repeated", f"field {order.repeated} must occur once, in its place")
            for rule in self._rules:
                reason = rule(order)
                if reason is not None:
                    return reason
        if self._rate is not None and not all(self._rate.filter(message, link) is PASS_ON for _ in orders):
            return _Reason("rate", "too many orders in a short time")
        return None

    def _about_others(self, kind: str, link: Link) -> _Reason | None:
        """Return why a message that may trade, and is no order, is refused."""
        if self.is_halted(link.client_name):
            return HALTED
        if kind in QUOTES and not self.passes_quotes:
            return _Reason("quotes", "quotes are not allowed here")
        return None

    def _about_symbol(self, order: ListedOrder) -> _Reason | None:
        symbols = order.symbols
        if not symbols or NO_SYMBOL in symbols:
            return _Reason("symbol", "an order must have a Symbol", UNKNOWN_SYMBOL)
        for symbol in symbols:
            if (self.symbols and symbol not in self.symbols) or (
                self.refuse_symbols and _folded(symbol) in self.refuse_symbols
            ):
                return _Reason("symbol", f"orders of {_shown(symbol)} are not allowed", UNKNOWN_SYMBOL)
        return None

    def _about_quantity(self, order: ListedOrder) -> _Reason | None:
        assert self.max_quantity is not None
        for value in (order.fields.get(38), *order.leg_quantities):
            quantity = amount_of(value)
            if quantity is None:
                return _Reason("quantity", "an order must have an OrderQty that is a number", EXCEEDS_LIMIT)
            if quantity > self.max_quantity:
                return _above("quantity", quantity, self.max_quantity)
        return TWO_SIZES if has_two_sizes(order.fields) else None

    def _about_notional(self, order: ListedOrder) -> _Reason | None:
        assert self.max_notional is not None
        fields = order.fields
        cash = fields.get(152)
        if cash is not None:
            notional = amount_of(cash)
        elif is_priced(fields):
            quantity, price = amount_of(fields.get(38)), amount_of(fields.get(44))
            notional = None if quantity is None or price is None else quantity * price
        elif self.passes_unpriced:
            return None
        else:
            return _Reason("notional", "an order must have a limit to its price", EXCEEDS_LIMIT)
        if notional is None:
            return _Reason("notional", "an order must have an OrderQty and a Price that are numbers", EXCEEDS_LIMIT)
        if notional > self.max_notional:
            return _above("notional value", notional, self.max_notional)
        return TWO_SIZES if has_two_sizes(order.fields) else None

    def _is_file_there(self, path: str) -> bool:
        """Return whether the file is there. If that cannot be found out, it counts as there."""
        try:
            os.stat(path)
            there = True
        except FileNotFoundError:
            there = False
        except OSError:
            there = True
        if there != self._file_is_there:
            self._file_is_there = there
            now, why = ("halted", "there") if there else ("no longer halted", "gone")
            self.log.warn("orders are {now}: the file {path!r} is {why}", now=now, path=path, why=why)
        return there

    def _log(self, message: Message, reason: _Reason, link: Link) -> None:
        """Log a refusal, unless many of its kind were logged in a short time."""
        more = self._throttle.take(reason.kind)
        if more is not None:
            self.log.warn(
                "refused {type} {order!r} of {client!r}: {reason}{more}",
                link=link.id,
                type=type(message).__name__,
                order=shortened(message.text(11) or "", LONGEST),
                client=shortened(link.client_name),
                reason=reason.text,
                more=more,
            )


HALTED = _Reason("halted", "orders are halted")
TWO_SIZES = _Reason("repeated", "an order must have one of OrderQty, CashOrderQty and OrderPercent")


def _above(what: str, found: Decimal, limit: Decimal) -> _Reason:
    return _Reason(what, f"the {what} is {found:f}, above the limit {limit.normalize():f}", EXCEEDS_LIMIT)


def _limit(name: str, limit: Limit) -> Decimal | None:
    """Return a limit; raise an error unless it is one."""
    if limit is None:
        return None
    if not isinstance(limit, (int, float, Decimal)) or isinstance(limit, bool):
        raise TypeError(f"{name} must be a number, not {limit!r}")
    number = Decimal(str(limit))  # 0.3 is meant, not the next number that a float can be
    if not (number.is_finite() and number > 0):
        raise ValueError(f"{name} must be a number above 0, not {limit}")
    return number


def _symbols(name: str, symbols: Iterable[str]) -> frozenset[bytes]:
    """Return symbols as bytes."""
    if isinstance(symbols, (str, bytes)):
        raise TypeError(f"{name} must be several symbols: write ({symbols!r},)")
    return frozenset(symbol.encode("latin-1") for symbol in symbols)


def _folded(symbol: bytes) -> bytes:
    """Return a symbol as one that may not differ in case or spaces only."""
    return symbol.strip().upper()


def _passes(name: str, choice: str) -> bool:
    """Return whether an option says that something passes."""
    if choice not in ("pass", "refuse"):
        raise ValueError(f"{name} must be 'pass' or 'refuse', not {choice!r}")
    return choice == "pass"


def _shown(symbol: bytes) -> str:
    return printable(shortened(symbol.decode("latin-1"), LONGEST))
