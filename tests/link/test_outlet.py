"""The writing half of a connection, whatever its transport: waiting, ending, and the peer's system."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_repeater._link.outlet import HIGH_WATER, MAX_POSTPONED, Outlet
from twisted_repeater._link.outlets import outlet_for
from twisted_repeater._sockets.socket_state import acknowledged
from twisted_repeater.errors import MarshalingError
from twisted_repeater.framings.length import Int32Framing

from ..peers import END, LOST, Seen, turn
from .connections import Far

reactor: Any = installed_reactor

MAX_WAITING = 1024 * 1024
BUFFER = 16 * 1024
"""What is asked of the system for its own buffers, to have them full soon."""


class Host:
    """Stands for an end of a link; ``told`` has what it heard, and how much waited when it did."""

    def __init__(self) -> None:
        self.told = Seen()
        self.link = self
        self.outlet: Any = None
        self.when_drained: Callable[[], object] = lambda: None

    def connection_full(self, connection: object) -> None:
        """See `Pair`."""
        self.told.append("full")

    def connection_drained(self, connection: object) -> None:
        """See `Pair`."""
        self.told.append("drained")
        self.when_drained()

    def connection_overflowed(self, connection: object) -> None:
        """See `Pair`."""
        self.told.append("overflowed")

    def marshaling_error(self, connection: object, error: MarshalingError) -> None:
        """See `Pair`."""
        self.told.append(error)

    def read_the_last(self) -> None:
        """See `Pair`."""
        self.told.append("lost")


def new_host() -> Any:
    """Return a stand-in for a connection and its link."""
    return Host()


class Raw(Far):
    """One side of a connection that keeps everything it receives."""

    def has(self, size: int) -> Deferred[None]:
        """Fire when so many bytes came."""
        return self.seen.until(lambda: len(self.received) >= size)


class SocketCase(TestCase):
    """A test case with an outlet on a real connection, and its peer."""

    timeout = 60
    unix = False

    async def setUp(self) -> None:  # type: ignore[override]
        """Connect them."""
        self.own, self.peer = Raw(), Raw()
        accepted: Deferred[Any] = Deferred()
        self.peer.connectionMade = lambda: (Raw.connectionMade(self.peer), accepted.callback(None))  # type: ignore
        factory = Factory.forProtocol(lambda: self.peer)
        factory.noisy = False
        if self.unix:
            path = self.mktemp()
            port = reactor.listenUNIX(path, factory)
            endpoint: Any = UNIXClientEndpoint(reactor, path)
        else:
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        self.addCleanup(port.stopListening)
        self.addCleanup(self.cut_off)
        await endpoint.connect(Factory.forProtocol(lambda: self.own))
        await accepted
        self.host = new_host()
        self.outlet = self.host.outlet = outlet_for(self.own.transport, self.host, Int32Framing(1 << 30), MAX_WAITING)

    async def cut_off(self) -> None:
        """Close both ends."""
        for end in (self.own, self.peer):
            if end.connected and LOST not in end.seen:
                end.transport.abortConnection()
                await end.seen.holds(LOST)

    async def fill(self) -> bytes:
        """Push until the outlet is full, while the peer doesn't read. Gives what was pushed."""
        self.peer.transport.pauseProducing()
        pushed = bytearray()
        while not self.outlet.full:
            piece = random.randbytes(10_000)
            pushed += piece
            self.outlet.push([piece])
            await turn()
        return bytes(pushed)


class PauseTests(SynchronousTestCase):
    """A transport that asks for a pause."""

    def test_order(self) -> None:
        """During the pause everything waits, in order and joined; the host hears of it once."""
        host = new_host()
        transport = StringTransport()
        outlet = outlet_for(transport, host, Int32Framing(100), MAX_WAITING)
        outlet.send(b"first ")
        outlet.pauseProducing()
        outlet.pauseProducing()
        outlet.push([b"one ", b"two "])
        outlet.send(b"three")
        self.assertEqual((transport.value(), outlet.waiting, host.told), (b"first ", 13, ["full"]))
        outlet.resumeProducing()
        self.assertEqual((transport.value(), host.told), (b"first one two three", ["full", "drained"]))


