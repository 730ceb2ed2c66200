"""The making of a link, step by step: nothing is dialled that can be refused, nobody believes too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from ._link import Link
from .dialect import Dialect, MessageType
from .errors import (
    ClientNotAllowed,
    ConnectingError,
    InvalidHello,
    RefusedByApplication,
    ServerUnreachable,
    UnexpectedServerName,
    VersionMismatch,
    WrongMode,
)
from .hello import agreed_version
from .model import Hello, Limits, Side

__all__ = ["Attempt", "AttemptHost"]


class AttemptHost(Protocol):
    """What an attempt needs of the factory."""

    clock: IReactorTime
    limits: Limits
    dialect: Dialect
    repeater_name: str
    server_name: str
    is_client_allowed: Callable[[str], Any]
    dial: Callable[[Link], Deferred[Any]]

    @property
    def on_connect(self) -> Callable[[Any], Any]:
        """The application's callback."""

    def take_place(self, link: Link, timeout: float) -> Deferred[None]:
        """Fire when there is room for one more link."""

    def take_name(self, link: Link, name: str, timeout: float) -> Deferred[None]:
        """Fire when the name is the link's."""

    def set_up(self, link: Link) -> None:
        """Give the lanes their filters."""


class Attempt:
    """One client on its way to being linked.

    ``done`` fires with ``None`` when the link is complete, with a `ConnectingError` when it cannot be.
    """

    __slots__ = ("_deadline", "_host", "_link", "_why", "done")

    def __init__(self, link: Link, host: AttemptHost) -> None:
        self._link = link
        self._host = host
        self._why: ConnectingError | None = None
        self._deadline = host.clock.seconds() + host.limits.hello_timeout
        self.done: Deferred[None] | None = None

    def start(self) -> Deferred[None]:
        """Begin."""
        self.done = Deferred.fromCoroutine(self._run())
        return self.done

    def stop(self, why: ConnectingError) -> None:
        """Give up, whatever step is under way."""
        if self._why is None and self.done is not None:
            self._why = why
            self.done.cancel()

    async def _run(self) -> None:
        try:
            await self._make()
        except ConnectingError:
            raise
        except CancelledError:
            raise self._why or RefusedByApplication("a callback was cancelled") from None

    async def _make(self) -> None:
        """The steps, in the order that matters."""
        host, link = self._host, self._link
        client, server = link.client, link.server
        hello = await client.read_hello(host.limits.hello_timeout)
        link.client_hello = hello
        link.client_name = hello.name
        self._check_mode(hello, Side.CLIENT)
        if not await self._ask(host.is_client_allowed, hello.name):
            raise ClientNotAllowed(f"client {hello.name!r} is not allowed", Side.CLIENT)
        to_server, to_client = self._agree(hello, Side.CLIENT)
        await host.take_name(link, hello.name, self._left())
        await host.take_place(link, self._left())

        server_hello = await self._greet_server(hello.name)
        link.server_hello = server_hello
        link.server_name = server_hello.name
        from_server, into_server = self._check_server(server_hello)

        lanes = link.prepare()
        types = (host.dialect.to_server, host.dialect.to_client)
        for lane, kind, read, write, end in zip(
            lanes, types, (to_server, from_server), (into_server, to_client), (server, client), strict=True
        ):
            lane.decode = kind.reader(read)
            lane.translates = read != write
            end.outlet.version = write
            end.outlet.writer = kind.writer(write)
        host.set_up(link)
        link.state = await self._ask(host.on_connect, link)
        client.say_hello(self._hello(server_hello.name, host.dialect.to_client, host.dialect.to_server))

    def _left(self) -> float:
        """How much of the hello timeout is left."""
        return self._deadline - self._host.clock.seconds()

    def _hello(self, name: str, sends: MessageType, receives: MessageType) -> Hello:
        dialect = self._host.dialect
        versions = (dialect.stated(sends), dialect.stated(receives))
        return Hello(name, dialect.mode, *versions, credentials=self._host.repeater_name)

    async def _greet_server(self, client_name: str) -> Hello:
        """Connect to the server in the client's name and read its hello."""
        host, server = self._host, self._link.server
        try:
            await host.dial(self._link)
        except CancelledError:
            raise
        except Exception as error:
            raise ServerUnreachable(f"no connection to the server: {error}", Side.SERVER) from error
        own = self._hello(client_name, host.dialect.to_server, host.dialect.to_client)
        try:
            server.say_hello(own)
        except InvalidHello as error:
            error.side = Side.CLIENT
            raise
        return await server.read_hello(host.limits.hello_timeout)

    def _check_server(self, hello: Hello) -> tuple[int, int]:
        """Check the server's hello. Gives the versions that it sends and that it receives."""
        self._check_mode(hello, Side.SERVER)
        if hello.name != self._host.server_name:
            raise UnexpectedServerName(
                f"the server's name is {hello.name!r}, {self._host.server_name!r} was expected", Side.SERVER
            )
        return self._agree(hello, Side.SERVER)

    def _check_mode(self, hello: Hello, side: Side) -> None:
        mode = self._host.dialect.mode
        if hello.mode != mode:
            raise WrongMode(f"the {side.value} runs in mode {hello.mode!r}, {mode!r} was expected", side)

    def _agree(self, hello: Hello, side: Side) -> tuple[int, int]:
        """Agree with a peer on the versions of what it sends and of what it receives."""
        to_server, to_client = self._host.dialect.to_server, self._host.dialect.to_client
        sent, received = (to_server, to_client) if side is Side.CLIENT else (to_client, to_server)
        stated = self._host.dialect.stated
        versions = (
            agreed_version(hello.send_version, stated(sent)),
            agreed_version(stated(received), hello.recv_version),
        )
        try:
            sent.codec(versions[0])
            received.codec(versions[1])
        except VersionMismatch as error:
            raise VersionMismatch(f"no common version with the {side.value}: {error}", side) from error
        return versions

    async def _ask(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Call back into the application; what it raises refuses the client."""
        try:
            return await maybeDeferred(callback, *arguments)
        except (CancelledError, ConnectingError):
            raise
        except Exception as error:
            raise RefusedByApplication(f"{type(error).__name__}: {error}") from error
