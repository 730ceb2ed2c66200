"""The repeater as an application sees it: create, start, send, shut down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import ClientCreator, Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._factory import Callbacks, RepeaterFactory, filter_function
from ._link import Link
from ._protocols import ServerSideProtocol
from ._valve import Valve
from .dialect import Dialect
from .errors import CallbackFailed, ConnectingError, Disconnected, LinkError
from .interfaces import ILink, IObserver
from .model import Limits, OnFilterError, Side

__all__ = ["Repeater"]

log = Logger()


_KEPT = object()
"""Stands for a filter that is not replaced; ``None`` is no filter."""


def _no_state(link: Link) -> None:
    """The default ``on_connect``."""


def end_link(link: ILink, side: Side, error: LinkError) -> None:
    """End a link that has lost a side, without losing a reply; other errors are let be."""
    if isinstance(error, Disconnected):
        if error.half_closed:
            link.finish()
        else:
            link.close(error)


def _log_or_end(link: Link, side: Side, error: LinkError) -> None:
    """The default ``on_error``: close the link when a side is lost, without losing a reply; log the rest."""
    if not isinstance(error, (Disconnected, CallbackFailed)):  # a filter's failure is logged with its traceback
        log.warn("client {client!r}, {side}: {error}", client=link.client_name, side=side.value, error=error)
    end_link(link, side, error)


def _log_refusal(client_name: str | None, server_name: str, error: ConnectingError) -> None:
    """The default ``on_connecting_error``."""
    log.info(
        "client {client!r} not linked: {kind}: {error}", client=client_name, kind=type(error).__name__, error=error
    )


class Repeater:
    """Stands between clients and a server; make one with `Repeater.create`."""

    def __init__(self, factory: RepeaterFactory, port: IListeningPort) -> None:
        self._factory = factory
        self._port = port
        self._stopping: Deferred[Any] | None = None
        self._stopped = False
        self._waiting: list[Deferred[None]] = []
        if hasattr(port, "pauseProducing"):
            factory.port_valve = Valve(port)  # type: ignore[arg-type]

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
        @param listen_port: the TCP port to listen on, on all interfaces; 0 takes a free one.
        @param listen: in place of it a server endpoint or its description, such as ``tcp:9000:interface=127.0.0.1``.
        @param server_ip: where the server is, with C{server_port}.
        @param server: in place of them a client endpoint or its description, such as ``tls:example.org:9001``.
        @param is_client_ip_authorized: called with a client's address as a string ("" for a Unix socket);
            false refuses it. ``None`` authorizes all.
        @param convert_versions: let each connection agree on its own versions: messages of equal versions pass as
            bytes, others are decoded, converted and encoded.
        @param limits: times and sizes.
        @param observers: are told what happens.
        @param reactor: the global one by default.
        @return: fails with Twisted's own error where the port cannot be bound, with `MultipleVersionsError` where
            the dialect states several versions, with ``ValueError`` or ``TypeError`` for wrong arguments.
        """
        return Deferred.fromCoroutine(
            cls._create(
                dialect,
                listen=_one_of("listen", listen, "listen_port", listen_port),
                server=_one_of("server", server, "server_ip and server_port", _pair(server_ip, server_port)),
                convert_versions=convert_versions,
                reactor=reactor,
                repeater_name=repeater_name,
                server_name=server_name,
                is_client_allowed=is_client_allowed,
                is_client_ip_authorized=is_client_ip_authorized,
                limits=limits,
                observers=tuple(observers),
            )
        )

    @classmethod
    async def _create(
        cls, dialect: Dialect, *, listen: Any, server: Any, convert_versions: bool, reactor: Any, **settings: Any
    ) -> Repeater:
        if reactor is None:
            from twisted.internet import reactor
        dialect.check_versions(convert_versions)
        limits = settings["limits"]
        factory: RepeaterFactory

        def protocol(link: Link) -> ServerSideProtocol:
            return ServerSideProtocol(link, factory.framing, limits)

        def dial(link: Link) -> Deferred[Any]:
            if isinstance(server, tuple):
                creator = ClientCreator(reactor, protocol, link)
                ip, port = server
                dialled: Deferred[Any] = creator.connectTCP(ip, port, timeout=limits.connect_timeout)
                return dialled
            dialled = server.connect(Factory.forProtocol(lambda: protocol(link)))
            return dialled.addTimeout(limits.connect_timeout, reactor)

        if isinstance(server, str):
            server = clientFromString(reactor, server)
        factory = RepeaterFactory(dialect, dial=dial, clock=reactor, **settings)
        if isinstance(listen, int):
            return cls(factory, reactor.listenTCP(listen, factory))
        if isinstance(listen, str):
            listen = serverFromString(reactor, listen)
        return cls(factory, await listen.listen(factory))

    @property
    def port(self) -> int:
        """The TCP port that is bound."""
        number: int = self.address.port
        return number

    @property
    def address(self) -> Any:
        """The address that is listened on, an `IAddress`."""
        return self._port.getHost()

    def start(
        self,
        *,
        on_connect: Callable[[Any], Any] = _no_state,
        to_server_filter: Any = None,
        to_client_filter: Any = None,
        on_error: Callable[[Any, Side, LinkError], Any] = _log_or_end,
        on_connecting_error: Callable[[str | None, str, ConnectingError], Any] = _log_refusal,
        on_filter_error: OnFilterError = OnFilterError.STOP,
    ) -> None:
        """Accept clients from now on.

        @param on_connect: called with the link when both hellos are agreed, before the client is answered. What
            it returns, or its Deferred gives, becomes ``link.state``. Raising refuses the client.
        @param to_server_filter: an `IFilter` provider or a function of a message and its link, asked about every
            message on its way to the server. ``None`` passes everything on.
        @param to_client_filter: the same for messages on their way to the client.
        @param on_error: called with the link, the side and a `LinkError`. By default a link is closed when a side is
            lost, without losing a reply that is still to come, and other errors are logged.
        @param on_connecting_error: called with the client's name (``None`` where it isn't known), the server's
            name and a `ConnectingError`. By default that is logged.
        @param on_filter_error: what becomes of a message whose filter fails.
        """
        for provider in (to_server_filter, to_client_filter):
            filter_function(provider)  # a wrong one is an error here rather than at the first client
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
        for provider in filters.values():
            filter_function(provider)
        self._factory.replace_filters(filters)

    # -- messages of the application's own: they go through no filter --------------------------------------------

    def send_to_all_clients(self, message: Any) -> None:
        """Send a message to every client; encoded once for each version in use."""
        self._factory.broadcast(Side.CLIENT, message)

    def send_from_all_clients(self, message: Any) -> None:
        """Send a message to the server on every link; encoded once for each version in use."""
        self._factory.broadcast(Side.SERVER, message)

    def send_to_server_from(self, client_name: str, message: Any) -> None:
        """Send a message to the server on that client's link; nothing if there is none."""
        link = self.link(client_name)
        if link is not None:
            link.send_to_server(message)

    # -- links -----------------------------------------------------------------------------------------------

    def link(self, client_name: str) -> Link | None:
        """Give the link of a client, ``None`` if there is none."""
        link = self._factory.names.get(client_name)
        return link if link is not None and link.made else None

    def links(self) -> list[Link]:
        """Give every link that is made and whose connections are not both gone."""
        return list(self._factory.made_links())

    def active_clients(self) -> list[str]:
        """Give the names of the clients whose links have both sides up."""
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
        if self._stopped:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if self._stopping is None:
            listening = maybeDeferred(self._port.stopListening)
            if self._factory.port_valve is not None:
                self._factory.port_valve.detach()
            self._stopping = DeferredList([listening, self._factory.close_all()], consumeErrors=True)
            self._stopping.addCallback(self._shut_down)
        return done

    def _shut_down(self, results: list[tuple[bool, Any]]) -> None:
        self._stopped = True
        waiting, self._waiting = self._waiting, []
        failures = [result for succeeded, result in results if not succeeded and isinstance(result, Failure)]
        for done in waiting:
            if failures:
                done.errback(failures[0])
            else:
                done.callback(None)


def _pair(ip: str | None, port: int | None) -> tuple[str, int] | None:
    """Both or none."""
    if (ip is None) != (port is None):
        raise TypeError("server_ip and server_port go together")
    return None if ip is None or port is None else (ip, port)


def _one_of(first_name: str, first: Any, second_name: str, second: Any) -> Any:
    """Give the one that is there."""
    if (first is None) == (second is None):
        raise TypeError(f"give either {first_name} or {second_name}")
    return second if first is None else first