class PieceTests(SynchronousTestCase):
    """A frame that comes in pieces."""

    def test_order(self) -> None:
        """What was postponed comes before it, what is sent or pushed meanwhile after it, also during a pause."""
        host = new_host()
        transport = StringTransport()
        outlet = outlet_for(transport, host, Int32Framing(100), MAX_WAITING)
        outlet.postpone(lambda outlet: b"postponed ")
        outlet.push_part([b"begun "], True)
        self.assertFalse(outlet.someone_waits)
        outlet.send(b"sent ")
        outlet.push([b"pushed "])
        outlet.push_part([b"more "], True)
        self.assertEqual((outlet.someone_waits, transport.value()), (True, b"postponed begun more "))
        outlet.pauseProducing()
        outlet.push_part([b"end "], False)
        self.assertEqual((outlet.someone_waits, outlet.waiting), (False, len(b"end sent pushed ")))
        outlet.resumeProducing()
        self.assertEqual(transport.value(), b"postponed begun more end sent pushed ")
        self.assertEqual(host.told, ["full", "drained"])

    def test_ended(self) -> None:
        """After the end nothing is written, and nobody waits."""
        transport = StringTransport()
        outlet = outlet_for(transport, new_host(), Int32Framing(100), MAX_WAITING)
        outlet.push_part([b"begun"], True)
        outlet.when_empty(lambda: None)
        outlet.push_part([b"end"], False)
        outlet.push([b"late"])
        outlet.send(b"late")
        self.assertEqual(transport.value(), b"begun")

    def test_ended_by_the_end(self) -> None:
        """If the outlet ends as the last piece is written, those who wait are not written any more."""
        host = new_host()
        transport = StringTransport()
        outlet = outlet_for(transport, host, Int32Framing(100), MAX_WAITING)
        outlet.push_part([b"begun"], True)
        outlet.send(b"waits")
        host.connection_full = lambda connection: outlet.discard()
        outlet._busy = True
        outlet.push_part([bytes(HIGH_WATER + 1)], False)
        outlet.resumeProducing()
        self.assertEqual((transport.value(), outlet.waiting), (b"begun", 0))


class OverflowTests(SocketCase):
    """An application that sends more than its peer takes."""

    async def test_overflow(self) -> None:
        """The host hears of the first message above what may wait; that message is not taken."""
        await self.fill()
        while "overflowed" not in self.host.told:
            before = self.outlet.waiting
            self.outlet.send(bytes(50_000))
        self.assertEqual(self.outlet.waiting, before)
        self.assertGreater(before, MAX_WAITING)
        self.assertLess(before, MAX_WAITING + 50_000 + HIGH_WATER + 10_000)

    async def test_pushed_bytes_do_not_count(self) -> None:
        """However much a peer sent at once, a message of the application's own may wait behind it."""
        self.peer.transport.pauseProducing()
        self.outlet.push([bytes(20 * MAX_WAITING)])
        self.outlet.send(b"tick")
        self.assertEqual(self.host.told, ["full"])
        self.peer.transport.resumeProducing()
        await self.peer.has(20 * MAX_WAITING + 4)
        self.assertTrue(self.peer.received.endswith(b"tick"))

    async def test_count_is_of_what_waits(self) -> None:
        """What was pushed and is gone gives no allowance: the application's own bytes are limited as ever."""
        for _ in range(20):
            self.outlet.send(b"a small one keeps the outlet busy")
            self.outlet.push([bytes(60_000)])
            while self.outlet.waiting > 10_000:
                await turn()
        self.peer.transport.pauseProducing()
        while "overflowed" not in self.host.told:
            self.outlet.send(bytes(50_000))
        self.assertLess(self.outlet.waiting, MAX_WAITING + 50_000 + HIGH_WATER + 60_000)


class PostponedTests(SocketCase):
    """Frames that are sent later, but before anything else."""

    def postpone(self, *frames: bytes) -> list[bool]:
        """Postpone frames; gives what `postpone` did."""
        makers: list[Callable[[Any], bytes]] = [lambda outlet, frame=frame: frame for frame in frames]  # type: ignore
        return [self.outlet.postpone(make) for make in makers]

    async def assert_received(self, expected: bytes) -> None:
        """Check what the peer gets."""
        await self.peer.has(len(expected))
        await turn(3)
        self.assertEqual(self.peer.received, expected)

    async def test_later(self) -> None:
        """They are sent when that is asked for, in order; the first is told apart."""
        self.assertEqual(self.postpone(b"one ", b"two "), [True, False])
        await turn(3)
        self.assertEqual(self.peer.received, b"")
        self.outlet.send_postponed()
        self.assertEqual(self.postpone(b"three"), [True])
        self.outlet.send_postponed()
        self.outlet.send_postponed()
        await self.assert_received(b"one two three")

    async def test_before_anything_else(self) -> None:
        """Nothing that is written behind them overtakes them."""
        self.postpone(b"one ", b"two ")
        self.outlet.push([b"pushed "])
        self.postpone(b"three ")
        self.outlet.send(b"sent ")
        self.postpone(b"four ")
        self.outlet.send(b"sent at once ", at_once=True)
        await self.assert_received(b"one two pushed three sent four sent at once ")

    async def test_within_one_of_them(self) -> None:
        """Something that is sent while one is made comes behind them all."""

        def make(outlet: Any) -> None:
            outlet.send(b"sent")

        self.outlet.postpone(make)
        self.postpone(b"one ", b"two ")
        self.outlet.send_postponed()
        await self.assert_received(b"one two sent")

    async def test_end(self) -> None:
        """They go out before the stream ends."""
        self.postpone(b"one ", b"two")
        self.outlet.when_empty(self.own.transport.loseConnection)
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.received, b"one two")

    async def test_discarded(self) -> None:
        """They are dropped with what waits."""
        self.postpone(b"one")
        self.outlet.discard()
        self.outlet.send_postponed()
        self.outlet.push([b"pushed"])
        await turn(3)
        self.assertEqual(self.peer.received, b"")

    async def test_many(self) -> None:
        """No more than so many wait: then they are sent at once."""
        frames = [b"%04d" % number for number in range(MAX_POSTPONED + 1)]
        self.postpone(*frames)
        await self.assert_received(b"".join(frames))


