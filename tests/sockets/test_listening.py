"""Tests of the port of a repeater: how it is closed."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

import twisted_repeater._sockets.listening as module
from twisted_repeater._sockets.listening import Listening

from ..peers import PeerCase, hello

reactor: Any = installed_reactor

CROWD = 40
"""So many clients wait in the listen queue."""


@implementer(IListeningPort)
class Port:
    """A port without a socket, whose closing a test lets fail, end, or take long."""

    def __init__(self) -> None:
        self.closing: Deferred[None] = Deferred()
        self.stopped = 0

    def getHost(self) -> IPv4Address:
        """See `IListeningPort`."""
        return IPv4Address("TCP", "127.0.0.1", 9000)

    def startListening(self) -> None:
        """See `IListeningPort`."""

    def stopListening(self) -> Deferred[None]:
        """See `IListeningPort`."""
        self.stopped += 1
        return self.closing


class CloseTests(SynchronousTestCase):
    """A port that is closed."""

    def setUp(self) -> None:
        """Make a port."""
        self.port = Port()
        self.clock = Clock()
        self.listening = Listening(self.port, self.clock)

    def test_no_valve(self) -> None:
        """A port that cannot be paused has no valve and no switch."""
        self.assertEqual((self.listening.valve, self.listening.switch), (None, None))
        self.assertEqual(self.listening.address.port, 9000)

    def test_each_call(self) -> None:
        """Each call has a Deferred of its own, which may be cancelled; the port is closed once."""
        first, second, third = (self.listening.close(5) for _ in range(3))
        third.cancel()
        self.failureResultOf(third)
        self.port.closing.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.listening.close(5))
        self.assertEqual(self.port.stopped, 1)

    def test_failure(self) -> None:
        """A port that fails is reported to the first who asked."""
        first, second = self.listening.close(5), self.listening.close(5)
        self.port.closing.errback(OSError("no"))
        self.failureResultOf(first, OSError)
        self.successResultOf(second)

    def test_too_long(self) -> None:
        """Nobody waits longer for a port than the timeout."""
        done = self.listening.close(5)
        self.clock.advance(5)
        self.successResultOf(done)


class HandOverTests(PeerCase):
    """A port that is handed over."""

    async def test_handed_over(self) -> None:
        """It reads, whatever had paused it, without our guard; it is closed for us, until it is taken back."""
        world = await self.world()
        listening = world.repeater._listening
        valve, port = listening.valve, listening._port
        assert valve is not None
        guard = port.socket  # type: ignore[attr-defined]
        guard._pause(OSError("no"))
        valve.close("max_clients")
        self.assertIs(listening.hand_over(), port)
        self.assertIs(port.socket, guard.listening)  # type: ignore[attr-defined]
        self.assertIn(port, reactor.getReaders())
        self.assertRaises(ValueError, listening.hand_over)
        await world.repeater.stop_listening()
        listening.take_back()
        self.assertIs(port.socket, guard)  # type: ignore[attr-defined]
        self.assertNotIn(port, reactor.getReaders())
        self.assertFalse(valve.has("descriptors"))
        valve.open("max_clients")
        await world.linked("ann")

    def test_cannot(self) -> None:
        """A port that cannot be paused, or that a fault has closed, cannot be handed over."""
        self.assertRaises(ValueError, Listening(Port(), Clock()).hand_over)
        port: Any = Port()
        port.pauseProducing = port.resumeProducing = lambda: None
        listening = Listening(port, Clock())
        assert listening.valve is not None
        listening.valve.close("down")
        self.assertRaises(ValueError, listening.hand_over)
        listening.valve.open("down")
        self.assertIs(listening.hand_over(), port)
        listening.take_back()
        self.assertIs(listening.hand_over(), port)


class CloseInOrderTests(PeerCase):
    """A port that is closed after those who wait are accepted."""

    async def test_queue(self) -> None:
        """Who waits in the listen queue is linked; later ones cannot connect; links stay until the shutdown."""
        world = await self.world()
        client, peer = await world.linked("ann")
        waiting = [socket.create_connection(("127.0.0.1", world.repeater.port)) for _ in range(CROWD)]
        for number, each in enumerate(waiting):
            self.addCleanup(each.close)
            each.sendall(hello(f"client {number}"))
        await world.repeater.stop_listening()
        with closing(socket.socket()) as late:
            self.assertRaises(ConnectionRefusedError, late.connect, ("127.0.0.1", world.repeater.port))
        await world.calls.until(lambda: len(world.repeater.links()) == CROWD + 1)
        client.send(b"one")
        await peer.seen.holds(b"one")
        await world.repeater.stop_listening()
        await world.repeater.shutdown()
        self.assertEqual(world.refusals, [])

    async def test_shut_down_meanwhile(self) -> None:
        """A shutdown ends the accepting of those who wait."""
        world = await self.world()
        waiting = [socket.create_connection(("127.0.0.1", world.repeater.port)) for _ in range(CROWD)]
        stopped = world.repeater.stop_listening()
        await world.repeater.shutdown()
        await stopped
        for each in waiting:
            each.close()

    async def test_too_many(self) -> None:
        """No more than a number of those who wait are accepted: an endless stream does not keep the port open."""
        self.patch(module, "MAX_WAITING", 0)
        world = await self.world()
        with closing(socket.create_connection(("127.0.0.1", world.repeater.port))):
            await world.repeater.stop_listening()
        self.assertEqual(world.repeater.links(), [])

    async def test_full(self) -> None:
        """While nobody is accepted, those who wait are not."""
        world = await self.world()
        valve = world.repeater._listening.valve
        assert valve is not None
        valve.close("max_clients")
        with closing(socket.create_connection(("127.0.0.1", world.repeater.port))):
            await world.repeater.stop_listening()
        self.assertEqual(world.repeater.links(), [])
