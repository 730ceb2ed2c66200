"""Tests of `Allow` and `Deny`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DO_NOTHING, PASS_ON, ParseError, SendBack, Verdict
from twisted_repeater.codecs import fixed, tagged
from twisted_repeater.dialects import int32
from twisted_repeater.filters import Allow, Deny, selector_of
from twisted_repeater.testing import FilterHarness

LINK: Any = None
"""A link that no filter here looks at."""


@dataclass
class Order:
    """A message."""

    id: int


class BigOrder(Order):
    """A kind of it."""


@dataclass
class Cancel:
    """Another."""

    id: int


@dataclass
class Ping:
    """Another."""

    id: int


CODEC = tagged({tag: fixed(cls, id="B") for tag, cls in ((b"O", Order), (b"C", Cancel), (b"P", Ping))})
ALL = [Order(1), Cancel(2), Ping(3)]


def reject(message: Any, link: Any) -> Verdict:
    """Answer with the message's number."""
    return SendBack([Ping(message.id)])


class ListTests(SynchronousTestCase):
    """Lists of classes."""

    def harness(self, it: Any) -> FilterHarness:
        """Let messages go through a filter."""
        return FilterHarness(it, dialect=int32(to_server=CODEC, to_client=CODEC))

    def test_allow(self) -> None:
        """Only what is on the list passes."""
        self.harness(Allow(Order, Ping)).client_sends(*ALL).expect(to_server=[Order(1), Ping(3)])

    def test_deny(self) -> None:
        """All but what is on the list passes."""
        self.harness(Deny(Order, Ping)).client_sends(*ALL).expect(to_server=[Cancel(2)])

    def test_answer(self) -> None:
        """What does not pass may be answered, always the same or as a function says."""
        answer = SendBack([Ping(0)])
        self.harness(Allow(Order, otherwise=answer)).client_sends(*ALL).expect(
            to_server=[Order(1)], to_client=[Ping(0), Ping(0)]
        )
        self.harness(Deny(Cancel, answer=answer)).client_sends(Cancel(1)).expect(to_client=[Ping(0)])
        self.harness(Allow(Order, otherwise=reject)).client_sends(Cancel(5)).expect(to_client=[Ping(5)])
        self.harness(Deny(Cancel, answer=reject)).client_sends(Cancel(5)).expect(to_client=[Ping(5)])

    def test_subclass(self) -> None:
        """A subclass is on the list with its base."""
        self.assertIs(Allow(Order).filter(BigOrder(1), LINK), PASS_ON)
        self.assertIs(Deny(Order).filter(BigOrder(1), LINK), DO_NOTHING)
        self.assertIs(Deny(BigOrder).filter(Order(1), LINK), PASS_ON)

    def test_seen(self) -> None:
        """`Allow` needs all messages decoded; `Deny` only those that may be denied."""
        self.harness(Allow(Order)).client_sends_payloads(b"O", b"X").expect(errors=[ParseError, ParseError])
        self.assertIsNone(selector_of(Allow(Order), CODEC))
        self.assertIsNone(selector_of(Allow(), CODEC))
        self.assertEqual(repr(selector_of(Deny(Order), CODEC)), "first_byte(b'O')")

    def test_never_there(self) -> None:
        """If no message can be of its classes, starting raises ``TypeError``."""
        for it in (Allow(str, Ping), Deny(str, Ping)):
            with self.assertRaisesRegex(TypeError, "(Allow|Deny) wants str or Ping; the messages are bytes"):
                FilterHarness(it)

    def test_wrong_arguments(self) -> None:
        """The list must have classes, and the answer must be an answer."""
        wrong: Any = "bytes"
        for it in (Allow, Deny):
            with self.assertRaisesRegex(TypeError, f"{it.__name__} takes classes of messages, not 'bytes'"):
                it(bytes, wrong)
        with self.assertRaisesRegex(
            TypeError, "otherwise must be a verdict or a function that returns one, not 'bytes'"
        ):
            Allow(otherwise=wrong)
        with self.assertRaisesRegex(TypeError, "answer must be a verdict or a function that returns one, not 'bytes'"):
            Deny(answer=wrong)
