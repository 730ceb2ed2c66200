"""The order of answers on one link. How the filters use it is tested with `in_turn`."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Direction
from twisted_repeater.dialects.hl7 import Batch, Filler, Message, Raw
from twisted_repeater.dialects.hl7.turns import MOST_BYTES, MOST_UNANSWERED, Turns, answered_ids, ids_of

from .texts import PATIENT, ack, admission


class Pair:
    """What `Turns` needs of a link."""

    def __init__(self) -> None:
        self.later: dict[Any, float] = {}
        self.sent: list[object] = []
        self.reason: object = None
        self._pair = self

    def is_at_work(self, direction: Direction) -> bool:
        """Return whether a lane is at work."""
        return False

    def call_soon(self, call: Any) -> None:
        """Call at once."""
        call()

    def call_later(self, delay: float, call: Any) -> None:
        """Remember the call."""
        self.later[call] = delay

    def send_to_client(self, message: object) -> None:
        """Remember the message."""
        self.sent.append(message)

    def close(self, reason: object) -> None:
        """Remember the reason."""
        self.reason = reason


class TurnsTests(SynchronousTestCase):
    """`Turns`."""

    def setUp(self) -> None:
        """Make the turns of a link."""
        self.pair = Pair()
        self.turns = Turns(cast("Any", self.pair), 30)

    def test_nothing_before(self) -> None:
        """If nothing has to be answered, it is everybody's turn."""
        self.assertTrue(self.turns.is_next())
        self.turns.expect(admission("1", "ACK"))
        self.assertTrue(self.turns.is_next())
        self.assertEqual(self.turns.with_due(PASS_ON), PASS_ON)

    def test_waits(self) -> None:
        """An answer goes out with the answer to the message before it."""
        self.turns.expect(admission("1"))
        self.assertFalse(self.turns.is_next())
        self.turns.wait((ack("2", "AR"),))
        self.assertEqual(self.turns.with_due(PASS_ON), PASS_ON)
        self.assertTrue(self.turns.answered(ack("1")))
        verdict = self.turns.with_due(DROP)
        self.assertFalse(verdict.passes)
        self.assertEqual(len(verdict.forward), 1)

    def test_released(self) -> None:
        """An answer that waits for nothing goes out by itself."""
        self.turns.wait((ack("2", "AR"),))
        self.assertEqual(len(self.pair.sent), 1)

    def test_any_order(self) -> None:
        """The server may answer in another order; an answer that nobody has asked for counts for the oldest."""
        for number in "123":
            self.turns.expect(admission(number))
        for answer in (ack("2"), ack("9"), ack("2")):
            self.assertFalse(self.turns.is_next())
            self.turns.answered(answer)
        self.assertFalse(self.turns.is_next())
        self.turns.answered(Message(b"MSH|^~\\&|||||||ACK|1\rMSA|AA\r"))
        self.assertTrue(self.turns.is_next())
        self.assertTrue(self.turns.answered(ack("9")))

    def test_no_answers(self) -> None:
        """What the server sends by itself answers nothing."""
        self.turns.expect(admission("1"))
        for message in (admission("1"), Raw(b"x"), Filler(b"\n")):
            self.assertTrue(self.turns.answered(message))
        self.assertFalse(self.turns.is_next())

    def test_ours(self) -> None:
        """No answer to a message of the filter is for the client, with a name or not, and no second one."""
        self.turns.expect(admission("1", more="|||AL|AL"), ours=True)
        for code in ("CA", "AA"):
            self.assertFalse(self.turns.answered(ack("1", code)))
        self.turns.expect(admission("2", more="|||NE|NE"), ours=True)
        self.assertTrue(self.turns.is_next())
        self.assertFalse(self.turns.answered(ack("2", "AE")))
        self.turns.expect(admission("3"), ours=True)
        self.assertFalse(self.turns.answered(ack("")))

    def test_perhaps(self) -> None:
        """The answer to a message that may have none counts for no other one."""
        self.turns.expect(admission("1", more="|||ER|NE"))
        self.turns.expect(Raw(b"what"))
        self.turns.expect(Filler(b"\n"))
        self.turns.expect(admission("2"))
        for answer in (ack("1", "CE"), ack("", "AE")):
            self.assertTrue(self.turns.answered(answer))
            self.assertFalse(self.turns.is_next())
        self.assertTrue(self.turns.answered(ack("")))
        self.assertTrue(self.turns.is_next())

    def test_no_names(self) -> None:
        """An answer without a name counts for the oldest message, whichever has none, too."""
        self.turns.expect(admission("1"))
        self.turns.expect(admission(""))
        self.turns.wait((ack("3", "AR"),))
        self.turns.answered(ack(""))
        self.assertEqual(self.turns.with_due(PASS_ON), PASS_ON)
        self.turns.answered(ack(""))
        self.assertEqual(len(self.turns.with_due(PASS_ON).forward), 1)
        self.assertTrue(self.turns.answered(ack("")))

    def test_timeout(self) -> None:
        """The link is closed if the server does not answer in time, counted from its last answer."""
        self.turns.expect(admission("1"))
        self.turns.wait((ack("2", "AR"),))
        self.turns.expect(admission("3"))
        self.turns.wait((ack("4", "AR"),))
        ((give_up, delay),) = self.pair.later.items()
        self.assertEqual(delay, 30)
        self.pair.later.clear()
        self.turns.answered(ack("1"))
        self.turns.with_due(PASS_ON)
        self.assertEqual(list(self.pair.later.values()), [30])
        give_up()
        self.assertRegex(str(self.pair.reason), "the server did not answer earlier messages within 30 seconds")

    def test_no_timeout(self) -> None:
        """Where nothing waits any more, nothing is closed."""
        self.turns.expect(admission("1"))
        self.turns.wait((ack("2", "AR"),))
        self.turns.answered(ack("1"))
        self.turns.with_due(PASS_ON)
        (give_up,) = self.pair.later
        give_up()
        self.assertIsNone(self.pair.reason)

    def test_forgotten(self) -> None:
        """Where nothing waits, the oldest messages without an answer are forgotten; theirs counts for no other one."""
        for number in range(MOST_UNANSWERED + 1):
            self.turns.expect(admission(str(number)))
        self.turns.wait((ack("x", "AR"),))
        for number in range(MOST_UNANSWERED):
            self.turns.answered(ack(str(number)))
            self.assertEqual(self.turns.with_due(PASS_ON), PASS_ON)
        self.turns.answered(ack(str(MOST_UNANSWERED)))
        self.assertEqual(len(self.turns.with_due(PASS_ON).forward), 1)

    def test_room(self) -> None:
        """Where something waits, nothing is forgotten: the next message waits until there is room."""
        self.turns.expect(admission("0"))
        self.turns.wait((ack("x", "AR"),))
        for number in range(1, MOST_UNANSWERED - 1):
            self.assertIs(self.turns.in_room(PASS_ON), PASS_ON)
            self.turns.expect(admission(str(number)))
        later = self.turns.in_room(DROP)
        assert isinstance(later, Deferred)
        self.turns.expect(admission("more"))
        self.turns.answered(ack("5"))
        self.assertNoResult(later)
        self.turns.answered(ack("6"))
        self.assertEqual(self.successResultOf(later), DROP)

    def test_size(self) -> None:
        """Answers that wait may have so many bytes, and one more than that."""
        self.turns.expect(admission("1"))
        self.turns.wait_or_close((Raw(b"x" * (MOST_BYTES - 1)),))
        self.assertIs(self.turns.in_room(PASS_ON), PASS_ON)
        self.assertIsNone(self.pair.reason)
        self.turns.wait_or_close((Raw(b"x"),))
        self.assertIsInstance(self.turns.in_room(PASS_ON), Deferred)
        self.assertRegex(str(self.pair.reason), "the client sends messages faster than it gets answers")


class IdsTests(SynchronousTestCase):
    """`ids_of` and `answered_ids`."""

    def test_batches(self) -> None:
        """A batch may be answered by the control id of any of its messages, or by its own."""
        batch = Batch(b"BHS|^~\\&|||||||||7\r" + PATIENT)
        self.assertEqual(ids_of(batch), {b"7", b"ID1"})
        self.assertEqual(ids_of(Batch(PATIENT * 2)), {b"ID1"})
        self.assertEqual(ids_of(Batch(b"BHS|^~\\&\r")), {b""})
        self.assertEqual(answered_ids(Batch(bytes(ack("1")) + bytes(ack("2")))), {b"1", b"2"})

    def test_others(self) -> None:
        """What has no control id is known by an empty one."""
        self.assertEqual(ids_of(Raw(b"x")), {b""})
        self.assertEqual(ids_of(Message(b"MSH|^~\\&\r")), {b""})

    def test_reply(self) -> None:
        """An answer need not be an ACK."""
        self.assertEqual(answered_ids(Message(b"MSH|^~\\&|||||||RSP^K21|1\rMSA|AA|7\r")), {b"7"})
