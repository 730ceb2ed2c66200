"""The bytes of one leg, in the order of time."""

from __future__ import annotations

import random
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Side
from twisted_repeater.recording import Origin, RecordedGap
from twisted_repeater.recording.export import pieces
from twisted_repeater.recording.export.pieces import Kind, Piece, Splitter, in_order
from twisted_repeater.recording.export.timeline import Event, LinkEnded, LinkMade, MessagePassed

from .made import SECOND, START, made_link, made_message


def split(leg: Side, *messages: object) -> list[tuple[float, bool, bytes, str]]:
    """Return what messages are on a leg: seconds after the start, whether towards the server, bytes, and comment."""
    events = [MessagePassed(made_link(1), message) for message in messages]  # type: ignore[arg-type]
    return [
        ((piece.time - START) / SECOND, piece.by_client, piece.data, piece.comment)
        for piece in Splitter(leg, 0).split(events)
    ]


class SplitterTests(SynchronousTestCase):
    """The pieces of messages."""

    def test_passed_on(self) -> None:
        """A message that just passed is received on one leg, and sent on the other after its verdict."""
        up, down = made_message(1, b"GET", took=SECOND), made_message(2, b"OK", after=2, to_client=True, took=SECOND)
        self.assertEqual(split(Side.CLIENT, up, down), [(0, True, b"GET", ""), (3, False, b"OK", "")])
        self.assertEqual(split(Side.SERVER, up, down), [(1, True, b"GET", ""), (2, False, b"OK", "")])

    def test_changed(self) -> None:
        """A message that was replaced has its own bytes on one leg, the others on the other."""
        up = made_message(1, b"GET", passed=False, forward=b"PUT", verdict="Send", by_filter=True)
        self.assertEqual(split(Side.CLIENT, up), [(0, True, b"GET", "message 1: replaced; verdict Send of a filter")])
        self.assertEqual(split(Side.SERVER, up), [(0, True, b"PUT", "message 1: verdict Send of a filter")])

    def test_dropped(self) -> None:
        """A message that was not passed on is on one leg only, and says so."""
        down = made_message(1, b"OK", to_client=True, passed=False, verdict="DO_NOTHING")
        comment = "message 1: not passed on; verdict DO_NOTHING"
        self.assertEqual(split(Side.SERVER, down), [(0, False, b"OK", comment)])
        self.assertEqual(split(Side.CLIENT, down), [])
        late = made_message(1, b"OK", to_client=True, passed=False, verdict=None)
        comment = "message 1: not passed on, the link ended first"
        self.assertEqual(split(Side.SERVER, late), [(0, False, b"OK", comment)])

    def test_answered(self) -> None:
        """What the repeater sent back is on the leg of the sender, after the message."""
        up = made_message(1, b"GET", passed=False, back=b"NO", verdict="SendBack", took=SECOND)
        self.assertEqual(
            split(Side.CLIENT, up),
            [
                (0, True, b"GET", "message 1: not passed on, answered by the repeater; verdict SendBack"),
                (1, False, b"NO", "message 1: verdict SendBack"),
            ],
        )
        self.assertEqual(split(Side.SERVER, up), [])
        both = made_message(1, b"GET", back=b"YES", verdict="PassOnAndSendBack")
        self.assertEqual(
            split(Side.CLIENT, both)[0][3], "message 1: passed on, answered by the repeater; verdict PassOnAndSendBack"
        )
        self.assertEqual(split(Side.SERVER, both), [(0, True, b"GET", "message 1: verdict PassOnAndSendBack")])

    def test_openings(self) -> None:
        """What an opening read and sent is there."""
        read = made_message(1, b"hello", origin=Origin.OPENING, passed=False, verdict=None)
        sent = made_message(2, origin=Origin.OPENING, passed=False, forward=b"HELLO", verdict=None)
        self.assertEqual(split(Side.CLIENT, read, sent), [(0, True, b"hello", "message 1: read by the opening")])
        self.assertEqual(split(Side.SERVER, read, sent), [(0, True, b"HELLO", "message 2: sent by the opening")])

    def test_own_messages(self) -> None:
        """What the application sent by itself is there."""
        own = made_message(1, origin=Origin.OWN, passed=False, forward=b"bye", to_client=True, verdict=None)
        comment = "message 1: sent by the repeater or the application"
        self.assertEqual(split(Side.CLIENT, own), [(0, False, b"bye", comment)])
        self.assertEqual(split(Side.SERVER, own), [])

    def test_order_of_a_direction(self) -> None:
        """A piece is never before the one that was sent before it in the same direction."""
        slow, fast = (
            made_message(1, b"a", to_client=True, took=3 * SECOND),
            made_message(2, b"b", to_client=True, after=1),
        )
        self.assertEqual([piece[:3] for piece in split(Side.CLIENT, slow, fast)], [(3, False, b"a"), (3, False, b"b")])

    def test_gaps(self) -> None:
        """The piece after a gap says that messages are missing."""
        gap = RecordedGap(after=0, began=START, ended=START, left_out=3, reason="the disk is full")
        note = "3 messages were not recorded before this one: the disk is full"
        own = made_message(2, origin=Origin.OWN, forward=b"x", passed=False)
        events: list[Event] = [gap, MessagePassed(made_link(), made_message(1, b"a")), MessagePassed(made_link(), own)]
        comments = [piece.comment for piece in Splitter(Side.SERVER, 0).split(events)]
        self.assertEqual(comments, [note, "message 2: sent by the repeater or the application"])
        events[1:2] = []
        comments = [piece.comment for piece in Splitter(Side.SERVER, 0).split(events)]
        self.assertEqual(comments, [f"{note}\nmessage 2: sent by the repeater or the application"])

    def test_links(self) -> None:
        """A link begins and ends, the end after its last bytes; it is whole if it was made after the beginning."""
        link = made_link(1, ended=START + SECOND)
        events: list[Event] = [
            LinkMade(link),
            MessagePassed(link, made_message(1, b"a", took=5 * SECOND)),
            LinkEnded(link),
        ]
        found = list(Splitter(Side.SERVER, START).split(events))
        self.assertEqual([piece.kind for piece in found], [Kind.MADE, Kind.SENT, Kind.ENDED])
        self.assertEqual([piece.time - START for piece in found], [0, 5 * SECOND, 5 * SECOND])
        self.assertTrue(all(piece.track is found[0].track and piece.track.is_whole for piece in found))
        [made, *_] = Splitter(Side.SERVER, START + 1).split(events)
        self.assertFalse(made.track.is_whole)

    def test_links_without_a_beginning(self) -> None:
        """A link that is older than the recording, and a client that was refused, begin with their first bytes."""
        older = made_link(1, made=None, ended=START)
        refused = made_link(2, made=None, ended=START, refused="no")
        found = list(
            Splitter(Side.CLIENT, START).split(
                [LinkMade(older), LinkMade(refused), LinkEnded(older), LinkEnded(refused)]
            )
        )
        self.assertEqual(
            [(piece.kind, piece.track.is_whole) for piece in found], [(Kind.ENDED, False), (Kind.ENDED, True)]
        )

    def test_unknown_link(self) -> None:
        """The end of a link that was never seen is nothing."""
        self.assertEqual(list(Splitter(Side.CLIENT, 0).split([LinkEnded(made_link())])), [])


