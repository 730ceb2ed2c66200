"""`in_order`: answers of a filter wait for the answers of the requests before them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import (
    PASS_ON,
    CallbackFailed,
    Close,
    IFilterPair,
    Later,
    Link,
    OnFilterError,
    Send,
    SendBack,
    Verdict,
    chain,
)
from twisted_repeater.codecs import text
from twisted_repeater.dialects import int32
from twisted_repeater.filters import Count, FilterPair, in_order, wants
from twisted_repeater.filters._provider import fixed_filters
from twisted_repeater.selectors import first_byte
from twisted_repeater.testing import FilterHarness

from .in_turn import InOrderCase, LaterCase, asks, ends, harness, here, pair

LINK: Any = None


class AnswersTests(SynchronousTestCase):
    """What the server answers."""

    def test_surplus(self) -> None:
        """A server that answers more than it was asked is relayed, and the log says so once."""
        shared = pair()
        run, other = FilterHarness(filters=shared), FilterHarness(filters=shared)
        with capturedLogs() as events:
            run.server_sends(b"1", b"2").expect(to_client=[b"1", b"2"])
            other.server_sends(b"1").expect(to_client=[b"1"])
        self.assertEqual(len(events), 1)
        self.assertIn("client 'client': the server answers more requests", str(formatEvent(events[0])))
        run.client_sends(b"a", b"!b")
        run.server_sends(b"A").expect(to_client=[b"A", b"no b"])

    def test_close(self) -> None:
        """A last message waits for its turn, then the link is closed; later requests are dropped."""
        run = harness()
        run.client_sends(b"a", b"close b", b"c", b"!d").expect(to_server=[b"a", b"bye"])
        outcome = run.server_sends(b"A", b"late")
        outcome.expect(to_client=[b"A", b"closed"], closed=True)
        self.assertEqual(run.link._pair.reason.args, ("close",))  # type: ignore[attr-defined]

    def test_typed(self) -> None:
        """It works with messages of a codec."""

        def typed(message: str, link: Any) -> Verdict:
            return SendBack(["no"]) if message == "stop" else PASS_ON

        run = FilterHarness(
            filters=in_order(typed, ends_answer=lambda message: message != "more", asks=lambda message: 1),
            dialect=int32(to_server=text(), to_client=text()),
        )
        run.client_sends("go", "stop").expect(to_server=["go"])
        run.server_sends("more", "done").expect(to_client=["more", "done", "no"])


class LaterTests(LaterCase):
    """Filters that answer later."""

    def test_to_server(self) -> None:
        """An answer that comes later has the turn of its request; one that is passed on later counts."""
        run = harness(self.later)
        run.client_sends(b"a", b"?b", b"?c", b"!d")
        self.asked[0].callback(SendBack([b"later"]))
        run.outcome().expect()
        self.asked[1].callback(PASS_ON)
        run.outcome().expect(to_server=[b"?c"])
        run.server_sends(b"A").expect(to_client=[b"A", b"later"])
        run.server_sends(b"C").expect(to_client=[b"C", b"no d"])

    def test_coroutine(self) -> None:
        """A filter may be a coroutine."""

        async def refuse(message: bytes, link: Any) -> Verdict:
            return here(message, link)

        run = harness(refuse)
        run.client_sends(b"a", b"!b").expect(to_server=[b"a"])
        run.server_sends(b"A").expect(to_client=[b"A", b"no b"])

    def test_to_client(self) -> None:
        """An answer has ended when the filter of the server's messages has decided about its last message."""
        run = harness(FilterPair(here, self.later))
        run.client_sends(b"a")
        run.server_sends(b"?A").expect()
        run.client_sends(b"!b").expect()
        self.asked[0].callback(PASS_ON)
        run.outcome().expect(to_client=[b"?A", b"no b"])

    def test_wrong_answer(self) -> None:
        """What is no verdict is an error of the filter, which is named."""
        run = harness(lambda message, link: None)
        (error,) = run.client_sends(b"a").errors
        self.assertIsInstance(error, CallbackFailed)
        self.assertIn("must return a verdict", str(error))


