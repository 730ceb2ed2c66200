"""Tests of how a link is made: every step, every way in which it fails, and what each peer sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest
from zope.interface import implementer

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    Dialect,
    Hello,
    ICodec,
    Limits,
    MessageType,
    Side,
    dialects,
)
from twisted_repeater._link.link import pair_of
from twisted_repeater._link.starting_tls import TLSHandshake
from twisted_repeater.dialects import Conversion
from twisted_repeater.errors import (
    ClientGone,
    ClientNotAllowed,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    HelloTimeout,
    InvalidHello,
    OpeningFailed,
    RefusedByApplication,
    RepeaterClosed,
    ServerUnreachable,
    UnexpectedServerName,
    VersionMismatch,
    WrongMode,
)

from ..peers import (
    END,
    LOST,
    REPEATER_NAME,
    SERVER_NAME,
    Client,
    PeerCase,
    RecordingRepeater,
    Server,
    ServerPeer,
    StoppedTime,
    World,
    frame,
    handshake_of,
    hello,
    kept_by,
    reactor,
    repeated,
    turn,
)
from ..unprintable import UNPRINTABLE, BrokenBool
from .memory_case import MemoryCase


class Pending(Deferred[Any]):
    """A Deferred that never fires, and knows whether it was cancelled."""

    def __init__(self) -> None:
        self.cancelled = False
        super().__init__(self._note)

    def _note(self, _: Deferred[Any]) -> None:
        self.cancelled = True


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """An endpoint whose ``connect`` a test provides; ``dials`` has its results."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.dials: list[Any] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        dial: Deferred[Any] = self._connect()
        self.dials.append(dial)
        return dial


class RefusalCase(PeerCase):
    """A test case that checks every promise about a refusal."""

    async def refused(
        self,
        world: World,
        first: bytes,
        error: type[ConnectingError],
        *,
        name: str | None = None,
        dialled: bool = False,
    ) -> Any:
        """Connect a client that is refused; check what each party saw, and return the error.

        The client saw nothing but its end. The server saw no connection, or the client's hello and the end. The
        callback was called once.
        """
        peers, refusals = len(world.server.peers), len(world.refusals)
        client = await world.connect(first)
        await client.lost()
        await world.refused(refusals + 1)
        await turn(3)
        self.assertEqual(client.seen, [LOST])
        self.assertEqual(world.refusals[refusals:], [(name, error)])
        if dialled:
            (peer,) = world.server.peers[peers:]
            await peer.lost()
            self.assertEqual(peer.seen, [repeated(name or ""), LOST])
        else:
            self.assertEqual(world.server.peers[peers:], [])
        return world.refusal

    async def bystander(self, world: World) -> Callable[..., Any]:
        """Link a client that must notice nothing; return a function that checks this, and that a name is free."""
        client, peer = await world.linked("bystander")

        async def check(name: str | None = None) -> None:
            if name is not None:
                await world.linked(name)
            await world.still_relays(client, peer)
            self.assertEqual(world.errors, [])

        return check


