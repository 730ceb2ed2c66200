"""Tests of what the judge of a watched lane tells about each message."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.codecs import LEFT_OUT
from twisted_repeater.model import Direction
from twisted_repeater.verdicts import DROP, PASS_ON, Close, Mixed, Send, Verdict

from .lanes import LARGE, FirstByte, frames
from .watched import WatchedLaneCase


class WatchedTests(WatchedLaneCase):
    """A lane that is watched."""

    def test_each_verdict(self) -> None:
        """Each message is told of with its frame, its verdict and the frames that were made, in order."""
        verdicts: dict[bytes, Verdict] = {
            b"drop": DROP,
            b"send": Send(b"x", b"y"),
            b"mixed": Mixed(passes=True, forward=[b"more"], back=[b"answer"]),
        }
        self.answers.update(verdicts)
        self.feed(frames(b"pass", *verdicts, b"last"))
        self.assertEqual([each.payload for each in self.seen], [b"pass", *verdicts, b"last"])
        self.assertEqual([each.frame for each in self.seen], [frames(each.payload) for each in self.seen])
        self.assertEqual([each.verdict for each in self.seen], [PASS_ON, *verdicts.values(), PASS_ON])
        self.assertEqual([each.number for each in self.seen], [1, 2, 3, 4, 5])
        self.assertEqual([each.passed for each in self.seen], [True, False, False, True, True])
        self.assertEqual(b"".join(each.to_server for each in self.seen), self.forward.stream)
        self.assertEqual(b"".join(each.to_client for each in self.seen), self.back.stream)
        self.assertEqual({each.took for each in self.seen}, {1.0})
        self.assertEqual([each.time for each in self.seen], [1.0, 3.0, 5.0, 7.0, 9.0])
        self.assertIs(self.seen[0].link, self.host)
        self.assertIs(self.seen[0].direction, Direction.TO_SERVER)

    def test_close(self) -> None:
        """The message on which a filter closes the link is told of before the link hears of that."""
        self.answers[b"end"] = Close(forward=[b"bye"])
        self.feed(frames(b"end", b"never"))
        self.assert_journal("saw end", "forward: bye", "closes", "flowing")
        self.assertEqual(self.seen[0].to_server, frames(b"bye"))

    def test_late(self) -> None:
        """A verdict that comes later is told of when it is carried out; the messages behind it come then."""
        late: Deferred[Verdict] = Deferred()
        self.answers[b"late"] = lambda: late
        self.feed(frames(b"late", b"next"))
        self.assertEqual(self.seen, [])
        late.callback(Send(b"x"))
        self.assertEqual([each.payload for each in self.seen], [b"late", b"next"])
        self.assertEqual((self.seen[0].frame, self.seen[0].to_server), (frames(b"late"), frames(b"x")))

    def test_never(self) -> None:
        """If the lane ends while a verdict is awaited, the message is told of without a verdict."""
        self.answers[b"late"] = Deferred
        self.feed(frames(b"late"))
        self.lane.discard()
        self.assertEqual(
            [(each.verdict, each.passed, each.frame) for each in self.seen], [(None, False, frames(b"late"))]
        )

    def test_in_pieces(self) -> None:
        """A frame that came in pieces is told of whole, also if nobody wants to filter it."""
        self.watched()
        large = bytes(LARGE)
        self.feed(frames(large, b"x"), 60_000)
        self.assertEqual([each.frame for each in self.seen], [frames(large), frames(b"x")])
        self.assertEqual(self.forward.stream, frames(large, b"x"))
        self.assertEqual([each.by_filter for each in self.seen], [False, False])

    def test_by_filter(self) -> None:
        """It says whether the filter has decided: not if it does not want the message, and not if it fails."""
        self.answers[b"a-bad"] = ZeroDivisionError()
        self.watched(filter=self.answer, selector=FirstByte(b"a"))
        self.feed(frames(b"a", b"b"))
        self.assertEqual([each.by_filter for each in self.seen], [True, False])
        self.host.policy = type(self.host.policy).PASS_ON
        self.feed(frames(b"a-bad"))
        self.assertEqual((self.seen[-1].by_filter, self.seen[-1].passed), (False, True))

    def test_decoded(self) -> None:
        """The message is the one that the filter got; one that no filter wanted is decoded when somebody looks."""
        decoded: list[bytes] = []

        def decode(payload: bytes) -> object:
            decoded.append(payload)
            return payload.upper()

        self.watched(filter=self.answer, selector=FirstByte(b"a"), decode=decode)
        self.feed(frames(b"a", b"b"))
        self.assertEqual(decoded, [b"a"])
        self.assertEqual([each.message for each in self.seen], [b"A", b"B"])
        self.assertEqual(decoded, [b"a", b"b"])

    def test_translated(self) -> None:
        """A message that is sent on in another version does not pass as it came; its new frame is told."""
        self.watched(versions=(1, 2), decode=lambda payload: LEFT_OUT if payload == b"none" else payload.upper())
        self.feed(frames(b"a", b"none"))
        self.assertEqual([(each.passed, each.to_server) for each in self.seen], [(False, frames(b"A")), (False, b"")])
        self.assertEqual([each.message for each in self.seen], [b"A", None])

    def test_watched_no_more(self) -> None:
        """After the watch has ended, nothing is told, and nothing is kept."""
        self.feed(frames(b"a"))
        self.lane.equip(LaneSetup(filter=self.answer))
        self.answers[b"b"] = Send(b"x")
        self.feed(frames(b"b"))
        self.assertEqual([each.payload for each in self.seen], [b"a"])
