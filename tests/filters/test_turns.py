"""Answers of a filter wait for the answers of the requests before them, in a bounded number."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    DROP,
    PASS_ON,
    CallbackFailed,
    Close,
    Limits,
    OnFilterError,
    SendBack,
    Verdict,
    chain,
)
from twisted_repeater.filters import FilterPair
from twisted_repeater.filters._turns import MOST_BYTES, Turns
from twisted_repeater.testing import FilterHarness

from .in_turn import LINK, InOrderCase, LaterCase, harness, pair


class OrderTests(SynchronousTestCase):
    """The order of answers."""

    def test_waits(self) -> None:
        """An answer waits for the answers of all requests before it, and goes out before those of later ones."""
        run = harness()
        run.client_sends(b"a", b"b", b"!c", b"!d", b"e", b"!f").expect(to_server=[b"a", b"b", b"e"])
        run.server_sends(b"A").expect(to_client=[b"A"])
        run.server_sends(b"B").expect(to_client=[b"B", b"no c", b"no d"])
        run.server_sends(b"E").expect(to_client=[b"E", b"no f"])

    def test_in_one_read(self) -> None:
        """The order is the same if all answers of the server come at once."""
        run = harness()
        run.client_sends(b"a", b"!b", b"c", b"!d")
        run.server_sends(b"A", b"C").expect(to_client=[b"A", b"no b", b"C", b"no d"])

    def test_at_once(self) -> None:
        """If the server owes nothing, the filter's answer waits for nothing."""
        run = harness()
        run.client_sends(b"!a", b"!b").expect(to_client=[b"no a", b"no b"])
        run.client_sends(b"c")
        run.server_sends(b"C")
        run.client_sends(b"!d").expect(to_client=[b"no d"])

    def test_parts_and_pushes(self) -> None:
        """Messages that end no answer go through, and nothing is sent between the parts of an answer."""
        run = harness()
        run.client_sends(b"a", b"!b")
        run.server_sends(b">push", b"+A1", b"+A2").expect(to_client=[b">push", b"+A1", b"+A2"])
        run.server_sends(b"A3", b">push").expect(to_client=[b"A3", b"no b", b">push"])

    def test_how_many(self) -> None:
        """A request may ask for no answer, or for several."""
        run = harness()
        run.client_sends(b"quiet", b"!a").expect(to_server=[b"quiet"], to_client=[b"no a"])
        run.client_sends(b"three", b"!b")
        run.server_sends(b"1", b"2").expect(to_client=[b"1", b"2"])
        run.server_sends(b"3").expect(to_client=[b"3", b"no b"])

    def test_replaced_and_dropped(self) -> None:
        """What is sent in place of a request counts, and a request that is dropped does not."""
        run = harness()
        run.client_sends(b"drop a", b"twice b", b"!c").expect(to_server=[b"b", b"b"])
        run.server_sends(b"B").expect(to_client=[b"B"])
        run.server_sends(b"B").expect(to_client=[b"B", b"no c"])

    def test_passes_and_answers(self) -> None:
        """A message beside a request that is passed on comes before that request's own answer."""
        run = harness()
        run.client_sends(b"both a").expect(to_server=[b"both a"], to_client=[b"also a"])
        run.client_sends(b"both b", b"mixed c", b"!d").expect(to_server=[b"both b", b"mixed c", b"c"])
        run.server_sends(b"A").expect(to_client=[b"A", b"also b"])
        run.server_sends(b"B").expect(to_client=[b"B", b"mixed"])
        run.server_sends(b"C1").expect(to_client=[b"C1"])
        run.server_sends(b"C2").expect(to_client=[b"C2", b"no d"])

    def test_close_at_once(self) -> None:
        """Without a last message, or if nothing is owed, the link is closed at once."""
        run = harness()
        run.client_sends(b"close b").expect(to_server=[b"bye"], to_client=[b"closed"], closed=True)
        run = harness()
        run.client_sends(b"a", b"end b").expect(to_server=[b"a"], closed=True)

    def test_owed_before(self) -> None:
        """A server's greeting can count as an answer that is owed from the start."""
        run = FilterHarness(filters=pair(owed=1))
        run.client_sends(b"!a").expect()
        run.server_sends(b"hello").expect(to_client=[b"hello", b"no a"])

    def test_surplus(self) -> None:
        """An answer that the server did not owe is told, and counts for nothing."""
        told: list[Any] = []
        turns = Turns(LINK, 1, 1, told.append)
        turns.end_answer()
        turns.end_answer()
        self.assertEqual((turns.answered, told), (1, [LINK]))


