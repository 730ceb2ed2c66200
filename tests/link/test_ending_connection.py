"""How a connection ends: in order, when there is no more time, and when it breaks."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, TCPTimedOutError
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure

from twisted_repeater import Side
from twisted_repeater._link import ending_connection
from twisted_repeater._link.closing import WRITTEN, ConnectionState
from twisted_repeater._link.ending_connection import ACKNOWLEDGED_POLL, FORCED, QUIET_POLLS
from twisted_repeater._link.starting_tls import TLSHandshake
from twisted_repeater._sockets.connection_monitor import SETTLED, UNREAD_EVERY
from twisted_repeater._sockets.socket_state import HangUp, hang_ups, tcp_state, unread_size

from ..peers import END, LOST, turn
from ..vanishing import can_vanish, vanish
from .connections import (
    MemoryCase,
    SocketCase,
    reactor,
)


class StateTests(MemoryCase):
    """The states of a connection, in memory."""

    def test_progress_without_a_connection(self) -> None:
        """Before the connection is there, and after, it makes no progress."""
        self.assertIsNone(self.connection.progress())
        self.connect()
        self.assertIsNotNone(self.connection.progress())
        self.connection.connectionLost()
        self.assertIsNone(self.connection.progress())

    def test_before(self) -> None:
        """Before there is a connection nothing is there to be closed."""
        self.assertTrue(self.connection.gone)
        self.assertIs(self.connection.state, ConnectionState.UNCONNECTED)
        for close in (
            self.connection.drop,
            self.connection.end_stream,
            self.connection.close,
            self.connection.force,
            self.connection.abort,
        ):
            close()
        self.assertEqual(self.host.told, [])

    def test_stopped(self) -> None:
        """The link hears once that the peer has ended its stream; reading is not touched any more."""
        self.connect()
        self.connection.valve.close("lane")
        self.connection.readConnectionLost()
        self.connection.readConnectionLost()
        self.assertEqual((self.host.told, self.connection.ended, self.connection.lost), (["stopped"], True, False))
        self.connection.valve.open("lane")
        self.assertTrue(self.paused())

    def test_lost(self) -> None:
        """The link hears once that the connection is gone; nothing is written any more."""
        self.connect()
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((self.host.told, self.connection.ended, self.connection.lost), ([ConnectionLost], True, True))
        self.assertTrue(self.connection.outlet.ended)
        for close in (
            self.connection.drop,
            self.connection.end_stream,
            self.connection.close,
            self.connection.force,
            self.connection.abort,
        ):
            close()
        self.assertFalse(self.transport.disconnecting)

    def test_own_stream_is_written(self) -> None:
        """Once its own stream has ended, closing has nothing to wait for."""
        self.connect()
        self.connection.writeConnectionLost()
        self.assertFalse(self.transport.disconnecting)
        self.connection.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual((self.clock.getDelayedCalls(), self.connection.state), ([], ConnectionState.CLOSED))

    def test_vanishes(self) -> None:
        """The link hears of a peer that has vanished; a transport without a socket has nothing more to be read."""
        self.connect()
        self.connection.vanish()
        self.assertEqual(self.host.told, [("vanished", TCPTimedOutError)])

    def test_looked_after(self) -> None:
        """A connection that waits for its peer is looked at in its own time, also when it is closed again."""
        self.connect()
        self.connection.close()
        self.connection.close()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertIs(self.connection.state, ConnectionState.DRAINING)

    def test_logged(self) -> None:
        """In Python's development mode each move of its state is logged, at debug level."""
        self.patch(ending_connection, "LOG_MOVES", True)
        with capturedLogs() as captured:
            self.connect()
            self.connection.readConnectionLost()
        self.assertEqual({event["log_level"] for event in captured}, {LogLevel.debug})
        lines = ["client: UNCONNECTED, CONNECTED: OPEN", "client: OPEN, PEER_ENDED: PEER_ENDED"]
        self.assertEqual([formatEvent(event) for event in captured], lines)


