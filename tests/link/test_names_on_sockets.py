"""Tests of clients of one name on real sockets: take-overs, farewells, clients that fight, shared names."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from twisted_repeater import PASS_ON, Close, Dialect, Limits, SameName, Side, dialects
from twisted_repeater._link.link import pair_of
from twisted_repeater._link.names import FREE, LONGEST_PAUSE
from twisted_repeater.dialects import by_address, first_message, server_first
from twisted_repeater.errors import DuplicateClient, RepeaterClosed, Replaced, TooManyClients
from twisted_repeater.framings import Int32Framing

from ..peers import END, LOST, Client, Server, ServerPeer, StoppedTime, World, frame, hello, keep, turn
from ..real_sockets import FullSocket
from .links import UNHURRIED, LinkCase, messages


def sockets() -> int:
    """Return how many sockets the process has."""
    count = 0
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the listing itself has one that is closed again
            count += stat.S_ISSOCK(os.fstat(number).st_mode)
    return count


class TakeOverCase(LinkCase):
    """A test case whose newcomers take a name over. ``farewells`` has the reasons that clients were told."""

    def setUp(self) -> None:
        """Make a dialect that says why a link is closed."""
        self.farewells: list[Any] = []
        self.dialect = dialects.int32().changed(same_name=SameName.REPLACE, farewell=self.farewell)

    def farewell(self, reason: BaseException | None, link: Any) -> bytes | None:
        """Say the name of the reason's class."""
        self.farewells.append(reason)
        return frame(b"bye: " + type(reason).__name__.encode())

    async def start(self, **settings: Any) -> World:
        """Make a world with this dialect."""
        self.here = await self.world(dialect=self.dialect, **settings)
        return self.here


