"""Tests of links: messages, back-pressure, slow readers, filters that fail or take long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, TCPTimedOutError
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater import (
    PASS_ON,
    Direction,
    ICodec,
    ILink,
    Limits,
    OnFilterError,
    Origin,
    PassOnAndSendBack,
    Send,
    SendBack,
    Side,
    WatchedMessage,
    dialects,
)
from twisted_repeater._lane.lane import MAX_HELD
from twisted_repeater._link.defaults import end_link
from twisted_repeater._link.link import pair_of
from twisted_repeater._link.outlet import HIGH_WATER
from twisted_repeater._link.pair import Pair
from twisted_repeater._slices import SLICE
from twisted_repeater._sockets.socket_state import hang_ups, unread_size
from twisted_repeater.errors import (
    CallbackFailed,
    ClientGone,
    FilterTimeout,
    FrameTooLong,
    LinkError,
    MarshalingError,
    ParseError,
    PartialFrame,
    ServerUnreachable,
    SlowConsumer,
    WrongVerdict,
)

from ..peers import (
    END,
    LOST,
    SERVER_NAME,
    Server,
    StoppedTime,
    frame,
    hello,
    keep,
    turn,
)
from .links import CLIENT, SERVER, UNHURRIED, LinkCase, messages, taken_from, unread
from .memory_case import MemoryCase


class HeldClientTests(MemoryCase):
    """A link whose client is held."""

    def test_hold(self) -> None:
        """Nothing is read from a held client until it is resumed; the server is still read."""
        world = self.memory()
        client, server = world.linked("ann")
        link = world.repeater.link("ann")
        assert link is not None
        link.hold()
        client.send(b"one")
        server.send(b"two")
        self.assertEqual((link.held, server.received, client.received), (True, [], [b"two"]))
        link.resume()
        world.settle()
        self.assertEqual((link.held, server.received), (False, [b"one"]))

    def test_over(self) -> None:
        """A held link can be closed, and one that is over can be neither held nor resumed."""
        world = self.memory()
        world.linked("ann")
        link = world.repeater.link("ann")
        assert link is not None
        link.hold()
        link.close()
        world.advance(30)
        link.hold()
        link.resume()
        self.assertEqual((link.held, world.repeater.links()), (False, []))


class FramesTests(LinkCase):
    """Streams that end, or go wrong, inside a frame."""

    async def test_partial_frame(self) -> None:
        """A stream that ends inside a frame is a side's own error; its whole messages are delivered."""
        for cut in (2, 4, 6):
            await self.link(server=Server(half_close=True), client={"half_close": True})
            self.client.write(frame(b"whole") + frame(b"cut off")[:cut])
            self.client.end_stream()
            await self.peer.seen.holds(END)
            self.assertEqual(self.peer.seen[1:], [b"whole", END])
            error = await self.here.disconnected(CLIENT)
            reason: Any = error.reason
            self.assertEqual((type(reason), reason.have, error.half_closed), (PartialFrame, cut, True))
            self.assertIsInstance(reason.__cause__, ConnectionDone)
            self.peer.send(b"reply")
            await self.client.seen.reach(2)
            self.peer.close()
            await self.over()

    async def test_partial_frame_of_a_server(self) -> None:
        """So it is when the server's connection breaks inside a frame."""
        await self.link()
        self.peer.write(frame(b"whole") + frame(b"cut off")[:6])
        await self.client.seen.reach(2)
        self.peer.abort()
        await self.client.lost()
        self.assertEqual(self.client.seen[1:], [b"whole", LOST])
        error = await self.here.disconnected(SERVER)
        self.assertEqual((type(error.reason), error.half_closed), (PartialFrame, False))
        self.assertIsInstance(error.reason.__cause__, ConnectionLost)

    async def test_cut_off_by_our_own_closing(self) -> None:
        """A frame that is not complete when the application closes the link is nobody's error."""
        await self.link()
        self.client.write(frame(b"whole") + frame(b"cut off")[:6])
        await self.peer.seen.reach(2)
        self.ann.close()
        await self.over()
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, False), SERVER: (ConnectionDone, False)})
        self.assertIsNone(self.ann.reason)

    async def test_too_long(self) -> None:
        """A side that announces too long a frame is gone at once; all that it sent before is delivered."""
        await self.link(limits=Limits(max_frame=1000), on_error=keep)
        self.client.write(frame(b"whole") + (1001).to_bytes(4, "big") + b"...")
        await self.client.lost()
        self.assertIsInstance(self.client.reason, ConnectionLost)
        await self.peer.seen.reach(2)
        self.ann.link.send_to_server(b"still up")
        await self.peer.seen.reach(3)
        self.assertEqual(self.peer.seen[1:], [b"whole", b"still up"])
        self.assertEqual(self.heard, {CLIENT: (FrameTooLong, False)})
        self.ann.close()
        await self.over()

    async def test_too_long_from_a_server(self) -> None:
        """By default the link is closed then, with all that was delivered."""
        await self.link(limits=Limits(max_frame=1000))
        self.peer.write(frame(b"whole") + b"\xff\xff\xff\xff")
        await self.client.lost()
        self.assertEqual(self.client.seen[1:], [b"whole", LOST])
        await self.over()
        self.assertEqual(self.heard, {SERVER: (FrameTooLong, False), CLIENT: (ConnectionDone, False)})

    async def test_not_looked_at_yet(self) -> None:
        """A connection that breaks while frames wait to be looked at has not broken inside of one."""
        await self.link(to_client_filter=lambda message, link: Deferred(), on_error=keep)
        self.peer.write(frame(b"first") + frame(b"second"))
        await self.until(lambda: self.ann.lanes[1].awaited)
        self.peer.abort()
        await self.peer.lost()
        self.client.send(b"finds out that the server is gone")
        error = await self.here.disconnected(SERVER)
        self.assertIsInstance(error.reason, ConnectionLost)
        self.ann.force()
        await self.over()


