"""The making of a link: plays the opening of the dialect, then takes the steps that the opening has left out.

The server is dialled late, when the client is admitted. An opening can end only its own attempt. Deadlines, places,
names and cleaning up are here, not in openings:

* ``hello_timeout`` runs from the beginning until the client is admitted, and again from there until the opening
  returns. It does not run while the server is dialled, for which there is ``connect_timeout``, and while the
  application is asked, which has ``hello_timeout`` for each answer.
* An attempt ends once. After that, nothing comes that the opening still waits for.
* A client that was refused cannot be linked by an opening that goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import iscoroutine
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .._coroutines import call, run
from .._sockets.tls_errors import tls_trouble
from .._text import repr_of, text_of, told
from ..dialects import Attempt, Dialect, Peer, Versions
from ..errors import (
    ClientGone,
    ClientNotAllowed,
    ConnectingError,
    FramingError,
    HelloTimeout,
    InvalidHello,
    OpeningFailed,
    ParseError,
    RefusedByApplication,
    ServerUnreachable,
)
from ..model import Limits, Side
from .deadline import within
from .pair import Pair
from .starting_tls import handshake_error

if TYPE_CHECKING:
    from .factory import Links

__all__ = ["Making"]

T = TypeVar("T")


class Making:
    """One client on its way to being linked. An `Attempt` calls it.

    ``done`` fires with ``None`` when the link is complete, and fails with a `ConnectingError` when it cannot be.
    """

    __slots__ = (
        "_answer",
        "_deadline",
        "_due",
        "_links",
        "_pair",
        "_refusal",
        "_step",
        "_work",
        "admitted",
        "admitting",
        "attempt",
        "connected",
        "connecting",
        "dialled",
        "dialling",
        "done",
        "stopped",
    )

    def __init__(self, pair: Pair, links: Links) -> None:
        self._pair = pair
        self._links = links
        self._work: Deferred[None] | None = None
        """The steps, while they are taken."""
        self._step: Deferred[None] | None = None
        """The step that the opening has taken last."""
        self._answer: Deferred[Any] | None = None
        """The answer of the application that is awaited."""
        self._refusal: ConnectingError | None = None
        """Why a step has failed: no other one may follow."""
        self._deadline = links.clock.seconds() + links.limits.hello_timeout
        """The time by which the client must be admitted."""
        self._due: float | None = None
        """The time by which the opening must have gone on; ``None`` while another deadline counts."""
        self.attempt: Attempt | None = None
        """The attempt that the opening gets, once it has begun."""
        self.stopped: bool = False
        self.admitting: bool = False
        self.admitted: bool = False
        self.dialling: bool = False
        self.dialled: bool = False
        self.connecting: bool = False
        self.connected: bool = False
        self.done: Deferred[None] = Deferred()

    # -- from the beginning to the end ---------------------------------------------------------------------------

    def start(self) -> Deferred[None]:
        """Begin, unless `stop` was called before."""
        if not self.stopped:
            if not self._links.admission.proxied:
                self._wait_for_opening()
            self._work = Deferred.fromCoroutine(self._make())
            self._work.addBoth(self._made)
        return self.done

    def stop(self, why: ConnectingError) -> None:
        """Give up, whatever step is under way: ``done`` fails now, even if the opening or a callback lingers on."""
        if self.stopped or self.done.called:
            return
        self.stopped = True
        self._pair.timers.stop("answer")
        self._stop_opening_time()
        self.done.errback(why)
        # Not now: the opening, or a callback of the application, may be what calls this.
        self._links.clock.callLater(0, self._give_up)

    def refuse(self, why: ConnectingError) -> None:
        """No step can follow, even if the opening goes on."""
        if self._refusal is None:
            self._refusal = why

    def _give_up(self) -> None:
        """Cancel what is under way, so that coroutines clean up."""
        answer, self._answer = self._answer, None
        if answer is not None:
            try:
                answer.cancel()
            except KeyboardInterrupt:
                raise
            except BaseException:  # raised by the application's canceller: the attempt has ended all the same
                self._failed_late(Failure())
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        self._let_go()

    def _let_go(self) -> None:
        """Cancel what the opening has asked for and does not wait for. If that fails, nobody has to hear of it."""
        step, self._step = self._step, None
        if step is not None:
            step.addErrback(_ignore)
            step.cancel()
        for connection in (self._pair.client, self._pair.server):
            if connection.opening is not None:
                connection.opening.end()

    def side_left(self, side: Side, reason: BaseException) -> None:
        """A side left while the link was being made: give up."""
        why: ConnectingError
        if self._pair.closing:
            why = RefusedByApplication("the application closed the link")
        elif self._pair.connection(side).handshaking:
            why = handshake_error(side, reason)
        elif trouble := tls_trouble(side.value, reason):  # ClientGone might not be logged
            why = InvalidHello(trouble, side) if side is Side.CLIENT else ServerUnreachable(trouble, side)
        elif side is Side.SERVER:
            why = ServerUnreachable(f"the server closed the connection before it was linked: {text_of(reason)}", side)
        else:
            why = ClientGone(f"the client left before it was linked: {text_of(reason)}", side)
        why.__cause__ = reason
        self.stop(why)

    def _failed_late(self, failure: Failure) -> None:
        self._links.application.log_failure("a callback failed while an attempt was given up", failure)

    def _made(self, result: Any) -> None:
        """The last step is done, or one failed, which it did if the attempt was stopped."""
        self._stop_opening_time()
        if not self.stopped:
            self.stopped = isinstance(result, Failure)
            if self.stopped:
                self._give_up()
            else:
                self._let_go()
            self.done.callback(result)
        elif isinstance(result, Failure):
            error = result.value
            reason = error.__cause__ if isinstance(error, (RefusedByApplication, OpeningFailed)) else error
            if not isinstance(reason, (CancelledError, ConnectingError)):
                self._failed_late(result)

    async def step(self, deferred: Deferred[T]) -> T:
        """Wait for one step, unless the attempt is stopped meanwhile."""
        if self.stopped:  # by the application's callback itself, whose answer no longer matters
            deferred.addErrback(self._failed_late)
            raise CancelledError
        result = await deferred
        if self.stopped:
            raise CancelledError
        return result

    async def _make(self) -> None:
        """Play the opening, then take the steps that it has left out."""
        links, pair = self._links, self._pair
        if links.admission.proxied:
            await self.step(pair.client.when_address_known(links.limits.hello_timeout))
            links.admission.check_newcomer(pair.client.address)
            self._begin_anew()
        await self.step(pair.client.when_secure())
        self._begin_anew()
        await self._open()
        if not self.admitted:
            await self.admit(None, {})
        if not self.dialled:
            await self.dial()
        if not self.connected:
            await self.connect(None, None, None)

    def _begin_anew(self) -> None:
        """The time of the attempt begins now."""
        self._deadline = self._links.clock.seconds() + self._links.limits.hello_timeout
        self._wait_for_opening()

    async def _open(self) -> None:
        """Play the opening."""
        client, server = self._pair.client.opening, self._pair.server.opening
        assert client is not None
        assert server is not None
        client.making = server.making = self
        self.attempt = Attempt(self, Peer(client), Peer(server))
        try:
            result = await self.step(call(self.dialect.opening, self.attempt))
            if result is not None:  # a function that makes openings, for example, in place of one that it makes
                raise TypeError(f"an opening must return None, not {repr_of(result)}")
        except (ConnectingError, GeneratorExit):
            raise
        except BaseException as error:  # a Deferred has caught Ctrl-C, too, and would let it go no further
            if self.stopped:
                raise
            raise self._opening_failed(error) from error
        if self._refusal is not None:
            raise self._refusal
        if forgotten := self._forgotten():
            raise OpeningFailed(f"the opening of {self.dialect.name} did not await {forgotten}")
        self._due = None

    def _forgotten(self) -> str | None:
        """Return what the opening has begun and not waited for, if there is something."""
        for begun, ended, name in (
            (self.admitting, self.admitted, "attempt.admit()"),
            (self.dialling, self.dialled, "attempt.dial()"),
            (self.connecting, self.connected, "attempt.connect()"),
        ):
            if begun and not ended:
                return name
        return self._asked()

    def _asked(self) -> str | None:
        """Return what the opening has asked a peer for and does not have, if there is something."""
        for connection in (self._pair.client, self._pair.server):
            side, opening = connection.side.value, connection.opening
            if opening is not None and opening.waits:
                return f"bytes of the {side}"
            if connection.handshaking:
                return f"the TLS handshake of the {side}"
        return None

    def _opening_failed(self, error: BaseException) -> ConnectingError:
        """Return the error about an opening that has raised something else than a `ConnectingError`."""
        name, client = self.dialect.name, self._pair.client.opening
        heard = f"; the client began with {client.beginning!r}" if client is not None and client.beginning else ""
        if isinstance(error, (FramingError, ParseError)):  # about bytes that the opening has looked at
            return InvalidHello(f"the client does not speak {name}: {text_of(error)}{heard}", Side.CLIENT)
        self._links.application.log_failure("the opening of {dialect} failed", Failure(error), dialect=name)
        return OpeningFailed(f"the opening of {name} failed: {told(error)}{heard}")

    # -- the time of the opening ---------------------------------------------------------------------------------

    def _wait_for_opening(self) -> None:
        """The opening has its time from now on."""
        timeout = self.limits.hello_timeout
        self._due = self._links.clock.seconds() + timeout
        # One timer for an attempt: to stop and start it for each step costs more.
        if "opening" not in self._pair.timers:
            self._pair.timers.call_later("opening", timeout, self._look_at_time)

    def _stop_opening_time(self) -> None:
        self._due = None
        self._pair.timers.stop("opening")

    def _look_at_time(self) -> None:
        """The timer has fired: see whether the time of the opening is over."""
        if self._due is None:
            return  # the next step that is done starts the timer again
        left = self._due - self._links.clock.seconds()
        if left > 0:
            self._pair.timers.call_later("opening", left, self._look_at_time)
        else:
            self._opening_is_late()

    def _opening_is_late(self) -> None:
        pair, name = self._pair, self.dialect.name
        for connection in (pair.client, pair.server):
            side, opening = connection.side, connection.opening
            if connection.handshaking:
                self.stop(HelloTimeout(f"no TLS handshake of the {side.value} in time", side))
                return
            if opening is not None and (opening.waits or (connection is pair.client and self.attempt is None)):
                sent = f"; it sent only {opening.beginning!r}" if opening.beginning else ""
                self.stop(HelloTimeout(f"no message of {name} from the {side.value} in time{sent}", side))
                return
        timeout = f"{self.limits.hello_timeout:g} seconds"
        self.stop(OpeningFailed(f"the opening of {name} did not end within {timeout}"))

    def _left(self) -> float:
        """Return how many seconds the client has left to be admitted."""
        return self._deadline - self._links.clock.seconds()

    # -- what an Attempt needs -----------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        """See `Attempt`."""
        return self._links.settings.dialect

    @property
    def limits(self) -> Limits:
        """See `Attempt`."""
        return self._links.limits

    @property
    def repeater_name(self) -> str:
        """See `Attempt`."""
        return self._links.settings.repeater_name

    @property
    def server_name(self) -> str:
        """See `Attempt`."""
        return self._links.settings.server_name

    @property
    def details(self) -> Mapping[str, object]:
        """See `Attempt`."""
        return self._pair.details

    def admit(self, name: str | None, details: dict[str, object]) -> Deferred[None]:
        """See `Attempt`."""
        if self.admitting:
            raise RuntimeError("attempt.admit() must be called once")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string or None, not {repr_of(name)}")
        self.admitting = True
        return self._take(self._admit(name, details))

    def dial(self) -> Deferred[None]:
        """See `Attempt`."""
        if not self.admitted or self.dialling:
            raise RuntimeError("attempt.dial() must be called once, after attempt.admit() is done")
        self.dialling = True
        return self._take(self._dial())

    def connect(self, client: Any, server: Any, versions: tuple[Versions, Versions] | None) -> Deferred[None]:
        """See `Attempt`."""
        if not self.dialled or self.connecting:
            raise RuntimeError("attempt.connect() must be called once, after attempt.dial() is done")
        if asked := self._asked():
            raise RuntimeError(f"the opening still waits for {asked}")
        self.connecting = True
        return self._take(self._connect(client, server, versions))

    def _take(self, work: Any) -> Deferred[None]:
        """Take a step."""
        if self._refusal is not None:  # an opening that goes on after a refusal
            self.stop(self._refusal)
        if self.stopped:
            work.close()
            return Deferred()
        self._due = None
        self._step = Deferred.fromCoroutine(work)
        return self._step.addCallbacks(self._taken, self._not_taken)

    def _taken(self, result: None) -> None:
        """A step is done: the opening has time again."""
        if not self.stopped:
            self._wait_for_opening()

    def _not_taken(self, failure: Failure) -> Failure:
        """A step has failed: the attempt ends, even if the opening does not return."""
        if isinstance(failure.value, ConnectingError):
            self.refuse(failure.value)
        if not self.stopped:
            self._wait_for_opening()
        return failure

    # -- the steps -----------------------------------------------------------------------------------------------

    async def _admit(self, name: str | None, details: dict[str, object]) -> None:
        pair, admission = self._pair, self._links.admission
        pair.details = MappingProxyType(details)
        if name is not None:
            pair.client_name = name
        await self.step(admission.take_place(pair, self._left()))
        if name is None:
            pair.client_name = admission.take_label(pair)
        else:
            allowed = await self._ask(self._links.settings.is_client_allowed, name)
            if not await self._ask(bool, allowed):  # bool may call code of the application, too
                raise ClientNotAllowed(f"client {name!r} is not allowed", Side.CLIENT)
            await self.step(admission.take_name(pair, name, self._left()))
        self.admitted = True

    async def _dial(self) -> None:
        links, pair = self._links, self._pair
        timeout = links.limits.connect_timeout
        deadline = links.clock.seconds() + timeout
        try:
            await self.step(links.dial(pair))
            secure = pair.server.when_secure()
            if not secure.called:
                left = deadline - links.clock.seconds()
                secure = within(secure, left, links.clock, lambda: TimeoutError("no TLS handshake in time"))
            await self.step(secure)
        except Exception as error:
            raise ServerUnreachable(f"no connection to the server: {text_of(error)}", Side.SERVER) from error
        self.dialled = True

    async def _connect(self, client: Any, server: Any, versions: tuple[Versions, Versions] | None) -> None:
        links, pair = self._links, self._pair
        pair.client_hello, pair.server_hello = client, server
        links.equipment.equip(pair, *(versions or self._stated_versions()))
        pair.link.state = await self._ask(links.application.callbacks.on_connect, pair.link)
        if pair.closing:
            raise RefusedByApplication("on_connect closed the link")
        if links.equipment.has_pair:
            await self._ask(links.equipment.equip_pair, pair)
            if pair.closing:
                raise RefusedByApplication("for_link closed the link")
        else:
            links.equipment.equip_pair(pair)
        self.connected = True

    def _stated_versions(self) -> tuple[Versions, Versions]:
        """Return the versions of the peers' messages where no opening has agreed on any."""
        to_server, to_client = self.dialect.to_server.prod, self.dialect.to_client.prod
        return Versions(to_server, to_client), Versions(to_client, to_server)

    async def _ask(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Call back into the application. If it raises, or does not answer in time, the client is refused."""
        try:
            answer = callback(*arguments)
            if not isinstance(answer, Deferred) and not iscoroutine(answer):
                if self.stopped:  # by the callback itself, whose answer no longer matters
                    raise CancelledError
                return answer
            answer = run(answer) if iscoroutine(answer) else answer
            if not answer.called or answer.paused:
                self._pair.timers.call_later("answer", self.limits.hello_timeout, self._answer_is_late)
                self._answer = answer
                answer = _forwarded(answer)
            return await self.step(answer)
        except (ConnectingError, GeneratorExit):
            raise
        except BaseException as error:  # a Deferred would catch Ctrl-C, too, and let it go no further
            if self.stopped:
                raise
            raise RefusedByApplication(told(error)) from error
        finally:
            self._answer = None
            self._pair.timers.stop("answer")

    def _answer_is_late(self) -> None:
        timeout = self.limits.hello_timeout
        self.stop(RefusedByApplication(f"no answer of the application within {timeout} seconds"))


def _ignore(failure: Failure) -> None:
    """Ignore that something failed which nobody waits for."""


def _forwarded(deferred: Deferred[T]) -> Deferred[T]:
    """Return a Deferred with the same result, which can be cancelled although the application's cannot."""
    forwarded: Deferred[T] = Deferred()

    def forward(result: Any) -> None:
        if not forwarded.called:
            forwarded.callback(result)

    deferred.addBoth(forward)
    return forwarded
