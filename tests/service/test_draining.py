"""How the links of a repeater are drained, in memory; processes are in ``test_twistd_service.py``."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON
from twisted_repeater.service.draining import Draining
from twisted_repeater.testing import MemoryRepeater


def is_closed(client: Any) -> bool:
    """Return whether the connection of a client is closed."""
    return not client.open


class DrainingTests(SynchronousTestCase):
    """`Draining`."""

    def drain(self, running: MemoryRepeater, timeout: float = 30.0) -> tuple[Draining, list[str]]:
        """Begin, and note the end."""
        draining = Draining(running.repeater, timeout, running.clock, "edge", Random(1))
        ended: list[str] = []
        draining.start()
        draining.wait().addCallback(lambda _: ended.append("ended"))
        return draining, ended

    def pass_time(self, running: MemoryRepeater, seconds: float) -> None:
        """Let time pass in small steps."""
        for _ in range(round(seconds / 0.05)):
            running.advance(0.05)

    def test_idle(self) -> None:
        """Without links it is done at once; whoever asks later hears so at once."""
        running = MemoryRepeater()
        draining, ended = self.drain(running)
        self.assertEqual(ended, ["ended"])
        self.successResultOf(draining.wait())

    def test_rests(self) -> None:
        """A link ends when it has rested for half a second; one that talks goes on until then."""
        running = MemoryRepeater()
        ann, bob = running.connect("ann"), running.connect("bob")
        _, ended = self.drain(running)
        for _ in range(10):
            bob.send(b"on")
            self.pass_time(running, 0.25)
        self.assertTrue(is_closed(ann))
        self.assertFalse(is_closed(bob) or ended)
        self.pass_time(running, 1.0)
        self.assertTrue(is_closed(bob))
        self.assertEqual(ended, ["ended"])

    def test_waiting_verdict(self) -> None:
        """A link with a message that waits does not rest."""
        verdict: Deferred[Any] = Deferred()
        running = MemoryRepeater(to_server_filter=lambda message, link: verdict)
        ann = running.connect("ann")
        ann.send(b"?")
        _, ended = self.drain(running)
        self.pass_time(running, 5.0)
        self.assertFalse(is_closed(ann) or ended)
        verdict.callback(PASS_ON)
        self.pass_time(running, 1.0)
        self.assertTrue(is_closed(ann))
        running.server["ann"].expect(b"?")

    def test_deadline(self) -> None:
        """At the deadline it is done, whatever goes on."""
        running = MemoryRepeater(to_server_filter=lambda message, link: Deferred())
        ann = running.connect("ann")
        ann.send(b"?")
        _, ended = self.drain(running, 3.0)
        self.pass_time(running, 2.9)
        self.assertEqual(ended, [])
        self.pass_time(running, 0.2)
        self.assertEqual(ended, ["ended"])
        self.assertFalse(is_closed(ann))

    def test_stopped(self) -> None:
        """It can be stopped, more than once."""
        running = MemoryRepeater()
        running.connect("ann")
        draining, ended = self.drain(running)
        draining.stop()
        draining.stop()
        self.assertEqual(ended, ["ended"])

    def test_spread(self) -> None:
        """Many links end at random over the time, not all at once."""
        running = MemoryRepeater()
        clients = [running.connect(f"c{number}") for number in range(300)]
        self.drain(running, 10.0)
        counts = []
        for _ in range(8):
            self.pass_time(running, 0.5)
            counts.append(sum(is_closed(client) for client in clients))
        self.assertEqual(counts[-1], 300)
        self.assertTrue(all(20 < later - earlier < 90 for earlier, later in pairwise(counts[1:6])), counts)

    def test_held_client(self) -> None:
        """A client that was held is resumed, so that what it has sent is relayed."""
        running = MemoryRepeater()
        running.connect("ann")
        (link,) = running.repeater.links()
        link.hold()
        self.drain(running)
        self.assertFalse(link.held)

    def test_port_that_stays(self) -> None:
        """A port that cannot be closed is logged, and the links are drained all the same."""
        running = MemoryRepeater()
        ann = running.connect("ann")
        self.patch(running.repeater, "stop_listening", lambda: fail(OSError("no")))
        self.drain(running)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.pass_time(running, 1.0)
        self.assertTrue(is_closed(ann))
