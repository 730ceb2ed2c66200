"""The application as its repeater knows it: its settings, its server, its callbacks, and the calls to it.

Whatever its callbacks and observers raise is logged, and harms nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._coroutines import call
from .._lane.lane import Lane
from .._sockets.endpoints import dialler
from .._sockets.proxy_headers import header_maker
from .._text import class_name, loggable, printable, repr_of, shortened, text_of
from .._types import Observer, Reactor
from ..dialects import Attempt, Dialect
from ..dialects.hellos import Hellos
from ..errors import CallbackFailed, ClientGone, ConnectingError, LinkError
from ..model import DefaultSize, Direction, Limits, OnFilterError, Side
from ..observers import LogObserver
from ..observers._throttle import LogThrottle
from .ending_pair import EndingPair
from .link import Link
from .pair import Pair

__all__ = ["Application", "Callbacks", "Settings", "check_callable"]

log: Logger = Logger()

FAILURES = 10
"""How many failures of one callback or observer are logged at once; after that, one a second is."""

STOPPED = "; this direction has stopped: nothing more is received from the {side}"
"""The end of the log line about a failure that has stopped a direction."""


def everyone(client_name: str) -> bool:
    """The default ``is_client_allowed``."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of `Repeater.create` that do not say where to listen and to connect, checked."""

    dialect: Dialect
    repeater_name: str
    server_name: str = ""
    is_client_allowed: Callable[[str], object] = everyone
    is_client_ip_authorized: Callable[[str], object] | None = None
    convert_versions: bool = False
    limits: Limits = Limits()
    """As asked for; the factory's ``limits`` have numbers for those that were left to their defaults."""
    observers: tuple[Observer, ...] = ()
    send_proxy: str | None = None

    def __post_init__(self) -> None:
        kinds = {"dialect": Dialect, "limits": Limits, "repeater_name": str, "server_name": str}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be a {kind.__name__}, not {repr_of(value)}")
        self.dialect.check_versions(self.convert_versions)
        if isinstance(self.dialect.opening, Hellos):
            self.dialect.opening.check(self.limits, self.repeater_name, self.server_name)
        check_callable("is_client_allowed", self.is_client_allowed)
        if self.is_client_ip_authorized is not None:
            check_callable("is_client_ip_authorized", self.is_client_ip_authorized)


def with_own_defaults(settings: Settings) -> Settings:
    """Return settings in which a limit that was left to its default has the dialect's own default."""
    default = settings.limits.max_frame
    if not isinstance(default, DefaultSize):
        return settings
    # Framings get a plain int, whose type they may check.
    max_frame = int(default) if settings.dialect.max_frame is None else settings.dialect.max_frame
    return replace(settings, limits=replace(settings.limits, max_frame=max_frame))


@dataclass
class Callbacks:
    """The arguments of `start`."""

    on_connect: Callable[[Link], object]
    on_error: Callable[[Link, Side, LinkError], object] | None
    """``None`` for the default, `Pair.end_by_default`."""
    on_connecting_error: Callable[[str | None, str, ConnectingError], object]
    to_server_filter: Any = None
    to_client_filter: Any = None
    on_filter_error: OnFilterError = OnFilterError.STOP
    filters: Any = None
    """A pair of filters."""

    def __post_init__(self) -> None:
        for name in ("on_connect", "on_error", "on_connecting_error"):
            if name != "on_error" or self.on_error is not None:
                check_callable(name, getattr(self, name))


