"""Tests of all links: how they begin, messages to all, how all end."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from twisted_repeater import (
    LEFT_OUT,
    PASS_ON,
    Limits,
    Link,
    MessageType,
    Side,
    dialects,
)
from twisted_repeater._link.application import Settings
from twisted_repeater._link.factory import RepeaterFactory
from twisted_repeater._link.outlet import MAX_POSTPONED
from twisted_repeater._link.pair import Pair
from twisted_repeater._slices import SLICE
from twisted_repeater._sockets.descriptors import Claim
from twisted_repeater.dialects import Conversion
from twisted_repeater.errors import (
    InvalidHello,
    MarshalingError,
    RepeaterClosed,
)
from twisted_repeater.filters import FilterPair

from ..peers import frame
from .memory_case import MemoryCase


class NamesOfTheRepeaterTests(MemoryCase):
    """The names in every hello of the repeater."""

    def test_unsayable_names(self) -> None:
        """Names that fit into no hello are an error at once, not at the first client."""
        for names in ({"repeater_name": "x" * 70_000}, {"server_name": "x" * 70_000}):
            self.assertRaises(InvalidHello, self.factory, **names)

    @staticmethod
    def factory(**names: Any) -> RepeaterFactory:
        """Make a factory with these names."""
        given: dict[str, Any] = {"repeater_name": "edge", "server_name": "quotes", **names}
        settings = Settings(dialect=dialects.int32(), is_client_allowed=lambda name: True, **given)
        clock = Clock()
        return RepeaterFactory(settings, claim=Claim(Limits(), clock), clock=clock, dial=lambda pair: Deferred())


class BrokenLinkTests(MemoryCase):
    """A link that was made fails unexpectedly."""

    def test_closed(self) -> None:
        """A link that fails as it begins to relay is logged and closed, both sides; others are not."""

        world = self.memory()
        bystander, bystander_server = world.linked("bystander")
        self.patch(world.factory.application, "link_made", lambda link: 1 // 0)
        client = world.connect("alice")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        world.advance(5)
        self.assertFalse(client.open or world.server["alice"].open)
        bystander.send(b"two")
        bystander_server.expect(b"two")


class BroadcastTests(MemoryCase):
    """One message for many."""

    def test_each_side(self) -> None:
        """A message goes to one side of every link, and to nobody whose link is not made."""
        world = self.memory(answers=False)
        pairs = [world.linked(name) for name in ("alice", "bob")]
        attempt = world.connect("carol")
        world.factory.links.broadcast(Side.CLIENT, b"to clients")
        world.factory.links.broadcast(Side.SERVER, b"to servers")
        world.settle()
        for client, server in pairs:
            client.expect(b"to clients")
            server.expect(b"to servers")
        self.assertEqual((attempt.heard, world.server["carol"].received), (None, []))

    def test_altered(self) -> None:
        """Where the dialect decides for each link what is sent, it is asked about each link."""

        class Numbers:
            filter = staticmethod(lambda message, link: PASS_ON)

            def sent(self, message: bytes, link: Link) -> list[bytes]:
                return [b"%s for %d" % (message, link.id)]

        world = self.memory(dialect=dialects.int32().changed(filters=FilterPair(to_client=Numbers())))
        clients = [world.linked(name)[0] for name in ("alice", "bob")]
        world.factory.links.broadcast(Side.CLIENT, b"to clients")
        world.settle()
        for client in clients:
            client.expect(b"to clients for %d" % world.pair(client).id)

    def test_gone_sides_are_skipped(self) -> None:
        """A side that is gone is skipped, its link's other side is not, nor are other links."""
        world = self.memory()
        pairs = [world.linked(name) for name in ("alice", "bob")]
        pairs[0][0].abort()
        world.factory.links.broadcast(Side.CLIENT, b"to clients")
        world.factory.links.broadcast(Side.SERVER, b"to servers")
        world.settle()
        pairs[0][1].expect(b"to servers")
        pairs[1][0].expect(b"to clients")

    def test_encoded_once_for_each_version(self) -> None:
        """Each version in use is encoded once, however many clients there are."""
        encoded: list[Any] = []

        class Codec:
            """Records each version that it encodes."""

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
        clients: list[Any] = [
            world.connect(str(number), recv_version=version) for number, version in enumerate((1, 2, 1, 2, 1))
        ]
        world.factory.links.broadcast(Side.CLIENT, b"LOUD")
        self.assertEqual(encoded, ["older", 1, 2])
        world.factory.links.broadcast(Side.CLIENT, b"NEW")  # which version 1 lacks
        self.assertEqual(encoded, ["older", 1, 2, "older", 2])
        world.settle()
        for client in clients:
            client.expect(*([b"1:loud"] if client.hello.recv_version == 1 else [b"2:LOUD", b"2:NEW"]))

    def test_unencodable(self) -> None:
        """A message that cannot be encoded is told for every link, and sent to none."""
        world = self.memory()
        for name in ("alice", "bob"):
            world.linked(name)
        world.factory.links.broadcast(Side.CLIENT, "no bytes")
        told = sorted((name, side.value, type(error)) for name, side, error in world.calls.errors)
        self.assertEqual(told, [("alice", "client", MarshalingError), ("bob", "client", MarshalingError)])


