"""The making of a link: plays the opening of the dialect, then takes the steps that the opening has left out.

The server is dialled late, when the client is admitted. An opening can end only its own attempt. Deadlines, places,
names and cleaning up are here, not in openings; `making_time` has the deadlines.

* An attempt ends once. After that, nothing comes that the opening still waits for.
* A client that was refused cannot be linked by an opening that goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .._coroutines import call
from .._sockets.tls_errors import tls_trouble
from .._text import repr_of, text_of, told
from ..dialects import Attempt, Dialect, Peer, Versions, by_address, server_first
from ..dialects.hellos import Hellos
from ..errors import (
    ClientGone,
    ClientNotAllowed,
    ConnectingError,
    FramingError,
    InvalidHello,
    OpeningFailed,
    ParseError,
    RefusedByApplication,
    ServerUnreachable,
)
from ..model import Limits, Side
from .deadline import within
from .making_time import TimedMaking
from .pair import Pair
from .starting_tls import handshake_error
from .watching import OpeningNotes

if TYPE_CHECKING:
    from .factory import Links

__all__ = ["Making"]


class Making(TimedMaking):
    """One client on its way to being linked. An `Attempt` calls it.

    ``done`` fires with ``None`` when the link is complete, and fails with a `ConnectingError` when it cannot be.
    """

    __slots__ = (
        "_refusal",
        "_work",
        "admitted",
        "admitting",
        "connected",
        "connecting",
        "dialled",
        "dialling",
        "done",
        "notes",
    )

    def __init__(self, pair: Pair, links: Links) -> None:
        super().__init__(pair, links)
        self._work: Deferred[None] | None = None
        """The steps, while they are taken."""
        self._refusal: ConnectingError | None = None
        """Why a step has failed: no other one may follow."""
        self.admitting: bool = False
        self.admitted: bool = False
        self.dialling: bool = False
        self.dialled: bool = False
        self.connecting: bool = False
        self.connected: bool = False
        self.done: Deferred[None] = Deferred()
        self.notes: OpeningNotes | None = OpeningNotes() if links.watches else None
        """What the opening reads and sends, if anybody watches."""

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
        self._stop_times()
        self.done.errback(why)
        # Not now: the opening, or a callback of the application, may be what calls this.
        self._links.clock.callLater(0, self._give_up)

    @property
    def relays(self) -> bool:
        """Whether the link is made."""
        return self.done.called and not self.stopped

    def now(self) -> float:
        """Return the time for notes."""
        return self._links.watches.clock.now()

    def refuse(self, why: ConnectingError) -> None:
        """No step can follow, even if the opening goes on."""
        self._refusal = self._refusal or why

    def _give_up(self) -> None:
        """Cancel what is under way, so that coroutines clean up."""
        self._cancel_answer()
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        self._let_go()

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

    def _made(self, result: Any) -> None:
        """The last step is done, or one failed, which it did if the attempt was stopped."""
        self._work = None
        self._stop_opening_time()
        if not self.stopped:
            self.stopped: bool = isinstance(result, Failure)
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

    async def _make(self) -> None:
        """Play the opening, then take the steps that it has left out."""
        links, pair = self._links, self._pair
        if links.admission.proxied:
            await self.step(pair.client.when_address_known(links.limits.hello_timeout))
            links.admission.check_newcomer(pair.client.address)
            self._begin_anew()
        if pair.client.handshake is not None:
            await self.step(pair.client.when_secure())
            self._begin_anew()
        await self._open()
        if not self.admitted:
            self.admitting = True
            await self._admit(None, {})
        if not self.dialled:
            self.dialling = True
            await self._dial()
        if not self.connected:
            self.connecting = True
            await self._connect(None, None, None)

    async def _open(self) -> None:
        """Play the opening."""
        client, server = self._pair.client.opening, self._pair.server.opening
        assert client is not None
        assert server is not None
        client.making = server.making = self
        attempt = Attempt(self, Peer(client), Peer(server))
        self.attempt: Attempt | None = attempt
        try:
            await self._play(attempt)
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

    async def _play(self, attempt: Attempt) -> None:
        """Call the opening. Our own ones await only what an attempt gives, so they need no task of asyncio's."""
        opening = self.dialect.opening
        if opening is by_address or opening is server_first or type(opening) is Hellos:
            await opening(attempt)
        else:
            result = await self.step(call(opening, attempt))
            if result is not None:  # a function that makes openings, for example, in place of one that it makes
                raise TypeError(f"an opening must return None, not {repr_of(result)}")

    def _opening_failed(self, error: BaseException) -> ConnectingError:
        """Return the error about an opening that has raised something else than a `ConnectingError`."""
        name, client = self.dialect.name, self._pair.client.opening
        heard = f"; the client began with {client.beginning!r}" if client is not None and client.beginning else ""
        if isinstance(error, (FramingError, ParseError, UnicodeDecodeError)):  # about bytes that it has looked at
            return InvalidHello(f"the client does not speak {name}: {text_of(error)}{heard}", Side.CLIENT)
        self._links.application.log_failure("the opening of {dialect} failed", Failure(error), dialect=name)
        return OpeningFailed(f"the opening of {name} failed: {told(error)}{heard}")

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
        if details:
            pair.details = MappingProxyType(details)
        if name is not None:
            pair.client_name = name
        if not admission.take_place_at_once(pair):
            await self.step(admission.take_place(pair, self._left()))
        if name is None:
            pair.client_name = admission.take_label(pair)
        else:
            allowed = await self._ask(self._links.settings.is_client_allowed, name)
            if allowed is not True and not await self._ask(bool, allowed):  # bool may call code of the application
                raise ClientNotAllowed(f"client {name!r} is not allowed", Side.CLIENT)
            if not admission.names.take_at_once(pair, name):
                await self.step(admission.take_name(pair, name, self._left()))
        self.admitted = True

    async def _dial(self) -> None:
        links, pair = self._links, self._pair
        timeout = links.limits.connect_timeout
        deadline = links.clock.seconds() + timeout
        try:
            await self.step(links.dial(pair))
            if pair.server.handshaking:
                secure, left = pair.server.when_secure(), deadline - links.clock.seconds()
                late = partial(TimeoutError, "no TLS handshake in time")
                await self.step(within(secure, left, links.clock, late))
        except Exception as error:
            raise ServerUnreachable(f"no connection to the server: {text_of(error)}", Side.SERVER) from error
        self.dialled = True

    async def _connect(self, client: Any, server: Any, versions: tuple[Versions, Versions] | None) -> None:
        links, pair = self._links, self._pair
        pair.client_hello, pair.server_hello = client, server
        links.equipment.equip(pair, *(versions or links.equipment.stated))
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
