"""Streams of events."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, Direction, dialects
from twisted_repeater.dialects.redis.messages import Command
from twisted_repeater.service.admin import streams as module
from twisted_repeater.service.admin.criteria import Criteria
from twisted_repeater.service.admin.shown import LARGEST
from twisted_repeater.service.admin.streams import GRACE, MOST_KEPT, PATIENCE
from twisted_repeater.watching import WatchedMessage

from .debugged import Debugging, Listening


class StreamCase(SynchronousTestCase):
    """A stream of a repeater with one link."""

    def begin(self, *arguments: Any, **options: Any) -> None:
        """Start it."""
        self.it = Debugging(*arguments, **options)
        self.client = self.it.world.connect("ann")
        self.stream, self.listening = self.it.stream()

    def shown(self) -> list[str]:
        """Return the messages that were shown since the last time."""
        return [shown["summary"] for shown in self.listening.take("message")]

    def choose(self, max_rate: int = 100, paused: bool = False, **criteria: Any) -> None:
        """Show something else."""
        self.stream.choose(Criteria(**criteria), max_rate, paused)


class ConnectionTests(StreamCase):
    """How a stream gets its connection and loses it."""

    def test_hello(self) -> None:
        """The first event says which stream it is."""
        it = Debugging()
        stream, listening = it.stream()
        hello = {"stream": stream.id, "epoch": stream.id, "repeater": "edge"}
        self.assertEqual(listening.events(), [("hello", hello)])
        self.assertTrue(listening.data.startswith(f"id: {stream.id}-1\n".encode()))
        self.assertTrue(stream.attached)

    def test_back_in_time(self) -> None:
        """A stream that comes back goes on with its rules, and is told to read the lists again."""
        self.begin()
        self.it.rule(self.stream.id)
        self.client.send(b"1")
        self.stream.detach(self.listening)
        self.it.world.advance(GRACE - 0.1)
        stream, listening = self.it.stream(self.stream.id)
        self.assertIs(stream, self.stream)
        self.assertEqual([name for name, _ in listening.events()], ["hello", "resync"])
        self.it.world.advance(20)
        self.assertEqual(len(self.it.held), 1)

    def test_gone(self) -> None:
        """15 seconds after its connection is gone, its rules go, and what they hold is released."""
        self.begin()
        self.it.rule(self.stream.id)
        other, listening = self.it.stream()
        self.client.send(b"1")
        self.stream.detach(self.listening)
        self.stream.detach(self.listening)  # its end may be noticed twice
        self.it.world.advance(GRACE - 0.1)
        self.assertEqual(len(self.it.held), 1)
        self.it.world.advance(0.1)
        self.it.world.server["ann"].expect(b"1")
        self.assertEqual(listening.events("settled"), [{"id": 1, "how": "owner gone"}])
        self.assertEqual(self.it.debugged.rules.list(), [])
        new, _ = self.it.stream(self.stream.id)
        self.assertNotIn(new, (self.stream, other))

    def test_replaced(self) -> None:
        """If it comes back before the end of its connection is noticed, that is ended."""
        self.begin()
        _, listening = self.it.stream(self.stream.id)
        self.assertTrue(self.listening.ended)
        self.stream.detach(self.listening)
        self.it.world.advance(GRACE + 1)
        self.assertTrue(self.stream.attached)
        self.assertTrue(listening.events("counts"))

    def test_not_watched(self) -> None:
        """While no stream has a connection, nobody watches the repeater."""
        self.begin()
        watches = self.it.world.repeater._factory.links.watches
        self.assertTrue(watches)
        self.stream.detach(self.listening)
        self.assertFalse(watches)
        self.client.send(b"1")
        self.it.debugger.tell("edge", "error", {})
        self.assertEqual((self.stream.seen, self.shown()), (0, []))
        self.stream.end()
        self.assertEqual(self.it.world.clock.getDelayedCalls(), [])

    def test_repeater_ends(self) -> None:
        """When the repeater is shut down, the stream ends; what it shows can be chosen until then."""
        self.begin()
        done = self.it.world.repeater.shutdown()
        with self.it.world.network.unsettled():
            self.stream.watch_ended()
            self.choose(client="bob")
        self.it.world.advance(60)
        self.successResultOf(done)
        self.it.world.advance(1)
        self.assertTrue(self.listening.ended)
        self.assertFalse(self.stream.attached)

    def test_comments(self) -> None:
        """There are counts each second, and a comment each ten seconds."""
        self.begin()
        self.client.send(b"1")
        self.it.world.advance(1)
        self.assertEqual(self.listening.take("counts"), [{"seen": 1, "shown": 1, "left_out": 0}])
        self.it.world.advance(9)
        self.assertEqual((len(self.listening.take("counts")), self.listening.comments), (9, 1))

    def test_not_read(self) -> None:
        """A client that reads nothing for 30 seconds loses its connection."""
        self.begin()
        self.listening.paused = True
        self.it.world.advance(PATIENCE - 1)
        self.assertFalse(self.listening.ended)
        self.it.world.advance(1)
        self.assertTrue(self.listening.ended)
        self.stream.detach(self.listening)
        self.it.world.advance(GRACE)
        self.assertEqual(self.it.world.clock.getDelayedCalls(), [])

    def test_lost_in_a_tick(self) -> None:
        """A connection may be lost when counts are written."""
        self.begin()
        self.listening.write = lambda data: self.stream.detach(self.listening)  # type: ignore[method-assign]
        self.it.world.advance(10)
        self.assertFalse(self.stream.attached)
        self.assertEqual(self.listening.comments, 0)


class ShowTests(StreamCase):
    """Which messages a stream shows."""

    def test_rate(self) -> None:
        """So many messages a second are shown at most, evenly; the others are counted."""
        self.begin()
        self.choose(max_rate=10)
        for _ in range(50):
            self.client.send(*[b"x"] * 10)
            self.it.world.advance(0.1)
        self.assertTrue(50 <= self.stream.shown <= 60, self.stream.shown)
        self.it.world.advance(1)
        counts = self.listening.events("counts")[-1]
        self.assertEqual(counts["seen"], 500)
        self.assertEqual(counts["left_out"], 500 - self.stream.shown)

    def test_burst(self) -> None:
        """After a quiet second, as many as for a second are shown at once."""
        self.begin()
        self.choose(max_rate=3)
        self.client.send(b"1", b"2", b"3", b"4")
        self.assertEqual(self.shown(), ["1", "2", "3"])
        self.it.world.advance(0.4)
        self.client.send(b"5", b"6")
        self.assertEqual(self.shown(), ["5"])

    def test_not_decoded(self) -> None:
        """A message that is left out is not decoded; with a type or a text it is looked at first."""
        self.begin(dialects.redis())
        self.choose(max_rate=1)
        self.client.send(*[Command("PING")] * 3)
        described: list[Any] = []
        self.patch(self.it.debugged.shower, "watched", lambda *arguments: described.append(arguments))
        self.client.send(*[Command("PING")] * 3)
        self.assertEqual(described, [])

    def test_paused(self) -> None:
        """A stream that is paused, or whose rate is 0, only counts."""
        self.begin()
        for more in ({"paused": True}, {"max_rate": 0}):
            self.choose(**more)
            self.client.send(b"x")
            self.assertEqual(self.shown(), [])
        self.choose()
        self.client.send(b"y")
        self.assertEqual((self.shown(), self.stream.seen), (["y"], 3))

    def test_criteria(self) -> None:
        """It shows messages of some clients, a direction, a type, with a text."""
        self.begin(dialects.redis())
        bob = self.it.world.connect()
        name = self.it.world.repeater.links()[1].client_name
        self.choose(client=name)
        self.client.send(Command("PING"))
        bob.send(Command("PING"))
        self.assertEqual(len(self.shown()), 1)
        self.choose(kind="get", direction="to_server")
        bob.send(Command("GET", "k"), Command("SET", "k", "v"))
        self.choose(text="zz")
        bob.send(Command("GET", "azz"), Command("GET", "a"))
        self.assertEqual(self.shown(), ["GET k", "GET azz"])
        self.choose(direction="to_client")
        bob.send(Command("GET", "k"))
        self.assertEqual(self.shown(), [])
        self.assertEqual(self.stream.state.direction, "to_client")

    def test_types_of_own(self) -> None:
        """Messages of the application have types; bytes of openings have none."""
        self.begin(dialects.redis())
        self.choose(kind="p*")
        self.it.world.repeater.links()[0].send_to_server(Command("PING"))
        self.it.world.settle()
        self.assertEqual(self.shown(), ["PING"])
        self.begin()
        self.choose(kind="*")
        self.it.world.connect("bob")
        self.assertEqual(self.shown(), [])

    def test_secret(self) -> None:
        """Nobody finds out a password by asking for messages that contain it."""
        self.begin(dialects.redis())
        self.choose(text="geheim")
        self.client.send(Command("AUTH", "geheim"))
        self.assertEqual(self.shown(), [])
        self.choose(text="AUTH")
        self.client.send(Command("AUTH", "geheim"))
        self.assertEqual(self.shown(), ["AUTH (redacted)"])

    def test_failing(self) -> None:
        """A message whose methods fail is of no type; Ctrl-C is not caught."""
        self.begin()
        self.choose(kind="x")
        for error in (RuntimeError, KeyboardInterrupt):

            def fail(message: object, error: type[BaseException] = error) -> bool:
                raise error

            self.patch(self.stream.criteria, "wants_type", fail)
            message = WatchedMessage(self.it.world.repeater.links()[0], Direction.TO_SERVER, 1e9)
            if error is RuntimeError:
                self.stream.message_watched(message)
            else:
                self.assertRaises(KeyboardInterrupt, self.stream.message_watched, message)

    def test_crowded(self) -> None:
        """For a client that reads slowly messages are left out, and no other events."""
        self.begin()
        self.listening.waiting = module.CROWDED + 1
        self.client.send(b"1")
        self.it.world.advance(1)
        self.assertEqual(self.listening.events("message"), [])
        self.assertEqual(self.listening.events("counts"), [{"seen": 1, "shown": 0, "left_out": 1}])

    def test_large(self) -> None:
        """So many bytes are decoded in a second."""
        self.patch(module, "MOST_DESCRIBED", 1000)
        self.begin()
        self.client.send(b"x" * 1000, b"y", b"z")
        self.assertEqual(len(self.shown()), 1)
        self.it.world.advance(1)
        self.client.send(b"y")
        self.assertEqual(self.shown(), ["y"])


class FullTests(StreamCase):
    """Messages that are kept."""

    def test_full(self) -> None:
        """All of a message that was shown can be seen, as long as it is kept."""
        self.begin()
        self.client.send(b"x" * 10_000, b"y" * (LARGEST + 1))
        found = self.stream.full(1)
        assert found is not None and found.bytes is not None
        self.assertEqual((found.bytes.cut, found.n), (False, 1))
        large = self.stream.full(2)
        assert large is not None and large.bytes is not None
        self.assertTrue(large.bytes.cut)
        self.assertIsNone(self.stream.full(3))

    def test_bounds(self) -> None:
        """So many messages are kept, and so many bytes."""
        self.begin()
        self.choose(max_rate=1000)
        for _ in range(2):
            self.client.send(*[b"x"] * 600)
            self.it.world.advance(1)
        self.assertEqual((self.stream.full(200), len(self.stream._kept)), (None, MOST_KEPT))
        self.client.send(b"y" * 900_000, b"y" * 900_000)
        self.it.world.advance(1)
        self.client.send(b"y" * 900_000, b"z" * 900_000)
        self.assertLess(len(self.stream._kept), 5)
        self.assertIsNotNone(self.stream.full(self.stream.shown))


class EventTests(StreamCase):
    """Other events."""

    def test_links(self) -> None:
        """Links that are made, refused and ended are events, and so are errors."""
        self.begin(is_client_allowed=lambda name: name != "eve", to_server_filter=lambda message, link: 5)
        bob = self.it.world.connect("bob")
        self.it.world.connect("eve")
        bob.send(b"x")
        self.it.world.advance(60)
        self.flushLoggedErrors()
        self.assertEqual([made["client"] for made in self.listening.events("link_made")], ["bob"])
        (refused,) = self.listening.events("link_refused")
        self.assertEqual((refused["client"], refused["error"].partition(":")[0]), ("eve", "ClientNotAllowed"))
        self.assertEqual(self.listening.events("error")[0]["client"], "bob")
        (ended,) = self.listening.events("link_ended")
        self.assertEqual((ended["client"], ended["link"]), ("bob", 2))
        self.assertIn("WrongVerdict", ended["reason"])
        self.client.abort()
        self.it.world.advance(60)
        self.assertEqual(self.listening.events("link_ended")[-1]["client"], "ann")

    def test_held(self) -> None:
        """What is held and settled is told to all streams of the repeater."""
        self.begin()
        _, other = self.it.stream()
        self.it.rule(self.stream.id)
        self.client.send(b"1", b"2")
        (held,) = other.events("held")
        self.assertEqual(
            (held["id"], held["message"]["summary"], held["left"], held["until"] - held["since"]), (1, "1", 60.0, 60.0)
        )
        self.assertEqual((held["behind_bytes"], held["behind_messages"], held["stream"]), (5, None, self.stream.id))
        self.it.settle(self.it.held[0], "dropped", DROP)
        for listening in (self.listening, other):
            self.assertEqual(listening.events("settled"), [{"id": 1, "how": "dropped"}])
        self.assertEqual([event["id"] for event in self.listening.events("held")], [1, 2])

    def test_held_shortly(self) -> None:
        """A message that goes on in the same turn is told of, too: first that it is held, then what became of it."""
        self.begin()
        rules = self.it.debugged.rules
        self.it.rule(self.stream.id)
        self.client.send(b"1")
        self.listening.data = b""
        held = self.it.debugger.held
        rule = next(iter(rules._rules.values()))
        waits = held.hold(rule, "edge", self.it.held[0].message)
        assert waits is not None
        held.settle(held.get("edge", 2), "released")
        self.it.world.settle()
        self.assertEqual([(name, data["id"]) for name, data in self.listening.events()], [("held", 2), ("settled", 2)])


class ListeningTests(SynchronousTestCase):
    """What these tests rely on."""

    def test_ended(self) -> None:
        """A connection that is ended says so."""
        listening = Listening()
        listening.end()
        self.assertTrue(listening.ended)