class Fence:
    """The claims of a fleet, whose names may belong to others unless ``up``."""

    up = True

    async def claim(self, name: str, timeout: float) -> None:
        """Nobody else has it."""

    def release(self, name: str) -> None:
        """Nobody else wants it."""

    def fence(self) -> bool:
        """See `NameClaims`."""
        return self.up


class FenceTests(LinkCase):
    """A link whose name may belong to another node of the fleet."""

    async def test_down(self) -> None:
        """What comes from either side while the fence is down goes nowhere."""
        world = await self.world()
        claims = world.repeater._factory.admission.names.claims = Fence()
        ann, peer = await world.linked("ann")
        await world.still_relays(ann, peer)
        claims.up = False
        ann.send(b"late")
        peer.send(b"too late")
        await turn(20)
        self.assertEqual((ann.seen[-1], peer.seen[-1]), (b"here", b"there?"))

    async def test_no_name(self) -> None:
        """A client without a name is relayed: nobody else can have its label."""
        world = await self.world(dialect=dialects.length(), server=Server(when_greeted=False))
        claims = world.repeater._factory.admission.names.claims = Fence()
        claims.up = False
        client = await world.connect(hello("ann"))
        await world.server.peers.reach(1)
        (peer,) = world.server.peers
        await peer.seen.reach(1)
        peer.send(b"{}")
        await client.seen.reach(1)


class SlowConsumerTests(LinkCase):
    """Sides that don't take messages."""

    async def test_messages_of_the_application(self) -> None:
        """A client that doesn't take the application's messages is disconnected; the server's side stays up."""
        await self.link(on_error=keep, limits=Limits(max_waiting=200_000))
        self.client.transport.pauseProducing()
        sent = 0
        while not self.heard:
            self.ann.link.send_to_client(bytes(50_000))
            sent += 1
            await turn()
        error = await self.here.disconnected(CLIENT)
        reason: Any = error.reason
        self.assertIsInstance(reason, SlowConsumer)
        self.assertTrue(200_000 < reason.waiting < 300_000, reason.waiting)
        self.ann.link.send_to_client(b"nobody gets this")
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.ann.link.send_to_server(b"still up")
        await self.peer.seen.reach(2)
        self.ann.close()
        await self.over()

    async def test_messages_behind_a_large_one(self) -> None:
        """A server's large burst is not held against its client."""
        await self.link(limits=Limits(max_waiting=1000))
        self.client.transport.pauseProducing()
        self.peer.send(bytes(10_000_000))
        await self.until(lambda: self.ann.client.outlet.full)
        self.here.repeater.send_to_all_clients(b"tick")
        self.client.transport.resumeProducing()
        await self.client.seen.reach(3)
        self.assertEqual((self.client.seen[2], self.here.errors), (b"tick", []))

    async def test_stalled(self) -> None:
        """A client that takes nothing at all of what waits for it is disconnected after ``stall_timeout``."""
        time, stall = StoppedTime(), 300
        await self.link(reactor=time, limits=replace(UNHURRIED, stall_timeout=stall))
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full)
        await turn(10)
        took = await time.pass_until(
            Deferred.fromCoroutine(self.here.disconnected(CLIENT)), 10, self.ann.client.progress
        )
        self.assertTrue(stall <= took < 1.2 * stall, took)
        self.assertEqual(self.heard[CLIENT], (SlowConsumer, False))  # the server may have ended by now, too
        await time.pass_until(self.ann.when_over())
        self.client.transport.resumeProducing()

    async def test_stalled_after_its_end(self) -> None:
        """One that has ended its stream before is closed as well; the application hears of each side once."""
        time = StoppedTime()
        limits = replace(UNHURRIED, stall_timeout=300)
        await self.link(reactor=time, server=Server(half_close=True), on_error=keep, limits=limits)
        self.client.end_stream()
        await self.here.disconnected(CLIENT)
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full)
        while not self.ann.client.lost:
            await time.pass_turn(10)
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, True)})
        self.client.transport.resumeProducing()
        self.ann.close()

    async def test_slow_but_not_stalled(self) -> None:
        """A client that takes something now and then is waited for."""
        time = StoppedTime()
        await self.link(reactor=time, limits=Limits(stall_timeout=1))
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full)
        while len(self.client.seen) < 101:
            taken = self.ann.client.progress()
            self.client.transport.resumeProducing()
            await self.until(lambda taken=taken: len(self.client.seen) == 101 or self.ann.client.progress() != taken)
            self.client.transport.pauseProducing()
            await turn()
            time.clock.advance(0.75)
        self.assertEqual(self.here.errors, [])
        self.assertEqual(time.deadlines(), [])

    async def test_no_stall_timeout(self) -> None:
        """Without that limit a client may stop reading for as long as it wants."""
        time = StoppedTime()
        await self.link(reactor=time, limits=Limits(stall_timeout=None))
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full)
        self.assertEqual(time.deadlines(), [])
        self.client.transport.resumeProducing()
        await self.client.seen.reach(101)

    async def test_full_again(self) -> None:
        """Each time that more waits than should is watched on its own."""
        time = StoppedTime()
        await self.link(reactor=time)
        sent = 0
        for _ in range(3):
            self.client.transport.pauseProducing()
            while not self.ann.client.outlet.full:  # the system's buffers may grow
                self.peer.send(bytes(100_000))
                sent += 1
                await self.until(lambda sent=sent: self.ann.client.outlet.full or self.ann.lanes[1].messages == sent)
            self.assertEqual(len(time.deadlines()), 1)
            self.client.transport.resumeProducing()
            await self.until(lambda sent=sent: not self.ann.client.outlet.full and len(self.client.seen) == 1 + sent)
        self.assertEqual(time.deadlines(), [])