class NoHalfCloseTests(MemoryCase):
    """Closing where a stream cannot be ended alone, as with TLS."""

    def setUp(self) -> None:
        """Connect it."""
        super().setUp()
        self.connect()

    def test_end_stream(self) -> None:
        """The transport is told to close, which for TLS means that what the peer still sends is received."""
        received: list[bytes] = []
        self.connection.receive = received.append
        self.connection.outlet.pauseProducing()
        self.connection.outlet.push([b"last"])
        self.connection.end_stream()
        self.assertFalse(self.transport.disconnecting)
        self.connection.outlet.resumeProducing()
        self.assertEqual((self.transport.value(), self.transport.disconnecting), (b"last", True))
        self.connection.receive(b"still")
        self.assertEqual(received, [b"still"])

    def test_end_stream_then_close(self) -> None:
        """Then closing doesn't wait for the peer, once it has taken everything."""
        self.connection.end_stream()
        self.transport.disconnecting = False
        self.connection.close()
        self.assertTrue(self.transport.disconnecting)

    def test_close_without_an_answer(self) -> None:
        """A transport that waits for the peer to agree to its closing is closed underneath soon."""
        self.connection.close()
        self.transport.disconnecting = False
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)

    def test_close_and_lost(self) -> None:
        """A transport that closes at once is not looked after."""
        self.transport.loseConnection = lambda: self.connection.connectionLost()  # type: ignore[method-assign]
        self.connection.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self) -> None:
        """What waits goes out, then the transport closes; what the peer sends is dropped, and so is a pause."""
        self.connection.valve.close("lane")
        self.connection.outlet.pauseProducing()
        self.connection.outlet.push([b"last"])
        self.connection.close()
        self.connection.receive(b"ignored")
        self.assertEqual((self.paused(), self.transport.disconnecting), (False, False))
        self.connection.outlet.resumeProducing()
        self.assertEqual((self.transport.value(), self.transport.disconnecting), (b"last", True))

    def test_force(self) -> None:
        """In the end the transport is aborted."""
        self.connection.close()
        self.connection.force()
        self.assertTrue(self.transport.disconnected)


