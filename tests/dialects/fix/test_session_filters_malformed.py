"""Values that a filter cannot read: they cost their message, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, CallbackFailed, Link, ParseError, Verdict, dialects
from twisted_repeater.dialects.fix import Heartbeat, Logon, NewOrderSingle, Reject, SequenceReset
from twisted_repeater.testing import FilterHarness

from .made import order, sent


def look(message: Any, link: Link) -> Verdict:
    """Read a number."""
    return DROP if isinstance(message, NewOrderSingle) and message.quantity == 0 else PASS_ON


async def look_later(message: Any, link: Link) -> Verdict:
    """Read it in a coroutine."""
    return look(message, link)


class MalformedValueTests(SynchronousTestCase):
    """Such messages."""

    def linked(self, to_server_filter: Callable[..., Any]) -> FilterHarness:
        """Return a link on which both engines have logged on."""
        logon = Logon({98: 0, 108: 30})
        run = FilterHarness(to_server_filter, dialect=dialects.fix(), says=[sent(logon, 1)])
        run.server_sends(logon.with_header("FIX.4.4", {49: "EXCHANGE", 56: "TRADER", 34: 1, 52: "20261126-12:00:00"}))
        return run

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
            self.assertEqual((outcome.errors, outcome.closed), ([], False))

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
