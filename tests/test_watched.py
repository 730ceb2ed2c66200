"""Tests of what a watcher sees of one message."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, LEFT_OUT, Direction, ParseError, WatchedMessage
from twisted_repeater.watching import IWatcher


class FakeLink:
    """Stands for a link, which this module only shows."""

    client_name = "ann"


LINK: Any = FakeLink()


class MessageTests(SynchronousTestCase):
    """The properties of a message."""

    def test_legs(self) -> None:
        """The bytes of each leg follow from the direction, the frame if it passed, and what the repeater made."""
        for direction, expected in ((Direction.TO_SERVER, (b"fm", b"b")), (Direction.TO_CLIENT, (b"b", b"fm"))):
            message = WatchedMessage(LINK, direction, 0, frame=b"f", passed=True, forward=b"m", back=b"b")
            self.assertEqual((message.to_server, message.to_client), expected)
        dropped = WatchedMessage(LINK, Direction.TO_SERVER, 0, frame=b"f")
        self.assertEqual(dropped.to_server, b"")

    def test_bytes_of_a_subclass(self) -> None:
        """The bytes may be of a subclass, as what an opening sends: that harms no link."""

        class Hello(bytes):
            """Bytes that are more than that."""

        message = WatchedMessage(LINK, Direction.TO_SERVER, 0, forward=Hello(b"hello"))
        self.assertEqual(message.to_server, b"hello")

    def test_decoding(self) -> None:
        """The message is decoded when somebody looks, once; one that cannot be decoded is None."""

        def wrong(payload: bytes) -> object:
            raise ParseError("no")

        for decode, expected in ((None, None), (bytes.upper, b"A"), (wrong, None), (lambda payload: LEFT_OUT, None)):
            message = WatchedMessage(LINK, Direction.TO_SERVER, 0, payload=b"a", decode=decode)
            self.assertEqual([message.message, message.message], [expected, expected])

    def test_repr(self) -> None:
        """Its representation says which message it is, and what became of it."""
        message = WatchedMessage(LINK, Direction.TO_CLIENT, 0, number=3, frame=b"abc", verdict=DROP)
        self.assertEqual(repr(message), "<message 3 to_client of 'ann': 3 bytes, DO_NOTHING>")

    def test_interface(self) -> None:
        """A watcher has one method that it must have."""
        self.assertEqual(list(IWatcher), ["message_watched"])
