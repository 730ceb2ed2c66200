"""Tests of messages of any type."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.codec import decode
from twisted_repeater.dialects.fix.message import Message
from twisted_repeater.dialects.fix.values import Value
from twisted_repeater.errors import MarshalingError, ParseError

from .samples import LOGON, ORDER, frame


class MadeTests(SynchronousTestCase):
    """Messages that are made here."""

    def test_fields(self) -> None:
        """It has its type and the fields that were given, in order."""
        message = Message("B", {148: "Closing early", 33: 0})
        self.assertEqual((message.type, message.fields), ("B", ((35, b"B"), (148, b"Closing early"), (33, b"0"))))
        self.assertEqual(Message("0").fields, ((35, b"0"),))

    def test_no_frame(self) -> None:
        """It cannot be sent before it has a header."""
        message = Message("B", {148: "x"})
        self.assertFalse(message.is_whole)
        error = self.assertRaises(MarshalingError, lambda: message.frame)
        self.assertEqual(str(error), "a message of type B has no header yet")

    def test_header(self) -> None:
        """With a header and a trailer it is what an engine would send."""
        header: dict[int, Value] = {49: "ANN", 56: "EXCHANGE", 34: 2}
        message = Message("B", [(148, "x"), (97, True), (49, "OTHER"), (58, "t")]).with_header("FIX.4.2", header)
        self.assertEqual(message.frame, frame("35=B|49=ANN|56=EXCHANGE|34=2|97=Y|148=x|58=t|", "FIX.4.2"))
        self.assertTrue(message.is_whole)
        self.assertEqual(decode(message.frame), message)
        again = message.with_header("FIX.4.4", {34: 3})
        self.assertEqual(again.frame, frame("35=B|34=3|49=ANN|56=EXCHANGE|97=Y|148=x|58=t|"))

    def test_data_in_the_header(self) -> None:
        """Data in a header keep their length before them."""
        message = Message("B", {213: b"<a>\1</a>", 58: "t"}).with_header("FIX.4.4", {34: 1})
        self.assertEqual(message.frame, frame("35=B|34=1|212=8|213=<a>|</a>|58=t|"))

    def test_wrong(self) -> None:
        """Fields that the repeater writes, and values that cannot be written, are refused."""
        wrong: Any
        for wrong, kind, complaint in (
            ({8: "FIX.4.4"}, ValueError, "field 8 must not be given: the repeater writes it"),
            ({9: 1}, ValueError, "field 9 must not be given: the repeater writes it"),
            ({10: 1}, ValueError, "field 10 must not be given: the repeater writes it"),
            ({35: "D"}, ValueError, "field 35 must not be given: the repeater writes it"),
            ({0: "x"}, ValueError, "a tag must be above 0 and have at most 9 digits, not 0"),
            ({"58": "x"}, TypeError, "a tag must be a whole number, not '58'"),
            ({58: 1.5}, TypeError, "field 58 must be bytes, a string, a number, a flag or a time, not 1.5"),
        ):
            self.assertEqual(str(self.assertRaises(kind, Message, "B", wrong)), complaint)


class ReadTests(SynchronousTestCase):
    """Messages that came in."""

    def test_fields(self) -> None:
        """Fields are found by tag."""
        order = decode(ORDER)
        self.assertEqual((order[55], 55 in order, 99 in order, order.get(99)), (b"MSFT", True, False, None))
        self.assertRaises(KeyError, lambda: order[99])
        self.assertEqual((order.sender, order.target, order.sequence_number), ("ANN", "EXCHANGE", 2))
        self.assertEqual((order.sending_time, order.text(58)), ("20260102-03:04:06.000", "caf\xe9"))
        self.assertFalse(order.possible_duplicate)
        self.assertEqual(order.frame, ORDER)

    def test_number(self) -> None:
        """A message without a number, or with one that is none, is an error that ends the link."""
        for body in ("35=D|", "35=D|34=x|"):
            error = self.assertRaises(ParseError, lambda body=body: decode(frame(body)).sequence_number)
            self.assertEqual(error.field, "34")

    def test_equality(self) -> None:
        """Messages are equal if their bytes are."""
        self.assertEqual(decode(ORDER), decode(ORDER))
        self.assertEqual(hash(decode(ORDER)), hash(decode(ORDER)))
        self.assertNotEqual(decode(ORDER), decode(LOGON))
        self.assertNotEqual(decode(ORDER), ORDER)

    def test_repr(self) -> None:
        """It is shown with bars for SOH."""
        self.assertEqual(repr(decode(frame("35=B|58=a|"))), "Message('8=FIX.4.4|9=10|35=B|58=a|10=237')")

    def test_passwords(self) -> None:
        """Passwords are never shown, however often a message has them."""
        logon = decode(frame("35=A|95=4|96=key1|554=old1|925=new1|1401=4|1402=key2|554=old2|96=key3|"))
        user = decode(frame("35=BE|554=old1|925=new1|96=text|"))
        for message, hidden in ((logon, "key"), (logon, "old"), (logon, "new"), (user, "old"), (user, "new")):
            self.assertNotIn(hidden, repr(message))
        self.assertIn("96=text", repr(user))
        self.assertEqual(logon.redacted[95], b"3")
        order = decode(ORDER)
        self.assertIs(order.redacted, order)


class ChangedTests(SynchronousTestCase):
    """Messages in which some fields are different."""

    def test_changed(self) -> None:
        """Only the fields that are named differ, and the class is the same."""
        order = decode(ORDER)
        changed = order.changed({38: 50, 44: None, 43: True})
        self.assertIs(type(changed), type(order))
        self.assertEqual(changed.frame, decode(changed.frame).frame)
        self.assertEqual((changed[38], 44 in changed, changed.possible_duplicate), (b"50", False, True))
        named = {9, 10, 38, 44, 43}
        self.assertEqual(
            [field for field in changed.fields if field[0] not in named],
            [field for field in order.fields if field[0] not in named],
        )
        self.assertEqual(order.frame, ORDER)

    def test_wrong(self) -> None:
        """Fields that are computed, and wrong values, are refused."""
        order = decode(ORDER)
        for tag in (8, 9, 10, 35):
            error = self.assertRaises(ValueError, order.changed, {tag: "x"})
            self.assertEqual(str(error), f"field {tag} must not be changed")
        self.assertRaises(ValueError, order.changed, {58: "a\1b"})
        self.assertRaises(ValueError, order.changed, {-1: "a"})
