"""Tests of how links end: all that is still delivered, and all that the application hears."""

from __future__ import annotations

import select
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    Close,
    Direction,
    Limits,
    SendBack,
    dialects,
)
from twisted_repeater._link import ending_pair
from twisted_repeater._link.defaults import end_link
from twisted_repeater._link.link import pair_of
from twisted_repeater._link.outlets import SocketOutlet
from twisted_repeater.errors import (
    DuplicateClient,
    PartialFrame,
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
    reactor,
    repeated,
    turn,
)
from .links import CLIENT, SERVER, UNHURRIED, LinkCase, after_a_turn, answering, messages, taken_from, unread
from .memory_case import MemoryCase


@implementer(IStreamClientEndpoint)
class Lazy:
    """An endpoint that asks for the port when it connects."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self._port()).connect(factory)


class EndOfStreamTests(LinkCase):
    """A peer ends its stream, and goes on reading."""

    async def test_no_reply_is_lost(self) -> None:
        """A client that sends its requests, ends its stream and then reads gets every reply."""
        await self.link(server=Server(answer=answering, half_close=True), client={"half_close": True})
        requests = [b"%d" % index for index in range(1000)]
        self.client.send(*requests)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.seen[1:-1], requests)
        self.peer.close()
        await self.client.seen.holds(END)
        self.assertEqual(messages(self.client), [b"re: " + request for request in requests])
        await self.over()
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, True), SERVER: (ConnectionDone, False)})

    async def test_filters_that_wait(self) -> None:
        """So it does when filters take their time, in both directions."""
        await self.link(
            server=Server(answer=answering, half_close=True),
            to_server_filter=after_a_turn,
            to_client_filter=after_a_turn,
        )
        requests = [b"%d" % index for index in range(50)]
        self.client.send(*requests)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        self.peer.close()
        await self.client.lost()
        self.assertEqual(self.client.seen[1:-1], [b"re: " + request for request in requests])
        await self.over()

    async def test_slow_reader(self) -> None:
        """So it does when it reads a large backlog of replies slowly, when the server is gone already."""
        reply = bytes(100_000)
        await self.link(
            server=Server(answer=lambda peer, message: peer.send(reply), half_close=True),
            client={"half_close": True},
        )
        self.client.transport.pauseProducing()
        self.client.send(*[b"more"] * 100)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        self.peer.close()
        await self.until(lambda: self.ann.client.outlet.full)
        while END not in self.client.seen:
            self.client.transport.resumeProducing()
            await turn()
            self.client.transport.pauseProducing()
            await turn()
        self.assertEqual(messages(self.client), [reply] * 100)
        await self.over()

    async def test_answers_of_a_filter(self) -> None:
        """A filter's answers reach a client that has ended its stream, too."""
        await self.link(
            server=Server(half_close=True),
            to_server_filter=lambda message, link: SendBack([b"no: " + message]),
            client={"half_close": True},
        )
        self.client.send(b"1", b"2")
        self.client.end_stream()
        await self.client.seen.reach(3)
        await self.peer.seen.holds(END)
        self.peer.close()
        await self.over()
        self.assertEqual((self.client.seen[1:3], self.peer.seen[1:]), ([b"no: 1", b"no: 2"], [END, LOST]))

    async def test_filter_that_answers_a_slow_server(self) -> None:
        """The server's last reply comes, too, if a filter has answered the server more than it read before the end."""

        def answer(message: bytes, link: Any) -> Any:
            return SendBack([bytes(100_000)]) if message == b"more" else PASS_ON

        await self.link(server=Server(half_close=True), client={"half_close": True}, to_client_filter=answer)
        self.peer.transport.pauseProducing()
        while not self.ann.server.outlet.full:
            self.peer.send(b"more")
            await turn()
        self.client.end_stream()
        await self.here.disconnected(CLIENT)
        self.assertTrue(self.ann.server.outlet.full)
        self.peer.send(b"reply")
        self.peer.transport.resumeProducing()
        await self.client.seen.holds(b"reply")
        self.peer.close()
        await self.over()

    async def test_slow_server_that_has_taken_everything(self) -> None:
        """A server that was slow, and has taken everything, may work for long on its reply."""
        time = StoppedTime()
        limits = Limits(linger=1000, stall_timeout=10)
        await self.link(server=Server(half_close=True), client={"half_close": True}, limits=limits, reactor=time)
        self.peer.transport.pauseProducing()
        while not self.ann.server.outlet.full:
            self.ann.link.send_to_server(bytes(100_000))
            await turn()
        self.client.end_stream()
        await self.here.disconnected(CLIENT)
        self.peer.transport.resumeProducing()
        await self.peer.seen.holds(END)
        time.clock.pump([1.0] * 30)
        self.peer.send(b"reply")
        await self.client.seen.holds(b"reply")
        self.peer.close()
        await self.over()

    async def test_server_ends_first(self) -> None:
        """When the server ends its stream, the client still sends until it ends too."""
        await self.link(server=Server(half_close=True), client={"half_close": True})
        self.peer.send(b"last")
        self.peer.end_stream()
        await self.client.seen.holds(END)
        self.client.send(b"1", b"2")
        await self.peer.seen.reach(3)
        self.client.send(b"3")
        self.client.end_stream()
        await self.peer.seen.holds(END)
        await self.over()
        self.assertEqual(self.peer.seen[1:5], [b"1", b"2", b"3", END])
        self.assertEqual(self.heard, {SERVER: (ConnectionDone, True), CLIENT: (ConnectionDone, False)})

    async def test_server_behind_an_endpoint(self) -> None:
        """So may a server that an endpoint of Twisted's has dialled."""
        world = self.here = await self.world(
            server=Server(half_close=True), via=Lazy(lambda: world.server_port.getHost().port)
        )
        client, peer = await world.linked("ann")
        peer.end_stream()
        await world.disconnected(SERVER)
        client.send(b"still to the server")
        await peer.seen.reach(2)
        self.assertEqual(peer.seen[1], b"still to the server")
        client.close()
        await peer.lost()
        self.assertEqual(self.heard[SERVER], (ConnectionDone, True))

    async def test_before_the_link_is_made(self) -> None:
        """A client may end its stream behind its first requests before it is linked."""
        world = await self.world(server=Server(answer=answering, half_close=True, when_greeted=False))
        client = await world.connect(hello("ann") + frame(b"1") + frame(b"2"), ends=True)
        await world.until_accepted(heard=True)
        await turn(10)
        (peer,) = world.server.peers
        peer.say_hello()
        await peer.seen.holds(END)
        peer.close()
        await client.lost()
        self.assertEqual(client.seen, [repeated(SERVER_NAME), b"re: 1", b"re: 2", LOST])
        self.assertEqual(world.disconnections["ann", CLIENT], (ConnectionDone, True))

    async def test_left_alone(self) -> None:
        """An application that doesn't mind keeps the link: the other side is up, and messages still go both ways."""
        await self.link(server=Server(half_close=True), client={"half_close": True}, on_error=keep)
        self.client.end_stream()
        error = await self.here.disconnected(CLIENT)
        self.assertTrue(error.half_closed)
        self.assertEqual(str(error), "end of stream: Connection was closed cleanly.")
        self.assertEqual(self.here.repeater.active_clients(), [])
        self.ann.link.send_to_client(b"to you")
        self.ann.link.send_to_server(b"from me")
        self.peer.send(b"reply")
        await self.client.seen.reach(3)
        await self.peer.seen.reach(2)
        self.assertEqual((self.client.seen[1:], self.peer.seen[1:]), ([b"to you", b"reply"], [b"from me"]))
        self.peer.end_stream()
        await self.here.disconnected(SERVER)
        self.assertFalse(self.ann.closing)
        self.here.repeater.close_connection_from_client("ann")
        await self.over()
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, True), SERVER: (ConnectionDone, True)})

    async def test_told_behind_what_was_sent(self) -> None:
        """The application hears of the end of a stream when the filter has seen all that came before."""
        seen: list[Any] = []

        async def decide(message: bytes, link: Any) -> Any:
            await turn()
            seen.append(message)
            return DO_NOTHING

        await self.link(to_server_filter=decide, on_error=lambda *arguments: seen.append("gone"))
        self.client.send(b"1", b"2", b"3")
        self.client.end_stream()
        await self.here.disconnected(CLIENT)
        self.assertEqual(seen, [b"1", b"2", b"3", "gone"])
        self.ann.close()

    async def test_linger(self) -> None:
        """A half-closed link that goes on for longer than is allowed is closed."""
        time, limits = StoppedTime(), replace(UNHURRIED, linger=30)
        await self.link(server=Server(half_close=True), client={"half_close": True}, reactor=time, limits=limits)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        time.clock.advance(29.9)
        self.peer.send(b"still")
        await self.client.seen.reach(2)
        self.assertFalse(self.ann.closing)
        await time.pass_until(self.ann.when_over())
        await self.client.seen.holds(END)
        self.assertEqual(messages(self.client), [b"still"])
        self.assertEqual(time.clock.getDelayedCalls(), [])

    async def test_nobody_left(self) -> None:
        """When a client that has ended its stream is gone, its link doesn't linger."""
        time = StoppedTime()
        await self.link(server=Server(half_close=True), client={"half_close": True}, reactor=time, limits=UNHURRIED)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        self.client.abort()
        over = self.ann.when_over()
        for _ in range(3):
            self.peer.send(b"nobody reads this")
            await turn(3)
        self.assertLess(await time.pass_until(over), UNHURRIED.linger / 10)
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, True), SERVER: (ConnectionDone, False)})

    async def test_finish_twice(self) -> None:
        """Finishing is begun once; before a link is made, or when it closes, it is nothing."""
        await self.link(on_connect=lambda link: link.finish(), on_error=keep, reactor=(time := StoppedTime()))
        self.assertFalse(self.ann.finishing)
        self.ann.finish()
        time.clock.advance(1)
        self.ann.finish()
        self.assertEqual(len(time.deadlines()), 1)
        self.ann.close()
        self.ann.finish()
        await time.pass_until(self.ann.when_over())