class Application:
    """The application, as the links see it: its callbacks and its observers."""

    def __init__(self, settings: Settings, clock: IReactorTime) -> None:
        self.started: Callbacks | None = None
        """The arguments of `start`; ``None`` before it is called."""
        self._repeater_name = settings.repeater_name
        self._server_name = settings.server_name
        self._dialect = settings.dialect
        self._observers = settings.observers
        self._observers_of_reads = tuple(each for each in settings.observers if _observes_reads(each))
        self._filter_failures = LogThrottle(clock)
        self._failures = LogThrottle(clock, burst=FAILURES)

    @property
    def callbacks(self) -> Callbacks:
        """The arguments of `start`; no link is made before it is called."""
        assert self.started is not None
        return self.started

    def refusal(self, attempt: Attempt | None, error: object) -> bytes | None:
        """Return the last bytes for a client that cannot be linked, if the dialect has any.

        Args:
            attempt: the attempt to link it; ``None`` if its opening has not begun.
            error: why it cannot be linked.
        """
        refusal = self._dialect.refusal
        if (
            refusal is None
            or attempt is None
            or not isinstance(error, ConnectingError)
            or isinstance(error, ClientGone)
        ):
            return None
        try:
            words = refusal(error, attempt)
            if words is not None and not isinstance(words, bytes):
                raise TypeError(f"a refusal must be bytes or None, not {repr_of(words)}")
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.log_failure("the refusal of {dialect} failed", Failure(), dialect=self._dialect.name)
            return None
        return words

    # -- what happens to clients and links -------------------------------------------------------------------

    def client_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """A client is not linked."""
        self.observe("link_refused", client_name, error)
        self._call("on_connecting_error", self.callbacks.on_connecting_error, client_name, self._server_name, error)

    def link_made(self, pair: Pair) -> None:
        """A link is complete."""
        self.observe("link_made", pair.link)

    def link_error(self, pair: EndingPair, side: Side, error: LinkError) -> None:
        """A side of a link has a trouble. If ``on_error`` raises, the link is closed."""
        _name_side(error, side)
        self.observe("link_error", pair.link, side, error)
        on_error = self.callbacks.on_error
        if on_error is None:
            pair.end_by_default(error)
        else:
            self._call("on_error", on_error, pair.link, side, error, otherwise=pair.close)

    def filter_failed(self, pair: Pair, direction: Direction, error: CallbackFailed) -> OnFilterError:
        """A filter has failed. Return what becomes of the message."""
        policy = self.callbacks.on_filter_error
        error.stopped = policy is OnFilterError.STOP
        if error.stopped and not pair.over:
            pair.stopped |= {direction}
        self._log_filter_failure(pair, direction, error)
        self.link_error(pair, direction.source, error)
        return policy

    def filter_of(self, direction: Direction) -> Any:
        """Return the filter of a direction, ``None`` if the application gave none."""
        to_server = direction is Direction.TO_SERVER
        return self.callbacks.to_server_filter if to_server else self.callbacks.to_client_filter

    def pair_of_filters(self) -> Any:
        """Return the pair of filters, ``None`` if the application gave none."""
        return self.callbacks.filters

    @property
    def on_read(self) -> Callable[[Lane, int, int], None] | None:
        """What each lane calls after a read with messages; ``None`` if no observer does anything then."""
        return self._relayed if self._observers_of_reads else None

    def _relayed(self, lane: Lane, messages: int, size: int) -> None:
        """Messages were received."""
        self._tell(self._observers_of_reads, "relayed", lane.link, lane.direction, messages, size)

    def link_over(self, pair: Pair) -> None:
        """Both connections are gone. A link that was never made does not end."""
        if pair.made:
            self.observe("link_ended", pair.link, pair.reason)

    def link_identified(self, pair: Pair, old_name: str) -> None:
        """A link has got another name. Not every observer has a method for that."""
        self.observe("link_identified", pair.link, old_name, optional=True)

    def farewell(self, pair: EndingPair, reason: BaseException | None) -> bytes:
        """Return the bytes by which the dialect tells a client that its link closes; empty without a farewell."""
        farewell = self._dialect.farewell
        if farewell is None:
            return b""
        try:
            words = farewell(reason, pair.link)
            if words is not None and not isinstance(words, bytes):
                raise TypeError(f"a farewell must be bytes or None, not {repr_of(words)}")
        except KeyboardInterrupt:
            raise
        except BaseException:  # the link closes all the same
            self.log_failure("the farewell of {dialect} failed", Failure(), dialect=self._dialect.name)
            return b""
        return words or b""

    # -- calling out -----------------------------------------------------------------------------------------

    def _call(
        self,
        name: str,
        callback: Callable[..., object],
        *arguments: object,
        otherwise: Callable[[], None] | None = None,
    ) -> None:
        """Call back into the application. If it raises, or its Deferred fails, log that and call ``otherwise``."""

        def failed(failure: Failure) -> None:
            self.log_failure("{callback} raised", failure, callback=name)
            if otherwise is not None:
                otherwise()

        try:
            result = callback(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException:
            failed(Failure())
            return
        if result is not None:  # as it mostly is: a Deferred of it would cost more than the call
            call(lambda: result).addErrback(failed)

    def observe(self, event: str, *arguments: object, optional: bool = False) -> None:
        """Tell every observer of an event, which is the name of a method of `IObserver`; some may lack the method."""
        self._tell(self._observers, event, *arguments, optional=optional)

    def _tell(self, observers: tuple[Observer, ...], event: str, *arguments: object, optional: bool = False) -> None:
        for observer in observers:
            try:
                if not optional or hasattr(observer, event):
                    getattr(observer, event)(*arguments)
            except KeyboardInterrupt:
                raise
            except BaseException:  # an observer that calls sys.exit() has failed, no more
                observed = class_name(observer)  # its repr could be long, or differ from call to call
                self.log_failure("{observer} raised in {event}", Failure(), observer=observed, event=event)

    def log_failure(self, text: str, failure: Failure, **fields: Any) -> None:
        """Log that code of the application raised, but not each time: strangers can cause that very often."""
        more = self._failures.take((text, *fields.values()))
        if more is not None:
            name = self._repeater_name
            log.failure(f"{text}{{more}}", failure=loggable(failure), repeater=name, more=more, **fields)

    def _log_filter_failure(self, pair: Pair, direction: Direction, error: CallbackFailed) -> None:
        more = self._filter_failures.take((direction, error.callback))
        if more is None:
            return
        log.failure(
            "client {client!r}, {direction}: {error}{stopped}{more}",
            failure=loggable(Failure(error.reason)),
            repeater=self._repeater_name,
            link=pair.id,
            client=shortened(pair.client_name),
            direction=direction.value,
            error=printable(shortened(text_of(error))),
            stopped=STOPPED.format(side=direction.source.value) if error.stopped else "",
            more=more,
        )


def _observes_reads(observer: Observer) -> bool:
    """Return whether an observer does anything when messages were received; `LogObserver` does not."""
    return getattr(type(observer), "relayed", None) is not LogObserver.relayed


def _name_side(error: LinkError, side: Side) -> None:
    """Have an error say whose it is."""
    try:
        error.side = side
    except Exception:  # a codec's own exception may refuse attributes; the callback gets the side too
        return


def check_callable(name: str, callback: object) -> None:
    """Raise ``TypeError`` for an argument that cannot be called."""
    if not callable(callback):
        raise TypeError(f"{name} must be callable, not {repr_of(callback)}")


def server_dialler(
    settings: Settings, reactor: Reactor, server: str | IStreamClientEndpoint | None, ip: str | None, port: int | None
) -> Callable[[Pair], Deferred[IProtocol]]:
    """Return a function that connects a link to the server."""
    first: Callable[[Pair], bytes] | None = None
    if settings.send_proxy is not None:
        header = header_maker(settings.send_proxy)

        def first(pair: Pair) -> bytes:
            return header(pair.client.address, pair.client.transport.getHost())

    return dialler(reactor, settings.limits.connect_timeout, lambda pair: pair.server, server, ip, port, first)
