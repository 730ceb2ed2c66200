"""A whole repeater between scripted clients and a scripted server: in memory, or on real sockets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ClientCreator, Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from .._link.link import Link
from .._repeater import Repeater
from ..dialects import Dialect, int32
from ..errors import ConnectingError, LinkError
from ..interfaces import IObserver
from ..model import Hello, Side
from ._memory import MemoryEndpoint, MemoryNetwork
from ._peer import Peer
from ._recorder import Recorder
from ._server import ScriptedServer
from ._setting import TIMEOUT, Setting
from ._transcript import Event, Transcript

__all__ = ["MemoryRepeater", "RunningRepeater", "SocketRepeater"]

T = TypeVar("T")

START_OPTIONS = frozenset(inspect.signature(Repeater.start).parameters)
"""The options that `Repeater.start` takes; the others are for `Repeater.create`."""


class RunningRepeater:
    """What a repeater in memory and one on sockets share."""

    repeater: Repeater
    """The repeater itself."""

    def __init__(
        self,
        dialect: Dialect | None,
        clock: IReactorTime,
        settle: Callable[[], None],
        transcript: Transcript,
        server_name: str,
        options: dict[str, Any],
    ) -> None:
        self.dialect = int32() if dialect is None else dialect
        self.transcript = transcript
        """What happened, in order."""
        self._setting = Setting(self.dialect, transcript, clock, settle)
        self.server = ScriptedServer(self._setting, self._hello(server_name, Side.SERVER))
        """The server. What it says of itself may be changed before a client connects: it is in ``server.hello``."""
        self.clients: list[Peer] = []
        """Every client that has connected, in order."""
        self._start_options = {name: value for name, value in options.items() if name in START_OPTIONS}
        self._create_options: dict[str, Any] = {
            "repeater_name": "repeater",
            "server_name": server_name,
            "is_client_allowed": lambda name: True,
        }
        self._create_options |= {name: value for name, value in options.items() if name not in START_OPTIONS}
        observers: Iterable[IObserver] = self._create_options.pop("observers", ())
        self._recorder = Recorder(transcript)
        self._create_options["observers"] = (self._recorder, *observers)

    @property
    def errors(self) -> list[LinkError]:
        """What ``on_error`` was called with, apart from sides that went down while their link was closing."""
        events = (Event.CLIENT_ERROR, Event.SERVER_ERROR)
        return [entry.value for entry in self.transcript if entry.event in events]

    @property
    def refusals(self) -> list[ConnectingError]:
        """What ``on_connecting_error`` was called with."""
        return [entry.value for entry in self.transcript if entry.event is Event.REFUSED]

    def link(self, client_name: str) -> Link:
        """Return the link of a client, which must be there."""
        link = self.repeater.link(client_name)
        if link is None:
            raise self.transcript.error(f"client {client_name!r} is not linked")
        return link

    def _start_repeater(self, repeater: Repeater) -> None:
        self.repeater = repeater
        repeater._factory.watch_decisions(self._recorder.decided)
        repeater.start(**self._start_options)

    def _hello(self, name: str, side: Side) -> Hello:
        """Make the hello of a peer that speaks the versions which the dialect states."""
        sends, gets = self.dialect.to_server, self.dialect.to_client
        if side is Side.SERVER:
            sends, gets = gets, sends
        return Hello(name, self.dialect.mode, self.dialect.stated(sends), self.dialect.stated(gets))

    def _new_client(self, name: str | None, members: dict[str, Any]) -> Peer:
        hello = None if name is None else replace(self._hello(name, Side.CLIENT), **members)
        client = Peer(Side.CLIENT, self._setting, hello)
        self.clients.append(client)
        return client


class MemoryRepeater(RunningRepeater):
    """A running repeater in memory: no sockets, and no time passes but in `advance`. See `RunningRepeater` too.

    Whatever a peer is told to do has happened, with all that follows from it, when the call returns.

    ``options`` are those of `Repeater.create` and `Repeater.start`. ``clock`` is one that other parts of the test use
    too, a `twisted.internet.task.Clock`; `advance` this object rather than the clock.
    """

    def __init__(
        self, dialect: Dialect | None = None, *, clock: Clock | None = None, server_name: str = "server", **options: Any
    ) -> None:
        self.network = MemoryNetwork(clock)
        self.clock = self.network.clock
        network = self.network
        super().__init__(dialect, network, network.settle, Transcript(network.seconds), server_name, options)
        self.listening = MemoryEndpoint(network)
        """Where the repeater listens."""
        self.server_endpoint = MemoryEndpoint(network)
        """Where the server listens."""
        self.listen()
        created = Repeater.create(
            self.dialect, listen=self.listening, server=self.server_endpoint, reactor=network, **self._create_options
        )
        self._start_repeater(result_of(created))

    def listen(self) -> None:
        """Let the server listen, again."""
        self.server_endpoint.listen(self.server)

    def stop_listening(self) -> None:
        """Let the server listen no more, so that connecting to it fails; its connections stay."""
        if self.server_endpoint.port is not None:
            self.server_endpoint.port.stopListening()

    def connect(self, name: str | None = "client", *, host: str = "127.0.0.1", **members: Any) -> Peer:
        """Connect a client from this host. It is linked, or refused, when this returns, if that needs no time.

        ``members`` change its hello: ``send_version=2``. A client without a name says no hello.
        """
        client = self._new_client(name, members)
        connected = self.listening.connect(Factory.forProtocol(lambda: client), host)
        self.settle()
        if isinstance(getattr(connected, "result", None), Failure):
            result_of(connected)
        return client

    def settle(self) -> None:
        """Let everything happen that can without time passing: after calls to the repeater or a link themselves."""
        self.network.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that happens meanwhile."""
        self.network.advance(seconds)

    def shutdown(self) -> None:
        """Shut the repeater down, and give it the time that it takes."""
        limits = self._create_options.get("limits")
        done = self.repeater.shutdown()
        self.settle()
        if not done.called:
            self.advance(limits.linger + limits.close_timeout if limits is not None else 60.0)
        result_of(done)


