"""The bytes of properties."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.mqtt import MalformedPacket, Properties, Property, Reason
from twisted_repeater.dialects.mqtt.property_codec import (
    MOST_PROPERTIES,
    RULES,
    PacketType,
    read_properties,
    write_properties,
)
from twisted_repeater.dialects.mqtt.wire import Reader

from .packets import properties, text

kinds = st.sampled_from([kind for kind in PacketType if kind not in (PacketType.PINGREQ, PacketType.PINGRESP)])
drawn = kinds.flatmap(lambda kind: st.tuples(st.just(kind), properties(5, kind)))


def read(data: bytes, packet: PacketType = PacketType.PUBLISH) -> Properties:
    """Read properties without their length, which is put before them."""
    return read_properties(Reader(bytes([len(data)]) + data, 0), packet)


class PropertyTests(SynchronousTestCase):
    """How they are read and written."""

    @given(drawn)
    def test_both_ways(self, drawn: tuple[PacketType, Properties]) -> None:
        """Properties are read as they were written, and nothing behind them is."""
        kind, given = drawn
        data = write_properties(given, kind)
        reader = Reader(data + b"rest", 0)
        self.assertEqual(read_properties(reader, kind), given)
        self.assertEqual(reader.left, 4)

    def test_all_of_them(self) -> None:
        """There is a rule for each property."""
        self.assertEqual([rule[0] for _, rule in sorted(RULES.items())], sorted(Property))

    def test_bytes(self) -> None:
        """Properties are written as the standard says."""
        for name, value, packet, data in (
            (Property.PAYLOAD_FORMAT_INDICATOR, 1, PacketType.PUBLISH, b"\x01\x01"),
            (Property.MESSAGE_EXPIRY_INTERVAL, 60, PacketType.WILL, b"\x02\0\0\0\x3c"),
            (Property.SUBSCRIPTION_IDENTIFIER, 300, PacketType.SUBSCRIBE, b"\x0b\xac\x02"),
            (Property.AUTHENTICATION_DATA, b"\xff", PacketType.AUTH, b"\x16\0\1\xff"),
            (Property.RECEIVE_MAXIMUM, 7, PacketType.CONNECT, b"\x21\0\x07"),
            (Property.REASON_STRING, "no", PacketType.PUBACK, b"\x1f\0\2no"),
            (Property.USER_PROPERTY, ("a", "b"), PacketType.DISCONNECT, b"\x26\0\1a\0\1b"),
        ):
            given = Properties([(name, value)])
            self.assertEqual(write_properties(given, packet), bytes([len(data)]) + data)
            self.assertEqual(read(data, packet), given)

    def test_wrong_packet(self) -> None:
        """A property that cannot be in a packet, or that nobody knows, is not read, and not written."""
        for data in (b"\x21\0\x07", b"\x7e\x01", b"\x80\x01\x01", b"\x18\0\0\0\1"):
            self.assertRaises(MalformedPacket, read, data)
        for name in (Property.RECEIVE_MAXIMUM, 0x7E):
            self.assertRaises(MarshalingError, write_properties, Properties([(name, 1)]), PacketType.PUBLISH)  # type: ignore[list-item]

    def test_twice(self) -> None:
        """A property is there once, but user properties, and the subscription identifiers of a message."""
        error = self.assertRaises(MalformedPacket, read, b"\x23\0\1\x23\0\1")
        self.assertEqual(error.reason, Reason.PROTOCOL_ERROR)
        alias = (Property.TOPIC_ALIAS, 1)
        self.assertRaises(MarshalingError, write_properties, Properties([alias, alias]), PacketType.PUBLISH)
        self.assertEqual(len(read(b"\x0b\1\x0b\1" + 2 * (b"\x26" + text(b"a") + text(b"b")))), 4)
        self.assertRaises(MalformedPacket, read, b"\x0b\1\x0b\1", PacketType.SUBSCRIBE)

    def test_wrong_values(self) -> None:
        """Values are in their ranges."""
        for data in (b"\x01\x02", b"\x23\0\0", b"\x0b\0", b"\x03\0\1\0"):
            self.assertRaises(MalformedPacket, read, data)
        wrong: list[tuple[Property, Any]] = [
            (Property.PAYLOAD_FORMAT_INDICATOR, 2),
            (Property.TOPIC_ALIAS, 0),
            (Property.SUBSCRIPTION_IDENTIFIER, 1 << 28),
            (Property.CONTENT_TYPE, b"text"),
            (Property.CORRELATION_DATA, "text"),
            (Property.USER_PROPERTY, "text"),
            (Property.USER_PROPERTY, ("one",)),
            (Property.MESSAGE_EXPIRY_INTERVAL, 1 << 32),
        ]
        for name, value in wrong:
            error = self.assertRaises(
                MarshalingError, write_properties, Properties([(name, value)]), PacketType.PUBLISH
            )
            self.assertEqual(error.field, f"properties.{name.name}")

    def test_too_many(self) -> None:
        """A packet has at most a thousand properties."""
        pair = (Property.USER_PROPERTY, ("", ""))
        most = write_properties(Properties([pair] * MOST_PROPERTIES), PacketType.PUBLISH)
        self.assertEqual(len(read_properties(Reader(most, 0), PacketType.PUBLISH)), MOST_PROPERTIES)
        more = write_properties(Properties([pair] * (MOST_PROPERTIES + 1)), PacketType.PUBLISH)
        error = self.assertRaises(MalformedPacket, read_properties, Reader(more, 0), PacketType.PUBLISH)
        self.assertEqual(error.reason, Reason.PACKET_TOO_LARGE)

    def test_end(self) -> None:
        """Properties end where their length says, neither before nor behind that."""
        self.assertRaises(IndexError, read_properties, Reader(b"\x03\x01\x01", 0), PacketType.PUBLISH)
        self.assertRaises(MalformedPacket, read_properties, Reader(b"\x02\x23\0\1", 0), PacketType.PUBLISH)
        self.assertRaises(IndexError, read_properties, Reader(b"\x02\x23\0", 0), PacketType.PUBLISH)
        self.assertRaises(MalformedPacket, read_properties, Reader(b"\x80\x80\x80\x80\1", 0), PacketType.PUBLISH)
