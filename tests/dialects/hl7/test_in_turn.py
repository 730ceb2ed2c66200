"""`in_turn`: refusals in their turn."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Close, PassOnAndSendBack, Send, SendBack, Verdict
from twisted_repeater.dialects.hl7 import Batch, Message, Raw, hl7, in_turn, refuse
from twisted_repeater.filters import FilterPair, chain
from twisted_repeater.filters._migration import hand_over
from twisted_repeater.model import OnFilterError
from twisted_repeater.testing import FilterHarness

from .texts import ack, admission, written


def no_merges(message: object, link: object) -> Verdict:
    """Refuse merges."""
    if isinstance(message, Message) and message.type == "ADT^A40":
        return refuse(message, "no merges")
    return PASS_ON


def ids(messages: list[Any]) -> list[str]:
    """Return the control ids of messages."""
    return [message.control_id for message in messages]


class InTurnCase(SynchronousTestCase):
    """A test case with one link."""

    def start(self, provider: Any = no_merges, **more: Any) -> FilterHarness:
        """Start a link with a filter in `in_turn`."""
        return FilterHarness(filters=in_turn(provider), dialect=hl7(), **more)


class RefusalTests(InTurnCase):
    """Messages that are refused."""

    def test_at_once(self) -> None:
        """If nothing is under way, a refusal goes out at once, and the server sees nothing."""
        done = self.start().client_sends(admission("1", "ADT^A40"))
        self.assertEqual((done.to_server, written(*done.to_client)), ([], ["AR 1"]))

    def test_pipeline(self) -> None:
        """A refusal waits for the answers to the messages before it, and for no others."""
        run = self.start()
        sent = [admission("1"), admission("2", "ADT^A40"), admission("3"), admission("4", "ADT^A40")]
        done = run.client_sends(*sent)
        self.assertEqual((ids(done.to_server), done.to_client), (["1", "3"], []))
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AA 1", "AR 2"])
        self.assertEqual(written(*run.server_sends(ack("3", "AE")).to_client), ["AE 3", "AR 4"])

    def test_one_read(self) -> None:
        """All answers of the server in one read are each in their turn."""
        run = self.start()
        run.client_sends(admission("1"), admission("2"), admission("3", "ADT^A40"), admission("4"))
        done = run.server_sends(ack("1"), ack("2"), ack("4"))
        self.assertEqual(written(*done.to_client), ["AA 1", "AA 2", "AR 3", "AA 4"])

    def test_enhanced_mode(self) -> None:
        """An acknowledgement that something was taken is an answer; a second one answers nothing else."""
        run = self.start()
        run.client_sends(admission("1", more="|||AL|AL"), admission("2", "ADT^A40", more="|||AL|AL"), admission("3"))
        self.assertEqual(written(*run.server_sends(ack("1", "CA")).to_client), ["CA 1", "CR 2"])
        self.assertEqual(written(*run.server_sends(ack("1", "AA")).to_client), ["AA 1"])
        self.assertEqual(run.client_sends(admission("4", "ADT^A40")).to_client, [])
        self.assertEqual(written(*run.server_sends(ack("3")).to_client), ["AA 3", "AR 4"])

    def test_not_sure(self) -> None:
        """A refusal does not wait for an answer that may not come."""
        run = self.start()
        run.client_sends(admission("1", more="|||ER|NE"), admission("2", more="|||NE|NE"))
        self.assertEqual(written(*run.client_sends(admission("3", "ADT^A40")).to_client), ["AR 3"])

    def test_dropped(self) -> None:
        """A message that the filter drops is refused: its sender would wait for ever."""
        done = self.start(lambda message, link: DROP).client_sends(admission("1"))
        self.assertEqual(written(*done.to_client), ["AR 1"])

    def test_batch(self) -> None:
        """A batch has one answer, in its turn."""

        def refuse_all(message: Any, link: object) -> Verdict:
            return refuse(message, "no") if isinstance(message, Batch) else PASS_ON

        run = self.start(refuse_all)
        run.client_sends(admission("1"), Batch(bytes(admission("2")) + bytes(admission("3"))))
        done = run.server_sends(ack("1"))
        self.assertEqual(len(done.to_client), 2)
        self.assertEqual(written(*done.to_client[1].messages), ["AR 2", "AR 3"])

    def test_timeout(self) -> None:
        """If the server does not answer what came before, the link is closed."""
        run = FilterHarness(filters=in_turn(no_merges, answer_timeout=5), dialect=hl7())
        run.client_sends(admission("1"), admission("2", "ADT^A40"))
        self.assertFalse(run.advance(4).closed)
        run.advance(2).expect(closed=True)

    def test_no_timeout_without_a_refusal(self) -> None:
        """The repeater does not mind how long a server takes if it waits for nothing itself."""
        run = self.start()
        run.client_sends(admission("1"))
        self.assertFalse(run.advance(1000).closed)

    def test_too_much(self) -> None:
        """A client's next message waits while a mebibyte of refusals does."""

        def answer(message: Any, link: object) -> Verdict:
            return PASS_ON if message.type == "ADT^A01" else SendBack([Raw(b"x" * 600_000)])

        run = self.start(answer)
        done = run.client_sends(
            *(admission(number, kind) for number, kind in zip("1234", ("ADT^A01", "X", "X", "ADT^A01"), strict=True))
        )
        self.assertEqual((ids(done.to_server), done.closed), (["1"], False))
        done = run.server_sends(ack("1"))
        self.assertEqual((ids(done.to_server), len(done.to_client)), (["4"], 3))

    def test_many(self) -> None:
        """However many messages are under way, each has its answer, in turn."""
        run = self.start()
        kinds = ["ADT^A40" if number % 700 == 5 else "ADT^A01" for number in range(2500)]
        sent = [admission(str(number), kind) for number, kind in enumerate(kinds)]
        to_server = ids(run.client_sends(*sent).to_server)
        self.assertLess(len(to_server), 1100)
        answers = []
        while to_server:
            done = run.server_sends(ack(to_server.pop(0)))
            answers += written(*done.to_client)
            to_server += ids(done.to_server)
        self.assertEqual(
            answers, [f"{'AR' if kind == 'ADT^A40' else 'AA'} {number}" for number, kind in enumerate(kinds)]
        )


