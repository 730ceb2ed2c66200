"""Pings from here."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import Raw
from twisted_repeater.dialects.mqtt.keep_alive import PING, PONG, KeepAlive


class KeepAliveTests(SynchronousTestCase):
    """Pings."""

    def test_ping(self) -> None:
        """After half of the time a ping takes the place of what is dropped; its answer ends here."""
        clock = Clock()
        keep_alive = KeepAlive(10, clock.seconds)
        self.assertEqual(keep_alive.pings(), [])
        clock.advance(5)
        self.assertEqual(keep_alive.pings(), [PING])
        self.assertEqual(keep_alive.pings(), [])
        self.assertFalse(keep_alive.takes(Raw(b"\xd0\x01x")))
        self.assertTrue(keep_alive.takes(PONG))
        self.assertFalse(keep_alive.takes(PONG))

    def test_none(self) -> None:
        """Without a keep-alive time there are no pings."""
        clock = Clock()
        keep_alive = KeepAlive(0, clock.seconds)
        clock.advance(1000)
        self.assertEqual(keep_alive.pings(), [])
