"""Values that a filter cannot read: they cost their message, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, CallbackFailed, Direction, Limits, Link, ParseError, Send, Verdict, dialects
from twisted_repeater.dialects.fix import Heartbeat, Logon, Message, NewOrderSingle, Reject, SequenceReset
from twisted_repeater.dialects.fix.codec import SessionCodec
from twisted_repeater.dialects.fix.session_filters import SessionFilter
from twisted_repeater.dialects.fix.sessions import Sessions
from twisted_repeater.filters import ByType
from twisted_repeater.testing import FilterHarness

from .made import order, sent
from .numbers_rig import brief
from .samples import frame


def look(message: Any, link: Link) -> Verdict:
    """Read a number."""
    return DROP if isinstance(message, NewOrderSingle) and message.quantity == 0 else PASS_ON


async def look_later(message: Any, link: Link) -> Verdict:
    """Read it in a coroutine."""
    return look(message, link)


class LinkedCase(SynchronousTestCase):
    """A test case with a link."""

    def linked(self, to_server_filter: Any) -> FilterHarness:
        """Return a link on which both engines have logged on."""
        logon = Logon({98: 0, 108: 30})
        run = FilterHarness(to_server_filter, dialect=dialects.fix(), says=[sent(logon, 1)])
        run.server_sends(logon.with_header("FIX.4.4", {49: "EXCHANGE", 56: "TRADER", 34: 1, 52: "20261126-12:00:00"}))
        return run


class MalformedValueTests(LinkedCase):
    """Such messages."""

    def test_rejected(self) -> None:
        """The sender gets a Reject that names the field; the receiver gets a gap fill, and the next message."""
        for filter_ in (look, look_later):
            run = self.linked(filter_)
            outcome = run.client_sends(order(2, f38="many"), order(3))
            (reject,) = outcome.to_client
            assert isinstance(reject, Reject)
            self.assertEqual((reject.reference, reject.reference_tag, reject.sequence_number), (2, 38, 2))
            gap, passed = outcome.to_server
            assert isinstance(gap, SequenceReset)
            self.assertEqual((gap.new_number, passed), (3, order(3)))
            self.assertEqual(([type(error) for error in outcome.errors], outcome.closed), ([ParseError], False))

    def test_too_late(self) -> None:
        """If the link is over when that is found out, nobody is told."""
        session = Sessions().begin("a")
        member, link = SessionFilter(session, Direction.TO_SERVER), mock.Mock()
        session.end()
        self.assertIs(member.decide(order(f38="many"), link, look), DROP)
        link._pair.parse_error.assert_not_called()

    def test_other_failures(self) -> None:
        """A filter that fails by itself has failed, and so has one that ends the link by such an error."""

        def broken(error: Exception) -> Callable[..., Any]:
            def fail(message: Any, link: Link) -> Verdict:
                if isinstance(message, NewOrderSingle):
                    raise error
                return PASS_ON

            return fail

        def fail_later(message: Any, link: Link) -> Any:
            later: Deferred[Verdict] = Deferred()
            later.errback(ValueError("no"))
            return later if isinstance(message, NewOrderSingle) else PASS_ON

        for filter_ in (broken(ValueError("no")), fail_later):
            outcome = self.linked(filter_).client_sends(order(2))
            self.assertEqual([type(error) for error in outcome.errors], [CallbackFailed])
            self.flushLoggedErrors(ValueError)
        outcome = self.linked(broken(ParseError("no", ends_link=True))).client_sends(order(2))
        self.assertEqual([type(error) for error in outcome.errors], [ParseError])
        self.assertTrue(outcome.closed)

    def test_of_the_session(self) -> None:
        """Nobody answers a Heartbeat by a Reject: there, it is a failure of the filter."""

        def read(message: Any, link: Link) -> Verdict:
            return DROP if message.number(58) == 0 else PASS_ON

        outcome = self.linked(read).client_sends(sent(Heartbeat({58: "words"})))
        self.assertEqual([type(error) for error in outcome.errors], [CallbackFailed])
        self.flushLoggedErrors(ParseError)

    def test_before_both_logons(self) -> None:
        """Before both engines have logged on nothing is answered: the link is closed."""
        run = FilterHarness(look, dialect=dialects.fix(), says=[sent(Logon({98: 0, 108: 30}), 1)])
        outcome = run.client_sends(order(2, f38="many"))
        self.assertEqual((outcome.to_client, outcome.closed), ([], True))


def unreadable(number: int, kind: str = "D", more: str = "") -> Message:
    """Return a message that an engine counts, whose fields cannot be told apart."""
    return SessionCodec().decode(
        frame(f"35={kind}|49=TRADER|56=EXCHANGE|34={number}|52=20261126-12:00:00|{more}95=99|96=a||")
    )


class Drops(ByType):
    """Drops orders."""

    def on_order(self, order: NewOrderSingle, link: Link) -> Verdict:
        """Drop an order."""
        return DROP


class UnreadableTests(LinkedCase):
    """Messages whose fields cannot be told apart."""

    def test_rejected(self) -> None:
        """The sender gets a Reject, the receiver a gap fill, and the filter does not see it, also if it comes again."""
        seen: list[object] = []

        def note(message: Any, link: Link) -> Verdict:
            seen.append(message.type)
            return PASS_ON

        run = self.linked(note)
        outcome = run.client_sends(unreadable(2), order(3), unreadable(2, more="43=Y|"))
        (reject,) = outcome.to_client
        assert isinstance(reject, Reject)
        self.assertEqual((reject.reference, reject.reference_type), (2, "D"))
        self.assertEqual([brief(one) for one in outcome.to_server], ["42>3", "D3 id-3", "42*>3"])
        self.assertEqual([type(error) for error in outcome.errors], [ParseError])
        self.assertEqual((outcome.closed, seen), (False, ["A", "D"]))

    def test_not_looked_at(self) -> None:
        """One that no filter wants passes as it came, with another number; one that names others cannot be changed."""
        run = self.linked(Drops())
        outcome = run.client_sends(unreadable(2, "U1"))
        self.assertEqual(outcome.to_server, [unreadable(2, "U1")])
        run.link.send_to_server(Message("B", {148: "x"}))
        outcome = run.client_sends(unreadable(3, "U1"), unreadable(4, "U1", "369=1|"))
        self.assertEqual(outcome.to_server[1:], [unreadable(4, "U1")])
        self.assertEqual([brief(one) for one in outcome.to_client], ["32"])

    def test_reject(self) -> None:
        """A Reject that cannot be read is not answered, so that no two programs answer each other for ever."""
        outcome = self.linked(look).client_sends(unreadable(2, "3"), order(3))
        self.assertEqual(outcome.to_client, [])
        self.assertEqual([brief(one) for one in outcome.to_server], ["42>3", "D3 id-3"])


class TooLongTests(SynchronousTestCase):
    """Messages that are too long for the connection of their receiver."""

    def linked(self, filter_: Any) -> FilterHarness:
        """Return a link with a small limit."""
        logon = Logon({98: 0, 108: 30})
        run = FilterHarness(filter_, dialect=dialects.fix(), says=[sent(logon, 1)], limits=Limits(max_frame=2000))
        run.server_sends(logon.with_header("FIX.4.4", {49: "EXCHANGE", 56: "TRADER", 34: 1, 52: "20261126-12:00:00"}))
        return run

    def test_of_filters(self) -> None:
        """A message of the application that is too long is an error, and takes no number."""
        run = self.linked(lambda message, link: Send(message.changed({58: "x" * 1400})) if 58 in message else PASS_ON)
        outcome = run.client_sends(order(2, f58="y"))
        self.assertEqual([type(error) for error in outcome.errors], [CallbackFailed])
        self.assertEqual(outcome.to_server, [])
        self.flushLoggedErrors(ValueError)
        run = self.linked(lambda message, link: PASS_ON)
        run.link.send_to_server(Message("B", {148: "x" * 1500}))
        self.assertEqual([brief(one) for one in run.client_sends(order(2)).to_server], ["D2 id-2"])

    def test_of_engines(self) -> None:
        """A message of an engine that may not fit with another number is rejected; with its own number it passes."""
        long = order(2, f58="x" * 1700)
        run = self.linked(lambda message, link: PASS_ON)
        self.assertEqual(run.client_sends(long).to_server, [long])
        run.link.send_to_server(Message("B", {148: "x"}))
        outcome = run.client_sends(order(3, f58="x" * 1700), order(4))
        (reject,) = outcome.to_client
        assert isinstance(reject, Reject)
        self.assertEqual([brief(one) for one in outcome.to_server], ["B3", "44>5", "D5 id-4"])
