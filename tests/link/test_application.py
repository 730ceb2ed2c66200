"""Tests of the calls to the application and its observers, and of their failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, eventAsText, formatEvent
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater import (
    PASS_ON,
    Direction,
    IObserver,
    OnFilterError,
    Side,
    dialects,
)
from twisted_repeater._link.application import Application, Settings
from twisted_repeater._text import Unprintable
from twisted_repeater.errors import (
    CallbackFailed,
    ClientGone,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    RefusedByApplication,
)
from twisted_repeater.observers import LogObserver

from ..peers import SERVER_NAME, frame
from ..unprintable import UNPRINTABLE, BrokenVerdict, Mute
from .memory_case import MemoryCase


@implementer(IObserver)
class Observer:
    """Records its calls."""

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


class ObserverTests(MemoryCase):
    """Events that observers hear of."""

    def test_everything(self) -> None:
        """They hear of links made, refused and ended, of errors and of relayed messages, as it happens."""
        observer = Observer()
        verifyObject(IObserver, observer)
        world = self.memory(answers=False, observers=(observer,))
        client = world.connect("alice")
        client.send(b"one", b"three")
        world.connect("alice")
        (server,) = world.server.connections
        world.answer()
        server.send_bytes(frame(b"four")[:-1])
        server.send_bytes(frame(b"four")[-1:])
        client.abort()
        world.pair(client).close(ValueError("that is enough"))
        world.settle()
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

    def test_log_alone(self) -> None:
        """No read costs a call if the only observer is the one that writes the log; a class made of it may want it."""

        class Reads(LogObserver):
            def relayed(self, link: Any, direction: Direction, messages: int, size: int) -> None:
                told.append(size)

        told: list[int] = []
        log, reads = LogObserver(Clock()), Reads(Clock())
        for observers, calls in (((log,), False), ((log, reads), True), ((), False)):
            settings = Settings(
                dialect=dialects.int32(), repeater_name="edge", server_name="quotes", observers=observers
            )
            self.assertIs(Application(settings, Clock()).on_read is not None, calls)
        client, _ = self.memory(observers=(log, reads)).linked("alice")
        client.send(b"one")
        self.assertEqual(told, [7])

    def test_error_without_room(self) -> None:
        """They hear of an error that accepts no attributes, too."""

        class Closed(Disconnected):
            side = property(lambda error: Side.SERVER)

        observer = Observer()
        world = self.memory(observers=(observer,))
        client, _ = world.linked("alice")
        world.factory.application.link_error(world.pair(client), Side.CLIENT, Closed(EOFError()))
        self.assertEqual(observer.told[1:2], [("error", "alice", Side.CLIENT, Closed)])

    def test_identified(self) -> None:
        """Those that care hear that a link has got another name."""
        told: list[object] = []
        observer: Any = Observer()
        observer.link_identified = lambda link, old_name: told.append((old_name, link.client_name))
        world = self.memory(observers=(Observer(), observer))
        world.linked("alice")
        self.successResultOf(world.link("alice").identify("bob"))
        self.assertEqual(told, [("alice", "bob")])

    def test_attempt(self) -> None:
        """A link that was never made does not end."""
        observer = Observer()
        world = self.memory(answers=False, observers=(observer,))
        for name in ("alice", None):
            world.connect(name).abort()
        self.assertEqual(observer.told, [("refused", "alice", ClientGone)])

    def test_raising(self) -> None:
        """One that raises is logged; the others are told, and everything goes on."""
        observer = Observer()
        world = self.memory(observers=(object(), observer))
        client, server = world.linked("alice")
        client.send(b"one")
        server.expect(b"one")
        self.check()
        self.assertEqual([told[0] for told in observer.told], ["made", "relayed", "error", "error", "ended"])
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 5)

    def test_raising_often(self) -> None:
        """One that raises whenever a client comes fills no disk: some are logged at once, then one a second."""
        world = self.memory(observers=(object(),), is_client_allowed=lambda name: False)
        with capturedLogs() as captured:
            for _ in range(500):
                world.connect("alice")
            world.advance(1)
            world.connect("alice")
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
        client, _ = world.linked("alice")
        self.assertEqual(last.told, [("made", "alice")])
        self.assertEqual(len(self.flushLoggedErrors(Unprintable)), 1)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        last.link_made = lambda link: raises(KeyboardInterrupt)  # type: ignore[method-assign]
        self.assertRaises(KeyboardInterrupt, world.factory.application.link_made, world.pair(client))
        self.flushLoggedErrors()

    def test_closing_when_made(self) -> None:
        """A link that is closed as soon as it is made delivers the messages behind the hello, and then ends."""
        observer = Observer()
        observer.link_made = lambda link: link.close()  # type: ignore[method-assign]
        world = self.memory(answers=False, observers=(observer,))
        client = world.connect("alice")
        client.send(b"one")
        world.answer()
        (server,) = world.server.connections
        server.expect(b"one")
        self.assertFalse(client.open or server.open)
        self.assertEqual(observer.told[-1], ("ended", "alice", type(None)))


class CallbackTests(MemoryCase):
    """The application's callbacks."""

    def test_raising_often(self) -> None:
        """One that raises for each client fills no disk, neither at once nor after its client has left."""

        def not_allowed(name: str) -> Any:
            later: Deferred[bool] = Deferred(lambda _: later.errback(ZeroDivisionError()))
            return later

        world = self.memory(is_client_allowed=not_allowed, on_connecting_error=lambda *arguments: 1 / 0)
        with capturedLogs() as captured:
            for _ in range(500):
                world.connect("alice").abort()
        self.assertEqual(
            sorted(formatEvent(event) for event in captured),
            ["a callback failed while an attempt was given up"] * 10 + ["on_connecting_error raised"] * 10,
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, RefusedByApplication)), 20)

    def test_interrupted(self) -> None:
        """Ctrl-C in a callback goes through."""

        def interrupted(*arguments: Any) -> None:
            raise KeyboardInterrupt

        world = self.memory()
        world.factory.application.started = replace(
            world.factory.application.callbacks, on_connecting_error=interrupted
        )
        error = DuplicateClient("taken")
        self.assertRaises(KeyboardInterrupt, world.factory.application.client_refused, "ann", error)

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
            once = [answer]
            world = self.memory(on_error=lambda *told, once=once: once.pop()(*told) if once else None)
            client, server = world.linked("alice")
            client.abort()
            if answer is answers[-1]:
                self.assertTrue(server.open)
                later.errback(ZeroDivisionError())
                world.settle()
            self.assertFalse(server.open)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_on_error(self) -> None:
        """Without ``on_error``, a link that has lost a side is closed."""
        world = self.memory()
        world.factory.application.started = replace(world.factory.application.callbacks, on_error=None)
        client, server = world.linked("alice")
        client.abort()
        self.assertFalse(server.open)

    def test_on_connecting_error_raises(self) -> None:
        """If ``on_connecting_error`` raises, that is logged, and nothing else is different."""
        world = self.memory(on_connecting_error=lambda *arguments: 1 / 0)
        client = world.connect(None)
        client.send_bytes(b"\xff" * 4)
        self.assertFalse(client.open)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        world.linked("alice")

    def test_on_connecting_error(self) -> None:
        """It gets the client's name, the server's, and an error that knows where the client came from."""
        world = self.memory(is_client_allowed=lambda name: False)
        client: Any = world.connect("alice")
        ((_, name, server_name, error),) = world.calls
        self.assertEqual((name, server_name), ("alice", SERVER_NAME))
        self.assertEqual(error.client_address, client.transport.getHost())

    def test_errors_know_their_side(self) -> None:
        """The error that ``on_error`` gets says on which side the trouble is, too."""
        world = self.memory()
        client, server = world.linked("alice")
        server.abort()
        client.abort()
        self.assertEqual(
            [(side, error.side) for _, side, error in world.calls.errors],
            [(side, side) for side in (Side.SERVER, Side.CLIENT)],
        )


