"""All links: how they begin, what is sent to all, how all end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from twisted_repeater import (
    LEFT_OUT,
    PASS_ON,
    Limits,
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

from ..peers import (
    SERVER_NAME,
    frame,
    hello,
)
from .memory_case import MemoryCase


class NamesOfTheRepeaterTests(MemoryCase):
    """What every hello of the repeater says."""

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
    """What nobody thought of, on a link that was made."""

    def test_closed(self) -> None:
        """A link that fails as it begins to relay is logged and closed, both sides; others are not."""

        world = self.memory()
        bystander, bystander_server = self.linked(world, "bystander")
        self.patch(world.factory.application, "link_made", lambda link: 1 // 0)
        client = world.connect(hello("alice") + frame(b"one"))
        server = world.servers[-1]
        server.dataReceived(hello(SERVER_NAME))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        world.clock.advance(5)
        self.assertFalse(client.transport.connected or server.transport.connected)
        bystander.dataReceived(frame(b"two"))
        self.assertEqual(bystander_server.transport.value(), frame(b"two"))


class BroadcastTests(MemoryCase):
    """One message for many."""

    def test_each_side(self) -> None:
        """A message goes to one side of every link, and to nobody whose link is not made."""
        world = self.memory()
        pairs = [self.linked(world, name) for name in ("alice", "bob")]
        attempt = world.connect(hello("carol"))
        sent = world.servers[-1].transport.value()
        world.factory.links.broadcast(Side.CLIENT, b"to clients")
        world.factory.links.broadcast(Side.SERVER, b"to servers")
        for client, server in pairs:
            self.assertEqual(client.transport.value(), frame(b"to clients"))
            self.assertEqual(server.transport.value(), frame(b"to servers"))
        self.assertEqual((attempt.transport.value(), world.servers[-1].transport.value()), (b"", sent))

    def test_gone_sides_are_skipped(self) -> None:
        """A side that is gone is skipped, its link's other side is not, nor are other links."""
        world = self.memory()
        pairs = [self.linked(world, name) for name in ("alice", "bob")]
        pairs[0][0].transport.loseConnection()
        world.factory.links.broadcast(Side.CLIENT, b"to clients")
        world.factory.links.broadcast(Side.SERVER, b"to servers")
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
        world.factory.links.broadcast(Side.CLIENT, b"LOUD")
        self.assertEqual(encoded, ["older", 1, 2])
        world.factory.links.broadcast(Side.CLIENT, b"NEW")  # which version 1 lacks
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
        world.factory.links.broadcast(Side.CLIENT, "no bytes")
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
            self.here.factory.links.broadcast(Side.CLIENT, message)

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
        self.pairs[-1][0].link.link.send_to_client(b"own")
        self.pairs[-2][1].dataReceived(frame(b"relayed"))
        self.broadcast(b"three")
        self.here.factory.links.broadcast(Side.SERVER, b"to servers")
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
        over = self.here.factory.links.close_all()
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
                self.here.factory.links.broadcast(Side.SERVER, b"one")
                self.here.factory.links.broadcast(Side.SERVER, b"two")
            return PASS_ON

        self.here.factory.replace_filters({"to_server_filter": announce})
        self.here.factory.links.broadcast(Side.SERVER, b"before")
        self.pairs[-1][0].dataReceived(frame(b"a") + frame(b"b") + frame(b"c"))
        expected = [b"before", b"a", b"one", b"two", b"b", b"c"]
        self.assertEqual(self.got(Side.SERVER)[-1], b"".join(map(frame, expected)))
        self.assertEqual(self.got(Side.SERVER)[-2], b"")
        self.turns()
        self.assertEqual(self.got(Side.SERVER)[:-1], [b"".join(map(frame, [b"before", b"one", b"two"]))] * (MANY - 1))

    def test_unencodable_from_a_filter(self) -> None:
        """What cannot be encoded is told for every link, also for that whose filter broadcasts."""

        def announce(message: bytes, link: Any) -> Any:
            self.here.factory.links.broadcast(Side.SERVER, 7)
            return PASS_ON

        self.here.factory.replace_filters({"to_server_filter": announce})
        self.pairs[-1][0].dataReceived(frame(b"a"))
        self.turns()
        told = [(name, type(error)) for _, name, _, error in self.here.calls]
        self.assertEqual(sorted(told), sorted((f"client {number}", MarshalingError) for number in range(MANY)))
        self.assertEqual(self.got(Side.SERVER)[-1], frame(b"a"))

    def test_by_an_error(self) -> None:
        """A broadcast may lead to another, which comes behind it everywhere."""
        self.here.factory.application.callbacks.on_error = lambda link, side, error: self.broadcast(b"more")
        self.here.factory.links.broadcast(Side.CLIENT, 7)
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
        over = self.here.factory.links.close_all()
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
        self.here.factory.application.callbacks.on_connecting_error = on_connecting_error
        self.successResultOf(self.here.factory.links.close_all())
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
        over = self.here.factory.links.close_all()
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
        ended = world.factory.links.close_all()
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
        world.factory.links.abort_all()
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
        self.successResultOf(world.factory.links.close_all())
        self.assertIsNone(world.connect())

    def test_waits_for_the_last_connection(self) -> None:
        """It is over when the last connection is gone, and not before."""
        world = self.memory()
        alice, _ = self.linked(world, "alice")
        alice.transport.loseConnection = lambda: None
        ended = world.factory.links.close_all()
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