class ClosingTests(SocketCase):
    """Closing on a plain socket."""

    def test_options(self) -> None:
        """A connection notices in time that its peer has died, and small messages leave at once."""
        self.assertTrue(self.own.transport.getTcpNoDelay())
        self.clock.advance(SETTLED)
        self.assertTrue(self.own.transport.getTcpKeepAlive())

    async def test_close(self) -> None:
        """What was written arrives, then the end of the stream; then the connection is gone, in good order."""
        self.connection.outlet.push([b"last"])
        self.connection.close()
        self.connection.close()
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.received, b"last")
        while LOST not in self.own.seen:
            await turn()
            self.clock.advance(ACKNOWLEDGED_POLL)
        self.assertEqual(self.host.told, [ConnectionDone])

    async def test_close_slow_reader(self) -> None:
        """The connection isn't closed before the peer's system has taken everything."""
        pushed = await self.fill()
        self.connection.close()
        for _ in range(50):
            await turn()
            self.clock.advance(ACKNOWLEDGED_POLL)
        self.assertEqual(self.own.seen, [])
        self.peer.transport.resumeProducing()
        while LOST not in self.own.seen:
            await turn()
            self.clock.advance(ACKNOWLEDGED_POLL)
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.received, pushed)
        self.assertEqual(self.host.told, ["full", "drained", ConnectionDone])

    async def test_close_while_peer_answers(self) -> None:
        """As long as something comes of a peer that has taken everything, the connection stays; then it is closed."""
        self.connection.close()
        await self.peer.seen.holds(END)
        for number in range(3 * QUIET_POLLS):
            self.peer.transport.write(b"answer")
            await self.own.seen.reach(number + 1)
            self.clock.advance(ACKNOWLEDGED_POLL)
        self.assertNotIn(LOST, self.own.seen)
        while LOST not in self.own.seen:
            await turn()
            self.clock.advance(ACKNOWLEDGED_POLL)

    async def test_close_after_quiet(self) -> None:
        """A peer that was quiet long enough before the close, and has taken everything, is not waited for again."""
        self.patch(type(self.connection.outlet), "unacknowledged", lambda outlet: 0)
        self.connection.was_quiet()
        self.connection.close()
        await self.own.seen.holds(LOST)

    async def test_close_while_peer_sends(self) -> None:
        """A peer that goes on sending doesn't lose what it was sent: what comes from it is read, and dropped."""
        self.connection.valve.close("lane")
        self.peer.transport.write(bytes(500_000))
        pushed = await self.fill()
        self.connection.close()
        await turn(10)
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(END)
        self.assertEqual((len(self.peer.received), self.received), (len(pushed), []))
        while LOST not in self.own.seen:
            await turn()
            self.clock.advance(ACKNOWLEDGED_POLL)
        self.assertEqual(self.host.told, ["full", "drained", ConnectionDone])

    async def test_close_when_peer_has_ended(self) -> None:
        """A peer that has ended its stream is waited for no longer than until everything is written."""
        self.peer.transport.loseWriteConnection()
        await self.host.told.holds("stopped")
        self.connection.outlet.push([b"last"])
        self.connection.close()
        await self.own.seen.holds(LOST)
        await self.peer.seen.holds(END)
        self.assertEqual((self.peer.received, self.clock.getDelayedCalls()), (b"last", []))

    async def test_peer_ends_while_waited_for(self) -> None:
        """A peer that ends its stream, too, is not waited for any longer."""
        await self.fill()
        self.connection.close()
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(END)
        self.peer.transport.loseConnection()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.host.told, ["full", "drained", "stopped", ConnectionDone])

    async def test_end_stream(self) -> None:
        """The peer sees the end of the stream behind what was written, and is still heard."""
        self.connection.outlet.push([b"last"])
        self.connection.end_stream()
        await self.peer.seen.holds(END)
        self.peer.transport.write(b"still here")
        await self.received.reach(1)
        self.assertEqual((self.peer.received, self.received), (b"last", [b"still here"]))
        self.assertFalse(self.connection.gone)

    async def test_close_after_end_stream(self) -> None:
        """When the stream is ended already, closing is all that is left."""
        self.connection.end_stream()
        await self.peer.seen.holds(END)
        self.peer.transport.loseWriteConnection()
        await self.host.told.holds("stopped")
        self.connection.close()
        self.assertEqual(self.host.told, ["stopped", ConnectionDone])

    async def test_lost_while_waiting(self) -> None:
        """A connection that is lost while it waits for its peer leaves no timer."""
        await self.fill()
        self.connection.close()
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(END)
        self.connection.close()
        self.peer.transport.abortConnection()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_drop(self) -> None:
        """A connection on which nothing matters is closed at once; what comes meanwhile is dropped."""
        self.connection.drop()
        self.connection.drop()
        self.connection.receive(b"ignored")
        await self.peer.seen.holds(END)
        await self.own.seen.holds(LOST)
        self.assertEqual((self.received, self.host.told), ([], [ConnectionDone]))


class ForcingTests(SocketCase):
    """Closing when there is no more time."""

    async def test_force(self) -> None:
        """A peer that takes nothing is cut off."""
        await self.fill()
        self.connection.close()
        self.connection.force()
        self.connection.force()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.host.told, ["full", ConnectionAborted])
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(LOST)
        self.assertIsInstance(self.peer.reason, ConnectionLost)

    async def test_force_when_written(self) -> None:
        """What the system has taken is delivered all the same, and the end of the stream behind it."""
        self.peer.transport.pauseProducing()
        self.connection.outlet.push([b"last"])
        self.connection.close()
        while self.connection.state not in WRITTEN:
            await turn()
        self.connection.force()
        self.assertEqual(self.host.told, [ConnectionDone])
        self.connection.force()
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.received, b"last")

    async def test_force_when_nothing_waits(self) -> None:
        """A peer that has taken everything sees nothing but the end of the stream."""
        self.connection.outlet.push([b"last"])
        await self.peer.seen.reach(1)
        while self.connection.outlet.unacknowledged():
            await turn()
        self.connection.force()
        await self.peer.seen.holds(END)
        await self.own.seen.holds(LOST)
        self.assertEqual(self.host.told, [ConnectionDone])

    async def test_abort(self) -> None:
        """Nothing that waits goes out, nothing that comes is heard."""
        await self.fill()
        self.peer.transport.write(b"unheard")
        self.connection.abort()
        self.assertTrue(self.connection.outlet.ended)
        await self.own.seen.holds(LOST)
        self.assertEqual((self.received, self.host.told), ([], ["full", ConnectionAborted]))

    async def test_progress(self) -> None:
        """It is seen whether the peer takes something."""
        await self.fill()
        before = self.connection.progress()
        await turn(20)
        self.assertEqual(self.connection.progress(), before)
        self.peer.transport.resumeProducing()
        await self.peer.seen.reach(1)
        self.peer.transport.pauseProducing()
        while self.connection.progress() == before:
            await turn()


