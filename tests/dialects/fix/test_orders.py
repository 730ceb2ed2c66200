"""Limits for orders, and the switch that stops them."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, SendBack, chain, dialects
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects.fix import (
    ExecutionReport,
    Logon,
    Message,
    NewOrderCross,
    NewOrderList,
    NewOrderMultileg,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
)
from twisted_repeater.dialects.fix.codec import FixCodec
from twisted_repeater.dialects.fix.orders import Orders
from twisted_repeater.filters import FilterPair
from twisted_repeater.testing import FilterHarness

from .made import order, sent

LINK: Any = SimpleNamespace(id=7, client_name="TRADER->EXCHANGE", details={})
OTHER: Any = SimpleNamespace(id=7, client_name="OTHER->EXCHANGE", details={})


def change(**fields: str) -> Message:
    """Return the request to change an order."""
    body = {11: "new", 41: "old", 55: "MSFT", 54: "1", 38: "100", 40: "2", 44: "10.50"}
    return sent(OrderCancelReplaceRequest(body | {int(name[1:]): value for name, value in fields.items()}))


class OrdersCase(SynchronousTestCase):
    """Asks `Orders` about messages."""

    def why(self, orders: Orders, message: Message, link: Any = LINK) -> str | None:
        """Return why a message is refused, ``None`` if it passes."""
        verdict = orders.filter(message, link)
        if verdict is PASS_ON:
            return None
        self.assertIsInstance(verdict, SendBack)
        answer = verdict.back[0]
        assert isinstance(answer, Message)
        return answer.text(58)

    def passes(self, orders: Orders, *messages: Message) -> None:
        """Check that messages pass."""
        for message in messages:
            self.assertIsNone(self.why(orders, message), message)

    def refuses(self, orders: Orders, why: str, *messages: Message) -> None:
        """Check that each message is refused for a reason."""
        for message in messages:
            self.assertIn(why, self.why(orders, message) or "it passed", message)


class QuantityTests(OrdersCase):
    """The limit of the quantity."""

    def test_limit(self) -> None:
        """An order may be as large as the limit, and no larger, as decimal fractions are written."""
        orders = Orders(max_quantity=0.3)
        self.passes(orders, order(f38="0.3"), order(f38="0.30"), order(f38="0"))
        self.refuses(orders, "the quantity is 0.30000001, above the limit 0.3", order(f38="0.30000001"))
        for limit in (1000, 1000.0, Decimal(1000)):
            self.passes(Orders(max_quantity=limit), order(f38="1000"))
            reason = self.why(Orders(max_quantity=limit), order(f38="1001"))
            self.assertEqual(reason, "the quantity is 1001, above the limit 1000")

    def test_answer(self) -> None:
        """The report says that the order exceeds a limit."""
        verdict = Orders(max_quantity=10).filter(order(), LINK)
        (answer,) = verdict.back
        assert isinstance(answer, ExecutionReport)
        self.assertEqual((answer.order_status, answer[103]), ("8", b"3"))

    def test_no_number(self) -> None:
        """An order without a quantity, or with one that is not a number, is refused: nobody knows how large it is."""
        orders = Orders(max_quantity=1000)
        for value in (None, "", "many", "nan", "inf", "1e9", "1_0", "9" * 41):
            self.refuses(orders, "must have an OrderQty that is a number", order(f38=value))
        self.refuses(orders, "must have an OrderQty", order(f38=None, f152="5"))

    def test_negative(self) -> None:
        """A negative quantity counts as large as it is without the sign."""
        self.refuses(Orders(max_quantity=10), "the quantity is 11", order(f38="-11"))

    def test_twice(self) -> None:
        """An order that says a quantity twice is refused, as nobody knows which one its receiver takes."""
        fields = [(11, "a"), (55, "MSFT"), (54, "1"), (38, "5"), (38, "5000"), (40, "2"), (44, "1")]
        self.refuses(Orders(max_quantity=10), "field 38 must occur once", sent(Message("D", fields)))
        self.passes(Orders(), sent(Message("D", fields)))

    def test_data(self) -> None:
        """So is one with another quantity within data: for a receiver that does not know the data it is a field."""
        fields = [(11, "a"), (55, "MSFT"), (54, "1"), (1402, "x\x0138=5000"), (38, "5"), (40, "2"), (44, "1")]
        self.refuses(Orders(max_quantity=10), "field 38 must occur once", sent(Message("D", fields)))
        self.passes(Orders(), sent(Message("D", fields)))

    def test_two_sizes(self) -> None:
        """An order that says in two ways how large it is is refused, as nobody knows which one its receiver takes."""
        for orders in (Orders(max_quantity=1000), Orders(max_notional=10_000)):
            self.refuses(orders, "must have one of", order(f152="5"), order(f516="50"))
        self.passes(Orders(symbols=("MSFT",)), order(f152="5"))

    def test_quantities_of_legs(self) -> None:
        """So is one with legs of which one is larger than the limit, also if none has a symbol."""
        legs = [(11, "a"), (54, "1"), (38, "1"), (555, "2"), (602, "X"), (687, "2"), (602, "Y"), (687, "11")]
        for kind in ("AB", "AC"):
            self.refuses(Orders(max_quantity=10), "the quantity is 11", sent(Message(kind, legs)))
            self.refuses(Orders(max_quantity=10), "is a number", sent(Message(kind, [*legs[:-1], (685, "many")])))
            self.passes(Orders(max_quantity=11), sent(Message(kind, legs)))

    def test_change(self) -> None:
        """A change may not make an order larger than the limit. The answer says that the order stays as it was."""
        orders = Orders(max_quantity=1000)
        self.passes(orders, change(f38="1000"))
        verdict = orders.filter(change(f38="1001"), LINK)
        self.assertIsInstance(verdict.back[0], OrderCancelReject)

    def test_other_orders(self) -> None:
        """Lists, crosses and orders with legs obey the limit, and so do changes of them."""
        orders = Orders(max_quantity=10)
        listed = [(66, "list"), (73, "2"), (11, "a"), (55, "A"), (38, "5"), (11, "b"), (55, "A"), (38, "11")]
        sides = [(548, "x"), (55, "A"), (552, "2"), (54, "1"), (38, "5"), (54, "2"), (38, "11")]
        legs = {11: "a", 54: "1", 38: "11"}
        self.refuses(orders, "the quantity is 11", sent(NewOrderList(listed)), sent(NewOrderCross(sides)))
        self.refuses(orders, "the quantity is 11", sent(NewOrderMultileg(legs)), sent(Message("AC", legs)))
        self.refuses(orders, "the quantity is 11", sent(Message("t", sides)))
        self.passes(orders, sent(NewOrderList(listed[:-3])), sent(NewOrderCross(sides[:-2])))

    @given(
        st.sampled_from(["D", "G", "E", "AB", "s", "t"]),
        st.lists(
            st.tuples(
                st.just(38), st.sampled_from(["5", "10", "11", "011", "+11", "-11", "1e3", "", "nan", "11.", ".5"])
            )
            | st.sampled_from([(11, "a"), (54, "1"), (55, "A"), (96, "38=5\x01"), (95, "3"), (600, "B"), (152, "99")])
        ),
    )
    def test_nothing_gets_past(self, kind: str, fields: list[tuple[int, str]]) -> None:
        """Whatever fields a message has: if it passes, no quantity in it is larger than the limit."""
        message = sent(Message(kind, fields))
        if self.why(Orders(max_quantity=10), message) is None:
            for value in message.values(38):
                self.assertLessEqual(abs(float(value)), 10)

    @given(st.lists(st.sampled_from([(38, "5"), (38, "11"), (11, "a"), (54, "1"), (44, "1"), (40, "2")])))
    def test_nothing_gets_past_in_lists(self, fields: list[tuple[int, str]]) -> None:
        """So it is where orders are cut out of a message."""
        for kind in "Est":
            message = sent(Message(kind, fields))
            if self.why(Orders(max_quantity=10), message) is None:
                self.assertNotIn(b"11", message.values(38))


class NotionalTests(OrdersCase):
    """The limit of what an order costs."""

    def test_limit(self) -> None:
        """Quantity times price may be as much as the limit, and not more."""
        orders = Orders(max_notional=1000)
        self.passes(orders, order(f38="100", f44="10"), change(f38="100", f44="10"))
        self.refuses(orders, "the notional value is 1001.00, above the limit 1000", order(f38="100", f44="10.01"))
        self.refuses(orders, "the notional value is 1001", change(f38="1001", f44="1"))
        self.refuses(orders, "the notional value is 1001", order(f38="1001", f44="-1"))

    def test_no_price(self) -> None:
        """An order without a limit to its price is refused, whatever its Price says, unless an option lets it pass."""
        unpriced = [order(f40=kind, f44=price) for kind in ("1", "3", "P", "K", None) for price in (None, "0.01")]
        self.refuses(Orders(max_notional=1000), "must have a limit to its price", *unpriced)
        self.passes(Orders(max_notional=1000, unpriced="pass"), *unpriced)
        for kind in "2467B":
            self.refuses(Orders(max_notional=1000, unpriced="pass"), "value is 1050", order(f40=kind))

    def test_no_limit(self) -> None:
        """So is an order that may trade beyond its Price, or whose Price is a yield or a difference."""
        orders = Orders(max_notional=10_000)
        self.passes(orders, order(f423="2"))
        self.refuses(
            orders, "limit to its price", order(f389="1000"), order(f388="0"), order(f423="9"), order(f423="6")
        )

    def test_no_number(self) -> None:
        """A limit order without a number for quantity or price is refused."""
        orders = Orders(max_notional=1000, unpriced="pass")
        self.refuses(orders, "an OrderQty and a Price that are numbers", order(f44=None), order(f38="many"))

    def test_cash(self) -> None:
        """An order for an amount of money has that value."""
        orders = Orders(max_notional=1000)
        self.passes(orders, order(f38=None, f152="1000", f40="1", f44=None))
        self.refuses(orders, "value is 1001", order(f38=None, f152="1001", f40="1", f44=None))
        self.refuses(orders, "are numbers", order(f38=None, f152="much"))

    def test_list(self) -> None:
        """An order of a list without a price does not get that of the order before it."""
        listed = [(66, "list"), (73, "2"), (11, "a"), (38, "5"), (40, "2"), (44, "1"), (11, "b"), (38, "1"), (40, "2")]
        self.refuses(Orders(max_notional=1000), "are numbers", sent(NewOrderList(listed)))


class SymbolTests(OrdersCase):
    """The symbols."""

    def test_allowed(self) -> None:
        """With a list of symbols, orders of others are refused, and those without a symbol."""
        orders = Orders(symbols=("MSFT", "IBM"))
        self.passes(orders, order(), order(f55="IBM"), change())
        self.refuses(orders, "orders of GME are not allowed", order(f55="GME"), change(f55="GME"))
        self.refuses(orders, "must have a Symbol", order(f55=None), order(f55="[N/A]"))
        verdict = orders.filter(order(f55="GME"), LINK)
        assert isinstance(verdict.back[0], ExecutionReport)
        self.assertEqual(verdict.back[0][103], b"1")

    def test_refused(self) -> None:
        """Symbols that are refused are, though they may be in the list of those that are allowed."""
        orders = Orders(symbols=("MSFT", "GME"), refuse_symbols=("GME",))
        self.passes(orders, order())
        self.refuses(orders, "orders of GME are not allowed", order(f55="GME"))
        self.refuses(Orders(refuse_symbols=("GME",)), "must have a Symbol", order(f55="[N/A]"))

    def test_case(self) -> None:
        """A symbol that is refused is so in upper and lower case; one that is allowed must be as it is written."""
        orders = Orders(refuse_symbols=("Gme",))
        self.refuses(orders, "are not allowed", order(f55="GME"), order(f55="gme"), order(f55=" GME "))
        self.refuses(Orders(symbols=("GME",)), "are not allowed", order(f55="gme"), order(f55="GME "))

    def test_legs(self) -> None:
        """All legs of an order must have symbols that are allowed."""
        legs = [(11, "a"), (54, "1"), (555, "2"), (600, "MSFT"), (600, "GME"), (38, "5")]
        self.refuses(Orders(symbols=("MSFT",)), "orders of GME", sent(NewOrderMultileg(legs)))
        self.passes(Orders(symbols=("MSFT", "GME")), sent(NewOrderMultileg(legs)))

    def test_shown(self) -> None:
        """A symbol that could break the line of a log is escaped."""
        self.refuses(Orders(symbols=("MSFT",)), "orders of A\\nB are", order(f55="A\nB"))


class RateTests(OrdersCase):
    """The rate."""

    def test_rate(self) -> None:
        """A session may send so many orders a second, and as many at once; other sessions have a rate of their own."""
        clock = Clock()
        orders = Orders(max_rate=2, clock=clock)
        self.passes(orders, order(), change())
        self.refuses(orders, "too many orders in a short time", order())
        self.assertIsNone(self.why(orders, order(), OTHER))
        clock.advance(0.5)
        self.passes(orders, order(), sent(OrderCancelRequest({11: "a"})))
        self.refuses(orders, "too many", order())

    def test_burst(self) -> None:
        """A burst may be given. Orders that are refused for another reason do not count."""
        orders = Orders(max_rate=1, burst=3, max_quantity=100)
        self.refuses(orders, "quantity", order(f38="101"), order(f38="101"))
        self.passes(orders, order(), order(), order())
        self.refuses(orders, "too many", order())

    def test_slow(self) -> None:
        """A rate below one a second lets one order through at once."""
        orders = Orders(max_rate=0.1, clock=Clock())
        self.passes(orders, order())
        self.refuses(orders, "too many", order())

    def test_list(self) -> None:
        """Each order of a list counts."""
        listed = sent(NewOrderList([(66, "list"), (11, "a"), (11, "b"), (11, "c")]))
        self.refuses(Orders(max_rate=2, clock=Clock()), "too many", listed)
        self.passes(Orders(max_rate=3, clock=Clock()), listed)


class HaltTests(OrdersCase):
    """The switch."""

    def test_all(self) -> None:
        """While all orders are halted none passes, nor a quote. Cancels and other messages pass."""
        orders = Orders(quotes="pass")
        risky = [order(), change(), *(sent(Message(kind, {117: "q"})) for kind in ("S", "i", "AJ", "DJ", "L", "n"))]
        harmless: list[Message] = [sent(OrderCancelRequest({11: "a"}))]
        harmless += [sent(Message(kind, {11: "a"})) for kind in ("q", "u", "K", "Z", "H", "B", "R")]
        self.passes(orders, *risky, *harmless)
        orders.halt()
        self.refuses(orders, "orders are halted", *risky)
        self.passes(orders, *harmless)
        orders.resume()
        self.passes(orders, *risky, *harmless)

    def test_one_session(self) -> None:
        """One session may be halted by its name, and goes on when that is undone, not by what is said about all."""
        orders = Orders()
        orders.halt(LINK.client_name)
        orders.halt()
        self.assertTrue(orders.is_halted(OTHER.client_name))
        orders.resume()
        self.refuses(orders, "orders are halted", order())
        self.assertIsNone(self.why(orders, order(), OTHER))
        orders.resume(LINK.client_name)
        orders.resume(LINK.client_name)
        self.passes(orders, order())

    def test_file(self) -> None:
        """While a file is there, orders are halted: from its first moment to its last."""
        path = Path(self.mktemp())
        orders = Orders(halt_file=str(path))
        for _ in range(2):
            self.passes(orders, order())
            path.touch()
            with capturedLogs() as events:
                self.refuses(orders, "orders are halted", order(), order())
            lines = [formatEvent(event) for event in events]
            halted = f"orders are halted: the file {str(path)!r} is there"
            self.assertEqual([line for line in lines if "file" in (line or "")], [halted])
            path.unlink()

    def test_file_that_cannot_be_seen(self) -> None:
        """If it cannot be found out whether the file is there, it counts as there."""
        orders = Orders(halt_file="some")
        with mock.patch.object(os, "stat", side_effect=PermissionError("no")):
            self.refuses(orders, "orders are halted", order())
        self.passes(orders, order())

    def test_logged(self) -> None:
        """Who is halted, and who goes on, is logged."""
        orders = Orders()
        with capturedLogs() as events:
            orders.halt()
            orders.resume("A->B")
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["orders of all sessions are halted", "orders of 'A->B' are no longer halted"],
        )


class OthersTests(OrdersCase):
    """Messages that are no orders."""

    def test_quotes(self) -> None:
        """Quotes are refused, as no limit looks at them, unless an option lets them pass."""
        quotes = [sent(Message(kind, {117: "q"})) for kind in ("S", "i", "AJ", "DJ")]
        self.refuses(Orders(max_quantity=5), "quotes are not allowed here", *quotes)
        self.passes(Orders(max_quantity=5, quotes="pass"), *quotes, sent(Message("L", {66: "list"})))

    def test_selected(self) -> None:
        """Messages that cannot trade are not even decoded. Another dialect is an error at the start."""
        selector = Orders().selector_for(FixCodec())
        assert selector is not None
        for message, wanted in (
            (order(), True),
            (change(), True),
            (sent(Message("AC", {11: "a"})), True),
            (sent(OrderCancelRequest({11: "a"})), False),
            (sent(Message("A", {108: "30"})), False),
        ):
            self.assertEqual(selector.matches(message.frame, 0, len(message.frame)), wanted)
        with self.assertRaisesRegex(TypeError, "Orders is for the dialect fix"):
            Orders().selector_for(RawCodec())

    def test_pair(self) -> None:
        """It is a pair that looks at messages to the server only."""
        orders = Orders()
        self.assertEqual(orders.for_link(LINK), (orders, None))


class LogTests(OrdersCase):
    """The lines in the log."""

    def test_refusals(self) -> None:
        """Each refusal is a line, with the type, the id, the session and the reason; of many at once only some."""
        clock = Clock()
        orders = Orders(max_quantity=5, clock=clock)
        with capturedLogs() as events:
            for number in range(20):
                self.why(orders, order(number))
            clock.advance(1)
            self.why(orders, order(99, f11="a\nb"))
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 11)
        text = "refused NewOrderSingle 'id-0' of 'TRADER->EXCHANGE': the quantity is 100, above the limit 5"
        self.assertEqual(lines[0], text)
        self.assertTrue((lines[-1] or "").endswith("(and 10 more since the last such line)"))
        self.assertIn("'a\\nb'", lines[-1] or "")


class ReloadTests(OrdersCase):
    """Filters that are loaded again."""

    def test_migrate(self) -> None:
        """What was halted stays halted, and nobody gets a new burst by that."""
        clock = Clock()
        old = Orders(max_rate=2, clock=clock)
        self.passes(old, order(), order())
        old.halt("A->B")
        new = Orders(max_rate=2, clock=clock)
        new.migrate(old)
        self.assertTrue(new.is_halted("A->B"))
        self.refuses(new, "too many", order())
        slower = Orders()
        slower.migrate(new)
        slower.migrate(object())
        self.assertTrue(slower.is_halted("A->B"))

    def test_replaced(self) -> None:
        """So it is when filters are replaced on a link, alone or in a chain."""
        passing = FilterPair(lambda message, link: PASS_ON)
        wrappers: list[Callable[[Orders], Any]] = [lambda orders: orders, lambda orders: chain(orders, passing)]
        logon = Logon({98: 0, 108: 30})
        for wrapped in wrappers:
            old, new = (Orders(max_rate=0.001, burst=3, clock=Clock()) for _ in range(2))
            run = FilterHarness(filters=wrapped(old), dialect=dialects.fix(), says=[sent(logon, 1)])
            run.server_sends(
                logon.with_header("FIX.4.4", {49: "EXCHANGE", 56: "TRADER", 34: 1, 52: "20261126-12:00:00"})
            )
            self.assertEqual(len(run.client_sends(order(2), order(3)).to_server), 2)
            old.halt()
            run.repeater.replace_filters(filters=wrapped(new))
            self.assertEqual(run.client_sends(order(4)).to_client[0].explanation, "orders are halted")
            new.resume()
            _, passed = run.client_sends(order(5)).to_server
            self.assertEqual(passed, order(5))
            self.assertIn("too many", run.client_sends(order(6)).to_client[0].explanation)


class OptionTests(SynchronousTestCase):
    """The arguments."""

    def test_wrong(self) -> None:
        """A wrong argument is an error that names it."""
        for options, error, text in (
            ({"max_quantity": 0}, ValueError, "max_quantity must be a number above 0, not 0"),
            ({"max_notional": float("nan")}, ValueError, "max_notional must be a number above 0, not nan"),
            ({"max_notional": Decimal("Infinity")}, ValueError, "max_notional must be a number above 0"),
            ({"max_quantity": "5"}, TypeError, "max_quantity must be a number, not '5'"),
            ({"max_quantity": True}, TypeError, "max_quantity must be a number"),
            ({"burst": 5}, ValueError, "burst needs max_rate"),
            ({"max_rate": 0}, ValueError, "max_rate must be above 0, not 0"),
            ({"halt_file": ""}, ValueError, "halt_file must be the path of a file, not ''"),
            ({"symbols": "MSFT"}, TypeError, "symbols must be several symbols: write \\('MSFT',\\)"),
            ({"unpriced": "no"}, ValueError, "unpriced must be 'pass' or 'refuse', not 'no'"),
            ({"quotes": "no"}, ValueError, "quotes must be"),
        ):
            arguments: dict[str, Any] = dict(options)
            with self.subTest(arguments=arguments), self.assertRaisesRegex(error, text):
                Orders(**arguments)
