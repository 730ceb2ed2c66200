"""The comparison of what became of messages."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Close, Send
from twisted_repeater.dialects import int32, redis
from twisted_repeater.dialects.redis import Command, Reply
from twisted_repeater.model import Direction
from twisted_repeater.recording.records import Origin, RecordedLink, RecordedMessage
from twisted_repeater.replay.decoding import Decoder
from twisted_repeater.replay.differences import Difference, Kind
from twisted_repeater.replay.filter_links import Discarding, PlayedLink
from twisted_repeater.replay.learning import SharedTokens
from twisted_repeater.replay.masks import Masks, masks_of
from twisted_repeater.replay.outcomes import MOST_SHOWN, Outcomes
from twisted_repeater.verdicts import Mixed
from twisted_repeater.watching import Origin as WatchedOrigin
from twisted_repeater.watching import WatchedMessage

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT
LINK: Any = None


def frame(payload: bytes) -> bytes:
    """Return a frame of int32."""
    return len(payload).to_bytes(4, "big") + payload


def recorded(direction: Direction = TO_SERVER, **values: Any) -> RecordedMessage:
    """Return a recorded message, which passed on."""
    usual: dict[str, Any] = {"frame": frame(b"x"), "passed": True, "verdict": "PASS_ON", "number": 1}
    return RecordedMessage(id=1, link=1, time=1000, direction=direction, **usual | values)


def watched(direction: Direction = TO_SERVER, **values: Any) -> WatchedMessage:
    """Return a message of the replay, which passes on."""
    usual: dict[str, Any] = {"frame": frame(b"x"), "passed": True, "verdict": PASS_ON, "number": 1}
    return WatchedMessage(LINK, direction, 0.0, **usual | values)


class OutcomesTests(SynchronousTestCase):
    """Promises about `Outcomes`."""

    def begin(self, masks: Masks | None = None, max_differences: int = 100, dialect: Any = None) -> None:
        """Begin a comparison."""
        dialect = dialect or int32()
        self.outcomes = Outcomes(dialect, masks or Masks(), max_differences)
        link = RecordedLink(id=7, link=7, client_name="ann")
        self.played = PlayedLink(link, Discarding(), Decoder(dialect), SharedTokens())

    def compared(self, one: RecordedMessage, other: WatchedMessage) -> list[Difference]:
        """Compare two messages, and return the differences."""
        self.outcomes.compare(self.played, one, other)
        return self.outcomes.findings.differences

    def test_equal_outcomes_are_equal_whatever_their_verdicts_are_called(self) -> None:
        """A message that is sent as it came has passed on."""
        self.begin()
        self.assertEqual([], self.compared(recorded(), watched()))
        replaced = watched(passed=False, forward=frame(b"x"), verdict=Send(b"x"))
        self.assertEqual([], self.compared(recorded(), replaced))
        self.assertEqual([], self.compared(recorded(TO_CLIENT), watched(TO_CLIENT)))
        self.assertEqual(
            (3, 3, 3), (self.outcomes.findings.equal, self.outcomes.findings.recorded, self.outcomes.findings.replayed)
        )

    def test_each_effect_that_differs_is_a_part(self) -> None:
        """What passes on, what is sent back, and whether the link is closed are compared."""
        self.begin()
        closed = watched(passed=False, back=frame(b"no") * 2, verdict=Close(back=[b"no", b"no"]))
        (difference,) = self.compared(recorded(), closed)
        self.assertEqual(
            (Kind.DIFFERENT, "to_server", 1, 7),
            (difference.kind, difference.direction, difference.number, difference.link),
        )
        self.assertEqual("the verdict was PASS_ON, and is Close", difference.text)
        shown = [
            (part.what, part.expected and part.expected.text, part.came and part.came.text) for part in difference.parts
        ]
        self.assertEqual(
            [("passed on", "b'x'", None), ("sent back", None, "b'no', b'no'"), ("link", "stays open", "is closed")],
            shown,
        )

    def test_a_link_that_was_closed_and_is_not_is_a_difference(self) -> None:
        """The same the other way round; a recorded mixture may have closed the link or not."""
        self.begin()
        (difference,) = self.compared(recorded(passed=False, verdict="Close"), watched(passed=False, verdict=DROP))
        self.assertEqual("the verdict was Close, and is DO_NOTHING", difference.text)
        self.begin()
        mixed = watched(passed=False, verdict=Mixed(closes=True))
        self.assertEqual([], self.compared(recorded(passed=False, verdict="Mixed"), mixed))

    def test_the_same_verdict_with_other_messages_is_a_difference(self) -> None:
        """What is sent counts, not the kind of the verdict."""
        self.begin()
        was = recorded(passed=False, verdict="Send", forward=frame(b"x"))
        (difference,) = self.compared(was, watched(passed=False, forward=frame(b"y"), verdict=Send(b"y")))
        self.assertEqual("the verdict was Send, and is the same", difference.text)

    def test_masks_are_for_what_is_sent(self) -> None:
        """Bytes that differ in what is masked are equal."""
        self.begin(masks_of(patterns=[r"\d+"]))
        self.assertEqual([], self.compared(recorded(back=frame(b"at 1")), watched(back=frame(b"at 2"))))
        self.assertEqual(1, self.outcomes.findings.masked)

    def test_what_comes_back_to_the_repeater_is_learnt(self) -> None:
        """A mark of the repeater is another one in the replay, and so it is in the answers of the server."""
        self.begin(dialect=redis())
        old, new = (bytes(Command(f"TWISTED-REPEATER:{mark * 8}:1")) for mark in ("AB", "CD"))
        self.assertEqual(
            [],
            self.compared(
                recorded(passed=False, forward=old, verdict="Send"),
                watched(passed=False, forward=new, verdict=Send(b"")),
            ),
        )
        answer = bytes(Reply.failure("ERR unknown command 'TWISTED-REPEATER:" + "AB" * 8 + ":1'"))
        self.assertIn(b":" + b"CD" * 8 + b":1", self.played.tokens.replaced(answer, TO_CLIENT))
        with_other = masks_of(patterns=["a(?P<one>1)", "b(?P<two>2)"])
        self.begin(with_other)
        self.assertEqual(1, len(self.compared(recorded(back=b"a1"), watched(back=b"b2"))))

    def test_a_verdict_that_did_not_come_is_missing(self) -> None:
        """Without a verdict in the replay, the message is missing; without one in the recording, it is not compared."""
        self.begin()
        (difference,) = self.compared(recorded(), watched(passed=False, verdict=None))
        self.assertEqual((Kind.MISSING, "the verdict was PASS_ON, and is none"), (difference.kind, difference.text))
        self.compared(recorded(verdict=None), watched())
        self.assertEqual(1, self.outcomes.findings.ignored)

    def test_what_waits_when_a_link_is_over_is_missing(self) -> None:
        """Messages without a verdict are missing, and those that could not be played are a trouble."""
        self.begin()
        self.played.waiting[TO_SERVER] += [recorded(), recorded(verdict=None)]
        self.played.not_played = 3
        self.outcomes.over(self.played)
        self.outcomes.over(self.played)
        missing, trouble = self.outcomes.findings.differences
        self.assertEqual((Kind.MISSING, None), (missing.kind, missing.replayed_number))
        self.assertEqual("not sent: 3 messages, because the link was over", trouble.text)
        self.assertEqual((2, 1), (self.outcomes.findings.recorded, self.outcomes.findings.ignored))

    def test_only_the_first_differences_are_kept(self) -> None:
        """The others are counted."""
        self.begin(max_differences=1)
        for _ in range(3):
            self.compared(recorded(), watched(passed=False, verdict=DROP))
        self.assertEqual(
            (1, 3), (len(self.outcomes.findings.differences), self.outcomes.findings.counts[Kind.DIFFERENT])
        )

    def test_many_messages_at_once_are_shown_in_part(self) -> None:
        """Only some of the messages of one verdict are shown; none of their bytes if one has a secret."""
        self.begin(dialect=redis())
        auth = bytes(Command("AUTH", "secret"))
        (difference,) = self.compared(
            recorded(passed=False, verdict="DO_NOTHING"), watched(passed=False, forward=auth * 50, verdict=Send(b""))
        )
        came = difference.parts[0].came
        assert came is not None
        self.assertEqual((MOST_SHOWN, None), (came.text.count("AUTH"), came.data))

    # -- messages that nobody has sent to the repeater --------------------------------------------------------------

    def own(self, recorded_ones: list[bytes], sent: list[bytes], time: int = 0) -> list[Difference]:
        """Compare messages of the repeater's own."""
        for data in recorded_ones:
            message = RecordedMessage(id=1, link=1, time=time, direction=TO_CLIENT, origin=Origin.OWN, forward=data)
            self.outcomes.own_recorded(self.played, message)
        for data in sent:
            self.outcomes.own_sent(
                self.played, WatchedMessage(LINK, TO_CLIENT, 0.0, origin=WatchedOrigin.OWN, forward=data)
            )
        self.outcomes.over(self.played)
        return self.outcomes.findings.differences

    def test_own_messages_are_compared_in_order(self) -> None:
        """What filters send by themselves is equal, masked, missing, extra or different."""
        self.begin(masks_of(patterns=[r"\d"]))
        self.assertEqual([], self.own([frame(b"a"), frame(b"b1")], [frame(b"a"), frame(b"b2")]))
        self.assertEqual((1, 1), (self.outcomes.findings.equal, self.outcomes.findings.masked))
        for before, now, kind in (
            ([frame(b"a")], [], Kind.MISSING),
            ([], [frame(b"a")], Kind.EXTRA),
            ([frame(b"a")], [frame(b"b")], Kind.DIFFERENT),
        ):
            self.begin()
            (difference,) = self.own(before, now)
            self.assertEqual((kind, "sent to the client"), (difference.kind, difference.parts[0].what))

    def test_own_messages_to_the_server_are_named_so(self) -> None:
        """The part says which side the message went to."""
        self.begin()
        self.outcomes.own_sent(self.played, WatchedMessage(LINK, TO_SERVER, 0.0, forward=frame(b"a")))
        self.outcomes.over(self.played)
        self.assertEqual("sent to the server", self.outcomes.findings.differences[0].parts[0].what)

    def test_what_the_application_had_sent_by_itself_is_no_difference(self) -> None:
        """A message that was recorded long after the last verdict, such as a farewell, is no filter's."""
        self.begin()
        self.compared(recorded(), watched())
        self.assertEqual([], self.own([frame(b"bye")], [], time=1_000_000))
        self.assertEqual(1, self.outcomes.findings.ignored)