class TakeOverTests(TakeOverCase):
    """A newcomer takes the name of a link over."""

    async def test_one_take_over(self) -> None:
        """The old client gets what waits and is told why, and the server sees it leave before the newcomer comes."""
        world = await self.start()
        old, old_peer = await world.linked("ann")
        old_peer.send(b"last")
        await old.seen.reach(2)
        old_gone = []
        new = await world.connect(hello("ann"))
        old_peer.lost().addCallback(lambda _: old_gone.append(len(world.server.peers)))
        await new.seen.reach(1)
        self.assertEqual(old.seen[1:], [b"last", b"bye: Replaced", LOST])
        self.assertEqual((old_gone, len(world.server.peers), len(self.farewells)), ([1], 2, 1))
        self.assertEqual(world.repeater.active_clients(), ["ann"])
        await world.still_relays(new, world.server.peers[1])
        self.assertEqual(world.refusals, [])

    async def test_what_was_received_is_delivered(self) -> None:
        """Messages that wait for their verdict are still delivered, before the farewell, if it comes in time."""
        verdicts: list[Deferred[Any]] = []

        def later(message: bytes, link: Any) -> Any:
            verdicts.append(Deferred())
            return verdicts[-1]

        world = await self.start(to_client_filter=later)
        old, old_peer = await world.linked("ann")
        old_peer.send(b"last")
        await self.until(lambda: verdicts)
        new = await world.connect(hello("ann"))
        await world.until_accepted(heard=True)
        await turn(5)
        self.assertEqual(old.seen[1:], [])
        verdicts[0].callback(PASS_ON)
        await new.seen.reach(1)
        self.assertEqual(old.seen[1:], [b"last", b"bye: Replaced", LOST])

    async def test_client_that_does_not_read(self) -> None:
        """An old client that takes nothing is aborted after ``close_timeout``, and one whose filter never answers."""
        for blocked in (b"filter", b"client"):
            time = StoppedTime()
            world = await self.start(
                reactor=time,
                limits=replace(UNHURRIED, close_timeout=2),
                to_server_filter=lambda message, link: Deferred(),
            )
            old, old_peer = await world.linked("ann")
            link: Any = world.repeater.link("ann")
            if blocked == b"client":
                old.transport.pauseProducing()
                old_peer.send(*[bytes(100_000)] * 200)
                await self.until(lambda link=link: pair_of(link).client.outlet.full)
            else:
                old.send(b"waits")
                await self.until(lambda link=link: any(lane.awaited for lane in pair_of(link).lanes))
            over = pair_of(link).when_over()
            new = await world.connect(hello("ann"))
            await world.until_accepted(heard=True)
            took = await time.pass_until(over)
            self.assertTrue(2 <= took < UNHURRIED.linger / 10, took)
            await new.seen.reach(1)
            self.assertIsInstance(pair_of(link).reason, Replaced)
            self.assertEqual(self.farewells, [])
            old.abort()

    async def test_finishing(self) -> None:
        """A link that is finishing gives way as well; its client has ended its stream, and is told nothing."""
        world = await self.start(server=Server(half_close=True))
        old, old_peer = await world.linked("ann", half_close=True)
        old.end_stream()
        await old_peer.seen.holds(END)
        new = await world.connect(hello("ann"))
        await self.until(lambda: END in old.seen)
        old_peer.close()
        await new.seen.reach(1)
        self.assertEqual((messages(old), self.farewells), ([], []))

    async def test_client_that_obeys(self) -> None:
        """Of two clients of one name, one that does not come back when it is told why loses it, once."""
        world = await self.start()
        old, _ = await world.linked("ann")
        await world.linked("ann")
        await old.lost()
        for _ in range(10):
            await turn()
        self.assertEqual(len(world.server.peers), 2)

    async def test_clients_that_fight(self) -> None:
        """Two clients that come back whenever they lose the name do not spin: within a minute they get it a few times.

        Each has its link for some seconds, and the server and the newcomers see no more of it than that.
        """
        time = StoppedTime()
        world = await self.start(reactor=time, limits=UNHURRIED)
        before = sockets()
        current = await world.connect(hello("ann"))
        while time.seconds() < 60:
            rival = await world.connect(hello("ann"))
            while LOST not in current.seen:
                await time.pass_turn(0.1)
            current = rival
        self.assertLess(len(world.server.peers), FREE + 6 + 60 / LONGEST_PAUSE)
        self.assertGreater(len(world.server.peers), FREE)
        self.assertEqual({kind for _, kind in world.refusals} - {Replaced}, set())
        self.assertLess(sockets() - before, 10)

    async def test_three_that_fight(self) -> None:
        """Three do not spin either, although the newcomers lose against each other."""
        time = StoppedTime()
        world = await self.start(reactor=time, limits=UNHURRIED)
        clients = [await world.connect(hello("ann")) for _ in range(3)]
        connections = len(clients)
        while time.seconds() < 60:
            await time.pass_turn(0.1)
            for client in list(clients):
                if LOST in client.seen:
                    clients.remove(client)
                    clients.append(await world.connect(hello("ann")))
                    connections += 1
        self.assertLess(connections, 3 * (FREE + 6 + 60 / LONGEST_PAUSE))
        self.assertEqual({kind for _, kind in world.refusals} - {Replaced}, set())


class AttemptTests(TakeOverCase):
    """A newcomer takes the name of an attempt over."""

    async def test_no_hello_of_the_server(self) -> None:
        """An attempt that waits for the server fails with `Replaced`; the server sees it leave, and the newcomer."""
        world = await self.start(server=Server(when_greeted=False))
        old = await world.connect(hello("ann"))
        await world.server.peers.reach(1)
        await world.server.peers[0].seen.reach(1)
        new = await world.connect(hello("ann"))
        await old.lost()
        await world.server.peers[0].lost()
        await world.server.peers.reach(2)
        world.server.peers[1].say_hello()
        await new.seen.reach(1)
        self.assertEqual((world.refusals, old.seen, self.farewells), ([("ann", Replaced)], [LOST], []))

    async def test_dial_hangs(self) -> None:
        """So does one whose dial hangs; each leaves no descriptor, and the newcomer dials on its own."""
        full = FullSocket()
        self.addCleanup(full.close)
        world = await self.start(server_port=full.port, limits=Limits(connect_timeout=30))
        before = sockets()
        clients: list[Client] = []
        for _ in range(FREE + 1):
            clients.append(await world.connect(hello("ann")))
            await world.until_accepted(heard=True)
        for client in clients[:-1]:
            await client.lost()
        self.assertEqual(world.refusals, [("ann", Replaced)] * FREE)
        await turn(5)
        self.assertLessEqual(sockets() - before, 3)  # the last client, its own end, and its dial
        self.assertEqual(len(world.repeater._factory.links), 1)

    async def test_on_connect_hangs(self) -> None:
        """So does one whose ``on_connect`` is awaited."""
        asked: list[Deferred[None]] = []

        def on_connect(link: Any) -> Any:
            asked.append(Deferred())
            return asked[-1]

        world = await self.start(on_connect=on_connect)
        old = await world.connect(hello("ann"))
        await self.until(lambda: asked)
        new = await world.connect(hello("ann"))
        await old.lost()
        await self.until(lambda: len(asked) == 2)
        asked[1].callback(None)
        await new.seen.reach(1)
        self.assertEqual(world.refusals, [("ann", Replaced)])


