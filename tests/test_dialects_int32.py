"""Tests of the dialect ``int32`` as a whole."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import dialects
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialect import MessageType
from twisted_repeater.dialects.int32 import int32
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.hello import JSONHandshake
from twisted_repeater.model import Limits


class Int32Tests(SynchronousTestCase):
    """What the dialect is put together of."""

    def test_public(self) -> None:
        """It is found under its name."""
        self.assertIs(dialects.int32, int32)
        self.assertIn("int32", dialects.__all__)

    def test_defaults(self) -> None:
        """Without a word it carries plain bytes, in one version, in no particular mode."""
        dialect = int32()
        self.assertEqual((dialect.name, dialect.mode), ("int32", ""))
        for kind in (dialect.to_server, dialect.to_client):
            self.assertIs(kind.reader(1), None)
            self.assertEqual(dialect.stated(kind), 1)
        dialect.check_versions(convert=False)

    def test_limits(self) -> None:
        """Messages and hellos are limited as the repeater is told."""
        dialect = int32()
        limits = Limits(max_frame=1000, max_hello=100)
        framing, handshake = dialect.framing(limits), dialect.handshake(limits)
        self.assertIsInstance(framing, Int32Framing)
        self.assertIsInstance(handshake, JSONHandshake)
        self.assertEqual((framing.max_frame, handshake.framing.max_frame), (1000, 100))

    def test_messages(self) -> None:
        """Each direction has its own messages: a codec, or a type with several versions."""
        codec = RawCodec()
        versions = MessageType({1: codec, 2: codec}, low=1, prod=1, test=2)
        dialect = int32(to_server=codec, to_client=versions, mode="test", production=False)
        self.assertIs(dialect.to_server.codec(1), codec)
        self.assertIs(dialect.to_client, versions)
        self.assertEqual((dialect.mode, dialect.stated(versions)), ("test", 2))

    def test_no_codec(self) -> None:
        """What is no codec is told when the dialect is made."""
        no_codec: Any = RawCodec
        for direction in ("to_server", "to_client"):
            with self.assertRaisesRegex(TypeError, "is no codec"):
                int32(**{direction: no_codec})
