"""Tests of the codec that a dialect without codecs uses."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.codecs import LEFT_OUT, RawCodec
from twisted_repeater.errors import MarshalingError
from twisted_repeater.interfaces import ICodec


class RawCodecTests(SynchronousTestCase):
    """A message is its payload."""

    def test_interface(self) -> None:
        """It is a codec."""
        self.assertTrue(verifyObject(ICodec, RawCodec()))

    def test_decode(self) -> None:
        """Every payload is a message, the same bytes."""
        payload = b"any bytes \xff\x00"
        self.assertIs(RawCodec().decode(payload), payload)

    def test_encode(self) -> None:
        """Whatever holds bytes can be sent, as bytes."""
        for message in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
            encoded = RawCodec().encode(message)
            self.assertEqual(encoded, b"abc")
            self.assertIs(type(encoded), bytes)

    def test_encode_something_else(self) -> None:
        """Text, or anything else, is a marshaling error that says what it was."""
        for message in ("abc", 5, None, [b"abc"]):
            error = self.assertRaises(MarshalingError, RawCodec().encode, message)
            self.assertIn(type(message).__name__, str(error))


class LeftOutTests(SynchronousTestCase):
    """What stands for a message that a version lacks."""

    def test_shown_by_its_name(self) -> None:
        """It is recognized when it turns up in a log."""
        self.assertEqual(repr(LEFT_OUT), "LEFT_OUT")
