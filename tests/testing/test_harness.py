"""Filters that run without a network."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    CallbackFailed,
    Close,
    IFilter,
    Limits,
    MarshalingError,
    OnFilterError,
    ParseError,
    PassOnAndSendBack,
    Send,
    SendBack,
    dialects,
)
from twisted_repeater.codecs.bin_prot import bin_int, bin_prot_codec
from twisted_repeater.dialects import Dialect, first_message
from twisted_repeater.filters import FilterPair
from twisted_repeater.testing import Event, FilterHarness

NUMBERS = dialects.int32(to_server=bin_prot_codec(bin_int), to_client=bin_prot_codec(bin_int))


def by_number(message: int, link: Any) -> Any:
    """A filter with every verdict."""
    verdicts: dict[int, Any] = {
        1: DO_NOTHING,
        2: Send(20, 21),
        3: SendBack([30]),
        4: PassOnAndSendBack([40]),
        5: Close(ValueError("five"), forward=[50], back=[51]),
        6: Send("no number"),
        7: "no verdict",
    }
    return verdicts.get(message, PASS_ON)


class VerdictTests(SynchronousTestCase):
    """What comes of each verdict."""

    def setUp(self) -> None:
        """Make a harness."""
        self.harness = FilterHarness(by_number, dialect=NUMBERS)

    def test_pass_on(self) -> None:
        """A message that passes reaches the server, as the bytes that came."""
        outcome = self.harness.client_sends(0)
        outcome.expect(to_server=[0])
        self.assertEqual((outcome.verdict, outcome.to_server_bytes), (PASS_ON, b"\0\0\0\1\0"))

    def test_untouched(self) -> None:
        """A payload that no encoder would make passes as it is."""
        outcome = self.harness.client_sends_payloads(b"\xfe\x08\0")
        outcome.expect(to_server=[8], verdicts=[PASS_ON])
        self.assertEqual(outcome.to_server_bytes, b"\0\0\0\3\xfe\x08\0")

    def test_the_others(self) -> None:
        """Each of the other verdicts has its effect."""
        self.harness.client_sends(1).expect()
        self.harness.client_sends(2).expect(to_server=[20, 21])
        self.harness.client_sends(3).expect(to_client=[30])
        self.harness.client_sends(4).expect(to_server=[4], to_client=[40])
        self.harness.client_sends(5).expect(to_server=[50], to_client=[51], closed=True)

    def test_several(self) -> None:
        """Several messages are judged in order."""
        outcome = self.harness.client_sends(0, 1, 3)
        outcome.expect(to_server=[0], to_client=[30], verdicts=[PASS_ON, DO_NOTHING, SendBack([30])])
        self.assertEqual(outcome.to_client_bytes, b"\0\0\0\1\x1e")
        self.assertRaises(AssertionError, lambda: outcome.verdict)

    def test_errors(self) -> None:
        """What goes wrong is told as ``on_error`` is."""
        self.harness.client_sends_payloads(b"").expect(errors=[ParseError])
        self.harness.client_sends(6).expect(errors=[MarshalingError], verdicts=[Send("no number")])
        self.harness.client_sends(7).expect(errors=[CallbackFailed], closed=True)
        self.flushLoggedErrors()

    def test_other_direction(self) -> None:
        """The server's messages go to the other filter, or pass."""
        self.harness.server_sends(3).expect(to_client=[3], verdicts=[])
        other = FilterHarness(None, by_number, dialect=NUMBERS)
        other.server_sends(3).expect(to_server=[30])
        other.server_sends_payloads(b"\3").expect(to_server=[30])

    def test_no_filter(self) -> None:
        """Without filters everything passes."""
        FilterHarness().client_sends(b"a", b"b").expect(to_server=[b"a", b"b"])