class OrderTests(SynchronousTestCase):
    """Pieces of several links."""

    def times(self, times: Iterable[int], size: int = 0) -> list[int]:
        """Return the times of pieces after they were sorted."""
        track = next(Splitter(Side.CLIENT, 0).split([LinkMade(made_link())])).track
        return [piece.time for piece in in_order(Piece(time, Kind.SENT, track, data=bytes(size)) for time in times)]

    def test_sorted(self) -> None:
        """Pieces that are out of their place by less than a window are sorted."""
        times = list(range(3000))
        chosen = random.Random(1)
        mixed = sorted(times, key=lambda time: time + chosen.randrange(1000))
        self.assertNotEqual(mixed, times)
        self.assertEqual(self.times(mixed), times)

    def test_bounded(self) -> None:
        """No more than a window of pieces, or of bytes, is kept."""
        self.patch(pieces, "WINDOW", 10)
        read: list[int] = []

        def source() -> Iterable[int]:
            for time in range(100):
                read.append(time)
                yield time

        track = next(Splitter(Side.CLIENT, 0).split([LinkMade(made_link())])).track
        ordered = in_order(Piece(time, Kind.SENT, track, data=bytes(100)) for time in source())
        next(ordered)
        self.assertEqual(len(read), 11)
        self.patch(pieces, "WINDOW_BYTES", 500)
        next(ordered)
        self.assertEqual(self.times([9, 8, 7, 6, 5, 4], 100), [4, 5, 6, 7, 8, 9])
        self.assertEqual(self.times([9, 8, 7, 6, 5, 4], 250), [7, 6, 5, 4, 8, 9])

    def test_order_of_equals(self) -> None:
        """Pieces of the same time stay in their order."""
        track = next(Splitter(Side.CLIENT, 0).split([LinkMade(made_link())])).track
        found = list(in_order(Piece(5, Kind.SENT, track, data=bytes([number])) for number in range(20)))
        self.assertEqual(b"".join(piece.data for piece in found), bytes(range(20)))
