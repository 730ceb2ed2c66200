"""The making of a link, step by step: nothing is dialled that can be refused, nobody believes too early."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .._coroutines import call
from .._text import text_of, told
from ..dialects import MessageType
from ..dialects._dialect import agreed_version
from ..errors import (
    ClientGone,
    ClientNotAllowed,
    ConnectingError,
    InvalidHello,
    RefusedByApplication,
    ServerUnreachable,
    UnexpectedServerName,
    VersionMismatch,
    WrongMode,
)
from ..model import Hello, Side
from .pair import Pair

if TYPE_CHECKING:
    from .factory import Links

__all__ = ["Attempt"]


class Attempt:
    """One client on its way to being linked.

    ``done`` fires with ``None`` when the link is complete, and fails with a `ConnectingError` when it cannot be.
    """

    __slots__ = ("_awaited", "_deadline", "_links", "_pair", "_stopped", "done")

    def __init__(self, pair: Pair, links: Links) -> None:
        self._pair = pair
        self._links = links
        self._awaited: Deferred[Any] | None = None
        self._stopped = False
        self._deadline = links.clock.seconds() + links.limits.hello_timeout
        self.done: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Begin, unless `stop` was called before."""
        if not self._stopped:
            Deferred.fromCoroutine(self._make()).addBoth(self._made)
        return self.done

    def stop(self, why: ConnectingError) -> None:
        """Give up, whatever step is under way: ``done`` fails now, even if a callback of the application lingers on."""
        if self._stopped or self.done.called:
            return
        self._stopped = True
        self._pair.timers.stop("answer")
        if self._awaited is not None:
            try:
                self._awaited.cancel()
            except KeyboardInterrupt:
                raise
            except BaseException:  # raised by the application's canceller: the attempt ends all the same
                self._failed_late(Failure())
        self.done.errback(why)

    def side_left(self, side: Side, reason: BaseException) -> None:
        """A side left while the link was being made: give up."""
        why: ConnectingError
        if self._pair.closing:
            why = RefusedByApplication("the application closed the link")
        elif side is Side.SERVER:
            why = ServerUnreachable(f"the server closed the connection before it was linked: {text_of(reason)}", side)
        elif not self._pair.client.heard and (trouble := _tls_trouble(reason)):
            why = InvalidHello(trouble, side)  # ClientGone would not be logged, as no byte of the client was heard
        else:
            why = ClientGone(f"the client left before it was linked: {text_of(reason)}", side)
        why.__cause__ = reason
        self.stop(why)

    def _failed_late(self, failure: Failure) -> None:
        self._links.application.log_failure("a callback failed while an attempt was given up", failure)

    def _made(self, result: Any) -> None:
        """The last step is done, or one failed, which it did if the attempt was stopped."""
        if not self._stopped:
            self.done.callback(result)
        else:
            error = result.value
            reason = error.__cause__ if isinstance(error, RefusedByApplication) else error
            if not isinstance(reason, (CancelledError, ConnectingError)):
                self._failed_late(result)

    async def _step(self, deferred: Deferred[Any]) -> Any:
        """Wait for one step; `stop` cancels it."""
        if self._stopped:  # by the application's callback itself, whose answer no longer matters
            deferred.addErrback(self._failed_late)
            raise CancelledError
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
        links, pair = self._links, self._pair
        settings, admission = links.settings, links.admission
        if admission.proxied:
            await self._step(pair.client.when_address_known(links.limits.hello_timeout))
            admission.check_newcomer(pair.client.address)
            self._deadline = links.clock.seconds() + links.limits.hello_timeout
        hello = await self._step(pair.client.read_hello(links.limits.hello_timeout))
        pair.client_hello = hello
        pair.client_name = hello.name
        self._check_mode(hello, Side.CLIENT)
        await self._step(admission.take_place(pair, self._left()))
        allowed = await self._ask(settings.is_client_allowed, hello.name)
        if not await self._ask(bool, allowed):  # bool may call code of the application, too
            raise ClientNotAllowed(f"client {hello.name!r} is not allowed", Side.CLIENT)
        client_versions = self._agree(hello, Side.CLIENT)
        await self._step(admission.take_name(pair, hello.name, self._left()))
        server_hello = await self._greet_server(hello)
        pair.server_hello = server_hello
        pair.server_name = server_hello.name
        links.equipment.equip(pair, client_versions, self._check_server(server_hello))
        await self._tell_client(server_hello)

    async def _tell_client(self, server_hello: Hello) -> None:
        """Have the application look at the link, then answer the client."""
        links, pair, dialect = self._links, self._pair, self._links.settings.dialect
        pair.link.state = await self._ask(links.application.callbacks.on_connect, pair.link)
        if pair.closing:
            raise RefusedByApplication("on_connect closed the link")
        await self._ask(links.equipment.equip_pair, pair)
        if pair.closing:
            raise RefusedByApplication("for_link closed the link")
        own = self._hello(server_hello, dialect.to_client, dialect.to_server)
        pair.client.outlet.push([links.handshake.encode(own)])

    def _left(self) -> float:
        """How much of the hello timeout is left."""
        return self._deadline - self._links.clock.seconds()

    def _hello(self, peers: Hello, sends: MessageType, receives: MessageType) -> Hello:
        """Make the hello that tells one peer about the other, with the repeater's own name as credentials."""
        dialect = self._links.settings.dialect
        versions = (dialect.stated(sends), dialect.stated(receives))
        return Hello(peers.name, dialect.mode, *versions, self._links.settings.repeater_name, peers.extra)

    async def _greet_server(self, client: Hello) -> Hello:
        """Connect to the server in the client's name and read its hello."""
        links, server = self._links, self._pair.server
        own = self._hello(client, links.settings.dialect.to_server, links.settings.dialect.to_client)
        try:
            greeting = links.handshake.encode(own)  # before the dial: this may be what cannot be done
        except InvalidHello as error:
            error.side = Side.CLIENT
            raise
        try:
            await self._step(links.dial(self._pair))
        except Exception as error:
            raise ServerUnreachable(f"no connection to the server: {text_of(error)}", Side.SERVER) from error
        server.outlet.push([greeting])
        hello: Hello = await self._step(server.read_hello(links.limits.hello_timeout))
        return hello

    def _check_server(self, hello: Hello) -> tuple[int, int]:
        """Check the server's hello. Return the versions that it sends and that it receives."""
        self._check_mode(hello, Side.SERVER)
        expected = self._links.settings.server_name
        if hello.name != expected:
            raise UnexpectedServerName(f"the server's name is {hello.name!r}, {expected!r} was expected", Side.SERVER)
        return self._agree(hello, Side.SERVER)

    def _check_mode(self, hello: Hello, side: Side) -> None:
        mode = self._links.settings.dialect.mode
        if hello.mode != mode:
            raise WrongMode(f"the {side.value} runs in mode {hello.mode!r}, {mode!r} was expected", side)

    def _agree(self, hello: Hello, side: Side) -> tuple[int, int]:
        """Agree with a peer on the versions of the messages that it sends and receives."""
        to_server, to_client = self._links.settings.dialect.to_server, self._links.settings.dialect.to_client
        sent, received = (to_server, to_client) if side is Side.CLIENT else (to_client, to_server)
        stated = self._links.settings.dialect.stated
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
        """Call back into the application. If it raises, or does not answer in time, the client is refused."""
        try:
            answer = call(callback, *arguments)
            if not answer.called or answer.paused:
                self._pair.timers.call_later("answer", self._links.limits.hello_timeout, self._answer_is_late)
            return await self._step(answer)
        except (ConnectingError, GeneratorExit):
            raise
        except BaseException as error:  # a Deferred has caught Ctrl-C, too, and would let it go no further
            raise RefusedByApplication(told(error)) from error
        finally:
            self._pair.timers.stop("answer")

    def _answer_is_late(self) -> None:
        timeout = self._links.limits.hello_timeout
        self.stop(RefusedByApplication(f"no answer of the application within {timeout} seconds"))


NO_TLS = {"http request", "https proxy request", "wrong version number"}
"""The errors of OpenSSL for a first message that is not TLS."""


def _tls_trouble(reason: BaseException) -> str | None:
    """Return a text about the client's TLS, if an error in that is why the connection was lost."""
    ssl = sys.modules.get("OpenSSL.SSL")  # not imported here, because only TLS endpoints need it
    if ssl is None or not isinstance(reason, ssl.Error):
        return None
    (details,) = reason.args if len(reason.args) == 1 and isinstance(reason.args[0], list) else ([],)
    if not details:  # the connection was lost
        return None
    texts = [text for _, _, text in details]
    if NO_TLS.intersection(texts):
        return f"the client does not speak TLS: {', '.join(texts)}"
    return f"the client's TLS handshake failed: {', '.join(texts)}"