class BackPressureTests(LinkCase):
    """A side that doesn't read stops the other from being read."""

    async def test_pauses_and_goes_on(self) -> None:
        """While a client doesn't read, the server isn't read either; later every byte arrives, in order."""
        await self.link()
        messages = [b"%05d" % index * 2000 for index in range(2000)]
        self.client.transport.pauseProducing()
        self.peer.send(*messages)
        await self.until(lambda: self.ann.server.valve.closed)
        before = self.ann.received(Direction.TO_CLIENT)
        await turn(20)
        self.assertEqual(self.ann.received(Direction.TO_CLIENT), before)
        self.assertLess(self.ann.client.outlet.waiting, HIGH_WATER + 200_000)
        self.client.send(b"the other direction goes on")
        await self.peer.seen.reach(2)
        self.client.transport.resumeProducing()
        await self.client.seen.reach(2001)
        self.assertEqual(self.client.seen[1:], messages)

    async def test_answers(self) -> None:
        """A client that doesn't read the answers of a filter isn't read any further."""
        await self.link(to_server_filter=lambda message, link: SendBack([message * 10]))
        self.client.transport.pauseProducing()
        messages = [b"%05d" % index * 1000 for index in range(1000)]
        self.client.send(*messages)
        await self.until(lambda: self.ann.client.valve.closed)
        await turn(20)
        self.assertLess(self.ann.client.outlet.waiting, HIGH_WATER + 500_000)
        self.client.transport.resumeProducing()
        await self.client.seen.reach(1001)
        self.assertEqual(self.client.seen[1:], [message * 10 for message in messages])

    async def test_passed_on_and_answered(self) -> None:
        """With both ways from one message, each side gets its own, in order, however the other reads."""
        await self.link(to_server_filter=lambda message, link: PassOnAndSendBack([b"got " + message]))
        self.client.transport.pauseProducing()
        messages = [b"%05d" % index * 2000 for index in range(1000)]
        self.client.send(*messages)
        await self.until(lambda: self.ann.client.valve.closed)
        self.client.transport.resumeProducing()
        await self.client.seen.reach(1001)
        await self.peer.seen.reach(1001)
        self.assertEqual(self.client.seen[1:], [b"got " + message for message in messages])
        self.assertEqual(self.peer.seen[1:], messages)

    async def test_before_the_link_is_made(self) -> None:
        """Messages behind a hello wait up to a limit, beyond which nothing is read; the link delivers them all."""
        messages = [b"%05d" % index * 2000 for index in range(1000)]
        world = await self.world(server=Server(when_greeted=False))
        await world.connect(hello("ann") + b"".join(map(frame, messages)))
        await world.server.peers.reach(1)
        (link,) = world.repeater._factory.links
        await self.until(lambda: link.client.valve.closed)
        await turn(20)
        assert link.client.opening is not None
        self.assertLess(link.client.opening.size, 200_000)
        (peer,) = world.server.peers
        peer.say_hello()
        await peer.seen.reach(1001)
        self.assertEqual(peer.seen[1:], messages)

    async def test_pending_filter(self) -> None:
        """While a verdict is awaited its direction is read no further than it was; the other goes on."""
        verdicts: list[Deferred[Any]] = []

        def decide(message: bytes, link: Any) -> Any:
            if message:
                return PASS_ON
            verdicts.append(Deferred())
            return verdicts[-1]

        await self.link(to_server_filter=decide)
        messages = [b"", *(b"%05d" % index * 2000 for index in range(1000))]
        self.client.send(*messages)
        await self.until(lambda: self.ann.client.valve.closed)
        await turn(20)
        self.assertLess(self.ann.lanes[0].holding, 200_000)
        self.peer.send(b"the other direction")
        await self.client.seen.reach(2)
        verdicts[0].callback(PASS_ON)
        await self.peer.seen.reach(1002)
        self.assertEqual(self.peer.seen[1:], messages)

    async def test_lost_while_choked(self) -> None:
        """When the side that didn't read is lost, the other is read again; its messages are dropped."""
        await self.link(on_error=keep)
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.server.valve.closed)
        self.client.abort()
        await self.until(lambda: self.ann.received(Direction.TO_CLIENT)[0] == 100)
        self.assertFalse(self.ann.server.valve.closed)
        self.ann.close()


def lets_stand(link: Any, side: Side, error: LinkError) -> None:
    """An application that ends a link when a side is lost, but not when a filter fails."""
    if not isinstance(error, CallbackFailed):
        end_link(link, side, error)