class LossTests(LinkCase):
    """A side goes down, for whatever reason."""

    async def test_server_lost(self) -> None:
        """All that a server sent before its connection broke reaches the client, whose link is closed then."""
        await self.link()
        self.peer.send(b"1", b"2")
        await self.client.seen.reach(3)
        self.peer.abort()
        await self.client.lost()
        self.assertEqual(self.client.seen[1:], [b"1", b"2", LOST])
        self.assertIsInstance(self.client.reason, ConnectionDone)
        await self.over()
        self.assertEqual(self.heard, {SERVER: (ConnectionLost, False), CLIENT: (ConnectionDone, False)})

    async def test_client_lost(self) -> None:
        """So does all that a client sent reach the server."""
        await self.link()
        self.client.send(b"1", b"2")
        await self.peer.seen.reach(3)
        self.client.abort()
        await self.peer.lost()
        self.assertEqual(self.peer.seen[1:], [b"1", b"2", LOST])
        await self.over()
        self.assertEqual(self.heard, {CLIENT: (ConnectionLost, False), SERVER: (ConnectionDone, False)})
        self.assertIs(type(self.ann.reason.reason), ConnectionLost)

    async def test_the_other_stays(self) -> None:
        """The other side stays up for an application that doesn't mind, until it closes the link."""
        for name in ("client", "server"):
            await self.link(on_error=keep)
            gone, left, side = (
                (self.client, self.peer, CLIENT) if name == "client" else (self.peer, self.client, SERVER)
            )
            gone.abort()
            await self.here.disconnected(side)
            await turn(5)
            left.send(b"nobody reads this", b"nor this")
            self.ann.link.send_to_client(b"hello, client")
            self.ann.link.send_to_server(b"hello, server")
            self.here.repeater.send_to_all_clients(b"all")
            self.here.repeater.send_from_all_clients(b"all")
            await left.seen.reach(3)
            self.assertEqual(left.seen[1:], [b"hello, " + side.other.value.encode(), b"all"])
            self.here.repeater.close_connection_from_client("ann")
            await self.over()
            self.assertEqual(self.heard, {side: (ConnectionLost, False), side.other: (ConnectionDone, False)})
            await left.lost()

    async def test_name_is_taken(self) -> None:
        """As long as one side is up the name is taken; a newcomer waits for a link that is closing."""
        await self.link(on_error=keep)
        self.client.abort()
        await self.here.disconnected(CLIENT)
        await self.here.connect(hello("ann"))
        await self.here.refused()
        self.assertEqual(self.here.refusals, [("ann", DuplicateClient)])
        again = await self.here.connect(hello("ann"))
        self.ann.close()
        await again.seen.reach(1)
        self.assertEqual(again.seen, [repeated(SERVER_NAME)])

    async def test_newcomer(self) -> None:
        """A client that has left and come back is linked within its hello timeout, with the default limits, although
        its old link would linger: its server ignores the end of its stream, or sends on, or a verdict is awaited."""

        def never(message: bytes, link: Any) -> Any:
            return Deferred() if message == b"wait" else PASS_ON

        for sends_on in (False, True):
            for first in (b"1", b"wait"):
                time = StoppedTime()
                server = Server(half_close=True)
                await self.link(server=server, reactor=time, limits=Limits(), to_server_filter=never)
                self.client.send(first)
                self.client.close()
                await self.until(lambda: self.ann.client.ended or self.ann.lanes[0].awaited)
                self.ann.finish()
                again = await self.here.connect(hello("ann"))
                start = time.seconds()
                while not again.seen:
                    await time.pass_turn(0.05)
                    if sends_on and self.peer.seen[-1] != LOST:
                        self.peer.send(b"tick")
                self.assertEqual(again.seen, [repeated(SERVER_NAME)], (sends_on, first))
                self.assertLess(time.seconds() - start, Limits().hello_timeout)
                self.assertEqual(self.here.refusals, [])

    async def test_unread_replies(self) -> None:
        """A client that leaves without reading its answers loses no order that its system has sent."""
        await self.link(server=Server(answer=lambda peer, message: peer.send(bytes(200))))
        orders = [b"%05d" % index + bytes(1000) for index in range(3000)]
        self.client.transport.pauseProducing()
        self.client.send(*orders)
        sent = len(hello("ann")) + sum(len(frame(order)) for order in orders)
        await self.until(lambda: taken_from(self.client) == sent and unread(self.client))
        self.client.close()  # which drops what is not sent, and resets the connection because of what is not read
        await self.peer.lost()
        self.assertTrue(self.peer.seen[1:-1] == orders, f"{len(self.peer.seen) - 2} orders came")
        await self.over()

    async def test_reset_while_paused(self) -> None:
        """All that a client sent before it was killed is delivered even if it was not read yet then."""
        verdicts: list[Deferred[Any]] = []

        def wait(message: bytes, link: Any) -> Any:
            verdicts.append(Deferred())
            return verdicts[-1]

        await self.link(to_server_filter=wait)
        self.client.transport.setTcpNoDelay(True)
        self.client.send(b"first")
        await self.until(lambda: verdicts)
        self.client.send(b"second", b"third")
        sent = len(hello("ann") + frame(b"first") + frame(b"second") + frame(b"third"))
        await self.until(lambda: taken_from(self.client) == sent)  # a reset drops what is still under way
        self.client.abort()
        await self.client.lost()
        self.peer.send(b"finds out that the client is gone")
        await self.here.disconnected(CLIENT)
        self.assertEqual(self.ann.received(Direction.TO_SERVER)[0], 1)
        for index in range(3):
            verdicts[index].callback(PASS_ON)
        await self.peer.lost()
        self.assertEqual(self.peer.seen[1:], [b"first", b"second", b"third", LOST])

    async def test_server_sends_much_and_leaves(self) -> None:
        """Whatever a server sent before it left reaches a client that reads slowly."""
        await self.link()
        self.client.transport.pauseProducing()
        messages = [bytes([index]) * 200_000 for index in range(100)]
        self.peer.send(*messages)
        self.peer.close()
        await self.until(lambda: self.ann.client.outlet.full)
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertEqual(self.client.seen[1:-1], messages)
        await self.over()
        self.assertEqual(self.heard, {SERVER: (ConnectionDone, True), CLIENT: (ConnectionDone, False)})

    async def test_other_links(self) -> None:
        """Other clients notice nothing."""
        await self.link()
        bob, peer = await self.here.linked("bob")
        self.client.write(b"\xff\xff\xff\xff")
        await self.over()
        await self.here.still_relays(bob, peer)
        self.assertEqual(self.here.repeater.active_clients(), ["bob"])