class LinkTests(SynchronousTestCase):
    """The link that filters see."""

    def test_attributes(self) -> None:
        """State, names and addresses are what the test says."""
        seen: list[Any] = []

        @implementer(IFilter)
        class Looking:
            def filter(self, message: bytes, link: Any) -> Any:
                seen.extend([link.state, link.client_name, link.server_name, link.client_address.host])
                return PASS_ON

        harness = FilterHarness(
            Looking(), state={"limit": 7}, client_name="alice", server_name="exchange", client_host="10.0.0.7"
        )
        harness.client_sends(b"x")
        self.assertEqual(seen, [{"limit": 7}, "alice", "exchange", "10.0.0.7"])

    def test_on_connect(self) -> None:
        """An ``on_connect`` makes the state instead."""
        harness = FilterHarness(
            on_connect=lambda link: (link.client_hello.send_version, link.server_hello.recv_version),
            client_members={"send_version": 3},
            server_members={"recv_version": 4},
        )
        self.assertEqual(harness.link.state, (3, 4))
        self.assertEqual(harness.repeater.active_clients(), ["client"])

    def test_refused(self) -> None:
        """A link that cannot be made is an error that says why."""
        error = self.assertRaises(AssertionError, FilterHarness, on_connect={}.__getitem__)
        self.assertIn("is not linked", str(error))
        self.assertIn("refused       RefusedByApplication: KeyError", str(error))

    def test_messages_of_the_applications_own(self) -> None:
        """What is sent on the link itself is part of the next outcome, as is what the peers do."""
        harness = FilterHarness()
        harness.link.send_to_client(b"news")
        harness.outcome().expect(to_client=[b"news"])
        harness.client.send(b"1")
        harness.server.send(b"2")
        harness.outcome().expect(to_server=[b"1"], to_client=[b"2"])
        harness.client.close()
        outcome = harness.outcome()
        self.assertTrue(outcome.closed)

    def test_policy(self) -> None:
        """Options are those of the repeater: what becomes of a message whose filter fails."""
        harness = FilterHarness(lambda message, link: None, on_filter_error=OnFilterError.PASS_ON)
        harness.client_sends(b"x").expect(to_server=[b"x"], errors=[CallbackFailed])
        self.flushLoggedErrors()


class PairTests(SynchronousTestCase):
    """Pairs of filters."""

    def test_pair(self) -> None:
        """A pair sees both directions of the link, with its state; its verdicts are recorded."""

        class Greeting:
            def for_link(self, link: Any) -> Any:
                name = link.state
                return (lambda message, link: SendBack([b"hello " + name]), lambda message, link: DO_NOTHING)

        harness = FilterHarness(filters=Greeting(), state=b"ann")
        harness.client_sends(b"hi").expect(to_client=[b"hello ann"], verdicts=[SendBack([b"hello ann"])])
        harness.server_sends(b"x").expect(verdicts=[DO_NOTHING])

    def test_given_as_a_filter(self) -> None:
        """A pair that is given in place of a filter is an error that says where it belongs."""
        with self.assertRaisesRegex(TypeError, "FilterPair.* is a pair of filters.*: give it as filters="):
            FilterHarness(FilterPair())


class StoppedTests(SynchronousTestCase):
    """A direction that has stopped for good, as it does when a filter fails and the application lets its link stand."""

    def test_said(self) -> None:
        """What is sent there later is put down with a remark; the other direction goes on."""

        def fails(message: bytes, link: Any) -> Any:
            raise LookupError(message)

        for filters, stopped, where in (((fails,), "client", "server"), ((None, fails), "server", "client")):
            harness = FilterHarness(*filters, on_error=lambda link, side, error: None)
            other = "server" if stopped == "client" else "client"
            getattr(harness, f"{stopped}_sends")(b"1").expect(errors=[CallbackFailed])
            for send in (f"{stopped}_sends", f"{stopped}_sends_payloads"):
                outcome = getattr(harness, send)(b"2")
                outcome.expect()
                self.assertIn(
                    f"stopped       nothing is read any more on the way to the {where}", str(outcome.entries[-1])
                )
            outcome = getattr(harness, f"{other}_sends")(b"3")
            outcome.expect(**{f"to_{stopped}": [b"3"]})
            self.assertNotIn(Event.STOPPED, [entry.event for entry in outcome.entries])
            self.flushLoggedErrors()


class TimeTests(SynchronousTestCase):
    """Filters that answer later."""

    def test_advance(self) -> None:
        """Time passes when the test says so; until the verdict later messages wait."""
        clock = Clock()

        async def slow(message: bytes, link: Any) -> Any:
            await deferLater(clock, 1.0)
            return PASS_ON

        harness = FilterHarness(slow, clock=clock)
        self.assertIs(harness.clock, clock)
        outcome = harness.client_sends(b"1", b"2")
        outcome.expect(verdicts=[])
        self.assertTrue(outcome.pending)
        harness.advance(1).expect(to_server=[b"1"])
        outcome = harness.advance(1)
        outcome.expect(to_server=[b"2"])
        self.assertFalse(outcome.pending)

    def test_timeout(self) -> None:
        """A verdict that takes too long is an error, by the clock of the test."""
        harness = FilterHarness(lambda message, link: Deferred(), limits=Limits(filter_timeout=2))
        harness.client_sends(b"1").expect()
        harness.advance(2).expect(errors=[CallbackFailed], closed=True)
        self.flushLoggedErrors()


