"""A whole repeater between scripted clients and a scripted server, in memory or on real sockets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from .._link.link import Link
from .._link.pair import Pair
from .._repeater import Repeater
from ..dialects import Dialect, int32
from ..dialects.hellos import Hellos
from ..errors import ConnectingError, LinkError
from ..faults import ActiveFault, Fault
from ..model import Hello, Side
from ._breaking import Breaking
from ._memory import MemoryEndpoint, MemoryNetwork
from ._peer import Peer
from ._recorder import Recorder
from ._server import ScriptedServer
from ._setting import TIMEOUT, Setting
from ._transcript import Event, Transcript, __tracebackhide__

__all__ = ["MemoryRepeater", "RunningRepeater", "SocketRepeater", "__tracebackhide__"]

T = TypeVar("T")

START_OPTIONS = frozenset(inspect.signature(Repeater.start).parameters)
"""The options of `Repeater.start`; the others are for `Repeater.create`."""


class RunningRepeater:
    """A running repeater with a scripted server and scripted clients, in memory or on sockets."""

    repeater: Repeater
    """The repeater itself."""

    def __init__(
        self,
        dialect: Dialect | None,
        clock: IReactorTime,
        settle: Callable[[], None],
        transcript: Transcript,
        server_name: str,
        server_says: Sequence[object],
        fault_seed: int | None,
        options: dict[str, Any],
    ) -> None:
        self.dialect: Dialect = int32() if dialect is None else dialect
        self.transcript = transcript
        """All that has happened, in order."""
        self._setting = Setting(self.dialect, transcript, clock, settle, self._pair_of)
        hello = self._hello(server_name, Side.SERVER)
        self.server: ScriptedServer = ScriptedServer(self._setting, hello, server_says)
        """The server. To change its hello, set ``server.hello`` before a client connects."""
        self.clients: list[Peer] = []
        """All clients, in order."""
        self._start_options = {name: value for name, value in options.items() if name in START_OPTIONS}
        self._create_options = {name: value for name, value in options.items() if name not in START_OPTIONS}
        self._create_options.setdefault("repeater_name", "repeater")
        self._create_options.setdefault("server_name", server_name)
        self._create_options.setdefault("is_client_allowed", lambda name: True)
        self._breaking = Breaking(transcript, fault_seed)
        self._recorder = Recorder(transcript, self._look)
        self._create_options["observers"] = (self._recorder, *options.get("observers", ()))

    @property
    def errors(self) -> list[LinkError]:
        """The errors that ``on_error`` was called with, without those about sides that were lost while
        their link closed.
        """
        events = (Event.CLIENT_ERROR, Event.SERVER_ERROR)
        return [entry.value for entry in self.transcript if entry.event in events]

    @property
    def refusals(self) -> list[ConnectingError]:
        """The errors that ``on_connecting_error`` was called with."""
        return [entry.value for entry in self.transcript if entry.event is Event.REFUSED]

    @contextmanager
    def breaking(self, fault: Fault) -> Iterator[ActiveFault]:
        """Break something in a ``with`` block, on links that are there and links to come.

        Args:
            fault: what to break. Without a seed it gets one that the transcript shows.

        Returns:
            The fault with its counters, such as `ActiveFault.hit`.
        """
        active = self._breaking.set(self.repeater.faults, fault)
        try:
            yield active
        finally:
            self._breaking.remove(self.repeater.faults, active)
            self._setting.settle()

    def link(self, client: str | Peer) -> Link:
        """Return the link of a client.

        Args:
            client: the client, or its name.

        Raises:
            AssertionError: the client is not linked.
        """
        if isinstance(client, str):
            link = self.repeater.link(client)
        else:
            link = client._pair.link if client._pair is not None and client._pair.made else None
        if link is None:
            raise self.transcript.error(f"{'client ' * isinstance(client, str)}{client!r} is not linked")
        return link

    def _pair_of(self, peer: Peer) -> Pair | None:
        """Return the pair of connections that a peer is an end of, as long as it is there."""
        for pair in self.repeater._factory.links if peer.address is not None else ():
            connection = pair.client if peer.side is Side.CLIENT else pair.server
            with suppress(OSError, AttributeError):  # it is not connected yet, or not any more
                transport = connection.transport
                address = transport.getPeer() if peer.side is Side.CLIENT else transport.getHost()
                if address == peer.address:
                    return pair
        return None

    def _look(self) -> None:
        """A link was made: see whether the test has waited for it."""
        for peer in self.clients:
            peer._look()
        self.server._look()

    def _start_repeater(self, repeater: Repeater) -> None:
        self.repeater = repeater
        repeater._factory.watch_decisions(self._recorder.decided)
        repeater.start(**self._start_options)

    def _hello(self, name: str, side: Side) -> Hello | None:
        """Return the hello of a peer that speaks the versions of the dialect; ``None`` if the dialect has none."""
        opening = self.dialect.opening
        if not isinstance(opening, Hellos):
            return None
        sends, gets = self.dialect.to_server, self.dialect.to_client
        if side is Side.SERVER:
            sends, gets = gets, sends
        return Hello(name, opening.mode, opening.stated(sends), opening.stated(gets))

    def _new_client(self, name: str | None, says: Sequence[object], members: dict[str, object]) -> Peer:
        hello = None if name is None else self._hello(name, Side.CLIENT)
        if hello is not None:
            hello = replace(hello, **members)  # type: ignore[arg-type]
        elif members and name is not None:
            raise TypeError(f"the dialect {self.dialect.name} has no hellos, and so no {next(iter(members))}")
        client = Peer(Side.CLIENT, self._setting, hello, says)
        self.clients.append(client)
        return client


class MemoryRepeater(RunningRepeater):
    """A running repeater in memory. It has no sockets, and time passes only in `advance`.

    When a call that tells a peer to do something returns, that has happened, with everything that follows from it.

    Args:
        dialect: the dialect of clients and server, `int32` by default.
        clock: the clock, where other parts of the test use it too. Call `advance` here, not that of the clock.
        server_name: the name of the server.
        server_says: what the server sends on each connection before anything has come: bytes as they are, anything
            else as a message.
        fault_seed: what the seeds of faults that have none are drawn from; see `breaking`.
        options: any other argument of `Repeater.create` and `Repeater.start`.
    """

    def __init__(
        self,
        dialect: Dialect | None = None,
        *,
        clock: Clock | None = None,
        server_name: str = "server",
        server_says: Sequence[object] = (),
        fault_seed: int | None = None,
        **options: Any,
    ) -> None:
        self.network: MemoryNetwork = MemoryNetwork(clock)
        self.clock: Clock = self.network.clock
        network = self.network
        transcript = Transcript(network.seconds)
        super().__init__(dialect, network, network.settle, transcript, server_name, server_says, fault_seed, options)
        self.listening: MemoryEndpoint = MemoryEndpoint(network)
        """Where the repeater listens."""
        self.server_endpoint: MemoryEndpoint = MemoryEndpoint(network)
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
        """Let the server stop listening, so that connecting to it fails. Its connections stay."""
        if self.server_endpoint.port is not None:
            self.server_endpoint.port.stopListening()

    def connect(
        self,
        name: str | None = "client",
        *,
        host: str = "127.0.0.1",
        says: Sequence[object] = (),
        **members: object,
    ) -> Peer:
        """Connect a client. When this returns, it is linked or refused, unless that needs time or more of its bytes.

        Args:
            name: the name in its hello; ``None`` for one that sends no hello. Without meaning in a dialect without
                hellos: there the client has the name that the opening finds.
            host: the address that it connects from.
            says: what it sends at once, after its hello if it has one: bytes as they are, anything else as a message.
            members: members of its hello that differ from the usual: ``send_version=2``.
        """
        client = self._new_client(name, says, members)
        with self.network.unsettled():
            connected = self.listening.connect(Factory.forProtocol(lambda: client), host)
        self.settle()
        if isinstance(getattr(connected, "result", None), Failure):
            result_of(connected)
        return client

    def settle(self) -> None:
        """Let everything happen that needs no time. Call this after you have called the repeater or a link yourself."""
        self.network.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass, with everything that happens meanwhile."""
        self.network.advance(seconds)

    def shutdown(self) -> None:
        """Shut the repeater down, and let as much time pass as that takes."""
        limits = self._create_options.get("limits")
        done = self.repeater.shutdown()
        self.settle()
        if not done.called:
            self.advance(limits.linger + limits.close_timeout if limits is not None else 60.0)
        result_of(done)


