"""What is known of a link."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import ConnAck, Connect, Properties, Property, Publish, Reason
from twisted_repeater.dialects.mqtt.session import Session

LIMITS = Properties(
    [
        (Property.RECEIVE_MAXIMUM, 2),
        (Property.TOPIC_ALIAS_MAXIMUM, 3),
        (Property.MAXIMUM_PACKET_SIZE, 40),
        (Property.SERVER_KEEP_ALIVE, 5),
    ]
)


class SessionTests(SynchronousTestCase):
    """Sessions."""

    def test_limits(self) -> None:
        """Each peer limits what it receives; the broker's keep-alive time replaces the client's."""
        connect = Connect("ann", version=5, properties=LIMITS)
        session = Session(connect)
        self.assertFalse(session.is_whole)
        self.assertEqual(session.to_client.receive_maximum, 2)
        self.assertEqual(session.to_client.aliases.limit, 3)
        self.assertEqual(session.to_client.max_packet, 40)
        self.assertEqual((session.to_server.receive_maximum, session.to_server.aliases.limit), (65535, 65535))
        session.connecting(connect)
        self.assertEqual(session.to_server.aliases.limit, 0)
        session.accepted(ConnAck(properties=LIMITS))
        self.assertEqual(session.to_server.receive_maximum, 2)
        self.assertEqual(session.keep_alive.seconds, 5)

    def test_refusals(self) -> None:
        """Reasons are those of the version."""
        for version, refused, subscription in ((4, 0, 0x80), (5, Reason.NOT_AUTHORIZED, Reason.NOT_AUTHORIZED)):
            session = Session(Connect("ann", version=version))
            self.assertEqual(session.version, version)
            self.assertEqual((session.refused, session.refused_subscription), (refused, subscription))

    def test_fitted(self) -> None:
        """A message that is too large loses its user properties, or is not sent."""
        session = Session(Connect("ann", version=5))
        small = Publish("a", b"x", 1)
        large = Publish("a", b"x", 1, properties=Properties([(Property.USER_PROPERTY, ("k" * 20, "v" * 20))]))
        self.assertIs(session.fitted(large, None), large)
        self.assertIs(session.fitted(small, 9), small)
        self.assertEqual(session.fitted(large, 9), small)
        self.assertIsNone(session.fitted(large, 8))
