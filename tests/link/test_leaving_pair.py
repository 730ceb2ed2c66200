"""How a link leaves a repeater that is drained: the client's side ends first."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import DO_NOTHING, PASS_ON, Dialect, dialects
from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import RepeaterClosed

from ..peers import END, LOST, Server
from ..real_sockets import TLSSockets
from .links import UNHURRIED, LinkCase, answering, messages
from .memory_case import MemoryCase


def saying_goodbye(reasons: list[Any]) -> Dialect:
    """Return a dialect with a farewell."""

    def farewell(reason: BaseException | None, link: Any) -> bytes:
        reasons.append(reason)
        return b"\0\0\0\3bye"

    return dialects.int32().changed(farewell=farewell)


class LeavingTests(MemoryCase):
    """In memory, where a client does nothing by itself."""

    def link(self, **options: Any) -> None:
        """Link a client, which keeps its side open; so does its server."""
        self.running = self.memory(**options)
        self.ann, self.server = self.running.linked("ann")
        self.ann.keeps_open = self.server.keeps_open = True
        self.pair = self.running.pair(self.ann)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps."""
        for _ in range(round(seconds / 0.1)):
            self.running.advance(0.1)

    def test_client_first(self) -> None:
        """The client's stream ends first; what it still sends reaches the server, which is left after it."""
        self.link()
        self.assertTrue(self.pair.relaying and self.pair.idle)
        self.pair.leave()
        self.running.advance(0)
        self.assertTrue(self.ann.stream_ended)
        self.assertFalse(self.pair.relaying or self.server.stream_ended)
        for number in range(5):
            self.pass_time(0.9)
            self.ann.send(b"%d" % number)
        self.ann.close()
        self.server.expect(*[b"%d" % number for number in range(5)])
        self.assertTrue(self.server.stream_ended)
        self.assertIsInstance(self.pair.reason, RepeaterClosed)

    def test_quiet_client(self) -> None:
        """A client that does not notice the end of its stream is left after a quiet second, and gets a reset."""
        self.link()
        self.pair.leave()
        self.pass_time(0.8)
        self.assertFalse(self.pair.closing)
        self.pass_time(0.3)
        self.assertTrue(self.pair.client.lost)
        self.assertTrue(self.server.stream_ended)

    def test_late_messages(self) -> None:
        """A client is not quiet as long as a message waits for a verdict, or more of a message comes."""
        verdict: Deferred[Any] = Deferred()
        self.link(to_server_filter=lambda message, link: verdict)
        self.pair.leave()
        self.ann.send(b"?")
        self.pass_time(3.0)
        verdict.callback(DO_NOTHING)
        for byte in (b"\0", b"\0", b"\0"):
            self.ann.send_bytes(byte)
            self.pass_time(0.7)
        self.assertFalse(self.pair.closing)
        self.pass_time(0.7)
        self.assertTrue(self.pair.closing)

    def test_closed_meanwhile(self) -> None:
        """A link that is closed while its client is awaited still delivers what the client has sent."""
        verdict: Deferred[Any] = Deferred()
        self.link(to_server_filter=lambda message, link: verdict)
        self.pair.leave()
        self.ann.send(b"late")
        self.pair.close()
        self.pass_time(1.5)
        self.assertFalse(self.pair.client.lost or self.server.stream_ended)
        verdict.callback(PASS_ON)
        self.running.advance(0)
        self.server.expect(b"late")
        self.assertTrue(self.server.stream_ended)

    def test_server_ends(self) -> None:
        """If the server ends its stream, what the client still sends reaches it all the same."""
        self.link()
        self.pair.leave()
        self.server.end_stream()
        self.ann.send(b"late")
        self.server.expect(b"late")
        self.ann.close()
        self.running.advance(0)
        self.assertTrue(self.server.stream_ended)

    def test_held(self) -> None:
        """A client that was read no more, so that its link rests, is read again."""
        self.link()
        self.pair.client.valve.close("draining")
        self.ann.send(b"late")
        self.pair.leave()
        self.ann.close()
        self.server.expect(b"late")

    def test_idle(self) -> None:
        """A link is not idle as long as a message waits, a peer is slow, or an answer is not complete."""
        verdict: Deferred[Any] = Deferred()
        self.link(to_server_filter=lambda message, link: verdict)
        self.ann.send(b"?")
        self.assertFalse(self.pair.idle)
        verdict.callback(DO_NOTHING)
        self.assertTrue(self.pair.idle)
        self.server.send_bytes(b"\0\0")
        self.assertFalse(self.pair.idle)
        self.server.send_bytes(b"\0\1.")
        self.assertTrue(self.pair.idle)
        self.ann.send_bytes(b"\0\0")
        self.assertTrue(self.pair.idle)

    def test_farewell(self) -> None:
        """A client that gets a farewell was told that nothing more is accepted: what it sends is dropped."""
        reasons: list[Any] = []
        self.link(dialect=saying_goodbye(reasons))
        self.pair.leave()
        self.running.advance(0)
        self.assertTrue(self.pair.closing)
        self.ann.expect(b"bye")
        self.ann.send(b"late")
        self.ann.close()
        self.running.advance(0)
        self.assertEqual(self.server.received, [])
        self.assertEqual([type(reason) for reason in reasons], [RepeaterClosed])

    def test_server_is_gone(self) -> None:
        """Without its server a client gets no farewell, and is left after a quiet second."""
        self.link(dialect=saying_goodbye([]))
        self.server.close()
        self.server.abort()
        self.running.advance(0)
        self.pair.leave()
        self.pass_time(1.2)
        self.assertTrue(self.pair.client.lost)
        self.assertEqual(self.ann.received, [])


class SocketTests(LinkCase):
    """On sockets."""

    limits = UNHURRIED

    async def test_under_way(self) -> None:
        """Messages that are under way when the client's stream ends reach the server, in front of the end."""
        await self.link(server=Server(answer=answering, half_close=True), client={"half_close": True})
        sent = [b"%d" % number for number in range(1000)]
        self.client.send(*sent)
        pair_of(self.here.repeater.links()[0]).leave()
        self.client.send(b"last")
        await self.client.seen.holds(END)
        self.client.send(b"later")
        self.client.end_stream()
        await self.peer.seen.holds(LOST if LOST in self.peer.seen else END)
        self.assertEqual(self.peer.seen[1:-1], [*sent, b"last", b"later"])
        self.assertEqual(messages(self.client), [])
        self.peer.close()
        await self.over()

    async def test_quiet(self) -> None:
        """A client that does not end its stream is left, and the socket is closed."""
        await self.link(client={"half_close": True})
        self.ann.leave()
        await self.over()


class TLSTests(LinkCase):
    """With TLS."""

    async def test_ends(self) -> None:
        """The client answers the end of TLS with its own, and the server sees the end, without any message lost."""
        self.sockets = TLSSockets(self.mktemp())
        self.addCleanup(self.flushWarnings)  # Twisted uses what pyOpenSSL would rather not have
        await self.link()
        sent = [b"%d" % number for number in range(1000)]
        self.client.send(*sent)
        self.ann.leave()
        await self.over()
        await self.client.lost()
        await self.peer.lost()
        self.assertEqual(self.peer.seen[1:1001], sent)