class ClientHelloTests(RefusalCase):
    """Steps 2 and 3: the client's hello."""

    NO_HELLOS = (
        ("another protocol", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "frame of"),
        ("a negative length", b"\xff\xff\xff\xff", "frame of 4294967295 bytes"),
        ("a huge length", b"\x7f\xff\xff\xff{", "frame of 2147483647 bytes"),
        ("a hello above 64 KiB, of which only the header came", (65537).to_bytes(4, "big"), "65536 are allowed"),
        ("an empty frame", frame(b""), "JSON"),
        ("bytes that are no text", frame(b'{"name": "\xff"}'), "UTF-8"),
        ("text that is no JSON", frame(b"alice"), "JSON"),
        ("a list", frame(b'["alice"]'), "object"),
        ("no name", frame(b'{"mode": ""}'), "'name'"),
        ("a name that is no string", frame(b'{"name": 7}'), "'name'"),
        ("a version that is no whole number", frame(b'{"name": "a", "send_version": 1e400}'), "'send_version'"),
        ("a version that is a truth", frame(b'{"name": "a", "send_version": true}'), "'send_version'"),
        (
            "a version of too many digits",
            frame(b'{"name": "a", "send_version": %s}' % (b"9" * 50_000)),
            "'send_version'",
        ),
        ("a deep nest", frame(b"[" * 65_000), "JSON"),
        ("a deep nest of objects", frame(b'{"a":' * 13_000), "JSON"),
    )

    async def test_no_hello(self) -> None:
        """Whatever a stranger sends in place of a hello costs its own connection, and nothing else."""
        world = await self.world()
        check = await self.bystander(world)
        for what, data, told in self.NO_HELLOS:
            error = await self.refused(world, data, InvalidHello)
            self.assertIn(told, str(error), what)
            self.assertIs(error.side, Side.CLIENT)
        await check()

    async def test_largest_hello(self) -> None:
        """A hello of exactly 64 KiB is read."""
        world = await self.world()
        bare = len(hello("alice", padding="")) - 4
        client = await world.connect(hello("alice", padding="x" * (64 * 1024 - bare)))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])

    async def test_byte_by_byte(self) -> None:
        """A hello may come byte by byte, and nobody is dialled before it is complete."""
        world = await self.world()
        client = await world.connect()
        client.transport.setTcpNoDelay(True)
        *most, last = hello("alice")
        for byte in most:
            client.write(bytes([byte]))
            await turn()
        self.assertEqual((client.seen, world.server.peers), ([], []))
        client.write(bytes([last]))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])

    async def test_silence(self) -> None:
        """A client that says nothing is closed after the hello timeout."""
        world = await self.world()
        check = await self.bystander(world)
        world.set_limits(hello_timeout=0.3)
        error = await self.refused(world, b"", HelloTimeout)
        self.assertIs(error.side, Side.CLIENT)
        world.set_limits()
        await check("alice")

    async def test_half_a_hello(self) -> None:
        """So is one that doesn't finish what it says."""
        world = await self.world(limits=Limits(hello_timeout=0.1))
        await self.refused(world, hello("alice")[:-1], HelloTimeout)

    async def test_mode(self) -> None:
        """A client in another mode is refused before the dial."""
        world = await self.world(dialect=dialects.int32(mode="test"), server=Server(hello=hello("quotes", mode="test")))
        error = await self.refused(world, hello("alice", mode="prod"), WrongMode, name="alice")
        self.assertIs(error.side, Side.CLIENT)
        self.assertIn("'prod'", str(error))
        client = await world.connect(hello("alice", mode="test"))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated("quotes", mode="test")])

    async def test_not_allowed(self) -> None:
        """A client that ``is_client_allowed`` says no to is refused before the dial, at once or later."""
        answers: list[Any] = [False, succeed(False), self.later(False), None]
        world = await self.world(is_client_allowed=lambda name: name != "alice" or answers.pop(0))
        check = await self.bystander(world)
        while len(answers) > 0:
            error = await self.refused(world, hello("alice"), ClientNotAllowed, name="alice")
            self.assertIs(error.side, Side.CLIENT)
        answers.append(self.later(True))
        await check("alice")

    @staticmethod
    async def later(answer: object) -> object:
        """Return an answer, a little later."""
        await turn()
        return answer

    async def test_is_client_allowed_raises(self) -> None:
        """What ``is_client_allowed`` raises refuses the client, whatever it is."""
        causes: list[BaseException] = [ValueError("no database"), SystemExit(3), KeyboardInterrupt()]
        answers: list[Any] = [fail(ZeroDivisionError("later"))]

        def is_client_allowed(name: str) -> Any:
            if name == "bystander":
                return True
            if causes:
                raise causes.pop(0)
            return answers.pop(0) if answers else True

        world = await self.world(is_client_allowed=is_client_allowed)
        check = await self.bystander(world)
        for cause in (*causes, ZeroDivisionError("later")):
            error = await self.refused(world, hello("alice"), RefusedByApplication, name="alice")
            self.assertEqual(repr(error.__cause__), repr(cause))
            self.assertEqual(str(error), f"{type(cause).__name__}: {cause}")
        await check("alice")

    async def test_unusable_answer(self) -> None:
        """So does an answer that raises when it is asked whether it is true."""
        answers: list[Any] = [BrokenBool()]
        world = await self.world(is_client_allowed=lambda name: answers.pop() if answers else True)
        error = await self.refused(world, hello("alice"), RefusedByApplication, name="alice")
        self.assertEqual(str(error), "Mute: <ValueError raised by its __str__>")
        await world.linked("alice")

    async def test_unprintable_errors(self) -> None:
        """It may be an exception that cannot be printed, of any callback."""
        for callback in ("is_client_allowed", "on_connect"):
            for kind in UNPRINTABLE:

                def refuse(_: object, kind: type[BaseException] = kind) -> Any:
                    raise kind

                callbacks: dict[str, Any] = {callback: refuse}
                world = await self.world(**callbacks)
                client = await world.connect(hello("alice"))
                await client.lost()
                await world.refused()
                self.assertEqual(world.refusals, [("alice", RefusedByApplication)])
                self.assertTrue(str(world.refusal).startswith(f"{kind.__name__}: "), str(world.refusal))

    async def test_own_reason(self) -> None:
        """A callback may raise a `ConnectingError` of its own, which is told as it is."""

        def is_client_allowed(name: str) -> bool:
            raise ClientNotAllowed("not on Sundays")

        world = await self.world(is_client_allowed=is_client_allowed)
        error = await self.refused(world, hello("alice"), ClientNotAllowed, name="alice")
        self.assertEqual(str(error), "not on Sundays")

    async def test_client_version(self) -> None:
        """A client with which no version can be agreed, in either direction, is refused before the dial."""
        world = await self.world()
        check = await self.bystander(world)
        for member in ("send_version", "recv_version"):
            error = await self.refused(world, hello("alice", **{member: 0}), VersionMismatch, name="alice")
            self.assertIs(error.side, Side.CLIENT)
            self.assertIn("version 0", str(error))
        await check("alice")

    async def test_newer_client(self) -> None:
        """A client that has newer versions as well speaks the one that the repeater has."""
        world = await self.world()
        client = await world.connect(hello("alice", send_version=7, recv_version=10**30))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])

    async def test_unsayable_name(self) -> None:
        """A name that the handshake cannot write is refused before the dial."""

        class Shy:
            """Says no name but the server's."""

            def __init__(self, limits: Limits) -> None:
                self._plain: Any = handshake_of(dialects.int32(), limits)
                self.framing = self._plain.framing
                self.decode = self._plain.decode

            def encode(self, said: Hello) -> Any:
                """See `IHandshake`."""
                if said.name != SERVER_NAME:
                    raise InvalidHello("never")
                return self._plain.encode(said)

        plain = dialects.int32()
        world = await self.world(dialect=Dialect(name="shy", framing=plain.framing, opening=dialects.hellos(Shy)))
        error = await self.refused(world, hello("alice"), InvalidHello, name="alice")
        self.assertIs(error.side, Side.CLIENT)

    async def test_long_name(self) -> None:
        """A name that fills the longest hello is repeated, whatever characters it has."""
        world = await self.world()
        name = "\N{SNOWMAN}" * 21_840
        client = await world.connect(frame(f'{{"name":"{name}"}}'.encode()))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])
        self.assertEqual(world.server.peers[0].seen, [repeated(name)])


class RawPeer(ServerPeer):
    """A server's end that sees the client's hello as the bytes that came."""

    greets = False


