"""The factory: who is accepted, who waits, the registry of names, and the calls to the application."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.logger import capturedLogs, eventAsText, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater import (
    DO_NOTHING,
    LEFT_OUT,
    PASS_ON,
    Direction,
    IFilter,
    IObserver,
    Limits,
    MessageType,
    OnFilterError,
    Send,
    Side,
    dialects,
)
from twisted_repeater._link.factory import RepeaterFactory
from twisted_repeater._link.outlet import MAX_POSTPONED
from twisted_repeater._link.pair import Pair
from twisted_repeater._slices import SLICE
from twisted_repeater._sockets.valve import Valve
from twisted_repeater._text import Unprintable
from twisted_repeater.dialects import Conversion
from twisted_repeater.errors import (
    CallbackFailed,
    ClientGone,
    ClientIPNotAuthorized,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    HelloTimeout,
    InvalidHello,
    MarshalingError,
    NewClientsDropped,
    RefusedByApplication,
    RepeaterClosed,
    ServerUnreachable,
    TooManyClients,
)
from twisted_repeater.filters import wants
from twisted_repeater.selectors import first_byte

from ..peers import (
    LOST,
    SERVER_NAME,
    Client,
    MemoryWorld,
    PeerCase,
    connect_in_memory,
    frame,
    hello,
    kept_by,
    repeated,
    turn,
)
from ..unprintable import UNPRINTABLE, BrokenBool, BrokenVerdict, Mute


@implementer(IObserver)
class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def link_made(self, link: Any) -> None:
        """See `IObserver`."""
        self.told.append(("made", link.client_name))

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        self.told.append(("refused", client_name, type(error)))

    def link_ended(self, link: Any, reason: BaseException | None) -> None:
        """See `IObserver`."""
        self.told.append(("ended", link.client_name, type(reason)))

    def link_error(self, link: Any, side: Side, error: Exception) -> None:
        """See `IObserver`."""
        self.told.append(("error", link.client_name, side, type(error)))

    def relayed(self, link: Any, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`."""
        self.told.append(("relayed", link.client_name, direction, messages, size))


class UnprintableObserver(Observer):
    """An observer that cannot be printed."""

    def __repr__(self) -> str:
        raise Mute


class MemoryCase(PeerCase):
    """Tests in memory, of which nothing must be left."""

    def setUp(self) -> None:
        """Look at the end whether anything is left."""
        self.worlds: list[MemoryWorld] = []
        self.addCleanup(self.check)

    def memory(self, **settings: Any) -> MemoryWorld:
        """Make a world in memory."""
        self.worlds.append(MemoryWorld(**settings))
        return self.worlds[-1]

    def check(self) -> None:
        """Nothing is left, and nothing waits."""
        for world in self.worlds:
            self.successResultOf(world.factory.close_all())
            self.assertEqual((kept_by(world.factory), world.clock.getDelayedCalls()), ({}, []))

    def linked(self, world: MemoryWorld, name: str) -> tuple[Any, Any]:
        """Link a client: gives the repeater's protocols of both sides, to which nothing but hellos was written."""
        client = world.connect(hello(name))
        server = world.servers[-1]
        server.dataReceived(hello(SERVER_NAME))
        self.assertTrue(client.link.made)
        client.transport.clear()
        server.transport.clear()
        return client, server


class NewcomerTests(PeerCase):
    """Step 1: a connection is accepted, or not."""

    async def test_before_start(self) -> None:
        """Until the repeater is started, connections are accepted and closed at once; nobody is told."""
        world = await self.world(start=False)
        client = await world.connect(hello("alice"))
        await client.lost()
        self.assertEqual((client.seen, world.calls, world.server.peers), ([LOST], [], []))
        world.start()
        await world.linked("alice")

    async def test_address_not_authorized(self) -> None:
        """A client from an address that isn't authorized is closed at once, whatever it has to say."""
        asked: list[str] = []
        answers = [True, False, True]

        def is_client_ip_authorized(ip: str) -> bool:
            asked.append(ip)
            return answers.pop(0)

        world = await self.world(is_client_ip_authorized=is_client_ip_authorized)
        bystander = await world.linked("bystander")
        client = await world.connect(hello("alice"))
        await client.lost()
        self.assertEqual((client.seen, asked), ([LOST], ["127.0.0.1"] * 2))
        await world.refused()
        self.assertEqual(world.refusals, [(None, ClientIPNotAuthorized)])
        self.assertIn("127.0.0.1", str(world.refusal))
        self.assertEqual(world.refusal.client_address.port, client.address.port)
        self.assertEqual(len(world.server.peers), 1)
        await world.still_relays(*bystander)
        await world.linked("alice")

    async def test_asking_for_the_address_fails(self) -> None:
        """Whatever asking raises refuses the client, and so does an answer that is still to come."""
        answers: list[Callable[[], Any]] = [
            lambda: 1 / 0,
            lambda: exec("raise SystemExit"),
            lambda: succeed(True),
            lambda: raises(Mute),
            BrokenBool,
            lambda: True,
        ]
        world = await self.world(is_client_ip_authorized=lambda ip: answers.pop(0)())
        for cause in (ZeroDivisionError, SystemExit, TypeError, Mute, Mute):
            client = await world.connect(hello("alice"))
            await client.lost()
            self.assertEqual(client.seen, [LOST])
            self.assertEqual(world.refusals[-1], (None, RefusedByApplication))
            self.assertIsInstance(world.refusal.__cause__, cause)
        self.assertEqual((len(world.refusals), world.server.peers), (5, []))
        await world.linked("alice")

    async def test_dropping(self) -> None:
        """While new clients are dropped they are closed at once; links stay, and newcomers are accepted again after."""
        world = await self.world()
        bystander = await world.linked("bystander")
        world.repeater.drop_new_clients()
        client = await world.connect(hello("alice"))
        await client.lost()
        await world.refused()
        self.assertEqual((client.seen, world.refusals), ([LOST], [(None, NewClientsDropped)]))
        self.assertEqual(len(world.server.peers), 1)
        await world.still_relays(*bystander)
        world.repeater.accept_new_clients()
        await world.linked("alice")

    async def test_behind_a_wrapper(self) -> None:
        """Behind a factory that wraps ours, such as that of TLS, they are closed at once as well."""
        world = await self.world(start=False, listen="haproxy:tcp:0:interface=127.0.0.1")
        greeting = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 9000\r\n" + hello("alice")
        silent, client = await world.connect(), await world.connect(greeting)
        await silent.lost()
        await client.lost()
        self.assertEqual((client.seen, world.calls), ([LOST], []))
        world.start()
        world.repeater.drop_new_clients()
        client = await world.connect(greeting)
        await client.lost()
        await world.refused()
        self.assertEqual((client.seen, world.refusals), ([LOST], [(None, NewClientsDropped)]))
        world.repeater.accept_new_clients()
        client = await world.connect(greeting)
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])
        await (await world.connect(hello("bob"))).lost()
        self.assertEqual(world.refusals[1:], [(None, InvalidHello)])

    async def test_on_its_way_when_dropping_begins(self) -> None:
        """A client that was accepted before is linked yet."""
        world = await self.world()
        client = await world.connect()
        await world.until_accepted()
        world.repeater.drop_new_clients()
        client.write(hello("alice"))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])


