"""The pieces of packets: numbers, strings and bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.mqtt.reasons import Reason
from twisted_repeater.dialects.mqtt.wire import (
    LONGEST,
    MalformedPacket,
    Reader,
    binary,
    check_topic,
    check_topic_filter,
    number,
    one_of,
    string,
    varint,
)


class ReaderTests(SynchronousTestCase):
    """How a packet is read."""

    def test_pieces(self) -> None:
        """It reads one piece after the other."""
        reader = Reader(b"?\x01\x02\x03\0\x02hi\0\x01!\x80\x01\0\x07rest", 1)
        self.assertEqual(reader.byte(), 1)
        self.assertEqual(reader.number(2), 0x0203)
        self.assertEqual(reader.string(), "hi")
        self.assertEqual(reader.binary(), b"!")
        self.assertEqual(reader.varint(), 128)
        self.assertEqual(reader.packet_id(), 7)
        self.assertEqual((reader.left, reader.take(4), reader.left), (4, b"rest", 0))

    def test_end(self) -> None:
        """Beyond the end there is nothing."""
        for method in (Reader.byte, Reader.varint, Reader.string, Reader.binary, Reader.packet_id):
            self.assertRaises(IndexError, method, Reader(b"", 0))
        self.assertRaises(IndexError, Reader(b"\0\x03ab", 0).string)
        self.assertRaises(IndexError, Reader(b"\x80", 0).varint)

    def test_not_allowed(self) -> None:
        """What the protocol forbids is an error, which has a reason for the client."""
        error = self.assertRaises(MalformedPacket, Reader(b"\0\x01\0", 0).string)
        self.assertEqual(error.reason, Reason.MALFORMED_PACKET)
        error = self.assertRaises(MalformedPacket, Reader(b"\0\0", 0).packet_id)
        self.assertEqual((error.reason, error.level, error.ends_link), (Reason.PROTOCOL_ERROR, None, True))
        self.assertRaises(MalformedPacket, Reader(b"\x80\x80\x80\x80\x01", 0).varint)
        for wrong in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80"):  # no UTF-8; U+0000 in two bytes; half a surrogate pair
            self.assertRaises(UnicodeDecodeError, Reader(len(wrong).to_bytes(2) + wrong, 0).string)

    @given(st.integers(0, LONGEST))
    def test_varint(self, value: int) -> None:
        """A number is read as it was written, in as few bytes as it needs."""
        data = varint(value)
        self.assertEqual(Reader(data, 0).varint(), value)
        self.assertEqual(len(data), max(1, -(-value.bit_length() // 7)))

    def test_borders(self) -> None:
        """The lengths at which one byte more is needed."""
        for value, size in (
            (0, 1),
            (127, 1),
            (128, 2),
            (16383, 2),
            (16384, 3),
            (2097151, 3),
            (2097152, 4),
            (LONGEST, 4),
        ):
            self.assertEqual(len(varint(value)), size)


class TopicTests(SynchronousTestCase):
    """Topics, and what one subscribes to."""

    def test_topic(self) -> None:
        """A topic has no wildcards, and is not empty."""
        for topic in ("a", "/", "a/b/", "$SYS/x", " "):
            check_topic(topic)
        for topic in ("", "+", "a/#", "a+b"):
            self.assertRaises(MalformedPacket, check_topic, topic)

    def test_topic_filter(self) -> None:
        """A wildcard has a level of its own, and ``#`` is the last."""
        for topic_filter in ("a", "#", "+", "/", "+/+", "a/+/#", "$share/g/#", "$share/g/a/+"):
            check_topic_filter(topic_filter)
        for topic_filter in ("", "a#", "#/a", "a+", "+a/b", "a/#/b", "##", "++"):
            self.assertRaises(MalformedPacket, check_topic_filter, topic_filter)


class WritingTests(SynchronousTestCase):
    """How pieces are written, and which cannot be."""

    def test_number(self) -> None:
        """A number is in its range."""
        self.assertEqual(number(0x0102, "keep_alive", 2), b"\1\2")
        self.assertEqual(number(Reason.NOT_AUTHORIZED, "reason", 1), b"\x87")
        for value in (0, 4, "1", None):
            error = self.assertRaises(MarshalingError, number, value, "qos", 1, 1, 3)
            self.assertEqual(str(error), f"qos must be a number from 1 to 3, not {value!r}")
            self.assertEqual(error.field, "qos")

    def test_string(self) -> None:
        """A string is Unicode text without U+0000, of at most 65535 bytes."""
        self.assertEqual(string("é", "topic"), b"\0\2\xc3\xa9")
        self.assertEqual(len(string("x" * 65535, "topic")), 65537)
        for value in ("x" * 65536, "é" * 32768, "\0", "\ud800", b"x", None):
            self.assertRaises(MarshalingError, string, value, "topic")

    def test_binary(self) -> None:
        """Bytes are of any class, and at most 65535."""
        for value in (b"ab", bytearray(b"ab"), memoryview(b"ab")):
            self.assertEqual(binary(value, "password"), b"\0\2ab")
        for wrong in (bytes(65536), "ab", 7):
            self.assertRaises(MarshalingError, binary, wrong, "password")

    def test_one_of(self) -> None:
        """A number is one of a few."""
        self.assertEqual(one_of(2, "qos", (0, 1, 2)), 2)
        for wrong in (3, "2", None):
            error = self.assertRaises(MarshalingError, one_of, wrong, "qos", (0, 1, 2))
            self.assertEqual(str(error), f"qos must be one of 0, 1, 2, not {wrong!r}")