class EndTests(SocketCase):
    """How the writing ends."""

    async def test_when_empty(self) -> None:
        """What was written before goes out first; nothing is taken any more; no producer is left to hold up closing."""
        pushed = await self.fill()
        ended: list[Any] = []

        def then() -> None:
            ended.append(self.own.transport.producer)
            self.own.transport.loseConnection()

        self.outlet.when_empty(then)
        self.outlet.when_empty(lambda: ended.append("again"))
        self.outlet.push([b"too late"])
        self.outlet.send(b"too late")
        self.assertEqual((self.outlet.ended, ended), (True, []))
        self.peer.transport.resumeProducing()
        await self.own.seen.holds(LOST)
        await self.peer.seen.holds(END)
        self.assertEqual((self.peer.received, ended), (pushed, [None]))
        self.assertEqual(self.host.told, ["full", "drained"])

    async def test_when_empty_already(self) -> None:
        """An outlet without anything waiting ends at once."""
        ended: list[Any] = []
        self.outlet.when_empty(lambda: ended.append(self.own.transport.producer))
        self.assertEqual(ended, [None])

    async def test_half_close(self) -> None:
        """The stream can be ended alone: the peer's own is still read."""
        self.assertTrue(self.outlet.can_half_close)
        self.outlet.push([b"last"])
        self.outlet.when_empty(self.own.transport.loseWriteConnection)
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.received, b"last")
        self.peer.transport.write(b"answer")
        await self.own.has(6)
        self.assertEqual(self.own.received, b"answer")

    async def test_reset(self) -> None:
        """A connection that the peer has reset loses no word about it: the transport finds it out and tells."""
        self.own.transport.pauseProducing()
        self.peer.transport.abortConnection()
        await self.peer.seen.holds(LOST)
        self.outlet.push([b"one"])
        self.assertEqual(self.own.seen, [])
        self.outlet.push([b"two"])
        self.outlet.send(b"three")
        await self.own.seen.holds(LOST)
        self.assertIsInstance(self.own.reason, ConnectionLost)
        self.assertEqual(self.host.told, ["lost"])
        self.outlet.push([b"four"])
        self.outlet.send(b"five")
        self.assertEqual((self.outlet.ended, self.outlet.waiting), (True, 0))

    async def test_lost_before_the_end(self) -> None:
        """A connection that breaks while the last bytes wait has no end any more."""
        await self.fill()
        self.outlet.when_empty(lambda: self.fail("it did not get empty"))
        self.peer.transport.abortConnection()
        await self.own.seen.holds(LOST)
        self.assertEqual((self.host.told, self.outlet.waiting), (["full", "lost"], 0))

    async def test_lost_with_the_socket_open(self) -> None:
        """The host hears of the loss while the socket can still be read."""
        heard: list[Any] = []
        self.host.read_the_last = lambda: heard.append(self.own.transport.getHandle().fileno())
        self.own.transport.abortConnection()
        await self.own.seen.holds(LOST)
        self.assertIsInstance(self.own.reason, ConnectionAborted)
        self.assertGreater(heard[0], 0)

    async def test_end_stream(self) -> None:
        """Our stream ends at once, and the host hears of a loss as before."""
        self.outlet.when_empty(self.outlet.end_stream)
        await self.peer.seen.holds(END)
        self.assertEqual(self.host.told, [])
        self.peer.transport.abortConnection()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.host.told, ["lost"])

    async def test_innermost(self) -> None:
        """The transport that has the socket is known."""
        self.assertIs(self.outlet.innermost, self.own.transport)

    async def test_discard(self) -> None:
        """What waits can be dropped; the transport, when it has sent what it was handed, gets no more."""
        await self.fill()
        self.outlet.discard()
        self.assertEqual((self.outlet.ended, self.outlet.full, self.outlet.waiting), (True, False, 0))
        self.peer.transport.resumeProducing()
        await turn(20)
        self.assertEqual((self.outlet.waiting, self.host.told), (0, ["full"]))

    async def test_close_connection(self) -> None:
        """The connection itself can be closed, when nothing is to come."""
        self.outlet.when_empty(lambda: None)
        Outlet.close_connection(self.outlet)  # as it is where the transport is not a plain socket
        await self.own.seen.holds(LOST)