class AddressTests(MemoryCase):
    """What is asked about a newcomer."""

    def test_order(self) -> None:
        """The address is looked at first, then whether newcomers are dropped."""
        world = self.memory(is_client_ip_authorized=lambda ip: ip == "127.0.0.1")
        world.factory.dropping = True
        self.assertIsNone(world.connect(address=IPv4Address("TCP", "192.0.2.1", 1)))
        self.assertIsNone(world.connect())
        self.assertEqual(world.refusals, [(None, ClientIPNotAuthorized), (None, NewClientsDropped)])

    def test_no_ip(self) -> None:
        """A client without an IP address, on a Unix socket, is asked about as the empty string."""
        asked: list[str] = []
        world = self.memory(is_client_ip_authorized=asked.append)
        self.assertIsNone(world.connect(address=UNIXAddress(b"/run/clients")))
        self.assertEqual(asked, [""])
        self.assertIn("/run/clients", str(world.calls[0][3]))

    def test_interrupted(self) -> None:
        """Ctrl-C while it is asked goes through."""
        world = self.memory(is_client_ip_authorized=lambda ip: raises(KeyboardInterrupt))
        self.assertRaises(KeyboardInterrupt, world.connect)
        self.assertEqual(world.refusals, [])

    def test_shut_down_by_the_callback(self) -> None:
        """If asking about the address shuts the repeater down, the newcomer is refused."""
        world: Any = None
        world = self.memory(is_client_ip_authorized=lambda ip: world.factory.close_all() and True)
        world.factory.is_client_ip_authorized = lambda ip: bool(world.factory.close_all())
        self.assertIsNone(world.connect())
        self.assertEqual(world.refusals, [(None, RepeaterClosed)])
        self.assertIsNone(world.connect())
        self.assertEqual(len(world.refusals), 1)

    def test_broken_handshake(self) -> None:
        """Who speaks no TLS where it is expected, or takes no part in it, is refused; who leaves before is no event."""
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
            world.connect().connectionLost(Failure(SSL.Error(*args)))
            self.assertEqual(world.refusals, [(None, InvalidHello)] if told else [])
            if told:
                self.assertEqual(str(world.calls.pop()[3]), told)

    def test_unsayable_names(self) -> None:
        """Names that fit into no hello are an error at once, not at the first client."""
        for names in ({"repeater_name": "x" * 70_000}, {"server_name": "x" * 70_000}):
            self.assertRaises(InvalidHello, self.factory, **names)
        self.assertRaises(TypeError, self.factory, repeater_name=b"edge")

    @staticmethod
    def factory(**names: Any) -> RepeaterFactory:
        """Make a factory with these names."""
        return RepeaterFactory(
            dialects.int32(),
            **{"repeater_name": "edge", "server_name": "quotes", **names},
            is_client_allowed=lambda name: True,
            is_client_ip_authorized=None,
            dial=lambda link: Deferred(),
            limits=Limits(),
            clock=None,  # type: ignore[arg-type]
            observers=(),
        )


class UnfinishedHelloTests(MemoryCase):
    """Connections without a complete hello have a limit of their own."""

    def test_oldest_goes(self) -> None:
        """Past the limit the connection that waits longest is closed; one byte of a hello doesn't save it."""
        world = self.memory(limits=Limits(max_unfinished_hellos=2))
        first, second, third = world.connect(b"\0"), world.connect(), world.connect()
        self.assertEqual([client.transport.connected for client in (first, second, third)], [False, True, True])
        self.assertEqual(world.refusals, [(None, HelloTimeout)])
        world.connect()
        self.assertFalse(second.transport.connected)

    def test_silence_keeps_nobody_out(self) -> None:
        """Any number of silent connections keeps no client out, nor a place or a link."""
        asked: list[Deferred[bool]] = []

        def is_client_allowed(name: str) -> Any:
            asked.append(Deferred())
            return asked[-1] if name == "waits" else True

        world = self.memory(limits=Limits(max_clients=3), is_client_allowed=is_client_allowed)
        linked, _ = self.linked(world, "alice")
        waits = world.connect(hello("waits"))
        silent = [world.connect() for _ in range(1000)]
        self.assertEqual(sum(client.transport.connected for client in silent), 500)
        self.linked(world, "bob")
        self.assertTrue(linked.transport.connected)
        asked[1].callback(True)
        world.servers[-1].dataReceived(hello(SERVER_NAME))
        self.assertTrue(waits.link.made)
        self.assertEqual(set(world.refusals), {(None, HelloTimeout)})
        world.clock.advance(10)
        self.assertEqual((len(world.refusals), len(world.factory.links)), (1000, 3))

    def test_other_limits(self) -> None:
        """How many there may be can change while the repeater runs."""
        world = self.memory(limits=Limits(max_unfinished_hellos=5))
        world.factory.set_limits(Limits(max_unfinished_hellos=2))
        silent = [world.connect() for _ in range(4)]
        self.assertEqual([client.transport.connected for client in silent], [False, False, True, True])

    async def test_silence_on_sockets(self) -> None:
        """The same on real connections."""
        world = await self.world(limits=Limits(max_unfinished_hellos=20, max_clients=5))
        silent = [await world.connect() for _ in range(60)]
        client, peer = await world.linked("alice")
        await silent[40].lost()
        await world.still_relays(client, peer)
        self.assertEqual([client.seen for client in silent], [[LOST]] * 41 + [[]] * 19)
        self.assertEqual(world.refusals, [(None, HelloTimeout)] * 41)