class FarewellTests(TakeOverCase):
    """A client is told why the repeater closes its link, once, and only then."""

    async def told(self, end: Any, **settings: Any) -> tuple[Client, Any]:
        """Link a client, end the link and wait for that; return the client and the reason."""
        world = await self.start(**settings)
        client, _ = await world.linked("ann")
        self.farewells.clear()
        link: Any = world.repeater.link("ann")
        over = pair_of(link).when_over()
        end(link)
        await over
        await client.lost()
        self.assertLessEqual(len(self.farewells), 1)
        return client, self.farewells[0] if self.farewells else "nothing"

    async def test_close(self) -> None:
        """``link.close()`` gives its reason, if it has one."""
        client, reason = await self.told(lambda link: link.close())
        self.assertEqual((client.seen[1:], reason), ([b"bye: NoneType", LOST], None))
        client, reason = await self.told(lambda link: link.close(ValueError("enough")))
        self.assertEqual((client.seen[1:], str(reason)), ([b"bye: ValueError", LOST], "enough"))

    async def test_by_name(self) -> None:
        """So is a client that is closed by its name."""
        client, _ = await self.told(lambda link: self.here.repeater.close_connection_from_client("ann"))
        self.assertEqual(client.seen[1:], [b"bye: NoneType", LOST])

    async def test_verdict(self) -> None:
        """A verdict that closes the link has its last words first."""
        verdict = Close(ValueError("enough"), back=[b"no"])
        world = await self.start(to_server_filter=lambda message, link: verdict)
        client, _ = await world.linked("ann")
        client.send(b"question")
        await client.lost()
        self.assertEqual(client.seen[1:], [b"no", b"bye: ValueError", LOST])

    async def test_failed_filter(self) -> None:
        """So is a client whose link closes because a filter has failed."""
        world = await self.start(to_server_filter=lambda message, link: 1 / 0)
        client, _ = await world.linked("ann")
        client.send(b"question")
        await client.lost()
        self.assertEqual(client.seen[1:], [b"bye: CallbackFailed", LOST])
        self.flushLoggedErrors(ZeroDivisionError)

    async def test_shutdown(self) -> None:
        """When the repeater is shut down, that is the reason."""
        client, reason = await self.told(lambda link: self.here.repeater.shutdown())
        self.assertEqual((client.seen[1:], str(reason)), ([b"bye: RepeaterClosed", LOST], "the repeater shuts down"))
        self.assertIsInstance(reason, RepeaterClosed)

    async def test_not_when_a_side_is_lost(self) -> None:
        """A client whose server has left is told nothing, nor one that has left itself, also if the end comes later."""
        for settings in ({"on_error": keep}, {}):
            world = await self.start(**settings)
            client, peer = await world.linked("ann")
            other, _ = await world.linked("bob")
            link: Any = world.repeater.link("ann")
            peer.close()
            other.abort()
            await world.disconnected(Side.SERVER, "ann")
            await world.disconnected(Side.CLIENT, "bob")
            world.repeater.close_connection_from_client("ann")
            world.repeater.close_connection_from_client("bob")
            await pair_of(link).when_over()
            await client.lost()
            self.assertEqual((client.seen[1:], self.farewells), ([LOST], []))

    async def test_nothing_to_say(self) -> None:
        """A dialect may have nothing to say."""
        self.dialect = self.dialect.changed(farewell=keep)
        client, _ = await self.told(lambda link: link.close())
        self.assertEqual(client.seen[1:], [LOST])

    async def test_raises(self) -> None:
        """One that raises, or says no bytes, is logged, and the link closes all the same."""

        def leave(reason: object, link: object) -> bytes:
            raise SystemExit

        answers: dict[type[BaseException], Any] = {
            ZeroDivisionError: lambda reason, link: 1 / 0,
            SystemExit: leave,
            TypeError: lambda reason, link: "bye",
        }
        for kind, farewell in answers.items():
            self.dialect = self.dialect.changed(farewell=farewell)
            client, _ = await self.told(lambda link: link.close())
            self.assertEqual(client.seen[1:], [LOST])
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)