class RoomTests(InOrderCase):
    """Answers wait in a bounded number."""

    def test_number(self) -> None:
        """At most so many answers wait; then the client's next message does, until there is room."""
        run = FilterHarness(filters=pair(most_waiting=2))
        self.assertFalse(run.client_sends(b"a", b"b", b"!c").pending)
        self.assertTrue(run.client_sends(b"!d", b"e", b"!f").pending)
        run.server_sends(b"A").expect(to_client=[b"A"])
        outcome = run.server_sends(b"B")
        outcome.expect(to_client=[b"B", b"no c", b"no d"], to_server=[b"e"])
        self.assertFalse(outcome.pending)
        run.server_sends(b"E").expect(to_client=[b"E", b"no f"])

    def test_passes_with_room(self) -> None:
        """A request that is passed on beside an answer without room is passed on when there is room."""
        run = FilterHarness(filters=pair(most_waiting=1))
        run.client_sends(b"a", b"both b", b"c").expect(to_server=[b"a"])
        run.server_sends(b"A").expect(to_client=[b"A", b"also b"], to_server=[b"both b", b"c"])

    def test_bytes(self) -> None:
        """Nor may they have too many bytes."""
        big = bytes(MOST_BYTES)
        run = harness(lambda message, link: SendBack([big]) if message == b"!" else PASS_ON)
        self.assertTrue(run.client_sends(b"a", b"!", b"c").pending)
        run.server_sends(b"A").expect(to_client=[b"A", big], to_server=[b"c"])

    def test_timeout(self) -> None:
        """If the filter's time is over while it waits for room, the request fails; it counts if it is passed on."""
        for policy, to_server in ((OnFilterError.DROP, []), (OnFilterError.PASS_ON, [b"!b"])):
            run = FilterHarness(filters=pair(most_waiting=1), limits=Limits(filter_timeout=5), on_filter_error=policy)
            self.assertTrue(run.client_sends(b"a", b"!b").pending)
            run.advance(5).expect(to_server=to_server, errors=[CallbackFailed])
            run.client_sends(b"c", b"!d")
            run.server_sends(b"A").expect(to_client=[b"A", b"no b"])
            if to_server:
                run.server_sends(b"B").expect(to_client=[b"B"])
            run.server_sends(b"C").expect(to_client=[b"C", b"no d"])

    def test_timeout_meanwhile(self) -> None:
        """If the filter's time is over when there is room already, the request fails all the same."""
        run = FilterHarness(
            filters=pair(most_waiting=1), limits=Limits(filter_timeout=5), on_filter_error=OnFilterError.DROP
        )
        run.client_sends(b"a", b"!b")
        to_server: Any = run.link._pair.filters[0]  # type: ignore[attr-defined]
        run.advance(5).expect(errors=[CallbackFailed])
        to_server._turns._fire_room()
        run.server_sends(b"A").expect(to_client=[b"A", b"no b"])

    def test_end(self) -> None:
        """A link may end while an answer waits for room."""
        run = FilterHarness(filters=pair(most_waiting=1))
        run.client_sends(b"a", b"!b", b"!c")
        run.link.close()
        run.running.shutdown()
        self.assertEqual(run.clock.getDelayedCalls(), [])


class ReleaseTests(LaterCase):
    """Answers that no message takes along."""

    def test_fired_by_the_other_filter(self) -> None:
        """An answer that the other direction's filter brings about does not overtake what that one lets through."""

        def to_client(message: bytes, link: Any) -> Verdict:
            if message.startswith(b">"):
                self.asked[0].callback(SendBack([b"later"]))
            return PASS_ON

        for inner in (
            pair(FilterPair(self.later, to_client)),
            chain(FilterPair(to_client=to_client), pair(self.later)),
        ):
            self.asked.clear()
            run = FilterHarness(filters=inner)
            run.client_sends(b"a", b"?b")
            run.server_sends(b"A", b">go").expect(to_client=[b"A", b">go", b"later"])

    def test_fired_by_a_filter_that_drops(self) -> None:
        """If the message that brought it about is dropped, the answer goes out all the same."""

        def to_client(message: bytes, link: Any) -> Verdict:
            if message.startswith(b">"):
                self.asked.pop().callback(verdicts[-1])
                return DROP
            return PASS_ON

        verdicts: list[Verdict] = []
        for verdict, closed in ((SendBack([b"later"]), False), (Close(None, back=[b"later"]), True)):
            verdicts.append(verdict)
            run = FilterHarness(filters=chain(FilterPair(to_client=to_client), pair(self.later)))
            run.client_sends(b"a", b"?b")
            run.server_sends(b"A", b">go").expect(to_client=[b"A", b"later"], closed=closed)

    def test_behind_one_that_is_about_to_go_out(self) -> None:
        """An answer does not overtake one that goes out in the next turn of the reactor."""

        def to_client(message: bytes, link: Any) -> Verdict:
            self.asked[0].callback(SendBack([b"first"]))
            return DROP

        run = FilterHarness(filters=chain(FilterPair(to_client=to_client), pair(self.later)))
        run.client_sends(b"?a", b"?b").expect()
        run.link._pair.lanes[1].feed(b"\0\0\0\3>go")  # type: ignore[attr-defined]
        self.asked[1].callback(SendBack([b"second"]))
        run.outcome().expect(to_client=[b"first", b"second"])