class ExtraTests(RefusalCase):
    """Members of a hello that the repeater does not know."""

    async def test_forwarded(self) -> None:
        """They reach the other peer both ways, as they were written and in their order; the application sees them."""
        theirs = b'"token":"s3cret","rate":1.10,"far":1e400,"id":%s,"more":{"b": [1 , 2], "a": null}'
        theirs %= b"7" * 5000
        ours = b'"session": 7, "__proto__": {"x": 1}, "name\\ud83d": "\xc3\xa9"'
        server = Server(hello=frame(b'{"name": "quotes", "credentials": "c", %s}' % ours))
        server.protocol = RawPeer
        world = await self.world(server=server)
        client = await world.connect(frame(b'{%s, "name": "alice", "credentials": "mine"}' % theirs))
        await client.seen.reach(1)
        said = b'{"name":"%s","mode":"","send_version":1,"recv_version":1,"credentials":"edge-1",%s}'
        (peer,) = world.server.peers
        self.assertEqual(peer.seen[0], said % (b"alice", theirs))
        self.assertEqual(client.seen[0]["session"], 7)
        ((_, link),) = world.calls
        self.assertEqual((link.client_hello.credentials, link.server_hello.credentials), ("mine", "c"))
        self.assertEqual(list(link.client_hello.extra), ["token", "rate", "far", "id", "more"])
        self.assertEqual(link.client_hello.extra["token"], "s3cret")
        self.assertEqual(link.server_hello.extra["__proto__"], {"x": 1})
        self.assertNotIn("s3cret", repr(link.client_hello))


class NameTests(RefusalCase):
    """Step 4: the name."""

    async def test_live_link(self) -> None:
        """A newcomer with the name of a live link is refused before the dial; the link stays."""
        world = await self.world()
        alice, peer = await world.linked("alice")
        error = await self.refused(world, hello("alice"), DuplicateClient, name="alice")
        self.assertIs(error.side, Side.CLIENT)
        await world.still_relays(alice, peer)
        self.assertEqual(world.errors, [])

    async def test_link_in_the_making(self) -> None:
        """So is one with the name of a link that is still being made."""
        world = await self.world(server=Server(when_greeted=False))
        alice = await world.connect(hello("alice"))
        await world.server.peers.reach(1)
        await self.refused(world, hello("alice"), DuplicateClient, name="alice")
        (peer,) = world.server.peers
        peer.say_hello()
        await alice.seen.reach(1)
        await world.still_relays(alice, peer)

    async def test_half_dead_link(self) -> None:
        """So is one with the name of a link that has lost a side, as long as the application doesn't end it."""
        world = await self.world(on_error=lambda link, side, error: None)
        alice, peer = await world.linked("alice")
        alice.close()
        await world.calls.until(lambda: world.errors)
        await self.refused(world, hello("alice"), DuplicateClient, name="alice")
        world.repeater.close_connection_from_client("alice")
        await peer.lost()
        await world.linked("alice")

    async def test_ending_link(self) -> None:
        """A newcomer with the name of a link that is ending waits until it is over, and is linked then."""
        world = await self.world(server=Server(half_close=True))
        old, old_peer = await world.linked("alice")
        old_peer.send(b"last reply")
        await old.seen.reach(2)
        old.end_stream()
        await old_peer.seen.reach(2)
        new = await world.connect(hello("alice"))
        await turn(5)
        self.assertEqual((new.seen, len(world.server.peers)), ([], 1))
        old_peer.close()
        await new.seen.reach(1)
        self.assertEqual(old.seen[1:], [b"last reply", LOST])
        await world.still_relays(new, world.server.peers[1])
        self.assertEqual(world.refusals, [])

    async def test_ending_takes_too_long(self) -> None:
        """It doesn't wait longer than the hello timeout."""
        verdict: Deferred[Any] = Deferred()
        time = StoppedTime()
        limits = Limits(close_timeout=1000)
        world = await self.world(reactor=time, limits=limits, to_server_filter=lambda message, link: verdict)
        old, _ = await world.linked("alice")
        old.send(b"wait")
        old.end_stream()
        (link,) = map(pair_of, world.repeater.links())
        while not (link.lanes and link.lanes[0].awaited):
            await turn()
        link.close()
        world.set_limits(hello_timeout=0.3)
        client = await world.connect(hello("alice"))
        await world.until_accepted(heard=True)
        await time.pass_until(client.lost())
        self.assertEqual((client.seen, len(world.server.peers)), ([LOST], 1))
        self.assertEqual(world.refusals, [("alice", DuplicateClient)])
        world.set_limits()
        verdict.callback(DO_NOTHING)
        await link.when_over()
        await world.linked("alice")

    async def test_gone_while_waiting(self) -> None:
        """One that leaves while it waits for its name is forgotten, and the next gets the name."""
        world = await self.world(server=Server(half_close=True))
        old, old_peer = await world.linked("alice")
        old.end_stream()
        await old_peer.seen.reach(2)
        first = await world.connect(hello("alice"))
        await turn(5)
        second = await world.connect(hello("alice"))
        await turn(5)
        first.abort()
        await world.refused()
        old_peer.close()
        await second.seen.reach(1)
        await world.still_relays(second, world.server.peers[1])
        self.assertEqual(world.refusals, [("alice", ClientGone)])


