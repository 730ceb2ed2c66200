"""Accepts clients: a protocol for each, unless admission refuses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory

from .._lane.frame_monitor import FrameMonitor
from .._lane.lane import Lane
from .._sockets.connection_monitor import ConnectionMonitor
from .._sockets.descriptors import Claim
from .._text import text_of
from ..filters import filter_function, selector_of
from ..filters._provider import checked_function
from ..model import Direction, Limits
from .admission import Admission
from .callbacks import Application, Callbacks
from .links import Links
from .pair import Pair
from .protocols import ClientSideProtocol, ServerSideProtocol
from .settings import Settings

__all__ = ["RepeaterFactory"]


class RepeaterFactory(ServerFactory):
    """Puts a repeater together, and makes a `ClientSideProtocol` for each client."""

    noisy = False

    def __init__(
        self, settings: Settings, *, claim: Claim, clock: IReactorTime, dial: Callable[[Pair], Deferred[Any]]
    ) -> None:
        limits = claim.limits
        self.settings = settings
        self.dialect = settings.dialect
        self.observers = settings.observers
        self.claim = claim
        """This repeater's share of the descriptors of its process, and its limits."""
        self.clock = clock
        self.wrapped = False
        """Whether a factory stands before this one, for TLS say, which needs a protocol for the refused, too."""
        monitor = ConnectionMonitor(clock, limits.dead_peer_timeout)
        self.application = Application(settings, clock)
        self.admission = Admission(settings, self.application, claim, monitor, clock)
        self.links = Links(settings, self.application, self.admission, claim, monitor, clock, dial, self.set_up)
        self._frame_watch = FrameMonitor(clock, limits.frame_timeout, limits.max_unfinished_frames)
        self._filters: dict[tuple[Direction, int], tuple[Any, Any, Any]] = {}
        """For a direction and the ``id`` of a codec: the codec itself, which so keeps its ``id``, the filter, and the
        selector. Made once, not for each of thousands of lanes."""

    @property
    def limits(self) -> Limits:
        """The limits that hold now."""
        return self.claim.limits

    # -- accepting -------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Make the protocol of a new client. A refused one has none, or one that closes."""
        if self.admission.lets_in(addr):
            return _Accepted(Pair(self.links, self.settings.server_name), self.links)
        return _Refused() if self.wrapped else None

    def server_side(self, pair: Pair) -> ServerSideProtocol:
        """Make the protocol of a pair's connection to the server."""
        return ServerSideProtocol(pair, self.links.framing, self.limits)

    # -- filters ---------------------------------------------------------------------------------------------

    @property
    def callbacks(self) -> Callbacks | None:
        """What the application gave to `start`."""
        return self.application.started

    @callbacks.setter
    def callbacks(self, callbacks: Callbacks) -> None:
        self.application.started = callbacks

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
            self.application.observe("relayed", link.link, lane.direction, messages, size)

        return on_read


class _Accepted(ClientSideProtocol):
    """A client's protocol, which begins its attempt when it is connected."""

    def __init__(self, pair: Pair, links: Links) -> None:
        super().__init__(pair, links.framing, links.limits)
        self._links = links

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        super().connectionMade()
        self._links.begin(self.link)

    def address_known(self) -> None:
        """The PROXY header of this connection has been read."""
        self.end.address_known()

    def no_header(self, data: bytes) -> None:
        """This connection did not begin with a PROXY header."""
        self.end.no_header(data)


class _Refused(Protocol):
    """Closes at once."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