class PlaceTests(MemoryCase):
    """So many clients, and not more."""

    async def test_listen_queue(self) -> None:
        """At the limit the repeater accepts nobody: newcomers wait in the listen queue, and get their turn in order."""
        world = await self.world(limits=Limits(max_clients=2))
        alice, _ = await world.linked("alice")
        bob, _ = await world.linked("bob")
        waiting = [await world.connect(hello(name)) for name in ("carol", "dave")]
        self.assertEqual(len(world.repeater.links()), 2)
        await turn(10)
        self.assertEqual(len(world.repeater._factory.links), 2)
        self.assertEqual(([client.seen for client in waiting], world.refusals), ([[], []], []))
        alice.close()
        await waiting[0].seen.reach(1)
        self.assertEqual(waiting[1].seen, [])
        bob.close()
        await waiting[1].seen.reach(1)
        self.assertEqual(sorted(world.repeater.active_clients()), ["carol", "dave"])
        self.assertEqual(world.refusals, [])

    async def test_gone_from_the_queue(self) -> None:
        """A newcomer that leaves the listen queue is no trouble."""
        world = await self.world(limits=Limits(max_clients=1))
        alice, _ = await world.linked("alice")
        for leave in (Client.close, Client.abort):
            leave(await world.connect(hello("impatient")))
        alice.close()
        await world.linked("bob")

    def test_accepted_already(self) -> None:
        """Clients that were accepted before the limit was reached, and say hello then, wait for their turn."""
        world = self.memory(limits=Limits(max_clients=1))
        early = [world.connect(), world.connect()]
        alice, _ = self.linked(world, "alice")
        for client, name in zip(early, ("bob", "carol"), strict=True):
            client.dataReceived(hello(name) + frame(b"early"))
        self.assertEqual(len(world.servers), 1)
        alice.link.close()
        self.assertEqual([server.link.client_name for server in world.servers], ["alice", "bob"])
        world.servers[1].dataReceived(hello(SERVER_NAME))
        self.assertTrue(early[0].link.made)
        early[0].link.close()
        self.assertEqual(world.servers[2].link.client_name, "carol")
        self.assertEqual(world.refusals, [])

    def test_no_place_in_time(self) -> None:
        """It waits no longer than the hello timeout, which began when it connected, and nobody is dialled."""
        world = self.memory(limits=Limits(max_clients=1))
        late = world.connect()
        self.linked(world, "alice")
        world.clock.advance(6)
        late.dataReceived(hello("bob"))
        world.clock.advance(3.9)
        self.assertEqual(world.refusals, [])
        world.clock.advance(0.1)
        self.assertEqual(world.refusals, [("bob", TooManyClients)])
        self.assertEqual((len(world.servers), late.transport.value()), (1, b""))

    def test_left_while_waiting(self) -> None:
        """One that leaves while it waits is skipped."""
        world = self.memory(limits=Limits(max_clients=1))
        first, second = world.connect(), world.connect()
        alice, _ = self.linked(world, "alice")
        first.dataReceived(hello("bob"))
        second.dataReceived(hello("carol"))
        first.transport.loseConnection()
        self.assertEqual(world.refusals, [("bob", ClientGone)])
        alice.link.close()
        self.assertEqual(world.servers[-1].link.client_name, "carol")

    def test_refused_clients_free_their_place(self) -> None:
        """A client that is refused behind its hello gives its place back."""
        world = self.memory(limits=Limits(max_clients=1), is_client_allowed=lambda name: name != "mallory")
        for _ in range(3):
            world.connect(hello("mallory"))
        self.linked(world, "alice")

    def test_accepting_stops_and_goes_on(self) -> None:
        """The port is paused while every place is taken, also by attempts, and not a moment longer."""
        world = self.memory(limits=Limits(max_clients=2))
        valve = world.factory.places.port_valve = Valve(connect_in_memory(_Nobody()))
        alice, _ = self.linked(world, "alice")
        self.assertFalse(valve.closed)
        bob = world.connect(hello("bob"))
        self.assertTrue(valve.closed)
        bob.transport.loseConnection()
        self.assertFalse(valve.closed)
        bob, _ = self.linked(world, "bob")
        self.assertTrue(valve.closed)
        alice.link.close()
        self.assertFalse(valve.closed)


class NameTests(MemoryCase):
    """The registry of names."""

    def test_taken(self) -> None:
        """A name is taken from the hello on until both connections are gone."""
        world = self.memory()
        alice = world.connect(hello("alice"))
        world.connect(hello("alice"))
        self.assertEqual(world.refusals, [("alice", DuplicateClient)])
        (server,) = world.servers
        server.dataReceived(hello(SERVER_NAME))
        alice.transport.loseConnection()
        world.connect(hello("alice"))
        self.assertEqual(world.refusals, [("alice", DuplicateClient)] * 2)
        server.transport.loseConnection()
        self.linked(world, "alice")

    def test_waits_for_a_link_that_ends(self) -> None:
        """A newcomer waits for a link of its name that is ending; of several the first gets the name."""
        world = self.memory()
        alice, _ = self.linked(world, "alice")
        alice.transport.loseConnection = lambda: None  # it takes its time
        alice.link.close()
        first, second, third = (world.connect(hello("alice")) for _ in range(3))
        self.assertEqual((len(world.servers), world.refusals), (1, []))
        third.transport.loseConnection()
        alice.connectionLost()
        self.assertEqual(world.servers[1].link, first.link)
        self.assertEqual(world.refusals, [("alice", ClientGone), ("alice", DuplicateClient)])
        self.assertFalse(second.transport.connected)

    def test_in_time(self) -> None:
        """It doesn't wait beyond its hello timeout."""
        world = self.memory()
        alice, _ = self.linked(world, "alice")
        alice.transport.loseConnection = lambda: None
        alice.transport.abortConnection = lambda: None
        alice.link.close()
        late = world.connect()
        world.clock.advance(9)
        late.dataReceived(hello("alice"))
        world.clock.advance(1)
        self.assertEqual(world.refusals, [("alice", DuplicateClient)])
        alice.connectionLost()


class _Nobody:
    """A protocol that is not interested."""

    def makeConnection(self, transport: Any) -> None:
        """See `IProtocol`."""

    def connectionLost(self, reason: Any) -> None:
        """See `IProtocol`."""