class GivingWayTests(LinkCase):
    """A client that sends much, through a filter that takes its time: ``cost``, in seconds, for each message."""

    cost = SLICE

    def setUp(self) -> None:
        """Have a clock that only the filter moves."""
        self.time = StoppedTime()
        self.judged: list[bytes] = []

    def slow(self, message: bytes, link: Any) -> Any:
        """Be such a filter."""
        self.time.clock.rightNow += self.cost
        self.judged.append(message)
        return PASS_ON

    async def test_others_have_their_turn(self) -> None:
        """Another link's message waits for a few of them, not for all that were read at once."""
        before: list[int] = []

        def judge(message: bytes, link: Any) -> Any:
            if link.client_name == "bob":
                before.append(len(self.judged))
                return PASS_ON
            if not self.judged:
                bob.send(b"a word")
            return self.slow(message, link)

        await self.link(to_server_filter=judge, reactor=self.time)
        bob, bobs_peer = await self.here.linked("bob")
        messages = [b"%d" % number for number in range(1000)]
        self.client.send(*messages)
        await bobs_peer.seen.reach(2)
        self.assertLess(before[0], 200)
        await self.peer.seen.reach(1001)
        self.assertEqual(self.peer.seen[1:], messages)

    async def test_reads_on(self) -> None:
        """While a lane gives way its connection is read, ahead of the filter and up to a bound."""
        await self.link(to_server_filter=self.slow, reactor=self.time)
        messages = [b"%05d" % number * 200 for number in range(3000)]
        self.client.send(*messages)
        (lane, _), valve = self.ann.lanes, self.ann.client.valve
        await self.until(lambda: lane.holding > MAX_HELD / 2 or len(self.judged) == 3000)
        self.assertLess(len(self.judged), 1000)
        self.assertFalse(valve.closed)
        await self.until(lambda: valve.closed)
        self.assertTrue(MAX_HELD < lane.holding < MAX_HELD + 200_000, lane.holding)
        self.cost = 0
        await self.peer.seen.reach(3001)
        self.assertEqual(self.peer.seen[1:], messages)
        self.assertFalse(valve.closed)

    async def test_leaves_behind_a_burst(self) -> None:
        """All that a client sent before it left is delivered, although it did not read the replies that came already.

        The application hears of the loss behind all of it.
        """
        heard: list[int] = []

        def judge(message: bytes, link: Any) -> Any:
            self.slow(message, link)
            return PassOnAndSendBack([b"reply to " + message])

        def on_error(link: Any, *arguments: Any) -> None:
            heard.append(len(self.judged))
            link.close()

        await self.link(to_server_filter=judge, on_error=on_error, reactor=self.time)
        messages = [b"%05d" % number * 100 for number in range(1500)]
        self.client.transport.pauseProducing()
        self.client.send(*messages)
        lane = self.ann.lanes[0]
        await self.until(lambda: lane.holding > 600_000 or len(self.judged) == 1500)
        self.assertLess(len(self.judged), 300)
        await self.until(lambda: taken_from(self.client) > len(messages) * 504 and unread(self.client))
        self.client.abort()
        await self.peer.seen.holds(LOST)
        self.assertEqual(self.peer.seen[1:-1], messages)
        self.assertEqual(heard, [1500])


class GivingWayInMemoryTests(MemoryCase):
    """How a link ends while one of its lanes gives way."""

    def setUp(self) -> None:
        """Link a client, with a filter that takes half a slice for a message, and let it send many."""
        super().setUp()
        self.verdicts: dict[bytes, Any] = {}
        self.here = self.memory(to_server_filter=self.slow, limits=Limits(filter_timeout=SLICE * 10))
        client, self.server = self.here.linked("ann")
        self.pair = self.here.pair(client)
        self.messages = [b"%d" % number for number in range(60)]
        self.stream = b"".join(map(frame, self.messages))

    def slow(self, message: bytes, link: Any) -> Any:
        """Be a filter for which time passes."""
        self.here.clock.rightNow += SLICE / 2
        return self.verdicts.get(message, PASS_ON)

    def send(self) -> None:
        """Let the messages come, in one read."""
        self.pair.client.dataReceived(self.stream)
        self.here.deliver()
        self.assertLess(len(self.server.received), len(self.messages))
        self.assertEqual(self.heard, [])

    def lose(self, side: Side) -> None:
        """Lose a connection."""
        self.pair.connection(side).connectionLost(Failure(ConnectionLost("cut")))

    @property
    def heard(self) -> list[tuple[Side, type]]:
        """The sides and reasons that the application heard of."""
        return [(side, type(error.reason)) for _, side, error in self.here.calls.errors]

    def test_lost(self) -> None:
        """The loss of a side is told behind all that it sent, with the reason that it had."""
        self.send()
        self.lose(CLIENT)
        self.assertEqual(self.heard, [])
        self.here.settle()
        self.server.expect(*self.messages)
        self.assertEqual(self.heard, [(CLIENT, ConnectionLost)])

    def test_lost_and_waiting(self) -> None:
        """It is told at once where the lane comes to a message whose verdict is awaited: that may take long."""
        verdict = self.verdicts[b"40"] = Deferred()
        self.send()
        self.lose(CLIENT)
        self.here.settle()
        self.server.expect(*self.messages[:40])
        self.assertEqual(self.heard, [(CLIENT, ConnectionLost)])
        verdict.callback(PASS_ON)
        self.here.settle()
        self.server.expect(*self.messages[40:])
        self.assertEqual(len(self.heard), 1)

    def test_both_lost(self) -> None:
        """It is told when the link is over, at the latest; then nothing is left to be done."""
        self.send()
        self.lose(CLIENT)
        self.lose(SERVER)
        self.assertEqual(self.heard, [(SERVER, ConnectionLost), (CLIENT, ConnectionLost)])
        self.assertEqual(self.here.clock.getDelayedCalls(), [])

    def test_stream_ended(self) -> None:
        """So is the end of a stream."""
        self.send()
        self.pair.client.readConnectionLost()
        self.assertEqual(self.heard, [])
        self.here.settle()
        self.server.expect(*self.messages)
        self.assertEqual(self.heard, [(CLIENT, ConnectionDone)])

    def test_closed(self) -> None:
        """A link that closes filters and delivers its received messages first."""
        self.send()
        self.pair.close()
        self.assertTrue(self.server.open)
        self.here.settle()
        self.server.expect(*self.messages)
        self.assertTrue(self.pair.over)

    def test_forced(self) -> None:
        """One that is ended by force doesn't."""
        self.send()
        sent = len(self.server.received)
        self.pair.force()
        self.here.settle()
        self.assertEqual((len(self.server.received), self.here.clock.getDelayedCalls()), (sent, []))

    def test_no_filter_timeout(self) -> None:
        """The time that a filter may wait with its verdict is not that in which a lane gives way."""
        verdict = self.verdicts[b"0"] = Deferred()
        self.pair.client.dataReceived(self.stream)
        verdict.callback(PASS_ON)
        self.here.settle()
        self.server.expect(*self.messages)
        self.assertEqual((self.heard, self.here.clock.getDelayedCalls()), ([], []))

    def test_bug(self) -> None:
        """An exception in such a turn ends the connection, as it does in a read."""

        def write(data: bytes) -> None:
            raise RuntimeError("no")

        self.send()
        self.patch(self.pair.server.transport, "writeSomeData", write)
        self.assertRaises(RuntimeError, self.here.settle)
        self.here.settle()
        self.assertTrue(self.pair.client.gone)