class SocketRepeater(RunningRepeater):
    """A running repeater on real sockets of 127.0.0.1, on free ports. Make one with `start`."""

    _reactor: Any
    _server_port: Port

    @classmethod
    def start(
        cls,
        dialect: Dialect | None = None,
        *,
        reactor: Any = None,
        server_name: str = "server",
        server_says: Sequence[object] = (),
        fault_seed: int | None = None,
        **options: Any,
    ) -> Deferred[SocketRepeater]:
        """Start a repeater and its server. `close` them at the end.

        Args:
            dialect: the dialect of clients and server, `int32` by default.
            reactor: the reactor, the global one by default.
            server_name: the name of the server.
            server_says: what the server sends on each connection before anything has come, as in `MemoryRepeater`.
            fault_seed: what the seeds of faults that have none are drawn from, as in `MemoryRepeater`.
            options: any other argument of `Repeater.create` and `Repeater.start`.
        """
        if reactor is None:
            from twisted.internet import reactor
        running = cls(dialect, reactor, lambda: None, Transcript(), server_name, server_says, fault_seed, options)
        running._reactor = reactor
        return Deferred.fromCoroutine(running._start())

    async def _start(self) -> SocketRepeater:
        self._server_port = self._reactor.listenTCP(0, self.server, interface="127.0.0.1")
        options = {
            "listen": "tcp:0:interface=127.0.0.1",
            "server": f"tcp:127.0.0.1:{self.server_port}",
            "reactor": self._reactor,
        }
        try:
            self._start_repeater(await Repeater.create(self.dialect, **(options | self._create_options)))
        except Exception:
            await maybeDeferred(self._server_port.stopListening)
            raise
        return self

    @property
    def server_port(self) -> int:
        """The port of 127.0.0.1 that the server listens on."""
        return int(self._server_port.getHost().port)

    def dial(self, name: str | None = "client", *, says: Sequence[object] = (), **members: object) -> Deferred[Peer]:
        """Connect a client. The Deferred fires when it is connected, before it is linked or refused.

        Args:
            name: the name in its hello; ``None`` for one that sends no hello.
            says: what it sends at once, as in `MemoryRepeater.connect`.
            members: members of its hello that differ from the usual: ``send_version=2``.
        """
        client = self._new_client(name, says, members)
        endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self.repeater.port)
        return endpoint.connect(Factory.forProtocol(lambda: client)).addCallback(lambda _: client)

    def connect(
        self, name: str = "client", timeout: float = TIMEOUT, *, says: Sequence[object] = (), **members: object
    ) -> Deferred[Peer]:
        """Connect a client. The Deferred fires when it is linked and the server has its hello, if the dialect has any.

        Args:
            name: the name in its hello.
            timeout: how many seconds to wait for each of these.
            says: what it sends at once, as in `MemoryRepeater.connect`. In a dialect without hellos, with an opening
                that waits for the client, this has to be enough for it.
            members: members of its hello that differ from the usual: ``send_version=2``.
        """

        async def connect() -> Peer:
            client = await self.dial(name, says=says, **members)
            await client.when_linked(timeout)
            await self.server.when_connected(client if client.hello is None else name, timeout)
            return client

        return Deferred.fromCoroutine(connect())

    def close(self) -> Deferred[None]:
        """End everything at once. The Deferred fires when no connection is left."""
        peers = [*self.clients, *self.server.connections]
        for peer in peers:
            if peer.transport is not None and peer.lost is None:
                peer.transport.abortConnection()  # type: ignore[attr-defined]
        over = [maybeDeferred(self._server_port.stopListening), self.repeater.shutdown()]
        over += [peer.when_closed() for peer in peers if peer.transport is not None]
        return gatherResults(over, consumeErrors=True).addCallback(lambda _: None)


def result_of(deferred: Deferred[T]) -> T:
    """Return the result that a Deferred has, or raise its error."""
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    if not results:
        raise AssertionError(f"{deferred!r} has no result yet")
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