class ClosingTests(LinkCase):
    """The application closes a link."""

    async def test_close(self) -> None:
        """Received messages are delivered, then both sides see the end of the stream."""
        await self.link(server=Server(half_close=True), client={"half_close": True}, to_client_filter=after_a_turn)
        self.client.send(b"1", b"2")
        self.peer.send(b"3", b"4")
        await self.until(lambda: all(self.ann.received(direction)[0] for direction in Direction))
        self.ann.close()
        self.ann.close()
        self.assertEqual(self.here.repeater.active_clients(), [])
        await self.peer.seen.holds(END)
        await self.client.seen.holds(END)
        await self.over()
        self.assertEqual((self.peer.seen[1:3], self.client.seen[1:3]), ([b"1", b"2"], [b"3", b"4"]))
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, False), SERVER: (ConnectionDone, False)})

    async def test_in_a_filter(self) -> None:
        """A filter may close the link; messages of the same read are delivered, and it takes no time."""
        time = StoppedTime()

        def decide(message: bytes, link: Any) -> Any:
            link.close()
            return PASS_ON

        await self.link(to_server_filter=decide, reactor=time, limits=UNHURRIED)
        self.client.send(b"1", b"2")
        await self.until(lambda: self.ann.closing)
        self.assertLess(await time.pass_until(self.ann.when_over()), UNHURRIED.close_timeout / 10)
        self.assertEqual(self.peer.seen[1:], [b"1", b"2", LOST])

    async def test_by_a_verdict(self) -> None:
        """A verdict may close the link, with last words to both; why is known then."""
        reason = ValueError("enough")
        time = StoppedTime()
        await self.link(
            to_server_filter=lambda message, link: Close(reason, forward=[b"bye"], back=[b"no"]),
            reactor=time,
            limits=UNHURRIED,
        )
        self.client.send(b"1", b"2")
        await self.until(lambda: self.ann.closing)
        self.assertLess(await time.pass_until(self.ann.when_over()), UNHURRIED.close_timeout / 10)
        await self.client.lost()
        self.assertEqual((self.peer.seen[1:], self.client.seen[1:]), ([b"bye", LOST], [b"no", LOST]))
        self.assertIs(self.ann.reason, reason)

    async def test_slow_reader(self) -> None:
        """A client that goes on reading, however slowly, gets everything: progress moves the deadline."""
        time = StoppedTime()
        await self.link(reactor=time, limits=Limits(close_timeout=1, linger=10_000))
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full)
        self.ann.close()
        over = self.ann.when_over()
        pauses = 0
        while not over.called:
            taken = self.ann.client.progress()
            self.client.transport.resumeProducing()
            await self.until(lambda taken=taken: over.called or self.ann.client.progress() != taken)
            self.client.transport.pauseProducing()
            await turn()
            time.clock.advance(0.75)
            pauses += 1
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertEqual(len(messages(self.client)), self.ann.received(Direction.TO_CLIENT)[0])
        self.assertGreater(pauses, 2)

    async def test_takes_nothing(self) -> None:
        """A client that takes nothing is cut off when the time for closing is over; the server sees a good end."""
        time = StoppedTime()
        await self.link(reactor=time)
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full)
        await turn(10)
        self.ann.close()
        took = await time.pass_until(self.ann.when_over(), progress=self.ann._progress)
        self.assertTrue(self.limits.close_timeout <= took < 2 * self.limits.close_timeout, took)
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertIsInstance(self.client.reason, ConnectionLost)
        self.assertEqual(self.heard[CLIENT], (ConnectionAborted, False))

    async def test_socket_is_full(self) -> None:
        """A client that takes nothing is cut off also when nothing waits but in a socket that takes no more."""
        time = StoppedTime()
        await self.link(reactor=time)
        self.client.transport.pauseProducing()
        handle = self.ann.client.transport.getHandle()
        while select.select([], [handle], [], 0)[1]:
            self.peer.send(bytes(50_000))
            await turn(3)
        self.assertEqual(self.ann.client.outlet.waiting, 0)
        self.ann.close()
        took = await time.pass_until(self.ann.when_over(), progress=self.ann._progress)
        self.assertTrue(self.limits.close_timeout <= took < 2 * self.limits.close_timeout, took)

    async def test_at_most(self) -> None:
        """However it gets on, closing takes no longer than ``linger``."""
        time = StoppedTime()

        async def slow(message: bytes, link: Any) -> Any:
            wait: Deferred[None] = Deferred()
            time.clock.callLater(1, wait.callback, None)
            await wait
            return PASS_ON

        await self.link(reactor=time, to_server_filter=slow)
        self.client.send(*[b"%d" % index for index in range(100)])
        await self.until(lambda: self.ann.lanes[0].awaited)
        self.ann.close()
        took = await time.pass_until(self.ann.when_over(), 0.5)
        self.assertTrue(self.limits.linger <= took < self.limits.linger + 2, took)
        await self.peer.lost()
        self.assertGreater(len(self.peer.seen), 10)  # with asyncio a coroutine takes some turns more

    async def test_filter_that_never_answers(self) -> None:
        """A filter that never answers holds up closing for the time allowed; then it is cancelled."""
        time = StoppedTime()
        cancelled: list[Any] = []
        await self.link(reactor=time, to_server_filter=lambda message, link: Deferred(cancelled.append))
        self.client.send(b"1")
        await self.until(lambda: self.ann.lanes[0].awaited)
        self.ann.close()
        took = await time.pass_until(self.ann.when_over(), progress=self.ann._progress)
        self.assertTrue(self.limits.close_timeout <= took < 2 * self.limits.close_timeout, took)
        self.assertEqual((len(cancelled), time.deadlines()), (1, []))
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, False), SERVER: (ConnectionDone, False)})

    async def test_deadlines_are_forgotten(self) -> None:
        """When a link is over no timer is left, whatever it was waiting for."""
        time = StoppedTime()
        await self.link(
            reactor=time, limits=Limits(filter_timeout=100), to_server_filter=lambda message, link: Deferred()
        )
        self.client.send(b"1")
        self.client.transport.pauseProducing()
        self.peer.send(*[bytes(100_000)] * 100)
        await self.until(lambda: self.ann.client.outlet.full and self.ann.lanes[0].awaited)
        self.ann.finish()
        self.assertEqual(len(time.deadlines()), 3)
        self.ann.close()
        self.client.abort()
        self.peer.abort()
        await self.over()
        self.assertEqual(time.clock.getDelayedCalls(), [])
        again = self.ann.when_over()
        self.successResultOf(again)