class ServerTests(RefusalCase):
    """Steps 5 and 6: the server."""

    async def test_what_the_server_sees(self) -> None:
        """The server sees the client's name, and in the credentials who repeats it."""
        world = await self.world()
        _, peer = await world.linked("alice")
        expected = {"name": "alice", "mode": "", "send_version": 1, "recv_version": 1, "credentials": REPEATER_NAME}
        self.assertEqual(peer.seen, [expected])

    async def test_own_credentials(self) -> None:
        """A client's credentials stay with the link; the server gets the repeater's."""
        world = await self.world()
        await world.connect(hello("alice", credentials="secret"))
        await world.server.peers.reach(1)
        await world.server.peers[0].seen.reach(1)
        self.assertEqual(world.server.peers[0].seen, [repeated("alice")])
        await world.calls.reach(1)
        self.assertEqual(world.calls[0][1].client_hello, Hello("alice", credentials="secret"))

    async def test_refused_connection(self) -> None:
        """A server that isn't there: the client sees nothing, and may come again when it is."""
        path = self.mktemp()
        world = await self.world(via=f"unix:{path}")
        error = await self.refused(world, hello("alice"), ServerUnreachable, name="alice")
        self.assertIs(error.side, Side.SERVER)
        self.assertIsNotNone(error.__cause__)
        port = reactor.listenUNIX(path, world.server)
        self.addCleanup(port.stopListening)
        await world.linked("alice")

    async def test_refused_tcp_connection(self) -> None:
        """The cause is Twisted's own error."""
        world = await self.world()
        await world.server_port.stopListening()
        error = await self.refused(world, hello("alice"), ServerUnreachable, name="alice")
        self.assertIsInstance(error.__cause__, internet_error.ConnectionRefusedError)

    async def test_dial_fails_at_once(self) -> None:
        """An endpoint that raises is a server that cannot be reached, and so is one whose dial is cancelled."""

        def out_of_order() -> Deferred[Any]:
            raise OSError("out of order")

        for connect in (out_of_order, lambda: fail(CancelledError())):
            world = await self.world(via=FakeEndpoint(connect))
            await self.refused(world, hello("alice"), ServerUnreachable, name="alice")

    async def test_connect_timeout(self) -> None:
        """A dial that takes longer than the connect timeout is given up."""
        endpoint = FakeEndpoint(Pending)
        world = await self.world(via=endpoint, limits=Limits(connect_timeout=0.1))
        error = await self.refused(world, hello("alice"), ServerUnreachable, name="alice")
        self.assertIsInstance(error.__cause__, internet_error.TimeoutError)
        self.assertTrue(endpoint.dials[0].cancelled)

    async def test_server_leaves(self) -> None:
        """A server that goes before its hello, in whatever way, cannot be reached."""
        for leave in (ServerPeer.close, ServerPeer.abort, ServerPeer.end_stream):
            world = await self.world(server=Server(when_greeted=False, half_close=True))
            client = await world.connect(hello("alice"))
            await world.server.peers.reach(1)
            (peer,) = world.server.peers
            await peer.seen.reach(1)
            leave(peer)
            await client.lost()
            await world.refused()
            self.assertEqual((client.seen, world.refusals), ([LOST], [("alice", ServerUnreachable)]))
            self.assertIs(world.refusal.side, Side.SERVER)
            self.assertIsNotNone(world.refusal.__cause__)
            peer.close()
            await peer.lost()
            world.server.when_greeted = True
            await world.linked("alice")

    async def test_silent_server(self) -> None:
        """A server that doesn't say hello is given up after the hello timeout."""
        world = await self.world(server=Server(when_greeted=False), limits=Limits(hello_timeout=0.5))
        error = await self.refused(world, hello("alice"), HelloTimeout, name="alice", dialled=True)
        self.assertIs(error.side, Side.SERVER)
        world.server.when_greeted = True
        world.set_limits()
        await world.linked("alice")

    async def test_no_hello_from_the_server(self) -> None:
        """A server that says something else is given up; the client sees nothing of it."""
        for no_hello in (b"HTTP/1.1 400 Bad Request\r\n\r\n", frame(b"\xff"), frame(b'{"name": 7}')):
            world = await self.world(server=Server(hello=no_hello))
            error = await self.refused(world, hello("alice"), InvalidHello, name="alice", dialled=True)
            self.assertIs(error.side, Side.SERVER)
            self.assertIn("server", str(error)) if b"HTTP" in no_hello else None
            world.server.hello = hello(SERVER_NAME)
            await world.linked("alice")

    async def test_wrong_server(self) -> None:
        """A server in another mode, of another name or without a common version is given up."""
        wrong: tuple[tuple[bytes, type[ConnectingError]], ...] = (
            (hello(SERVER_NAME, mode="test"), WrongMode),
            (hello("weather"), UnexpectedServerName),
            (hello(SERVER_NAME, send_version=0), VersionMismatch),
            (hello(SERVER_NAME, recv_version=-1), VersionMismatch),
        )
        world = await self.world()
        check = await self.bystander(world)
        for wrong_hello, expected in wrong:
            world.server.hello = wrong_hello
            error = await self.refused(world, hello("alice"), expected, name="alice", dialled=True)
            self.assertIs(error.side, Side.SERVER)
        world.server.hello = hello(SERVER_NAME)
        await check("alice")

    async def test_hello_at_once(self) -> None:
        """A server may say hello before it has read the client's, and messages behind it: they come in order."""
        server = Server(hello=hello(SERVER_NAME) + frame(b"one") + frame(b"two"), at_once=True)
        world = await self.world(server=server)
        client = await world.connect(hello("alice"))
        await client.seen.reach(3)
        self.assertEqual(client.seen, [repeated(SERVER_NAME), b"one", b"two"])
        await world.still_relays(client, server.peers[0])

    async def test_late_hello(self) -> None:
        """A server may take its time, within the timeout, and the client is not answered before."""
        world = await self.world(server=Server(when_greeted=False))
        client = await world.connect(hello("alice"))
        await world.server.peers.reach(1)
        (peer,) = world.server.peers
        await peer.seen.reach(1)
        await turn(5)
        self.assertEqual((client.seen, world.calls), ([], []))
        peer.say_hello()
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])


