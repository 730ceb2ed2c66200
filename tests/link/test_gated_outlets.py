"""Links on real sockets that faults break by bytes: what goes out when, back-pressure, and every kind of end."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, cast

from twisted.internet.error import ConnectionDone, ConnectionLost

from twisted_repeater import Limits, SlowConsumer
from twisted_repeater._link.gated_outlets import (
    GatedSocketOutlet,
    GatedTLSOutlet,
    has_gate,
    set_gate,
)
from twisted_repeater._link.outlet import HIGH_WATER
from twisted_repeater._link.outlets import BufferedOutlet, SocketOutlet, TLSOutlet
from twisted_repeater._sockets.socket_state import innermost
from twisted_repeater.errors import InjectedFault
from twisted_repeater.faults import Fault
from twisted_repeater.faults._gates import BandwidthGate, Gate, LimitGate, Line, SliceGate, SlowCloseGate, TimeoutGate
from twisted_repeater.faults.by_bytes import Bandwidth, Down, LimitData, ResetPeer, Slicer, SlowClose, Timeout
from twisted_repeater.model import Direction

from ..peers import END, LOST, Server, StoppedTime, turn
from ..real_sockets import TLSSockets
from .connections import MemoryCase, SocketCase
from .links import CLIENT, SERVER, UNHURRIED, LinkCase, messages

BACK, FORTH = Direction.TO_CLIENT, Direction.TO_SERVER

INF = float("inf")

HALF_CLOSING: dict[str, Any] = {"client": {"half_close": True}}


class FaultCase(LinkCase):
    """A test case with a link, and time that passes only when the test says so."""

    timeout = 20
    gated: type = GatedSocketOutlet
    ungated: type = SocketOutlet

    async def linked(self, fault: Fault | None = None, limits: Limits = UNHURRIED, **settings: Any) -> None:
        """Make a link, and set a fault on it."""
        self.time = StoppedTime()
        await self.link(reactor=self.time, limits=limits, **settings)
        if fault is not None:
            self.set(fault)

    def set(self, fault: Fault, name: str = "fault") -> None:
        """Set a fault, on the link that is there."""
        self.here.repeater.faults.set(name, fault)

    async def passes(self, seconds: float, step: float = 0.05) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.time.clock.advance(step)
            await turn(3)

    @property
    def sent_back(self) -> list[bytes]:
        """The messages that the client has received."""
        return messages(self.client)

    @property
    def outlet(self) -> Any:
        """The outlet towards the client."""
        return self.ann.client.outlet


class CommonTests:
    """What holds for plain sockets and for TLS."""

    async def test_class(self: Any) -> None:
        """An outlet is another one as long as it has gates, and the same as before when the last one is gone."""
        await self.linked()
        self.assertIs(type(self.outlet), self.ungated)
        self.set(Bandwidth(1e6))
        self.set(Slicer(10_000), "other")
        self.assertIs(type(self.outlet), self.gated)
        self.here.repeater.faults.remove("fault")
        await turn(3)
        self.assertIs(type(self.outlet), self.gated)
        self.here.repeater.faults.clear()
        await turn(3)
        self.assertEqual((type(self.outlet), type(self.ann.server.outlet)), (self.ungated, self.ungated))
        self.assertEqual(self.time.deadlines(), [])
        await self.here.still_relays(self.client, self.peer)

    async def test_slices(self: Any) -> None:
        """Messages arrive whole and in order, whatever the slices, and the peer gets them slice by slice."""
        await self.linked(Slicer(5, 2, pause=0.1, seed=3, direction=BACK))
        sent = [b"%02d" % number * 10 for number in range(5)]
        self.peer.send(*sent)
        await self.until(lambda: self.outlet.waiting)
        self.assertEqual(self.sent_back, [])
        await self.time.pass_until(self.client.seen.reach(1 + len(sent)))
        self.assertEqual(self.sent_back, sent)
        self.client.send(b"the other way is not broken")
        await self.peer.seen.reach(2)

    async def test_bandwidth(self: Any) -> None:
        """The sender is slowed down, what waits is bounded, and every byte arrives at the pace of the line."""
        await self.linked(Bandwidth(200_000, direction=BACK))
        sent = [b"%05d" % index * 20_000 for index in range(20)]
        self.peer.send(*sent)
        await self.until(lambda: self.ann.server.valve.closed and self.outlet.full)
        most = 0

        def look() -> bool:
            nonlocal most
            most = max(most, self.outlet.waiting)
            return len(self.client.seen) > len(sent)

        took = await self.time.pass_until(self.client.seen.until(look), 0.05)
        self.assertEqual(self.sent_back, sent)
        self.assertGreater(took, 9.5)  # 2,000,000 bytes, less what is in the buffers of the system
        self.assertLess(most, HIGH_WATER + 500_000)
        self.assertEqual((self.here.errors, self.outlet.full, self.ann.server.valve.closed), ([], False, False))

    async def test_removed_under_load(self: Any) -> None:
        """If a fault is removed while much waits, all goes on, without a second of waiting."""
        await self.linked(Bandwidth(1, direction=BACK))
        sent = [b"%05d" % index * 20_000 for index in range(20)]
        self.peer.send(*sent)
        await self.until(lambda: self.ann.server.valve.closed)
        self.here.repeater.faults.clear()
        await self.client.seen.reach(1 + len(sent))
        self.assertEqual(self.sent_back, sent)
        self.assertIs(type(self.outlet), self.ungated)

    async def test_limit(self: Any) -> None:
        """So many bytes arrive, then the stream ends in good order, and the link closes for that reason."""
        await self.linked(LimitData(30, direction=BACK))
        self.peer.send(b"sixteen bytes ok", b"twenty bytes too long")
        await self.time.pass_until(self.client.lost())
        self.assertEqual(self.sent_back, [b"sixteen bytes ok"])
        self.assertEqual(len(self.client.recvd), 30 - 20)
        self.assertIsInstance(self.client.reason, ConnectionDone)
        await self.time.pass_until(self.ann.when_over())
        self.assertIsInstance(self.ann.reason, InjectedFault)
        self.assertIn("the fault 'fault' has ended it: LimitData(", str(self.ann.reason))

    async def test_reset(self: Any) -> None:
        """Both peers get ECONNRESET, with nothing before it, some time after the first bytes."""
        await self.linked(ResetPeer(1, direction=BACK))
        self.client.transport.pauseProducing()
        handle = innermost(self.client.transport).getHandle()
        self.peer.send(b"never arrives")
        await self.until(lambda: self.outlet.waiting)
        await self.passes(0.5)
        self.assertRaises(BlockingIOError, handle.recv, 1)
        await self.time.pass_until(self.ann.when_over())
        self.assertRaises(ConnectionResetError, handle.recv, 1)
        self.client.transport.resumeProducing()
        await self.client.lost()
        await self.peer.lost()
        self.assertIsInstance(self.peer.reason, ConnectionLost)
        self.assertEqual(self.here.disconnections["ann", CLIENT], (InjectedFault, False))

    async def test_reset_without_direction(self: Any) -> None:
        """A client whose request is the first that comes gets ECONNRESET, too, and not the end of a stream."""
        await self.linked(ResetPeer())
        self.client.send(b"never arrives")
        await self.client.lost()
        self.assertIsInstance(self.client.reason, ConnectionLost)

    async def test_down(self: Any) -> None:
        """A link that goes down is reset on both sides, and both are reported for that reason."""
        await self.linked()
        self.client.transport.pauseProducing()
        self.peer.transport.pauseProducing()
        self.set(Down())
        await self.ann.when_over()
        for one in (self.client, self.peer):
            self.assertRaises(ConnectionResetError, innermost(one.transport).getHandle().recv, 1)
            one.transport.resumeProducing()
            await one.lost()
        heard = {("ann", side): (InjectedFault, False) for side in (CLIENT, SERVER)}
        self.assertEqual(self.here.disconnections, heard)

    async def test_timeout(self: Any) -> None:
        """At its time the link closes, however much traffic there is, and nothing has passed."""
        await self.linked(Timeout(3, direction=BACK))
        for _ in range(5):
            self.peer.send(b"x" * 1000)
            await self.passes(0.5, 0.25)
        self.assertNotIn(LOST, self.client.seen)
        self.peer.send(b"x" * 1000)
        await self.passes(0.5, 0.25)
        await self.time.pass_until(self.client.lost())
        self.assertEqual(self.sent_back, [])
        self.assertIsInstance(self.client.reason, ConnectionDone)

    async def test_timeout_never(self: Any) -> None:
        """Without a time all waits, nobody is to blame, and all arrives when the fault is removed."""
        await self.linked(Timeout(direction=BACK), replace(UNHURRIED, stall_timeout=2))
        sent = [b"%05d" % index * 20_000 for index in range(20)]
        self.peer.send(*sent)
        await self.until(lambda: self.ann.server.valve.closed and self.outlet.full)
        await self.passes(10, 0.5)
        self.assertEqual((self.sent_back, self.here.errors), ([], []))
        self.here.repeater.faults.remove("fault")
        await self.client.seen.reach(1 + len(sent))
        self.assertEqual(self.sent_back, sent)

    async def test_slow_peer(self: Any) -> None:
        """A peer that takes nothing of what a fault lets go is a slow consumer, as without a fault."""
        await self.linked(Slicer(1_000_000), replace(UNHURRIED, stall_timeout=2))
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 50)
        await self.until(lambda: self.outlet.full)
        await self.time.pass_until(self.ann.when_over(), 0.2)
        self.assertEqual(self.here.disconnections["ann", CLIENT][0], SlowConsumer)

    async def test_closing_waits(self: Any) -> None:
        """A link that closes delivers what a fault holds back."""
        await self.linked(Bandwidth(300, direction=BACK), replace(UNHURRIED, close_timeout=5))
        self.peer.send(b"x" * 3000)
        await self.until(lambda: self.outlet.waiting == 3004)
        self.ann.close()
        await self.time.pass_until(self.client.lost())
        self.assertEqual(self.sent_back, [b"x" * 3000])

    async def test_closing_has_an_end(self: Any) -> None:
        """A link that closes does not wait for a fault that lets nothing go."""
        await self.linked(Timeout(), replace(UNHURRIED, close_timeout=1))
        self.peer.send(b"x")
        await self.until(lambda: self.outlet.waiting)
        self.ann.close()
        self.assertLess(await self.time.pass_until(self.ann.when_over()), UNHURRIED.linger / 10)

    async def test_aborted(self: Any) -> None:
        """If a link is aborted, what a fault holds is dropped, and no timer is left."""
        await self.linked(Bandwidth(1))
        self.peer.send(b"x")
        await self.until(lambda: self.outlet.waiting)
        self.ann.abort()
        await self.ann.when_over()
        self.assertEqual((self.outlet.waiting, type(self.outlet), self.time.deadlines()), (0, self.ungated, []))

    async def test_own_messages(self: Any) -> None:
        """What the application sends passes the faults, too, in its turn."""
        await self.linked(Bandwidth(10_000, direction=BACK))
        self.ann.send(self.ann.client, b"of the application")
        self.peer.send(b"of the server")
        self.here.repeater.send_to_all_clients(b"broadcast")
        await turn(3)
        self.assertEqual(self.sent_back, [])
        await self.time.pass_until(self.client.seen.reach(4))
        self.assertEqual(set(self.sent_back), {b"of the application", b"of the server", b"broadcast"})

    async def test_slow_close(self: Any) -> None:
        """The end of a stream comes later, after all bytes; linger is the limit."""
        await self.linked(SlowClose(8), replace(UNHURRIED, close_timeout=5))
        self.peer.send(b"last")
        await self.client.seen.reach(2)
        self.ann.close()
        await self.passes(7.5, 0.25)
        self.assertNotIn(LOST, self.client.seen)
        await self.time.pass_until(self.client.lost())
        await self.time.pass_until(self.peer.lost())
        self.assertIsInstance(self.client.reason, ConnectionDone)
        self.assertIsInstance(self.peer.reason, ConnectionDone)


class SocketTests(CommonTests, FaultCase):
    """Plain sockets."""

    async def test_half_close(self) -> None:
        """The end of a stream comes after the bytes that a fault holds, and the other way stays open."""
        await self.linked(Bandwidth(1000, direction=BACK), server=Server(half_close=True), **HALF_CLOSING)
        self.peer.send(b"x" * 2000)
        self.peer.end_stream()
        await self.passes(1)
        self.assertEqual(self.client.seen[1:], [])
        await self.time.pass_until(self.client.seen.holds(END))
        self.assertEqual(self.client.seen[1:], [b"x" * 2000, END])
        self.client.send(b"still open")
        await self.peer.seen.holds(b"still open")

    async def test_slow_half_close(self) -> None:
        """Also a stream that ends alone ends later."""
        await self.linked(SlowClose(2, direction=BACK), server=Server(half_close=True), **HALF_CLOSING)
        self.peer.send(b"last")
        self.peer.end_stream()
        await self.client.seen.holds(b"last")
        await self.passes(1.5)
        self.assertNotIn(END, self.client.seen)
        self.client.send(b"still open")
        await self.peer.seen.holds(b"still open")
        await self.time.pass_until(self.client.seen.holds(END))


class TLSTests(CommonTests, FaultCase):
    """TLS."""

    gated = GatedTLSOutlet
    ungated = TLSOutlet

    def setUp(self) -> None:
        """Make a certificate."""
        self.sockets = TLSSockets(self.mktemp())
        self.addCleanup(self.flushWarnings)  # Twisted uses what pyOpenSSL would rather not have


class OrderTests(SocketCase):
    """An outlet whose gates come and go."""

    async def test_order(self) -> None:
        """Bytes leave in the order in which they were written, whatever gates there are, however the peer reads."""
        random, written, active = Random(42), bytearray(), [cast("Any", Named()) for _ in range(3)]
        outlet: Any = self.connection.outlet
        for step in range(120):
            size = random.choice((5, 50, 4096, 20_000, 70_000))
            piece = random.randbytes(size)
            if outlet.waiting < 100_000:
                written += piece
                random.choice((lambda data: outlet.push([data[:3], data[3:]]), outlet.send))(piece)
            if random.random() < 0.3:
                gate: Gate | None = random.choice((None, None, BandwidthGate(Line(1e5)), TimeoutGate(INF)))
                gate = random.choice((gate, SliceGate(lambda: random.randint(1, 30_000), random.random())))
                set_gate(self.connection, random.choice(active), gate, self.clock.seconds)
            self.clock.advance(random.choice((0, 0.1)))
            random.choice((self.peer.transport.pauseProducing, self.peer.transport.resumeProducing))()
            if step % 20 == 19:
                for one in active:
                    set_gate(self.connection, one, None, self.clock.seconds)
                self.peer.transport.resumeProducing()
                while outlet.waiting:
                    self.clock.advance(0)
                    await turn()
        await self.peer.seen.until(lambda: len(self.peer.received) >= len(written))
        self.assertEqual(self.peer.received, written)
        self.assertEqual((outlet.waiting, outlet.full, type(outlet)), (0, False, SocketOutlet))
        self.assertEqual(self.host.told, ["full", "drained"] * (len(self.host.told) // 2))
        self.assertGreater(len(self.host.told), 4)


class Named:
    """Stands for a fault that is set."""

    name = "fault"
    fault = "Fault()"


class MemoryTests(MemoryCase):
    """A gated outlet on a transport that pushes back."""

    def setUp(self) -> None:
        """Connect, in memory: an outlet that writes to a buffer."""
        super().setUp()
        self.connect()
        self.active: Any = Named()
        self.host.closed = []
        self.host.close = self.host.closed.append
        self.outlet: Any = self.connection.outlet

    def set(self, gate: Gate | None) -> None:
        """Set a gate, or remove it."""
        set_gate(self.connection, self.active, gate, self.clock.seconds)

    def test_has_gate(self) -> None:
        """It is known which gates there are; to remove one that is not there changes nothing."""
        self.set(None)
        self.assertEqual((has_gate(self.connection, self.active), type(self.outlet)), (False, BufferedOutlet))
        self.set(LimitGate(1))
        other: Any = Named()
        self.assertTrue(has_gate(self.connection, self.active))
        self.assertFalse(has_gate(self.connection, other))

    def test_paused(self) -> None:
        """During a pause of the transport nothing is written, whatever the gates allow, and whenever they go."""
        self.set(SliceGate(lambda: 4, 1))
        self.outlet.push([b"one two three"])
        self.outlet.pauseProducing()
        self.clock.advance(10)
        self.assertEqual((self.transport.value(), self.outlet.held_until, self.host.told), (b"one ", None, ["full"]))
        self.outlet.resumeProducing()
        self.assertEqual(self.transport.value(), b"one two ")
        self.outlet.pauseProducing()
        self.set(None)
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), type(self.outlet)), (b"one two ", BufferedOutlet))
        self.outlet.resumeProducing()
        self.assertEqual((self.transport.value(), self.host.told), (b"one two three", ["full", "drained"]))

    def test_gated_during_a_pause(self) -> None:
        """A gate that is set during a pause respects it."""
        self.outlet.pauseProducing()
        self.outlet.push([b"waits"])
        self.set(LimitGate(3))
        self.clock.advance(0)
        self.assertEqual(self.transport.value(), b"")
        self.outlet.resumeProducing()
        self.assertEqual(self.transport.value(), b"wai")

    def test_paused_by_a_write(self) -> None:
        """A transport may ask for a pause while it is written to: the rest waits behind that."""
        write = self.transport.write
        self.transport.write = lambda data: (write(data), self.outlet.pauseProducing())  # type: ignore[method-assign]
        self.set(SliceGate(lambda: 4, 0))
        self.outlet.push([b"one two three"])
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), self.outlet.waiting), (b"one ", 9))

    def test_lost_by_a_write(self) -> None:
        """A connection may be lost as it is written to."""
        self.transport.write = lambda data: self.connection.abort()  # type: ignore[method-assign]
        self.set(SliceGate(lambda: 4, 1))
        self.outlet.push([b"one two three"])
        self.assertEqual((self.outlet.waiting, type(self.outlet)), (0, BufferedOutlet))

    def test_full_for_a_moment(self) -> None:
        """A large piece that passes in several parts leaves nobody stopped."""
        line = Line(1e12)
        gate = BandwidthGate(line)
        self.set(gate)
        self.outlet.push([bytes(HIGH_WATER * 3)])
        self.clock.advance(1)
        self.set(MoreThanOnce())
        self.outlet.push([bytes(HIGH_WATER * 3)])
        self.clock.advance(1)
        self.assertEqual(len(self.transport.value()), HIGH_WATER * 6)
        self.assertEqual((self.outlet.full, self.host.told[-1]), (False, "drained"))

    def test_order_of_pieces(self) -> None:
        """Pieces behind one that waits come after it, and before later ones."""
        self.set(LimitGate(10))
        self.set(TimeoutGate(INF))
        self.outlet.push([b"one ", b"two "])
        self.outlet.send(b"three")
        self.assertEqual((self.transport.value(), self.outlet.held_until), (b"", INF))
        self.set(None)
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), self.outlet.held_until), (b"one two three", None))

    def test_cut_while_it_ends(self) -> None:
        """If the stream ends already when it is cut, what waits is dropped, and the end comes at once."""
        self.set(TimeoutGate(5))
        self.outlet.push([bytes(HIGH_WATER + 1)])
        self.connection.close()
        self.clock.advance(4)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(1)
        self.assertEqual((self.transport.value(), self.transport.disconnecting), (b"", True))
        self.assertEqual((self.host.told, len(self.host.closed)), (["full", "drained"], 1))

    def test_cut_and_slow_close(self) -> None:
        """A stream that is cut ends as slowly as others."""
        other: Any = Named()
        set_gate(self.connection, other, SlowCloseGate(3), self.clock.seconds)
        self.set(LimitGate(2))
        self.outlet.push([b"abc"])
        self.clock.advance(0)
        self.assertEqual((self.outlet.ended, self.transport.disconnecting), (True, False))
        self.assertEqual(self.outlet.held_until, 3)
        self.clock.advance(3)
        self.assertEqual((self.transport.value(), self.transport.disconnecting), (b"ab", True))

    def test_peer_has_ended_tls(self) -> None:
        """If the transport waits for its producer in order to close, the gates do not keep it."""
        self.set(TimeoutGate(INF))
        self.outlet.push([b"waits"])
        self.transport.disconnecting = True
        self.outlet.pauseProducing()
        self.outlet.resumeProducing()
        self.assertEqual((type(self.outlet), self.transport.producer), (BufferedOutlet, None))

    def test_progress(self) -> None:
        """Whoever waits for the peer sees progress as long as a fault will let something go."""
        self.set(TimeoutGate(INF))
        self.assertEqual(self.connection.progress(), self.connection.progress())
        self.outlet.push([b"waits"])
        self.assertEqual(self.connection.progress(), self.connection.progress())
        self.assertNotEqual(self.connection.progress_of_peer(), self.connection.progress_of_peer())
        self.set(BandwidthGate(Line(1)))
        self.clock.advance(0)
        self.assertNotEqual(self.connection.progress(), self.connection.progress())
        self.set(None)
        self.clock.advance(0)
        self.assertEqual(self.connection.progress_of_peer(), self.connection.progress_of_peer())


class MoreThanOnce(Gate):
    """Allows half of what it is asked for, again and again."""

    order = LimitGate.order

    def allows(self, size: int, now: float) -> int:
        """See `Gate`."""
        return size // 2 or size