class LastWordsTests(SocketCase):
    """A connection that breaks with bytes in it that were not read yet."""

    async def break_it(self) -> None:
        """Write to a peer that has sent something, while nothing was read, and is gone then."""
        self.connection.valve.close("lane")
        self.peer.transport.write(bytes(20_000))
        await turn(5)
        self.peer.transport.abortConnection()
        await self.peer.seen.holds(LOST)
        self.connection.outlet.push([b"nobody reads this"])
        await self.own.seen.holds(LOST)

    async def test_received(self) -> None:
        """They are received before the link hears of the loss."""
        heard: list[Any] = []
        self.connection.receive = lambda data: heard.append((len(data), list(self.host.told)))
        await self.break_it()
        self.assertEqual(heard, [(20_000, [])])
        self.assertEqual(self.host.told, [ConnectionLost])

    async def test_not_when_closing(self) -> None:
        """Where nothing that comes matters any more they are left unread."""
        await self.fill()
        self.connection.close()
        self.own.transport.pauseProducing()
        self.peer.transport.write(bytes(20_000))
        await turn(5)
        self.peer.transport.abortConnection()
        await self.own.seen.holds(LOST)
        self.assertEqual((self.own.seen, self.received), ([LOST], []))

    async def test_bug(self) -> None:
        """Whatever happens then, the connection is closed."""

        def receive(data: bytes) -> None:
            raise ZeroDivisionError

        self.connection.receive = receive
        await self.break_it()
        self.assertEqual(self.host.told, [ConnectionLost])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class LastReadTests(SocketCase):
    """Whatever says that a connection or its stream is at its end, what the system still has is read first."""

    def stale_end(self) -> None:
        """Do what a reactor does that takes a hang-up it was told of before for the end of what is read now."""
        self.own.transport.stopReading()
        self.own.transport.readConnectionLost(Failure(ConnectionDone()))

    async def unread(self, size: int = 200_000) -> None:
        """Have so much come that is not read."""
        self.connection.valve.close("lane")
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            for shell in (self.own, self.peer):
                shell.transport.getHandle().setsockopt(socket.SOL_SOCKET, option, 4 * size)
        self.peer.transport.write(bytes(size))
        while unread_size(self.own.transport.getHandle()) < size:
            await turn()

    async def reset(self) -> None:
        """Have the peer reset the connection, which only the system knows then if nobody reads."""
        self.peer.transport.abortConnection()
        await self.peer.seen.holds(LOST)
        while LOST not in self.own.seen and hang_ups([self.own.transport.getHandle()])[0] is not HangUp.BROKEN:
            await turn()

    def received_size(self) -> int:
        """How much the end was fed."""
        return sum(map(len, self.received))

    async def test_stale_end_of_stream(self) -> None:
        """The end of the stream is believed when all that came before it is read."""
        await self.unread()
        self.peer.transport.loseWriteConnection()
        self.connection.valve.open("lane")
        heard: list[Any] = []
        self.connection.receive = lambda data: heard.append((len(data), list(self.host.told)))
        self.stale_end()
        self.assertEqual((sum(size for size, _ in heard), heard[-1][1]), (200_000, []))
        self.assertEqual(self.host.told, ["stopped"])

    async def test_stale_end_of_broken(self) -> None:
        """A connection that is broken is lost, after the last byte that came; it is no half-closed one."""
        await self.unread()
        await self.reset()
        self.connection.valve.open("lane")
        self.stale_end()
        self.assertEqual((self.received_size(), self.host.told), (200_000, [ConnectionLost]))

    async def test_stale_end_after_write(self) -> None:
        """So it is when a write has used up the error."""
        await self.unread()
        await self.reset()
        self.assertRaises(OSError, self.own.transport.getHandle().send, b"x")
        self.connection.valve.open("lane")
        self.stale_end()
        self.assertEqual((self.received_size(), self.host.told), (200_000, [ConnectionLost]))

    async def test_both_ended(self) -> None:
        """Where both streams have ended in good order the connection is not broken."""
        self.connection.end_stream()
        await self.peer.seen.holds(END)
        self.peer.transport.loseConnection()
        await self.host.told.holds("stopped")
        self.assertEqual(self.host.told, ["stopped"])

    async def test_reset_unread(self) -> None:
        """A reset of a connection that is not read is found: what came before is received, then it is lost."""
        await self.unread()
        await self.reset()
        self.assertEqual((self.host.told, self.received), ([], []))
        self.clock.advance(UNREAD_EVERY)
        self.assertEqual((self.received_size(), self.host.told), (200_000, [ConnectionLost]))

    async def test_end_unread(self) -> None:
        """The end of a stream that is not read is told as just that, and nothing is read for it."""
        await self.unread()
        self.peer.transport.loseWriteConnection()
        while not self.host.told:
            await turn()
            self.clock.advance(UNREAD_EVERY)
        self.assertEqual((self.host.told, self.received), (["stops unread"], []))
        self.connection.valve.open("lane")
        await self.host.told.holds("stopped")
        self.assertEqual(self.received_size(), 200_000)

    async def test_reset_after_end(self) -> None:
        """A connection whose peer has ended its stream is read no more; its reset is found all the same."""
        self.peer.transport.loseWriteConnection()
        await self.host.told.holds("stopped")
        self.clock.advance(UNREAD_EVERY)
        self.assertEqual(self.host.told, ["stopped"])
        await self.reset()
        self.clock.advance(UNREAD_EVERY)
        self.assertEqual(self.host.told, ["stopped", ConnectionLost])

    async def test_reset_after_own_end(self) -> None:
        """What a peer sent after our own stream ended is received when its connection breaks unread."""
        self.connection.end_stream()
        await self.peer.seen.holds(END)
        await self.unread(20_000)
        await self.reset()
        self.own.transport.connectionLost(Failure(ConnectionLost()))  # as from a reactor that waits to write
        self.assertEqual((self.received_size(), self.host.told), (20_000, [ConnectionLost]))

    async def test_vanish(self) -> None:
        """What came of a peer before it vanished is received before the link hears of that."""
        await self.unread()
        self.connection.vanish()
        self.assertEqual((self.received_size(), self.host.told), (200_000, [("vanished", TCPTimedOutError)]))
        self.connection.abort()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.host.told[1:], [TCPTimedOutError])
        self.connection.vanish()
        self.assertEqual(len(self.host.told), 2)

    async def test_nothing_to_read(self) -> None:
        """Reading ends where the end itself is dropped meanwhile."""
        await self.unread()
        self.connection.receive = lambda data: self.connection.abort()
        self.stale_end()
        await self.own.seen.holds(LOST)
        self.assertEqual(len([item for item in self.own.seen if isinstance(item, int)]), 1)

    async def test_bounded(self) -> None:
        """A peer that would go on for ever is not read for ever."""
        self.patch(ending_connection, "MAX_LAST_READS", 1)
        await self.unread()
        self.connection.vanish()
        self.assertEqual(len(self.received), 1)

    async def test_given_up(self) -> None:
        """A connection that the system gave up because its peer was silent says so; any other does not."""
        can_vanish(self)
        handle = self.own.transport.getHandle()
        self.monitor.timeout = 0.05
        vanish(self.peer.transport.getHandle())
        self.connection.outlet.push([b"x"])
        while not (state := tcp_state(handle)) or not state.unanswered or state.silence < 0.05:
            await turn()
        self.own.transport.connectionLost(Failure(ConnectionLost()))  # what a keep-alive that ran out looks like
        self.assertEqual((self.host.told, type(self.connection.loss)), ([TCPTimedOutError], TCPTimedOutError))

    async def test_not_given_up(self) -> None:
        """A connection whose peer was heard of lately broke for another reason."""
        self.monitor.timeout = 1000
        await self.reset()
        await self.own.seen.holds(LOST)
        self.assertEqual(self.host.told, [ConnectionLost])


