"""A whole repeater between scripted peers, in memory and on sockets."""

from __future__ import annotations

from typing import Any

from twisted.internet import error, reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    ClientNotAllowed,
    DuplicateClient,
    IObserver,
    Limits,
    MultipleVersionsError,
    SendBack,
    ServerUnreachable,
    VersionMismatch,
    dialects,
)
from twisted_repeater._text import address_text
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects import Dialect, MessageType, by_address, first_message
from twisted_repeater.testing import MemoryRepeater, Peer, SocketRepeater
from twisted_repeater.testing._running import result_of

from .test_breaking import Harmless

SEVERAL_VERSIONS = dialects.int32(to_server=MessageType({1: RawCodec(), 2: RawCodec()}, low=1, prod=2, test=2))


def answer(message: bytes, link: Any) -> Any:
    """The filter of these tests: answers what begins with a question mark."""
    return SendBack([message[1:]]) if message.startswith(b"?") else PASS_ON


@implementer(IObserver)
class Counting:
    """An observer that counts messages."""

    messages = 0

    def link_made(self, link: Any) -> None:
        """See `IObserver`."""

    def link_refused(self, client_name: str | None, error: Any) -> None:
        """See `IObserver`."""

    def link_ended(self, link: Any, reason: BaseException | None) -> None:
        """See `IObserver`."""

    def link_error(self, link: Any, side: Any, error: Exception) -> None:
        """See `IObserver`."""

    def relayed(self, link: Any, direction: Any, messages: int, size: int) -> None:
        """See `IObserver`."""
        self.messages += messages