class VersionTests(MemoryCase):
    """Each connection agrees on a version for each direction: the smaller of the sender's and the receiver's."""

    def setUp(self) -> None:
        """Make a dialect with two versions each way: version 2 has an upper-case letter before each message."""
        super().setUp()

        @implementer(ICodec)
        class Codec:
            """Messages are their payloads."""

            def decode(self, payload: bytes) -> Any:
                return payload

            def encode(self, message: Any) -> bytes:
                return bytes(message)

        steps = {2: Conversion(lambda message: b"V" + message, lambda message: message[1:])}
        kind = MessageType({1: Codec(), 2: Codec()}, low=1, prod=2, test=2, conversions=steps)
        self.filtered: list[bytes] = []
        self.here = self.memory(
            answers=False,
            dialect=dialects.int32(to_server=kind, to_client=kind),
            to_server_filter=self.look,
            to_client_filter=self.look,
        )

    def look(self, message: bytes, link: Any) -> Any:
        """Be a filter that keeps its messages."""
        self.filtered.append(message)
        return PASS_ON

    def linked(self, client_versions: tuple[int, int], server_versions: tuple[int, int]) -> tuple[Any, Any]:
        """Link peers that send and receive these versions."""
        sends, receives = client_versions
        client: Any = self.here.connect("alice", send_version=sends, recv_version=receives)
        sends, receives = server_versions
        self.here.answer(send_version=sends, recv_version=receives)
        server: Any = self.here.server["alice"]
        for peer in (client, server):
            self.assertEqual((peer.heard.send_version, peer.heard.recv_version), (2, 2))
        return client, server

    def check_converted(self, versions: tuple[tuple[int, int], tuple[int, int]], sent: list[bytes]) -> None:
        """Have each peer send a message in its version; the other gets it in its own, and filters see the newest."""
        client, server = self.linked(*versions)
        client.send(sent[0])
        server.send(sent[1])
        self.assertEqual((server.received, client.received, self.filtered), ([sent[2]], [sent[3]], [b"Vone", b"Vtwo"]))

    def test_equal(self) -> None:
        """Equal versions pass on the bytes that came."""
        self.check_converted(((2, 3), (5, 2)), [b"Vone", b"Vtwo", b"Vone", b"Vtwo"])

    def test_old_client(self) -> None:
        """Messages of an old client are made new for the server, and the server's are made old for it."""
        self.check_converted(((1, 1), (2, 2)), [b"one", b"Vtwo", b"Vone", b"two"])

    def test_each_direction(self) -> None:
        """The directions agree by themselves: here the client sends the old version and reads the new one."""
        self.check_converted(((1, 2), (1, 2)), [b"one", b"two", b"Vone", b"Vtwo"])

    def test_too_old(self) -> None:
        """A peer that is older than the oldest version is refused."""
        self.here.connect("alice", send_version=0)
        self.assertEqual(self.here.calls.refusals, [("alice", VersionMismatch)])


class PlaceTests(MemoryCase):
    """Step 3: a place."""

    def test_waits(self) -> None:
        """A client that finds no place is linked when one comes free."""
        world = self.memory(limits=Limits(max_clients=1))
        late = world.connect(None)
        world.linked("alice")
        world.say(late, "bob")
        self.assertEqual(len(world.server.connections), 1)
        world.link("alice").close()
        world.settle()
        self.assertEqual(world.link("bob").client_name, "bob")