class LastResortTests(SocketCase):
    """A transport that does not do what it is asked for."""

    def nothing(self) -> None:
        """What a transport does for which its reactor does nothing any more."""

    def fails(self) -> None:
        """A transport that is broken."""
        raise OSError("broken")

    async def check_ends(self, *lines: str) -> None:
        """See the connection end when time passes, in the log with these lines, and its socket closed."""
        with capturedLogs() as captured:
            self.clock.advance(FORCED - 0.1)
            self.assertFalse(self.connection.gone)
            self.clock.advance(FORCED)
            self.clock.advance(FORCED)
        self.assertEqual([formatEvent(event) for event in captured], list(lines))
        self.assertEqual(self.host.told, [ConnectionAborted])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        await self.peer.seen.until(lambda: LOST in self.peer.seen or END in self.peer.seen)
        self.assertNotIn(self.own.transport, reactor.getReaders() + reactor.getWriters())

    async def test_aborting_does_nothing(self) -> None:
        """A connection that is still there when it was aborted is ended without its transport; its socket is closed."""
        self.own.transport.abortConnection = self.nothing
        self.connection.abort()
        self.connection.abort()
        await self.check_ends("the connection of the client does not end when aborted: its socket is closed")

    async def test_closing_does_nothing(self) -> None:
        """One that is still there when it was forced to close in good order is aborted first."""
        self.own.transport.loseConnection = self.own.transport.loseWriteConnection = self.nothing
        self.own.transport.stopReading()
        self.connection.drop()
        self.connection.force()
        await self.own.seen.until(lambda: LOST in self.own.seen)
        self.assertEqual((self.host.told, self.clock.getDelayedCalls()), ([ConnectionAborted], []))

    async def test_thrown_out(self) -> None:
        """So is one that the reactor has thrown out while it was closing in good order, although nothing waits."""
        self.connection.force()
        reactor.removeWriter(self.own.transport)
        self.clock.advance(FORCED)
        await self.own.seen.until(lambda: LOST in self.own.seen)
        self.assertEqual((self.host.told, self.clock.getDelayedCalls()), ([ConnectionAborted], []))

    async def test_aborted_when_forced(self) -> None:
        """One that is aborted after it was forced has all the time for that."""
        self.own.transport.loseConnection = self.own.transport.abortConnection = self.nothing
        self.connection.force()
        self.clock.advance(FORCED - 0.1)
        self.connection.abort()
        await self.check_ends("the connection of the client does not end when aborted: its socket is closed")

    async def test_closing_fails(self) -> None:
        """Where the transport raises when it is to close, however that is asked for, the connection is aborted."""
        self.own.transport.loseConnection = self.own.transport.loseWriteConnection = self.fails
        self.connection.close()
        await self.own.seen.until(lambda: LOST in self.own.seen)
        self.assertEqual(self.host.told, [ConnectionAborted])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    async def test_aborting_fails(self) -> None:
        """Where it raises then, too, the connection is ended without it."""
        self.own.transport.abortConnection = self.fails
        self.connection.abort()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        await self.check_ends("the connection of the client does not end when aborted: its socket is closed")

    async def test_the_end_fails(self) -> None:
        """Where even the end fails in the middle the socket is closed, and the reactor has nothing of it."""
        self.own.transport.abortConnection = self.nothing
        self.own.transport.producer = SimpleNamespace(stopProducing=self.fails)
        self.connection.abort()
        await self.check_ends(
            "the connection of the client does not end when aborted: its socket is closed",
            "the transport of the client failed at its end",
        )
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class HandshakeTests(MemoryCase):
    """A connection that ends in its TLS handshake."""

    def test_lost(self) -> None:
        """Those who wait for the handshake are told, before the link is."""
        self.connect()
        self.connection.handshake = TLSHandshake(Side.CLIENT)
        told = self.connection.when_secure().addErrback(lambda failure: list(self.host.told))
        self.connection.connectionLost()
        self.assertEqual((self.successResultOf(told), self.host.told), ([], [ConnectionDone]))