class SharedNameTests(LinkCase):
    """Several clients share a name."""

    async def test_calls_by_name(self) -> None:
        """They are linked at the same time, and calls that take a name act on all of them."""
        world = self.here = await self.world(dialect=dialects.int32().changed(same_name=SameName.SHARE))
        first, second, other = [await world.linked(name) for name in ("ann", "ann", "bob")]
        repeater = world.repeater
        links = repeater.links("ann")
        self.assertEqual(sorted({link.id for link in repeater.links()}), [link.id for link in repeater.links()])
        self.assertEqual((len(links), len(repeater.links("bob")), repeater.links("carol")), (2, 1, []))
        self.assertEqual((repeater.link("ann"), repeater.active_clients()), (links[0], ["ann", "bob"]))
        repeater.send_to_server_from("ann", b"vote")
        for _, peer in (first, second):
            await peer.seen.holds(b"vote")
        repeater.close_connection_from_client("ann")
        for client, peer in (first, second):
            await client.lost()
            await peer.lost()
        await world.still_relays(*other)
        self.assertEqual((other[1].seen[1:], repeater.active_clients()), ([b"there?"], ["bob"]))
        self.assertEqual(world.refusals, [])

    async def test_refused(self) -> None:
        """Without that, the second client of a name is refused."""
        world = self.here = await self.world(dialect=dialects.int32().changed(same_name=SameName.REFUSE))
        await world.linked("ann")
        client = await world.connect(hello("ann"))
        await client.lost()
        self.assertEqual(world.refusals, [("ann", DuplicateClient)])


class NamelessCase(LinkCase):
    """A test case with clients that say no name at first. Their first frame is a message like any other."""

    async def start(self, opening: Any, **settings: Any) -> World:
        """Make a world whose dialect begins so."""
        plain = Dialect(name="plain", framing=lambda limits: Int32Framing(limits.max_frame), opening=opening)
        self.server = Server(when_greeted=False)
        self.server.protocol = PlainServerPeer
        self.here = await self.world(dialect=plain, server=self.server, **settings)
        return self.here

    async def connect(self, *payloads: bytes) -> PlainClient:
        """Connect a client, which sends these messages at once."""
        client = PlainClient(b"".join(map(frame, payloads)))
        self.here.clients.append(client)
        await self.here.sockets.to(self.here.repeater).connect(Factory.forProtocol(lambda: client))
        return client


class PlainClient(Client):
    """A client without a hello."""

    greets = False


class PlainServerPeer(ServerPeer):
    """A connection of a server without hellos."""

    greets = False

    def stringReceived(self, string: bytes) -> None:
        """Record a message."""
        self.seen.append(string)