class ShutdownTests(LinkCase):
    """The repeater is shut down."""

    async def test_links_in_every_state(self) -> None:
        """Nothing that was received is lost, whatever the links are about; when it is over nobody is connected."""
        verdicts: list[Deferred[Any]] = []

        def decide(message: bytes, link: Any) -> Any:
            if message != b"wait":
                return PASS_ON
            verdicts.append(Deferred())
            return verdicts[-1]

        world = self.here = await self.world(
            server=Server(half_close=True), to_server_filter=decide, limits=self.limits
        )
        idle, _ = await world.linked("idle")
        slow, slow_peer = await world.linked("slow")
        ended, ended_peer = await world.linked("ended", half_close=True)
        waits, waits_peer = await world.linked("waits")
        slow.transport.pauseProducing()
        slow_peer.send(*[bytes(100_000)] * 100)
        link: Any = world.repeater.link("slow")
        await self.until(lambda: pair_of(link).client.outlet.full)
        ended.send(b"last")
        ended.end_stream()
        await ended_peer.seen.holds(END)
        waits.send(b"1", b"wait", b"2")
        await self.until(lambda: verdicts)
        down = world.repeater.shutdown()
        await turn(5)
        verdicts[0].callback(PASS_ON)
        slow.transport.resumeProducing()
        await down
        self.assertEqual(waits_peer.seen[1:], [b"1", b"wait", b"2", END])
        self.assertEqual(ended_peer.seen[1:], [b"last", END])
        for client in (idle, slow, ended, waits):
            await self.until(lambda client=client: client.seen[-1] in (END, LOST))
        self.assertEqual(slow.seen[1:-1], [bytes(100_000)] * link.received(Direction.TO_CLIENT)[0])
        self.assertEqual(len(world.disconnections), 8)

    async def test_in_time(self) -> None:
        """Peers that take nothing, filters that never answer: shutting down ends within the time for closing."""
        time, limits = StoppedTime(), replace(UNHURRIED, close_timeout=5)
        world = await self.world(to_server_filter=lambda message, link: Deferred(), reactor=time, limits=limits)
        slow, slow_peer = await world.linked("slow")
        waits, _ = await world.linked("waits")
        slow.transport.pauseProducing()
        slow_peer.send(*[bytes(100_000)] * 100)
        link: Any = world.repeater.link("slow")
        await self.until(lambda: pair_of(link).client.outlet.full)
        waits.send(b"1")
        await turn(10)
        took = await time.pass_until(world.repeater.shutdown())
        self.assertLess(took, limits.linger / 10)  # it may take something at first
        self.assertEqual(time.deadlines(), [])
        slow.transport.resumeProducing()

    async def test_aborted_by_a_filter(self) -> None:
        """If a filter aborts the repeater, each side is reported as aborted, not as one whose peer has closed."""

        def decide(message: bytes, link: Any) -> Any:
            self.here.repeater.abort()
            return PASS_ON

        await self.link(to_server_filter=decide)
        self.client.send(b"1")
        await self.over()
        self.assertEqual(self.heard, {CLIENT: (ConnectionAborted, False), SERVER: (ConnectionAborted, False)})


