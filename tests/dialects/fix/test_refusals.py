"""Answers to refused messages, compared with what the dictionaries of FIX require and allow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import ParseError, SendBack
from twisted_repeater.dialects.fix import (
    BusinessMessageReject,
    ExecutionReport,
    Heartbeat,
    Message,
    NewOrderList,
    NewOrderMultileg,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    Reject,
)
from twisted_repeater.dialects.fix.refusals import malformed, refuse

from .made import order, sent

BEGINS = {"4.0": "FIX.4.0", "4.1": "FIX.4.1", "4.2": "FIX.4.2", "4.3": "FIX.4.3", "4.4": "FIX.4.4", "5.0": "FIXT.1.1"}

REPORT = {
    "4.0": {37, 17, 20, 39, 55, 54, 38, 32, 31, 14, 6},
    "4.1": {37, 17, 20, 150, 39, 55, 54, 38, 32, 31, 151, 14, 6},
    "4.2": {37, 17, 20, 150, 39, 55, 54, 151, 14, 6},
    "4.3": {37, 17, 150, 39, 54, 151, 14, 6},
    "4.4": {37, 17, 150, 39, 54, 151, 14, 6},
    "5.0": {37, 17, 150, 39, 54, 151, 14},
}
"""What an ExecutionReport must have."""
NO_REPORT = {
    "4.0": {41, 150, 151, 152, 167, 526},
    "4.1": {152, 526},
    "4.2": {526},
    "4.3": {20},
    "4.4": {20},
    "5.0": {20},
}
"""Fields that it must not have, of those that an answer could have."""
CANCEL_REJECT = {
    "4.0": {37, 11},
    "4.1": {37, 11, 41, 39},
    "4.2": {37, 11, 41, 39, 434},
    "4.3": {37, 11, 41, 39, 434},
    "4.4": {37, 11, 41, 39, 434},
    "5.0": {37, 11, 39, 434},
}
NO_CANCEL_REJECT = {"4.0": {1, 39, 60, 434, 526}, "4.1": {1, 60, 434, 526}, "4.2": {526}}


class RefuseTests(SynchronousTestCase):
    """The answers."""

    def answers(self, message: Message, text: str = "no", reason: int = 0) -> list[Message]:
        """Return what the sender of a message gets."""
        verdict = refuse(message, text, reason=reason)
        self.assertIsInstance(verdict, SendBack)
        self.assertEqual((verdict.passes, verdict.forward, verdict.closes), (False, (), False))
        return [answer for answer in verdict.back if isinstance(answer, Message)]

    def answer(self, message: Message, text: str = "no", reason: int = 0) -> Message:
        """Return the only answer."""
        (answer,) = self.answers(message, text, reason)
        return answer

    def test_order(self) -> None:
        """In each version an order is answered by an ExecutionReport with the fields that must be there."""
        for version, begin in BEGINS.items():
            with self.subTest(version=version):
                answer = self.answer(order(7, begin))
                self.assertIsInstance(answer, ExecutionReport)
                tags = [tag for tag, _ in answer.fields]
                self.assertEqual(len(tags), len(set(tags)))
                self.assertLessEqual(REPORT[version], set(tags))
                self.assertEqual(NO_REPORT[version] & set(tags), set())
                said = [answer.text(tag) for tag in (37, 39, 103, 11, 55, 54, 38, 44, 14, 58)]
                self.assertEqual(said, ["NONE", "8", "0", "id-7", "MSFT", "1", "100", "10.50", "0", "no"])
                self.assertEqual(answer.text(150), None if version == "4.0" else "8")

    def test_reason(self) -> None:
        """The caller says the number of the reason."""
        self.assertEqual(self.answer(order(), reason=3)[103], b"3")

    def test_execution_ids(self) -> None:
        """No two reports have the same ExecID, and none has 0."""
        ids = [self.answer(order())[17] for _ in range(3)]
        self.assertEqual(len(set(ids)), 3)
        self.assertNotIn(b"0", ids)

    def test_order_with_little(self) -> None:
        """An order that lacks what it must have is answered with what it has."""
        for version, begin in BEGINS.items():
            answer = self.answer(order(7, begin, f38=None, f44=None, f55=None))
            self.assertEqual(answer.get(38), b"0" if version in ("4.0", "4.1") else None)
            self.assertNotIn(44, answer)

    def test_list(self) -> None:
        """Each order of a list gets its own report, with its own fields."""
        head = [(66, "list"), (394, "1"), (68, "2"), (73, "2")]
        first = [(11, "a"), (67, "1"), (55, "MSFT"), (54, "1"), (38, "5"), (40, "2"), (44, "7")]
        second = [(11, "b"), (67, "2"), (55, "IBM"), (54, "2"), (38, "6"), (40, "1")]
        answers = self.answers(sent(NewOrderList([*head, *first, *second]), begin="FIX.4.2"))
        said = [[answer.text(tag) for tag in (66, 11, 55, 54, 38, 44)] for answer in answers]
        self.assertEqual(said, [["list", "a", "MSFT", "1", "5", "7"], ["list", "b", "IBM", "2", "6", None]])

    def test_large_list(self) -> None:
        """A list with very many orders gets one answer: it must not cost more than it says."""
        orders = [(11, str(number)) for number in range(1001)]
        self.assertIsInstance(self.answer(sent(NewOrderList([(66, "list"), *orders]))), BusinessMessageReject)
        self.assertEqual(len(self.answers(sent(NewOrderList([(66, "list"), *orders[:-1]])))), 1000)

    def test_long_fields(self) -> None:
        """A field that is too long is not repeated: the answer must fit into the connection."""
        for message in (
            order(f11="x" * 5000),
            order(f1="x" * 5000),
            sent(OrderCancelRequest({11: "a", 41: "x" * 5000})),
        ):
            (answer,) = refuse(message, "no").back
            assert isinstance(answer, BusinessMessageReject)
            self.assertLess(len(answer.data), 2000)
        link: Any = SimpleNamespace(details={})
        other = sent(Message("U" * 5000, {11: "x" * 5000, 117: "q", 1128: "9" * 5000}))
        for verdict in (refuse(other, "no"), malformed(other, ParseError("no"), link)):
            (answer,) = verdict.back
            assert isinstance(answer, Message)
            self.assertLess(len(answer.data), 2000)

    def test_multileg(self) -> None:
        """An order with legs gets a report."""
        answer = self.answer(sent(NewOrderMultileg({11: "a", 54: "1", 38: "5", 40: "2", 44: "1"})))
        self.assertEqual((type(answer), answer[11]), (ExecutionReport, b"a"))

    def test_change(self) -> None:
        """In each version the request to change an order is answered by an OrderCancelReject: the order stays."""
        request = OrderCancelReplaceRequest({11: "new", 41: "old", 37: "at-exchange", 55: "MSFT", 54: "1", 38: "5"})
        for version, begin in BEGINS.items():
            with self.subTest(version=version):
                answer = self.answer(sent(request, begin=begin))
                self.assertIsInstance(answer, OrderCancelReject)
                tags = {tag for tag, _ in answer.fields}
                self.assertLessEqual(CANCEL_REJECT[version], tags)
                self.assertEqual(NO_CANCEL_REJECT.get(version, set()) & tags, set())
                said = [answer.text(tag) for tag in (37, 11, 41, 58)]
                self.assertEqual(said, ["at-exchange", "new", "old", "no"])
                self.assertEqual(answer.text(39), None if version == "4.0" else "0")
                self.assertEqual(answer.text(434), None if version in ("4.0", "4.1") else "2")

    def test_cancel(self) -> None:
        """The request to cancel an order is answered in the same way; ids that it lacks are NONE."""
        for begin in ("FIX.4.1", "FIX.4.4"):
            answer = self.answer(sent(OrderCancelRequest({11: "new", 55: "MSFT", 54: "1"}), begin=begin))
            self.assertEqual((answer[37], answer[41]), (b"NONE", b"NONE"))
            self.assertEqual(answer.get(434), b"1" if begin == "FIX.4.4" else None)
        self.assertNotIn(41, self.answer(sent(OrderCancelRequest({11: "new"}), begin="FIXT.1.1")))

    def test_multileg_change(self) -> None:
        """The request to change an order with legs is one to change an order."""
        answer = self.answer(sent(Message("AC", {11: "new", 41: "old", 54: "1"})))
        self.assertEqual((type(answer), answer[434]), (OrderCancelReject, b"2"))

    def test_others(self) -> None:
        """Any other message is answered by a BusinessMessageReject with its number, its type and its id."""
        for begin in ("FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1"):
            answer = self.answer(sent(Message("R", {131: "q1", 146: "1", 55: "MSFT"}), 9, begin))
            self.assertIsInstance(answer, BusinessMessageReject)
            self.assertEqual([answer.text(tag) for tag in (45, 372, 379, 380, 58)], ["9", "R", "q1", "0", "no"])
        self.assertNotIn(379, self.answer(sent(Message("B", {148: "news"}))))

    def test_others_before_4_2(self) -> None:
        """Before FIX 4.2 it is answered by a Reject, whose only fields are its number and the text."""
        for begin in ("FIX.4.0", "FIX.4.1"):
            answer = self.answer(sent(Message("R", {131: "q1", 55: "MSFT"}), 9, begin))
            self.assertEqual(answer, Reject([(45, 9), (58, "no")]))

    def test_version_of_a_message(self) -> None:
        """In FIXT, a message or the link may say of which version it is: the answer is of that version."""
        for version, has_20 in ((b"4", True), (b"6", False), (b"9", False)):
            answer = self.answer(sent(order(), begin="FIXT.1.1", more={1128: version.decode()}))
            self.assertEqual((20 in answer, answer[1128]), (has_20, version))
        link: Any = SimpleNamespace(details={"version": "FIX.4.2"})
        (report,) = refuse(order(begin="FIXT.1.1"), "no", link=link).back
        assert isinstance(report, ExecutionReport)
        self.assertEqual((20 in report, 1128 in report), (True, False))
        for message in (OrderCancelRequest({11: "a"}), Message("R", {131: "q"})):
            self.assertEqual(self.answer(sent(message, begin="FIXT.1.1", more={1128: "9"}))[1128], b"9")
        self.assertEqual(self.answer(sent(order(), begin="FIX.9"))[150], b"8")

    def test_malformed(self) -> None:
        """A field that cannot be read is answered by a Reject that names it, if the version has a way to."""
        link: Any = SimpleNamespace(details={})
        for begin, expected in (("FIX.4.1", [None] * 3), ("FIX.4.2", ["38", "D", "6"]), ("FIXT.1.1", ["38", "D", "6"])):
            (answer,) = malformed(order(7, begin), ParseError("it must be a number", field="38"), link).back
            assert isinstance(answer, Reject)
            self.assertEqual((answer.reference, answer.explanation), (7, "it must be a number"))
            self.assertEqual([answer.text(tag) for tag in (371, 372, 373)], expected)
        (answer,) = malformed(order(), ParseError("no"), link).back
        assert isinstance(answer, Reject)
        self.assertNotIn(371, answer)

    def test_text(self) -> None:
        """What no message can have in its text is escaped, and a long text is cut."""
        self.assertEqual(self.answer(order(), "one\x01two € ä")[58], b"one\\x01two \\u20ac \xe4")
        self.assertLess(len(self.answer(order(), "x" * 5000)[58]), 300)

    def test_messages_of_the_session(self) -> None:
        """A message of the session cannot be refused, and the error says so."""
        with self.assertRaisesRegex(ValueError, "of the session cannot be refused, such as type 0"):
            refuse(sent(Heartbeat()), "no")