class FailureTests(InOrderCase):
    """Filters and functions that fail."""

    def fails(self, message: bytes, link: Any) -> Any:
        """Fail, at once or later."""
        if message.startswith(b"now"):
            raise ValueError
        if message.startswith(b"later"):
            return succeed(None).addCallback(lambda _: 1 / 0)
        return here(message, link)

    def test_passed_on(self) -> None:
        """A request that is passed on although its filter failed counts."""
        for name in (b"now", b"later"):
            run = harness(self.fails, on_filter_error=OnFilterError.PASS_ON)
            run.client_sends(name, b"!b").expect(to_server=[name], errors=[CallbackFailed])
            run.server_sends(b"A").expect(to_client=[b"A", b"no b"])

    def test_dropped(self) -> None:
        """One that is dropped does not."""
        for name in (b"now", b"later"):
            run = harness(self.fails, on_filter_error=OnFilterError.DROP)
            run.client_sends(name, b"!b").expect(to_client=[b"no b"], errors=[CallbackFailed])

    def test_to_client(self) -> None:
        """An answer has ended also if the filter failed on its last message."""
        for name in (b"now", b"later"):
            run = harness(FilterPair(here, self.fails), on_filter_error=OnFilterError.DROP)
            run.client_sends(b"a", b"!b")
            run.server_sends(name).expect(to_client=[b"no b"], errors=[CallbackFailed])

    def test_push(self) -> None:
        """A push on which the filter failed ends no answer."""
        run = harness(FilterPair(here, lambda message, link: 1 / 0), on_filter_error=OnFilterError.DROP)  # type: ignore[arg-type]
        run.client_sends(b"a", b"!b")
        run.server_sends(b">push").expect(errors=[CallbackFailed])

    def test_closing_filter(self) -> None:
        """If the filter of the server's messages closes the link, nothing that waits goes out."""
        run = harness(FilterPair(here, lambda message, link: Close(None)))
        run.client_sends(b"a", b"!b")
        run.server_sends(b"A").expect(closed=True)

    def test_keyboard_interrupt(self) -> None:
        """Ctrl-C goes through."""

        def interrupt(message: bytes, link: Any) -> Verdict:
            raise KeyboardInterrupt

        to_server, _ = pair(interrupt).for_link(LINK)
        self.assertRaises(KeyboardInterrupt, to_server.filter, b"m", LINK)  # type: ignore[union-attr]

    def test_wrong_number(self) -> None:
        """``asks`` must return a number."""
        numbers: list[Any] = []
        for wrong in (None, -1, "one"):
            numbers.append(wrong)
            run = FilterHarness(filters=in_order(here, ends_answer=ends, asks=lambda message: numbers[-1]))
            (error,) = run.client_sends(b"a").errors
            self.assertIn("asks must return True, False or a number of answers", str(error))


class PairTests(SynchronousTestCase):
    """The pair itself."""

    def test_interface(self) -> None:
        """It is a pair, which shows its filter; those inside are checked at the start."""
        made = pair()
        verifyObject(IFilterPair, made)
        self.assertIn("in_order(FilterPair(here, None))", repr(made))
        self.assertIn("in_order", repr(made.for_link(LINK)[0]))
        self.assertEqual([provider for _, provider in fixed_filters(made)], [here])

    def test_wrong(self) -> None:
        """Wrong arguments are errors."""
        calls: list[tuple[type, Callable[[], object]]] = [
            (TypeError, lambda: in_order(here, ends_answer=1, asks=asks)),  # type: ignore[arg-type]
            (TypeError, lambda: in_order(here, ends_answer=ends, asks=None)),  # type: ignore[arg-type]
            (TypeError, lambda: pair(7)),
            (TypeError, lambda: pair(pair())),
            (TypeError, lambda: pair(owed=1.0)),
            (ValueError, lambda: pair(owed=-1)),
            (ValueError, lambda: pair(most_waiting=0)),
        ]
        for kind, call in calls:
            self.assertRaises(kind, call)

    def test_selectors(self) -> None:
        """A filter that wants some messages sees these only; the others count all the same."""
        seen: list[bytes] = []

        @wants(first_byte(b"!"))
        def wanting(message: bytes, link: Any) -> Verdict:
            seen.append(message)
            return here(message, link)

        run = harness(wanting)
        run.client_sends(b"a", b"!b").expect(to_server=[b"a"])
        run.server_sends(b"A").expect(to_client=[b"A", b"no b"])
        self.assertEqual(seen, [b"!b"])

    def test_reload(self) -> None:
        """A pair that replaces it goes on with the answers that wait, and with what the server owes."""
        run = FilterHarness(filters=chain(FilterPair(Count()), pair()))
        run.client_sends(b"a", b"!b")
        for filters in (pair(lambda message, link: SendBack([b"new"])), pair()):
            run.repeater.replace_filters(filters=chain(FilterPair(Count()), filters))
        run.client_sends(b"c", b"!d").expect(to_server=[b"c"])
        run.server_sends(b"A").expect(to_client=[b"A", b"no b"])
        run.repeater.replace_filters(filters=pair(FilterPair()))
        run.server_sends(b"C").expect(to_client=[b"C", b"no d"])

    def test_migrate(self) -> None:
        """The filter inside takes over; so does it from a pair that is not in order."""
        old, new = Count(), Count()
        old.filter(b"m", LINK)
        pair(FilterPair(new)).migrate(pair(FilterPair(old)))
        self.assertEqual(new.total, 1)
        other = Count()
        pair(FilterPair(other)).migrate(FilterPair(old))
        self.assertEqual(other.total, 1)
        pair().for_link(LINK)[0].migrate(here)  # type: ignore[union-attr]

    def test_last_in_a_chain(self) -> None:
        """In a chain it must be the last."""
        last = chain(FilterPair(Count()), pair())
        for members in ((pair(), FilterPair(here)), (last, FilterPair(here))):
            error = self.assertRaises(TypeError, chain, *members)
            self.assertIn("in_order must be the last in a chain", str(error))
        run = FilterHarness(filters=chain(FilterPair(lambda message, link: Send(message[1:])), last))
        run.client_sends(b"-a", b"-!b").expect(to_server=[b"a"])
        run.server_sends(b"A").expect(to_client=[b"A", b"no b"])


