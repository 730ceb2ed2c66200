"""The debugger of a process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, Direction
from twisted_repeater._link.link import pair_of
from twisted_repeater.service.admin import debugger
from twisted_repeater.service.admin.answers import ApiError
from twisted_repeater.service.admin.criteria import Criteria
from twisted_repeater.service.admin.debugger import MOST_STREAMS, clock_of
from twisted_repeater.testing import MemoryRepeater

from .debugged import Debugging


class StreamsTests(SynchronousTestCase):
    """How many streams there may be."""

    def test_ninth(self) -> None:
        """Eight streams may be open; the ninth is refused until one of them goes, but one that comes back is not."""
        it = Debugging()
        streams = [it.stream() for _ in range(MOST_STREAMS)]
        error = self.assertRaises(ApiError, it.stream)
        self.assertEqual(
            (error.status, error.error), (503, "8 streams are open, and there may be no more; close a page")
        )
        first, listening = streams[0]
        self.assertIs(it.stream(first.id)[0], first)
        first.detach(listening)  # of the connection that was replaced
        self.assertTrue(first.attached)
        streams[1][0].detach(streams[1][1])
        it.stream()
        error = self.assertRaises(ApiError, it.stream, streams[1][0].id)
        self.assertEqual(error.status, 503)

    def test_waiting(self) -> None:
        """So many may wait for their connections to come back; the first one goes when there is another."""
        it = Debugging()
        for _ in range(MOST_STREAMS + 2):
            stream, listening = it.stream()
            it.rule(stream.id)
            stream.detach(listening)
        self.assertEqual(len(it.debugged.rules.list()), MOST_STREAMS)

    def test_no_stream(self) -> None:
        """A stream that is not there is an error; an id cannot be guessed."""
        it = Debugging()
        self.assertEqual(self.assertRaises(ApiError, it.debugger.stream, "x").status, 404)
        stream, _ = it.stream("x")
        self.assertRegex(stream.id, "^[0-9a-f]{16}$")
        self.assertIs(it.debugger.stream(stream.id), stream)


class RepeatersTests(SynchronousTestCase):
    """What belongs to which repeater."""

    def test_held_in_pieces(self) -> None:
        """What is held is described message by message, and one that goes on meanwhile is left out."""
        it = Debugging()
        stream, _ = it.stream()
        it.rule(stream.id)
        self.assertEqual(json.loads(b"".join(it.debugger.held_in_pieces("edge"))), {"held": []})
        for name in ("ann", "bob", "eve"):
            it.world.connect(name).send(b"1")
        pieces = it.debugger.held_in_pieces("edge")
        written = [next(pieces)]
        it.settle(it.held[1])
        written += pieces
        found = json.loads(b"".join(written))["held"]
        self.assertEqual([each["message"]["client"] for each in found], ["ann", "eve"])

    def test_release_in_pieces(self) -> None:
        """While much is released, links may end, others may settle messages, and new ones come: each counts once."""
        it = Debugging()
        it.rule("s")
        for name in ("ann", "bob", "eve", "joe"):
            it.world.connect(name).send(b"1", b"2")
        steps: list[Iterator[object]] = []
        done: Deferred[None] = Deferred()

        def in_slices(clock: object, made: Iterator[object]) -> Deferred[None]:
            steps.append(made)
            return done

        self.patch(debugger, "in_slices", in_slices)
        released = it.debugger.release_matching(it.debugged, Criteria(), None)
        next(steps[0])
        bob, eve = (item for item in it.held if item.message.link.client_name in ("bob", "eve"))
        pair_of(bob.message.link).abort()
        it.settle(eve, "dropped", DROP)
        self.assertEqual(len(list(steps[0])), 3)
        done.callback(None)
        it.world.settle()
        self.assertEqual(self.successResultOf(released), 2)
        self.assertEqual({item.message.message for item in it.held}, {b"2"})
        it.world.server["joe"].expect(b"1")
        it.world.server["eve"].expect()

    def test_another(self) -> None:
        """If another repeater gets the name of one that was removed, nothing of that is left."""
        it = Debugging()
        stream, _ = it.stream()
        it.rule(stream.id)
        before = it.debugged
        self.assertIs(it.debugged, before)
        it.running.repeater = MemoryRepeater(observers=it.running.observers).repeater
        self.assertIsNot(it.debugged, before)
        self.assertEqual((before.rules.list(), it.running.errors.listeners), ([], [it.debugged]))
        self.assertIsNot(it.stream(stream.id)[0], stream)
        before.stop()

    def test_observer(self) -> None:
        """It hears of links and errors as an observer does."""
        it = Debugging()
        stream, listening = it.stream()
        it.world.connect("ann").abort()
        it.world.connect("eve", mode="other")
        it.world.advance(60)
        stream.detach(listening)
        names = ("link_made", "link_ended", "link_refused")
        self.assertEqual([len(listening.events(name)) for name in names], [1, 1, 1])
        self.assertEqual(listening.events("error")[0]["client"], "ann")
        it.debugger.tell("another", "error", {})
        self.assertEqual(listening.events("link_refused")[0]["client"], "eve")
        link: Any = SimpleNamespace()
        it.debugged.relayed(link, Direction.TO_SERVER, 1, 2)


class EndTests(SynchronousTestCase):
    """What happens when the process is drained, and when the administration ends."""

    def test_drain(self) -> None:
        """All that is held is released first, in order, and nothing more is held; streams stay."""
        it = Debugging()
        stream, listening = it.stream()
        it.rule(stream.id)
        clients = [it.world.connect(name) for name in ("ann", "bob")]
        for client in clients:
            client.send(b"1", b"2")
        self.assertEqual(it.context.held("edge"), 2)
        it.context.release_held()
        it.world.settle()
        for name in ("ann", "bob"):
            it.world.server[name].expect(b"1", b"2")
        self.assertEqual([settled["how"] for settled in listening.events("settled")], ["owner gone"] * 2)
        self.assertTrue(it.debugger.closed and stream.attached)

    def test_drain_one(self) -> None:
        """If one repeater is drained, what the others hold stays held."""
        it = Debugging()
        it.rule("s")
        it.world.connect("ann").send(b"1")
        it.debugger.release("other")
        self.assertEqual((len(it.held), it.debugger.closed), (1, False))
        it.debugger.release("edge")
        self.assertEqual((len(it.held), it.debugger.closed), (0, False))

    def test_end(self) -> None:
        """When the administration ends, its streams end, too, and it hears nothing more."""
        it = Debugging()
        stream, listening = it.stream()
        it.rule(stream.id)
        it.world.connect("ann").send(b"1")
        for end in it.context.at_end:
            end()
        it.world.settle()
        it.world.server["ann"].expect(b"1")
        stream.end()
        self.assertTrue(listening.ended and not stream.attached)
        self.assertEqual(it.running.errors.listeners, [])

    def test_without_streams(self) -> None:
        """What is held is not described if nobody listens."""
        it = Debugging()
        it.rule("gone")
        self.patch(it.debugger, "shown", lambda item: 1 // 0)
        it.world.connect("ann").send(b"1")
        self.assertEqual(len(it.held), 1)

    def test_reactor(self) -> None:
        """Without a reactor, the one that runs is used."""
        self.assertIs(clock_of(None), reactor)