class MemoryTests(SynchronousTestCase):
    """In memory."""

    def test_links_and_relays(self) -> None:
        """Clients are linked to the server in their names, and filters decide about their messages."""
        running = MemoryRepeater(to_server_filter=answer)
        alice, bob = running.connect("alice"), running.connect("bob")
        alice.send(b"?yes", b"order")
        bob.send(b"other order")
        running.server["alice"].send(b"done")
        alice.expect(b"yes", b"done")
        bob.expect()
        self.assertEqual(running.server["bob"].received, [b"other order"])
        self.assertEqual(running.repeater.active_clients(), ["alice", "bob"])
        self.assertEqual([client.client_name for client in running.clients], ["alice", "bob"])

    def test_every_dialect(self) -> None:
        """It speaks whichever dialect it is given."""
        running = MemoryRepeater(dialects.async_extra(clock=lambda: 0.0), to_client_filter=answer)
        running.connect("alice").send(b"ping")
        running.server["alice"].send(b"?pong")
        running.server["alice"].expect(b"ping", b"pong")

    def test_options(self) -> None:
        """Options go to where they belong: to the making of the repeater, or to its start."""
        states: list[Any] = []
        counting = Counting()
        running = MemoryRepeater(
            server_name="quotes",
            repeater_name="edge-1",
            is_client_ip_authorized=lambda ip: ip != "10.6.6.6",
            observers=[counting],
            on_connect=lambda link: states.append(link.server_name),
        )
        alice = running.connect("alice", host="10.0.0.7")
        alice.send(b"1", b"2")
        self.assertEqual((states, counting.messages), (["quotes"], 2))
        assert alice.heard is not None
        self.assertEqual((alice.heard.name, alice.heard.credentials), ("quotes", "edge-1"))
        self.assertEqual(address_text(running.link("alice").client_address).partition(":")[0], "10.0.0.7")
        self.assertFalse(running.connect("bob", host="10.6.6.6").open)

    def test_refusals(self) -> None:
        """Who is refused has heard nothing, and the reason is there to see."""
        running = MemoryRepeater(is_client_allowed=lambda name: name != "mallory")
        for name in ("mallory", "alice", "alice"):
            last = running.connect(name)
        self.assertEqual((last.heard, last.open), (None, False))
        self.assertEqual([type(error) for error in running.refusals], [ClientNotAllowed, DuplicateClient])
        self.assertEqual(running.errors, [])

    def test_hello_of_ones_own(self) -> None:
        """What a client says of itself can be changed."""
        running = MemoryRepeater()
        running.connect("alice", recv_version=0)
        self.assertEqual([type(error) for error in running.refusals], [VersionMismatch])

    def test_no_hellos(self) -> None:
        """In a dialect without hellos a client has the name that its opening finds."""
        named = Dialect(
            name="named",
            framing=dialects.lines().framing,
            opening=first_message(lambda frame: frame.payload.decode()),
        )
        running = MemoryRepeater(named, to_server_filter=answer)
        client = running.connect(says=[b"?ann\n"])
        client.expect(b"ann")
        self.assertIs(running.link(client), running.link("?ann"))
        self.assertEqual(client.client_name, "?ann")
        late = running.connect(host="192.0.2.7")
        error = self.assertRaises(AssertionError, running.link, late)
        self.assertTrue(str(error).startswith("<the client side of '192.0.2.7:"), error)
        error = self.assertRaises(AssertionError, running.link, "bob")
        self.assertTrue(str(error).startswith("client 'bob' is not linked"), error)
        wrong = self.assertRaises(TypeError, running.connect, send_version=2)
        self.assertEqual(str(wrong), "the dialect named has no hellos, and so no send_version")

    def test_wrong_options(self) -> None:
        """What the repeater refuses to be made with is raised."""
        self.assertRaises(MultipleVersionsError, MemoryRepeater, SEVERAL_VERSIONS)

    def test_no_such_link(self) -> None:
        """To ask for a link that isn't there is an error that shows what happened."""
        running = MemoryRepeater()
        error = self.assertRaises(AssertionError, running.link, "alice")
        self.assertEqual(str(error).splitlines()[0], "client 'alice' is not linked")

    def test_server_that_does_not_listen(self) -> None:
        """The server may be unreachable, and come back."""
        running = MemoryRepeater()
        running.stop_listening()
        running.stop_listening()
        running.connect("alice")
        self.assertEqual([type(error) for error in running.refusals], [ServerUnreachable])
        running.listen()
        self.assertIsNotNone(running.connect("alice").heard)

    def test_time(self) -> None:
        """Time is that of the clock, and passes in `advance`."""
        clock = Clock()
        running = MemoryRepeater(clock=clock, limits=Limits(hello_timeout=3))
        self.assertIs(running.clock, clock)
        silent = running.connect(None)
        running.advance(2.9)
        self.assertTrue(silent.open)
        running.advance(0.2)
        self.assertFalse(silent.open)

    def test_later_verdicts(self) -> None:
        """Filters that answer later hold their direction, not the other."""
        asked: Deferred[Any] = Deferred()
        running = MemoryRepeater(to_server_filter=lambda message, link: asked)
        running.connect("alice").send(b"1")
        server = running.server["alice"]
        server.expect()
        server.send(b"2")
        asked.callback(PASS_ON)
        running.settle()
        server.expect(b"1")
        running.clients[0].expect(b"2")

    def test_breaking(self) -> None:
        """A fault holds for a block, whatever happens in it, with a seed that is drawn from that of the test."""
        running = MemoryRepeater(fault_seed=1)
        with self.assertRaises(ZeroDivisionError), running.breaking(Harmless()) as harmless:
            self.assertEqual(list(running.repeater.faults), [harmless])
            raise ZeroDivisionError
        self.assertEqual(list(running.repeater.faults), [])
        with MemoryRepeater(fault_seed=1).breaking(Harmless()) as again:
            self.assertEqual(again.seed, harmless.seed)

    def test_shutdown(self) -> None:
        """It shuts down in the time that it takes, and nothing is left; nobody can connect then."""
        running = MemoryRepeater(to_server_filter=lambda message, link: DO_NOTHING)
        alice = running.connect("alice")
        running.shutdown()
        self.assertEqual((alice.open, running.clock.seconds(), running.clock.getDelayedCalls()), (False, 0, []))
        self.assertRaises(error.ConnectionRefusedError, running.connect, "bob")

    def test_slow_shutdown(self) -> None:
        """A verdict that never comes delays it by the limits."""
        for limits in (None, Limits(close_timeout=1, linger=1)):
            options: dict[str, Any] = {} if limits is None else {"limits": limits}
            running = MemoryRepeater(to_server_filter=lambda message, link: Deferred(), **options)
            running.connect("alice").send(b"1")
            running.shutdown()
            self.assertEqual(running.clock.getDelayedCalls(), [])

    def test_results(self) -> None:
        """A Deferred without a result is none to go on with."""
        self.assertRaises(AssertionError, result_of, Deferred())

    def test_same_every_time(self) -> None:
        """What happens is the same each time, in the same order."""

        def run() -> str:
            running = MemoryRepeater(to_server_filter=answer)
            clients = [running.connect(name) for name in ("alice", "bob", "carol")]
            for peer in running.server.connections:
                peer.answer = lambda message, peer: [b"done " + message]
            for client in clients:
                client.send(b"?a", b"b", b"c" * 100_000)
            running.link("bob").close()
            running.advance(1)
            return str(running.transcript)

        self.assertEqual(run(), run())