class NoHalfCloseTests(MemoryCase):
    """A connection whose stream cannot be ended alone, as with TLS: the server isn't told that the client's ended."""

    def setUp(self) -> None:
        """Link a client, which ends its stream."""
        super().setUp()
        self.patch(SocketOutlet, "fits", staticmethod(lambda transport: False))
        self.here = self.memory(limits=Limits(close_timeout=8, linger=100))
        self.client, self.server = self.here.linked("ann")
        self.pair = self.here.pair(self.client)
        self.client.end_stream()
        self.pair.finish()

    def test_quiet(self) -> None:
        """It is told when it has been quiet for as long as closing may take, however often the link is finished."""
        self.here.advance(4)
        self.pair.finish()
        self.here.advance(3)
        self.assertTrue(self.server.open)
        self.here.advance(2)
        self.assertFalse(self.server.open)

    def test_not_quiet(self) -> None:
        """Each part of a message restarts that time."""
        for data in frame(b"abc"):
            self.here.advance(7)
            self.server.send_bytes(bytes([data]))
        self.here.advance(7)
        self.assertTrue(self.server.open)
        self.client.expect(b"abc")

    def test_gives_way(self) -> None:
        """A newcomer of the same name doesn't wait for that."""
        self.pair.give_way()
        self.assertTrue(self.pair.closing)

    def test_has_told_all(self) -> None:
        """A server that has ended its own stream need not be told."""
        self.server.end_stream()
        self.assertTrue(self.pair.closing)


