"""Who is told of what, when somebody watches links."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import (
    DROP,
    PASS_ON,
    Close,
    ConnectingError,
    Direction,
    Origin,
    PassOnAndSendBack,
    Send,
    Side,
    Verdict,
    Watch,
    WatchedMessage,
)
from twisted_repeater._link.watching import OpeningNotes
from twisted_repeater.dialects import int32

from .memory_case import MemoryCase

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT


def frame(payload: bytes) -> bytes:
    """Return the frame of a payload."""
    return len(payload).to_bytes(4, "big") + payload


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[WatchedMessage] = []
        self.events: list[tuple[str, str]] = []
        self.ends: Deferred[None] | None = None
        self.ended = 0

    def message_watched(self, message: WatchedMessage) -> None:
        """See `IWatcher`."""
        self.messages.append(message)
        self.events.append((message.origin.value, message.link.client_name))

    def link_made(self, link: Any) -> None:
        """See `ILinkWatcher`."""
        self.events.append(("made", link.client_name))

    def link_ended(self, link: Any, reason: BaseException | None) -> None:
        """See `ILinkWatcher`."""
        self.events.append(("ended", link.client_name))

    def link_refused(self, link: Any, error: ConnectingError) -> None:
        """See `ILinkWatcher`."""
        self.events.append(("refused", type(error).__name__))

    def watch_ended(self) -> Deferred[None] | None:
        """See `ILinkWatcher`."""
        self.ended += 1
        return self.ends

    def of(self, origin: Origin) -> list[WatchedMessage]:
        """Return the messages of an origin."""
        return [message for message in self.messages if message.origin is origin]


def judge(message: bytes, link: Any) -> Verdict:
    """Decide by the first letter of a message."""
    verdicts: dict[bytes, Verdict] = {
        b"d": DROP,
        b"s": Send(b"one", b"two"),
        b"a": PassOnAndSendBack([b"answer"]),
        b"c": Close(forward=[b"last"]),
    }
    return verdicts.get(message[:1], PASS_ON)


class WatchingTests(MemoryCase):
    """What a watcher sees."""

    def test_messages(self) -> None:
        """A watcher sees each message with its number, its verdict, and the bytes that went out on each leg."""
        world = self.memory(to_server_filter=judge)
        watcher = Watcher()
        world.repeater.watch(watcher)
        client, server = world.linked("ann")
        world.advance(3)
        client.send(b"pass", b"drop", b"send", b"answer", b"close")
        seen = watcher.of(Origin.MESSAGE)
        self.assertEqual([each.number for each in seen], [1, 2, 3, 4, 5])
        self.assertEqual([each.message for each in seen], [b"pass", b"drop", b"send", b"answer", b"close"])
        self.assertEqual([each.frame for each in seen], [frame(each.payload) for each in seen])
        self.assertEqual([each.verdict for each in seen], [judge(each.payload, None) for each in seen])
        self.assertEqual({(each.direction, each.time, each.by_filter) for each in seen}, {(TO_SERVER, 3.0, True)})
        self.assertEqual(
            [each.to_server for each in seen],
            [frame(b"pass"), b"", frame(b"one") + frame(b"two"), frame(b"answer"), frame(b"last")],
        )
        self.assertEqual([each.to_client for each in seen], [b"", b"", b"", frame(b"answer"), b""])
        self.assertTrue(server.received_bytes.endswith(b"".join(each.to_server for each in seen)))

    def test_late_verdict(self) -> None:
        """A message whose verdict comes later is told of then, with the time that the verdict took."""
        answers: list[Deferred[Verdict]] = []

        def later(message: bytes, link: Any) -> Deferred[Verdict]:
            answers.append(Deferred())
            return answers[-1]

        world = self.memory(to_server_filter=later)
        watcher = Watcher()
        world.repeater.watch(watcher)
        client, _ = world.linked("ann")
        client.send(b"a", b"b")
        world.advance(2)
        self.assertEqual(watcher.of(Origin.MESSAGE), [])
        answers[0].callback(Send(b"x"))
        world.settle()
        (message,) = watcher.of(Origin.MESSAGE)
        self.assertEqual((message.took, message.number, message.to_server), (2.0, 1, frame(b"x")))

    def test_verdict_never_came(self) -> None:
        """A message whose link ends before the verdict is there is told of without one."""
        world = self.memory(to_server_filter=lambda message, link: Deferred())
        watcher = Watcher()
        world.repeater.watch(watcher)
        client, _ = world.linked("ann")
        client.send(b"a")
        world.pair(client).abort()
        world.settle()
        (message,) = watcher.of(Origin.MESSAGE)
        self.assertEqual((message.verdict, message.frame, message.to_server), (None, frame(b"a"), b""))
        self.assertEqual(watcher.events[-2:], [("message", "ann"), ("ended", "ann")])

    def test_opening(self) -> None:
        """What the opening has read and sent comes right after the link was made, with the times of then."""
        world = self.memory()
        watcher = Watcher()
        world.repeater.watch(watcher)
        world.advance(1)
        world.linked("ann")
        self.assertEqual(watcher.events, [("made", "ann"), *[("opening", "ann")] * 4])
        read_from_client, sent_to_server, read_from_server, sent_to_client = watcher.of(Origin.OPENING)
        self.assertIn(b'"name":"ann"', sent_to_server.to_server)
        self.assertIn(b'"name":', sent_to_client.to_client)
        self.assertEqual((read_from_client.direction, read_from_server.direction), (TO_SERVER, TO_CLIENT))
        self.assertTrue(read_from_client.frame)
        self.assertEqual((read_from_server.to_server, read_from_server.to_client), (b"", b""))
        self.assertEqual((read_from_client.time, read_from_client.message), (1.0, None))

    def test_refused(self) -> None:
        """A client that cannot be linked is told of, with what its opening read and with its last words."""
        world = self.memory(
            dialect=int32().changed(refusal=lambda error, attempt: b"no"), is_client_allowed=lambda name: False
        )
        watcher = Watcher()
        world.repeater.watch(watcher)
        world.connect("ann")
        world.settle()
        self.assertEqual(watcher.events, [("opening", "ann"), ("opening", "ann"), ("refused", "ClientNotAllowed")])
        self.assertEqual(watcher.messages[1].to_client, b"no")
        wordless = self.memory(is_client_allowed=lambda name: False)
        wordless.repeater.watch(watcher)
        wordless.connect("bob")
        self.assertEqual(watcher.events[-2:], [("opening", "bob"), ("refused", "ClientNotAllowed")])

    def test_own_messages(self) -> None:
        """Messages of the application and of the dialect are marked as such, one to all clients, too."""
        dialect = int32().changed(farewell=lambda reason, link: frame(b"bye"))
        early = self.memory(dialect=dialect, on_connect=lambda link: link.send_to_server(b"early"))
        watcher = Watcher()
        early.repeater.watch(watcher)
        client, _ = early.linked("ann")
        early.link(client).send_to_client(b"one")
        early.repeater.send_to_all_clients(b"all")
        early.link(client).close()
        early.settle()
        own = watcher.of(Origin.OWN)
        self.assertEqual([each.to_server for each in own], [frame(b"early"), b"", b"", b""])
        self.assertEqual([each.to_client for each in own], [b"", frame(b"one"), frame(b"all"), frame(b"bye")])
        self.assertEqual({(each.verdict, each.number, each.frame) for each in own}, {(None, 0, b"")})

    def test_large_opening(self) -> None:
        """Of an opening, a limited number of bytes is kept for watchers."""
        notes = OpeningNotes()
        notes.add(0, TO_SERVER, received=b"a" * 1024 * 1024)
        notes.add(0, TO_SERVER, received=b"b")
        world = self.memory()
        client, _ = world.linked("ann")
        self.assertEqual([len(each.frame) for each in notes.messages(world.link(client))], [1024 * 1024])


class ChoiceTests(MemoryCase):
    """Which links are watched, and for how long."""

    def test_which_links(self) -> None:
        """A watch is of all links, of a name, of several names, or of those that a function chooses."""
        for links, expected in (
            (None, ["ann", "bob", "eve"]),
            ("ann", ["ann"]),
            (["bob", "eve"], ["bob", "eve"]),
            (lambda link: link.client_name > "b", ["bob", "eve"]),
        ):
            world = self.memory()
            watcher = Watcher()
            before, _ = world.linked("ann")
            world.repeater.watch(watcher, links=links)
            clients = [before, *(world.linked(name)[0] for name in ("bob", "eve"))]
            for client in clients:
                client.send(b"x")
            self.assertEqual([each.link.client_name for each in watcher.of(Origin.MESSAGE)], expected)

    def test_unwatched_pass_fast(self) -> None:
        """A link that nobody watches has the setup that it has without any watch; it has that again afterwards."""
        world = self.memory()
        ann, _ = world.linked("ann")
        bob, _ = world.linked("bob")
        without = [lane.setup for lane in world.pair(bob).lanes]
        watch = world.repeater.watch(Watcher(), links="ann")
        self.assertEqual([lane.setup.sees_all for lane in world.pair(ann).lanes], [True, True])
        self.assertEqual([lane.setup for lane in world.pair(bob).lanes], without)
        watch.stop()
        watch.stop()
        self.assertEqual([lane.setup for lane in world.pair(ann).lanes], without)

    def test_function(self) -> None:
        """A watcher may be a function; it is told of messages only, and its end needs nobody."""
        seen: list[WatchedMessage] = []
        world = self.memory()
        watch = world.repeater.watch(seen.append)
        client, _ = world.linked("ann")
        client.send(b"x")
        self.assertEqual([each.message for each in seen if each.origin is Origin.MESSAGE], [b"x"])
        watch.stop()
        client.send(b"y")
        self.assertEqual(seen[-1].payload, b"x")

    def test_two_watches(self) -> None:
        """Two watches of a link see the same; to end one does not end the other."""
        world = self.memory()
        first, second = Watcher(), Watcher()
        watch = world.repeater.watch(first)
        world.repeater.watch(second)
        client, _ = world.linked("ann")
        client.send(b"x")
        watch.stop()
        client.send(b"y")
        self.assertEqual([each.payload for each in first.of(Origin.MESSAGE)], [b"x"])
        self.assertEqual([each.payload for each in second.of(Origin.MESSAGE)], [b"x", b"y"])

    def test_stopped_by_another(self) -> None:
        """A watch that is stopped by another watcher is told nothing more, at once."""
        world = self.memory()
        last = Watcher()
        watch: Watch

        def stop(message: WatchedMessage) -> None:
            watch.stop()

        world.repeater.watch(stop)
        watch = world.repeater.watch(last)
        client, _ = world.linked("ann")
        client.send(b"x")
        self.assertEqual(last.messages, [])

    def test_unmade(self) -> None:
        """A link that is being made when a watch begins is watched when it is made."""
        answer: Deferred[bool] = Deferred()
        world = self.memory(is_client_allowed=lambda name: answer)
        client = world.connect("ann")
        world.settle()
        watcher = Watcher()
        world.repeater.watch(watcher)
        self.assertEqual(watcher.events, [])
        answer.callback(True)
        world.settle()
        client.send(b"x")
        self.assertEqual(watcher.events[-1], ("message", "ann"))

    def test_new_name(self) -> None:
        """A link that gets another name is watched from then on by those who want that name."""
        world = self.memory()
        watcher = Watcher()
        world.repeater.watch(watcher, links="eve")
        client, _ = world.linked("ann")
        client.send(b"x")
        self.successResultOf(world.link(client).identify("eve"))
        client.send(b"y")
        self.assertEqual([each.payload for each in watcher.messages], [b"y"])

    def test_wrong_arguments(self) -> None:
        """A watcher or a choice of links of another kind is refused."""
        world = self.memory()
        error = self.assertRaises(TypeError, world.repeater.watch, 5)
        self.assertEqual(str(error), "a watcher must be a function or have a method message_watched, not 5")
        error = self.assertRaises(TypeError, world.repeater.watch, print, links=[5])
        self.assertEqual(str(error), "links must be None, names of clients or a function of a link, not [5]")


class EndTests(MemoryCase):
    """How watches end, and what a watcher can do to its links."""

    def test_watcher_raises(self) -> None:
        """A watcher that raises is stopped, the error is logged, and the message goes on its way."""

        class Bad(Watcher):
            def __init__(self, method: str) -> None:
                super().__init__()
                setattr(self, method, self.fail)

            def fail(self, *arguments: object) -> None:
                raise ZeroDivisionError

        for method in ("message_watched", "link_made", "link_ended"):
            world = self.memory()
            watcher = Bad(method)
            world.repeater.watch(watcher)
            client, server = world.linked("ann")
            client.send(b"x")
            self.assertTrue(server.received_bytes.endswith(frame(b"x")))
            world.link(client).close()
            world.settle()
            self.assertEqual(watcher.ended, 1)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_function_raises(self) -> None:
        """The same is true of a function, and of one that chooses links."""
        world = self.memory()
        world.repeater.watch(lambda message: 1 / 0)
        world.repeater.watch(print, links=lambda link: 1 / 0)
        client, server = world.linked("ann")
        client.send(b"x")
        self.assertTrue(server.received_bytes.endswith(frame(b"x")))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertFalse(world.factory.links.watches)

    def test_ctrl_c(self) -> None:
        """Ctrl-C in a watcher is not taken for its failure."""
        world = self.memory()
        watches = world.factory.links.watches
        client, _ = world.linked("ann")
        pair = world.pair(client)

        def interrupt(*arguments: object) -> None:
            raise KeyboardInterrupt

        watcher = Watcher()
        watcher.message_watched = watcher.link_ended = interrupt  # type: ignore[assignment,method-assign]
        watch = watches.add(watcher, None)
        self.assertRaises(KeyboardInterrupt, watch.tell, "link_ended", world.link(client), None)
        self.assertRaises(KeyboardInterrupt, watches.own_sent, pair, Side.CLIENT, b"")
        watch.stop()
        choosy = Watch(watches, print, interrupt)
        self.assertRaises(KeyboardInterrupt, choosy.wants, world.link(client))

    def test_hold(self) -> None:
        """A watch that is held stops the reading of its links, of new ones, too; released, all that waited comes."""
        world = self.memory(on_error=lambda *arguments: None)
        watcher = Watcher()
        watch = world.repeater.watch(watcher, links=lambda link: link.client_name != "free")
        ann, ann_server = world.linked("ann")
        other, _ = world.linked("other")
        free, free_server = world.linked("free")
        watch.hold()
        watch.hold()
        ann.send(b"x")
        bob, bob_server = world.linked("bob")
        bob.send(b"y")
        self.assertEqual((watch.held, watcher.of(Origin.MESSAGE)), (True, []))
        free.send(b"free")
        self.assertTrue(free_server.received_bytes.endswith(frame(b"free")))
        world.pair(other).server.abort()
        world.settle()
        watch.release()
        watch.release()
        world.settle()
        self.assertEqual({each.payload for each in watcher.of(Origin.MESSAGE)}, {b"x", b"y"})
        self.assertTrue(ann_server.received_bytes.endswith(frame(b"x")))
        self.assertTrue(bob_server.received_bytes.endswith(frame(b"y")))
        watch.hold()
        watch.stop()
        self.assertFalse(watch.held)
        ann.send(b"z")
        self.assertTrue(ann_server.received_bytes.endswith(frame(b"z")))
        watch.hold()
        self.assertFalse(watch.held)

    def test_shutdown_waits(self) -> None:
        """A shutdown ends watches after all links, and waits until the watcher has done its work."""
        world = self.memory()
        watcher = Watcher()
        watcher.ends = Deferred()
        world.repeater.watch(watcher)
        world.linked("ann")
        done = world.repeater.shutdown()
        world.advance(5)
        self.assertEqual((watcher.events[-1], watcher.ended), (("ended", "ann"), 1))
        self.assertNoResult(done)
        watcher.ends.callback(None)
        self.successResultOf(done)
        error = self.assertRaises(RuntimeError, world.repeater.watch, print)
        self.assertEqual(str(error), "the repeater is shut down, so there is nothing to watch")

    def test_shutdown_waits_for_the_stopped(self) -> None:
        """It also waits for a watcher whose watch was stopped before, but for a limited time."""
        world = self.memory()
        watcher = Watcher()
        watcher.ends = Deferred()
        world.repeater.watch(watcher).stop()
        finished = Watcher()
        finished.ends = Deferred()
        world.repeater.watch(finished).stop()
        finished.ends.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        done = world.repeater.shutdown()
        world.advance(29)
        self.assertNoResult(done)
        world.advance(2)
        self.successResultOf(done)
        watcher.ends.callback(None)