class FarewellTests(MemoryCase):
    """What the dialect says to a client whose link closes."""

    def closed(self, farewell: Any) -> bytes:
        """Return what a client gets."""
        world = self.memory(dialect=dialects.int32().changed(farewell=farewell))
        client, _ = world.linked("alice")
        before = len(client.received_bytes)
        world.link("alice").close()
        world.settle()
        self.assertFalse(client.open)
        return bytes(client.received_bytes[before:])

    def test_said(self) -> None:
        """It may be bytes, or nothing."""
        self.assertEqual(self.closed(lambda reason, link: frame(link.client_name.encode())), frame(b"alice"))
        for nothing in (b"", None):
            self.assertEqual(self.closed(lambda reason, link, nothing=nothing: nothing), b"")

    def test_wrong(self) -> None:
        """Anything else is logged, and the link closes all the same; Ctrl-C goes through."""
        self.assertEqual(self.closed(lambda reason, link: "bye"), b"")
        (failure,) = self.flushLoggedErrors(TypeError)
        self.assertEqual(str(failure.value), "a farewell must be bytes or None, not 'bye'")
        self.assertRaises(KeyboardInterrupt, self.closed, lambda reason, link: raises(KeyboardInterrupt))
        self.worlds.clear()


class FilterFailureTests(MemoryCase):
    """A filter that fails."""

    def test_failure(self) -> None:
        """A filter that raises is logged, told, and stops its direction only; what becomes of it can be chosen."""
        results = {
            OnFilterError.STOP: [],
            OnFilterError.DROP: [b"good"],
            OnFilterError.PASS_ON: [b"bad", b"good"],
        }
        for policy, result in results.items():
            world = self.memory(to_server_filter=raises_on_bad, on_filter_error=policy)
            client, server = world.linked("alice")
            client.send(b"bad")
            client.send(b"good")
            server.send(b"reply")
            self.assertEqual((server.received, client.received), (result, [b"reply"]))
            ((name, side, error),) = world.calls.errors
            self.assertEqual((name, side, type(error)), ("alice", Side.CLIENT, CallbackFailed))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_long_failure(self) -> None:
        """A filter whose error quotes its client's name, or a message, makes no long line of it."""

        def refuses(message: bytes, link: Any) -> Any:
            raise ValueError(f"no {link.client_name}, this will not do: {message!r}")

        world = self.memory(to_server_filter=refuses)
        with capturedLogs() as captured:
            client, _ = world.linked("x" * 60_000)
            client.send(b"y" * 1_000_000)
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
                client, _ = world.linked("alice")
                client.send(b"bad")
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
            world = self.memory(answers=False, to_server_filter=to_server, on_filter_error=OnFilterError.PASS_ON)
            client = world.connect("alice")
            client.send(b"one")
            world.answer()
            client.send_bytes(frame(b"two")[:-1])
            client.send_bytes(frame(b"two")[-1:] + frame(b"three"))
            world.server["alice"].expect(b"one", b"two", b"three")
            self.assertEqual([type(error.reason) for *_, error in world.calls.errors], [SystemExit] * 3)
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
            client, server = world.linked("alice")
            client.send(b"one", b"bad", b"two")
            world.advance(1)
            server.expect(b"one", b"two")
            ((name, side, error),) = world.calls.errors
            self.assertEqual((name, side, type(error)), ("alice", Side.CLIENT, CallbackFailed))
            (failure,) = self.flushLoggedErrors()
            self.assertTrue(failure.getTraceback().encode())

    def test_log_stays_small(self) -> None:
        """A filter that fails on every message is logged once a second, and told each time."""
        world = self.memory(to_server_filter=raises_on_bad, on_filter_error=OnFilterError.DROP)
        client, _ = world.linked("alice")
        for number in (1, 2):
            client.send(*[b"bad"] * 1000)
            failures = self.flushLoggedErrors(ZeroDivisionError)
            self.assertEqual((len(world.calls.errors), len(failures)), (1000 * number, 1))
            world.advance(1)


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
