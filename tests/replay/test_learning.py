"""Tokens that the server makes and clients send back."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import Dialect, int32, lines, modbus, redis
from twisted_repeater.framings import LengthFraming
from twisted_repeater.model import Direction
from twisted_repeater.replay import learning
from twisted_repeater.replay.decoding import Decoder
from twisted_repeater.replay.learning import LinkTokens, SharedTokens


def tokens(dialect: Dialect, shared: SharedTokens | None = None) -> LinkTokens:
    """Return the tokens of a new link."""
    return LinkTokens(Decoder(dialect), shared or SharedTokens())


class TokenTests(SynchronousTestCase):
    """Promises about `LinkTokens`."""

    def test_a_request_gets_the_new_token(self) -> None:
        """The frame around a new token is right, also if the token has another length."""
        for dialect, old, new in (
            (int32(), b"\0\0\0\x0euse session-1.", b"\0\0\0\x0fuse session-22."),
            (lines(), b"use session-1\r\n", b"use session-22\r\n"),
            (redis(), b"*2\r\n$3\r\nGET\r\n$9\r\nsession-1\r\n", b"*2\r\n$3\r\nGET\r\n$10\r\nsession-22\r\n"),
        ):
            link = tokens(dialect)
            link.learn(b"session-1", b"session-22")
            self.assertEqual(new, link.replaced(old))
            self.assertEqual(0, link.unchanged)

    def test_another_request_is_the_same_object(self) -> None:
        """A request without a token stays as it is, and so does one in which it is a part of a longer word."""
        link = tokens(lines())
        for request in (b"hello\r\n", b"use session-12\r\n", b"my_session-1\r\n"):
            self.assertIs(request, link.replaced(request))
            link.learn(b"session-1", b"session-22")
            self.assertIs(request, link.replaced(request))

    def test_equal_and_short_tokens_are_not_replaced(self) -> None:
        """A token that is the same again needs nothing; a short one could be anything else as well."""
        link = tokens(lines())
        link.learn(b"session-1", b"session-1")
        link.learn(b"17", b"18")
        for request in (b"use session-1\r\n", b"use 17\r\n"):
            self.assertIs(request, link.replaced(request))

    def test_other_links_get_the_token_unless_it_is_ambiguous(self) -> None:
        """A link uses its own token first, then that of another link, if only one has learnt it."""
        shared = SharedTokens()
        one, other, third = (tokens(lines(), shared) for _ in range(3))
        one.learn(b"session-1", b"session-A")
        self.assertEqual(b"use session-A\r\n", third.replaced(b"use session-1\r\n"))
        other.learn(b"session-1", b"session-B")
        self.assertEqual(b"use session-A\r\n", one.replaced(b"use session-1\r\n"))
        self.assertEqual(b"use session-B\r\n", other.replaced(b"use session-1\r\n"))
        self.assertEqual(b"use session-1\r\n", third.replaced(b"use session-1\r\n"))

    def test_only_so_many_tokens_are_kept(self) -> None:
        """The oldest tokens are forgotten."""
        self.patch(learning, "MOST_OF_LINK", 2)
        self.patch(learning, "MOST_SHARED", 2)
        link = tokens(lines())
        for number in range(4):
            link.learn(b"session-%d" % number, b"new-%d" % number)
        self.assertEqual(b"session-1 new-3\r\n", link.replaced(b"session-1 session-3\r\n"))

    def test_a_message_that_cannot_be_encoded_gets_a_token_of_the_same_length(self) -> None:
        """If a message cannot be made again, its bytes are changed; or it stays, and is counted."""
        link = tokens(modbus())
        request = b"\0\1\0\0\0\x09\1\x2babcd.12"
        link.learn(b"abcd", b"wxyz")
        self.assertEqual(request.replace(b"abcd", b"wxyz"), link.replaced(request))
        link = tokens(
            Dialect(name="x", framing=lambda limits: LengthFraming(100, size=1, whole=True), to_server=Codec())
        )
        link.learn(b"abcd", b"longer")
        self.assertEqual(b"\4abcd", link.replaced(b"\4abcd"))
        self.assertEqual(1, link.unchanged)

    def test_the_user_can_interrupt(self) -> None:
        """Ctrl-C in the code of a dialect ends the replay."""
        link = tokens(int32().changed(to_server=Codec(KeyboardInterrupt)))
        link.learn(b"abcd", b"longer")
        self.assertRaises(KeyboardInterrupt, link.replaced, b"\0\0\0\4abcd")

    def test_messages_to_the_client_can_have_tokens(self) -> None:
        """What a repeater chose comes back from the server."""
        link = tokens(redis())
        link.learn(b"0123ABCD", b"4567EFAB")
        found = link.replaced(b"-ERR unknown command 'X:0123ABCD:1'\r\n", Direction.TO_CLIENT)
        self.assertEqual(b"-ERR unknown command 'X:4567EFAB:1'\r\n", found)


class Codec:
    """Decodes, but encodes nothing."""

    def __init__(self, error: type[BaseException] = ValueError) -> None:
        self._error = error

    def decode(self, payload: bytes) -> Any:
        """See `ICodec`."""
        return payload

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        raise self._error