class OnConnectTests(RefusalCase):
    """Step 7: ``on_connect``."""

    async def test_arguments(self) -> None:
        """It sees both names, both hellos and both addresses."""
        world = await self.world(server=Server(hello=hello(SERVER_NAME, credentials="c", extra=1)))
        client = await world.connect(hello("alice", recv_version=3))
        await client.seen.reach(1)
        ((name, link),) = world.calls
        self.assertEqual((name, link.client_name, link.server_name), ("on_connect", "alice", SERVER_NAME))
        self.assertEqual(link.client_hello, Hello("alice", recv_version=3))
        self.assertEqual(link.server_hello, Hello(SERVER_NAME, credentials="c", extra={"extra": 1}))
        self.assertEqual(link.client_address, IPv4Address("TCP", "127.0.0.1", client.transport.getHost().port))
        self.assertEqual(link.server_address, world.server_port.getHost())

    async def test_state(self) -> None:
        """Its result becomes the link's state; it may come from a Deferred or a coroutine."""
        answers: list[Any] = [7, succeed({"a": 1}), ClientHelloTests.later("soon"), None]
        world = await self.world(on_connect=lambda link: answers.pop(0))
        for name, state in (("a", 7), ("b", {"a": 1}), ("c", "soon"), ("d", None)):
            await world.linked(name)
            link = world.repeater.link(name)
            assert link is not None
            self.assertEqual(link.state, state)

    async def test_before_the_answer(self) -> None:
        """The client is answered when it is done, not earlier; until then the client is not active."""
        answer = Pending()
        world = await self.world(on_connect=lambda link: answer)
        client = await world.connect(hello("alice") + frame(b"early"))
        await world.calls.reach(1)
        (peer,) = world.server.peers
        await turn(5)
        self.assertEqual((client.seen, peer.seen), ([], [repeated("alice")]))
        self.assertEqual((world.repeater.active_clients(), world.repeater.links()), ([], []))
        self.assertIsNone(world.repeater.link("alice"))
        answer.callback("state")
        await client.seen.reach(1)
        await peer.seen.reach(2)
        self.assertEqual(peer.seen, [repeated("alice"), b"early"])
        self.assertEqual(world.repeater.active_clients(), ["alice"])

    async def test_raises(self) -> None:
        """If it raises, or fails later, the client is refused and sees nothing."""

        async def fails() -> None:
            await turn()
            raise KeyError("later")

        failures: list[Callable[[], Any]] = [lambda: 1 / 0, lambda: fail(ValueError("deferred")), fails]

        def on_connect(link: Any) -> Any:
            return failures.pop(0)() if link.client_name == "alice" and failures else None

        world = await self.world(on_connect=on_connect)
        check = await self.bystander(world)
        for cause in (ZeroDivisionError, ValueError, KeyError):
            error = await self.refused(world, hello("alice"), RefusedByApplication, name="alice", dialled=True)
            self.assertIsInstance(error.__cause__, cause)
            self.assertIsNone(error.side)
        await check("alice")

    async def test_closes_the_link(self) -> None:
        """If it closes the link, the client is refused and sees nothing, whether it has returned by then or not."""
        pending = Pending()

        def on_connect(link: Any) -> Any:
            if link.client_name == "at once":
                link.close()
            elif link.client_name == "later":
                reactor.callLater(0, link.close)
                return pending
            return None

        world = await self.world(on_connect=on_connect)
        check = await self.bystander(world)
        for name in ("at once", "later"):
            error = await self.refused(world, hello(name), RefusedByApplication, name=name, dialled=True)
            self.assertIn("closed the link", str(error))
        self.assertTrue(pending.cancelled)
        await check()

    async def test_sends(self) -> None:
        """Its messages arrive behind the hello, on both sides, before those of the peers; the refused get none."""

        def on_connect(link: Any) -> None:
            link.send_to_client(b"welcome")
            link.send_to_server(b"hear, hear")
            if link.client_name == "mallory":
                raise ValueError("after all")

        world = await self.world(on_connect=on_connect)
        client = await world.connect(hello("alice") + frame(b"early"))
        await client.seen.reach(2)
        self.assertEqual(client.seen, [repeated(SERVER_NAME), b"welcome"])
        await world.server.peers[0].seen.reach(3)
        self.assertEqual(world.server.peers[0].seen, [repeated("alice"), b"hear, hear", b"early"])
        await self.refused(world, hello("mallory"), RefusedByApplication, name="mallory", dialled=True)

    async def test_sends_nonsense(self) -> None:
        """A message that cannot be encoded goes to ``on_error``, here too, and the link is made without it."""
        world = await self.world(on_connect=lambda link: link.send_to_client("no bytes"))
        client, peer = await world.linked("alice")
        ((name, side, error),) = world.errors
        self.assertEqual((name, side), ("alice", Side.CLIENT))
        self.assertIn("str", str(error))
        await world.still_relays(client, peer)


class EarlyMessageTests(RefusalCase):
    """Step 9: messages behind a hello wait for the link."""

    async def test_in_order_and_bounded(self) -> None:
        """A client that sends on behind its hello is held up: little is read, and nothing is lost or overtaken."""
        answer = Pending()
        world = await self.world(on_connect=lambda link: answer)
        messages = [bytes([number % 256]) * 5000 for number in range(400)]
        client = await world.connect(hello("alice") + b"".join(map(frame, messages)))
        await world.calls.reach(1)
        connection = pair_of(world.calls[0][1]).client
        while not connection.valve.closed:
            await turn()
        opening = connection.opening
        assert opening is not None
        held = opening.size
        await turn(5)
        self.assertEqual(opening.size, held)
        self.assertLess(held, 256 * 1024)
        self.assertEqual(world.server.peers[0].seen, [repeated("alice")])
        answer.callback(None)
        (peer,) = world.server.peers
        await peer.seen.reach(401)
        self.assertEqual(peer.seen[1:], messages)
        await world.still_relays(client, peer)

    async def test_early_messages_are_filtered(self) -> None:
        """They go through the filters like the rest."""
        seen = []

        def to_server(message: bytes, link: Any) -> Any:
            seen.append((message, link.state))
            return PASS_ON

        world = await self.world(to_server_filter=to_server)
        await world.connect(hello("alice") + frame(b"one") + frame(b"two"))
        await world.server.peers.reach(1)
        await world.server.peers[0].seen.reach(3)
        self.assertEqual(seen, [(b"one", None), (b"two", None)])

    async def test_hello_messages_and_end_at_once(self) -> None:
        """No reply is lost to a client that sends its hello, its messages and the end of its stream at once."""
        world = await self.world(
            server=Server(half_close=True, answer=lambda peer, message: peer.send(b"re " + message))
        )
        client = await world.connect(hello("alice") + frame(b"one") + frame(b"two"), ends=True, half_close=True)
        await world.server.peers.reach(1)
        (peer,) = world.server.peers
        await peer.seen.holds(END)
        peer.send(b"and good-bye")
        peer.close()
        await client.lost()
        expected = [repeated(SERVER_NAME), b"re one", b"re two", b"and good-bye", END, LOST]
        self.assertEqual(client.seen, expected)
        ((name, side, error), *_) = world.errors
        self.assertEqual((name, side, error.half_closed), ("alice", Side.CLIENT, True))
        self.assertIsInstance(error, Disconnected)

    async def test_hello_and_end_at_once(self) -> None:
        """A client that ends its stream right behind its hello has left: nobody waits for anything."""
        world = await self.world()
        client = await world.connect(hello("alice"), ends=True, half_close=True)
        await client.lost()
        await world.refused()
        self.assertEqual(world.refusals, [("alice", ClientGone)])
        self.assertIsInstance(world.refusal.__cause__, internet_error.ConnectionDone)


