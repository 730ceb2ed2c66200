"""Who is let in, and who is refused.

A client is refused here for its IP address, while newcomers are dropped, once the repeater is closed, when too many
connections have no complete hello, when no place comes free in time, and when its name is taken (`names` has the
names). `refuse` ends the client's connections and reports why; refusals that come out of the hellos themselves end up
there, too.

A place is taken when the hello is complete, until both connections are gone. Some protocols let the server speak first,
so a client has a place before it has sent a byte. When places run out, the oldest of these silent ones makes way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from inspect import isawaitable

from twisted.internet.defer import Deferred, succeed
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
    HelloTimeout,
    NameTimeout,
    NewClientsDropped,
    OpeningFailed,
    RefusedByApplication,
    RepeaterClosed,
    TooManyClients,
)
from ..model import Side
from ..observers._throttle import LogThrottle
from .application import Application, Settings
from .deadline import within
from .identifying import Identifications
from .names import Names
from .pair import Pair

__all__ = ["Admission"]

log: Logger = Logger()

Stop = Callable[[ConnectingError], None]
"""Ends an attempt to link a client."""


class Admission:
    """Decides who gets in, who waits, and who is refused.

    ``port_valve`` is closed as long as no place is left, and no silent client has one. So newcomers wait in the listen
    queue; those that were accepted before that wait here.
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
        self.names: Names = Names(settings.dialect.same_name, monitor, clock, self._make_way)
        """Which link has which name."""
        self.port_valve: Valve | None = None
        self._is_client_ip_authorized = settings.is_client_ip_authorized
        self._dialect_name = settings.dialect.name
        self._application = application
        self._claim = claim
        self._clock = clock
        self._repeater_name = settings.repeater_name
        self._throttle = LogThrottle(clock)
        self._attempts: dict[Pair, Stop] = {}
        """What ends the attempt of each pair that is still being made."""
        self._unfinished: dict[Pair, None] = {}
        """Those without a complete hello of the client, the oldest first."""
        self._placed: set[Pair] = set()
        self._silent: dict[Pair, None] = {}
        """Those of them whose client had sent nothing when it was looked at last, the oldest first."""
        self._waiting: deque[Deferred[None]] = deque()
        allowed = settings.is_client_allowed
        self._identifications = Identifications(self.names, application, clock, allowed)

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
        self._attempts[pair] = stop
        self._unfinished[pair] = None
        if len(self._unfinished) > self._claim.limits.max_unfinished_hellos:
            oldest = self._attempts[next(iter(self._unfinished))]
            oldest(HelloTimeout("no hello yet, and too many newer connections", Side.CLIENT))

    def made(self, pair: Pair) -> None:
        """An attempt has succeeded: the link is about to relay. If its client has said no name, it gets some time."""
        self._attempts.pop(pair, None)
        timeout = self._claim.limits.name_timeout
        if timeout is not None and self.names.is_labelled(pair):
            nameless = NameTimeout(f"the client has not said its name within {timeout} seconds")
            pair.timers.call_later("name", timeout, partial(pair.close, nameless))

    # -- places ----------------------------------------------------------------------------------------------

    def take_place(self, pair: Pair, timeout: float) -> Deferred[None]:
        """A client's hello is complete: fire when there is room for one more.

        Fails with `TooManyClients` if no place comes free within ``timeout`` seconds.
        """
        if self.take_place_at_once(pair):
            return succeed(None)
        self._end_oldest_silent()
        return Deferred.fromCoroutine(self._wait_for_place(pair, timeout))

    def take_place_at_once(self, pair: Pair) -> bool:
        """A client's hello is complete: take a place if one is free, the usual case. Return whether it has one."""
        self._unfinished.pop(pair, None)
        if len(self._placed) >= self._claim.limits.max_clients:
            return False
        self._place(pair)
        return True

    async def _wait_for_place(self, pair: Pair, timeout: float) -> None:
        deadline = self._clock.seconds() + timeout
        while len(self._placed) >= (places := self._claim.limits.max_clients):
            self._set_port()
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            try:
                error = partial(TooManyClients, f"{places} clients are linked, and none left in time")
                await within(turn, deadline - self._clock.seconds(), self._clock, error)
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
            if pair.closing:  # its attempt has ended, but it is not cancelled before the next turn of the reactor
                self._let_next_in()
                raise ClientGone("the attempt has ended", Side.CLIENT)
        self._place(pair)

    def _place(self, pair: Pair) -> None:
        self._placed.add(pair)
        if pair.silent:
            self._silent[pair] = None
        self._set_port()

    def _set_port(self) -> None:
        """Let newcomers in, or let them wait in the listen queue."""
        if self.port_valve is None:
            return
        count = len(self._placed)
        if count < self._claim.limits.max_clients or self._oldest_silent() is not None:
            self.port_valve.open("max_clients")
            return
        more = None if self.port_valve.closed else self._throttle.take("max_clients")
        if more is not None:
            log.info(
                "max_clients, {max_clients}, is reached: newcomers wait{more}",
                repeater=self._repeater_name,
                max_clients=count,
                more=more,
            )
        self.port_valve.close("max_clients")

    def _oldest_silent(self) -> Pair | None:
        """Return the oldest pair with a place whose client has sent nothing. Who has spoken is not looked at again."""
        while self._silent:
            pair = next(iter(self._silent))
            if pair.silent and not pair.closing:
                return pair
            del self._silent[pair]
        return None

    def _end_oldest_silent(self) -> None:
        """A newcomer needs a place: the oldest silent client gives its place up, if there is one."""
        pair = self._oldest_silent()
        if pair is not None:
            del self._silent[pair]
            count = self._claim.limits.max_clients
            why = f"the client has not sent a byte, and a newer one needs its place: max_clients is {count}"
            self._make_way(pair, TooManyClients(why, Side.CLIENT))

    def _make_way(self, pair: Pair, why: ConnectingError) -> None:
        """End the attempt or the link of a pair, because a newcomer needs its name or its place."""
        stop = self._attempts.get(pair)
        if stop is not None:
            stop(why)
        pair.give_way(why)

    # -- names -----------------------------------------------------------------------------------------------

    def take_name(self, pair: Pair, name: str, timeout: float) -> Deferred[None]:
        """Fire when the name is the pair's; the dialect's `SameName` says what happens if another pair has it.

        Fails with `DuplicateClient` after ``timeout`` seconds, or at once if the client of that name answers; with
        `Replaced` if a later newcomer gets the name.
        """
        if self.names.take_at_once(pair, name):
            return succeed(None)
        return Deferred.fromCoroutine(self.names.take(pair, name, timeout))

    def take_label(self, pair: Pair) -> str:
        """Return a label for a pair whose client says no name, and register the pair by it."""
        return self.names.take_label(pair)

    def identify(self, pair: Pair, name: str) -> Deferred[None]:
        """Give a link another name; see `ILink`. A call that is still under way fails with `Replaced`."""
        return self._identifications.begin(pair, name, self._claim.limits.hello_timeout)

    # -- refusing and leaving --------------------------------------------------------------------------------

    def refuse(self, pair: Pair, failure: Failure) -> ConnectingError:
        """Close the connections of a client that cannot be linked, and report why. Return the error.

        One that left before it said a word is not reported: a health check does so, for example.
        """
        self._unfinished.pop(pair, None)
        self._attempts.pop(pair, None)
        error = failure.value
        if not isinstance(error, ConnectingError):
            self._application.log_failure("bug: an attempt to link a client failed", failure)
            error = RefusedByApplication(told(error))
        if not (isinstance(error, ClientGone) and not pair.client.heard):
            self._report(error.client_name or pair.client_name or None, pair.client.address, error)
        pair.close(error)
        pair.check_over()
        return error

    def refuse_without_framing(self, address: IAddress | None, error: BaseException) -> None:
        """A new connection is closed, because the dialect has no framing for it: report why."""
        name = self._dialect_name
        self._application.log_failure("the framing of {dialect} failed", Failure(error), dialect=name)
        failed = OpeningFailed(f"the framing of {name} failed: {told(error)}")
        failed.__cause__ = error
        self._report(None, address, failed)

    def _report(self, client_name: str | None, address: IAddress | None, error: ConnectingError) -> None:
        error.client_address = address
        error.client_name = client_name
        self._application.client_refused(client_name, error)

    def leave(self, pair: Pair) -> None:
        """Both connections are gone: the name and the place are free."""
        self.names.leave(pair)
        self._identifications.stop(pair)
        if pair in self._placed:
            self._placed.discard(pair)
            self._silent.pop(pair, None)
            self._set_port()
            self._let_next_in()

    def _let_next_in(self) -> None:
        if self._waiting:
            self._waiting.popleft().callback(None)
