"""The calls to the application and its observers, and what becomes of their failures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, eventAsText, formatEvent
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater import (
    PASS_ON,
    Direction,
    IObserver,
    OnFilterError,
    Side,
)
from twisted_repeater._text import Unprintable
from twisted_repeater.errors import (
    CallbackFailed,
    ClientGone,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    RefusedByApplication,
)

from ..peers import (
    SERVER_NAME,
    frame,
    hello,
)
from ..unprintable import UNPRINTABLE, BrokenVerdict, Mute
from .memory_case import MemoryCase


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
        client, _ = self.linked(world, "alice")
        self.assertEqual(last.told, [("made", "alice")])
        self.assertEqual(len(self.flushLoggedErrors(Unprintable)), 1)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        last.link_made = lambda link: raises(KeyboardInterrupt)  # type: ignore[method-assign]
        self.assertRaises(KeyboardInterrupt, world.factory.application.link_made, client.link)
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
        world.factory.application.callbacks.on_connecting_error = lambda name, server_name, error: 1 / 0
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
            assert world.factory.application.callbacks is not None
            world.factory.application.callbacks.on_error = lambda *told, once=once: once.pop()(*told) if once else None
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
        world.factory.application.callbacks.on_connecting_error = lambda *arguments: 1 / 0
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


class FilterFailureTests(MemoryCase):
    """A filter that fails."""

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