class SocketRepeater(RunningRepeater):
    """A running repeater on real sockets of 127.0.0.1, on ports that were free. See `RunningRepeater` too.

    Make one with `start`.
    """

    _server_port: Any

    @classmethod
    def start(
        cls, dialect: Dialect | None = None, *, reactor: Any = None, server_name: str = "server", **options: Any
    ) -> Deferred[SocketRepeater]:
        """Start a repeater and its server; `close` it in the end.

        ``options`` are those of `Repeater.create` and `Repeater.start`. ``reactor`` is the global one by default.
        """
        if reactor is None:
            from twisted.internet import reactor
        running = cls(dialect, reactor, lambda: None, Transcript(), server_name, options)
        running._reactor = reactor
        return Deferred.fromCoroutine(running._start())

    _reactor: Any

    async def _start(self) -> SocketRepeater:
        self._server_port = self._reactor.listenTCP(0, self.server, interface="127.0.0.1")
        options = {
            "listen": "tcp:0:interface=127.0.0.1",
            "server": f"tcp:127.0.0.1:{self._server_port.getHost().port}",
            "reactor": self._reactor,
        }
        try:
            self._start_repeater(await Repeater.create(self.dialect, **(options | self._create_options)))
        except BaseException:
            await maybeDeferred(self._server_port.stopListening)
            raise
        return self

    def dial(self, name: str | None = "client", **members: Any) -> Deferred[Peer]:
        """Connect a client; gives it when it is connected, before it is linked or refused.

        ``members`` change its hello: ``send_version=2``. A client without a name says no hello.
        """
        client = self._new_client(name, members)
        creator = ClientCreator(self._reactor, lambda: client)
        dialled: Deferred[Peer] = creator.connectTCP("127.0.0.1", self.repeater.port)
        return dialled

    def connect(self, name: str = "client", timeout: float = TIMEOUT, **members: Any) -> Deferred[Peer]:
        """Connect a client; gives it when it is linked and the server has heard of it."""

        async def connect() -> Peer:
            client = await self.dial(name, **members)
            await client.when_linked(timeout)
            await self.server.when_connected(name, timeout)
            return client

        return Deferred.fromCoroutine(connect())

    def close(self) -> Deferred[None]:
        """End everything, at once; fires when no connection is left."""
        peers = [*self.clients, *self.server.connections]
        for peer in peers:
            if peer.transport is not None and peer.lost is None:
                peer.transport.abortConnection()  # type: ignore[attr-defined]
        over: list[Deferred[Any]] = [maybeDeferred(self._server_port.stopListening), self.repeater.shutdown()]
        over += [peer.when_closed() for peer in peers if peer.transport is not None]
        return gatherResults(over, consumeErrors=True).addCallback(lambda _: None)


def result_of(deferred: Deferred[T]) -> T:
    """Return the result that a Deferred has by now, or raise its error."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    if not results:
        raise AssertionError(f"{deferred!r} has no result yet")
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value