class AwaitedVerdictTests(MemoryCase):
    """A link that waits for a verdict is closed."""

    def setUp(self) -> None:
        """Link a client."""
        super().setUp()
        self.here = self.memory(
            limits=Limits(close_timeout=8, linger=100), to_server_filter=lambda message, link: Deferred()
        )
        self.client, _ = self.here.linked("ann")
        self.client.send(b"wait")
        self.pair = self.here.pair(self.client)

    def test_gives_way(self) -> None:
        """A link that closes already, and gets on, is over within ``close_timeout`` of a newcomer's coming; another
        newcomer doesn't put that off."""
        self.pair.close()
        over_at: list[float] = []
        self.pair.when_over().addCallback(lambda _: over_at.append(self.here.clock.seconds()))
        for second in range(100):
            if not self.pair.over:
                self.pair.server.outlet.progress += 1
            if second in (20, 25):
                self.pair.give_way()
            self.here.advance(1)
        self.assertEqual(over_at, [28])

    def test_abort(self) -> None:
        """Aborted, it is over at once."""
        self.pair.abort()
        self.here.settle()
        self.assertTrue(self.pair.over)

    def test_abort_while_closing(self) -> None:
        """So it is when it closes already."""
        self.pair.close()
        self.assertFalse(self.pair.over)
        self.pair.abort()
        self.here.settle()
        self.assertTrue(self.pair.over)