class ExpectTests(SynchronousTestCase):
    """What an outcome that isn't as expected says."""

    def setUp(self) -> None:
        """Let something happen."""
        self.outcome = FilterHarness(by_number, dialect=NUMBERS).client_sends(0, 3)

    def complaint(self, **expected: Any) -> str:
        """Return what it complains about."""
        return str(self.assertRaises(AssertionError, self.outcome.expect, **expected))

    def test_transcript(self) -> None:
        """Each complaint shows what is different, and then all that happened, in order."""
        lines = [line.rstrip() for line in self.complaint(to_server=[0, 3]).splitlines()]
        self.assertEqual(lines[:6], ["the server got:", "  1. 0", "expected:", "  1. 0", "  2. 3", ""])
        self.assertEqual(
            [line.split("client     ")[-1].strip() for line in lines[6:]],
            [
                "What happened:",
                "linked",
                "client sends  0",
                "client sends  3",
                "to server:  PASS_ON",
                "to server:  SendBack([30])",
                "server gets   0",
                "client gets   30",
            ],
        )

    def test_each_part(self) -> None:
        """Each part is compared."""
        well: dict[str, Any] = {"to_server": [0], "to_client": [30]}
        self.outcome.expect(**well)
        self.assertTrue(self.complaint(to_server=[0]).startswith("the client got:\n  1. 30\nexpected:\n  nothing"))
        self.assertTrue(self.complaint(**well, verdicts=[PASS_ON]).startswith("the verdicts are:\n  1. PASS_ON\n"))
        self.assertTrue(self.complaint(**well, closed=True).startswith("the link is not closed"))
        self.assertTrue(
            self.complaint(**well, errors=[ParseError]).startswith(
                "the errors are:\n  nothing\nexpected:\n  ParseError"
            )
        )

    def test_what_was_not_expected(self) -> None:
        """An end or an error that nobody expects is complained about."""
        self.outcome = FilterHarness(by_number, dialect=NUMBERS).client_sends(5)
        self.assertTrue(self.complaint(to_server=[50], to_client=[51]).startswith("the link is closed"))
        self.outcome = FilterHarness(by_number, dialect=NUMBERS).client_sends_payloads(b"")
        self.assertTrue(self.complaint().startswith("the errors are:\n  1. ParseError("))
        self.outcome = FilterHarness(by_number, dialect=NUMBERS).client_sends_payloads(b"")
        self.assertTrue(self.complaint(errors=[MarshalingError]).startswith("the errors are:\n  1. ParseError("))


class WithoutHelloTests(SynchronousTestCase):
    """A harness in a dialect without hellos."""

    def test_server_first(self) -> None:
        """The client need not say anything."""
        harness = FilterHarness(lambda message, link: Send(message.upper()), dialect=dialects.lines())
        harness.opened.expect()
        harness.client_sends(b"a").expect(to_server=[b"A"])
        harness.server_sends(b"b").expect(to_client=[b"b"])

    def test_by_address(self) -> None:
        """Nor where the server would be dialled with its first byte only."""
        dialect = Dialect(name="late", framing=dialects.lines().framing)
        harness = FilterHarness(dialect=dialect, client_host="192.0.2.7")
        harness.opened.expect()
        self.assertTrue(harness.link.client_name.startswith("192.0.2.7:"))

    def test_says(self) -> None:
        """What client and server say at once goes through the filters, as the outcome of the opening shows."""
        dialect = Dialect(
            name="named",
            framing=dialects.lines().framing,
            opening=first_message(lambda frame: frame.payload.decode()),
        )
        harness = FilterHarness(
            lambda message, link: Send(message.upper()),
            lambda message, link: DO_NOTHING,
            dialect=dialect,
            says=[b"ann\n"],
            server_says=[b"hello\n"],
        )
        harness.opened.expect(to_server=[b"ANN"])
        self.assertEqual(harness.link.client_name, "ann")
        harness.client_sends(b"a").expect(to_server=[b"A"])
        error = self.assertRaises(AssertionError, FilterHarness, dialect=dialect)
        self.assertIn("is not linked", str(error))

    def test_no_members(self) -> None:
        """There are no members of hellos that could differ."""
        for members in ({"client_members": {"mode": "x"}}, {"server_members": {"mode": "x"}}):
            self.assertRaises(TypeError, FilterHarness, dialect=dialects.lines(), **members)
