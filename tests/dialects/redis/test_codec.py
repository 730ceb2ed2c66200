"""Tests of the codecs of Redis."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects.redis import Command, Raw, Reply
from twisted_repeater.dialects.redis.codec import CommandCodec, ReplyCodec, check_codec


class CodecTests(SynchronousTestCase):
    """Messages as bytes, and back."""

    def test_round_trip(self) -> None:
        """Messages that are read are those that were written."""
        for message in (Command("PING"), Command("SET", b"k", b"\r\n"), Raw(b"\r\n"), Raw(b"*0\r\n")):
            self.assertEqual(CommandCodec().decode(CommandCodec().encode(message)), message)
        for reply in (Reply(1), Reply(b"text"), Reply([None, []]), Reply.failure("ERR x")):
            self.assertEqual(ReplyCodec().decode(ReplyCodec().encode(reply)), reply)

    def test_other_messages(self) -> None:
        """Messages of other classes are refused."""
        self.assertRaises(MarshalingError, CommandCodec().encode, b"PING")
        self.assertRaises(MarshalingError, ReplyCodec().encode, Command("PING"))

    def test_selectors(self) -> None:
        """Raw messages are empty arrays, or lines."""
        self.assertIsNone(CommandCodec().selector_for((Command,)))
        selector = CommandCodec().selector_for((Raw,))
        assert selector is not None
        for payload, found in ((b"*0\r\n", True), (b"*-1\r\n", True), (b'"\r\n', True), (b"*1\r\n$1\r\na\r\n", False)):
            self.assertEqual(selector.matches(payload, 0, len(payload)), found)

    def test_check(self) -> None:
        """A filter whose messages a codec does not make is told so."""
        check_codec(CommandCodec(), Command, "Commands")
        for codec in (ReplyCodec(), RawCodec(), None):
            with self.assertRaisesRegex(TypeError, "^Commands is for the dialect redis$"):
                check_codec(codec, Command, "Commands")