class TakenTests(SocketCase):
    """What is known of the peer's system."""

    async def test_unacknowledged(self) -> None:
        """It is known how much the peer's system has not taken, until the peer reads."""
        self.assertEqual(self.outlet.unacknowledged(), 0)
        await self.fill()
        waiting = self.outlet.unacknowledged()
        assert waiting is not None
        self.assertGreater(waiting, 0)
        self.peer.transport.resumeProducing()
        await self.host.told.holds("drained")
        while self.outlet.unacknowledged():
            await turn()

    async def test_acknowledged(self) -> None:
        """It is seen when the peer's system has taken something, while much more waits."""

        def taken() -> tuple[Any, Any]:
            return (self.outlet.progress, acknowledged(self.own.transport.getHandle()))

        await self.fill()
        before = taken()
        await turn(20)
        self.assertEqual(taken(), before)
        self.peer.transport.resumeProducing()
        await self.peer.has(1)
        self.peer.transport.pauseProducing()
        while taken() == before:
            await turn()

    async def test_lost(self) -> None:
        """Nothing is known of a lost connection."""
        handle = self.own.transport.getHandle()
        self.own.transport.abortConnection()
        await self.own.seen.holds(LOST)
        self.assertEqual((self.outlet.unacknowledged(), acknowledged(handle)), (None, None))

    async def test_wrapped(self) -> None:
        """It is known through wrappers around the transport, such as TLS, too."""
        self.own.transport.unregisterProducer()
        wrapper = ProtocolWrapper(WrappingFactory(Factory()), self.own)
        wrapper.transport = self.own.transport
        outlet: Any = outlet_for(wrapper, self.host, Int32Framing(100), MAX_WAITING)
        self.assertFalse(outlet.can_half_close)
        before = acknowledged(outlet.socket)
        outlet.push([b"wrapped"])
        await self.peer.has(7)
        while outlet.unacknowledged() or acknowledged(outlet.socket) == before:
            await turn()


class TakenAwayTests(SynchronousTestCase):
    """A connection that is taken away from its reactor."""

    class Transport(StringTransport):
        """One with a socket; its own end may fail before that is closed."""

        def __init__(self, fails: bool) -> None:
            super().__init__()
            self.fails = fails
            self.told: list[str] = []
            self.socket: Any = socket.socket()

        def connectionLost(self, reason: Failure) -> None:
            """See `IReadDescriptor`."""
            if self.fails:
                raise OSError
            self.socket.close()
            del self.socket

        def stopReading(self) -> None:
            """See `IReadDescriptor`."""
            self.told.append("stopReading")

        def stopWriting(self) -> None:
            """See `IWriteDescriptor`."""
            self.told.append("stopWriting")

    def test_hand_over(self) -> None:
        """Another outlet may take over: the transport writes what waits here first, and a full outlet is drained."""
        transport = StringTransport()
        host = new_host()
        outlet = outlet_for(transport, host, Int32Framing(8), 100)
        outlet.push([b"one"])
        outlet.hand_over()
        other = outlet_for(transport, host, Int32Framing(8), 100)
        other.pauseProducing()
        other.push([b"two", b"three"])
        self.assertEqual((transport.value(), host.told), (b"one", ["full"]))
        other.hand_over()
        self.assertEqual((transport.value(), host.told), (b"onetwothree", ["full", "drained"]))
        self.assertIsNone(transport.producer)

    def test_take_away(self) -> None:
        """Its transport is told that it is lost; where that fails, the socket is closed all the same."""
        for fails in (False, True):
            transport: Any = self.Transport(fails)
            held = transport.socket
            host = new_host()
            outlet = outlet_for(transport, host, Int32Framing(8), 100)
            reason = Failure(ConnectionAborted())
            if fails:
                self.assertRaises(OSError, outlet.take_away, reason)
            else:
                outlet.take_away(reason)
            self.assertEqual(held.fileno(), -1)
            self.assertEqual(transport.told, ["stopReading", "stopWriting"] if fails else [])