class FilterTests(LinkCase):
    """Filters that fail, or take too long."""

    def check_goes_on(self, name: str) -> Any:
        """Check that the other direction, and other links, go on."""

        async def check() -> None:
            self.peer.send(b"the other direction")
            await self.client.seen.until(lambda: self.client.seen[-1] == b"the other direction")
            bob, peer = await self.here.linked(name)
            await self.here.still_relays(bob, peer)

        return check()

    async def test_default(self) -> None:
        """However a filter fails, in either direction, its link is closed by default, and says why; what was passed on
        before that is delivered."""

        def raises(message: bytes, link: Any) -> Any:
            raise ZeroDivisionError

        async def raises_later(message: bytes, link: Any) -> Any:
            await turn()
            raise ZeroDivisionError

        failures: list[tuple[Any, type]] = [
            (raises, ZeroDivisionError),
            (raises_later, ZeroDivisionError),
            (lambda message, link: None, WrongVerdict),
            (lambda message, link: succeed(None), WrongVerdict),
            (lambda message, link: Deferred(), FilterTimeout),
        ]
        limits = Limits(filter_timeout=0.05)
        for number, (fails, reason) in enumerate(failures):
            for source in Side:

                def decide(message: bytes, link: Any, fails: Any = fails) -> Any:
                    return PASS_ON if message == b"1" else fails(message, link)

                filters: dict[str, Any] = {f"to_{source.other.value}_filter": decide}
                await self.link(**filters, limits=limits)
                ends = {CLIENT: self.client, SERVER: self.peer}
                ends[source].send(b"1", b"bad", b"2")
                await self.client.lost()
                await self.peer.lost()
                await self.over()
                self.assertEqual(ends[source.other].seen[1:], [b"1", LOST], (number, source))
                error = self.ann.reason
                self.assertIsInstance(error, CallbackFailed)
                self.assertEqual((error.stopped, error.side, type(error.reason)), (True, source, reason))
                self.flushLoggedErrors(reason)

    async def test_stopped(self) -> None:
        """A link that the application lets stand says which direction has stopped; other policies stop none."""
        for policy in OnFilterError:
            for source, direction in zip(Side, Direction, strict=True):
                filters: dict[str, Any] = {f"to_{source.other.value}_filter": lambda message, link: None}
                await self.link(**filters, on_filter_error=policy, on_error=lets_stand)
                self.assertEqual(self.ann.stopped, frozenset())
                (self.client if source is CLIENT else self.peer).send(b"1")
                await self.here.calls.until(lambda: self.here.errors)
                stopped = policy is OnFilterError.STOP
                self.assertEqual(self.here.errors[0][2].stopped, stopped)
                self.assertEqual(self.ann.stopped, {direction} if stopped else frozenset())
                self.flushLoggedErrors(WrongVerdict)

    async def test_raises(self) -> None:
        """A filter that raises stops receiving on the side whose message it was; where the application lets the link
        stand, all else goes on."""

        def decide(message: bytes, link: Any) -> Any:
            if message == b"bad":
                raise ZeroDivisionError
            return PASS_ON

        await self.link(to_server_filter=decide, on_error=lets_stand)
        self.client.send(b"1", b"bad", b"2")
        await self.peer.seen.reach(2)
        self.client.send(b"3")
        await self.check_goes_on("bob")
        (error,) = [error for *_, error in self.here.errors]
        self.assertIsInstance(error, CallbackFailed)
        self.assertEqual((error.number, type(error.reason)), (2, ZeroDivisionError))
        self.assertEqual(self.peer.seen[1:], [b"1"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.ann.received(Direction.TO_SERVER)[0], 2)

    async def test_gone_after_that(self) -> None:
        """A side that isn't received any more is still seen to go, after a filter that failed at once or later."""

        def at_once(message: bytes, link: Any) -> Any:
            raise ZeroDivisionError

        async def later(message: bytes, link: Any) -> Any:
            await turn()
            raise ZeroDivisionError

        for decide in (at_once, later):
            await self.link(to_server_filter=decide, on_error=lets_stand)
            self.client.send(b"1", b"2")
            await self.here.calls.until(lambda: self.here.errors)
            self.client.close()
            await self.peer.lost()
            await self.over()
            self.assertEqual(self.heard[CLIENT], (ConnectionDone, True))
            self.assertEqual(self.peer.seen[1:], [LOST])
            self.flushLoggedErrors(ZeroDivisionError)

    async def test_timeout(self) -> None:
        """A verdict that doesn't come in time is a failure of the filter, and treated as one."""
        expected = {
            OnFilterError.STOP: [],
            OnFilterError.DROP: [b"2"],
            OnFilterError.PASS_ON: [b"wait", b"2"],
        }
        for policy, delivered in expected.items():
            time = StoppedTime()
            await self.link(
                reactor=time,
                limits=Limits(filter_timeout=10),
                to_server_filter=lambda message, link: Deferred() if message == b"wait" else PASS_ON,
                on_filter_error=policy,
                on_error=lets_stand,
            )
            self.client.send(b"wait", b"2")
            await self.until(lambda: self.ann.lanes[0].awaited)
            self.assertEqual([call.getTime() for call in time.deadlines()], [10])
            time.clock.advance(10)
            await self.peer.seen.reach(1 + len(delivered))
            await self.check_goes_on(f"bob-{policy.value}")
            self.assertEqual(self.peer.seen[1:], delivered)
            (error,) = [error for *_, error in self.here.errors]
            self.assertIsInstance(error.reason, FilterTimeout)
            self.assertEqual(time.deadlines(), [])
            self.flushLoggedErrors(FilterTimeout)

    async def test_timeout_closes(self) -> None:
        """If the application wants so, the link is closed then."""
        time = StoppedTime()
        await self.link(
            reactor=time,
            limits=replace(UNHURRIED, filter_timeout=10),
            to_server_filter=lambda message, link: Deferred(),
            on_filter_error=OnFilterError.CLOSE,
        )
        self.client.send(b"1")
        await self.until(lambda: self.ann.lanes[0].awaited)
        time.clock.advance(10)
        self.assertLess(await time.pass_until(self.ann.when_over()), UNHURRIED.close_timeout / 10)
        self.assertIsInstance(self.ann.reason, CallbackFailed)
        self.flushLoggedErrors(FilterTimeout)

    async def test_in_time(self) -> None:
        """A verdict that comes in time stops the clock; the next message has all the time again."""
        time = StoppedTime()
        verdicts: list[Deferred[Any]] = []

        def decide(message: bytes, link: Any) -> Any:
            verdicts.append(Deferred())
            return verdicts[-1]

        await self.link(reactor=time, limits=Limits(filter_timeout=10), to_server_filter=decide)
        self.client.send(b"1", b"2")
        for index in range(2):
            await self.until(lambda index=index: len(verdicts) > index)
            time.clock.advance(9)
            verdicts[index].callback(PASS_ON)
        self.assertEqual(time.deadlines(), [])
        await self.peer.seen.reach(3)
        self.assertEqual((self.peer.seen[1:], self.here.errors), ([b"1", b"2"], []))


@implementer(ICodec)
class Numbers:
    """A codec of whole numbers."""

    def decode(self, payload: bytes) -> int:
        """See `ICodec`."""
        return int(payload)

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        return b"%d" % message


class MessageTests(LinkCase):
    """Messages that cannot be understood, or sent, and the application's own."""

    async def test_parse_error(self) -> None:
        """A payload that cannot be decoded is dropped; the next is read."""
        await self.link(dialect=dialects.int32(to_server=Numbers()), to_server_filter=lambda message, link: PASS_ON)
        self.client.send(b"1", b"two", b"3")
        await self.peer.seen.reach(3)
        self.assertEqual(self.peer.seen[1:], [b"1", b"3"])
        ((name, side, error),) = self.here.errors
        self.assertEqual((name, side, type(error)), ("ann", CLIENT, ParseError))

    async def test_marshaling_error(self) -> None:
        """A message that cannot be encoded is not sent; the rest goes on. The side is the one it was for."""
        await self.link(
            dialect=dialects.int32(to_server=Numbers()),
            to_server_filter=lambda message, link: Send(message, "not a number", message + 1),
        )
        self.client.send(b"1")
        self.ann.link.send_to_server("no number either")
        await self.peer.seen.reach(3)
        self.assertEqual(self.peer.seen[1:], [b"1", b"2"])
        self.assertEqual([(side, type(error)) for _, side, error in self.here.errors], [(SERVER, MarshalingError)] * 2)

    async def test_sent_by_a_filter(self) -> None:
        """A message that a filter sends goes out just before the message it looks at."""

        def decide(message: bytes, link: Any) -> Any:
            link.send_to_server(b"before " + message)
            return PASS_ON

        await self.link(to_server_filter=decide)
        self.client.send(b"1", b"2")
        await self.peer.seen.reach(5)
        self.assertEqual(messages(self.peer), [b"before 1", b"1", b"before 2", b"2"])

    async def test_sent_before_it_is_made(self) -> None:
        """Messages that the application sends while a link is being made go out first, behind the hellos."""

        def on_connect(link: Any) -> None:
            for index in range(3):
                link.send_to_client(b"to client %d" % index)
                link.send_to_server(b"to server %d" % index)

        world = await self.world(on_connect=on_connect, server=Server(when_greeted=False))
        client = await world.connect(hello("ann") + frame(b"early"))
        await world.server.peers.reach(1)
        (peer,) = world.server.peers
        peer.write(hello(SERVER_NAME) + frame(b"early"))
        await peer.seen.reach(5)
        await client.seen.reach(5)
        self.assertEqual(peer.seen[1:], [*(b"to server %d" % index for index in range(3)), b"early"])
        self.assertEqual(client.seen[1:], [*(b"to client %d" % index for index in range(3)), b"early"])

    async def test_attributes(self) -> None:
        """A link knows its peers and counts their messages."""
        await self.link()
        verifyObject(ILink, self.ann.link)
        self.assertEqual(repr(self.ann.link), "<link of 'ann' to 'quotes'>")
        self.assertEqual(self.ann.link.client_address.port, self.client.transport.getHost().port)
        self.assertEqual(self.ann.link.server_address.port, self.peer.transport.getHost().port)
        self.client.send(b"1", b"22")
        await self.peer.seen.reach(3)
        self.assertEqual(self.ann.link.received(Direction.TO_SERVER), (2, 11))
        self.assertEqual(self.ann.link.received(Direction.TO_CLIENT), (0, 0))
        self.assertTrue(self.ann.active)


class UnreadTests(LinkCase):
    """A side ends, or is lost, while it is not read because its messages wait."""

    limits = Limits(linger=40, close_timeout=8)

    async def wait_for_verdict(self, **settings: Any) -> None:
        """Link ann, and let her first message wait for its verdict, with one more behind it."""
        self.verdict: Deferred[Any] = Deferred()
        self.time = StoppedTime()
        verdicts = iter([self.verdict])
        settings.setdefault("to_server_filter", lambda message, link: next(verdicts, PASS_ON))
        await self.link(reactor=self.time, **settings)
        self.client.send(b"first")
        await self.until(lambda: self.ann.client.valve.closed)
        self.client.send(b"second")
        await self.until(lambda: unread(self.client) or unread_size(self.ann.client.handle))

    async def leave(self) -> None:
        """Let ann close in good order."""
        self.client.close()
        await self.client.lost()

    async def test_never_a_verdict(self) -> None:
        """A verdict that never comes does not keep the link of a client that has gone, whatever ``on_error`` does."""
        for on_error in (None, keep):
            await self.wait_for_verdict(**({} if on_error is None else {"on_error": on_error}))
            await self.leave()
            took = await self.time.pass_until(self.ann.when_over(), 0.5)
            self.assertTrue(40 <= took < 60, took)
            self.assertTrue(self.verdict.called)
            self.assertEqual(self.ann.reason.side, CLIENT)
            await self.peer.lost()
            self.assertIsNone(self.here.repeater.link("ann"))
            self.assertEqual(self.time.deadlines(), [])

    async def test_verdict_in_time(self) -> None:
        """One that comes in time has everything delivered, and the end of the stream is heard of in its turn."""
        await self.wait_for_verdict(on_error=keep)
        await self.leave()
        for _ in range(30):
            self.time.clock.advance(1)
            await turn()
        self.assertEqual(self.heard, {})
        self.verdict.callback(PASS_ON)
        await self.here.disconnected(CLIENT)
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, True)})
        await self.peer.seen.reach(3)
        self.assertEqual(messages(self.peer), [b"first", b"second"])
        self.time.clock.advance(1000)
        self.assertFalse(self.ann.closing)

    async def test_end_read_already(self) -> None:
        """So it is where the end of the stream was read already, and waits only to be told."""
        await self.wait_for_verdict(on_error=keep)
        self.client.end_stream()
        await self.until(lambda: hang_ups([self.ann.client.handle])[0] is not None)
        self.ann.client.transport.readConnectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.ann.client.ended, self.heard), (True, {}))
        took = await self.time.pass_until(self.ann.when_over(), 0.5)
        self.assertTrue(40 <= took < 60, took)

    async def test_reset(self) -> None:
        """A reset is heard of at once, and closing waits for a verdict no longer than for anything else."""
        await self.wait_for_verdict()
        self.client.abort()
        await self.client.lost()
        await self.time.pass_until(Deferred.fromCoroutine(self.here.disconnected(CLIENT)), 0.5)
        self.assertEqual(self.heard, {CLIENT: (ConnectionLost, False)})
        took = await self.time.pass_until(self.ann.when_over(), 0.5)
        self.assertTrue(8 <= took < 12, took)

    async def test_reset_with_orders(self) -> None:
        """All that the client had sent before is delivered if the verdict comes in time."""
        await self.wait_for_verdict()
        self.client.abort()
        await self.client.lost()
        await self.time.pass_until(Deferred.fromCoroutine(self.here.disconnected(CLIENT)), 0.5)
        self.verdict.callback(PASS_ON)
        await self.peer.lost()
        self.assertEqual(messages(self.peer), [b"first", b"second"])

    async def test_server_slow(self) -> None:
        """A client that is not read because the server is slow is watched in the same way."""
        time = StoppedTime()
        await self.link(reactor=time, on_error=keep, limits=Limits(linger=40, close_timeout=8, stall_timeout=None))
        self.peer.transport.pauseProducing()
        self.client.send(*(bytes(100_000) for _ in range(100)))
        await self.until(lambda: self.ann.client.valve.closed)
        self.client.abort()
        await self.client.lost()
        await time.pass_until(Deferred.fromCoroutine(self.here.disconnected(CLIENT)), 0.5)
        self.assertEqual(self.heard, {CLIENT: (ConnectionLost, False)})
        self.peer.transport.resumeProducing()

    async def test_being_linked(self) -> None:
        """While a link is being made a client that has sent more than is read ahead may have ended its stream."""
        connected: Deferred[Any] = Deferred()
        time = StoppedTime()
        self.here = await self.world(reactor=time, on_connect=lambda link: connected, limits=self.limits)
        requests = [bytes(100_000), b"last"]
        client = await self.here.connect(hello("ann") + b"".join(map(frame, requests)), ends=True, half_close=True)
        (link,) = self.here.repeater._factory.links
        await self.until(lambda: link.client.valve.closed)
        time.clock.advance(4)
        connected.callback(None)
        await client.seen.reach(1)
        (peer,) = self.here.server.peers
        await peer.seen.reach(3)
        self.assertEqual(messages(peer), requests)

    async def test_vanished(self) -> None:
        """A client that has vanished is heard of with that reason, and its connection is gone."""
        await self.wait_for_verdict(on_error=keep)
        self.ann.client.vanish()
        self.assertEqual(self.heard, {CLIENT: (TCPTimedOutError, False)})
        await self.client.lost()
        self.verdict.callback(PASS_ON)
        await self.peer.seen.reach(3)
        self.assertEqual(messages(self.peer), [b"first", b"second"])

    async def test_half_closed_and_reset(self) -> None:
        """A client that has ended its stream, and is let stand by the application, is heard of when it is reset."""
        time = StoppedTime()
        await self.link(reactor=time, on_error=keep, client={"half_close": True})
        self.client.end_stream()
        await self.here.disconnected(CLIENT)
        self.client.abort()
        await self.client.lost()
        while not self.ann.client.lost:
            await time.pass_turn(1)