class SocketTests(TestCase):
    """On real sockets."""

    async def start(self, *arguments: Any, **options: Any) -> SocketRepeater:
        """Start one that is closed after the test."""
        running = await SocketRepeater.start(*arguments, **options)
        self.addCleanup(running.close)
        return running

    async def test_links_and_relays(self) -> None:
        """Clients are linked, filters decide, and what comes can be waited for."""
        running = await self.start(to_server_filter=answer)
        alice, bob = await running.connect("alice"), await running.connect("bob")
        alice.send(b"?yes", b"order")
        await running.server["alice"].will_get(b"order")
        running.server["alice"].send(b"done")
        await alice.will_get(b"yes", b"done")
        bob.expect()
        self.assertEqual(running.repeater.active_clients(), ["alice", "bob"])

    async def test_refused(self) -> None:
        """To connect a client that is refused fails, and shows why; to dial does not wait for that."""
        running = await self.start(is_client_allowed=lambda name: name != "mallory")
        error = await self.assertFailure(running.connect("mallory"), AssertionError)
        self.assertIn("refused       ClientNotAllowed: client 'mallory' is not allowed", str(error))
        mallory: Peer = await running.dial("mallory")
        await mallory.when_closed()
        self.assertEqual([type(error) for error in running.refusals], [ClientNotAllowed] * 2)

    async def test_wrong_options(self) -> None:
        """What the repeater refuses to be made with fails the start, and leaves nothing."""
        await self.assertFailure(SocketRepeater.start(SEVERAL_VERSIONS), MultipleVersionsError)

    async def test_close(self) -> None:
        """Closing ends everything at once, whatever is under way."""
        running = await self.start(reactor=reactor, to_server_filter=lambda message, link: Deferred())
        alice, bob = await running.connect("alice"), await running.connect("bob")
        alice.send(b"never judged")
        bob.pause()
        silent = await running.dial(None)
        bob.close()
        await running.close()
        self.assertEqual([peer.open for peer in (alice, bob, silent)], [False] * 3)
        self.assertIsNotNone(silent.lost)

    async def test_no_hellos(self) -> None:
        """In a dialect without hellos a client is linked when its link is made, and found by its connection."""
        running = await self.start(dialects.length(size=1), server_says=[b"\2hi"])
        clients = [await running.connect() for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
            await client.will_get(b"hi")
            await running.server[client].will_get(b"%d" % number)
        names = [running.link(client).client_name for client in clients]
        self.assertEqual(names, [client.client_name for client in clients])
        self.assertEqual(len(set(names)), 3)

    async def test_says(self) -> None:
        """With an opening that waits for the client, what it says at once has to be enough."""
        late = dialects.length(size=1).changed(opening=by_address)
        running = await self.start(late)
        client = await running.connect(says=[b"\1a"])
        await running.server[client].will_get(b"a")
        error = await self.assertFailure(running.connect(timeout=0.1), AssertionError)
        self.assertIn("waited 0.1 s in vain for its link", str(error))
