"""From packets to messages: what is allowed, and what is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

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
    Reason,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from twisted_repeater.dialects.mqtt.decoding import ANY, MOST_TOPIC_FILTERS, decode
from twisted_repeater.dialects.mqtt.wire import MalformedPacket

from .packets import VERSIONS, messages, packet, text

drawn = st.sampled_from(VERSIONS).flatmap(lambda version: st.tuples(st.just(version), messages(version)))
REASON = Properties([(Property.REASON_STRING, "no")])


class DecodingCase(SynchronousTestCase):
    """Packets by hand."""

    def assert_wrong(self, version: int, first: int, *bodies: bytes, reason: int | None = None) -> None:
        """Each of these packets is not allowed."""
        for body in bodies:
            error = self.assertRaises(MalformedPacket, decode, packet(first, body), version)
            if reason is not None:
                self.assertEqual(error.reason, reason)


class AnyPacketTests(DecodingCase):
    """What holds for all packets."""

    @given(drawn)
    def test_messages(self, drawn: tuple[int, Packet]) -> None:
        """Each message is decoded from its packet."""
        version, message = drawn
        self.assertEqual(decode(MqttCodec(version).encode(message), version), message)

    def test_length(self) -> None:
        """The length is that of the packet; a fifth byte is an error, more bytes than needed are none."""
        for wrong in (b"", b"\xc0", b"\xc0\1", b"\xc0\0\0", b"\xc0\x80\x80\x80\x80\0", b"\xc0\xff"):
            self.assertRaises(MalformedPacket, decode, wrong, 4)
        self.assertEqual(decode(b"\xc0\x80\0", 4), Raw(b"\xc0\x80\0"))
        for size in (127, 128, 16383, 16384, 2097151, 2097152):
            self.assertEqual(decode(packet(0x30, b"\0\1a" + bytes(size - 3)), 4), Publish("a", bytes(size - 3)))

    def test_text(self) -> None:
        """An error names the type of the packet."""
        for data, expected in (
            (b"\x30\x03\0\x01\xff", "PUBLISH: a string is not UTF-8: invalid start byte"),
            (b"\x40\x01\0", "PUBACK: the packet ends too early"),
            (b"\x40\x02\0\0", "PUBACK: the number of a packet must not be 0"),
            (b"\0\0", "there is no packet of type 0 in version 4"),
            (b"", "the packet ends too early"),
        ):
            error = self.assertRaises(MalformedPacket, decode, data, 4)
            self.assertEqual(str(error), expected)

    def test_flags(self) -> None:
        """The flags are those of the type; version 3 has left some open, such as DUP."""
        for first in (0x20, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0):
            for flags in range(16):
                if flags != (2 if first in (0x60, 0x80, 0xA0) else 0):
                    self.assert_wrong(5, first | flags, b"\0\1\0\0\0\0", b"")
        self.assertEqual(decode(b"\x6a\x02\0\1", 3), PubRel(1))

    def test_pings(self) -> None:
        """Pings are raw, and have no body."""
        for data in (b"\xc0\0", b"\xd0\0"):
            for version in VERSIONS:
                self.assertEqual(decode(data, version), Raw(data))
        self.assert_wrong(4, 0xC0, b"x")

    def test_short(self) -> None:
        """A short acknowledgement is checked like a long one."""
        for first, kind in ((0x40, PubAck), (0x50, PubRec), (0x62, PubRel), (0x70, PubComp)):
            for version in VERSIONS:
                self.assertEqual(decode(packet(first, b"\x01\x02"), version), kind(0x102))
                self.assert_wrong(version, first, b"\0\0", reason=Reason.PROTOCOL_ERROR)

    def test_unknown_types(self) -> None:
        """There is no type 0, and AUTH is only in version 5."""
        self.assert_wrong(5, 0x00, b"")
        self.assert_wrong(4, 0xF0, b"")


class ConnectTests(DecodingCase):
    """CONNECT and CONNACK."""

    def test_versions(self) -> None:
        """The name of the protocol and its level fit each other; a bridge sets the highest bit of the level."""
        for name, level, version in ((b"MQIsdp", 3, 3), (b"MQTT", 4, 4), (b"MQTT", 5, 5)):
            for bridge in (False, True):
                rest = b"\x02\0\x3c" + (b"\0" if version == 5 else b"") + text(b"ann")
                data = packet(0x10, text(name) + bytes([level | bridge << 7]) + rest)
                expected = Connect("ann", version=version, bridge=bridge)
                self.assertEqual(decode(data, version), expected)
                self.assertEqual(decode(data, ANY), expected)

    def test_unknown_versions(self) -> None:
        """Of an unknown version the level is known, so that the client can be answered."""
        for name, level in ((b"MQTT", 3), (b"MQIsdp", 4), (b"MQTT", 6), (b"MQTT", 0), (b"MQTT", 0x86)):
            error = self.assertRaises(MalformedPacket, decode, packet(0x10, text(name) + bytes([level])), ANY)
            self.assertEqual((error.level, error.reason), (level & 0x7F, Reason.UNSUPPORTED_PROTOCOL_VERSION))
        data = MqttCodec(4).encode(Connect("ann"))
        self.assertRaises(MalformedPacket, decode, data, 5)  # a second CONNECT, of another version than the first
        error = self.assertRaises(MalformedPacket, decode, packet(0x10, text(b"HTTP") + b"\x04"), ANY)
        self.assertIsNone(error.level)

    def test_everything(self) -> None:
        """A client may say all this at once."""
        will = b"\x05\x18\0\0\0\x07" + text(b"gone") + text(b"\xff")
        data = text(b"MQTT") + b"\x05\xf6\0\x1e\x03\x21\0\x07" + text(b"ann") + will + text(b"user") + text(b"pass")
        self.assertEqual(
            decode(packet(0x10, data), 5),
            Connect(
                "ann",
                True,
                30,
                "user",
                b"pass",
                Will("gone", b"\xff", 2, True, Properties([(Property.WILL_DELAY_INTERVAL, 7)])),
                Properties([(Property.RECEIVE_MAXIMUM, 7)]),
                5,
            ),
        )

    def test_left_out(self) -> None:
        """In version 3 a client may leave out what its flags announce."""
        for version, works in ((3, True), (4, False)):
            name = b"MQIsdp" if version == 3 else b"MQTT"
            data = packet(0x10, text(name) + bytes([version, 0xC2]) + b"\0\x3c" + text(b"ann"))
            if works:
                self.assertEqual(decode(data, version), Connect("ann", version=3))
            else:
                self.assertRaises(MalformedPacket, decode, data, version)

    def test_wrong_flags(self) -> None:
        """The flags fit each other."""
        for flags in (0x03, 0x1E, 0x0A, 0x22, 0x42):
            body = text(b"MQTT") + bytes([4, flags]) + b"\0\x3c" + text(b"ann") + text(b"gone") + text(b"bye")
            self.assert_wrong(4, 0x10, body)
            error = self.assertRaises(MalformedPacket, decode, packet(0x10, body), ANY)
            self.assertEqual(error.level, 4)
        rest = b"\0\x3c\0" + text(b"ann") + text(b"pass")
        decode(packet(0x10, text(b"MQTT") + b"\5\x42" + rest), 5)  # a password alone is allowed here

    def test_wrong_rest(self) -> None:
        """What follows is of the right form, and ends with the packet."""
        for rest, expected in ((b"\0\1\xff", "not UTF-8"), (b"\0\2a", "too early"), (b"\0\1ab", "left over")):
            error = self.assertRaises(MalformedPacket, decode, packet(0x10, text(b"MQTT") + b"\4\2\0\x3c" + rest), 4)
            self.assertIn(expected, str(error))
            self.assertEqual(error.level, 4)
        self.assert_wrong(4, 0x10, text(b"MQTT") + b"\4\6\0\x3c" + text(b"ann") + text(b"a/#") + text(b"bye"))

    def test_connack(self) -> None:
        """An answer has properties in version 5."""
        self.assertEqual(decode(b"\x20\2\1\0", 4), ConnAck(session_present=True))
        self.assertEqual(decode(b"\x20\2\xff\5", 3), ConnAck(session_present=True, reason=5))
        self.assertEqual(decode(b"\x20\x08\0\x87\x05\x1f\0\2no", 5), ConnAck(reason=0x87, properties=REASON))
        self.assert_wrong(4, 0x20, b"\2\0", b"\0\0\0", b"\0")
        self.assert_wrong(5, 0x20, b"\0\0")


class PublishTests(DecodingCase):
    """PUBLISH, and its acknowledgements."""

    def test_publish(self) -> None:
        """The flags, the number and the payload of a message."""
        self.assertEqual(decode(b"\x31\5\0\1ahi", 4), Publish("a", b"hi", retain=True))
        self.assertEqual(decode(b"\x3a\5\0\1a\0\7", 3), Publish("a", qos=1, packet_id=7, dup=True))
        expected = Publish("", b"hi", 2, packet_id=7, properties=Properties([(Property.TOPIC_ALIAS, 1)]))
        self.assertEqual(decode(b"\x34\x0a\0\0\0\7\3\x23\0\1hi", 5), expected)
        self.assertEqual(decode(b"\x30\x04\0\1a\0", 5), Publish("a"))

    def test_wrong(self) -> None:
        """What a filter could be misled by is not allowed."""
        self.assert_wrong(4, 0x36, b"\0\1a\0\1")
        self.assert_wrong(4, 0x32, b"\0\1a\0\0", b"\0\1a\0", b"\0\1a")
        self.assert_wrong(4, 0x38, b"\0\1a")
        self.assert_wrong(4, 0x30, b"\0\1\0", b"\0\1\xff", b"\0\2a", b"\0", b"")
        self.assert_wrong(4, 0x30, b"\0\1+", b"\0\3a/#", reason=Reason.TOPIC_NAME_INVALID)
        self.assert_wrong(4, 0x30, b"\0\0", reason=Reason.PROTOCOL_ERROR)
        self.assert_wrong(5, 0x30, b"\0\0\0", b"\0\0\3\x26\0\0\0\0", b"\0\1a", b"\0\1a\4\x23\0\1")
        self.assert_wrong(5, 0x30, b"\0\1a\3\x23\0\0", reason=Reason.PROTOCOL_ERROR)

    def test_acknowledgements(self) -> None:
        """The four of them have a number; in version 5 perhaps a reason, and then perhaps properties."""
        for first, make in ((0x40, PubAck), (0x50, PubRec), (0x62, PubRel), (0x70, PubComp)):
            for version in VERSIONS:
                self.assertEqual(decode(packet(first, b"\0\7"), version), make(7))
                self.assert_wrong(version, first, b"\0\0", b"\0", b"")
            self.assertEqual(decode(packet(first, b"\0\7\x92"), 5), make(7, 0x92))
            self.assertEqual(decode(packet(first, b"\0\7\0\0"), 5), make(7))
            self.assertEqual(decode(packet(first, b"\0\7\x92\5\x1f\0\2no"), 5), make(7, 0x92, REASON))
            self.assert_wrong(4, first, b"\0\7\0")
            self.assert_wrong(5, first, b"\0\7\0\0\0", b"\0\7\0\1", b"\0\7\0\3\x23\0\1")


class SubscribeTests(DecodingCase):
    """SUBSCRIBE and UNSUBSCRIBE, and their answers."""

    def test_subscribe(self) -> None:
        """A request has one or more topics, with options that version 5 has more of."""
        two = text(b"a/+") + b"\1" + text(b"#") + b"\0"
        expected = (Subscription("a/+", 1), Subscription("#"))
        for version in (3, 4):
            self.assertEqual(decode(packet(0x82, b"\0\7" + two), version), Subscribe(7, expected))
        five = b"\0\7\2\x0b\x05" + text(b"a") + b"\x2e"
        identifier = Properties([(Property.SUBSCRIPTION_IDENTIFIER, 5)])
        options = Subscription("a", 2, no_local=True, retain_as_published=True, retain_handling=2)
        self.assertEqual(decode(packet(0x82, five), 5), Subscribe(7, (options,), identifier))
        self.assertEqual(decode(packet(0x82, b"\0\7" + text(b"a") + b"\xfd"), 3), Subscribe(7, (Subscription("a", 1),)))

    def test_wrong_subscribe(self) -> None:
        """A request has at least one topic, and no reserved bits."""
        self.assert_wrong(4, 0x82, b"\0\7", b"\0\0" + text(b"a") + b"\0", b"\0\7" + text(b"a"))
        for options in (3, 4, 8, 16, 64, 0x80):
            self.assert_wrong(4, 0x82, b"\0\7" + text(b"a") + bytes([options]))
        for options in (3, 0x30, 0x40, 0x80):
            self.assert_wrong(5, 0x82, b"\0\7\0" + text(b"a") + bytes([options]))
        self.assert_wrong(4, 0x82, b"\0\7" + text(b"a#") + b"\0", reason=Reason.TOPIC_FILTER_INVALID)

    def test_too_many(self) -> None:
        """A request has at most ten thousand topic filters."""
        for first, kind, one in ((0x82, Subscribe, text(b"a") + b"\0"), (0xA2, Unsubscribe, text(b"a"))):
            self.assertIsInstance(decode(packet(first, b"\0\x01" + MOST_TOPIC_FILTERS * one), 4), kind)
            too_many = b"\0\x01" + (MOST_TOPIC_FILTERS + 1) * one
            self.assert_wrong(4, first, too_many, reason=Reason.PACKET_TOO_LARGE)

    def test_suback(self) -> None:
        """An answer has a code for each topic."""
        self.assertEqual(decode(b"\x90\4\0\7\1\x80", 4), SubAck(7, (1, 0x80)))
        self.assertEqual(decode(b"\x90\x0a\0\7\5\x1f\0\2no\0\x87", 5), SubAck(7, (0, 0x87), REASON))
        self.assert_wrong(4, 0x90, b"\0\7", b"\0\0\0")

    def test_unsubscribe(self) -> None:
        """A request has one or more topics; its answer has codes in version 5 only."""
        self.assertEqual(decode(packet(0xA2, b"\0\7" + text(b"a") + text(b"+")), 4), Unsubscribe(7, ("a", "+")))
        self.assertEqual(decode(packet(0xA2, b"\0\7\0" + text(b"a")), 5), Unsubscribe(7, ("a",)))
        self.assert_wrong(4, 0xA2, b"\0\7", b"\0\7" + text(b"#/a"))
        self.assertEqual(decode(b"\xb0\2\0\7", 4), UnsubAck(7))
        self.assertEqual(decode(b"\xb0\5\0\7\0\0\x11", 5), UnsubAck(7, (0, 0x11)))
        self.assert_wrong(4, 0xB0, b"\0\7\0")
        self.assert_wrong(5, 0xB0, b"\0\7\0")


class EndTests(DecodingCase):
    """DISCONNECT and AUTH."""

    def test_disconnect(self) -> None:
        """It is empty before version 5, and may be in it."""
        for version in VERSIONS:
            self.assertEqual(decode(b"\xe0\0", version), Disconnect())
        self.assertEqual(decode(b"\xe0\1\4", 5), Disconnect(4))
        self.assertEqual(decode(b"\xe0\x07\x8e\5\x1f\0\2no", 5), Disconnect(0x8E, REASON))
        self.assert_wrong(4, 0xE0, b"\0")
        self.assert_wrong(5, 0xE0, b"\0\0\0")

    def test_auth(self) -> None:
        """It has a method, and data."""
        self.assertEqual(decode(b"\xf0\0", 5), Auth())
        data = b"\x18\x09" + b"\x15" + text(b"X") + b"\x16" + text(b"\xff\0")
        method = Properties([(Property.AUTHENTICATION_METHOD, "X"), (Property.AUTHENTICATION_DATA, b"\xff\0")])
        self.assertEqual(decode(packet(0xF0, data), 5), Auth(0x18, method))
