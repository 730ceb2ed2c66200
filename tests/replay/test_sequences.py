"""Which messages come by themselves."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import Dialect, fix, int32, mqtt, postgres, redis
from twisted_repeater.dialects.mqtt import PubAck, Publish
from twisted_repeater.dialects.mqtt.codec import MqttCodec
from twisted_repeater.replay import sequences
from twisted_repeater.replay.decoding import Decoder
from twisted_repeater.replay.sequences import ANSWERS, Asked, sequence_of

MESSAGE = b"$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"


def fixed(kind: bytes) -> bytes:
    """Return a message of FIX."""
    body = b"35=%s\x01" % kind
    data = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
    return data + b"10=%03d\x01" % (sum(data) % 256)


class SequenceTests(SynchronousTestCase):
    """Promises about sequences."""

    def names(self, dialect: Dialect, *frames: bytes) -> list[str]:
        """Return the sequences of frames."""
        decoder = Decoder(dialect)
        return [sequence_of(dialect.name, frame, decoder) for frame in frames]

    def test_other_dialects_have_one_sequence(self) -> None:
        """Where nothing is known, all messages are answers."""
        self.assertEqual([ANSWERS], self.names(int32(), b"\0\0\0\0"))
        self.assertEqual([ANSWERS], self.names(redis(), b""))

    def test_pushes_of_redis_come_by_themselves(self) -> None:
        """What is published is in a sequence for each channel, in both versions of the protocol."""
        found = self.names(
            redis(),
            b"+OK\r\n",
            b"*3\r\n" + MESSAGE,
            b">3\r\n" + MESSAGE,
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
            b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n",
            b"*3\r\n$7\r\nmessage\r\n",
        )
        self.assertEqual([ANSWERS, "b'message' b'c'", "b'message' b'c'", ANSWERS, "push b'invalidate'", ANSWERS], found)

    def test_packets_of_mqtt_have_sequences_by_type_and_topic(self) -> None:
        """What is published has a sequence for each topic; a packet that cannot be read has that of its type."""
        codec = MqttCodec(4)
        frames = [codec.encode(message) for message in (Publish("a", b"x"), Publish("b", b"x"), PubAck(1))]
        self.assertEqual(
            ["publish b'a'", "publish b'b'", "type 4", "publish b''"], self.names(mqtt(), *frames, b"\x30\x01\x00")
        )

    def test_notices_of_postgres_come_by_themselves(self) -> None:
        """Notices, parameters and notifications have sequences of their own."""
        self.assertEqual([ANSWERS, "type b'N'"], self.names(postgres(), b"Z\0\0\0\5I", b"N\0\0\0\5\0"))

    def test_heartbeats_of_fix_come_by_themselves(self) -> None:
        """The messages of the session have sequences by type; all others are answers."""
        self.assertEqual(["type b'0'", ANSWERS], self.names(fix(), fixed(b"0"), fixed(b"8")))

    def test_the_user_can_interrupt(self) -> None:
        """Ctrl-C in the code of a dialect ends the replay."""

        def interrupt(frame: bytes, decoder: Decoder) -> str:
            raise KeyboardInterrupt

        self.patch(sequences, "SEQUENCES", {"int32": interrupt})
        self.assertRaises(KeyboardInterrupt, self.names, int32(), b"x")


class AskedTests(SynchronousTestCase):
    """Promises about the requests of replies."""

    def test_replies_of_a_pipeline(self) -> None:
        """Each reply has its own request, also if others were sent since."""
        asked = Asked()
        for number, name in enumerate([b"GET", b"subscribe", b"SET"], 1):
            asked.add((number, b"*3\r\n$%d\r\n%s\r\n$1\r\na\r\n$1\r\nb\r\n" % (len(name), name)))
        for which in (0, 1):
            names = (ANSWERS, "b'message' b'a'", "push b'subscribe'", ANSWERS, ANSWERS, ANSWERS)
            found = [asked.request_of(which, name) for name in names]
            self.assertEqual([1, None, 2, 2, 3, None], [request and request[0] for request in found])
        asked.add((4, b"PING\r\n"))
        self.assertEqual(None, asked.request_of(0, ANSWERS))

    def test_only_so_many_are_kept(self) -> None:
        """The oldest requests are forgotten."""
        self.patch(sequences, "MOST_ASKED", 1)
        asked = Asked()
        asked.add((1, b"PING\r\n"))
        asked.add((2, b"PING\r\n"))
        self.assertEqual([None, (2, b"PING\r\n")], [asked.request_of(0, ANSWERS) for _ in range(2)])
