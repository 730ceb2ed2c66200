"""Links over TLS and over Unix sockets."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.filepath import FilePath

from twisted_repeater import PASS_ON, Limits
from twisted_repeater._link.outlet import HIGH_WATER
from twisted_repeater.errors import ClientGone, HelloTimeout, InvalidHello, ServerUnreachable, SlowConsumer
from twisted_repeater.observers.metrics import MetricsObserver

from .link.links import CLIENT, SERVER, UNHURRIED, LinkCase, messages
from .peers import END, Server, Sockets, StoppedTime, frame, hello, reactor, turn
from .real_sockets import BegunTLSSockets, TLSSockets, UnixSockets


class SocketsCase(LinkCase):
    """A test case with a client, ann, on a link over sockets of some kind."""

    async def backlog(self) -> list[bytes]:
        """Have the server send much to a client that doesn't read; return the messages."""
        self.client.transport.pauseProducing()
        sent = [b"%05d" % index * 20_000 for index in range(100)]
        self.peer.send(*sent)
        await self.until(lambda: self.ann.server.valve.closed and self.ann.client.outlet.full)
        return sent


class CommonTests:
    """Promises for sockets of every kind."""

    orderly: tuple[type, ...] = (ConnectionDone,)
    """What Twisted tells a peer that closes in answer to an orderly end."""

    async def test_relay(self: Any) -> None:
        """Messages go both ways, small and large."""
        await self.link()
        await self.here.still_relays(self.client, self.peer)
        large = bytes(3_000_000)
        self.client.send(large)
        self.peer.send(large)
        await self.peer.seen.reach(3)
        await self.client.seen.reach(3)
        self.assertEqual((self.client.seen[2], self.peer.seen[2]), (large, large))

    async def test_back_pressure(self: Any) -> None:
        """A client that doesn't read stops the server from being read; when it reads again every byte arrives."""
        await self.link()
        sent = await self.backlog()
        received = 0
        while self.ann.lanes[1].messages > received:  # as long as the system's buffers take it
            received = self.ann.lanes[1].messages
            await turn(20)
        self.assertLess(self.ann.client.outlet.waiting, HIGH_WATER + 500_000)
        self.client.transport.resumeProducing()
        await self.client.seen.reach(1 + len(sent))
        self.assertEqual(self.client.seen[1:], sent)
        self.assertEqual(self.here.errors, [])

    async def test_back_pressure_to_server(self: Any) -> None:
        """So does a server that doesn't read stop its client."""
        await self.link()
        self.peer.transport.pauseProducing()
        sent = [b"%05d" % index * 20_000 for index in range(100)]
        self.client.send(*sent)
        await self.until(lambda: self.ann.client.valve.closed and self.ann.server.outlet.full)
        self.peer.transport.resumeProducing()
        await self.peer.seen.reach(1 + len(sent))
        self.assertEqual(self.peer.seen[1:], sent)

    async def test_server_sends_much_and_leaves(self: Any) -> None:
        """Whatever a server sent before it left reaches a client that didn't read meanwhile."""
        await self.link()
        sent = await self.backlog()
        self.peer.close()
        await turn(20)
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertEqual(messages(self.client), sent)
        await self.ann.when_over()

    async def test_close(self: Any) -> None:
        """Closing is an orderly end for both, and takes no time."""
        time = StoppedTime()
        await self.link(reactor=time, limits=UNHURRIED)
        self.peer.send(b"last")
        await self.client.seen.reach(2)
        self.ann.close()
        self.assertLess(await time.pass_until(self.ann.when_over()), UNHURRIED.close_timeout / 10)
        await self.client.lost()
        await self.peer.lost()
        for side in (self.client, self.peer):
            self.assertIn(type(side.reason), self.orderly)
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, False), SERVER: (ConnectionDone, False)})

    async def test_close_slow_reader(self: Any) -> None:
        """A client that reads slowly is not cut off by closing."""
        time = StoppedTime()
        await self.link(reactor=time, limits=Limits(close_timeout=1, linger=10_000))
        await self.backlog()
        self.ann.close()
        over = self.ann.when_over()
        while not over.called:
            taken = self.ann.client.progress()
            self.client.transport.resumeProducing()
            await self.until(lambda taken=taken: over.called or self.ann.client.progress() != taken)
            self.client.transport.pauseProducing()
            await turn()
            time.clock.advance(0.75)
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertEqual(len(messages(self.client)), self.ann.lanes[1].messages)
        self.assertEqual(self.heard[CLIENT], (ConnectionDone, False))

    async def test_close_takes_nothing(self: Any) -> None:
        """A client that takes nothing is cut off when the time for closing is over."""
        time = StoppedTime()
        await self.link(reactor=time)
        await self.backlog()
        await turn(20)
        self.ann.close()
        took = await time.pass_until(self.ann.when_over(), progress=self.ann._progress)
        self.assertTrue(5 <= took < 10, took)
        self.assertIn(self.heard[CLIENT][0], (ConnectionAborted, ConnectionLost))
        self.client.transport.resumeProducing()

    async def test_stalled(self: Any) -> None:
        """A client that takes nothing for too long is disconnected."""
        time = StoppedTime()
        await self.link(reactor=time, limits=replace(UNHURRIED, stall_timeout=100))
        await self.backlog()
        await turn(20)
        await time.pass_until(Deferred.fromCoroutine(self.here.disconnected(CLIENT)), 5)
        self.assertEqual(self.heard[CLIENT], (SlowConsumer, False))
        self.client.transport.resumeProducing()
        await time.pass_until(self.ann.when_over())

    async def test_slow_consumer(self: Any) -> None:
        """So is one that doesn't take the application's messages."""
        await self.link(limits=Limits(max_waiting=100_000))
        self.client.transport.pauseProducing()
        while not self.heard:
            self.ann.link.send_to_client(bytes(50_000))
            await turn()
        self.assertEqual(self.heard[CLIENT], (SlowConsumer, False))
        self.client.transport.resumeProducing()
        await self.ann.when_over()

    async def test_client_killed(self: Any) -> None:
        """A client that is killed ends its own link; another goes on."""
        await self.link()
        bob, peer = await self.here.linked("bob")
        self.client.send(b"last")
        await self.peer.seen.reach(2)
        self.client.abort()
        await self.peer.lost()
        await self.ann.when_over()
        await self.here.still_relays(bob, peer)

    async def test_server_killed(self: Any) -> None:
        """A server's connection that breaks ends the link; the messages before reach the client."""
        await self.link()
        self.peer.send(b"last")
        await self.client.seen.reach(2)
        self.peer.abort()
        await self.client.lost()
        await self.ann.when_over()

    async def never_a_verdict(self: Any, leave: str) -> None:
        """Let a client go while a verdict is awaited that never comes."""
        verdict: Deferred[Any] = Deferred()
        time = StoppedTime()
        await self.link(reactor=time, to_server_filter=lambda message, link: verdict)
        self.client.send(b"waits")
        await self.until(lambda: self.ann.client.valve.closed)
        self.client.send(b"waits, too")
        await turn(5)
        transport = self.client.transport
        getattr(getattr(transport, "transport", transport), leave)()  # as if its program had ended, which ends no TLS
        await time.pass_until(self.ann.when_over(), 0.5)
        self.assertTrue(verdict.called)
        await self.peer.lost()

    async def test_never_a_verdict(self: Any) -> None:
        """A verdict that never comes keeps nothing of a client that has gone in good order."""
        await self.never_a_verdict("loseConnection")

    async def test_never_a_verdict_reset(self: Any) -> None:
        """Nor of one that is killed."""
        await self.never_a_verdict("abortConnection")

    async def test_shutdown(self: Any) -> None:
        """Shutting down delivers all received messages, and ends."""
        await self.link()
        await self.backlog()
        down = self.here.repeater.shutdown()
        self.client.transport.resumeProducing()
        await down
        await self.client.lost()
        self.assertEqual(len(messages(self.client)), self.ann.lanes[1].messages)


