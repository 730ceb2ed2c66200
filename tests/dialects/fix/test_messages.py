"""Tests of the classes of messages."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.codec import decode
from twisted_repeater.dialects.fix.messages import (
    CLASSES,
    Logon,
    Message,
    NewOrderSingle,
    ResendRequest,
    SequenceReset,
    SessionMessage,
    Typed,
)

from .samples import LOGON, ORDER, frame


class ClassTests(SynchronousTestCase):
    """Types and classes."""

    def test_types(self) -> None:
        """A message that is decoded is of the class of its type; a message of a class is made with its type."""
        for kind, own in CLASSES.items():
            self.assertIs(type(decode(frame(f"35={kind.decode()}|"))), own)
            made = own({58: "x"})  # type: ignore[arg-type]
            self.assertEqual((made.type, made[58]), (kind.decode(), b"x"))
        self.assertIs(type(decode(frame("35=B|"))), Message)

    def test_session(self) -> None:
        """The messages of the session have a base of their own."""
        self.assertEqual(
            {kind for kind, own in CLASSES.items() if issubclass(own, SessionMessage)}, set(map(str.encode, "012345A"))
        )

    def test_no_type(self) -> None:
        """A base has no type, so no message of it can be made."""
        self.assertRaises(TypeError, Typed, {58: "x"})

    def test_exported(self) -> None:
        """The dialect has all classes."""
        for own in CLASSES.values():
            self.assertIs(getattr(import_module("twisted_repeater.dialects.fix"), own.__name__), own)


class FieldTests(SynchronousTestCase):
    """Fields by name."""

    def test_order(self) -> None:
        """An order has what filters decide about."""
        order = decode(ORDER)
        assert isinstance(order, NewOrderSingle)
        self.assertEqual(
            (order.client_order_id, order.symbol, order.side, order.order_type, order.quantity, order.price),
            ("A1", "MSFT", "1", "2", 100, Decimal("12.50")),
        )
        self.assertEqual((order.account, order.stop_price, order.cash_quantity), (None, None, None))

    def test_session(self) -> None:
        """The messages of the session have what numbers need."""
        logon = decode(LOGON)
        assert isinstance(logon, Logon)
        self.assertEqual(
            (logon.heartbeat, logon.reset_numbers, logon.next_expected, logon.username), (30, False, None, None)
        )
        request = ResendRequest({7: 3, 16: 0})
        self.assertEqual((request.begin, request.end), (3, 0))
        reset = SequenceReset({123: True, 36: 9})
        self.assertEqual((reset.gap_fill, reset.new_number), (True, 9))