class LabelTests(NamelessCase):
    """Clients are labelled by their address."""

    async def test_by_address(self) -> None:
        """Each has a label of its own, by which it is found; ``is_client_allowed`` is not asked about it."""
        asked: list[str] = []
        world = await self.start(by_address, is_client_allowed=asked.append)
        clients = [await self.connect(b"hi") for _ in range(3)]
        await self.until(lambda: len(world.repeater.links()) == 3)
        labels = [f"127.0.0.1:{client.address.port}" for client in clients]
        self.assertEqual(sorted(world.repeater.active_clients()), sorted(labels))
        self.assertEqual([len(world.repeater.links(label)) for label in labels], [1, 1, 1])
        world.repeater.send_to_server_from(labels[1], b"vote")
        await self.until(lambda: any(b"vote" in peer.seen for peer in world.server.peers))
        world.repeater.close_connection_from_client(labels[1])
        await clients[1].lost()
        await self.until(lambda: len(world.repeater.links()) == 2)
        self.assertEqual((world.repeater.link(labels[1]), asked, world.refusals), (None, [], []))

    async def test_named_later(self) -> None:
        """A filter gives one its name. A later client of that name is refused, before its login is passed on."""

        async def login(message: bytes, link: Any) -> Any:
            try:
                await link.identify(message.decode())
            except DuplicateClient as error:
                return Close(error, back=[b"no"])
            return PASS_ON

        world = await self.start(by_address, to_server_filter=login)
        ann = await self.connect(b"ann")
        await world.server.peers.reach(1)
        await world.server.peers[0].seen.holds(b"ann")
        again = await self.connect(b"ann")
        await again.lost()
        self.assertEqual((again.seen, world.repeater.active_clients()), ([b"no", LOST], ["ann"]))
        self.assertEqual((world.server.peers[1].seen[:1], LOST in ann.seen), ([LOST], False))

    async def test_first_message(self) -> None:
        """A name from the first message is claimed, and asked about as it was said."""
        asked: list[str] = []

        def allowed(name: str) -> bool:
            asked.append(name)
            return True

        opening = first_message(lambda message: message.payload.decode())
        world = await self.start(opening, is_client_allowed=allowed)
        await self.connect(b"ann", b"more")
        await self.until(lambda: world.repeater.active_clients() == ["ann"])
        again = await self.connect(b"ann")
        await again.lost()
        self.assertEqual((asked, world.refusals), (["ann", "ann"], [("ann", DuplicateClient)]))

    async def test_no_name_in_time(self) -> None:
        """A link whose client says no name is closed after ``name_timeout``; one that has said it stays."""
        time = StoppedTime()

        async def login(message: bytes, link: Any) -> Any:
            if message == b"ann":
                await link.identify("ann")
            return PASS_ON

        world = await self.start(by_address, to_server_filter=login, reactor=time, limits=Limits(name_timeout=20))
        ann, nobody = await self.connect(b"ann"), await self.connect(b"hi")
        await self.until(lambda: "ann" in world.repeater.active_clients() and len(world.repeater.links()) == 2)
        (label,) = set(world.repeater.active_clients()) - {"ann"}
        link: Any = world.repeater.link(label)
        over = pair_of(link).when_over()
        time.clock.advance(19)
        await turn()
        self.assertEqual(len(world.repeater.active_clients()), 2)
        time.clock.advance(1)
        await time.pass_until(over)
        await nobody.lost()
        self.assertEqual(str(pair_of(link).reason), "the client has not said its name within 20 seconds")
        self.assertEqual((world.repeater.active_clients(), LOST in ann.seen), (["ann"], False))


class SilentClientTests(NamelessCase):
    """Clients of a protocol in which the server speaks first have a place before they say a word."""

    async def test_give_way(self) -> None:
        """Those that stay silent give way, the oldest first, so that they cannot keep others out."""
        world = await self.start(server_first, limits=Limits(max_clients=3))
        silent = [await self.connect() for _ in range(3)]
        await self.until(lambda: len(world.repeater.links()) == 3)
        links = [pair_of(link) for link in world.repeater.links()]
        talking = []
        for _ in range(3):
            client = await self.connect(b"hi")
            talking.append(client)
            port = client.address.port
            await self.until(lambda port=port: world.repeater.link(f"127.0.0.1:{port}"))
        for client in silent:
            await client.lost()
        self.assertEqual(
            {str(link.reason) for link in links},
            {"the client has not sent a byte, and a newer one needs its place: max_clients is 3"},
        )
        await self.until(lambda: all(not pair_of(link).silent for link in world.repeater.links()))
        late = await self.connect()
        await turn(20)
        self.assertEqual([LOST in client.seen for client in (*talking, late)], [False] * 4)
        self.assertEqual((len(world.repeater.links()), world.refusals), (3, []))

    async def test_many(self) -> None:
        """Hundreds of silent connections keep nobody out, and none of them stays longer than it may."""
        world = await self.start(server_first, limits=Limits(max_clients=10))
        for _ in range(100):
            await self.connect()
        await self.until(lambda: len(world.repeater.links()) == 10)
        client = await self.connect(b"hi")
        port = client.address.port
        await self.until(lambda: world.repeater.link(f"127.0.0.1:{port}"))
        await self.until(lambda: any(b"hi" in peer.seen for peer in world.server.peers))

    async def test_attempts(self) -> None:
        """An attempt whose client is silent is refused with `TooManyClients`."""
        full = FullSocket()
        self.addCleanup(full.close)
        world = await self.start(server_first, limits=Limits(max_clients=1), server_port=full.port)
        first = await self.connect()
        await world.until_accepted()
        await self.connect(b"hi")
        await first.lost()
        self.assertEqual(world.refusals, [(f"127.0.0.1:{first.address.port}", TooManyClients)])
