"""TCP connections that never were."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.recording.export.conversation import ACK, FIN, PSH, RST, SYN, Conversation, Segment
from twisted_repeater.recording.export.endpoints import Endpoint

CLIENT = Endpoint(b"\x0a\0\0\1", 4000)
SERVER = Endpoint(b"\x0a\0\0\2", 6379)


class ConversationTests(SynchronousTestCase):
    """The segments of one connection."""

    def setUp(self) -> None:
        """Make a conversation."""
        self.conversation = Conversation(CLIENT, SERVER, 1)
        first = next(Conversation(CLIENT, SERVER, 1).begin(0)).sequence
        second = next(Conversation(SERVER, CLIENT, 1).begin(0)).sequence
        self.assertEqual(first, second)
        self.starts: dict[Endpoint, int] = {}

    def told(self, segment: Segment) -> tuple[str, int, int, int, int]:
        """Return who sends a segment, its flags, its numbers counted from the first ones, and its size."""
        self.assertEqual({segment.source, segment.target}, {CLIENT, SERVER})
        start = self.starts.setdefault(segment.source, segment.sequence)
        other = self.starts.setdefault(segment.target, segment.acknowledged - 1 if segment.flags & ACK else 0)
        if segment.flags == SYN:
            del self.starts[segment.target]
        acknowledged = (segment.acknowledged - other) % 2**32 if segment.flags & ACK else 0
        who = "client" if segment.source == CLIENT else "server"
        return who, segment.flags, (segment.sequence - start) % 2**32, acknowledged, len(segment.data)

    def test_whole(self) -> None:
        """A handshake, bytes each way that acknowledge the others, and an end by both."""
        conversation = self.conversation
        told = [
            self.told(segment)
            for segments in (
                conversation.begin(1),
                conversation.send(2, True, b"PING\r\n"),
                conversation.send(3, False, b"+PONG\r\n"),
                conversation.end(4, reset=False),
            )
            for segment in segments
        ]
        self.assertEqual(
            told,
            [
                ("client", SYN, 0, 0, 0),
                ("server", SYN | ACK, 0, 1, 0),
                ("client", ACK, 1, 1, 0),
                ("client", PSH | ACK, 1, 1, 6),
                ("server", PSH | ACK, 1, 7, 7),
                ("client", FIN | ACK, 7, 8, 0),
                ("server", FIN | ACK, 8, 8, 0),
                ("client", ACK, 8, 9, 0),
            ],
        )

    def test_times_and_comments(self) -> None:
        """All segments have the time that was given, and the first one the comment."""
        segments = list(self.conversation.send(7, False, bytes(70_000), "large"))
        self.assertEqual({segment.time for segment in segments}, {7})
        self.assertEqual([segment.comment for segment in segments], ["large", "", "", "", ""])
        [reset] = self.conversation.end(8, reset=True, comment="lost")
        self.assertEqual((reset.time, reset.flags, reset.comment), (8, RST | ACK, "lost"))
        self.assertEqual(
            [segment.comment for segment in self.conversation.end(9, reset=False, comment="x")], ["x", "", ""]
        )

    def test_large(self) -> None:
        """Large bytes are several segments, with acknowledgements between, so that less than a window is under way."""
        data = bytes(range(256)) * 800
        conversation = self.conversation
        list(conversation.begin(0))
        sent, acknowledged, joined = 1, 1, b""
        list(conversation.send(0, True, bytes(31_999)))
        for segment in conversation.send(0, False, data):
            if segment.source == SERVER:
                joined += segment.data
                sent += len(segment.data)
            else:
                acknowledged = sent
            self.assertLessEqual(len(segment.data), 65_495)
            self.assertLess(sent - acknowledged, 65_535)
        self.assertEqual(joined, data)
        self.assertLess(sent - acknowledged, 32_000)

    def test_sequence_numbers_begin_again(self) -> None:
        """Sequence numbers go on at 0 after the largest."""
        number = -500 * pow(2_654_435_761, -1, 2**32) % 2**32
        conversation = Conversation(CLIENT, SERVER, number)
        first = next(conversation.begin(0))
        self.assertEqual(first.sequence, 2**32 - 500)
        list(conversation.send(0, True, bytes(1999)))
        [last] = conversation.send(0, False, b"x")
        self.assertEqual(last.acknowledged, 1500)

    def test_nothing(self) -> None:
        """No bytes are no segment."""
        self.assertEqual(list(self.conversation.send(0, True, b"")), [])