class OtherVerdictTests(InTurnCase):
    """Messages that are changed, added, or end the link."""

    def test_changed(self) -> None:
        """A changed message has its answer, under its own control id."""
        run = self.start(lambda message, link: Send(message.replaced("PID-5", "X")))
        self.assertEqual(run.client_sends(admission("1")).to_server, [admission("1").replaced("PID-5", "X")])
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AA 1"])

    def test_too_long(self) -> None:
        """A changed message that cannot be sent is refused in its turn, and not dropped in silence."""

        def grow(message: Any, link: object) -> Verdict:
            return PASS_ON if message.control_id == "1" else Send(message.replaced("PID-5", "X" * 500))

        dialect = hl7(max_frame=300)
        run = FilterHarness(filters=in_turn(grow), dialect=dialect)
        self.assertEqual(ids(run.client_sends(admission("1"), admission("2")).to_server), ["1"])
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AA 1", "AE 2"])

    def test_server_gone(self) -> None:
        """If the server goes, a client reads no answer to what the server may not have."""
        run = self.start()
        run.client_sends(admission("1"), admission("2", "ADT^A40"), admission("3"))
        cast("Any", run.server.transport).loseConnection()
        done = run.outcome()
        self.assertEqual((done.to_client, done.closed), ([], True))

    def test_added(self) -> None:
        """The answer to a message that the filter adds does not reach the client."""
        run = self.start(lambda message, link: Send(admission("X1"), message))
        self.assertEqual(ids(run.client_sends(admission("1")).to_server), ["X1", "1"])
        self.assertEqual(written(*run.server_sends(ack("X1"), ack("1")).to_client), ["AA 1"])

    def test_added_in_enhanced_mode(self) -> None:
        """Nor does the second answer, that the message was processed."""
        run = self.start(lambda message, link: Send(admission("X1", more="|||AL|AL"), message))
        run.client_sends(admission("1"))
        answers = (ack("X1", "CA"), ack("1"), ack("X1"))
        self.assertEqual(written(*run.server_sends(*answers).to_client), ["AA 1"])

    def test_another_id(self) -> None:
        """If no message has the control id of the client's, the first one stands for it."""
        run = self.start(lambda message, link: Send(admission("X1"), admission("X2")))
        run.client_sends(admission("1"))
        self.assertEqual(written(*run.server_sends(ack("X1"), ack("X2")).to_client), ["AA X1"])

    def test_answered_here(self) -> None:
        """If the filter passes a message and answers it, the server's answer does not reach the client."""
        run = self.start(lambda message, link: PassOnAndSendBack([ack(message.control_id)]))
        run.client_sends(admission("1"))
        self.assertEqual(written(*run.server_sends(ack("1", "AE")).to_client), ["AA 1"])

    def test_close(self) -> None:
        """Close acts at once."""
        run = self.start(lambda message, link: PASS_ON if message.control_id == "1" else Close(back=[ack("2", "AR")]))
        run.client_sends(admission("1"))
        done = run.client_sends(admission("2"))
        self.assertEqual((written(*done.to_client), done.closed), (["AR 2"], True))

    def test_both_directions(self) -> None:
        """A filter of answers decides as ever."""
        run = self.start(FilterPair(no_merges, lambda message, link: DROP))
        run.client_sends(admission("1"), admission("2", "ADT^A40"))
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AR 2"])