class UnmadeTests(MemoryCase):
    """Links that are not made yet, or never will be."""

    def setUp(self) -> None:
        """Connect a client whose server doesn't answer."""
        super().setUp()
        self.here = self.memory(answers=False, limits=Limits(stall_timeout=1))
        self.client = self.here.connect("ann")
        self.pair = self.here.pair(self.client)

    def test_received(self) -> None:
        """Nothing was received."""
        self.assertEqual([self.pair.received(direction) for direction in Direction], [(0, 0), (0, 0)])

    def test_send(self) -> None:
        """Nothing can be sent before the peers are known."""
        self.pair.link.send_to_client(b"1")
        self.pair.link.send_to_server(b"1")
        self.here.settle()
        self.assertEqual((self.client.heard, self.here.server["ann"].received), (None, []))

    def test_stalled(self) -> None:
        """A server that doesn't take its hello is given up."""
        self.pair.connection_full(self.pair.server)
        self.here.advance(2)
        self.assertEqual(self.here.calls.refusals, [("ann", ServerUnreachable)])

    def test_client_has_said_all(self) -> None:
        """A client that ends its stream behind a message is linked, and the application is told."""
        self.client.send(b"all")
        self.client.end_stream()
        self.here.answer()
        self.here.server["ann"].expect(b"all")
        self.assertEqual([call[:2] for call in self.here.calls.errors], [("ann", CLIENT)])

    def test_client_leaves(self) -> None:
        """A client that ends its stream behind nothing but its hello is gone."""
        self.client.end_stream()
        self.assertEqual(self.here.calls.refusals, [("ann", ClientGone)])
        self.assertTrue(self.pair.over)

    def test_close_when_over(self) -> None:
        """You may close a link that is over, or ask it to give way: nothing happens."""
        timers = self.here.clock.getDelayedCalls()
        link = Pair(self.here.factory.links, SERVER_NAME)
        link.check_over()
        link.close()
        link.give_way()
        link.abort()
        self.assertTrue(link.over)
        self.assertEqual(self.here.clock.getDelayedCalls(), timers)


