"""The repeater as an application sees it: create, start, send, shut down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.logger import Logger

from ._link.connection import Connection
from ._link.factory import Callbacks, RepeaterFactory
from ._link.link import Link, pair_of
from ._link.pair import Pair
from ._sockets.descriptors import Claim, PortGuard, claim, guard_port
from ._sockets.endpoints import dialler, listener
from ._sockets.proxy_headers import watch_headers
from ._sockets.valve import Valve
from .dialects import Dialect
from .errors import ConnectingError, LinkError
from .interfaces import IObserver
from .model import Direction, Limits, OnFilterError, Side
from .observers import LogObserver

__all__ = ["Repeater"]

log = Logger()

_KEPT = object()
"""Stands for a filter that is not replaced; ``None`` is no filter."""


def _no_state(link: Link) -> None:
    """The default ``on_connect``."""


def end_link(link: Link, side: Side, error: LinkError) -> None:
    """End a link that has lost a side, without losing a reply, or that a filter's failure has stopped.

    Other errors leave the link as it is.
    """
    pair_of(link).end_by_default(error)


class _Defaults:
    """The default ``on_error`` and ``on_connecting_error``: log unless an observer does, and call `end_link`."""

    on_error: Callable[[Any, Side, LinkError], Any] | None

    def __init__(self, factory: RepeaterFactory) -> None:
        is_logged = any(isinstance(observer, LogObserver) for observer in factory.observers)
        self._log = None if is_logged else LogObserver(factory.clock)
        self.on_error = None if is_logged else self._log_and_end

    def _log_and_end(self, link: Link, side: Side, error: LinkError) -> None:
        assert self._log is not None
        self._log.link_error(link, side, error)
        end_link(link, side, error)

    def on_connecting_error(self, client_name: str | None, server_name: str, error: ConnectingError) -> None:
        if self._log is not None:
            self._log.link_refused(client_name, error)


class Repeater:
    """Stands between clients and a server; make one with `Repeater.create`."""

    def __init__(self, factory: RepeaterFactory, port: IListeningPort, claim: Claim) -> None:
        self._factory = factory
        self._claim = factory.claim = claim  # the factory lives as long as the port, whoever forgets the repeater
        self._port = port
        self._address: Any = port.getHost()
        self._stopping = False
        self._outcome: tuple[object] | None = None
        """What `shutdown` came to, once it is over."""
        self._callers: list[Deferred[None]] = []
        listening = getattr(port, "factory", factory)
        factory.wrapped = listening is not factory
        factory.proxied = watch_headers(listening, factory)
        self._guard: PortGuard | None = None
        if hasattr(port, "pauseProducing"):
            factory.places.port_valve = valve = Valve(port)  # type: ignore[arg-type]
            self._guard = guard_port(port, valve, factory.clock)

    @classmethod
    def create(
        cls,
        dialect: Dialect,
        *,
        repeater_name: str,
        server_name: str,
        is_client_allowed: Callable[[str], Any],
        listen_port: int | None = None,
        listen: str | IStreamServerEndpoint | None = None,
        server_ip: str | None = None,
        server_port: int | None = None,
        server: str | IStreamClientEndpoint | None = None,
        is_client_ip_authorized: Callable[[str], Any] | None = None,
        convert_versions: bool = False,
        limits: Limits = Limits(),
        observers: Iterable[IObserver] = (),
        reactor: Any = None,
    ) -> Deferred[Repeater]:
        """Bind the port; gives a Deferred of a repeater, which accepts clients from `start` on.

        @param dialect: the wire protocol, as of `twisted_repeater.dialects`.
        @param repeater_name: goes into the ``credentials`` of the hellos that the repeater sends.
        @param server_name: the name that the server's hello must carry.
        @param is_client_allowed: called with a client's name; false refuses it. May give a Deferred.
        @param listen_port: the TCP port to listen on, on all interfaces; 0 takes a free one. The listen queue is as
            long as the system allows.
        @param listen: in place of it a server endpoint or its description, such as ``tcp:9000:interface=127.0.0.1``.
            With a description the listen queue is as long as the system allows, unless it says ``backlog=``. An
            endpoint object has a listen queue of its own.
        @param server_ip: where the server is, with C{server_port}.
        @param server: in place of them a client endpoint or its description, such as ``tls:example.org:9001``.
        @param is_client_ip_authorized: called with a client's address as a string ("" for a Unix socket);
            false refuses it. ``None`` authorizes all. With ``haproxy:`` it is the address in the PROXY header.
        @param convert_versions: let each connection agree on its own versions: messages of equal versions pass as
            bytes, others are decoded, converted and encoded.
        @param limits: times and sizes. Some defaults may become lower, to fit the file descriptors that this process
            may have; `Repeater.limits` has the numbers.
        @param observers: are told what happens.
        @param reactor: the global one by default.
        @return: fails with Twisted's own error where the port cannot be bound, with `MultipleVersionsError` where
            the dialect states several versions, with ``ValueError`` or ``TypeError`` for wrong arguments;
            ``ValueError`` also where limits need more file descriptors than this process may have.
        """
        return Deferred.fromCoroutine(
            cls._create(
                dialect,
                listen=(listen, listen_port),
                server=(server, server_ip, server_port),
                convert_versions=convert_versions,
                reactor=reactor,
                repeater_name=repeater_name,
                server_name=server_name,
                is_client_allowed=is_client_allowed,
                is_client_ip_authorized=is_client_ip_authorized,
                limits=limits,
                observers=observers,
            )
        )

    @classmethod
    async def _create(
        cls,
        dialect: Dialect,
        *,
        listen: tuple[Any, Any],
        server: tuple[Any, Any, Any],
        convert_versions: bool,
        reactor: Any,
        **settings: Any,
    ) -> Repeater:
        if reactor is None:
            from twisted.internet import reactor
        _check_is("dialect", dialect, Dialect)
        _check_is("limits", settings["limits"], Limits)
        _check_is("repeater_name", settings["repeater_name"], str)
        _check_is("server_name", settings["server_name"], str)
        settings["observers"] = tuple(settings["observers"])
        dialect.check_versions(convert_versions)
        _check_callable("is_client_allowed", settings["is_client_allowed"])
        if settings["is_client_ip_authorized"] is not None:
            _check_callable("is_client_ip_authorized", settings["is_client_ip_authorized"])

        def protocol(link: Pair) -> Connection:
            return link.server

        dial = dialler(reactor, settings["limits"].connect_timeout, protocol, *server)
        listening = listener(reactor, *listen)
        factory = RepeaterFactory(dialect, dial=dial, clock=reactor, **settings)
        claimed = claim(settings["limits"], reactor, factory.set_limits)
        try:
            return cls(factory, await listening(factory), claimed)
        except BaseException:
            claimed.give_back()
            raise

    @property
    def port(self) -> int:
        """The TCP port that is, or was, bound."""
        number: int = self._address.port
        return number

    @property
    def limits(self) -> Limits:
        """The limits that hold now, with numbers for those that were left to their defaults.

        These numbers may change when another repeater of the process is created or shut down.
        """
        return self._factory.limits

    @property
    def address(self) -> Any:
        """The address that is, or was, listened on, an `IAddress`."""
        return self._address

    def start(
        self,
        *,
        on_connect: Callable[[Any], Any] = _no_state,
        to_server_filter: Any = None,
        to_client_filter: Any = None,
        on_error: Callable[[Any, Side, LinkError], Any] | None = None,
        on_connecting_error: Callable[[str | None, str, ConnectingError], Any] | None = None,
        on_filter_error: OnFilterError = OnFilterError.STOP,
    ) -> None:
        """Accept clients from now on.

        Starting twice is a ``RuntimeError``; `replace_filters` changes filters.

        @param on_connect: called with the link when both hellos are agreed, before the client is answered. What
            it returns, or its Deferred gives, becomes ``link.state``. Raising refuses the client.
        @param to_server_filter: a function of a message and its link, or an `IFilter`, asked about every
            message on its way to the server. ``None`` passes everything on.
        @param to_client_filter: the same for messages on their way to the client.
        @param on_error: called with the link, the side and a `LinkError`. By default a link is closed when a side is
            lost, without losing a reply that is still to come, and when the failure of a filter has stopped one of its
            directions; other errors are logged.
        @param on_connecting_error: called with the client's name (``None`` where it isn't known), the server's
            name and a `ConnectingError`. By default that is logged.
        @param on_filter_error: what becomes of a message whose filter fails.
        """
        if self._factory.callbacks is not None:
            raise RuntimeError("the repeater was started already")
        # A wrong one is an error here rather than at the first client.
        self._factory.check_filter(to_server_filter, Direction.TO_SERVER)
        self._factory.check_filter(to_client_filter, Direction.TO_CLIENT)
        defaults = _Defaults(self._factory)
        on_error = defaults.on_error if on_error is None else on_error
        on_connecting_error = defaults.on_connecting_error if on_connecting_error is None else on_connecting_error
        _check_callable("on_connect", on_connect)
        if on_error is not None:
            _check_callable("on_error", on_error)
        _check_callable("on_connecting_error", on_connecting_error)
        self._factory.callbacks = Callbacks(
            on_connect, on_error, on_connecting_error, to_server_filter, to_client_filter, on_filter_error
        )

    def replace_filters(self, *, to_server_filter: Any = _KEPT, to_client_filter: Any = _KEPT) -> None:
        """Put other filters in the place of those given to `start`; what is not given stays.

        They take over between two messages of every link, at the latest with the next read. A message whose verdict
        is awaited still gets it from the old filter.
        """
        if self._factory.callbacks is None:
            raise RuntimeError("the repeater was not started yet")
        given = {"to_server_filter": to_server_filter, "to_client_filter": to_client_filter}
        filters = {name: provider for name, provider in given.items() if provider is not _KEPT}
        for name, provider in filters.items():
            self._factory.check_filter(provider, Direction(name.removesuffix("_filter")))
        self._factory.replace_filters(filters)

    # -- messages of the application's own: they go through no filter --------------------------------------------

    def send_to_all_clients(self, message: Any) -> None:
        """Send a message to every client; encoded once for each version in use.

        With thousands of clients it takes several turns of the reactor to reach all of them. Whatever is sent to one of
        them after this call goes out after the message.
        """
        self._factory.broadcast(Side.CLIENT, message)

    def send_from_all_clients(self, message: Any) -> None:
        """Send a message to the server on every link, in the same way."""
        self._factory.broadcast(Side.SERVER, message)

    def send_to_server_from(self, client_name: str, message: Any) -> None:
        """Send a message to the server on that client's link; nothing if there is none."""
        link = self.link(client_name)
        if link is not None:
            link.send_to_server(message)

    # -- links -----------------------------------------------------------------------------------------------

    def link(self, client_name: str) -> Link | None:
        """Return the link of a client, ``None`` if there is none."""
        pair = self._factory.places.names.get(client_name)
        return pair.link if pair is not None and pair.made else None

    def links(self) -> list[Link]:
        """Return every link that is made and whose connections are not both gone."""
        return [pair.link for pair in self._factory.made_links()]

    def active_clients(self) -> list[str]:
        """Return the names of the clients whose links have both sides up."""
        return [link.client_name for link in self._factory.made_links() if link.active]

    def close_connection_from_client(self, client_name: str) -> None:
        """Close both sides of a client's link; nothing if there is none."""
        link = self.link(client_name)
        if link is not None:
            link.close()

    @property
    def drops_new_clients(self) -> bool:
        """Whether newcomers are refused, since `drop_new_clients`."""
        return self._factory.dropping

    def drop_new_clients(self) -> None:
        """Refuse newcomers from now on; links stay."""
        self._factory.dropping = True

    def accept_new_clients(self) -> None:
        """Accept newcomers again from now on."""
        self._factory.dropping = False

    def shutdown(self) -> Deferred[None]:
        """Stop listening and close every link; fires when every connection is gone.

        What was received is filtered and delivered first, as far as the peers take it within the limits.
        Idempotent; each call gives a Deferred of its own.
        """
        done: Deferred[Any] = Deferred()
        if self._outcome is not None:
            done.callback(*self._outcome)
            return done
        self._callers.append(done)
        if not self._stopping:
            self._stopping = True  # first: what is called back from here may ask again
            if self._factory.places.port_valve is not None:
                self._factory.places.port_valve.detach()
            if self._guard is not None:
                self._guard.stop()
            Deferred.fromCoroutine(self._shut_down()).addBoth(self._is_shut_down)
        return done

    def abort(self) -> Deferred[None]:
        """Stop listening and abort every connection at once; what waits, and what is under way, is lost.

        Call it when `shutdown` takes too long: its Deferreds fire then, too. Returns a Deferred as `shutdown` does.
        """
        done = self.shutdown()
        self._factory.abort_all()
        return done

    async def _shut_down(self) -> None:
        not_listening = maybeDeferred(self._port.stopListening)
        not_listening.addTimeout(
            self._factory.limits.close_timeout, self._factory.clock, onTimeoutCancel=_still_listening
        )
        try:
            await self._factory.close_all()
            await not_listening
        finally:
            self._claim.give_back()

    def _is_shut_down(self, result: object) -> None:
        self._outcome = (result,)
        callers, self._callers = self._callers, []
        for done in callers:
            done.callback(result)  # type: ignore[arg-type]


def _still_listening(result: object, timeout: float) -> None:
    log.error("the port has not stopped listening within {timeout} seconds; nobody is accepted", timeout=timeout)


def _check_is(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, {value!r} is none")


def _check_callable(name: str, callback: Any) -> None:
    if not callable(callback):
        raise TypeError(f"{name} must be callable, {callback!r} is not")