class ClientGoneTests(PeerCase):
    """The client leaves while its link is being made."""

    LEAVE = (Client.close, Client.abort)

    async def gone(self, world: World, client: Client, name: str | None, leave: Callable[[Client], None]) -> None:
        """Let a client leave, and see that it is told so, once, and nothing else is."""
        refusals = len(world.refusals)
        leave(client)
        await world.refused(refusals + 1)
        await client.lost()
        await turn(3)
        self.assertEqual(world.refusals[refusals:], [(name, ClientGone)])
        self.assertIs(world.refusal.side, Side.CLIENT)
        self.assertEqual(world.errors, [])

    async def test_before_a_byte(self) -> None:
        """Nobody hears of a connection that closes before it sent a byte."""
        for leave in self.LEAVE:
            world = await self.world()
            client = await world.connect()
            await world.until_accepted()
            leave(client)
            await client.lost()
            while kept_by(world.repeater._factory):
                await turn()
            self.assertEqual((world.calls, world.server.peers), ([], []))

    async def test_within_the_hello(self) -> None:
        """One that closes within its hello is told of, without a name."""
        for leave in self.LEAVE:
            world = await self.world()
            client = await world.connect(hello("alice")[:-1])
            await world.until_accepted(heard=True)
            await self.gone(world, client, None, leave)
            self.assertEqual(world.server.peers, [])

    async def test_while_it_is_asked_whether_it_is_allowed(self) -> None:
        """The application's question is cancelled, and nobody is dialled."""
        for leave in self.LEAVE:
            asked: list[Pending] = []

            def is_client_allowed(name: str, asked: list[Pending] = asked) -> Pending:
                asked.append(Pending())
                return asked[-1]

            world = await self.world(is_client_allowed=is_client_allowed)
            client = await world.connect(hello("alice"))
            while not asked:
                await turn()
            await self.gone(world, client, "alice", leave)
            self.assertTrue(asked[0].cancelled)
            self.assertEqual(world.server.peers, [])

    async def test_question_that_cannot_be_cancelled(self) -> None:
        """A Deferred of the application whose canceller raises changes nothing but the log."""

        def canceller(deferred: Deferred[Any]) -> None:
            raise ArithmeticError

        for leave in self.LEAVE:
            asked: list[str] = []

            def is_client_allowed(name: str, asked: list[str] = asked) -> Deferred[Any]:
                asked.append(name)
                return Deferred(canceller)

            world = await self.world(is_client_allowed=is_client_allowed)
            client = await world.connect(hello("alice"))
            while not asked:
                await turn()
            await self.gone(world, client, "alice", leave)
            self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

    async def test_during_the_dial(self) -> None:
        """The dial is cancelled."""
        for leave in self.LEAVE:
            endpoint = FakeEndpoint(Pending)
            world = await self.world(via=endpoint)
            client = await world.connect(hello("alice"))
            while not endpoint.dials:
                await turn()
            await self.gone(world, client, "alice", leave)
            self.assertTrue(endpoint.dials[0].cancelled)

    async def test_before_the_server_answers(self) -> None:
        """The server sees the client go."""
        for leave in self.LEAVE:
            world = await self.world(server=Server(when_greeted=False))
            client = await world.connect(hello("alice"))
            await world.server.peers.reach(1)
            (peer,) = world.server.peers
            await peer.seen.reach(1)
            await self.gone(world, client, "alice", leave)
            await peer.lost()
            self.assertEqual(peer.seen, [repeated("alice"), LOST])

    async def test_during_on_connect(self) -> None:
        """The Deferred of ``on_connect`` is cancelled, and the server sees the client go."""
        for leave in self.LEAVE:
            answer = Pending()
            world = await self.world(on_connect=lambda link, answer=answer: answer)
            client = await world.connect(hello("alice"))
            await world.calls.reach(1)
            await self.gone(world, client, "alice", leave)
            self.assertTrue(answer.cancelled)
            (peer,) = world.server.peers
            await peer.lost()
            self.assertEqual(peer.seen, [repeated("alice"), LOST])

    async def test_with_messages_waiting(self) -> None:
        """A client that is lost, rather than at the end of its stream, is gone whatever it had sent."""
        answer = Pending()
        world = await self.world(on_connect=lambda link: answer)
        client = await world.connect(hello("alice") + frame(b"early"))
        await world.calls.reach(1)
        await self.gone(world, client, "alice", Client.abort)
        (peer,) = world.server.peers
        await peer.lost()
        self.assertEqual(peer.seen, [repeated("alice"), LOST])