chain_of = itertools.chain.from_iterable

KINDS = [b"", b"!", b"drop ", b"three ", b"quiet ", b"both "]


class ModelTests(SynchronousTestCase):
    """Random pipelines, cut and answered at random."""

    @given(st.data())
    def test_one_answer_each(self, data: st.DataObject) -> None:
        """The client gets one answer for each request, in order, none too early and none later than it must."""
        run = FilterHarness(filters=pair(most_waiting=data.draw(st.integers(1, 5))))
        expected: list[bytes] = []
        """All that the client will get, without pushes."""
        parts: dict[bytes, list[bytes]] = {}
        """The messages of the server's answers to each request."""
        sent: list[bytes] = []
        got: list[bytes] = []

        def requests(count: int) -> list[bytes]:
            made = []
            for _ in range(count):
                name = b"%d" % len(parts)
                kind = data.draw(st.sampled_from(KINDS))
                several = b"+" + name
                answers = [[several] * data.draw(st.integers(0, 2)) + [b"=" + name] for _ in range(asks(kind + name))]
                own = {b"!": [b"no " + name], b"both ": [b"also " + name]}.get(kind, [])
                parts[kind + name] = [] if kind in (b"!", b"drop ") else list(chain_of(answers))
                expected.extend(own + parts[kind + name])
                made.append(kind + name)
            return made

        def due() -> list[bytes]:
            unsent = list(sent)
            for index, message in enumerate(expected):
                if message.startswith((b"+", b"=")):
                    if not unsent:
                        return expected[:index]
                    unsent.pop(0)
            return expected

        steps = data.draw(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), max_size=10))
        for count, share in [*steps, *[(0, 1.0)] * 30]:
            got += run.client_sends(*requests(count)).to_client
            self.assertEqual([message for message in got if message != b">push"], due())
            owed = list(chain_of(parts[message] for message in run.server.received))[len(sent) :]
            now = owed[: round(share * len(owed))]
            sent += now
            pushes = [b">push"] * (share > 0.5)
            got += run.server_sends(*pushes, *now, *pushes).to_client
            self.assertEqual([message for message in got if message != b">push"], due())
        self.assertEqual([message for message in got if message != b">push"], expected)


class DelayedVerdictTests(SynchronousTestCase):
    """Verdicts that come later."""

    def test_answers_keep_their_turns(self) -> None:
        """Requests and answers that come later keep the order of answers; an answer that waits has no delay."""

        def to_server(message: bytes, link: Link) -> Verdict:
            return Later(1, SendBack([b"no " + message])) if message.startswith(b"!") else Later(1)

        pair = FilterPair(to_server=to_server, to_client=lambda message, link: Later(1))
        run = FilterHarness(filters=in_order(pair, ends_answer=lambda message: True, asks=lambda message: 1))
        run.client_sends(b"!1").expect()
        run.advance(1.1).expect(to_client=[b"no !1"])
        run.client_sends(b"2", b"!3").expect()
        run.advance(1.1).expect(to_server=[b"2"])
        run.server_sends(b"=2").expect()
        run.client_sends(b"!4").expect()
        run.advance(1.1).expect(to_client=[b"=2", b"no !3", b"no !4"])