class LaterTests(InTurnCase):
    """Verdicts that come later, and filters that fail."""

    def test_later(self) -> None:
        """A refusal that comes later is in its turn, too."""
        verdicts: list[Deferred[Verdict]] = [Deferred(), Deferred()]
        run = self.start(lambda message, link: verdicts[int(message.control_id)])
        run.client_sends(admission("0"), admission("1"))
        verdicts[0].callback(PASS_ON)
        verdicts[1].callback(refuse(admission("1"), "no"))
        self.assertEqual(run.outcome().to_client, [])
        self.assertEqual(written(*run.server_sends(ack("0")).to_client), ["AA 0", "AR 1"])

    def check_failing(self, failing: Any) -> None:
        """A message whose filter fails, and which passes on, has its answer; so has one in the other direction."""
        pair = FilterPair(no_merges, None)
        run = self.start(chain(FilterPair(failing), pair), on_filter_error=OnFilterError.PASS_ON)
        run.client_sends(admission("1"), admission("2", "ADT^A40"))
        run.client_sends(admission("3", "ADT^A40", more="|||NE|NE"))
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AA 1", "AR 2"])

    def test_failing(self) -> None:
        """A filter that fails changes no order."""

        def failing(message: Any, link: object) -> Verdict:
            if message.control_id == "1":
                raise KeyError("failed")
            return PASS_ON

        self.check_failing(failing)
        self.flushLoggedErrors(KeyError)

    def test_dropped_by_failing(self) -> None:
        """A message that does not pass on because its filter fails is refused: it was not taken, and has its turn."""

        def failing(message: Any, link: object) -> Verdict:
            if message.control_id == "1":
                raise KeyError("failed")
            return no_merges(message, link)

        run = self.start(failing, on_filter_error=OnFilterError.DROP)
        done = run.client_sends(admission("1"), admission("2", "ADT^A40"))
        self.assertEqual(written(*done.to_client), ["AE 1", "AR 2"])
        run.client_sends(admission("3"))
        self.assertEqual(run.client_sends(admission("1")).to_client, [])
        self.assertEqual(written(*run.server_sends(ack("3")).to_client), ["AA 3", "AE 1"])
        self.assertEqual(run.client_sends(admission("1", more="|||NE|NE")).to_client, [])
        self.flushLoggedErrors(KeyError)

    def test_failing_later(self) -> None:
        """A filter that fails later changes no order."""

        async def failing(message: Any, link: object) -> Verdict:
            if message.control_id == "1":
                raise KeyError("failed")
            return PASS_ON

        self.check_failing(failing)
        self.flushLoggedErrors(KeyError)

    def test_failing_for_an_answer(self) -> None:
        """An answer whose filter fails is an answer all the same."""

        def failing(message: Any, link: object) -> Verdict:
            raise KeyError("failed")

        run = self.start(FilterPair(no_merges, failing), on_filter_error=OnFilterError.DROP)
        run.client_sends(admission("1"), admission("2", "ADT^A40"))
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AR 2"])
        self.flushLoggedErrors(KeyError)

    def test_interrupted(self) -> None:
        """Nobody stops a user who interrupts the program."""

        def interrupted(message: Any, link: Any) -> Verdict:
            raise KeyboardInterrupt

        run = self.start()
        to_server, _ = in_turn(interrupted).for_link(run.link)
        filter_: Any = to_server
        self.assertRaises(KeyboardInterrupt, filter_.filter, admission("1"), run.link)


class MadeTests(InTurnCase):
    """How it is made and replaced."""

    def test_wrong(self) -> None:
        """A filter is in it once, and a time is above 0."""
        with self.assertRaisesRegex(TypeError, "in_turn cannot be used twice for the same filter"):
            in_turn(in_turn(no_merges))
        with self.assertRaisesRegex(ValueError, "answer_timeout must be above 0, not 0"):
            in_turn(no_merges, answer_timeout=0)
        filter_: Any = in_turn(no_merges).for_link(self.start().link)[0]
        with self.assertRaisesRegex(TypeError, "in_turn is for the dialect hl7"):
            filter_.selector_for(None)

    def test_repr(self) -> None:
        """It shows the filter that it has."""
        self.assertIn("no_merges", repr(in_turn(no_merges)))
        run = self.start()
        self.assertIn("no_merges", repr(in_turn(no_merges).for_link(run.link)[0]))

    def test_replaced(self) -> None:
        """New filters know what has to be answered, and take over from those inside."""
        run = self.start()
        run.client_sends(admission("1"))
        run.repeater.replace_filters(filters=in_turn(lambda message, link: refuse(message, "no")))
        run.client_sends(admission("2"))
        self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AA 1", "AR 2"])
        hand_over(in_turn(no_merges), FilterPair(no_merges))
        hand_over(in_turn(no_merges).for_link(run.link)[0], no_merges)