class TLSTests(CommonTests, SocketsCase):
    """Over TLS, on both sides."""

    def setUp(self) -> None:
        """Make a certificate."""
        self.sockets = TLSSockets(self.mktemp())
        self.addCleanup(self.flushWarnings)  # Twisted uses what pyOpenSSL would rather not have

    async def test_leaves_while_full(self) -> None:
        """A client that leaves in good order while more waits for it than it takes doesn't keep its link."""
        await self.link()
        await self.backlog()
        self.client.close()
        await turn(20)
        self.client.transport.resumeProducing()
        await self.client.lost()
        await self.ann.when_over()
        self.assertEqual(self.heard[CLIENT], (ConnectionDone, False))

    async def test_reset_with_orders_unread(self) -> None:
        """All that a client sent before it was killed is delivered even if it was not read yet then."""
        verdicts: list[Deferred[Any]] = []

        def wait(message: bytes, link: Any) -> Any:
            verdicts.append(Deferred())
            return verdicts[-1]

        await self.link(to_server_filter=wait)
        self.client.transport.setTcpNoDelay(True)
        self.client.send(b"first")
        await self.until(lambda: verdicts)
        self.client.send(b"second")
        await turn(5)
        self.client.send(b"third")
        await turn(5)
        self.client.transport.transport.abortConnection()
        await self.client.lost()
        self.peer.send(b"finds out that the client is gone")
        await self.here.disconnected(CLIENT)
        for index in range(3):
            verdicts[index].callback(PASS_ON)
        await self.peer.lost()
        self.assertEqual(messages(self.peer), [b"first", b"second", b"third"])
        self.assertEqual(self.heard[CLIENT], (ConnectionLost, False))

    async def test_no_farewell(self) -> None:
        """A peer that never answers the end of TLS doesn't hold up closing, and loses nothing by that."""
        await self.link(limits=UNHURRIED)
        self.client.transport.pauseProducing()
        self.peer.send(b"last")
        await self.until(lambda: self.ann.lanes[1].messages)
        self.ann.close()
        await self.ann.when_over()
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertEqual(messages(self.client), [b"last"])

    async def test_no_handshake(self) -> None:
        """A stranger that doesn't speak TLS, or nothing at all, costs no more than its own connection."""
        time = StoppedTime()
        await self.link(reactor=time)
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", self.here.repeater.port)
        silent = await self.here.connect(endpoint=plain)
        garbage = await self.here.connect(frame(b"no TLS at all"), endpoint=plain)
        await time.pass_until(silent.lost(), 1)
        await garbage.lost()
        await self.here.still_relays(self.client, self.peer)
        self.assertTrue(set(self.here.refusals) <= {(None, HelloTimeout), (None, InvalidHello)}, self.here.refusals)

    async def test_client_without_tls(self) -> None:
        """A client that doesn't speak TLS, or trusts nobody, is refused as any other: told, logged and counted."""
        metrics = MetricsObserver()
        errors: list[str] = []

        def refused(client_name: str | None, server_name: str, error: Exception) -> None:
            errors.append(str(error))

        await self.link(observers=[metrics], on_connecting_error=refused)
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", self.here.repeater.port)
        distrustful = wrapClientTLS(optionsForClientTLS("localhost"), plain)
        for data, endpoint in (
            (frame(b"no TLS at all"), plain),
            (b"GET / HTTP/1.1\r\n\r\n", plain),
            (b"\x16\x03\x01\xff\xff" + bytes(100), plain),
            (b"", distrustful),
        ):
            await (await self.here.connect(data, endpoint=endpoint)).lost()
        while len(errors) < 4:
            await turn()
        self.assertEqual(
            errors[:2],
            [
                "the client does not speak TLS: wrong version number",
                "the client does not speak TLS: http request",
            ],
        )
        for error in errors[2:]:
            self.assertTrue(error.startswith("the client's TLS handshake failed: "), error)
        self.assertEqual(metrics.refused, {"InvalidHello": 4})
        await self.here.still_relays(self.client, self.peer)

    async def test_client_that_leaves(self) -> None:
        """Nobody hears of a client that leaves within the handshake, as a port scan does."""
        await self.link()
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", self.here.repeater.port)
        for data in (b"", b"\x16\x03\x01"):
            gone = await self.here.connect(data, endpoint=plain)
            gone.close()
            await gone.lost()
        while len(self.here.repeater._factory.links) > 1:
            await turn()
        self.assertEqual(self.here.refusals, [])

    async def test_server_without_tls(self) -> None:
        """A server that doesn't speak TLS cannot be reached."""
        server = Server(at_once=True)
        port = reactor.listenTCP(0, server, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        world = await self.world(via=self.sockets.for_server(port)["server"])
        client = await world.connect(hello("ann"))
        await client.lost()
        await world.refused()
        self.assertEqual((world.refusals, messages(client)), ([("ann", ServerUnreachable)], []))
        for peer in server.peers:
            await peer.lost()

    async def test_end_of_stream(self) -> None:
        """A client's stream cannot be ended alone: a server's last words reach it if they come before its end."""
        await self.link()
        self.client.send(b"1", b"2")
        self.client.close()
        await self.peer.lost()
        self.assertEqual(messages(self.peer), [b"1", b"2"])
        await self.ann.when_over()
        self.assertEqual(self.heard[CLIENT], (ConnectionDone, False))


class BegunTLSTests(TLSTests):
    """Over TLS that the opening begins, on both sides: nothing is different."""

    def setUp(self) -> None:
        """Make a certificate."""
        super().setUp()
        self.sockets = BegunTLSSockets(self.mktemp())

    async def test_client_that_leaves(self) -> None:
        """A client that leaves within the handshake has not failed at it."""
        await self.link()
        gone = await self.here.connect(
            b"\x16\x03\x01", endpoint=TCP4ClientEndpoint(reactor, "127.0.0.1", self.here.repeater.port)
        )
        await self.here.until_accepted(heard=True)
        gone.close()
        await gone.lost()
        await self.here.refused()
        self.assertEqual(self.here.refusals, [(None, ClientGone)])


class HalfTLSSockets(TLSSockets):
    """TLS between the repeater and the server only."""

    def for_clients(self) -> dict[str, Any]:
        """See `Sockets`."""
        return Sockets.for_clients(self)

    def to(self, repeater: Any) -> Any:
        """See `Sockets`."""
        return Sockets.to(self, repeater)


class HalfTLSTests(SocketsCase):
    """TLS on the server's side only."""

    def setUp(self) -> None:
        """Make a certificate."""
        self.sockets = HalfTLSSockets(self.mktemp())
        self.addCleanup(self.flushWarnings)

    async def test_no_reply_is_lost(self) -> None:
        """A client that ends its stream gets its replies: the server is told of the end when it has been quiet."""
        time, limits = StoppedTime(), replace(UNHURRIED, close_timeout=5)
        server = Server(answer=lambda peer, message: peer.send(message))
        await self.link(server=server, client={"half_close": True}, reactor=time, limits=limits)
        requests = [b"%d" % index for index in range(1000)]
        self.client.send(*requests)
        self.client.end_stream()
        await self.client.seen.reach(1001)
        self.assertEqual(messages(self.client), requests)
        self.assertFalse(self.ann.closing)
        took = await time.pass_until(self.ann.when_over())
        self.assertTrue(limits.close_timeout <= took < limits.linger / 10, took)

    async def test_comes_again(self) -> None:
        """A client that leaves is not kept out by its last link, of whose end the server is not told yet."""
        await self.link(limits=UNHURRIED)
        self.client.close()
        again, peer = await self.here.linked("ann")
        await self.peer.lost()
        await self.here.still_relays(again, peer)
        self.assertEqual(self.here.refusals, [])

    async def test_never_quiet(self) -> None:
        """A server that goes on and on is cut off when the time to linger is over."""
        time = StoppedTime()
        await self.link(client={"half_close": True}, reactor=time)
        self.client.end_stream()
        await self.here.disconnected(CLIENT)
        while not self.ann.closing:
            seen = len(self.client.seen)
            self.peer.send(b"tick")
            await self.until(lambda seen=seen: len(self.client.seen) > seen)
            time.clock.advance(1)
        self.assertEqual(time.seconds(), Limits().linger)
        await time.pass_until(self.ann.when_over())


class TLSToClientsSockets(TLSSockets):
    """TLS between the clients and the repeater only."""

    def listen(self, server: Server) -> Any:
        """See `Sockets`."""
        return Sockets.listen(self, server)

    def for_server(self, port: Any) -> dict[str, Any]:
        """See `Sockets`."""
        return Sockets.for_server(self, port)


class TLSToClientsTests(SocketsCase):
    """TLS on the client's side only."""

    def setUp(self) -> None:
        """Make a certificate."""
        self.sockets = TLSToClientsSockets(self.mktemp())
        self.addCleanup(self.flushWarnings)

    async def test_server_leaves(self) -> None:
        """A client is told at once that its server has gone, behind all that the server sent."""
        await self.link(limits=UNHURRIED)
        sent = await self.backlog()
        self.peer.close()
        self.client.transport.resumeProducing()
        await self.client.lost()
        self.assertEqual(messages(self.client), sent)
        await self.ann.when_over()


class UnixTests(CommonTests, SocketsCase):
    """Over Unix sockets, on both sides."""

    orderly = (ConnectionDone, ConnectionLost)  # it writes nothing, to a socket that is closed already

    def setUp(self) -> None:
        """Find a short path: they have a limit."""
        directory = FilePath(tempfile.mkdtemp())
        self.addCleanup(directory.remove)
        self.sockets = UnixSockets(directory.child("sockets").path)

    async def test_no_reply_is_lost(self) -> None:
        """A client that sends its requests, ends its stream and then reads gets every reply."""
        await self.link(
            server=Server(answer=lambda peer, message: peer.send(message * 1000), half_close=True),
            client={"half_close": True},
        )
        self.client.transport.pauseProducing()
        requests = [b"%05d" % index for index in range(1000)]
        self.client.send(*requests)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        self.peer.close()
        await self.until(lambda: self.ann.client.outlet.full)
        self.client.transport.resumeProducing()
        await self.client.seen.holds(END)
        self.assertEqual(messages(self.client), [request * 1000 for request in requests])
        await self.ann.when_over()
        self.assertEqual(self.heard, {CLIENT: (ConnectionDone, True), SERVER: (ConnectionDone, False)})
