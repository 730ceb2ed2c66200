"""From messages to packets: what can be sent in which version, and what cannot."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.mqtt import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    MqttCodec,
    Packet,
    Properties,
    Property,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Raw,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from twisted_repeater.dialects.mqtt.encoding import ENCODERS

from .packets import VERSIONS, messages, packet, text

drawn = st.sampled_from(VERSIONS).flatmap(lambda version: st.tuples(st.just(version), messages(version)))
REASON = Properties([(Property.REASON_STRING, "no")])
USER = Properties([(Property.USER_PROPERTY, ("a", "b"))])


def encode(message: Packet, version: int) -> bytes:
    """Encode a message."""
    return ENCODERS[type(message)](message, version)


class EncodingTests(SynchronousTestCase):
    """What can be sent."""

    @given(drawn)
    def test_messages(self, drawn: tuple[int, Packet]) -> None:
        """Each message has a packet, from which it can be decoded."""
        version, message = drawn
        self.assertEqual(MqttCodec(version).decode(encode(message, version)), message)

    def test_bytes(self) -> None:
        """Packets are as the standard says, in as few bytes as it allows."""
        for message, version, data in (
            (Publish("a", b"hi"), 4, b"\x30\5\0\1ahi"),
            (Publish("a", bytearray(b"hi"), 2, True, 7, True), 5, b"\x3d\x08\0\1a\0\7\0hi"),  # type: ignore[arg-type]
            (Publish("", properties=Properties([(Property.TOPIC_ALIAS, 1)])), 5, b"\x30\6\0\0\3\x23\0\1"),
            (PubAck(7), 5, b"\x40\2\0\7"),
            (PubRec(7, 0x87), 5, b"\x50\3\0\7\x87"),
            (PubRel(7, 0, REASON), 5, b"\x62\x09\0\7\0\5\x1f\0\2no"),
            (PubComp(7), 3, b"\x70\2\0\7"),
            (ConnAck(True, 0), 5, b"\x20\3\1\0\0"),
            (ConnAck(False, 5), 4, b"\x20\2\0\5"),
            (Subscribe(7, (Subscription("a", 1, True, True, 2),)), 5, packet(0x82, b"\0\7\0" + text(b"a") + b"\x2d")),
            (SubAck(7, (0, 0x80)), 4, b"\x90\4\0\7\0\x80"),
            (Unsubscribe(7, ("a",)), 4, packet(0xA2, b"\0\7" + text(b"a"))),
            (UnsubAck(7), 4, b"\xb0\2\0\7"),
            (UnsubAck(7, (0x11,)), 5, b"\xb0\4\0\7\0\x11"),
            (Disconnect(), 5, b"\xe0\0"),
            (Disconnect(0x8E), 5, b"\xe0\1\x8e"),
            (Auth(0x18, USER), 5, b"\xf0\x09\x18\7\x26\0\1a\0\1b"),
            (Raw(b"\xd0\0"), 4, b"\xd0\0"),
        ):
            self.assertEqual(encode(message, version), data)

    def test_connect(self) -> None:
        """A CONNECT has the name of its version."""
        for version, name in ((3, b"MQIsdp"), (4, b"MQTT"), (5, b"MQTT")):
            rest = b"\2\0\x3c" + (b"\0" if version == 5 else b"") + text(b"ann")
            expected = packet(0x10, text(name) + bytes([version | 0x80]) + rest)
            self.assertEqual(encode(Connect("ann", version=version, bridge=True), version), expected)

    def test_sizes(self) -> None:
        """The length has as many bytes as it needs; a packet that is too long cannot be sent."""
        for size in (127, 128, 16383, 16384, 2097151, 2097152):
            message = Publish("a", bytes(size - 3))
            self.assertEqual(encode(message, 4), packet(0x30, b"\0\1a" + message.payload))
        self.assertRaises(MarshalingError, encode, Publish("a", bytes(1 << 28)), 4)


class RefusedTests(SynchronousTestCase):
    """What cannot be sent."""

    def assert_wrong(self, message: Packet, *versions: int, field: str) -> None:
        """A message cannot be sent in these versions, because of a field."""
        for version in versions or VERSIONS:
            sent = replace(message, version=version) if isinstance(message, Connect) else message
            error = self.assertRaises(MarshalingError, encode, sent, version)
            self.assertEqual(error.field, field)

    def test_version(self) -> None:
        """Properties, reasons, options and AUTH are of version 5."""
        for message in (
            Publish("a", properties=USER),
            PubAck(7, properties=USER),
            Subscribe(7, (Subscription("a"),), USER),
            SubAck(7, (0,), USER),
            Unsubscribe(7, ("a",), USER),
            UnsubAck(7, (), USER),
            ConnAck(properties=USER),
            Disconnect(properties=USER),
            Connect("a", properties=USER),
            Connect("a", will=Will("gone", properties=USER)),
        ):
            self.assert_wrong(message, 3, 4, field="properties")
        self.assert_wrong(PubAck(7, 0x87), 3, 4, field="reason")
        self.assert_wrong(Disconnect(4), 3, 4, field="reason")
        self.assert_wrong(UnsubAck(7, (0,)), 3, 4, field="reasons")
        self.assert_wrong(UnsubAck(7), 5, field="reasons")
        self.assert_wrong(Subscribe(7, (Subscription("a", no_local=True),)), 4, field="subscriptions")
        self.assertRaises(MarshalingError, encode, Auth(), 4)
        self.assertRaises(MarshalingError, encode, Connect("ann", version=4), 5)

    def test_values(self) -> None:
        """Fields are in their ranges, and fit each other."""
        self.assert_wrong(Publish("a", qos=3), field="qos")
        self.assert_wrong(Publish("a", qos=1), field="packet_id")
        self.assert_wrong(Publish("a", qos=1, packet_id=0), field="packet_id")
        self.assert_wrong(Publish("a", packet_id=1), field="packet_id")
        self.assert_wrong(Publish("a", dup=True), field="dup")
        self.assert_wrong(Publish("a/#"), field="topic")
        self.assert_wrong(Publish(""), field="topic")
        self.assert_wrong(Publish("", properties=USER), 5, field="topic")
        self.assert_wrong(Publish("a", "text"), field="payload")  # type: ignore[arg-type]
        self.assert_wrong(PubAck(65536), field="packet_id")
        self.assert_wrong(PubAck(1, 256), 5, field="reason")
        self.assert_wrong(Subscribe(7, ()), field="subscriptions")
        self.assert_wrong(Subscribe(7, (Subscription("a", 3),)), field="qos")
        self.assert_wrong(Subscribe(7, (Subscription("a", retain_handling=3),)), 5, field="retain_handling")
        self.assert_wrong(Subscribe(7, (Subscription("a#"),)), field="topic_filter")
        self.assert_wrong(SubAck(7, ()), field="reasons")
        self.assert_wrong(Unsubscribe(7, ()), field="topic_filters")
        self.assert_wrong(Connect("a\0"), field="client_id")
        self.assert_wrong(Connect("a", keep_alive=65536), field="keep_alive")
        self.assert_wrong(Connect("a", password=b"secret"), 3, 4, field="username")
        self.assert_wrong(Connect("a", username="u", password="p"), field="password")  # type: ignore[arg-type]
        self.assert_wrong(Connect("a", will=Will("+")), field="will.topic")
        self.assert_wrong(Connect("a", will=Will("a", qos=3)), field="will.qos")
        self.assert_wrong(Connect("a", will=Will("a", bytes(65536))), field="will.payload")
