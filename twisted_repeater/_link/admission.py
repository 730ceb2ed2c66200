"""Who is let in, and who is refused.

A client is refused here for its IP address, while newcomers are dropped, once the repeater is closed, when too many
connections have no complete hello, when no place comes free in time, and when its name is taken. `refuse` ends the
client's connections and reports why; refusals that come out of the hellos themselves end up there, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from inspect import isawaitable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._sockets.connection_monitor import ConnectionMonitor
from .._sockets.descriptors import Claim
from .._sockets.valve import Valve
from .._text import told
from ..errors import (
    ClientGone,
    ClientIPNotAuthorized,
    ConnectingError,
    DuplicateClient,
    HelloTimeout,
    NewClientsDropped,
    RefusedByApplication,
    RepeaterClosed,
    TooManyClients,
)
from ..model import Side
from ..observers._throttle import LogThrottle
from .application import Application, Settings
from .deadline import within
from .pair import Pair

__all__ = ["Admission"]

log: Logger = Logger()

Stop = Callable[[ConnectingError], None]
"""Ends an attempt to link a client."""


class Admission:
    """Decides who gets in, who waits, and who is refused.

    ``port_valve`` is closed as long as no place is left, so that newcomers wait in the listen queue; those that were
    accepted before that wait here.
    """

    def __init__(
        self,
        settings: Settings,
        application: Application,
        claim: Claim,
        monitor: ConnectionMonitor,
        clock: IReactorTime,
    ) -> None:
        self.dropping = False
        """Whether newcomers are refused because the application said so."""
        self.closed = False
        """Whether the repeater is shut down."""
        self.proxied = False
        """Whether clients come through a load balancer, whose PROXY headers have their addresses."""
        self.names: dict[str, Pair] = {}
        """The link that each name belongs to."""
        self.port_valve: Valve | None = None
        self._is_client_ip_authorized = settings.is_client_ip_authorized
        self._application = application
        self._claim = claim
        self._monitor = monitor
        self._clock = clock
        self._throttle = LogThrottle(clock)
        self._unfinished: dict[Pair, Stop] = {}
        """Those without a complete hello of the client, the oldest first."""
        self._placed: set[Pair] = set()
        self._waiting: deque[Deferred[None]] = deque()

    # -- a newcomer ------------------------------------------------------------------------------------------

    def lets_in(self, address: IAddress | None) -> bool:
        """Return whether a new connection is accepted; if not, the application hears of it once it was started."""
        if self._application.started is None or self.closed:
            return False
        if self.proxied:  # this address is the load balancer's; the attempt checks the client's
            return True
        try:
            self.check_newcomer(address)
        except ConnectingError as error:
            self._report(None, address, error)
            return False
        return True

    def check_newcomer(self, address: IAddress | None) -> None:
        """Raise a `ConnectingError` unless a client from this address may come."""
        if self._is_client_ip_authorized is not None:
            ip: str = getattr(address, "host", "")
            try:
                authorized = self._is_client_ip_authorized(ip)
                if isawaitable(authorized):  # which would pass for true
                    raise TypeError("is_client_ip_authorized must answer at once")
                authorized = bool(authorized)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise RefusedByApplication(told(error)) from error
            if not authorized:
                raise ClientIPNotAuthorized(f"clients from {ip or address} are not authorized", Side.CLIENT)
        if self.dropping:
            raise NewClientsDropped("new clients are being dropped")
        if self.closed:  # by the callback
            raise RepeaterClosed("the repeater was shut down")

    # -- unfinished hellos -----------------------------------------------------------------------------------

    def expect_hello(self, pair: Pair, stop: Stop) -> None:
        """A client is connected and has not said its hello. Past the limit, the one that waits longest is refused."""
        self._unfinished[pair] = stop
        if len(self._unfinished) > self._claim.limits.max_unfinished_hellos:
            oldest = next(iter(self._unfinished.values()))
            oldest(HelloTimeout("no hello yet, and too many newer connections", Side.CLIENT))

    # -- places ----------------------------------------------------------------------------------------------

    def take_place(self, pair: Pair, timeout: float) -> Deferred[None]:
        """A client's hello is complete: fire when there is room for one more.

        Fails with `TooManyClients` if no place comes free within ``timeout`` seconds.
        """
        self._unfinished.pop(pair, None)
        return Deferred.fromCoroutine(self._take_place(pair, timeout))

    async def _take_place(self, pair: Pair, timeout: float) -> None:
        deadline = self._clock.seconds() + timeout
        while len(self._placed) >= (places := self._claim.limits.max_clients):
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            try:
                error = partial(TooManyClients, f"{places} clients are linked, and none left in time")
                await within(turn, deadline - self._clock.seconds(), self._clock, error)
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        self._placed.add(pair)
        if len(self._placed) >= places and self.port_valve is not None:
            more = self._throttle.take("max_clients")
            if more is not None:
                log.info("max_clients, {count}, is reached: newcomers wait{more}", count=len(self._placed), more=more)
            self.port_valve.close("max_clients")

    # -- names -----------------------------------------------------------------------------------------------

    def take_name(self, pair: Pair, name: str, timeout: float) -> Deferred[None]:
        """Fire when the name is the pair's.

        Waits for a link of that name that is ending already, or whose client has vanished, which a probe finds out.
        Fails with `DuplicateClient` after ``timeout`` seconds, or at once if the client of that name answers.
        """
        return Deferred.fromCoroutine(self._take_name(pair, name, timeout))

    async def _take_name(self, pair: Pair, name: str, timeout: float) -> None:
        deadline = self._clock.seconds() + timeout
        while (holder := self.names.get(name)) is not None:
            error = partial(DuplicateClient, f"a client {name!r} is linked already", Side.CLIENT)
            if not (holder.closing or holder.finishing):
                half = (deadline - self._clock.seconds()) / 2  # the rest is for the end of the holder's link
                if not await self._monitor.has_vanished(holder.client, half):
                    raise error()
            if holder.closing or holder.finishing:  # the application may let the link of a vanished client stand
                holder.give_way()
            await within(holder.when_over(), deadline - self._clock.seconds(), self._clock, error)
        self.names[name] = pair

    def identify(self, pair: Pair, name: str) -> Deferred[None]:
        """See `ILink`."""
        raise NotImplementedError

    def take_label(self, pair: Pair) -> str:
        """Return a name made of the client's address, which is never taken."""
        address = pair.client.address
        host = getattr(address, "host", None)
        return f"#{pair.id}" if host is None else f"{f'[{host}]' if ':' in host else host}:{address.port}"

    # -- refusing and leaving --------------------------------------------------------------------------------

    def refuse(self, pair: Pair, failure: Failure) -> None:
        """Close the connections of a client that cannot be linked, and report why.

        One that left before it said a word is not reported: a health check does so, for example.
        """
        self._unfinished.pop(pair, None)
        error = failure.value
        if not isinstance(error, ConnectingError):
            self._application.log_failure("bug: an attempt to link a client failed", failure)
            error = RefusedByApplication(told(error))
        if not (isinstance(error, ClientGone) and not pair.client.heard):
            self._report(error.client_name or pair.client_name or None, pair.client.address, error)
        pair.close(error)
        pair.check_over()

    def _report(self, client_name: str | None, address: IAddress | None, error: ConnectingError) -> None:
        error.client_address = address
        error.client_name = client_name
        self._application.client_refused(client_name, error)

    def leave(self, pair: Pair) -> None:
        """Both connections are gone: the name and the place are free."""
        if self.names.get(pair.client_name) is pair:
            del self.names[pair.client_name]
        if pair in self._placed:
            self._placed.discard(pair)
            if self.port_valve is not None:
                self.port_valve.open("max_clients")
            if self._waiting:
                self._waiting.popleft().callback(None)