class ObserverTests(MemoryCase):
    """What observers are told."""

    def test_everything(self) -> None:
        """They are told of links made, refused and ended, of errors and of what is relayed, as it happens."""
        observer = Observer()
        verifyObject(IObserver, observer)
        world = self.memory(observers=(observer,))
        client = world.connect(hello("alice") + frame(b"one") + frame(b"three"))
        world.connect(hello("alice"))
        server = world.servers[0]
        server.dataReceived(hello(SERVER_NAME))
        server.dataReceived(frame(b"four")[:-1])
        server.dataReceived(frame(b"four")[-1:])
        client.transport.loseConnection()
        client.link.close(ValueError("that is enough"))
        self.assertEqual(
            observer.told,
            [
                ("refused", "alice", DuplicateClient),
                ("made", "alice"),
                ("relayed", "alice", Direction.TO_SERVER, 2, 16),
                ("relayed", "alice", Direction.TO_CLIENT, 1, 8),
                ("error", "alice", Side.CLIENT, Disconnected),
                ("error", "alice", Side.SERVER, Disconnected),
                ("ended", "alice", Disconnected),
            ],
        )

    def test_none_for_an_attempt(self) -> None:
        """A link that was never made does not end."""
        observer = Observer()
        world = self.memory(observers=(observer,))
        world.connect(hello("alice")).transport.loseConnection()
        world.connect().transport.loseConnection()
        self.assertEqual(observer.told, [("refused", "alice", ClientGone)])

    def test_raising(self) -> None:
        """One that raises is logged; the others are told, and everything goes on."""
        observer = Observer()
        world = self.memory(observers=(object(), observer))
        client, server = self.linked(world, "alice")
        client.dataReceived(frame(b"one"))
        self.assertEqual(server.transport.value(), frame(b"one"))
        self.check()
        self.assertEqual([told[0] for told in observer.told], ["made", "relayed", "error", "error", "ended"])
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 5)

    def test_raising_often(self) -> None:
        """One that raises whenever a client comes fills no disk: some are logged at once, then one a second."""
        world = self.memory(observers=(object(),), is_client_allowed=lambda name: False)
        with capturedLogs() as captured:
            for _ in range(500):
                world.connect(hello("alice"))
            world.clock.advance(1)
            world.connect(hello("alice"))
        self.assertEqual(
            [formatEvent(event) for event in captured],
            [told := "object raised in link_refused"] * 10 + [f"{told} (and 490 more since the last such line)"],
        )
        self.flushLoggedErrors(AttributeError)

    def test_raising_badly(self) -> None:
        """It may raise no ``Exception``, or one that cannot be printed, or have no ``repr``; Ctrl-C goes through."""
        mute = Observer()
        mute.link_made = lambda link: raises(Mute)  # type: ignore[method-assign]
        exiting = UnprintableObserver()
        exiting.link_made = lambda link: raises(SystemExit)  # type: ignore[method-assign]
        last = Observer()
        world = self.memory(observers=(mute, exiting, last))
        self.linked(world, "alice")
        self.assertEqual(last.told, [("made", "alice")])
        self.assertEqual(len(self.flushLoggedErrors(Unprintable)), 1)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        last.link_made = lambda link: raises(KeyboardInterrupt)  # type: ignore[method-assign]
        self.assertRaises(KeyboardInterrupt, world.factory.link_made, None)
        self.flushLoggedErrors()

    def test_closing_when_made(self) -> None:
        """A link that is closed as soon as it is made delivers what came behind the hello, and then ends."""
        observer = Observer()
        observer.link_made = lambda link: link.close()  # type: ignore[method-assign]
        world = self.memory(observers=(observer,))
        client = world.connect(hello("alice") + frame(b"one"))
        server = world.servers[0]
        server.dataReceived(hello(SERVER_NAME))
        self.assertTrue(server.transport.value().endswith(frame(b"one")))
        self.assertFalse(client.transport.connected or server.transport.connected)
        self.assertEqual(observer.told[-1], ("ended", "alice", type(None)))


class CallbackTests(MemoryCase):
    """The application's callbacks."""

    def test_raising_often(self) -> None:
        """One that raises for each client fills no disk, neither at once nor after its client has left."""

        def not_allowed(name: str) -> Any:
            later: Deferred[bool] = Deferred(lambda _: later.errback(ZeroDivisionError()))
            return later

        world = self.memory(is_client_allowed=not_allowed)
        world.factory.callbacks.on_connecting_error = lambda name, server_name, error: 1 / 0  # type: ignore[union-attr]
        with capturedLogs() as captured:
            for _ in range(500):
                world.connect(hello("alice")).transport.loseConnection()
        self.assertEqual(
            sorted(formatEvent(event) for event in captured),
            ["a callback failed while an attempt was given up"] * 10 + ["on_connecting_error raised"] * 10,
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, RefusedByApplication)), 20)

    def test_on_error_raises(self) -> None:
        """If ``on_error`` raises, at once or later, that is logged and the link is closed."""

        async def fails(*arguments: Any) -> None:
            raise ZeroDivisionError

        later: Deferred[None] = Deferred()
        answers: list[Callable[..., Any]] = [
            lambda *_: 1 / 0,
            lambda *_: fail(ZeroDivisionError()),
            fails,
            lambda *_: later,
        ]
        for answer in answers:
            world = self.memory()
            once = [answer]
            assert world.factory.callbacks is not None
            world.factory.callbacks.on_error = lambda *told, once=once: once.pop()(*told) if once else None
            client, server = self.linked(world, "alice")
            client.transport.loseConnection()
            if answer is answers[-1]:
                self.assertTrue(server.transport.connected)
                later.errback(ZeroDivisionError())
            self.assertFalse(server.transport.connected)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_on_connecting_error_raises(self) -> None:
        """If ``on_connecting_error`` raises, that is logged, and nothing else is different."""
        world = self.memory()
        world.factory.callbacks.on_connecting_error = lambda *arguments: 1 / 0  # type: ignore[union-attr]
        client = world.connect(b"\xff" * 4)
        self.assertFalse(client.transport.connected)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.linked(world, "alice")

    def test_what_on_connecting_error_gets(self) -> None:
        """It gets the client's name, the server's, and an error that knows where the client came from."""
        world = self.memory(is_client_allowed=lambda name: False)
        world.connect(hello("alice"))
        ((_, name, server_name, error),) = world.calls
        self.assertEqual((name, server_name), ("alice", SERVER_NAME))
        self.assertEqual(error.client_address, IPv4Address("TCP", "127.0.0.1", 4711))

    def test_errors_know_their_side(self) -> None:
        """The error that ``on_error`` gets says on which side the trouble is, too."""
        world = self.memory()
        client, server = self.linked(world, "alice")
        server.transport.loseConnection()
        client.transport.loseConnection()
        self.assertEqual(
            [(side, error.side) for _, _, side, error in world.calls],
            [(side, side) for side in (Side.SERVER, Side.CLIENT)],
        )


