"""The messages: small classes that cannot be changed, with short texts."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import Connect, Properties, Property, PubAck, Publish, PubRec, Will


class MessageTests(SynchronousTestCase):
    """What all messages can."""

    def test_text(self) -> None:
        """Their text has the fields that are not as usual, and never a password."""
        self.assertEqual(
            repr(Publish("news", b"rain", 1, packet_id=7)), "Publish(topic='news', payload=b'rain', qos=1, packet_id=7)"
        )
        login = Connect("ann", password=b"secret", will=Will("gone"))
        self.assertEqual(repr(login), "Connect(client_id='ann', will=Will(topic='gone'))")

    def test_equal(self) -> None:
        """Messages are equal if they are of one class, and their fields are."""
        self.assertEqual(PubAck(7), PubAck(7))
        self.assertNotEqual(PubAck(7), PubRec(7))
        self.assertEqual(
            len({PubAck(7), PubAck(7), Publish("a", properties=Properties([(Property.TOPIC_ALIAS, 1)]))}), 2
        )

    def test_frozen(self) -> None:
        """They cannot be changed, but replaced."""
        message = Publish("news")
        with self.assertRaises(FrozenInstanceError):
            message.topic = "secret"  # type: ignore[misc]
        self.assertEqual(replace(message, topic="other"), Publish("other"))