MANY = 30
"""More links than can be dealt with in one turn of the reactor, where each takes a quarter of a slice."""


class ManyLinksCase(MemoryCase):
    """Tests with many links, and a clock that goes on whenever it is looked at, once `let_time_pass` is called."""

    def link_many(self, **settings: Any) -> None:
        """Link clients."""
        self.here = self.memory(**settings)
        self.peers = [self.here.linked(f"client {number}") for number in range(MANY)]
        self.pairs = [self.here.pair(client) for client, _ in self.peers]

    def let_time_pass(self) -> None:
        """Let whatever is done for a link take a quarter of a slice."""
        clock = self.here.clock

        def seconds() -> float:
            clock.rightNow += SLICE / 4
            return clock.rightNow

        self.patch(clock, "seconds", seconds)

    def turns(self) -> None:
        """Let all turns of the reactor come that are asked for."""
        self.here.settle()

    def got(self, side: Side = Side.CLIENT) -> list[list[bytes]]:
        """Return the messages that each client, or each server, has got, in this turn of the reactor."""
        self.here.deliver()
        return [peers[side is Side.SERVER].received for peers in self.peers]


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
            self.here.factory.links.broadcast(Side.CLIENT, message)

    def test_in_slices(self) -> None:
        """The first ones get it at once, the others in later turns, the oldest first, each once."""
        self.broadcast(b"one")
        got = self.got()
        served = got.index([])
        self.assertLessEqual(served, 6)
        self.assertEqual(got, [[b"one"]] * served + [[]] * (MANY - served))
        self.turns()
        self.assertEqual(self.got(), [[b"one"]] * MANY)
        self.assertEqual(self.here.clock.getDelayedCalls(), [])

    def test_when_sent(self) -> None:
        """It is told how many links get it, and when all of them have it; at once if nothing waits."""
        links = self.here.factory.links
        self.successResultOf(links.when_sent())
        self.assertEqual(links.broadcast(Side.CLIENT, b"one"), MANY)
        sent = [links.when_sent(), links.when_sent()]
        self.assertNoResult(sent[0])
        self.turns()
        for done in [*sent, links.when_sent()]:
            self.successResultOf(done)
        self.assertEqual(self.got(), [[b"one"]] * MANY)

    def test_order(self) -> None:
        """Broadcasts stay in order, and nothing that is sent or relayed later overtakes them."""
        self.broadcast(b"one", b"two")
        self.pairs[-1].link.send_to_client(b"own")
        self.pairs[-2].server.dataReceived(frame(b"relayed"))
        self.broadcast(b"three")
        self.here.factory.links.broadcast(Side.SERVER, b"to servers")
        self.assertEqual(self.got()[-3:], [[], [b"one", b"two", b"relayed"], [b"one", b"two", b"own"]])
        self.turns()
        self.assertEqual(self.got()[:-2], [[b"one", b"two", b"three"]] * (MANY - 2))
        self.assertEqual(self.got()[-1], [b"one", b"two", b"own", b"three"])
        self.assertEqual(self.got(Side.SERVER), [[b"to servers"]] * MANY)

    def test_closing(self) -> None:
        """A link that is closed behind a broadcast sends it first."""
        self.broadcast(b"bye")
        self.pairs[-1].close()
        self.assertEqual(self.got()[-2:], [[], [b"bye"]])
        self.turns()

    def test_shutdown(self) -> None:
        """So do all when the repeater is shut down."""
        self.broadcast(b"bye")
        over = self.here.factory.links.close_all()
        self.turns()
        self.successResultOf(over)
        self.assertEqual(self.got(), [[b"bye"]] * MANY)

    def test_gone(self) -> None:
        """Links that end before it is their turn are skipped."""
        self.broadcast(b"one")
        for pair in self.pairs[10:20]:
            pair.abort()
        self.turns()
        self.assertEqual(self.got(), [[b"one"]] * 10 + [[]] * 10 + [[b"one"]] * 10)

    def test_from_a_filter(self) -> None:
        """For the link whose filter broadcasts, the message has its place among those that the filter sees."""

        def announce(message: bytes, link: Any) -> Any:
            if message == b"b":
                self.here.factory.links.broadcast(Side.SERVER, b"one")
                self.here.factory.links.broadcast(Side.SERVER, b"two")
            return PASS_ON

        self.here.factory.replace_filters({"to_server_filter": announce})
        self.here.factory.links.broadcast(Side.SERVER, b"before")
        self.pairs[-1].client.dataReceived(frame(b"a") + frame(b"b") + frame(b"c"))
        self.assertEqual(self.got(Side.SERVER)[-2:], [[], [b"before", b"a", b"one", b"two", b"b", b"c"]])
        self.turns()
        self.assertEqual(self.got(Side.SERVER)[:-1], [[b"before", b"one", b"two"]] * (MANY - 1))

    def test_unencodable_from_a_filter(self) -> None:
        """What cannot be encoded is told for every link, also for that whose filter broadcasts."""

        def announce(message: bytes, link: Any) -> Any:
            self.here.factory.links.broadcast(Side.SERVER, 7)
            return PASS_ON

        self.here.factory.replace_filters({"to_server_filter": announce})
        self.pairs[-1].client.dataReceived(frame(b"a"))
        self.turns()
        told = [(name, type(error)) for name, _, error in self.here.calls.errors]
        self.assertEqual(sorted(told), sorted((f"client {number}", MarshalingError) for number in range(MANY)))
        self.assertEqual(self.got(Side.SERVER)[-1], [b"a"])

    def test_by_an_error(self) -> None:
        """A broadcast may lead to another, which comes behind it everywhere."""
        self.here.factory.application.callbacks.on_error = lambda link, side, error: self.broadcast(b"more")
        self.here.factory.links.broadcast(Side.CLIENT, 7)
        self.turns()
        self.assertEqual(self.got(), [[b"more"] * MANY] * MANY)

    def test_too_many(self) -> None:
        """An application that doesn't stop broadcasting is made to wait rather than fill the memory."""
        messages = [b"%d" % number for number in range(MAX_POSTPONED + 10)]
        self.broadcast(*messages)
        for got in self.got():
            self.assertGreater(len(got), 9)
        self.turns()
        self.assertEqual(self.got(), [messages] * MANY)

    def test_bug(self) -> None:
        """A connection on which writing raises is logged, and keeps nothing from the others."""

        def write(data: bytes) -> None:
            raise RuntimeError("no")

        for number in (0, 20):
            self.patch(self.pairs[number].client.transport, "writeSomeData", write)
        self.broadcast(b"one")
        self.turns()
        self.assertEqual(self.got().count([b"one"]), MANY - 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.broadcast(b"two")
        self.turns()
        self.assertEqual(self.got().count([b"one", b"two"]), MANY - 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_interrupted(self) -> None:
        """An interruption goes through; the next broadcast finds the way to everybody."""

        def write(data: bytes) -> None:
            raise KeyboardInterrupt

        transport = self.pairs[0].client.transport
        transport.writeSomeData, write = write, transport.writeSomeData
        self.assertRaises(KeyboardInterrupt, self.broadcast, b"one")
        transport.writeSomeData = write
        self.broadcast(b"two")
        self.turns()
        self.assertEqual(self.got()[1:], [[b"one", b"two"]] * (MANY - 1))


class ManyEndTests(ManyLinksCase):
    """The end of many links at once."""

    def test_in_slices(self) -> None:
        """They are closed in several turns of the reactor."""
        self.link_many()
        self.here.server.hello = None
        attempts = [self.here.connect(f"newcomer {number}") for number in range(MANY)]
        self.let_time_pass()
        over = self.here.factory.links.close_all()
        self.assertFalse(any(pair.closing for pair in self.pairs))
        refused = len(self.here.calls.refusals)
        self.assertTrue(0 < refused < MANY)
        self.assertNoResult(over)
        self.turns()
        self.successResultOf(over)
        self.assertEqual(len(self.here.calls.refusals), MANY)
        for peer in (*attempts, *(peer for peers in self.peers for peer in peers)):
            self.assertFalse(peer.open)

    def test_ended_meanwhile(self) -> None:
        """An attempt that ends while others are being ended is told of once."""
        refused: list[str | None] = []

        def on_connecting_error(name: str | None, *arguments: Any) -> None:
            refused.append(name)
            if name == "first":
                second.abort()

        self.link_many(on_connecting_error=on_connecting_error)
        self.here.server.hello = None
        first, second = (self.here.connect(name) for name in ("first", "second"))
        over = self.here.factory.links.close_all()
        self.turns()
        self.successResultOf(over)
        self.assertEqual(sorted(map(str, refused)), ["first", "second"])
        self.assertFalse(first.open)

    def test_bug(self) -> None:
        """A link that fails to close is logged, and keeps no other from being closed."""
        self.link_many()
        broken = self.pairs[3]
        close = Pair.close
        failures = [RuntimeError("no")]

        def fail_once(link: Pair, reason: Any = None) -> None:
            if link is broken and failures:
                raise failures.pop()
            close(link, reason)

        self.patch(Pair, "close", fail_once)
        over = self.here.factory.links.close_all()
        self.turns()
        self.assertEqual(list(self.here.factory.links), [broken])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        broken.close()
        self.turns()
        self.successResultOf(over)


class EndTests(MemoryCase):
    """The end of everything."""

    def test_links_in_every_state(self) -> None:
        """Every link and every attempt ends, whatever it is about; each attempt is told of, once."""
        world = self.memory(answers=False, limits=Limits(max_clients=4), on_connect=self.waits_for_dave)
        waits, _ = world.connect(None), world.connect(None)
        world.linked("alice")
        world.connect("bob")
        half, _ = world.linked("carol")
        half.abort()
        world.connect("dave")
        world.answer()
        world.say(waits, "erin")
        world.calls.clear()
        ended = world.factory.links.close_all()
        world.settle()
        self.successResultOf(ended)
        self.assertEqual(
            sorted(world.calls.refusals, key=repr),
            sorted([(name, RepeaterClosed) for name in (None, "bob", "dave", "erin")], key=repr),
        )
        self.assertFalse([peer for peer in (*world.clients, *world.server.connections) if peer.open])

    def test_abort_all(self) -> None:
        """Aborting ends links, also one that waits for a verdict, and attempts, with no time passing."""
        world = self.memory(on_connect=self.waits_for_dave, to_server_filter=lambda message, link: Deferred())
        world.connect(None)
        linked, _ = world.linked("alice")
        linked.send(b"wait")
        world.connect("dave")
        world.calls.clear()
        world.factory.links.abort_all()
        world.settle()
        self.assertEqual([kind for _, kind in world.calls.refusals], [RepeaterClosed, RepeaterClosed])
        world.connect("bob")
        self.assertFalse([peer for peer in (*world.clients, *world.server.connections) if peer.open])

    @staticmethod
    def waits_for_dave(link: Any) -> Any:
        """Consider only one client."""
        return Deferred() if link.client_name == "dave" else None

    def test_nobody_new(self) -> None:
        """Nobody is accepted after that."""
        world = self.memory()
        self.successResultOf(world.factory.links.close_all())
        self.assertFalse(world.connect().open)

    def test_waits_for_the_last_connection(self) -> None:
        """It is over when the last connection is gone, and not before."""
        world = self.memory()
        alice, _ = world.linked("alice")
        transport = world.pair(alice).client.transport
        lost, transport.connectionLost = transport.connectionLost, lambda reason: None
        ended = world.factory.links.close_all()
        world.settle()
        self.assertNoResult(ended)
        lost(Failure(ConnectionDone()))
        self.successResultOf(ended)

    def test_lost_later(self) -> None:
        """A refused client whose connection lingers is waited for as well, and no longer than it may take to close."""
        world = self.memory(is_client_allowed=lambda name: False)
        client = world.connect(None)
        transport = world.pair(client).client.transport
        transport.loseConnection = lambda: None
        world.say(client, "alice")
        self.assertEqual(len(world.factory.links), 1)
        self.assertTrue(client.open)
        world.advance(5)
        self.assertFalse(client.open)


class WatchedTests(MemoryCase):
    """When watchers are told of links, and of messages to all."""

    def test_links(self) -> None:
        """They are told of a link before it relays, of its end, and of a client that could not be linked."""

        class Watcher:
            told: ClassVar[list[str]] = []

            def __getattr__(self, name: str) -> Any:
                return lambda *arguments: self.told.append(name)

        world = self.memory(is_client_allowed=lambda name: name == "ann")
        world.repeater.watch(Watcher(), links=lambda link: True)
        client, server = world.linked("ann")
        world.repeater.send_to_all_clients(b"all")
        client.send(b"x")
        world.link(client).close()
        world.settle()
        world.connect("eve")
        opening = ["message_watched"] * 4
        self.assertEqual(
            Watcher.told,
            ["link_made", *opening, *["message_watched"] * 2, "link_ended", "message_watched", "link_refused"],
        )
        self.assertTrue(server.received_bytes)
