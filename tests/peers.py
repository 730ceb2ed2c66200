"""Clients and servers on real sockets that record what they see, and repeaters between them, also in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from twisted_repeater import Dialect, Disconnected, Limits, Repeater, Side, dialects
from twisted_repeater import testing as kit
from twisted_repeater._lane.frame_monitor import FrameMonitor
from twisted_repeater._link.defaults import end_link
from twisted_repeater._link.factory import RepeaterFactory
from twisted_repeater._link.pair import Pair
from twisted_repeater._sockets.connection_monitor import ConnectionMonitor
from twisted_repeater._types import Handshake
from twisted_repeater.dialects.hellos import Hellos
from twisted_repeater.model import effective
from twisted_repeater.testing import MemoryRepeater

__all__ = [
    "END",
    "LOST",
    "REPEATER_NAME",
    "SERVER_NAME",
    "Calls",
    "Client",
    "Peer",
    "PeerCase",
    "RecordingRepeater",
    "Seen",
    "Server",
    "ServerPeer",
    "Sockets",
    "StoppedTime",
    "World",
    "frame",
    "hello",
    "keep",
    "kept_by",
    "repeated",
    "set_limits",
    "turn",
]

reactor: Any = installed_reactor

SERVER_NAME = "quotes"
REPEATER_NAME = "edge-1"

END = "end of stream"
"""A peer saw that the other end has ended its stream. Only peers with ``half_close`` see this before `LOST`."""
LOST = "lost"
"""A peer saw that its connection was lost."""


def hellos_of(dialect: Dialect) -> Hellos:
    """Return the opening of a dialect with hellos."""
    assert isinstance(dialect.opening, Hellos)
    return dialect.opening


def handshake_of(dialect: Dialect, limits: Limits = Limits()) -> Handshake:
    """Return the reader and writer of a dialect's hellos."""
    return hellos_of(dialect).handshake(limits)


def frame(payload: bytes) -> bytes:
    """Make a frame."""
    return len(payload).to_bytes(4, "big") + payload


def hello(name: str, **members: Any) -> bytes:
    """Make a hello, as a whole frame."""
    return frame(json.dumps({"name": name, **members}).encode())


def repeated(name: str, **members: Any) -> dict[str, Any]:
    """Return the members of a hello that comes from the repeater."""
    stated = {"mode": "", "send_version": 1, "recv_version": 1, "credentials": REPEATER_NAME}
    return {"name": name, **stated, **members}


def turn(turns: int = 1) -> Deferred[None]:
    """Fire after so many turns of the reactor."""
    return Deferred.fromCoroutine(_turns(turns))


SHORTEST_TURN = 0.002
"""How long a turn lasts at least in which a test lets time pass, in seconds.

The system may hold bytes, or the end of a stream, for 40 milliseconds (Nagle's algorithm and a delayed acknowledgment),
or for 200 (it repeats what found no room). An idle turn takes a tenth of a millisecond: in that time a test would let a
minute pass, and every limit run out."""


def unhurried_turn() -> Deferred[None]:
    """Fire after a turn of the reactor, in which the system may do its part."""
    return deferLater(reactor, SHORTEST_TURN, lambda: None)


async def _turns(turns: int) -> None:
    for _ in range(turns):
        await deferLater(reactor, 0, lambda: None)


class StoppedTime:
    """The installed reactor, in which time passes only when a test says so."""

    def __init__(self) -> None:
        self.clock = Clock()

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return self.clock.seconds()

    def callLater(self, delay: float, *call: Any, **named: Any) -> Any:
        """See `IReactorTime`. A call for the next turn is left to the reactor."""
        return (self.clock if delay else reactor).callLater(delay, *call, **named)

    def deadlines(self) -> list[Any]:
        """Return the calls that wait for time to pass, without those that look at all links."""
        calls: Any = self.clock.getDelayedCalls()
        return [
            call
            for call in calls
            if not isinstance(getattr(call.func, "__self__", None), FrameMonitor | ConnectionMonitor)
        ]

    async def pass_turn(self, step: float) -> None:
        """Let so many seconds pass after a turn of the reactor."""
        await unhurried_turn()
        self.clock.advance(step)

    async def pass_until(
        self, happened: Deferred[Any], step: float = 0.05, progress: Callable[[], object] | None = None
    ) -> float:
        """Let so many seconds pass with each turn, until something has happened; return how long it took.

        With ``progress``, the time counts from the last change of what it returns: a busy system takes bytes, and the
        end of a stream, late.
        """
        start = self.seconds()
        before: object = None
        while not happened.called:
            await unhurried_turn()
            if progress is not None and not happened.called and (now := progress()) != before:
                start, before = self.seconds(), now
            self.clock.advance(step)
        await happened
        return self.seconds() - start