class BrokenAttemptTests(MemoryCase):
    """What ends an attempt from outside."""

    def test_server_leaves(self) -> None:
        """If the server leaves, it was not reached."""
        world = self.memory()
        world.connect(hello("alice"))
        world.servers[0].transport.loseConnection()
        self.assertEqual(world.refusals, [("alice", ServerUnreachable)])
        self.assertIsInstance(world.calls[0][3].__cause__, ConnectionDone)

    def test_closed_by_the_application(self) -> None:
        """If the application closes the link before it is made, it is the application that refused the client."""
        links: list[Any] = []

        def on_connect(link: Any) -> Deferred[None]:
            links.append(link)
            return Deferred()

        world = self.memory(on_connect=on_connect)
        client = world.connect(hello("alice"))
        world.servers[0].dataReceived(hello(SERVER_NAME))
        links[0].close()
        self.assertEqual(world.refusals, [("alice", RefusedByApplication)])
        self.assertEqual(client.transport.value(), b"")

    def test_bug(self) -> None:
        """An error that nobody thought of costs the client its attempt, and is logged."""

        world = self.memory(dial=lambda link: succeed("no connection"))
        world.connect(hello("alice"))
        self.assertEqual(world.refusals, [("alice", RefusedByApplication)])
        self.assertIn("AttributeError", str(world.calls[0][3]))
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class BrokenLinkTests(MemoryCase):
    """What nobody thought of, on a link that was made."""

    def test_closed(self) -> None:
        """A link that fails as it begins to relay is logged and closed, both sides; others are not."""

        world = self.memory()
        bystander, bystander_server = self.linked(world, "bystander")
        self.patch(world.factory, "link_made", lambda link: 1 // 0)
        client = world.connect(hello("alice") + frame(b"one"))
        server = world.servers[-1]
        server.dataReceived(hello(SERVER_NAME))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        world.clock.advance(5)
        self.assertFalse(client.transport.connected or server.transport.connected)
        bystander.dataReceived(frame(b"two"))
        self.assertEqual(bystander_server.transport.value(), frame(b"two"))


class FilterTests(MemoryCase):
    """Filters, as far as the factory has to do with them."""

    def test_both_directions(self) -> None:
        """Each direction has its own."""
        world = self.memory(
            to_server_filter=lambda message, link: Send(b"to server: " + message),
            to_client_filter=lambda message, link: Send(b"to client: " + message),
        )
        client, server = self.linked(world, "alice")
        client.dataReceived(frame(b"one"))
        server.dataReceived(frame(b"two"))
        self.assertEqual(server.transport.value(), frame(b"to server: one"))
        self.assertEqual(client.transport.value(), frame(b"to client: two"))

    def test_selector(self) -> None:
        """What a filter says that it wants to see is all that it is shown."""
        seen: list[bytes] = []

        @wants(first_byte(b"a"))
        def to_server(message: bytes, link: Any) -> Any:
            seen.append(message)
            return DO_NOTHING

        world = self.memory(to_server_filter=to_server)
        client, server = self.linked(world, "alice")
        client.dataReceived(frame(b"ab") + frame(b"ba") + frame(b"aa"))
        self.assertEqual((seen, server.transport.value()), ([b"ab", b"aa"], frame(b"ba")))

    def test_no_filter(self) -> None:
        """What is no filter is an error at once, in either direction; nothing and a function are filters."""
        world = self.memory()
        for direction in Direction:
            self.assertRaises(TypeError, world.factory.equipment.check_filter, 7, direction)
            world.factory.equipment.check_filter(None, direction)
            world.factory.equipment.check_filter(raises_on_bad, direction)

    def test_replaced(self) -> None:
        """Other filters take over on links that there are; what is not replaced stays."""
        world = self.memory(to_server_filter=lambda message, link: DO_NOTHING)
        client, server = self.linked(world, "alice")
        attempt = world.connect(hello("bob"))
        client.dataReceived(frame(b"one"))
        world.factory.replace_filters({"to_server_filter": None, "to_client_filter": lambda message, link: DO_NOTHING})
        client.dataReceived(frame(b"two"))
        server.dataReceived(frame(b"three"))
        self.assertEqual((server.transport.value(), client.transport.value()), (frame(b"two"), b""))
        world.servers[1].dataReceived(hello(SERVER_NAME))
        world.servers[1].transport.clear()
        attempt.dataReceived(frame(b"four"))
        self.assertEqual(world.servers[1].transport.value(), frame(b"four"))

    def test_made_once(self) -> None:
        """What a filter is made into is made once for all links that are alike, however many there are."""
        asked: list[Any] = []

        @implementer(IFilter)
        class Provider:
            """Tells when it is asked what it wants."""

            def selector_for(self, codec: Any) -> None:
                asked.append(codec)

            def filter(self, message: Any, link: Any) -> Any:
                return DO_NOTHING

        world = self.memory(to_server_filter=Provider())
        pairs = [self.linked(world, str(number)) for number in range(5)]
        self.assertEqual(len(asked), 1)
        world.factory.replace_filters({"to_client_filter": Provider()})
        self.assertEqual(len(asked), 3)
        for client, server in pairs:
            client.dataReceived(frame(b"one"))
            server.dataReceived(frame(b"two"))
            self.assertEqual((client.transport.value(), server.transport.value()), (b"", b""))

    def test_failure(self) -> None:
        """A filter that raises is logged, told, and stops its direction only; what becomes of it can be chosen."""
        results = {
            OnFilterError.STOP: b"",
            OnFilterError.DROP: frame(b"good"),
            OnFilterError.PASS_ON: frame(b"bad") + frame(b"good"),
        }
        for policy, result in results.items():
            world = self.memory(to_server_filter=raises_on_bad, on_filter_error=policy)
            client, server = self.linked(world, "alice")
            client.dataReceived(frame(b"bad"))
            client.dataReceived(frame(b"good"))
            server.dataReceived(frame(b"reply"))
            self.assertEqual((server.transport.value(), client.transport.value()), (result, frame(b"reply")))
            ((_, name, side, error),) = world.calls
            self.assertEqual((name, side, type(error)), ("alice", Side.CLIENT, CallbackFailed))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_long_failure(self) -> None:
        """A filter whose error quotes its client's name, or a message, makes no long line of it."""

        def refuses(message: bytes, link: Any) -> Any:
            raise ValueError(f"no {link.client_name}, this will not do: {message!r}")

        world = self.memory(to_server_filter=refuses)
        with capturedLogs() as captured:
            client, _ = self.linked(world, "x" * 60_000)
            client.dataReceived(frame(b"y" * 1_000_000))
        (text,) = [eventAsText(event) for event in captured]
        self.assertLess(len(text), 5000)
        self.assertLess(max(map(len, text.splitlines())), 1000)
        self.assertIn("... (60000 characters)', to_server: filter ", text)
        self.assertIn("in refuses", text)
        self.flushLoggedErrors(ValueError)

    def test_log_tells_what_stopped(self) -> None:
        """The log line of a failure that has stopped a direction says so; that of another doesn't."""
        for policy in OnFilterError:
            with capturedLogs() as captured:
                world = self.memory(to_server_filter=raises_on_bad, on_filter_error=policy)
                client, _ = self.linked(world, "alice")
                client.dataReceived(frame(b"bad"))
            (line,) = [formatEvent(event) for event in captured if "log_failure" in event]
            self.flushLoggedErrors(ZeroDivisionError)
            stopped = "; this direction has stopped: nothing more is received from the client" in line
            self.assertEqual(stopped, policy is OnFilterError.STOP, line)

    def test_exit(self) -> None:
        """A filter that wants to end the process, at once or later, wherever its message came, has failed."""

        async def exits_later(message: bytes, link: Any) -> Any:
            raise SystemExit(3)

        def exits(message: bytes, link: Any) -> Any:
            raise SystemExit(3)

        for to_server in (exits, exits_later):
            world = self.memory(to_server_filter=to_server, on_filter_error=OnFilterError.PASS_ON)
            client = world.connect(hello("alice") + frame(b"one"))
            (server,) = world.servers
            server.dataReceived(hello(SERVER_NAME))
            client.dataReceived(frame(b"two")[:-1])
            client.dataReceived(frame(b"two")[-1:] + frame(b"three"))
            self.assertTrue(server.transport.value().endswith(frame(b"one") + frame(b"two") + frame(b"three")))
            self.assertEqual([type(error.reason) for _, _, _, error in world.calls], [SystemExit] * 3)
            self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_unprintable(self) -> None:
        """So has one whose exception or verdict cannot be read, at once or later; the other messages are delivered."""
        answers: list[Any] = [partial(raises, kind) for kind in UNPRINTABLE]
        answers += [partial(fail, kind()) for kind in UNPRINTABLE]
        answers += [partial(BrokenVerdict, "passes"), partial(raises_later, Mute)]
        for answer in answers:
            world = self.memory(
                to_server_filter=lambda message, link, answer=answer: answer() if message == b"bad" else PASS_ON,
                on_filter_error=OnFilterError.DROP,
            )
            client, server = self.linked(world, "alice")
            client.dataReceived(frame(b"one") + frame(b"bad") + frame(b"two"))
            world.clock.advance(1)
            self.assertEqual(server.transport.value(), frame(b"one") + frame(b"two"))
            ((_, name, side, error),) = world.calls
            self.assertEqual((name, side, type(error)), ("alice", Side.CLIENT, CallbackFailed))
            (failure,) = self.flushLoggedErrors()
            self.assertTrue(failure.getTraceback().encode())

    def test_log_stays_small(self) -> None:
        """A filter that fails on every message is logged once a second, and told each time."""
        world = self.memory(to_server_filter=raises_on_bad, on_filter_error=OnFilterError.DROP)
        client, _ = self.linked(world, "alice")
        client.dataReceived(frame(b"bad") * 1000)
        self.assertEqual((len(world.calls), len(self.flushLoggedErrors(ZeroDivisionError))), (1000, 1))
        world.clock.advance(1)
        client.dataReceived(frame(b"bad") * 1000)
        self.assertEqual((len(world.calls), len(self.flushLoggedErrors(ZeroDivisionError))), (2000, 1))


def raises(kind: type[BaseException]) -> Any:
    """Raise an exception of this class."""
    raise kind


async def raises_later(kind: type[BaseException]) -> Any:
    """Raise an exception of this class, as a coroutine."""
    await succeed(None)
    raise kind


def raises_on_bad(message: bytes, link: Any) -> Any:
    """A filter with a bug."""
    return 1 / 0 if message == b"bad" else PASS_ON


class BroadcastTests(MemoryCase):
    """One message for many."""

    def test_each_side(self) -> None:
        """A message goes to one side of every link, and to nobody whose link is not made."""
        world = self.memory()
        pairs = [self.linked(world, name) for name in ("alice", "bob")]
        attempt = world.connect(hello("carol"))
        sent = world.servers[-1].transport.value()
        world.factory.broadcast(Side.CLIENT, b"to clients")
        world.factory.broadcast(Side.SERVER, b"to servers")
        for client, server in pairs:
            self.assertEqual(client.transport.value(), frame(b"to clients"))
            self.assertEqual(server.transport.value(), frame(b"to servers"))
        self.assertEqual((attempt.transport.value(), world.servers[-1].transport.value()), (b"", sent))

    def test_gone_sides_are_skipped(self) -> None:
        """A side that is gone is skipped, its link's other side is not, nor are other links."""
        world = self.memory()
        pairs = [self.linked(world, name) for name in ("alice", "bob")]
        pairs[0][0].transport.loseConnection()
        world.factory.broadcast(Side.CLIENT, b"to clients")
        world.factory.broadcast(Side.SERVER, b"to servers")
        self.assertEqual(pairs[0][1].transport.value(), frame(b"to servers"))
        self.assertEqual(pairs[1][0].transport.value(), frame(b"to clients"))

    def test_encoded_once_for_each_version(self) -> None:
        """Each version in use is encoded once, however many clients there are."""
        encoded: list[Any] = []

        class Codec:
            """Tells what it encodes."""

            def __init__(self, version: int) -> None:
                self.version = version

            def decode(self, payload: bytes) -> Any:
                return payload

            def encode(self, message: Any) -> bytes:
                encoded.append(self.version)
                return b"%d:%s" % (self.version, message)

        def older(message: bytes) -> Any:
            encoded.append("older")
            return LEFT_OUT if message == b"NEW" else message.lower()

        conversion = Conversion(lambda message: message, older)
        codecs: Any = {1: Codec(1), 2: Codec(2)}
        to_client = MessageType(codecs, low=1, prod=2, test=2, conversions={2: conversion})
        world = self.memory(dialect=dialects.int32(to_client=to_client))
        clients = []
        for number, version in enumerate((1, 2, 1, 2, 1)):
            clients.append(world.connect(hello(str(number), recv_version=version)))
            world.servers[-1].dataReceived(hello(SERVER_NAME, send_version=2))
            clients[-1].transport.clear()
        world.factory.broadcast(Side.CLIENT, b"LOUD")
        self.assertEqual(encoded, ["older", 1, 2])
        world.factory.broadcast(Side.CLIENT, b"NEW")  # which version 1 lacks
        self.assertEqual(encoded, ["older", 1, 2, "older", 2])
        loud, upper, new = frame(b"1:loud"), frame(b"2:LOUD"), frame(b"2:NEW")
        self.assertEqual(
            [client.transport.value() for client in clients],
            [loud, upper + new, loud, upper + new, loud],
        )

    def test_unencodable(self) -> None:
        """A message that cannot be encoded is told for every link, and sent to none."""
        world = self.memory()
        for name in ("alice", "bob"):
            self.linked(world, name)
        world.factory.broadcast(Side.CLIENT, "no bytes")
        told = sorted((name, side.value, type(error)) for _, name, side, error in world.calls)
        self.assertEqual(told, [("alice", "client", MarshalingError), ("bob", "client", MarshalingError)])


MANY = 30
"""More links than can be dealt with in one turn of the reactor, where each takes a quarter of a slice."""


class ManyLinksCase(MemoryCase):
    """Tests with many links, and a clock that goes on whenever it is looked at, once `let_time_pass` is called."""

    def link_many(self, **settings: Any) -> None:
        """Link clients."""
        self.here = self.memory(**settings)
        self.pairs = [self.linked(self.here, f"client {number}") for number in range(MANY)]

    def let_time_pass(self) -> None:
        """Let whatever is done for a link take a quarter of a slice."""
        clock = self.here.clock

        def seconds() -> float:
            clock.rightNow += SLICE / 4
            return clock.rightNow

        self.patch(clock, "seconds", seconds)

    def turns(self) -> None:
        """Let all turns of the reactor come that are asked for."""
        self.here.clock.advance(0)

    def got(self, side: Side = Side.CLIENT) -> list[bytes]:
        """Return what each client, or each server, has got."""
        return [pair[side is Side.SERVER].transport.value() for pair in self.pairs]


class ManyBroadcastTests(ManyLinksCase):
    """One message for so many that they get it in several turns of the reactor."""

    def setUp(self) -> None:
        """Link them."""
        super().setUp()
        self.link_many()
        self.let_time_pass()

    def broadcast(self, *messages: bytes) -> None:
        """Send to all clients."""
        for message in messages:
            self.here.factory.broadcast(Side.CLIENT, message)

    def test_in_slices(self) -> None:
        """The first ones get it at once, the others in later turns, the oldest first, each once."""
        self.broadcast(b"one")
        got = self.got()
        served = got.index(b"")
        self.assertLessEqual(served, 6)
        self.assertEqual(got, [frame(b"one")] * served + [b""] * (MANY - served))
        self.turns()
        self.assertEqual(self.got(), [frame(b"one")] * MANY)
        self.assertEqual(self.here.clock.getDelayedCalls(), [])

    def test_order(self) -> None:
        """Broadcasts stay in order, and nothing that is sent or relayed later overtakes them."""
        self.broadcast(b"one", b"two")
        self.pairs[-1][0].link.send_to_client(b"own")
        self.pairs[-2][1].dataReceived(frame(b"relayed"))
        self.broadcast(b"three")
        self.here.factory.broadcast(Side.SERVER, b"to servers")
        self.assertEqual(self.got()[-1], frame(b"one") + frame(b"two") + frame(b"own"))
        self.assertEqual(self.got()[-2], frame(b"one") + frame(b"two") + frame(b"relayed"))
        self.assertEqual(self.got()[-3], b"")
        self.turns()
        self.assertEqual(self.got()[:-2], [frame(b"one") + frame(b"two") + frame(b"three")] * (MANY - 2))
        self.assertEqual(self.got()[-1], frame(b"one") + frame(b"two") + frame(b"own") + frame(b"three"))
        self.assertEqual(self.got(Side.SERVER), [frame(b"to servers")] * MANY)

    def test_closing(self) -> None:
        """A link that is closed behind a broadcast sends it first."""
        self.broadcast(b"bye")
        self.pairs[-1][0].link.close()
        self.assertEqual(self.got()[-2:], [b"", frame(b"bye")])
        self.turns()

    def test_shutdown(self) -> None:
        """So do all when the repeater is shut down."""
        self.broadcast(b"bye")
        over = self.here.factory.close_all()
        self.turns()
        self.successResultOf(over)
        self.assertEqual(self.got(), [frame(b"bye")] * MANY)

    def test_gone(self) -> None:
        """Links that end before it is their turn are skipped."""
        self.broadcast(b"one")
        for client, server in self.pairs[10:20]:
            client.transport.loseConnection()
            server.transport.loseConnection()
        self.turns()
        self.assertEqual(self.got(), [frame(b"one")] * 10 + [b""] * 10 + [frame(b"one")] * 10)

    def test_from_a_filter(self) -> None:
        """For the link whose filter broadcasts, the message has its place among those that the filter sees."""

        def announce(message: bytes, link: Any) -> Any:
            if message == b"b":
                self.here.factory.broadcast(Side.SERVER, b"one")
                self.here.factory.broadcast(Side.SERVER, b"two")
            return PASS_ON

        self.here.factory.replace_filters({"to_server_filter": announce})
        self.here.factory.broadcast(Side.SERVER, b"before")
        self.pairs[-1][0].dataReceived(frame(b"a") + frame(b"b") + frame(b"c"))
        expected = [b"before", b"a", b"one", b"two", b"b", b"c"]
        self.assertEqual(self.got(Side.SERVER)[-1], b"".join(map(frame, expected)))
        self.assertEqual(self.got(Side.SERVER)[-2], b"")
        self.turns()
        self.assertEqual(self.got(Side.SERVER)[:-1], [b"".join(map(frame, [b"before", b"one", b"two"]))] * (MANY - 1))

    def test_unencodable_from_a_filter(self) -> None:
        """What cannot be encoded is told for every link, also for that whose filter broadcasts."""

        def announce(message: bytes, link: Any) -> Any:
            self.here.factory.broadcast(Side.SERVER, 7)
            return PASS_ON

        self.here.factory.replace_filters({"to_server_filter": announce})
        self.pairs[-1][0].dataReceived(frame(b"a"))
        self.turns()
        told = [(name, type(error)) for _, name, _, error in self.here.calls]
        self.assertEqual(sorted(told), sorted((f"client {number}", MarshalingError) for number in range(MANY)))
        self.assertEqual(self.got(Side.SERVER)[-1], frame(b"a"))

    def test_by_an_error(self) -> None:
        """A broadcast may lead to another, which comes behind it everywhere."""
        self.here.factory.callbacks.on_error = lambda link, side, error: self.broadcast(b"more")  # type: ignore
        self.here.factory.broadcast(Side.CLIENT, 7)
        self.turns()
        self.assertEqual(self.got(), [frame(b"more") * MANY] * MANY)

    def test_too_many(self) -> None:
        """An application that doesn't stop broadcasting is made to wait rather than fill the memory."""
        messages = [b"%d" % number for number in range(MAX_POSTPONED + 10)]
        self.broadcast(*messages)
        for sent in self.got():
            self.assertGreater(len(sent), MAX_POSTPONED)
        self.turns()
        self.assertEqual(self.got(), [b"".join(map(frame, messages))] * MANY)

    def test_bug(self) -> None:
        """A connection on which writing raises is logged, and keeps nothing from the others."""

        def write(data: bytes) -> None:
            raise RuntimeError("no")

        for number in (0, 20):
            self.pairs[number][0].transport.write = write
        self.broadcast(b"one")
        self.turns()
        self.assertEqual(self.got().count(frame(b"one")), MANY - 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.broadcast(b"two")
        self.turns()
        self.assertEqual(self.got().count(frame(b"one") + frame(b"two")), MANY - 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_interrupted(self) -> None:
        """An interruption goes through; the next broadcast finds the way to everybody."""

        def write(data: bytes) -> None:
            raise KeyboardInterrupt

        transport = self.pairs[0][0].transport
        transport.write, write = write, transport.write
        self.assertRaises(KeyboardInterrupt, self.broadcast, b"one")
        transport.write = write
        self.broadcast(b"two")
        self.turns()
        self.assertEqual(self.got()[1:], [frame(b"one") + frame(b"two")] * (MANY - 1))


class ManyEndTests(ManyLinksCase):
    """The end of many links at once."""

    def test_in_slices(self) -> None:
        """They are closed in several turns of the reactor."""
        self.link_many()
        attempts = [self.here.connect(hello(f"newcomer {number}")) for number in range(MANY)]
        self.let_time_pass()
        over = self.here.factory.close_all()
        open_then = [client for client, _ in self.pairs if client.transport.connected]
        self.assertEqual(len(open_then), MANY)
        refused = len(self.here.refusals)
        self.assertTrue(0 < refused < MANY)
        self.assertNoResult(over)
        self.turns()
        self.successResultOf(over)
        self.assertEqual(len(self.here.refusals), MANY)
        for protocol in (*attempts, *(protocol for pair in self.pairs for protocol in pair)):
            self.assertFalse(protocol.transport.connected)

    def test_ended_meanwhile(self) -> None:
        """An attempt that ends while others are being ended is told of once."""
        self.link_many()
        first, second = (self.here.connect(hello(name)) for name in ("first", "second"))

        def on_connecting_error(name: str | None, *arguments: Any) -> None:
            self.refused.append(name)
            if name == "first":
                second.transport.loseConnection()

        self.refused: list[str | None] = []
        self.here.factory.callbacks.on_connecting_error = on_connecting_error  # type: ignore[union-attr]
        self.successResultOf(self.here.factory.close_all())
        self.assertEqual(sorted(map(str, self.refused)), ["first", "second"])
        self.assertFalse(first.transport.connected)

    def test_bug(self) -> None:
        """A link that fails to close is logged, and keeps no other from being closed."""
        self.link_many()
        broken = self.pairs[3][0].link
        close = Pair.close
        failures = [RuntimeError("no")]

        def fail_once(link: Pair, reason: Any = None) -> None:
            if link is broken and failures:
                raise failures.pop()
            close(link, reason)

        self.patch(Pair, "close", fail_once)
        over = self.here.factory.close_all()
        self.assertEqual(list(self.here.factory.links), [broken])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        broken.close()
        self.successResultOf(over)


class EndTests(MemoryCase):
    """The end of everything."""

    def test_links_in_every_state(self) -> None:
        """Every link and every attempt ends, whatever it is about; each attempt is told of, once."""
        world = self.memory(limits=Limits(max_clients=4), on_connect=self.waits_for_dave)
        waits = world.connect()
        silent = world.connect()
        linked, _ = self.linked(world, "alice")
        refused_hello = world.connect(hello("bob"))
        half, half_server = self.linked(world, "carol")
        half.transport.loseConnection()
        considered = world.connect(hello("dave"))
        world.servers[-1].dataReceived(hello(SERVER_NAME))
        waits.dataReceived(hello("erin"))
        world.calls.clear()
        ended = world.factory.close_all()
        self.successResultOf(ended)
        self.assertEqual(
            sorted(world.refusals, key=repr),
            sorted([(name, RepeaterClosed) for name in (None, "bob", "dave", "erin")], key=repr),
        )
        for protocol in (waits, silent, linked, refused_hello, half_server, considered, *world.servers):
            self.assertFalse(protocol.transport.connected)

    def test_abort_all(self) -> None:
        """Aborting ends links, also one that waits for a verdict, and attempts, with no time passing."""
        world = self.memory(on_connect=self.waits_for_dave, to_server_filter=lambda message, link: Deferred())
        silent = world.connect()
        linked, _ = self.linked(world, "alice")
        linked.dataReceived(frame(b"wait"))
        considered = world.connect(hello("dave"))
        world.servers[-1].dataReceived(hello(SERVER_NAME))
        world.calls.clear()
        world.factory.abort_all()
        self.assertEqual([kind for _, kind in world.refusals], [RepeaterClosed, RepeaterClosed])
        for protocol in (silent, linked, considered, *world.servers):
            self.assertFalse(protocol.transport.connected)
        self.assertIsNone(world.connect(hello("bob")))

    @staticmethod
    def waits_for_dave(link: Any) -> Any:
        """Consider only one client."""
        return Deferred() if link.client_name == "dave" else None

    def test_nobody_new(self) -> None:
        """Nobody is accepted after that."""
        world = self.memory()
        self.successResultOf(world.factory.close_all())
        self.assertIsNone(world.connect())

    def test_waits_for_the_last_connection(self) -> None:
        """It is over when the last connection is gone, and not before."""
        world = self.memory()
        alice, _ = self.linked(world, "alice")
        alice.transport.loseConnection = lambda: None
        ended = world.factory.close_all()
        self.assertNoResult(ended)
        alice.connectionLost()
        self.successResultOf(ended)

    def test_lost_later(self) -> None:
        """A refused client whose connection lingers is waited for as well, and no longer than it may take to close."""
        world = self.memory(is_client_allowed=lambda name: False)
        client = world.connect()
        client.transport.loseConnection = lambda: None
        client.dataReceived(hello("alice"))
        self.assertEqual(len(world.factory.links), 1)
        aborted: list[int] = []
        client.transport.abortConnection = lambda: aborted.append(1)
        world.clock.advance(5)
        self.assertEqual(aborted, [1])
        client.connectionLost()
