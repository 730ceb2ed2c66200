"""How the links of a repeater are drained, in memory; processes are in ``real/test_rolling.py``."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Limits
from twisted_repeater._link.draining import Draining
from twisted_repeater._link.pair import Pair
from twisted_repeater.testing import MemoryRepeater

from ..logged import lines_logged


def is_closed(client: Any) -> bool:
    """Return whether the connection of a client is closed."""
    return not client.open


class DrainingTests(SynchronousTestCase):
    """`Draining`."""

    def drain(
        self, running: MemoryRepeater, over: float = 30.0, *, listening: bool = False
    ) -> tuple[Draining, list[str]]:
        """Begin, and note the end."""
        draining = Draining(running.repeater._factory.links, Random(1))
        if not listening:
            draining.stopped_listening()
        ended: list[str] = []
        draining.drain(over).addCallback(lambda _: ended.append("ended"))
        return draining, ended

    def pass_time(self, running: MemoryRepeater, seconds: float) -> None:
        """Let time pass in small steps."""
        for _ in range(round(seconds / 0.05)):
            running.advance(0.05)

    def test_idle(self) -> None:
        """Without links it is done as soon as no client can come; whoever asks later hears so at once."""
        running = MemoryRepeater()
        draining, ended = self.drain(running, listening=True)
        self.pass_time(running, 1.0)
        self.assertEqual(ended, [])
        draining.stopped_listening()
        self.assertEqual(ended, ["ended"])
        self.successResultOf(draining.drain(30.0))
        draining.end()

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
        """At the deadline what is left is closed, within the limits of a link that closes."""
        running = MemoryRepeater(to_server_filter=lambda message, link: Deferred(), limits=Limits(close_timeout=5))
        ann = running.connect("ann")
        ann.send(b"?")
        _, ended = self.drain(running, 3.0)
        self.pass_time(running, 2.9)
        self.assertFalse(running.repeater._factory.admission.closed)
        self.pass_time(running, 0.2)
        self.assertTrue(running.repeater._factory.admission.closed)
        self.pass_time(running, 7.0)
        self.assertTrue(is_closed(ann))
        self.assertEqual(ended, ["ended"])

    def test_never_rests(self) -> None:
        """A client that never rests is read no more, then its link ends; what it still sends comes to the server."""
        running = MemoryRepeater()
        ann = running.connect("ann")
        ann.keeps_open = True
        server = running.server["ann"]
        server.answer = lambda message, peer: [message]
        self.drain(running, 10.0)
        sent = 0
        while not ann.stream_ended:
            ann.send(b"%d" % sent)
            sent += 1
            self.pass_time(running, 0.1)
        ann.send(b"last")
        ann.close()
        server.expect(*[b"%d" % number for number in range(sent)], b"last")
        self.assertTrue(6.0 < running.clock.seconds() < 9.0, running.clock.seconds())
        self.assertLess(len(ann.received), sent)
        self.assertEqual(ann.received, [b"%d" % number for number in range(len(ann.received))])

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

    def test_finishing(self) -> None:
        """A client that has ended its stream still gets the answer that it waits for."""
        running = MemoryRepeater()
        ann = running.connect("ann")
        server = running.server["ann"]
        server.keeps_open = True
        ann.send(b"?")
        ann.end_stream()
        _, ended = self.drain(running)
        self.pass_time(running, 5.0)
        server.send(b"!")
        ann.expect(b"!")
        server.close()
        self.pass_time(running, 0.5)
        self.assertEqual(ended, ["ended"])

    def test_shortened(self) -> None:
        """A later call with less time shortens it for all, one with more changes nothing; each has its Deferred."""
        running = MemoryRepeater()
        ann = running.connect("ann")
        draining, ended = self.drain(running, 20.0)
        self.pass_time(running, 0.2)
        draining.drain(30.0).addCallback(lambda _: ended.append("longer"))
        running.advance(0.0)
        self.assertFalse(is_closed(ann))
        draining.drain(1.0).addCallback(lambda _: ended.append("shorter"))
        self.pass_time(running, 0.2)
        self.assertTrue(is_closed(ann))
        self.assertEqual(ended, ["ended", "longer", "shorter"])

    def test_shortened_meanwhile(self) -> None:
        """It can be shortened while it looks at the links, by a callback for example."""
        running = MemoryRepeater()
        ann = running.connect("ann")
        draining = Draining(running.repeater._factory.links)
        self.patch(Pair, "resume", lambda pair: draining.drain(0.2))
        draining.drain(30.0)
        self.pass_time(running, 0.3)
        self.assertFalse(ann.open)

    def test_at_once(self) -> None:
        """Without any time every link is closed at once; an attempt to link a client ends, too."""
        running = MemoryRepeater()
        clients = [running.connect("ann"), running.connect(None)]
        _, ended = self.drain(running, 0.0)
        running.advance(0.0)
        self.assertEqual([is_closed(client) for client in clients], [True, True])
        self.assertEqual(ended, ["ended"])

    def test_being_linked(self) -> None:
        """A client that has begun its hello is waited for, and then linked; one that says nothing is not."""
        running = MemoryRepeater()
        silent, ann = running.connect(None), running.connect(None)
        ann.send_bytes(b"\0\0")
        _, ended = self.drain(running)
        self.pass_time(running, 2.0)
        self.assertFalse(is_closed(ann) or ended)
        ann.close()
        self.pass_time(running, 0.3)
        self.assertEqual((ended, is_closed(silent)), (["ended"], True))

    def test_ended_meanwhile(self) -> None:
        """It can be ended while it looks at the links; then it looks no more."""
        running = MemoryRepeater()
        running.connect("ann")
        running.connect("bob")
        draining = Draining(running.repeater._factory.links)
        self.patch(Pair, "resume", lambda pair: draining.end())
        self.successResultOf(draining.drain(30.0))
        self.assertEqual(running.repeater.links(), [])

    def test_bugs(self) -> None:
        """If a link cannot be looked at, that is logged, and the time runs on; so it does if links cannot be closed."""
        running = MemoryRepeater()
        running.connect("ann")
        self.patch(Pair, "resume", lambda pair: 1 / 0)
        links = running.repeater._factory.links
        self.patch(links, "close_all", lambda: fail(ValueError("no")))
        _, ended = self.drain(running, 1.0)
        self.pass_time(running, 1.1)
        self.assertGreaterEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(ended, ["ended"])

    def test_logged(self) -> None:
        """The log says how many links are to end, and by when."""
        running = MemoryRepeater(repeater_name="edge")
        running.connect("ann")
        lines = lines_logged(self, "twisted_repeater._link.draining")
        self.drain(running, 9.6)
        self.assertEqual(lines, ["links that end as they rest: 1; at the latest in 10 seconds"])
