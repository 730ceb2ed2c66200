"""Responses together with their requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Link, Send, Verdict, dialects
from twisted_repeater.dialects.modbus import (
    ExceptionResponse,
    MixedUpResponses,
    Raw,
    ReadCoils,
    ReadCoilsResponse,
    ReadHoldingRegisters,
    ReadHoldingRegistersResponse,
    Request,
    Response,
    WriteRegister,
    refuse,
    with_requests,
)
from twisted_repeater.dialects.modbus.matching import MOST, Waiting
from twisted_repeater.filters import FilterPair, chain
from twisted_repeater.testing import FilterHarness

FIRST = Raw(17)
Values = ReadHoldingRegistersResponse


def read(address: int, count: int = 1, **header: int) -> ReadHoldingRegisters:
    """Return a request."""
    return ReadHoldingRegisters(address, count, **header)


class MatchingTests(SynchronousTestCase):
    """`with_requests`."""

    def setUp(self) -> None:
        """Start a link."""
        self.seen: list[tuple[Response, Request]] = []
        self.filters = with_requests(self.decide)
        self.run_ = FilterHarness(filters=self.filters, dialect=dialects.modbus(), says=[FIRST])

    def decide(self, response: Response, request: Request, link: Link) -> Verdict:
        """Remember what was shown; add the address to what was read."""
        self.seen.append((response, request))
        if isinstance(response, Values) and isinstance(request, ReadHoldingRegisters):
            return Send(replace(response, values=tuple(value + request.address for value in response.values)))
        return PASS_ON

    def test_any_order(self) -> None:
        """Each response is shown with the request of its number, in whatever order they come."""
        run = self.run_
        requests = [read(10 * number, transaction=number) for number in range(3)]
        run.client_sends(*requests).expect(to_server=requests)
        run.server_sends(Values((1,), transaction=2), Values((1,), transaction=0), Values((1,), transaction=1)).expect(
            to_client=[Values((21,), transaction=2), Values((1,), transaction=0), Values((11,), transaction=1)]
        )

    def test_late(self) -> None:
        """A late response is not taken for the answer to the next request."""
        run = self.run_
        run.client_sends(read(10, transaction=1))
        run.client_sends(read(20, transaction=2))  # the client has waited long enough
        run.server_sends(Values((1,), transaction=1)).expect(to_client=[Values((11,), transaction=1)])
        run.server_sends(Values((1,), transaction=2)).expect(to_client=[Values((21,), transaction=2)])

    def test_not_asked(self) -> None:
        """A response that nothing has asked for is dropped, for example the second one; the first is logged."""
        run = self.run_
        run.client_sends(read(10, transaction=1))
        run.server_sends(Values((1,), transaction=1)).expect(to_client=[Values((11,), transaction=1)])
        with capturedLogs() as events:
            for answer in (
                Values((1,), transaction=1),
                Values((1,), transaction=7),
                Values((1,), unit=9),
                ExceptionResponse(5, 2),
            ):
                run.server_sends(answer).expect()
        self.assertEqual(len(events), 1)

    def test_other_size(self) -> None:
        """A response with another number of values than the request asks for is not its answer."""
        run = self.run_
        run.client_sends(read(10, 2), ReadCoils(0, 9))
        run.server_sends(Values((1,)), ReadCoilsResponse((True,) * 8)).expect()
        bits = ReadCoilsResponse((True,) * 16)
        run.server_sends(bits, Values((1, 2))).expect(to_client=[bits, Values((11, 12))])

    def test_exceptions(self) -> None:
        """An exception, and a response without a class of its own, are shown with their requests too."""
        run = self.run_
        run.client_sends(read(10), WriteRegister(1, 2), Raw(0x90))
        answers = [ExceptionResponse(3, 2), Raw(6, b"\0\1\0\2"), ExceptionResponse(0x10, 1)]
        run.server_sends(*answers).expect(to_client=answers)
        requests = [read(10), WriteRegister(1, 2), Raw(0x90)]
        self.assertEqual(self.seen, list(zip(answers, requests, strict=True)))

    def test_same_again(self) -> None:
        """A client that asks the same again with the same number gets one answer, or two."""
        run = self.run_
        for _ in range(3):
            run.client_sends(read(10), read(10))
            for _ in range(2):
                run.server_sends(Values((1,))).expect(to_client=[Values((11,))])
        run.server_sends(Values((1,))).expect()

    def test_late_after_the_same_again(self) -> None:
        """The second answer to a request that was sent again is not taken for that to the next one of its number."""
        run = self.run_
        run.client_sends(read(10), read(10))
        run.server_sends(Values((1,))).expect(to_client=[Values((11,))])
        run.client_sends(read(20))
        self.assertTrue(run.server_sends(Values((1,))).closed)
        self.assertEqual(self.seen, [(Values((1,)), read(10))])

    def test_mixed_up(self) -> None:
        """If one number stands for different requests, nobody can tell whose the response is: the link is closed."""
        run = self.run_
        run.client_sends(read(10), read(20))
        outcome = run.server_sends(Values((1,)))
        self.assertEqual((outcome.to_client, outcome.closed, self.seen), ([], True, []))
        (verdict,) = outcome.verdicts
        self.assertIsInstance(verdict.error, MixedUpResponses)

    def test_told_apart_by_size(self) -> None:
        """Unless only one of them can have such a response."""
        run = self.run_
        run.client_sends(read(10, 2), read(20))
        run.server_sends(Values((1,)), Values((1, 2))).expect(to_client=[Values((21,)), Values((11, 12))])

    def test_broadcasts(self) -> None:
        """Requests that get no answer harm nothing, however many there are."""
        run = self.run_
        for value in range(2000):
            run.client_sends(WriteRegister(1, value, unit=0))
        run.client_sends(read(10))
        run.server_sends(Values((1,))).expect(to_client=[Values((11,))])

    def test_later(self) -> None:
        """A verdict may come later."""
        later: Deferred[Any] = Deferred()
        run = FilterHarness(filters=with_requests(lambda *shown: later), dialect=dialects.modbus(), says=[FIRST])
        run.client_sends(read(10))
        self.assertTrue(run.server_sends(Values((1,))).pending)
        later.callback(PASS_ON)
        run.outcome().expect(to_client=[Values((1,))])

    def test_in_chain(self) -> None:
        """Behind a filter that refuses requests it waits for no answer to them."""
        refusing = FilterPair(lambda request, link: refuse(request) if request.transaction else PASS_ON)
        run = FilterHarness(filters=chain(refusing, self.filters), dialect=dialects.modbus(), says=[FIRST])
        run.client_sends(read(10, transaction=1))
        run.server_sends(Values((1,), transaction=1)).expect()

    def test_migration(self) -> None:
        """Filters that are loaded again know the requests that wait."""
        run = self.run_
        run.client_sends(read(10))
        run.repeater.replace_filters(filters=with_requests(self.decide))
        run.server_sends(Values((1,))).expect(to_client=[Values((11,))])

    def test_other_predecessor(self) -> None:
        """They take over from no other filters."""
        before, _ = self.filters.for_link(self.run_.link)
        waiting = before.waiting  # type: ignore[union-attr]
        before.migrate(object())  # type: ignore[union-attr]
        self.assertIs(before.waiting, waiting)  # type: ignore[union-attr]

    def test_no_function(self) -> None:
        """What is no function is an error."""
        wrong: Any = 3
        self.assertRaises(TypeError, with_requests, wrong)
        self.assertIn("with_requests(", repr(self.filters))


class WaitingTests(SynchronousTestCase):
    """The requests that wait."""

    def test_forgotten(self) -> None:
        """A request is forgotten when enough others have come, though these were answered."""
        waiting = Waiting()
        waiting.add(read(0, transaction=500))
        for number in range(MOST):
            waiting.add(read(1, transaction=number))
            self.assertEqual(waiting.take(Values((1,), transaction=number)), [read(1, transaction=number)])
        self.assertEqual(waiting.take(Values((1,), transaction=500)), [])