class NameTests(MemoryCase):
    """What a link says of its client."""

    def test_identify(self) -> None:
        """A link may get another name; `test_identifying` has more."""
        world = self.memory()
        world.linked("ann")
        self.successResultOf(world.link("ann").identify("bob"))
        self.assertEqual(world.repeater.active_clients(), ["bob"])

    def test_silent(self) -> None:
        """A client is silent until a byte of it has come, be it before the link is made or after."""
        world = self.memory(answers=False, to_server_filter=lambda message, link: Deferred())
        client = world.connect(None)
        pair = world.pair(client)
        self.assertTrue(pair.silent)
        world.say(client, "ann")
        self.assertFalse(pair.silent)
        world.answer()
        for data in (b"\0", frame(b"whole"), frame(b"first") + frame(b"second")):
            world.linked(name := data.hex())
            pair = pair_of(world.link(name))
            pair.client.heard = False  # as where the server speaks first
            self.assertTrue(pair.silent)
            pair.client.receive(data)
            self.assertFalse(pair.silent)

    def test_waiting_for_the_end(self) -> None:
        """Of those who wait for the end of a link, one may give up when another hears of it."""
        world = self.memory()
        client, _ = world.linked("ann")
        first, second, third = (world.pair(client).when_over() for _ in range(3))
        for deferred in (second, third):
            deferred.addErrback(lambda failure: failure.trap(CancelledError))
        second.cancel()
        first.addCallback(lambda _: third.cancel())
        world.link("ann").close()
        world.settle()
        self.successResultOf(first)
        self.assertTrue(third.called)


