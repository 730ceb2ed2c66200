"""The codec of one version: from bytes to messages and back, and which bytes are of which class."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError, ParseError
from twisted_repeater.dialects.mqtt import Auth, Connect, MqttCodec, Packet, Publish, PubRel, Raw
from twisted_repeater.dialects.mqtt.wire import MalformedPacket
from twisted_repeater.interfaces import ITypedCodec
from twisted_repeater.selectors import NOTHING
from twisted_repeater.testing import check_codec

from .packets import VERSIONS, messages, packet

versions = st.sampled_from(VERSIONS)
drawn = versions.flatmap(lambda version: st.tuples(st.just(version), messages(version)))


class RoundTripTests(SynchronousTestCase):
    """Both ways."""

    @given(drawn)
    def test_messages(self, drawn: tuple[int, Packet]) -> None:
        """A message that is encoded is decoded to the same message, which its own selector wants."""
        version, message = drawn
        codec = MqttCodec(version)
        data = codec.encode(message)
        self.assertEqual(codec.decode(data), message)
        selector = codec.selector_for((type(message),))
        assert selector is not None
        self.assertTrue(selector.matches(data, 0, len(data)))

    @given(drawn, st.data())
    def test_mutated(self, drawn: tuple[int, Packet], data: st.DataObject) -> None:
        """A packet with a wrong byte, or a missing or an added one, is a parse error, or another message."""
        version, message = drawn
        codec = MqttCodec(version)
        changed = bytearray(codec.encode(message))
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(changed) - 1))
            changed[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=1))
            if not changed:
                break
        try:
            other = codec.decode(bytes(changed))
        except ParseError as error:
            self.assertTrue(error.ends_link)
            return
        self.assertEqual(codec.decode(codec.encode(other)), other)

    @given(versions, st.binary(max_size=40), st.integers(0, 255))
    def test_noise(self, version: int, body: bytes, first: int) -> None:
        """Any bytes are a parse error, or a message."""
        codec = MqttCodec(version)
        for data in (body, packet(first, body)):
            try:
                message = codec.decode(data)
            except ParseError:
                continue
            self.assertEqual(codec.decode(codec.encode(message)), message)

    @given(drawn)
    def test_cut(self, drawn: tuple[int, Packet]) -> None:
        """The beginning of a packet is a parse error."""
        version, message = drawn
        codec = MqttCodec(version)
        data = codec.encode(message)
        for size in range(len(data)):
            self.assertRaises(MalformedPacket, codec.decode, data[:size])

    def test_conformance(self) -> None:
        """It keeps the rules for codecs."""
        for version in VERSIONS:
            check_codec(
                MqttCodec(version),
                [Publish("a/b", b"c"), PubRel(7), Connect("ann", version=version), Raw(b"\xc0\0")],
                grow=lambda size: Publish("a", bytes(size)),
            )


class ClassTests(SynchronousTestCase):
    """The classes of messages."""

    def test_types(self) -> None:
        """It knows its classes; AUTH is only in version 5."""
        self.assertTrue(ITypedCodec.providedBy(MqttCodec(4)))
        self.assertIn(Auth, MqttCodec(5).message_types)
        self.assertNotIn(Auth, MqttCodec(4).message_types)
        self.assertIs(MqttCodec(4).selector_for((Auth,)), NOTHING)
        self.assertIsNone(MqttCodec(4).selector_for((object,)))

    def test_selector(self) -> None:
        """A selector wants the type of packet, also with flags that are not allowed."""
        selector = MqttCodec(5).selector_for((Publish, Raw))
        assert selector is not None
        wanted = [first for first in range(256) if selector.matches(bytes([first, 0]), 0, 2)]
        self.assertEqual(wanted, [*range(0x30, 0x40), *range(0xC0, 0xE0)])

    def test_subclass(self) -> None:
        """A message of a subclass is encoded as one of its base class."""

        @dataclass(frozen=True, slots=True)
        class Own(Publish):
            pass

        self.assertEqual(MqttCodec(4).encode(Own("a")), b"\x30\x03\0\x01a")

    def test_wrong_class(self) -> None:
        """Anything else cannot be encoded."""
        error = self.assertRaises(MarshalingError, MqttCodec(4).encode, b"\xc0\0")
        self.assertIn("expected Connect or ConnAck", str(error))

    def test_version(self) -> None:
        """There are three versions."""
        self.assertEqual(repr(MqttCodec(3)), "MqttCodec(3)")
        self.assertRaises(ValueError, MqttCodec, 2)
