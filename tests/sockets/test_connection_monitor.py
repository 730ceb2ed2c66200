"""Connections that are watched for what no reactor tells; and peers that vanish, on links."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TCPTimedOutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_repeater import DuplicateClient, Limits, Side
from twisted_repeater._link.link import pair_of
from twisted_repeater._sockets import connection_monitor as _watch
from twisted_repeater._sockets.connection_monitor import (
    CHECKS,
    PROBE_TIMES,
    SETTLED,
    UNREAD_EVERY,
    ConnectionMonitor,
)
from twisted_repeater._sockets.socket_state import (
    HangUp,
    TCPState,
    hang_ups,
    keep_alive_of,
    keep_alive_within,
    tcp_state,
    unread_size,
)

from ..link.links import messages
from ..peers import LOST, PeerCase, Seen, hello, keep, repeated, turn
from ..vanishing import can_vanish, come_back, vanish
from .test_socket_state import ConnectionCase

reactor: Any = installed_reactor


class Connection:
    """Stands for a connection of a link; ``told`` has all that it heard."""

    def __init__(self, handle: Any, *, is_tcp: bool = True) -> None:
        self.handle: socket.socket | None = handle
        self.is_tcp = is_tcp
        self.lost = False
        self.told = Seen()
        self.when_told: Any = lambda: None

    def hang_up(self, how: HangUp) -> None:
        """See `Monitored`."""
        self.told.append(how)
        self.when_told()

    def vanish(self) -> None:
        """See `Monitored`."""
        self.told.append("vanished")
        self.when_told()


class UnreadTests(ConnectionCase):
    """Connections that are not read."""

    def setUp(self) -> None:
        """Watch one that is not read."""
        super().setUp()
        self.clock = Clock()
        self.monitor = ConnectionMonitor(self.clock, None)
        self.unread = Connection(self.own)
        self.monitor.connected(self.unread)
        self.monitor.reads(self.unread, False)

    def look(self) -> list[Any]:
        """Let time pass until they are asked about; return all that the connection has heard."""
        self.clock.advance(UNREAD_EVERY)
        return list(self.unread.told)

    def end_stream(self) -> None:
        """Let the peer end its stream behind a byte, and wait until that has come."""
        self.peer.send(b"x")
        self.peer.close()
        self.until(lambda: unread_size(self.own) and self.look())
        self.unread.told.clear()

    def test_well(self) -> None:
        """A connection that is up hears nothing, for as long as it is not read."""
        for _ in range(3):
            self.assertEqual(self.look(), [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_hung_up(self) -> None:
        """A connection hears that its peer has hung up at the next look, and again at each."""
        self.end_stream()
        self.clock.advance(UNREAD_EVERY / 2)
        self.assertEqual(self.unread.told, [])
        self.assertEqual(self.look(), [HangUp.ENDED])
        self.assertEqual(self.look(), [HangUp.ENDED] * 2)

    def test_read_again(self) -> None:
        """One that is read again is not asked about, and no timer runs then."""
        self.end_stream()
        self.monitor.reads(self.unread, True)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.monitor.reads(self.unread, False)
        self.assertEqual(self.look(), [HangUp.ENDED])

    def test_lost(self) -> None:
        """One that is gone is forgotten, and leaves no timer."""
        self.monitor.lost(self.unread)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed(self) -> None:
        """A socket that is closed already is left alone."""
        self.own.close()
        self.assertEqual(self.look(), [])

    def test_no_socket(self) -> None:
        """A connection without a socket is not watched."""
        self.monitor.lost(self.unread)
        watched = Connection(None)
        self.monitor.connected(watched)
        self.monitor.reads(watched, False)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.monitor.lost(watched)

    def test_one_ends_another(self) -> None:
        """One that is forgotten while others hear of themselves hears nothing more."""
        own, peer = self.connection()
        other = Connection(own)
        self.monitor.reads(other, False)
        peer.close()
        self.end_stream()
        self.until(lambda: self.look() and other.told)
        other.told.clear()
        self.unread.when_told = lambda: self.monitor.lost(other)
        self.look()
        self.assertEqual(other.told, [])

    def test_bug(self) -> None:
        """Whatever goes wrong with one, the others hear of themselves."""
        own, peer = self.connection()
        other = Connection(own)
        self.monitor.reads(other, False)
        peer.close()
        self.end_stream()
        other.told.clear()
        self.unread.when_told = lambda: 1 / 0
        self.until(lambda: self.look() and other.told)
        self.assertNotEqual(self.flushLoggedErrors(ZeroDivisionError), [])


class LookTests(SynchronousTestCase):
    """How connections are looked at, whatever the system says of them."""

    def setUp(self) -> None:
        """Let a test say how connections stand."""
        self.clock = Clock()
        self.monitor = ConnectionMonitor(self.clock, 60)
        self.states: dict[Any, TCPState | None] = {}
        self.looked: list[Any] = []
        self.patch(_watch, "tcp_state", self.state)
        self.patch(_watch, "set_keep_alive", lambda handle, times: None)

    def state(self, handle: Any) -> TCPState | None:
        """See `tcp_state`."""
        self.looked.append(handle)
        return self.states.get(handle, TCPState(False, False, 0))

    def connect(self, handle: Any) -> Connection:
        """Watch a connection."""
        watched = Connection(handle)
        self.monitor.connected(watched)
        self.clock.advance(SETTLED)
        self.looked.clear()
        return watched

    def look(self, *states: TCPState | None) -> None:
        """Let each of these be seen at a look."""
        for state in states:
            self.states["ann"] = state
            self.clock.advance(60 / CHECKS)

    def test_silent(self) -> None:
        """One that has not answered at so many looks in a row has vanished, within the time that is allowed."""
        ann = self.connect("ann")
        self.look(*(TCPState(True, False, seconds) for seconds in (5, 20, 35)))
        self.assertEqual(ann.told, [])
        self.look(TCPState(True, False, 50))
        self.assertEqual((ann.told, self.clock.seconds()), (["vanished"], 60 + SETTLED))

    def test_answers(self) -> None:
        """One that has answered in between has not, and the looks begin again."""
        for answer in (TCPState(True, False, 1), TCPState(False, False, 39), None):
            ann = self.connect("ann")
            self.look(TCPState(True, False, 10), TCPState(True, False, 25), TCPState(True, False, 40), answer)
            self.look(TCPState(True, False, 55), TCPState(True, False, 70))
            self.assertEqual(ann.told, [])
            self.monitor.lost(ann)

    def test_clock_put_right(self) -> None:
        """It is not the repeater's clock that tells how long a peer was silent."""
        ann = self.connect("ann")
        self.look(*(TCPState(True, False, seconds) for seconds in (0.1, 0.2, 0.3, 0.4, 0.5)))
        self.assertEqual(ann.told, [])

    def test_slices(self) -> None:
        """Many are looked at bit by bit, each once in a round."""
        self.patch(_watch, "AT_ONCE", 2)
        for handle in range(5):
            self.connect(handle)
        self.clock.advance(60 / CHECKS)
        rounds = [list(self.looked)]
        for _ in range(5):
            self.looked.clear()
            self.clock.advance(60 / CHECKS / 3)
            rounds.append(list(self.looked))
        self.assertEqual([len(one) for one in rounds], [2, 2, 1, 2, 2, 1])
        self.assertEqual(sorted(rounds[0] + rounds[1] + rounds[2]), [0, 1, 2, 3, 4])

    def test_lost(self) -> None:
        """One that is gone is not looked at any more; without any no timer runs."""
        ann, bob = self.connect("ann"), self.connect("bob")
        self.monitor.lost(ann)
        self.look(None)
        self.assertEqual(self.looked, ["bob"])
        self.monitor.lost(bob)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_allowed_for(self) -> None:
        """Without a limit, where the system tells nothing, and for others than TCP, nothing is looked at."""
        self.states["ann"] = None
        self.connect("ann")
        self.monitor.connected(Connection("bob", is_tcp=False))
        self.monitor.timeout = None
        self.connect("eve")
        self.assertEqual(self.looked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """Whatever goes wrong with one, the others are looked at."""
        bob, ann = self.connect("bob"), self.connect("ann")
        ann.when_told = lambda: 1 / 0
        for seconds in (10, 25, 40, 55):
            self.states["bob"] = TCPState(True, False, seconds)
            self.look(self.states["bob"])
        self.assertEqual((ann.told, bob.told), (["vanished"], ["vanished"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class KeepAliveTests(ConnectionCase):
    """When connections get their keep-alive times."""

    def times(self, timeout: float | None, seconds: float) -> tuple[Any, bool]:
        """Return those of a connection that has lasted so long, and whether it is probed at all."""
        clock = Clock()
        own, _ = self.connection()
        ConnectionMonitor(clock, timeout).connected(Connection(own))
        clock.advance(seconds)
        return keep_alive_of(own), bool(own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def test_later(self) -> None:
        """A connection gets them when it has lasted for a while, so that a short one costs nothing."""
        own = keep_alive_of(self.own)
        self.assertEqual(self.times(60, SETTLED - 0.1), (own, False))
        self.assertEqual(self.times(60, SETTLED), (keep_alive_within(60), True))
        self.assertEqual(self.times(2, 0.5), (keep_alive_within(2), True))
        self.assertEqual(self.times(None, SETTLED), (own, True))

    def test_many(self) -> None:
        """Of many connections only some get them in one turn of the reactor."""
        clock, delays = Clock(), []
        call_later = clock.callLater
        clock.callLater = lambda delay, *call: delays.append(delay) or call_later(delay, *call)  # type: ignore
        monitor = ConnectionMonitor(clock, 60)
        self.patch(_watch, "AT_ONCE", 2)
        for handle in [self.connection()[0] for _ in range(5)]:
            monitor.connected(Connection(handle))
        clock.advance(SETTLED)
        self.assertEqual([delay for delay in delays if delay != 60 / CHECKS - SETTLED], [SETTLED, 0, 0])


class WatchCase(ConnectionCase, TestCase):
    """A test case that watches one connection, in real time: the system's silence has no other."""

    timeout = 60

    def setUp(self) -> None:
        """Connect it."""
        can_vanish(self)
        super().setUp()
        self.clock = Clock()

    def watched(self, timeout: float | None, clock: IReactorTime = reactor) -> Connection:
        """Watch it."""
        self.monitor = ConnectionMonitor(clock, timeout)
        watched = Connection(self.own)
        self.monitor.connected(watched)
        self.addCleanup(self.monitor.lost, watched)
        return watched

    async def come_to(self, condition: Any) -> None:
        """Go round until something is true."""
        while not condition():
            await turn()

    def silence(self) -> float:
        """For how long nothing was heard of the peer."""
        state = tcp_state(self.own)
        assert state is not None
        return state.silence


class VanishedTests(WatchCase):
    """Peers that vanish while something is under way."""

    async def test_vanished(self) -> None:
        """A peer that acknowledges nothing has vanished."""
        watched = self.watched(0.5)
        vanish(self.peer)
        self.own.send(b"x")
        await watched.told.holds("vanished")

    async def stays(self, watched: Connection) -> None:
        """Look often at a connection on which nothing happens: its peer must not be taken to have vanished."""
        await self.come_to(lambda: self.silence() > 0.3)
        for _ in range(10 * CHECKS):
            self.clock.advance(0.01 / CHECKS)
        self.assertEqual(watched.told, [])

    async def test_window_closed(self) -> None:
        """A peer that reads nothing has not, however long that lasts."""
        watched = self.watched(0.01, self.clock)
        self.fill()
        await self.stays(watched)

    async def test_small_messages_unread(self) -> None:
        """Nor has one whose buffer was filled by small messages, which take more room than they have bytes."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        watched = self.watched(0.01, self.clock)
        with contextlib.suppress(BlockingIOError):
            for _ in range(20_000):
                self.own.send(bytes(16))
        await self.stays(watched)


class ProbeTests(WatchCase):
    """Peers that are probed at once."""

    async def silent(self, timeout: float | None = 60) -> Connection:
        """Watch a peer that was silent for long enough to be probed."""
        watched = self.watched(timeout)
        await self.come_to(lambda: self.silence() > _watch.HEARD_LATELY)
        return watched

    async def test_there(self) -> None:
        """A peer that is there answers at once; its keep-alive times are then what they were."""
        watched = await self.silent()
        answer = self.monitor.has_vanished(watched, 30)
        self.assertEqual(keep_alive_of(self.own), PROBE_TIMES)
        self.assertFalse(await answer)
        self.assertEqual((watched.told, keep_alive_of(self.own)), ([], keep_alive_within(60)))

    async def test_at_once(self) -> None:
        """A connection that has no keep-alive times yet gets them before a probe, and keeps those of the probe."""
        self.patch(_watch, "SETTLED", 30)
        watched = await self.silent(200)
        self.assertFalse(await self.monitor.has_vanished(watched, 30))
        self.assertEqual(keep_alive_of(self.own), keep_alive_within(200))

    async def test_gone(self) -> None:
        """A peer that does not answer in time has vanished: all who ask hear that, but those who don't wait for it."""
        watched = await self.silent(None)
        vanish(self.peer)
        answers = [self.monitor.has_vanished(watched, 0.5) for _ in range(3)]
        answers[1].cancel()
        await self.assertFailure(answers[1], CancelledError)
        self.assertEqual([await answers[0], await answers[2]], [True, True])
        self.assertEqual(watched.told, ["vanished"])
        self.assertNotEqual(keep_alive_of(self.own), PROBE_TIMES)

    async def test_lost(self) -> None:
        """One whose connection is lost meanwhile is gone as well."""
        watched = await self.silent()
        vanish(self.peer)
        answer = self.monitor.has_vanished(watched, 30)
        self.monitor.lost(watched)
        self.assertTrue(await answer)
        self.assertEqual(watched.told, [])

    async def test_heard_of(self) -> None:
        """A peer that was heard of just now is there, also if its connection is not read."""
        watched = self.watched(60)
        for reads in (True, False):
            self.monitor.reads(watched, reads)
            self.assertFalse(await self.monitor.has_vanished(watched, 30))
        self.assertNotEqual(keep_alive_of(self.own), PROBE_TIMES)

    async def test_unknown(self) -> None:
        """Where a probe cannot be sent, or not soon, the peer is taken to be there."""
        self.patch(_watch, "HEARD_LATELY", -1)
        watched = self.watched(60)
        self.fill()
        for unknown in (watched, Connection(None), Connection(self.own, is_tcp=False)):
            self.assertFalse(self.successResultOf(self.monitor.has_vanished(unknown, 30)))
        watched.lost = True
        self.assertFalse(self.successResultOf(self.monitor.has_vanished(watched, 30)))

    async def test_no_time(self) -> None:
        """With less time than a peer far away needs for its answer it is taken to be there: whoever comes at the last
        moment must not cut it off.
        """
        watched = await self.silent()
        vanish(self.peer)
        for at_most in (-1, 0.01, _watch.PROBE_AT_LEAST - 0.01):
            self.assertFalse(self.successResultOf(self.monitor.has_vanished(watched, at_most)))
        self.assertNotEqual(keep_alive_of(self.own), PROBE_TIMES)


LIMITS = Limits(dead_peer_timeout=2, linger=1000, close_timeout=1, hello_timeout=20)


class LinkTests(PeerCase):
    """Links whose peers vanish."""

    def setUp(self) -> None:
        """See whether they can."""
        can_vanish(self)

    async def link(self, **settings: Any) -> None:
        """Link ann."""
        self.here = await self.world(**{"limits": LIMITS, **settings})
        self.client, self.peer = await self.here.linked("ann")
        link = self.here.repeater.link("ann")
        assert link is not None
        self.ann: Any = pair_of(link)

    async def silent(self) -> None:
        """Wait until ann was silent for long enough to be probed."""
        while True:
            state = tcp_state(self.ann.client.handle)
            assert state is not None
            if state.silence > _watch.HEARD_LATELY:
                return
            await turn()

    @staticmethod
    async def vanish(peer: Any) -> None:
        """Let a peer vanish, when all that it sent is acknowledged: otherwise its system would go on sending it."""
        handle = peer.transport.getHandle()
        while not (state := tcp_state(handle)) or state.unanswered:
            await turn()
        vanish(handle)

    async def test_idle(self) -> None:
        """An idle client that vanishes is disconnected, and its server let go; the reason says so."""
        await self.link()
        await self.vanish(self.client)
        error = await self.here.disconnected(Side.CLIENT)
        self.assertIsInstance(error.reason, TCPTimedOutError)
        self.assertIn("the client's system does not answer", str(error))
        await self.peer.lost()
        await self.ann.when_over()

    async def test_in_flight(self) -> None:
        """So is one that bytes are under way to, and a server; the bytes that they sent before are delivered."""
        for side in Side:
            await self.link()
            gone, other = (self.client, self.peer) if side is Side.CLIENT else (self.peer, self.client)
            gone.send(b"last")
            await other.seen.reach(2)
            await self.vanish(gone)
            self.ann.connection(side).outlet.send(b"\0\0\0\1x", at_once=True)
            error = await self.here.disconnected(side)
            self.assertIsInstance(error.reason, TCPTimedOutError)
            await other.lost()
            self.assertEqual(messages(other), [b"last"])
            await self.ann.when_over()

    async def test_not_read(self) -> None:
        """So is one that is not read because its messages wait."""
        verdict: Deferred[Any] = Deferred()
        await self.link(to_server_filter=lambda message, link: verdict)
        self.client.send(b"waits")
        while not self.ann.client.valve.closed:
            await turn()
        await self.vanish(self.client)
        error = await self.here.disconnected(Side.CLIENT)
        self.assertIsInstance(error.reason, TCPTimedOutError)
        await self.ann.when_over()

    async def test_comes_again(self) -> None:
        """A client that comes again after it vanished gets its name, well before its last link would be given up."""
        await self.link(limits=Limits(dead_peer_timeout=1000, linger=1000, close_timeout=1))
        await self.vanish(self.client)
        await self.silent()
        again, peer = await self.here.linked("ann")
        self.assertEqual(self.here.refusals, [])
        await self.peer.lost()
        await self.here.still_relays(again, peer)

    async def test_comes_again_after_a_reset(self) -> None:
        """So does one that reset its connection, though that is not read, and not yet asked about."""
        self.patch(_watch, "UNREAD_EVERY", 1000)
        await self.link(to_server_filter=lambda message, link: Deferred())
        self.client.send(b"waits")
        while not self.ann.client.valve.closed:
            await turn()
        self.client.abort()
        while hang_ups([self.ann.client.handle]) != [HangUp.BROKEN]:
            await turn()
        await self.here.linked("ann")
        self.assertEqual(self.here.refusals, [])
        self.assertEqual(self.here.disconnections[("ann", Side.CLIENT)][1], False)

    async def test_comes_again_while_linked(self) -> None:
        """So it does when the last connection has not come further than the server's hello."""
        self.here = await self.world(limits=Limits(dead_peer_timeout=1000, close_timeout=1))
        self.here.server.when_greeted = False
        first = await self.here.connect(hello("ann"))
        await self.here.server.peers.reach(1)
        await self.here.server.peers[0].seen.reach(1)
        (link,) = self.here.repeater._factory.links
        self.ann = link
        await self.vanish(first)
        await self.silent()
        self.here.server.when_greeted = True
        again = await self.here.connect(hello("ann"))
        await again.seen.reach(1)
        self.assertEqual(again.seen, [repeated(self.here.server_name)])

    async def test_let_stand(self) -> None:
        """Where the application lets the link of a client stand that has vanished, the name stays taken."""
        await self.link(on_error=keep, limits=Limits(hello_timeout=2, close_timeout=1))
        await self.vanish(self.client)
        await self.silent()
        again = await self.here.connect(hello("ann"))
        await again.lost()
        self.assertEqual(self.here.refusals, [("ann", DuplicateClient)])
        self.assertEqual(self.here.disconnections, {("ann", Side.CLIENT): (TCPTimedOutError, False)})

    async def test_still_there(self) -> None:
        """A client that is there keeps its name, and the newcomer is refused without waiting for anything."""
        await self.link(limits=Limits(hello_timeout=1000))
        for wait in (lambda: turn(), self.silent):
            await wait()
            again = await self.here.connect(hello("ann"))
            await again.lost()
        self.assertEqual(self.here.refusals, [("ann", DuplicateClient)] * 2)
        await self.here.still_relays(self.client, self.peer)

    async def test_comes_back(self) -> None:
        """A client whose network was away for less than is allowed stays linked."""
        await self.link(limits=Limits(dead_peer_timeout=1000))
        await self.vanish(self.client)
        self.peer.send(b"meanwhile")
        while not (state := tcp_state(self.ann.client.handle)) or not state.unanswered:
            await turn()
        come_back(self.client.transport.getHandle())
        await self.client.seen.reach(2)
        self.assertNotIn(LOST, self.client.seen)
