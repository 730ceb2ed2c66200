"""The making of a link, step by step: nothing is dialled that can be refused, nobody believes too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from .._coroutines import call
from .._text import text_of, told
from ..dialects import Dialect, MessageType
from ..dialects._dialect import agreed_version
from ..errors import (
    ClientNotAllowed,
    ConnectingError,
    InvalidHello,
    RefusedByApplication,
    ServerUnreachable,
    UnexpectedServerName,
    VersionMismatch,
    WrongMode,
)
from ..model import Hello, Limits, Side
from .pair import Pair

__all__ = ["Attempt", "AttemptHost"]


class AttemptHost(Protocol):
    """What an attempt needs of the factory."""

    clock: IReactorTime
    limits: Limits
    dialect: Dialect
    repeater_name: str
    server_name: str
    is_client_allowed: Callable[[str], Any]
    proxied: bool
    dial: Callable[[Pair], Deferred[Any]]

    @property
    def on_connect(self) -> Callable[[Any], Any]:
        """The application's callback."""

    def check_newcomer(self, addr: IAddress | None) -> None:
        """Raise a `ConnectingError` unless a client from this address may come."""

    def take_place(self, link: Pair, timeout: float) -> Deferred[None]:
        """The link's hello is complete: fire when there is room for one more."""

    def take_name(self, link: Pair, name: str, timeout: float) -> Deferred[None]:
        """Fire when the name is the link's."""

    def equip(self, link: Pair, client_versions: tuple[int, int], server_versions: tuple[int, int]) -> None:
        """Make the link's lanes, for the versions that each side sends and receives."""

    def callback_failed_late(self, failure: Failure) -> None:
        """Log that a callback of the application failed after its attempt was given up."""


class Attempt:
    """One client on its way to being linked.

    ``done`` fires with ``None`` when the link is complete, with a `ConnectingError` when it cannot be.
    """

    __slots__ = ("_awaited", "_deadline", "_host", "_link", "_stopped", "_timeout", "done")

    def __init__(self, link: Pair, host: AttemptHost) -> None:
        self._link = link
        self._host = host
        self._awaited: Deferred[Any] | None = None
        self._timeout: IDelayedCall | None = None
        """For an answer of the application."""
        self._stopped = False
        self._deadline = host.clock.seconds() + host.limits.hello_timeout
        self.done: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Begin."""
        Deferred.fromCoroutine(self._make()).addBoth(self._made)
        return self.done

    def stop(self, why: ConnectingError) -> None:
        """Give up, whatever step is under way: ``done`` fails now, even if a callback of the application lingers on."""
        if self._stopped or self.done.called:
            return
        self._stopped = True
        self._forget_timeout()
        if self._awaited is not None:
            try:
                self._awaited.cancel()
            except KeyboardInterrupt:
                raise
            except BaseException:  # raised by the application's canceller: the attempt ends all the same
                self._host.callback_failed_late(Failure())
        self.done.errback(why)

    def _made(self, result: Any) -> None:
        """The last step is done, or one failed, which it did if the attempt was stopped."""
        if not self._stopped:
            self.done.callback(result)
        else:
            error = result.value
            reason = error.__cause__ if isinstance(error, RefusedByApplication) else error
            if not isinstance(reason, (CancelledError, ConnectingError)):
                self._host.callback_failed_late(result)

    async def _step(self, deferred: Deferred[Any]) -> Any:
        """Wait for one step; `stop` cancels it."""
        if not self._stopped:  # by the application's callback itself
            self._awaited = deferred
            try:
                result = await deferred
            finally:
                self._awaited = None
        if self._stopped:
            raise CancelledError
        return result

    async def _make(self) -> None:
        """The steps, in the order that matters."""
        host, link = self._host, self._link
        if host.proxied:
            await self._step(link.client.when_address_known(host.limits.hello_timeout))
            host.check_newcomer(link.client.address)
            self._deadline = host.clock.seconds() + host.limits.hello_timeout
        hello = await self._step(link.client.read_hello(host.limits.hello_timeout))
        link.client_hello = hello
        link.client_name = hello.name
        self._check_mode(hello, Side.CLIENT)
        await self._step(host.take_place(link, self._left()))
        allowed = await self._ask(host.is_client_allowed, hello.name)
        if not await self._ask(bool, allowed):  # bool may call code of the application, too
            raise ClientNotAllowed(f"client {hello.name!r} is not allowed", Side.CLIENT)
        client_versions = self._agree(hello, Side.CLIENT)
        await self._step(host.take_name(link, hello.name, self._left()))

        server_hello = await self._greet_server(hello)
        link.server_hello = server_hello
        link.server_name = server_hello.name
        host.equip(link, client_versions, self._check_server(server_hello))
        link.link.state = await self._ask(host.on_connect, link.link)
        if link.closing:
            raise RefusedByApplication("on_connect closed the link")
        own = self._hello(server_hello, host.dialect.to_client, host.dialect.to_server)
        link.client.say_hello(link.client.handshake.encode(own))

    def _left(self) -> float:
        """How much of the hello timeout is left."""
        return self._deadline - self._host.clock.seconds()

    def _hello(self, peers: Hello, sends: MessageType, receives: MessageType) -> Hello:
        """Make the hello that tells one peer about the other, with the repeater's own name as credentials."""
        dialect = self._host.dialect
        versions = (dialect.stated(sends), dialect.stated(receives))
        return Hello(peers.name, dialect.mode, *versions, self._host.repeater_name, peers.extra)

    async def _greet_server(self, client: Hello) -> Hello:
        """Connect to the server in the client's name and read its hello."""
        host, server = self._host, self._link.server
        own = self._hello(client, host.dialect.to_server, host.dialect.to_client)
        try:
            greeting = server.handshake.encode(own)  # before the dial: this may be what cannot be done
        except InvalidHello as error:
            error.side = Side.CLIENT
            raise
        try:
            await self._step(host.dial(self._link))
        except Exception as error:
            raise ServerUnreachable(f"no connection to the server: {text_of(error)}", Side.SERVER) from error
        server.say_hello(greeting)
        hello: Hello = await self._step(server.read_hello(host.limits.hello_timeout))
        return hello

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
        """Call back into the application; what it raises, or an answer that does not come, refuses the client."""
        timeout = self._host.limits.hello_timeout
        late = RefusedByApplication(f"no answer of the application within {timeout} seconds")
        self._timeout = self._host.clock.callLater(timeout, self.stop, late)
        try:
            return await self._step(call(callback, *arguments))
        except (ConnectingError, GeneratorExit):
            raise
        except BaseException as error:
            raise RefusedByApplication(told(error)) from error
        finally:
            self._forget_timeout()

    def _forget_timeout(self) -> None:
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
