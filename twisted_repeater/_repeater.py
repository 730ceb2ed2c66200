"""The repeater as an application sees it: create, start, send, shut down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import EllipsisType
from typing import Any, Literal

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint

from ._alone import Alone
from ._link.application import Callbacks, Settings, everyone, server_dialler, with_own_defaults
from ._link.defaults import OnConnectingError, OnError, default_callbacks, no_state
from ._link.ending_repeater import EndingRepeater
from ._link.factory import RepeaterFactory
from ._link.holding import Hold
from ._link.link import Link
from ._link.watching import LinksToWatch, Watch
from ._repeater_fleet import RepeaterEntrant, RepeaterFleet
from ._sockets.descriptors import claim
from ._sockets.endpoints import listener
from ._sockets.listening import Listening
from ._sockets.proxy_headers import watch_headers
from ._types import Filter, FilterPairObject, Observer, Reactor
from .dialects import Dialect
from .faults import Faults
from .fleet import REPEATER, Fleet
from .holding import Holder
from .model import Limits, OnFilterError, Side
from .watching import Watcher

__all__ = ["Repeater"]


class Repeater:
    """Stands between clients and a server. `Repeater.create` makes one."""

    def __init__(self, factory: RepeaterFactory, port: IListeningPort, fleet: Fleet) -> None:
        self._factory = factory
        settings = factory.settings
        self._entry = fleet.enter(REPEATER + settings.repeater_name, RepeaterEntrant(self, factory.links))
        factory.admission.names.claims = self._entry.claims
        self.fleet: RepeaterFleet = RepeaterFleet(
            fleet, self._entry, settings.dialect.to_client, settings.dialect.to_server
        )
        """The calls below across the nodes of its fleet."""
        self._listening = Listening(port, factory.clock)
        self._end = EndingRepeater(factory, self._listening, self._entry.leave)
        factory.admission.port_valve = self._listening.valve
        factory.byte_faults.port_switch = self._listening.switch
        listening = getattr(port, "factory", factory)
        factory.wrapped = listening is not factory
        factory.admission.proxied = watch_headers(listening, factory)

    @classmethod
    def create(
        cls,
        dialect: Dialect,
        *,
        repeater_name: str,
        server_name: str = "",
        is_client_allowed: Callable[[str], object] = everyone,
        listen_port: int | None = None,
        listen: str | IStreamServerEndpoint | None = None,
        share_port: bool = False,
        server_ip: str | None = None,
        server_port: int | None = None,
        server: str | IStreamClientEndpoint | None = None,
        send_proxy: Literal["v1", "v2"] | None = None,
        is_client_ip_authorized: Callable[[str], object] | None = None,
        convert_versions: bool = False,
        limits: Limits = Limits(),
        observers: Iterable[Observer] = (),
        fleet: Fleet | None = None,
        reactor: Reactor = None,
    ) -> Deferred[Repeater]:
        """Bind the port.

        Args:
            dialect: the wire protocol, such as ``dialects.int32()``.
            repeater_name: goes into the ``credentials`` of the hellos that the repeater sends.
            server_name: the name that the server's hello must have. Only dialects with hellos need it.
            is_client_allowed: called with a client's name, as the client says it. A false answer refuses the client. It
                may return a Deferred. By default all clients are allowed. It is not asked about clients that are named
                after their address.
            listen_port: the TCP port to listen on, on all interfaces; 0 takes a free one.
            listen: instead of ``listen_port``, a server endpoint or its description, such as
                ``tcp:9000:interface=127.0.0.1``. The listen queue is as long as the system allows, unless the
                description says ``backlog=``. An endpoint object has a listen queue of its own.
            share_port: let other processes of this user listen at the same port, if they set this, too
                (``SO_REUSEPORT``). Linux spreads the connections over them. It needs ``listen_port``, or the
                description of ``tcp:``, ``tcp6:`` or ``ssl:``.
            server_ip: the address or the host name of the server.
            server_port: the TCP port of the server.
            server: instead of ``server_ip`` and ``server_port``, a client endpoint or its description, such as
                ``tls:example.org:9001``.
            send_proxy: the version of the PROXY header that the server gets before everything else, before TLS, too. It
                has the address of the client, and the address that the client has connected to. The server must be
                described, as ``tcp:``, ``tls:`` or ``unix:``. It needs the extra ``proxy``.
            is_client_ip_authorized: called with a client's address as a string ("" for a Unix socket). A false answer
                refuses the client. ``None`` authorizes all. With ``haproxy:`` it is the address in the PROXY header.
            convert_versions: let each connection agree on its own versions. Messages of equal versions pass as bytes;
                others are decoded, converted and encoded.
            limits: times and sizes. Some defaults may become lower, to fit the file descriptors that this process may
                have; `Repeater.limits` has the numbers.
            observers: they are told of what happens.
            fleet: the fleet that the repeater belongs to, an `IFleet`, with the repeaters of the same name on other
                nodes. ``None``: it belongs to none.
            reactor: the global one by default.

        Returns:
            A Deferred of a repeater, which accepts clients from `start` on. It fails with Twisted's error if the port
            cannot be bound, `MultipleVersionsError` if the dialect states several versions, ``TypeError`` or
            ``ValueError`` for wrong arguments, for limits that need too many file descriptors, and for a
            ``repeater_name`` that another repeater of this process has in the fleet.
        """
        return Deferred.fromCoroutine(
            cls._create(
                (listen, listen_port),
                (server, server_ip, server_port),
                reactor,
                fleet,
                share_port,
                observers=observers,
                send_proxy=send_proxy,
                dialect=dialect,
                repeater_name=repeater_name,
                server_name=server_name,
                is_client_allowed=is_client_allowed,
                is_client_ip_authorized=is_client_ip_authorized,
                convert_versions=convert_versions,
                limits=limits,
            )
        )

    @classmethod
    async def _create(
        cls,
        listen: tuple[str | IStreamServerEndpoint | None, int | None],
        server: tuple[str | IStreamClientEndpoint | None, str | None, int | None],
        reactor: Reactor,
        fleet: Fleet | None,
        share_port: bool,
        observers: Iterable[Observer],
        **others: Any,
    ) -> Repeater:
        if reactor is None:
            from twisted.internet import reactor
        settings = with_own_defaults(Settings(observers=tuple(observers), **others))
        settings.dialect.check_framings(settings.limits)  # one that fails must fail now, not with each client
        dial = server_dialler(settings, reactor, *server)
        listening = listener(reactor, *listen, shared=share_port)
        claimed = claim(settings.limits, reactor)
        try:
            factory = RepeaterFactory(settings, claim=claimed, clock=reactor, dial=dial)
            port = await listening(factory)
            try:
                return cls(factory, port, fleet or Alone(reactor=reactor))
            except Exception:  # the name is taken in this process, or the fleet was stopped
                if not getattr(listen[0], "lends", False):  # a port that was lent is given back
                    await maybeDeferred(port.stopListening)
                raise
        except BaseException:  # cancelled, too
            claimed.give_back()
            raise

    @property
    def port(self) -> int:
        """The TCP port that is, or was, bound."""
        return int(self._listening.address.port)

    @property
    def limits(self) -> Limits:
        """The limits that hold now, with a number for each default; another repeater of the process may change it."""
        return self._factory.claim.limits

    @property
    def faults(self) -> Faults:
        """The faults that break its links on purpose; there are none until you set one."""
        return self._factory.faults

    @property
    def address(self) -> Any:
        """The address that is, or was, listened on, an `IAddress`."""
        return self._listening.address

    def start(
        self,
        *,
        on_connect: Callable[[Link], object] = no_state,
        to_server_filter: Filter | None = None,
        to_client_filter: Filter | None = None,
        filters: FilterPairObject | None = None,
        on_error: OnError | None = None,
        on_connecting_error: OnConnectingError | None = None,
        on_filter_error: OnFilterError = OnFilterError.STOP,
    ) -> None:
        """Accept clients from now on.

        Args:
            on_connect: called with the link when the server is connected and the opening is done, or calls
                `Attempt.connect`; with hellos, before the client is answered. Its result, or that of its Deferred,
                becomes ``link.state``. If it raises, the client is refused.
            to_server_filter: an `IFilter`, or a function of a message to the server and its link. ``None``: all pass.
            to_client_filter: the same for messages to the client.
            filters: a pair of filters, an `IFilterPair`: an object whose method ``for_link`` returns both filters of a
                link. In both directions messages go through the filters above first.
            on_error: called with the link, the side and a `LinkError`. The default logs the error. It closes the link
                if a side is lost, without losing a reply that is still to come, or if a filter's failure has stopped
                one of its directions.
            on_connecting_error: called with the client's name (``None`` if it isn't known), the server's name and a
                `ConnectingError`. The default logs the error.
            on_filter_error: what to do with a message whose filter fails.

        Raises:
            RuntimeError: the repeater was started already; use `replace_filters`.
            TypeError: an argument is of another kind, or a filter cannot work with the messages of the dialect.
        """
        factory = self._factory
        if factory.application.started is not None:
            raise RuntimeError("the repeater was started already")
        factory.equipment.check_filters(to_server_filter, to_client_filter, filters)  # here, not at the first client
        end, not_linked = default_callbacks(factory)
        on_error = end if on_error is None else on_error
        on_connecting_error = not_linked if on_connecting_error is None else on_connecting_error
        factory.application.started = Callbacks(
            on_connect, on_error, on_connecting_error, to_server_filter, to_client_filter, on_filter_error, filters
        )

    def replace_filters(
        self,
        *,
        to_server_filter: Filter | EllipsisType | None = ...,
        to_client_filter: Filter | EllipsisType | None = ...,
        filters: FilterPairObject | EllipsisType | None = ...,
        on_filter_error: OnFilterError | EllipsisType = ...,
    ) -> None:
        """Replace the filters that were given to `start`. A filter that you do not name stays; ``None`` removes it.

        So does ``on_filter_error``, which takes over at once.

        They take over between two messages of every link, at the latest with the next read. A message whose verdict
        is awaited still gets it from the old filter.

        A new pair of filters is asked for the filters of each link. Those that have a method ``migrate`` (`IMigrating`)
        take over from the link's old filters. If the pair raises for one link, this raises, and all links keep theirs.
        """
        started = self._factory.application.started
        if started is None:
            raise RuntimeError("the repeater was not started yet")
        given = {"to_server_filter": to_server_filter, "to_client_filter": to_client_filter, "filters": filters}
        replaced = {name: provider for name, provider in given.items() if provider is not ...}
        self._factory.equipment.check_filters(*(replaced.get(name, getattr(started, name)) for name in given))
        policy = {} if on_filter_error is ... else {"on_filter_error": OnFilterError(on_filter_error)}
        self._factory.replace_filters(replaced | policy)

    def replace_server(self, server: str | IStreamClientEndpoint) -> None:
        """Connect to another server for clients that come from now on; links stay.

        Args:
            server: as in `create`.

        Raises:
            TypeError: it is of another kind.
            ValueError: the server cannot be reached, or not safely.
        """
        factory = self._factory
        factory.links.dial = server_dialler(factory.settings, factory.clock, server, None, None)

    def watch(self, watcher: Watcher, *, links: LinksToWatch = None) -> Watch:
        """Show messages to somebody as they pass, with their verdicts and with the bytes that went out.

        A link that nobody watches costs nothing for that. A watched one costs some microseconds for each message. It
        passes large messages whole, not in pieces as they come, within ``limits.max_frame``.

        Args:
            watcher: a function of a `WatchedMessage`, or an `IWatcher`.
            links: which links to watch, of those that are made and of those to come: a client's name, several names, or
                a function that returns a true value for the links that it wants. ``None`` stands for all. It decides
                when a link is made, or changes its name.

        Returns:
            What ends the watch. The repeater's `shutdown` ends it, too, when all links are over.

        Raises:
            TypeError: an argument is of another kind.
            RuntimeError: the repeater is shut down.
        """
        if self._end.over:
            raise RuntimeError("the repeater is shut down, so there is nothing to watch")
        return self._factory.links.watches.add(watcher, links)

    def hold(self, holder: Holder, *, links: LinksToWatch = None) -> Hold:
        """Let somebody hold messages: look at one before it goes on, and decide what becomes of it.

        The holder comes behind the filters of the application, so it sees what they pass on or send on, and before
        those of the dialect and the faults. While it holds a message, those behind it wait, and ``filter_timeout`` does
        not count. So give each held message a deadline. If the link ends, the holder's Deferred is cancelled. A link
        that no holder chose costs nothing for that. Large messages of the others are read whole.

        Args:
            holder: called with each `HeldMessage`; see `Holder`.
            links: which links it is asked about; see `watch`.

        Returns:
            What ends the hold. If the holder raises, that is logged, and its hold ends.

        Raises:
            TypeError: an argument is of another kind.
            RuntimeError: the repeater is shut down.
        """
        if self._end.over:
            raise RuntimeError("the repeater is shut down, so there is nothing to hold")
        return self._factory.links.holds.add(holder, links)

    # -- messages of the application's own: they go through no filter --------------------------------------------

    def send_to_all_clients(self, message: object) -> None:
        """Send a message to every client. It is encoded once for each version in use.

        With thousands of clients it takes several turns of the reactor to reach all of them. Whatever is sent to one of
        them after this call goes out after the message.
        """
        self._factory.links.broadcast(Side.CLIENT, message)

    def send_from_all_clients(self, message: object) -> None:
        """Send a message to the server on every link, in the same way."""
        self._factory.links.broadcast(Side.SERVER, message)

    def send_to_server_from(self, client_name: str, message: object) -> None:
        """Send a message to the server on every link of that client's name."""
        for link in self.links(client_name):
            link.send_to_server(message)

    def link(self, client_name: str) -> Link | None:
        """Return the oldest link of a client's name, ``None`` if there is none."""
        links = self.links(client_name)
        return links[0] if links else None

    def links(self, client_name: str | None = None) -> list[Link]:
        """Return every link that is made and whose connections are not both gone, the oldest first.

        Args:
            client_name: return only those of this name. There is one at most, unless the dialect lets clients share
                their name (`SameName.SHARE`).
        """
        if client_name is None:
            return [pair.link for pair in self._factory.links.made()]
        return [pair.link for pair in self._factory.admission.names.of(client_name) if pair.made]

    def active_clients(self) -> list[str]:
        """Return the names of the clients whose links have both sides up, each name once."""
        return list(dict.fromkeys(link.client_name for link in self._factory.links.made() if link.active))

    def close_connection_from_client(self, client_name: str) -> None:
        """Close both sides of every link of that client's name."""
        for link in self.links(client_name):
            link.close()

    @property
    def drops_new_clients(self) -> bool:
        """Whether newcomers are refused, since `drop_new_clients`."""
        return self._factory.admission.dropping

    def drop_new_clients(self) -> None:
        """Refuse newcomers from now on; links stay."""
        self._factory.admission.dropping = True

    def accept_new_clients(self) -> None:
        """Accept newcomers again from now on."""
        self._factory.admission.dropping = False

    def stop_listening(self) -> Deferred[None]:
        """Close the port; links stay, and clients that have come are still linked. `shutdown` ends them later.

        Those who wait in the listen queue are accepted first, because the system would reset them. Newcomers cannot
        connect then, so a balancer sends them elsewhere. You may call this again; each call returns a Deferred of its
        own, which fires when the port is closed.
        """
        return self._end.stop_listening()

    @property
    def draining(self) -> bool:
        """Whether it is, or was, drained."""
        return self._end.draining is not None

    def drain(self, over: float = 30.0) -> Deferred[None]:
        """End every link in good order, spread over some time, so that not all clients come back elsewhere at once.

        1. The port is closed. Clients that wait in the listen queue are still accepted and linked.
        2. Links end as they rest, at random times within 60 % of the time, but at least 100 in a second. The client's
           side ends first: what the client still sends is relayed until it ends, too, or is quiet for a second. A
           client that got its dialect's farewell was told that nothing more is accepted, so its link closes at once.
        3. Clients that never rest are read no more, one after the other, until 80 % of the time. When they have their
           answers, their links end in the same way.
        4. Links that are left at the deadline are closed, as by `shutdown`.

        Nothing that was read before is lost. The name of a client is free when its link is over. `shutdown` and `abort`
        end the draining.

        Args:
            over: how long links may go on, in seconds. If you call this again, a shorter time takes over.

        Returns:
            A Deferred of its own for each call, which fires when all links are over: those that are closed at the
            deadline have their own limits for that.

        Raises:
            ValueError: ``over`` is negative or infinite.
        """
        return self._end.drain(over)

    def shutdown(self) -> Deferred[None]:
        """Stop listening and close every link; fires when every connection is gone.

        Messages that were received are filtered and delivered first, as far as the peers take them within the limits.
        You may call this again; each call returns a Deferred of its own.
        """
        return self._end.shutdown()

    def abort(self) -> Deferred[None]:
        """Stop listening and abort every connection at once; messages that wait or are under way are lost.

        Call it when `shutdown` takes too long: its Deferreds fire then, too. Returns a Deferred as `shutdown` does.
        """
        return self._end.abort()
