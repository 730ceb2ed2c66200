"""The factory: makes a link for each client, keeps all links and attempts, calls back into the application."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._coroutines import call
from .._lane.frame_monitor import FrameMonitor
from .._lane.lane import Lane
from .._slices import in_slices
from .._sockets.connection_monitor import ConnectionMonitor
from .._sockets.descriptors import Claim
from .._text import class_name, loggable, printable, shortened, text_of, told
from ..dialects import Dialect
from ..errors import (
    CallbackFailed,
    ClientGone,
    ClientIPNotAuthorized,
    ConnectingError,
    HelloTimeout,
    InvalidHello,
    LinkError,
    NewClientsDropped,
    RefusedByApplication,
    RepeaterClosed,
    ServerUnreachable,
)
from ..filters import filter_function, selector_of
from ..filters._provider import checked_function
from ..interfaces import IObserver
from ..model import MANY, Direction, Hello, Limits, OnFilterError, Side, effective
from ..observers._throttle import LogThrottle
from .admission import Admission
from .attempt import Attempt
from .link import Link
from .outlet import Outlet
from .pair import Pair

__all__ = ["Callbacks", "RepeaterFactory"]

FAILURES = 10
"""How many failures of one callback or observer are logged at once; after that, one a second is."""

STOPPED = "; this direction has stopped: nothing more is received from the {side}"
"""The end of the log line about a failure that has stopped a direction."""


@dataclass
class Callbacks:
    """What the application gave to `start`."""

    on_connect: Callable[[Link], Any]
    on_error: Callable[[Link, Side, LinkError], Any] | None
    """``None`` for the default: `Pair.end_by_default`."""
    on_connecting_error: Callable[[str | None, str, ConnectingError], Any]
    to_server_filter: Any = None
    to_client_filter: Any = None
    on_filter_error: OnFilterError = OnFilterError.STOP


class RepeaterFactory(ServerFactory):
    """Makes a `Pair` for each client; its side towards the client is the protocol."""

    noisy = False
    log = Logger()

    def __init__(
        self,
        dialect: Dialect,
        *,
        repeater_name: str,
        server_name: str,
        is_client_allowed: Callable[[str], Any],
        is_client_ip_authorized: Callable[[str], Any] | None,
        dial: Callable[[Pair], Deferred[Any]],
        limits: Limits,
        clock: IReactorTime,
        observers: tuple[IObserver, ...],
    ) -> None:
        self.dialect = dialect
        self.repeater_name = repeater_name
        self.server_name = server_name
        self.is_client_allowed = is_client_allowed
        self.is_client_ip_authorized = is_client_ip_authorized
        self.dial = dial
        self.limits = limits = effective(limits)
        self.clock = clock
        self.observers = observers
        self.framing = dialect.framing(limits)
        self.handshake = dialect.handshake(limits)
        self.handshake.encode(Hello(server_name, dialect.mode, credentials=repeater_name))  # can they be said at all?
        self.callbacks: Callbacks | None = None
        self.dropping = False
        self.closed = False
        self.wrapped = False
        """Whether a factory stands before this one, for TLS say, which needs a protocol for the refused, too."""
        self.proxied = False
        """Whether clients come through a load balancer, whose PROXY headers have their addresses."""
        self.links: dict[Pair, None] = {}
        """Every link and attempt whose connections are not both gone, the oldest first."""
        self.watch = ConnectionMonitor(clock, limits.dead_peer_timeout)
        self.places = Admission(clock, self.watch)
        self._attempts: dict[Pair, Attempt] = {}
        self._unfinished: dict[Pair, None] = {}
        """Those without a complete hello of the client, the oldest first."""
        self._filter_failures = LogThrottle(clock)
        self._failures = LogThrottle(clock, burst=FAILURES)
        assert limits.max_unfinished_frames is not None
        self.claim: Claim | None = None
        """This repeater's share of the descriptors of its process."""
        self._frame_watch = FrameMonitor(clock, limits.frame_timeout, limits.max_unfinished_frames)
        self._filters: dict[tuple[Direction, int], tuple[Any, Any, Any]] = {}
        """For a direction and the ``id`` of a codec: the codec itself, which so keeps its ``id``, the filter, and the
        selector. Made once, not for each of thousands of lanes."""
        self._postponed: deque[Outlet] = deque()
        """The outlets that still have a broadcast to send."""
        self._sent: Deferred[None] | None = None
        """Fires when all broadcasts are sent; ``None`` if there was none."""

    def set_limits(self, limits: Limits) -> None:
        """Use these limits for clients and unfinished hellos from now on."""
        self.limits = limits

    # -- accepting -------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Make the protocol of a new client, or refuse it by giving none, or one that closes."""
        if self._lets_in(addr):
            return Pair(self, self.server_name).client
        return _Refused() if self.wrapped else None

    def _lets_in(self, addr: IAddress | None) -> bool:
        if self.callbacks is None or self.closed:
            return False
        if self.proxied:  # this address is the load balancer's; the attempt checks the client's
            return True
        try:
            self.check_newcomer(addr)
        except ConnectingError as error:
            self._refused(None, addr, error)
            return False
        return True

    def check_newcomer(self, addr: IAddress | None) -> None:
        """Raise a `ConnectingError` unless a client from this address may come."""
        if self.is_client_ip_authorized is not None:
            ip = getattr(addr, "host", "")
            try:
                authorized = self.is_client_ip_authorized(ip)
                if isawaitable(authorized):  # which would pass for true
                    raise TypeError("is_client_ip_authorized must answer at once")
                authorized = bool(authorized)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise RefusedByApplication(told(error)) from error
            if not authorized:
                raise ClientIPNotAuthorized(f"clients from {ip or addr} are not authorized", Side.CLIENT)
        if self.dropping:
            raise NewClientsDropped("new clients are being dropped")
        if self.closed:  # by the callback
            raise RepeaterClosed("the repeater was shut down")

    def begin(self, link: Pair) -> None:
        """A client is connected: start to link it."""
        self.links[link] = None
        self._unfinished[link] = None
        attempt = self._attempts[link] = Attempt(link, self)
        attempt.start().addBoth(self._attempt_ended, link).addErrback(self._relaying_failed, link)
        if len(self._unfinished) > (self.limits.max_unfinished_hellos or MANY):
            oldest = next(iter(self._unfinished))
            self._attempts[oldest].stop(HelloTimeout("no hello yet, and too many newer connections", Side.CLIENT))

    def _attempt_ended(self, result: Any, link: Pair) -> None:
        del self._attempts[link]
        self._unfinished.pop(link, None)
        if not isinstance(result, Failure):
            link.relay()
            return
        error = result.value
        if not isinstance(error, ConnectingError):
            self._log_failure("bug: an attempt to link a client failed", result)
            error = RefusedByApplication(told(error))
        if not (isinstance(error, ClientGone) and not link.client.heard):
            self._refused(link.client_name if link.client_hello is not None else None, link.client.address, error)
        link.close(error)
        link.check_over()

    def _relaying_failed(self, failure: Failure, link: Pair) -> None:
        """A link that is made could not begin: that must not be more than the end of this link."""
        self._log_failure("bug: a link failed as it began to relay", failure)
        link.close(failure.value)

    def _refused(self, client_name: str | None, address: IAddress | None, error: ConnectingError) -> None:
        """Tell the application and the observers, once."""
        error.client_address = address
        self._observe("link_refused", client_name, error)
        callbacks = self.callbacks
        assert callbacks is not None
        self._call("on_connecting_error", callbacks.on_connecting_error, client_name, self.server_name, error)

    # -- AttemptHost -----------------------------------------------------------------------------------------

    @property
    def on_connect(self) -> Callable[[Link], Any]:
        """The application's callback."""
        assert self.callbacks is not None
        return self.callbacks.on_connect

    def callback_failed_late(self, failure: Failure) -> None:
        """A callback of the application failed after its attempt was given up."""
        self._log_failure("a callback failed while an attempt was given up", failure)

    def take_place(self, link: Pair, timeout: float) -> Deferred[None]:
        """The link's hello is complete: fire when there is room for one more."""
        self._unfinished.pop(link, None)
        return self.places.take(link, self.limits.max_clients or MANY, timeout)

    def take_name(self, link: Pair, name: str, timeout: float) -> Deferred[None]:
        """Fire when the name is the link's. Waits for a link of that name that is ending already."""
        return self.places.take_name(link, name, timeout)

    def set_up(self, link: Pair) -> None:
        """Return the lanes their filters."""
        for lane in link.lanes or ():
            self.equip(lane)
            lane.unfinished_total = self._frame_watch.total
            if self.observers:
                lane.on_read = self._on_read(link)

    def replace_filters(self, filters: Mapping[str, Any]) -> None:
        """Put other filters in the place of these, on every lane; each takes over with its lane's next read."""
        assert self.callbacks is not None
        self.callbacks = replace(self.callbacks, **filters)
        self._filters.clear()
        for link in self.links:
            for lane in link.lanes or ():
                self.equip(lane)

    def equip(self, lane: Lane) -> None:
        """Return a lane the filter of its direction."""
        kind = (lane.direction, id(lane.codec))
        if kind not in self._filters:
            self._filters[kind] = self._filter_of(lane)
        _, lane.filter, lane.selector = self._filters[kind]

    def _filter_of(self, lane: Lane) -> tuple[Any, Any, Any]:
        """Return a lane's codec, the function that its messages are given to, and the selector of those it wants."""
        assert self.callbacks is not None
        to_server = lane.direction is Direction.TO_SERVER
        provider = self.callbacks.to_server_filter if to_server else self.callbacks.to_client_filter
        function = None if provider is None else filter_function(provider)
        return lane.codec, function, selector_of(provider, lane.codec)

    def check_filter(self, provider: Any, direction: Direction) -> None:
        """Raise ``TypeError`` for what is no filter, or none for this dialect."""
        kind = self.dialect.to_server if direction is Direction.TO_SERVER else self.dialect.to_client
        try:
            if provider is not None:
                checked_function(provider)
            for version in range(kind.low, kind.test + 1):
                selector_of(provider, kind.codec_of_filters(version))
        except TypeError as error:
            raise TypeError(f"{direction.value}_filter: {text_of(error)}") from error

    def _on_read(self, link: Pair) -> Callable[[Lane, int, int], None]:
        def on_read(lane: Lane, messages: int, size: int) -> None:
            self._observe("relayed", link.link, lane.direction, messages, size)

        return on_read

    # -- LinkHost --------------------------------------------------------------------------------------------

    def link_made(self, link: Pair) -> None:
        """Tell the observers."""
        self._observe("link_made", link.link)

    def link_broke(self, link: Pair, side: Side, reason: BaseException) -> None:
        """A side left while the link was being made."""
        attempt = self._attempts.get(link)
        if attempt is None:
            return
        why: ConnectingError
        if link.closing:
            why = RefusedByApplication("the application closed the link")
        elif side is Side.CLIENT and not link.client.heard and (trouble := _tls_trouble(reason)):
            why = InvalidHello(trouble, side)  # ClientGone would not be logged, as no byte of the client was heard
        elif side is Side.CLIENT:
            why = ClientGone(f"the client left before it was linked: {text_of(reason)}", side)
        else:
            why = ServerUnreachable(f"the server closed the connection before it was linked: {text_of(reason)}", side)
        why.__cause__ = reason
        attempt.stop(why)

    def link_error(self, link: Pair, side: Side, error: LinkError) -> None:
        """Tell the application and the observers; if the callback raises, the link is closed."""
        with suppress(Exception):  # a codec's own exception may refuse attributes; the callback gets the side too
            error.side = side
        self._observe("link_error", link.link, side, error)
        assert self.callbacks is not None
        on_error = self.callbacks.on_error
        if on_error is None:
            link.end_by_default(error)
        else:
            self._call("on_error", on_error, link.link, side, error, otherwise=link.close)

    def link_filter_failed(self, link: Pair, direction: Direction, error: CallbackFailed) -> OnFilterError:
        """Log it, tell the application, and say what becomes of the message."""
        assert self.callbacks is not None
        policy = self.callbacks.on_filter_error
        error.stopped = policy is OnFilterError.STOP
        if error.stopped and not link.over:
            link.stopped |= {direction}
        self._log_filter_failure(link, direction, error)
        self.link_error(link, direction.source, error)
        return policy

    def _log_filter_failure(self, link: Pair, direction: Direction, error: CallbackFailed) -> None:
        more = self._filter_failures.take((direction, error.callback))
        if more is None:
            return
        self.log.failure(
            "client {client!r}, {direction}: {error}{stopped}{more}",
            failure=loggable(Failure(error.reason)),
            client=shortened(link.client_name),
            direction=direction.value,
            error=printable(shortened(text_of(error))),
            stopped=STOPPED.format(side=direction.source.value) if error.stopped else "",
            more=more,
        )

    def link_over(self, link: Pair) -> None:
        """Both connections are gone: the name and the place are free."""
        self.links.pop(link, None)
        if link.made:
            self._observe("link_ended", link.link, link.reason)
        self.places.leave(link)

    # -- the running repeater --------------------------------------------------------------------------------

    def made_links(self) -> Iterator[Pair]:
        """Every link that is made and not over."""
        return (link for link in list(self.links) if link.made)

    def broadcast(self, side: Side, message: Any) -> None:
        """Send a message to one side of every link; encoded once for each version in use."""
        frames: dict[int, bytes | None] = {}

        def frame_for(outlet: Outlet) -> bytes | None:
            version = outlet.version
            if frames.get(version) is None:  # a failed one is tried for each link, so that each reports it
                frames[version] = outlet.encode(message)
            return frames[version]

        for link in self.made_links():
            end = link.end(side)
            if not link.can_send(end):
                continue
            if link.at_work:  # a filter of this link broadcasts: the order among the link's own messages must be kept
                frame = frame_for(end.outlet)
                if frame:
                    link.send_frame(end, frame, at_once=True)
            elif end.outlet.postpone(frame_for):
                self._postponed.append(end.outlet)
        if self._sent is None or self._sent.called:
            self._sent = Deferred()  # before sending, because callbacks on the way may broadcast as well
            in_slices(self.clock, self._send_postponed(self._sent))

    def _send_postponed(self, sent: Deferred[None]) -> Iterator[None]:
        """Send broadcasts, link by link. Whatever is sent to a link before its turn goes out after them."""
        try:
            while self._postponed:
                try:
                    self._postponed.popleft().send_postponed()
                except Exception:  # others must get theirs all the same
                    self.log.failure("bug: a broadcast to one link failed")
                yield
        finally:
            sent.callback(None)

    def close_all(self) -> Deferred[None]:
        """Close every link and end every attempt; fire when every connection is gone."""
        self.closed = True
        return Deferred.fromCoroutine(self._close_all())

    async def _close_all(self) -> None:
        await in_slices(self.clock, self._closings())
        while self.links:
            await next(iter(self.links)).when_over()
        if self._sent is not None:
            await self._sent

    def _closings(self) -> Iterator[None]:
        """End the attempts and close the links, one by one. Some may have ended by themselves meanwhile."""
        for link, attempt in list(self._attempts.items()):
            if link in self._attempts:
                attempt.stop(RepeaterClosed("the repeater was shut down"))
            yield
        for link in list(self.links):
            try:
                link.close()
            except Exception:  # the others must be closed all the same
                self.log.failure("bug: a link could not be closed")
            yield

    def abort_all(self) -> None:
        """End every attempt and abort every connection, now."""
        self.closed = True
        for attempt in list(self._attempts.values()):
            attempt.stop(RepeaterClosed("the repeater was shut down"))
        for link in list(self.links):
            link.abort()

    # -- calling out -----------------------------------------------------------------------------------------

    def _call(
        self, name: str, callback: Callable[..., Any], *arguments: Any, otherwise: Callable[[], None] | None = None
    ) -> None:
        """Call back into the application. If it raises, or its Deferred fails, log that and call ``otherwise``."""

        def failed(failure: Failure) -> None:
            self._log_failure("{name} raised", failure, name=name)
            if otherwise is not None:
                otherwise()

        call(callback, *arguments).addErrback(failed)

    def _observe(self, event: str, *arguments: Any) -> None:
        for observer in self.observers:
            try:
                getattr(observer, event)(*arguments)
            except KeyboardInterrupt:
                raise
            except BaseException:
                observed = class_name(observer)  # its repr could be long, or differ from call to call
                self._log_failure("{observer} raised in {event}", Failure(), observer=observed, event=event)

    def _log_failure(self, text: str, failure: Failure, **fields: Any) -> None:
        """Log that code of the application raised, but not each time: strangers can cause that very often."""
        more = self._failures.take((text, *fields.values()))
        if more is not None:
            self.log.failure(f"{text}{{more}}", failure=loggable(failure), more=more, **fields)


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


class _Refused(Protocol):
    """Closes at once."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