class RaceTests(MemoryCase):
    """What sockets bring about only now and then, in memory."""

    def test_interrupted(self) -> None:
        """Ctrl-C in the canceller of a callback's Deferred goes through."""

        def interrupted(deferred: Deferred[Any]) -> None:
            raise KeyboardInterrupt

        world = RecordingRepeater(is_client_allowed=lambda name: Deferred(interrupted))
        self.assertRaises(KeyboardInterrupt, world.connect("alice").abort)

    def test_server_says_hello_before_the_dial_ends(self) -> None:
        """The server's hello may come before the dial is known to have worked, and be as long as a hello can be."""
        padding = 64 * 1024 + 4 - len(hello(SERVER_NAME, padding=""))
        reached: Deferred[Any] = Deferred()
        world = self.memory()
        world.server.hello = None
        plainly = world.factory.links.dial
        world.factory.links.dial = lambda pair: plainly(pair).addCallback(lambda protocol: reached)
        client: Any = world.connect("alice")
        (server,) = world.server.connections
        long = hello(SERVER_NAME, padding="x" * padding)
        server.send_bytes(long[:-1])
        reached.callback(world.pair(client).server)
        world.settle()
        server.send_bytes(long[-1:])
        self.assertEqual(client.heard.extra, {"padding": "x" * padding})

    def test_client_lost_before_the_servers_hello(self) -> None:
        """The client is lost, then the server's hello comes: the link is not made."""
        world = self.memory(answers=False)
        client = world.connect("alice")
        (server,) = world.server.connections
        world.pair(client).client.connectionLost()
        world.pair(client).server.dataReceived(hello(SERVER_NAME))
        world.settle()
        self.assertEqual(world.calls.refusals, [("alice", ClientGone)])
        self.assertFalse(server.open)

    def test_client_lost_behind_the_servers_hello(self) -> None:
        """The other way round the link is made, and then loses its client."""
        world = self.memory()
        client, server = world.linked("alice")
        client.abort()
        ((name, side, error),) = world.calls.errors
        self.assertEqual((name, side, error.half_closed), ("alice", Side.CLIENT, False))
        self.assertTrue(server.open)

    def test_server_lost_behind_its_hello(self) -> None:
        """A server that says hello and goes while the application considers was not reached."""
        answer = Pending()
        world = self.memory(on_connect=lambda link: answer)
        client = world.connect("alice")
        world.server["alice"].abort()
        self.assertEqual(world.calls.refusals, [("alice", ServerUnreachable)])
        self.assertTrue(answer.cancelled)
        self.assertIsNone(client.heard)

    def test_connected_although_cancelled(self) -> None:
        """A dial that succeeds although it was cancelled makes no link."""
        world = self.memory()
        dial: Deferred[Any] = Deferred(lambda dial: dial.callback(None))
        world.factory.links.dial = lambda pair: dial
        world.connect("alice").abort()
        self.assertEqual(world.calls.refusals, [("alice", ClientGone)])

    def callback_ends_everything(self, name: str, answers: Callable[[Deferred[None]], Any]) -> None:
        """Let a callback of this name shut down and give this answer."""
        world: Any = None
        world = self.memory(**{name: lambda _: answers(world.factory.links.close_all())})
        client = world.connect("alice")
        self.assertEqual(world.calls.refusals, [("alice", RepeaterClosed)])
        self.assertIsNone(client.heard)
        self.assertFalse(client.open)

    def test_callback_ends_everything(self) -> None:
        """Either callback may shut the repeater down: the attempt ends there, and is told of once."""
        for name in ("is_client_allowed", "on_connect"):
            for answers in (lambda ended: None, lambda ended: ended, lambda ended: 1 / 0):
                self.callback_ends_everything(name, answers)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stopped_by_what_it_cancels(self) -> None:
        """A canceller may shut down the repeater; the application hears of the first reason, once."""
        world: Any = None
        answer: Deferred[Any] = Deferred(lambda _: world.factory.links.close_all())
        world = self.memory(on_connect=lambda link: answer)
        world.connect("alice").abort()
        self.assertEqual(world.calls.refusals, [("alice", ClientGone)])

    def test_broken_dialect(self) -> None:
        """A dialect that raises where it must not costs the client, and is logged."""

        class Broken:
            """Cannot say hello to a client."""

            def __init__(self, limits: Limits) -> None:
                self._plain: Any = handshake_of(dialects.int32(), limits)
                self.framing = self._plain.framing
                self.decode = self._plain.decode
                self._greeted = False
                self._is_repeaters = limits.max_frame < 2**31 - 1

            def encode(self, said: Hello) -> bytes:
                """The hello after the one to the server fails."""
                if self._is_repeaters and self._greeted:
                    raise ZeroDivisionError("broken")
                self._greeted = said.name == "alice"
                encoded: bytes = self._plain.encode(said)
                return encoded

        plain = dialects.int32()
        world = self.memory(dialect=Dialect(name="broken", framing=plain.framing, opening=dialects.hellos(Broken)))
        client = world.connect("alice")
        self.assertEqual(world.calls.refusals, [("alice", OpeningFailed)])
        self.assertIsNone(client.heard)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class HandshakeTests(MemoryCase):
    """TLS that does not come about."""

    def test_broken_handshake(self) -> None:
        """A client that does not speak TLS is refused; nobody hears of one that leaves within the handshake."""
        try:
            from OpenSSL import SSL
        except ImportError:
            raise SkipTest("pyOpenSSL is missing") from None
        world = self.memory()
        for args, told in (
            (([("SSL routines", "", "wrong version number")],), "the client does not speak TLS: wrong version number"),
            (([("SSL routines", "", "unknown ca")],), "the client's TLS handshake failed: unknown ca"),
            ((-1, "Unexpected EOF"), None),
            (([],), None),
        ):
            world.pair(world.connect(None)).client.connectionLost(Failure(SSL.Error(*args)))
            self.assertEqual(world.calls.refusals, [(None, InvalidHello)] if told else [])
            if told:
                self.assertEqual(str(world.calls.pop()[3]), told)

    def test_lost_in_the_handshake(self) -> None:
        """A connection that is lost before its handshake is done is told as that."""
        world = self.memory()
        connection = world.pair(world.connect(None)).client
        connection.heard = True
        connection.handshake = TLSHandshake(Side.CLIENT)
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(world.calls.refusals, [(None, ClientGone)])
        self.assertIn("before the TLS handshake was done", str(world.calls.refusal))


class BrokenAttemptTests(MemoryCase):
    """What ends an attempt from outside."""

    def test_server_leaves(self) -> None:
        """If the server leaves, it was not reached."""
        world = self.memory(answers=False)
        world.connect("alice")
        world.server["alice"].close()
        self.assertEqual(world.calls.refusals, [("alice", ServerUnreachable)])
        self.assertIsInstance(world.calls.refusal.__cause__, ConnectionDone)

    def test_ended_before_its_start(self) -> None:
        """A newcomer for which an older one is refused may find the repeater closed then: it is refused as well."""
        world: Any = None
        world = self.memory(
            limits=Limits(max_unfinished_hellos=1), on_connecting_error=lambda *_: world.factory.links.abort_all()
        )
        first, second = world.connect(None), world.connect(None)
        self.assertEqual(world.calls.refusals, [(None, HelloTimeout), (None, RepeaterClosed)])
        self.assertFalse(first.open or second.open)
