"""The orders in a message."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix import Message, NewOrderCross, NewOrderList, NewOrderMultileg
from twisted_repeater.dialects.fix.listed_orders import amount_of, has_two_sizes, is_priced, listed_orders

from .made import order, sent


class ListedOrdersTests(SynchronousTestCase):
    """What is found."""

    def test_one(self) -> None:
        """An order is one, with all of its fields."""
        for whole, number in ((True, b"id-2"), (False, None)):
            (found,) = listed_orders(order(f38="7"), whole=whole)
            self.assertEqual((found.fields[38], found.symbols, found.repeated), (b"7", (b"MSFT",), None))
            self.assertEqual(found.fields.get(11), number)

    def test_list(self) -> None:
        """In a list, what one order lacks does not come from another, and what stands before counts for all."""
        fields = [(66, "list"), (73, "2"), (11, "a"), (55, "A"), (38, "5"), (44, "7"), (11, "b"), (38, "6")]
        found = listed_orders(sent(NewOrderList(fields)))
        said = [[one.fields.get(tag) for tag in (66, 11, 38, 44)] for one in found]
        self.assertEqual(said, [[b"list", b"a", b"5", b"7"], [b"list", b"b", b"6", None]])
        self.assertEqual([one.symbols for one in found], [(b"A",), ()])

    def test_no_list(self) -> None:
        """A list without an order counts as one, so that it is not overlooked."""
        (found,) = listed_orders(sent(NewOrderList({66: "list", 38: "5"})))
        self.assertEqual(found.fields[38], b"5")

    def test_quantity_before_the_first(self) -> None:
        """A quantity that stands before the first order of a list or a cross is in the wrong place."""
        for kind in ("E", "s"):
            message = Message(kind, [(38, "5000"), (54, "1"), (11, "a"), (38, "5"), (54, "2"), (11, "b"), (38, "6")])
            first, *others = listed_orders(sent(message))
            self.assertEqual((first.repeated, others[-1].repeated), (38, None))

    def test_symbol_in_the_wrong_place(self) -> None:
        """A list has the symbols in its orders, and a cross has one symbol: others are in the wrong place."""
        sides = [(54, "1"), (11, "a"), (54, "2"), (11, "b")]
        for kind, fields in (("E", [(55, "A"), *sides]), ("s", [(55, "A"), *sides, (55, "B")])):
            self.assertEqual(listed_orders(sent(Message(kind, fields)))[0].repeated, 55)

    def test_cross(self) -> None:
        """The sides of a cross share what stands before and after them."""
        sides = [(54, "1"), (11, "a"), (38, "5"), (54, "2"), (11, "b"), (38, "6")]
        for message in (
            NewOrderCross([(548, "x"), (552, "2"), *sides, (55, "A"), (44, "7")]),
            Message("t", [(548, "x"), (55, "A"), (44, "7"), (552, "2"), *sides]),
        ):
            found = listed_orders(sent(message))
            said = [[one.fields.get(tag) for tag in (54, 11, 38, 44)] for one in found]
            self.assertEqual(said, [[b"1", b"a", b"5", b"7"], [b"2", b"b", b"6", b"7"]])
            self.assertEqual([one.symbols for one in found], [(b"A",), (b"A",)])

    def test_large(self) -> None:
        """A message with very many orders and fields costs time and memory in proportion to its size."""
        fields = [*((tag, "x") for tag in range(5000, 7000)), *((54, "1") for _ in range(2000))]
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(len(listed_orders(sent(Message("s", fields)))), 2000)
        self.assertLess(tracemalloc.get_traced_memory()[1], 10_000_000)

    def test_legs(self) -> None:
        """The symbols of an order are its own and those of its legs."""
        fields = [(11, "a"), (54, "1"), (55, "A"), (555, "2"), (600, "B"), (623, "1"), (600, "C"), (38, "5")]
        (found,) = listed_orders(sent(NewOrderMultileg(fields)))
        self.assertEqual((found.symbols, found.repeated), ((b"A", b"B", b"C"), None))

    def test_quantities_of_legs(self) -> None:
        """The quantities of legs are found."""
        fields = [(11, "a"), (38, "5"), (602, "B"), (687, "1"), (602, "C"), (685, "2")]
        (found,) = listed_orders(sent(Message("AC", fields)))
        self.assertEqual((found.leg_quantities, found.symbols), ((b"1", b"2"), ()))

    def test_price(self) -> None:
        """Price is a limit with some OrdTypes and PriceTypes, if nothing widens it."""
        self.assertTrue(is_priced(order()))
        self.assertTrue(is_priced(order(f423="1")))
        for fields in ({40: b"1"}, {}, {40: b"2", 423: b"9"}, {40: b"2", 388: b"0"}, {40: b"2", 389: b"1"}):
            self.assertFalse(is_priced(fields))

    def test_sizes(self) -> None:
        """An order has one size."""
        self.assertFalse(has_two_sizes(order()))
        for tags in ((38, 516), (38, 152), (152, 516)):
            self.assertTrue(has_two_sizes(dict.fromkeys(tags, b"1")))
        self.assertFalse(has_two_sizes({152: b"1"}))

    def test_amount(self) -> None:
        """A number counts without its sign. What is none, or very long, has no amount."""
        self.assertEqual(
            [amount_of(value) for value in (b"7.50", b"-.5", b"+3.")], [Decimal(n) for n in ("7.5", "0.5", "3")]
        )
        for value in (None, b"", b"-", b"1e3", b"x", b"1" * 41):
            self.assertIsNone(amount_of(value))

    def test_repeated(self) -> None:
        """A field that an order must have once is found if it is there twice, in the same order only."""
        twice = [(11, "a"), (55, "A"), (38, "5"), (38, "5000")]
        (found,) = listed_orders(sent(Message("D", twice)))
        self.assertEqual(found.repeated, 38)
        (found,) = listed_orders(sent(Message("D", [(55, "A"), (388, "0"), (388, "0")])))
        self.assertIsNone(found.repeated)
        found, other = listed_orders(sent(NewOrderList([*twice, (11, "b"), (38, "1")])))
        self.assertEqual((found.repeated, other.repeated), (38, None))

    def test_data_that_looks_like_a_field(self) -> None:
        """What stands inside of data is no field of an order, but not all receivers know that."""
        for kind in "DEs":
            fields = [(11, "a"), (54, "1"), (55, "A"), (96, "x\x0138=5\x01"), (38, "7")]
            (found,) = listed_orders(sent(Message(kind, fields)))
            self.assertEqual((found.fields.get(38), found.repeated), (b"7", 38))
        (found,) = listed_orders(sent(Message("D", [(11, "a"), (55, "A"), (96, "x\x01y=38=5"), (38, "7")])))
        self.assertIsNone(found.repeated)
        (found,) = listed_orders(sent(Message("D", [(11, "a"), (55, "A"), (96, "x\x0138=5\x01")])))
        self.assertIsNone(found.fields.get(38))