class WatchedTests(MemoryCase):
    """What those who watch a link are told by it."""

    def test_own_messages(self) -> None:
        """Messages of the application and the farewell are told as they go out, also those sent before it was made."""
        dialect = dialects.int32().changed(farewell=lambda reason, link: b"bye")
        world = self.memory(dialect=dialect, on_connect=lambda link: link.send_to_server(b"early"))
        seen: list[WatchedMessage] = []
        world.repeater.watch(seen.append)
        client, _ = world.linked("ann")
        world.link(client).send_to_client(b"now")
        world.pair(client).close()
        world.settle()
        own = [each.forward for each in seen if each.origin is Origin.OWN]
        self.assertEqual(own, [frame(b"early"), frame(b"now"), b"bye"])
        unwatched = self.memory(dialect=dialect)
        client, _ = unwatched.linked("bob")
        unwatched.pair(client).close()
        unwatched.settle()
        self.assertEqual(client.unfinished, b"bye")

    def test_name(self) -> None:
        """Who watches is chosen again when it gets another name."""
        world = self.memory()
        seen: list[WatchedMessage] = []
        world.repeater.watch(seen.append, links="eve")
        client, _ = world.linked("ann")
        pair = world.pair(client)
        self.assertEqual(pair.watches, ())
        self.successResultOf(pair.identify("eve"))
        self.assertEqual(len(pair.watches), 1)
