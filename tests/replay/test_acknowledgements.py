"""The acknowledgements of clients of MQTT."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import PubAck, PubComp, Publish, PubRec, PubRel
from twisted_repeater.dialects.mqtt.codec import MqttCodec
from twisted_repeater.replay.acknowledgements import (
    Acknowledgements,
    is_acknowledgement,
    is_publication,
    topic_of,
    without_id,
)

from ..drawn import examples

CODEC = MqttCodec(5)
encode = CODEC.encode


class AcknowledgementTests(SynchronousTestCase):
    """Promises about what is acknowledged, and when."""

    def setUp(self) -> None:
        """Make the acknowledgements of a link."""
        self.link = Acknowledgements()

    def test_an_acknowledgement_gets_the_new_packet_id(self) -> None:
        """It is sent at once if a message has come that is acknowledged like this, with the id of that message."""
        self.assertEqual(b"", self.link.answer(encode(Publish("t", b"x", qos=1, packet_id=500))))
        self.assertEqual(b"", self.link.answer(encode(Publish("t", b"x", qos=2, packet_id=600))))
        self.assertEqual(encode(PubRec(600)), self.link.send(encode(PubRec(1))))
        self.assertEqual(encode(PubAck(500)), self.link.send(encode(PubAck(2))))
        self.assertEqual(b"", self.link.answer(encode(PubRel(600))))
        self.assertEqual(encode(PubComp(600)), self.link.send(encode(PubComp(1))))

    def test_an_acknowledgement_waits_for_its_message(self) -> None:
        """It is sent as soon as the message comes; those whose messages do not come are counted."""
        for number in (1, 2):
            self.assertEqual(b"", self.link.send(encode(PubAck(number))))
        self.assertEqual(b"", self.link.answer(encode(Publish("t", b"x"))))
        self.assertEqual(b"", self.link.answer(encode(PubAck(7))))
        self.assertEqual(encode(PubAck(9)), self.link.answer(encode(Publish("t", b"x", qos=1, packet_id=9))))
        self.assertEqual(1, self.link.unsent)

    def test_bytes_that_are_no_packets(self) -> None:
        """What a broker sends may be anything."""
        self.assertEqual(b"", self.link.answer(b"\x36\x05\x00\x01t\x00\x07"))  # there is no such QoS
        for data in (b"", b"\x32", b"\x36\x05\x00", b"\x36\xff\xff\xff", b"\x32\x03\x00\x01t", b"\x62\x01\x00"):
            self.assertEqual(b"", self.link.answer(data))
            self.assertEqual(data, without_id(data))

    @given(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), st.binary(max_size=300))
    @settings(max_examples=examples(50))
    def test_packet_ids_do_not_count(self, topic: str, payload: bytes) -> None:
        """Packets that differ in the id that the broker has chosen are equal; any other byte counts."""
        one, other = (encode(Publish(topic, payload, qos=1, packet_id=number)) for number in (1, 515))
        self.assertEqual(topic.encode(), topic_of(one))
        self.assertEqual(without_id(one), without_id(other))
        self.assertNotEqual(without_id(one), without_id(encode(Publish(topic, payload + b"x", qos=1, packet_id=1))))

    def test_kinds(self) -> None:
        """Acknowledgements and publications that a broker does not keep are told from the rest."""
        frames = [encode(each) for each in (PubAck(1), PubComp(1), Publish("t"), Publish("t", retain=True))]
        self.assertEqual([True, True, False, False, False], [is_acknowledgement(each) for each in (*frames, b"")])
        self.assertEqual([False, False, True, False, False], [is_publication(each) for each in (*frames, b"")])
