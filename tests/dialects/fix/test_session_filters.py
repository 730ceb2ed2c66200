"""The filters around the application's, on a link in memory."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Direction, Link, OnFilterError, SendBack, Verdict, dialects
from twisted_repeater.dialects.fix import ExecutionReport, Heartbeat, Logon, NewOrderSingle, OrderCancelRequest
from twisted_repeater.dialects.fix.session_filters import SessionFilter
from twisted_repeater.dialects.fix.sessions import Sessions
from twisted_repeater.dialects.fix.store import Store, StoreError
from twisted_repeater.filters import wants
from twisted_repeater.testing import FilterHarness

from .made import order, sent
from .numbers_rig import brief


def from_server(message: Any, number: int) -> Any:
    """Return a message of the server."""
    return message.with_header("FIX.4.4", {49: "EXCHANGE", 56: "TRADER", 34: number, 52: "20261126-12:00:00"})


class SessionFilterTests(SynchronousTestCase):
    """What a filter of the dialect makes of verdicts, and of failures."""

    def linked(self, to_server_filter: Any = None, **options: Any) -> FilterHarness:
        """Return a link on which both engines have logged on."""
        run = FilterHarness(
            to_server_filter, dialect=dialects.fix(), says=[sent(Logon({98: 0, 108: 30}), 1)], **options
        )
        run.server_sends(from_server(Logon({98: 0, 108: 30}), 1))
        return run

    def fails(self, policy: OnFilterError, kind: type) -> Any:
        """Return what comes of a message whose filter fails."""

        def fail(message: Any, link: Link) -> Verdict:
            if isinstance(message, kind):
                raise ValueError("broken")
            return PASS_ON

        run = self.linked(fail, on_filter_error=policy)
        message = sent(Heartbeat(), 2) if kind is Heartbeat else order(2)
        outcome = run.client_sends(message, order(3) if kind is Heartbeat else sent(Heartbeat(), 3))
        self.flushLoggedErrors(ValueError)
        return [brief(one) for one in outcome.to_server], outcome.closed

    def test_failures(self) -> None:
        """The policy decides about the message; one of the session passes; one that ends the link is not decided."""
        self.assertEqual(self.fails(OnFilterError.PASS_ON, NewOrderSingle), (["D2 id-2", "03"], False))
        self.assertEqual(self.fails(OnFilterError.DROP, NewOrderSingle), (["42>3", "03"], False))
        self.assertEqual(self.fails(OnFilterError.DROP, Heartbeat), (["02", "D3 id-3"], False))
        for policy in (OnFilterError.CLOSE, OnFilterError.STOP):
            self.assertEqual(self.fails(policy, NewOrderSingle)[0], [])

    def test_wanted(self) -> None:
        """A filter sees what it wants, also while numbers are shifted."""
        seen: list[str] = []

        @wants(OrderCancelRequest)
        def look(message: Any, link: Link) -> Verdict:
            seen.append(brief(message))
            return DROP

        run = self.linked(look)
        cancel = sent(OrderCancelRequest({11: "c"}), 3)
        outcome = run.client_sends(order(2), cancel, order(4))
        self.assertEqual([brief(one) for one in outcome.to_server], ["D2 id-2", "43>4", "D4 id-4"])
        self.assertEqual(seen, ["F3 c"])

    def test_later(self) -> None:
        """A verdict that comes while the other direction is at work waits for that."""
        later: Deferred[Verdict] = Deferred()

        def ask(message: Any, link: Link) -> Any:
            return later if isinstance(message, NewOrderSingle) else PASS_ON

        def fire(message: Any, link: Link) -> Verdict:
            if isinstance(message, ExecutionReport) and not later.called:
                later.callback(SendBack([ExecutionReport({11: "answer"})]))
            return PASS_ON

        run = self.linked(ask, to_client_filter=fire)
        run.client_sends(order(2))
        outcome = run.server_sends(from_server(ExecutionReport({11: "report"}), 2))
        run.advance(0)
        last = run.server_sends(from_server(ExecutionReport({11: "last"}), 3))
        self.assertEqual([brief(one) for one in last.to_client], ["84 last"])
        self.assertEqual([brief(one) for one in outcome.to_client], ["82 report", "83 answer"])

    def test_in_its_time(self) -> None:
        """A verdict that comes while nothing else happens is carried out at once."""
        later: Deferred[Verdict] = Deferred()
        run = self.linked(lambda message, link: later if isinstance(message, NewOrderSingle) else PASS_ON)
        self.assertEqual(run.client_sends(order(2)).to_server, [])
        later.callback(DROP)
        outcome = run.client_sends(sent(Heartbeat(), 3))
        self.assertEqual([brief(one) for one in outcome.to_server], ["42>3", "03"])

    def test_too_early(self) -> None:
        """A message that is answered before both engines have logged on ends the link."""
        answer = SendBack([ExecutionReport({11: "x"})])
        run = FilterHarness(
            lambda message, link: answer if isinstance(message, NewOrderSingle) else PASS_ON,
            dialect=dialects.fix(),
            says=[sent(Logon({98: 0, 108: 30}), 1)],
        )
        self.assertTrue(run.client_sends(order(2)).closed)

    def member(self) -> tuple[Any, Any, Any]:
        """Return a filter of the dialect, its session and a link."""
        session = Sessions().begin("a")
        link = mock.Mock()
        return SessionFilter(session, Direction.TO_SERVER), session, link

    def test_store_fails(self) -> None:
        """If the store fails, nothing more leaves, and the link is closed."""
        for calls in ("arrived", "settle"):
            member, session, link = self.member()
            with mock.patch.object(type(session.numbers), calls, side_effect=StoreError("full")):
                self.assertTrue(member.filter(sent(Logon({}), 1), link).closes)
            self.assertTrue(session.broken)
            self.assertEqual(list(self.failing(member, link)), [])
        member, session, link = self.member()
        with mock.patch.object(type(session.numbers), "sent", side_effect=StoreError("full")):
            self.assertEqual(list(self.failing(member, link)), [])
        link.close.assert_called_once()

    def failing(self, member: Any, link: Any) -> list[Any]:
        """Try to send."""
        try:
            return list(member.sent(order(2), link))
        except Exception:
            return []

    def test_over(self) -> None:
        """After the end of the link nothing is decided any more."""
        member, _, link = self.member()
        self.assertIs(member.failed(DROP, link), DROP)
        member.ended(link)
        self.assertIs(member.filter(sent(Logon({}), 1), link), DROP)
        self.assertEqual(Store().path, None)
