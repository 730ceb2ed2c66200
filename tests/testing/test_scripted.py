"""A scripted client or server ends its connection as it is told, and sees how the repeater ends it."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone

from twisted_repeater import Disconnected
from twisted_repeater.testing import Peer

from .test_peer import PeerCase


class EndingTests(PeerCase):
    """How it ends its connection."""

    def test_close(self) -> None:
        """It closes in good order: the other end of the link sees that."""
        self.client.close()
        self.assertIsInstance(self.client.lost, ConnectionDone)
        self.assertEqual((self.server.open, self.client.open), (False, False))
        self.successResultOf(self.server.when_closed())

    def test_abort(self) -> None:
        """It breaks off: the repeater sees a lost connection."""
        self.client.abort()
        (error,) = [error for error in self.running.errors if isinstance(error, Disconnected)][:1]
        self.assertIn("non-clean", str(error))

    def test_end_of_stream(self) -> None:
        """It ends its stream and still reads: replies come."""
        self.server.keeps_open = True
        self.client.send(b"last")
        self.client.end_stream()
        self.assertEqual((self.server.stream_ended, self.server.open, self.server.lost), (True, False, None))
        self.server.send("reply")
        self.server.close()
        self.assertEqual((self.client.received, self.client.open), (["reply"], False))
        self.assertIsInstance(self.client.lost, ConnectionDone)

    def test_end_of_both_streams(self) -> None:
        """Its connection is gone when it ends its stream behind the repeater's."""
        self.server.keeps_open = True
        self.client.end_stream()
        self.assertIsNone(self.server.lost)
        self.server.send("reply")
        self.server.end_stream()
        self.assertIsInstance(self.server.lost, ConnectionDone)
        self.assertEqual(self.client.received, ["reply"])

    def test_plain_protocol(self) -> None:
        """When the repeater ends its stream it closes, as a plain protocol does."""
        self.running.link("alice").close()
        self.running.settle()
        self.assertIsInstance(self.client.lost, ConnectionDone)

    def test_put_down(self) -> None:
        """What it does is put down."""
        for name, ending in (("bob", Peer.close), ("carol", Peer.abort), ("dave", Peer.end_stream)):
            ending(self.running.connect(name))
        self.running.server["alice"].close()
        told = [str(entry) for entry in self.running.transcript if "ends" in entry.event.value]
        self.assertEqual(
            [" ".join(line.split()[2:]) for line in told],
            [
                "bob client ends its connection",
                "carol client ends by a reset",
                "dave client ends its stream",
                "alice server ends its connection",
            ],
        )