class DefaultTests(MemoryCase):
    """The default ``on_error``."""

    def setUp(self) -> None:
        """Link a client."""
        super().setUp()
        self.here = self.memory(to_server_filter=self.decide, on_error=end_link)
        self.client, server = self.here.linked("ann")
        server.keeps_open = True
        self.pair = self.here.pair(self.client)

    def decide(self, message: bytes, link: Any) -> Any:
        """Be a filter that fails, or never answers."""
        if message == b"wait":
            return Deferred()
        raise ZeroDivisionError

    def test_half_closed(self) -> None:
        """A side that has ended its stream finishes its link; development mode logs that move."""
        self.patch(ending_pair, "LOG_MOVES", True)
        with capturedLogs() as captured:
            self.pair.client.readConnectionLost()
        self.assertTrue(self.pair.finishing)
        self.assertEqual([formatEvent(event) for event in captured], ["ann: RELAYING, FINISH: FINISHING"])

    def test_not_told_yet(self) -> None:
        """A side that has ended its stream behind a message whose verdict never comes closes it after ``linger``."""
        self.client.send(b"wait")
        self.pair.client.readConnectionLost()
        self.assertEqual(self.here.calls.errors, [])
        self.here.advance(Limits().linger - 1)
        self.assertFalse(self.pair.closing)
        self.here.advance(1)
        self.assertTrue(self.pair.closing)
        self.assertIs(self.pair.reason.side, CLIENT)

    def test_inside_a_frame(self) -> None:
        """A side that has ended inside a frame does, too; its error has the reason as its cause."""
        self.client.send_bytes(frame(b"whole")[:5])
        self.client.end_stream()
        self.assertIsInstance(self.pair.reason.reason, PartialFrame)
        self.assertIsInstance(self.pair.reason.reason.__cause__, ConnectionDone)

    def test_lost(self) -> None:
        """A side that is lost closes it."""
        self.client.abort()
        self.assertTrue(self.pair.over)

    def test_stopped(self) -> None:
        """So does a filter whose failure has stopped its direction; any other trouble does not."""
        self.pair.link.send_to_client(object())
        self.assertFalse(self.pair.closing)
        self.client.send(b"1")
        self.assertTrue(self.pair.closing)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class FarewellTests(MemoryCase):
    """The dialect has a last word to a client; `test_names_on_sockets` has more."""

    def setUp(self) -> None:
        """Make a repeater whose dialect says why."""
        super().setUp()
        dialect = dialects.int32().changed(farewell=lambda reason, link: frame(type(reason).__name__.encode()))
        self.verdict: Deferred[Any] = Deferred()
        self.running = self.memory(
            dialect=dialect,
            to_server_filter=lambda message, link: self.verdict if message == b"wait" else PASS_ON,
            on_error=end_link,
        )
        self.client, self.server = self.running.linked("ann")

    def test_said_last(self) -> None:
        """It comes after what was still to be delivered, once."""
        self.client.send(b"wait")
        self.running.link("ann").close(ValueError("enough"))
        self.running.link("ann").close(KeyError("again"))
        self.assertEqual(self.client.received, [])
        self.verdict.callback(SendBack([b"answer"]))
        self.running.settle()
        self.client.expect(b"answer", b"ValueError")
        self.assertFalse(self.client.open)

    def test_shutdown(self) -> None:
        """A client that is closed without a reason while the repeater shuts down is told that."""
        self.running.shutdown()
        self.client.expect(b"RepeaterClosed")

    def test_given_up(self) -> None:
        """A link that does not end in time is forced, without a word. Who waits for its end may give up."""
        self.client.send(b"wait")
        over = pair_of(self.running.link("ann")).when_over()
        impatient, last = (pair_of(self.running.link("ann")).when_over() for _ in range(2))
        for deferred in (impatient, last):
            deferred.addErrback(lambda failure: None)
        over.addCallback(lambda _: last.cancel())
        pair_of(self.running.link("ann")).give_way(ValueError("a newcomer came"))
        impatient.cancel()
        self.running.advance(5)
        self.successResultOf(over)
        self.assertEqual(self.client.received, [])

    def test_side_lost(self) -> None:
        """Nothing is said where a side was lost, or is lost before all is delivered."""
        self.server.close()
        self.assertEqual((self.client.open, self.client.received), (False, []))
        client, _ = self.running.linked("bob")
        client.send(b"wait")
        self.running.link("bob").close()
        client.abort()
        self.verdict.callback(PASS_ON)
        self.running.settle()
        self.assertEqual(client.received, [])


class RefusalTests(MemoryCase):
    """The dialect has a last word to a client that cannot be linked; `test_making_openings` has more."""

    def test_said_last(self) -> None:
        """The client gets it, and is closed in good order. Without it the connection is dropped."""
        for words in (frame(b"no"), None):
            dialect = dialects.length(size=4).changed(
                opening=dialects.first_message(lambda frame: "ann"),
                refusal=lambda error, attempt, words=words: words,
            )
            client = self.memory(dialect=dialect, is_client_allowed=lambda name: False).connect()
            client.send(b"login")
            self.assertEqual((client.received, client.open), ([b"no"] if words else [], False))