class Seen(list[Any]):
    """The things that were seen, in order. A test waits for more with `until`, and goes on in a turn of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def append(self, item: Any) -> None:
        """Add a thing that was seen."""
        super().append(item)
        if self._waiting:
            reactor.callLater(0, self._look)

    def _look(self) -> None:
        for entry in list(self._waiting):
            if entry[0]():
                self._waiting.remove(entry)
                entry[1].callback(None)

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fire when the condition holds. It is asked whenever something is added."""
        if condition():
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append((condition, done))
        return done

    def reach(self, number: int) -> Deferred[None]:
        """Fire when so many things were seen."""
        return self.until(lambda: len(self) >= number)

    def holds(self, item: Any) -> Deferred[None]:
        """Fire when this was seen."""
        return self.until(lambda: item in self)


class Calls(Seen):
    """The calls of the application's callbacks: the name and the arguments of each."""

    def recorded(self, callbacks: dict[str, Any]) -> dict[str, Any]:
        """Return callbacks for `Repeater.start` that record their calls. Missing ones are the defaults, without log."""
        defaults: dict[str, Any] = {"on_connect": keep, "on_error": end_link, "on_connecting_error": keep}
        return callbacks | {name: self._recorded(name, callbacks.get(name, defaults[name])) for name in defaults}

    def _recorded(self, name: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.append((name, *arguments))
            return callback(*arguments)

        return call

    @property
    def refusals(self) -> list[tuple[str | None, type]]:
        """The calls of ``on_connecting_error``, as the client's name and the type of the error."""
        return [(call[1], type(call[3])) for call in self if call[0] == "on_connecting_error"]

    @property
    def refusal(self) -> Any:
        """The error of the last refusal."""
        return [call[3] for call in self if call[0] == "on_connecting_error"][-1]

    @property
    def errors(self) -> list[Any]:
        """The calls of ``on_error``, as the client's name, the side and the error."""
        return [(call[1].client_name, *call[2:]) for call in self if call[0] == "on_error"]


class Peer(Int32StringReceiver):
    """One side of a connection: ``seen`` has the other's hello as a dict, then its messages, then `LOST`."""

    MAX_LENGTH = 1 << 30
    transport: Any
    greets = True
    """Whether the first frame that comes is a hello."""
    reason: BaseException | None = None
    """Why the connection was lost."""

    def __init__(self) -> None:
        self.seen = Seen()

    def stringReceived(self, string: bytes) -> None:
        """A frame came."""
        self.seen.append(json.loads(string) if self.greets and not self.seen else string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.reason = reason.value
        self.seen.append(LOST)

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.transport.write(data)

    def send(self, *payloads: bytes) -> None:
        """Send messages, in one write."""
        self.transport.write(b"".join(map(frame, payloads)))

    def lost(self) -> Deferred[None]:
        """Fire when the connection was lost."""
        return self.seen.holds(LOST)

    def close(self) -> None:
        """Close the connection, after all that was sent."""
        self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self.transport.abortConnection()

    def end_stream(self) -> None:
        """End the stream, and keep reading."""
        self.transport.loseWriteConnection()


@implementer(IHalfCloseableProtocol)
class HalfClosingPeer(Peer):
    """A peer that stays when the other has ended its stream, which it sees as `END`, unless it has ended its own."""

    has_ended = False

    def end_stream(self) -> None:
        """End the stream, and keep reading."""
        self.has_ended = True
        super().end_stream()

    def readConnectionLost(self) -> None:
        """The other end has ended its stream."""
        self.seen.append(END)
        if self.has_ended:
            self.close()

    def writeConnectionLost(self) -> None:
        """Our stream has ended."""


class Client(HalfClosingPeer):
    """A client. It sends ``first`` at once, ends its stream if ``ends``, and leaves when the other end has ended."""

    def __init__(self, first: bytes = b"", *, ends: bool = False, half_close: bool = False) -> None:
        super().__init__()
        self.first = first
        self.ends = ends
        self.half_close = half_close

    def connectionMade(self) -> None:
        """Send the first bytes."""
        self.address = self.transport.getHost()
        self.write(self.first)
        if self.ends:
            self.end_stream()

    def readConnectionLost(self) -> None:
        """The other end has ended its stream."""
        if self.half_close:
            super().readConnectionLost()
        else:
            self.close()


class ServerPeer(Peer):
    """A connection of a `Server`."""

    factory: Server

    def connectionMade(self) -> None:
        """Say hello, if the server does so before it reads the client's."""
        self.factory.peers.append(self)
        if self.factory.at_once:
            self.say_hello()

    @property
    def greeted_by(self) -> str | None:
        """The client's name, ``None`` before its hello was seen."""
        return self.seen[0]["name"] if self.seen and self.seen[0] != LOST else None

    def say_hello(self) -> None:
        """Send the server's hello."""
        self.write(self.factory.hello)

    def stringReceived(self, string: bytes) -> None:
        """Let the server answer a frame."""
        super().stringReceived(string)
        if len(self.seen) > 1:
            self.factory.answer(self, string)
        elif self.factory.when_greeted:
            self.say_hello()


class HalfClosingServerPeer(HalfClosingPeer, ServerPeer):
    """A connection of a server that stays when the other end has ended its stream."""


class Server(Factory):
    """A scripted server.

    It says ``hello`` (bytes as they are) ``at_once``, ``when_greeted``, or when a test calls `ServerPeer.say_hello`.
    ``answer`` is called with the peer and each message. ``peers`` has every connection that there was.
    """

    noisy = False

    def __init__(
        self,
        *,
        hello: bytes = hello(SERVER_NAME),
        at_once: bool = False,
        when_greeted: bool = True,
        half_close: bool = False,
        answer: Callable[[Any, bytes], object] = lambda peer, message: None,
    ) -> None:
        self.hello = hello
        self.at_once = at_once
        self.when_greeted = when_greeted and not at_once
        self.answer = answer
        self.protocol: Any = HalfClosingServerPeer if half_close else ServerPeer
        self.peers = Seen()


class Sockets:
    """The sockets of a world: TCP, on loopback."""

    def dialect(self) -> Dialect:
        """Return the dialect of a repeater that is told of none."""
        return dialects.int32()

    def listen(self, server: Server) -> Any:
        """Let the server listen; return its port."""
        return reactor.listenTCP(0, server, interface="127.0.0.1")

    def for_clients(self) -> dict[str, Any]:
        """Return the settings that make a repeater listen."""
        return {"listen": "tcp:0:interface=127.0.0.1"}

    def for_server(self, port: Any) -> dict[str, Any]:
        """Return the settings that make a repeater connect to the server's port."""
        return {"server_ip": "127.0.0.1", "server_port": port.getHost().port}

    def to(self, repeater: Repeater) -> Any:
        """Return the endpoint through which a client connects to a repeater."""
        return TCP4ClientEndpoint(reactor, "127.0.0.1", repeater.port)


class World:
    """A server, a repeater and clients, all on loopback, and what happened; `PeerCase.world` makes one.

    ``calls`` has every call of a callback of the application: its name and its arguments.
    """

    repeater: Repeater

    def __init__(self, case: TestCase, server: Server, sockets: Sockets) -> None:
        self.case = case
        self.server = server
        self.sockets = sockets
        self.server_port = sockets.listen(server)
        self.clients: list[Client] = []
        self.calls = Calls()

    async def create(self, **settings: Any) -> None:
        """Make the repeater, without starting it."""
        settings.setdefault("dialect", self.sockets.dialect())
        if (via := settings.pop("via", None)) is not None:
            settings["server"] = via
        else:
            settings = self.sockets.for_server(self.server_port) | settings
        if "listen_port" not in settings:
            settings = self.sockets.for_clients() | settings
        settings.setdefault("repeater_name", REPEATER_NAME)
        settings.setdefault("server_name", SERVER_NAME)
        settings.setdefault("is_client_allowed", lambda name: True)
        self.repeater = await Repeater.create(settings.pop("dialect"), **settings)

    def start(self, **callbacks: Any) -> None:
        """Start the repeater. Calls of callbacks are recorded; missing ones are the defaults, without the log."""
        self.repeater.start(**self.calls.recorded(callbacks))

    def set_limits(self, **limits: Any) -> None:
        """See `set_limits`."""
        set_limits(self.repeater, **limits)

    # -- events ----------------------------------------------------------------------------------------------

    @property
    def refusals(self) -> list[tuple[str | None, type]]:
        """See `Calls`."""
        return self.calls.refusals

    @property
    def refusal(self) -> Any:
        """See `Calls`."""
        return self.calls.refusal

    @property
    def errors(self) -> list[Any]:
        """See `Calls`."""
        return self.calls.errors

    @property
    def disconnections(self) -> dict[tuple[str, Side], tuple[type, bool]]:
        """The sides that are gone, as ``on_error`` heard: for each client's name and side the reason's type, and
        whether the side could be written to still. It must hear once of each.
        """
        heard: dict[tuple[str, Side], tuple[type, bool]] = {}
        for name, side, error in self.errors:
            if isinstance(error, Disconnected):
                self.case.assertNotIn((name, side), heard)
                heard[name, side] = (type(error.reason), error.half_closed)
        return heard

    async def disconnected(self, side: Side, name: str = "ann") -> Disconnected:
        """Wait until ``on_error`` hears that a side was lost; return that error."""
        await self.calls.until(lambda: (name, side) in self.disconnections)
        errors = [error for *where, error in self.errors if where == [name, side]]
        return next(error for error in errors if isinstance(error, Disconnected))

    def refused(self, number: int = 1) -> Deferred[None]:
        """Fire when so many clients were refused."""
        return self.calls.until(lambda: len(self.refusals) >= number)

    # -- clients ---------------------------------------------------------------------------------------------

    async def connect(self, first: bytes = b"", *, endpoint: Any = None, **behaviour: Any) -> Client:
        """Connect a client, which sends ``first`` at once; the other arguments are those of `Client`."""
        client = Client(first, **behaviour)
        self.clients.append(client)
        where: IStreamClientEndpoint = endpoint or self.sockets.to(self.repeater)
        await where.connect(Factory.forProtocol(lambda: client))
        return client

    async def until_accepted(self, *, heard: bool = False) -> None:
        """Wait until the last client is accepted, and if ``heard`` until bytes came from it."""
        port = self.clients[-1].address.port
        links = self.repeater._factory.links
        while not any(link.client.address.port == port and link.client.heard >= heard for link in links):
            await turn()

    async def linked(self, name: str, **behaviour: Any) -> tuple[Client, ServerPeer]:
        """Connect a client and see it linked; return the client and the server's connection."""
        before = len(self.server.peers)
        client = await self.connect(hello(name), **behaviour)
        await client.seen.reach(1)
        self.case.assertEqual(client.seen, [repeated(self.server_name)])
        (peer,) = [peer for peer in self.server.peers[before:] if peer.greeted_by == name]
        return client, peer

    @property
    def server_name(self) -> str:
        """The name of the server."""
        return self.repeater._factory.settings.server_name

    async def still_relays(self, client: Client, peer: ServerPeer) -> None:
        """Check that a link works, both ways."""
        seen_by_server, seen_by_client = len(peer.seen), len(client.seen)
        client.send(b"there?")
        await peer.seen.reach(seen_by_server + 1)
        peer.send(b"here")
        await client.seen.reach(seen_by_client + 1)
        self.case.assertEqual((peer.seen[-1], client.seen[-1]), (b"there?", b"here"))

    # -- the end ---------------------------------------------------------------------------------------------

    async def tear_down(self) -> None:
        """Shut everything down, and see that the repeater keeps nothing."""
        await maybeDeferred(self.server_port.stopListening)
        for peer in [*self.clients, *self.server.peers]:
            if peer.connected and LOST not in peer.seen:
                peer.abort()
                await peer.lost()
        if hasattr(self, "repeater"):
            await self.repeater.shutdown()
            self.check_nothing_is_left()

    def check_nothing_is_left(self) -> None:
        """Check that the repeater has forgotten every link."""
        self.case.assertEqual(kept_by(self.repeater._factory), {})


def set_limits(repeater: Repeater, **limits: Any) -> None:
    """Set other limits for what begins from now on; those that are not given are the defaults."""
    factory = repeater._factory
    factory.claim.limits = factory.links.limits = effective(Limits(**limits))


def kept_by(factory: RepeaterFactory) -> dict[str, list[Any]]:
    """Return everything that a factory keeps of its links and attempts."""
    registries = {name: getattr(factory.links, name) for name in ("_pairs", "_attempts")}
    admission = ("_attempts", "_unfinished", "_placed", "_silent", "_waiting")
    registries |= {f"admission.{name}": getattr(factory.admission, name) for name in admission}
    names = ("_claimed", "_shared", "_labels", "_newcomers")
    registries |= {f"names.{name}": getattr(factory.admission.names, name) for name in names}
    registries["identifications"] = factory.admission._identifications._under_way
    watch = factory.frame_monitor
    registries |= {"unfinished frames": watch._watched, "bytes of theirs": [watch.size] * bool(watch.size)}
    return {name: list(registry) for name, registry in registries.items() if registry}


class RecordingRepeater(MemoryRepeater):
    """The test kit's repeater in memory, with the calls of its callbacks, and the repeater's own objects.

    With ``answers=False`` its server says hello only in `answer`. A link that has lost a side stays, unless
    ``on_error`` ends it.
    """

    def __init__(self, dialect: Dialect | None = None, *, answers: bool = True, **options: Any) -> None:
        self.calls = Calls()
        self._pairs: dict[Any, Pair] = {}
        defaults: dict[str, Any] = {"repeater_name": REPEATER_NAME, "convert_versions": True, "on_error": keep}
        super().__init__(dialect, server_name=SERVER_NAME, **defaults | options)
        self.server_hello = self.server.hello
        if not answers:
            self.server.hello = None

    def _start_repeater(self, repeater: Repeater) -> None:
        self.factory = repeater._factory
        self._build = self.factory.buildProtocol
        self.factory.buildProtocol = self._accept  # type: ignore[method-assign,assignment]
        self._start_options = self.calls.recorded(self._start_options)
        super()._start_repeater(repeater)

    def _accept(self, address: Any) -> Any:
        protocol: Any = self._build(address)
        if protocol is not None:
            self._pairs[address] = protocol.link
        return protocol

    def deliver(self) -> None:
        """Let bytes arrive that are under way, but make no call that waits for its turn of the reactor."""
        while self.network._turn():
            pass

    def pair(self, client: kit.Peer) -> Any:
        """Return the repeater's two connections of a client."""
        return self._pairs[client.transport.getHost()]  # type: ignore[union-attr]

    def say(self, client: kit.Peer, name: str, **members: Any) -> None:
        """Let a client that has said nothing say hello."""
        own = self._hello(name, Side.CLIENT)
        assert own is not None
        client.say_hello(replace(own, **members))

    def answer(self, **members: Any) -> None:
        """Let the server say hello on its last connection."""
        assert self.server_hello is not None
        self.server.connections[-1].say_hello(replace(self.server_hello, **members))

    def linked(self, name: str, **members: Any) -> tuple[Any, Any]:
        """Link a client; return its peer and the server's."""
        client = self.connect(name, **members)
        if self.server.hello is None:
            self.answer()
        assert self.pair(client).made, self.calls
        return client, self.server[name]


def keep(*arguments: Any) -> None:
    """A callback that does nothing; as ``on_error`` it leaves links as they are."""


class PeerCase(TestCase):
    """A test case with a world of peers."""

    timeout: float = 60
    sockets = Sockets()

    async def world(self, *, server: Server | None = None, start: bool = True, **settings: Any) -> World:
        """Make a world, which is torn down at the end of the test.

        Settings that are arguments of `Repeater.start` go there, the others to `Repeater.create`; ``via`` is an
        endpoint through which the repeater reaches the server.
        """
        world = World(self, server or Server(), self.sockets)
        self.addCleanup(lambda: Deferred.fromCoroutine(world.tear_down()))
        names = set(Repeater.start.__kwdefaults__ or ())
        callbacks = {name: settings.pop(name) for name in names & set(settings)}
        await world.create(**settings)
        if start:
            world.start(**callbacks)
        return world
