"""Tests of the codec."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError, ParseError
from twisted_repeater.dialects.fix.codec import FixCodec, SessionCodec, Unreadable, decode
from twisted_repeater.dialects.fix.messages import Heartbeat, Logon, Message, NewOrderSingle, SessionMessage
from twisted_repeater.dialects.fix.scan import Garbled
from twisted_repeater.selectors import NOTHING
from twisted_repeater.testing import check_codec

from .samples import LOGON, ORDER, frame

SAMPLES = (LOGON, ORDER, frame("35=0|"), frame("35=B|95=3|96=|\xff||", "FIXT.1.1"), frame("35=8|34=007|"))


class CodecTests(SynchronousTestCase):
    """Messages as bytes, and back."""

    def test_conformance(self) -> None:
        """It keeps the promises of a typed codec."""
        check_codec(FixCodec(), [decode(data) for data in SAMPLES])

    def test_untouched(self) -> None:
        """A message that is decoded and encoded has the same bytes."""
        for data in (*SAMPLES, frame("35=D|34=00000022|", length="000017")):
            self.assertEqual(FixCodec().encode(FixCodec().decode(data)), data)

    def test_wrong(self) -> None:
        """What is not a message is an error, also one without a header."""
        self.assertRaises(Garbled, decode, frame("35=D|", check="000"))
        self.assertTrue(self.assertRaises(ParseError, decode, b"35=D\1").ends_link)
        self.assertTrue(self.assertRaises(ParseError, decode, b"").ends_link)

    def test_other_messages(self) -> None:
        """Objects of other classes, and messages without a header, are refused."""
        wrong: Any
        for wrong in (ORDER, "D", None, NewOrderSingle({11: "a"})):
            self.assertRaises(MarshalingError, FixCodec().encode, wrong)

    def test_between_nodes(self) -> None:
        """To another node of a fleet a message may go without a header, and is there what it is here."""
        codec = SessionCodec()
        for message in (codec.decode(ORDER), NewOrderSingle({11: "a"}), Message("B", {148: "Closing early", 97: "Y"})):
            found = codec.decode_from_node(codec.encode_for_node(message))
            self.assertEqual((found, type(found), found.is_whole), (message, type(message), message.is_whole))
        self.assertRaises(MarshalingError, codec.encode_for_node, b"D")

    def test_selectors(self) -> None:
        """Messages are selected by their type; a base selects all of its types."""
        types: tuple[type, ...]
        for types, found in (
            ((NewOrderSingle,), [False, True, False, False, False]),
            ((SessionMessage,), [True, False, True, False, False]),
            ((Logon, Heartbeat), [True, False, True, False, False]),
        ):
            selector = FixCodec().selector_for(types)
            assert selector is not None
            self.assertEqual([selector.matches(data, 0, len(data)) for data in SAMPLES], found)
        for types in ((Message,), (object,), (NewOrderSingle, Message)):
            self.assertIsNone(FixCodec().selector_for(types))
        self.assertIs(FixCodec().selector_for((int,)), NOTHING)


class UnreadableTests(SynchronousTestCase):
    """Messages that engines count, and whose fields cannot be told apart."""

    def test_head(self) -> None:
        """What stands before the wrong bytes can be read, and the message leaves as it came."""
        for body in (
            "35=D|34=7|43=Y|95=99|96=a||",
            "35=D|34=7|43=Y|x|",
            "35=U1|34=7|43=Y|05=1|369=2|",
            "35=3|34=7|43=Y|5=6|=|",
        ):
            data = frame(body)
            message = SessionCodec().decode(data)
            assert isinstance(message, Unreadable)
            self.assertEqual((message.sequence_number, message.possible_duplicate), (7, True))
            self.assertEqual((message.get(99), message.text(99), message.text(34)), (None, None, "7"))
            self.assertFalse(message.error.ends_link)
            self.assertEqual(message.frame, data)
            again = message.renumbered(12)
            self.assertEqual((again.frame, again.error), (frame(body.replace("34=7", "34=12")), message.error))
            self.assertNotIn("43=Y", repr(message))
            self.assertEqual(SessionCodec().encode(message), data)

    def test_no_number(self) -> None:
        """One without a number, one of the session, and what is no message at all, are errors."""
        for data in (
            frame("35=D|x|"),
            frame("35=D|34=0|x|"),
            frame("35=D|34=x|x|"),
            frame("35=A|34=7|x|"),
            frame("34=7|35=D|"),
            b"x",
        ):
            self.assertTrue(self.assertRaises(ParseError, SessionCodec().decode, data).ends_link)
        self.assertRaises(Garbled, SessionCodec().decode, frame("35=D|34=7|x|", check="000"))
        self.assertEqual(SessionCodec().decode(ORDER), decode(ORDER))
