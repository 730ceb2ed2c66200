"""One client's pair of connections: messages sent on it, its lanes, and its errors.

It is made (``attempt.py``), relays, finishes perhaps, closes, and is over when both connections are gone. `closing` has
its states, what each event does in them, and the rules that it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from .._lane.lane import Lane
from .._lane.setup import LaneSetup
from .._types import Filters
from ..errors import (
    CallbackFailed,
    Disconnected,
    MarshalingError,
    SlowConsumer,
)
from ..framings.base import Framing, framing_of
from ..model import Direction, OnFilterError, Side
from .closing import LinkEvent
from .connection import ClientSideProtocol, Connection, ServerSideProtocol
from .ending_connection import EndingConnection
from .hosting_pair import HostingPair
from .link import Link
from .session_filters import end_sessions, messages_for

if TYPE_CHECKING:
    from .factory import Links
    from .watching import Watch

__all__ = ["Pair"]


NO_DETAILS: Mapping[str, object] = MappingProxyType({})

NO_FILTERS: Filters = (None, None)
"""The filters of a link without a pair of filters."""

NONE_STOPPED: frozenset[Direction] = frozenset()
"""Shared by nearly all links, because an empty set costs 200 bytes."""


class Pair(HostingPair):
    """Implements what lanes and connections need of their link. ``link`` is what the application sees of it."""

    __slots__ = (
        "__weakref__",
        "_framings",
        "_unsent",
        "client_hello",
        "details",
        "dialect_filters",
        "filters",
        "id",
        "server_hello",
        "server_name",
        "stopped",
        "watches",
    )

    def __init__(self, host: Links, server_name: str) -> None:
        to_server, to_client = host.settings.dialect.framings(host.limits)
        self._framings: tuple[Framing, Framing] = (framing_of(to_server), framing_of(to_client))
        """The framings of the messages to the server, and to the client."""
        super().__init__(host, ClientSideProtocol(self, host), ServerSideProtocol(self, host))
        self.server_name: str = server_name
        self.id: int = next(host.ids)
        """See `ILink`."""
        self.client_hello: Any = None
        """See `ILink`."""
        self.server_hello: Any = None
        """See `ILink`."""
        self.details: Mapping[str, object] = NO_DETAILS
        """See `ILink`."""
        self.filters: Filters | None = None
        """The filters that a pair of filters made for it; ``None`` before the pair was asked."""
        self.dialect_filters: Filters = NO_FILTERS
        """The filters that the dialect's own pair made for it."""
        self.link: Link = Link(self)
        self.stopped: frozenset[Direction] = NONE_STOPPED
        """See `ILink`."""
        self.watches: tuple[Watch, ...] = ()
        """The watches that are told of its messages."""
        self._unsent: list[tuple[Connection, bytes]] | None = None
        """Messages of the application that wait until the link is made: none may come before a hello."""

    @property
    def at_work(self) -> bool:
        """Whether the caller is called by one of the lanes at its work, as a filter is."""
        return any(lane.at_work for lane in self.lanes)

    @property
    def silent(self) -> bool:
        """Whether its client has not sent anything yet."""
        if self.client.heard or not self.lanes:
            return not self.client.heard
        lane = self._lane_from(Side.CLIENT)
        return not (lane.size or lane.unfinished_size or lane.holding)

    def is_at_work(self, direction: Direction) -> bool:
        """Return whether a lane is at work, so that it may have messages that it has not pushed yet."""
        return bool(self.lanes) and self._lane_from(direction.source).at_work

    @property
    def delays(self) -> bool:
        """Whether messages wait for their time."""
        return any(lane.delays for lane in self.lanes)

    @property
    def on_filter_error(self) -> OnFilterError:
        """What to do with a message whose filter fails."""
        return self._host.application.callbacks.on_filter_error

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call in the next turn of the reactor, unless the link is over then."""
        self.call_later(0, call)

    def call_later(self, delay: float, call: Callable[[], None]) -> None:
        """Call after so many seconds, unless the link is over then. A call that waits already begins to wait again."""
        if not self.over:
            self.timers.call_later(("called", call), delay, call)

    def framing_from(self, side: Side) -> Framing:
        """Return the framing of the messages that a side sends."""
        return self._framings[side is Side.SERVER]

    def framing_to(self, side: Side) -> Framing:
        """Return the framing of the messages that a side gets."""
        return self._framings[side is Side.CLIENT]

    def redacted(self, message: object) -> object:
        """Return what logs may show instead of a message that a filter looks at.

        Its direction is that of the lane at work, or of the one that waits for a verdict. If that can be both, it is
        redacted for both.
        """
        redact = self._host.settings.dialect.redact
        if redact is None:
            return message
        at_work = [lane for lane in self.lanes if lane.at_work]
        for lane in at_work or [lane for lane in self.lanes if lane.awaited is not None] or self.lanes:
            message = redact(message, lane.direction)
        return message

    # -- making --------------------------------------------------------------------------------------------

    def prepare(self, to_server: LaneSetup, to_client: LaneSetup) -> None:
        """Both connections are there: make the lanes between them. They hold all bytes until `relay`."""
        framings = self._framings
        client, server = self.client.outlet, self.server.outlet
        now = self._host.now
        self.lanes: tuple[Lane, ...] = (
            Lane(to_server, framings[0], server, client, self, now, self.link),
            Lane(to_client, framings[1], client, server, self, now, self.link),
        )
        self.lanes[0].face(self.lanes[1])

    def relay(self) -> None:
        """The link is complete."""
        self._on(LinkEvent.MADE)

    def _start(self) -> None:
        """Send the frames that waited, then look at the bytes that the peers sent after their hellos."""
        sides = list(zip((self.client, self.server), self.lanes, strict=True))
        claims = self._host.admission.names.claims
        fence = None if claims is None else claims.fence
        for connection, lane in sides:
            connection.relay_to(lane.feed if fence is None else partial(self._feed_fenced, fence, lane))
        unsent, self._unsent = self._unsent, None
        for connection, frame in unsent or ():
            if self.watches:
                self._host.watches.own_sent(self, connection.side, frame)
            connection.outlet.send(frame)
        self._host.application.link_made(self)
        for connection, lane in sides:
            lane.start()
            if connection.ended:
                self._side_down(connection, connection.loss or ConnectionDone())

    def _feed_fenced(self, fence: Callable[[], bool], lane: Lane, data: bytes) -> None:
        """Relay bytes unless others may have the name of this link; see `NameClaims.fence`."""
        if fence() or self._host.admission.names.is_labelled(self):
            lane.feed(data)

    # -- ILink ----------------------------------------------------------------------------------------------

    def received(self, direction: Direction) -> tuple[int, int]:
        """See `ILink`."""
        if not self.lanes:
            return (0, 0)
        lane = self._lane_from(direction.source)
        return (lane.messages, lane.size)

    def send(self, connection: Connection, message: Any) -> None:
        """Send a message of the application's own to one side."""
        if self.can_send(connection):
            for one in messages_for(self, connection, message):
                frame = connection.outlet.encode(one)
                if frame:
                    self.send_frame(connection, frame)

    def send_frame(self, connection: Connection, frame: bytes, *, at_once: bool = False) -> None:
        """Send a frame of the application's own: from within a filter, after the messages before the one it sees."""
        if not self.made:
            self._unsent = self._unsent or []
            self._unsent.append((connection, frame))
            return
        if self.watches:
            self._host.watches.own_sent(self, connection.side, frame)
        outlet, lanes = connection.outlet, self.lanes
        # A lane at work comes first: what it has sent there before may not be pushed yet.
        if not (
            any(lane.at_work and lane.send_between(outlet, frame) for lane in lanes)
            or any(lane.send_between(outlet, frame) for lane in lanes)
        ):
            outlet.send(frame, at_once=at_once)

    def _said_farewell(self, farewell: bytes) -> None:
        if self.watches:
            self._host.watches.own_sent(self, Side.CLIENT, farewell)

    @property
    def held(self) -> bool:
        """See `ILink`."""
        return self.client.valve.has("held")

    def hold(self) -> None:
        """See `ILink`."""
        if not self.client.gone:
            self.client.valve.close("held")

    def resume(self) -> None:
        """See `ILink`."""
        if not self.client.gone:
            self.client.valve.open("held")

    def identify(self, name: str) -> Deferred[None]:
        """See `ILink`."""
        return self._host.admission.identify(self, name).addCallback(self._identified)

    def _identified(self, result: None) -> None:
        """The link has another name: others may watch it now, and other faults may break it."""
        self._host.renamed(self)

    def can_send(self, connection: Connection) -> bool:
        """Whether a message for this side has a way to go."""
        return bool(self.lanes) and not connection.gone and not connection.outlet.ended

    # -- what happens to the connections ------------------------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        """A connection is there."""
        if connection is self.client:
            self._host.begin(self)

    def peer_ended_unread(self, connection: EndingConnection) -> None:
        """A peer has ended its stream, after bytes that cannot be read yet."""
        if self.made:
            self._await_report(connection)

    def connection_full(self, connection: Connection) -> None:
        """More waits than should: watch whether the peer accepts anything at all."""
        timeout = self._host.limits.stall_timeout
        if timeout is not None:
            stalled = partial(self._too_slow, connection, "took nothing of what waits for it in time")
            self.timers.call_without_progress(("full", connection), timeout, connection.progress_of_peer, stalled)

    def connection_overflowed(self, connection: Connection) -> None:
        """The application sends more than the peer accepts."""
        self._too_slow(connection, "did not take what was sent to it")

    def _too_slow(self, connection: Connection, what: str) -> None:
        waiting = connection.outlet.waiting
        self.break_off(connection, SlowConsumer(f"the {connection.side.value} {what}: {waiting} bytes wait", waiting))

    def marshaling_error(self, connection: Connection, error: MarshalingError) -> None:
        """A message is not sent."""
        self._host.application.link_error(self, connection.side, error)

    def break_off(self, connection: EndingConnection, reason: BaseException) -> None:
        """A side is useless: it goes down for this reason, and its connection with it."""
        if self.made:
            lane = self._lane_from(connection.side)
            lane.seal()
            if lane.idle:
                lane.drop_unfinished()
            if connection.side not in self.down:
                self._tell(connection, Disconnected(reason))
        connection.abort()

    # -- reports to the attempt, and the end ---------------------------------------------------------

    def _fail_attempt(self, connection: Connection, reason: BaseException) -> None:
        if connection.opening is None or not connection.opening.survives:
            self._host.link_broke(self, connection.side, reason)

    def _end(self) -> None:
        for lane in self.lanes:
            lane.discard()
        for connection in (self.client, self.server):
            self._report_loss(connection)
        self.timers.stop_all()
        end_sessions(self)
        self._host.link_over(self)
        waiting, self._on_over = self._on_over, ()
        for deferred in waiting:
            if not deferred.called:  # the one before may have cancelled it
                deferred.callback(None)

    # -- LaneHost, beside `HostingPair` ------------------------------------------------------------

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """A filter raised. See `LaneHost`."""
        return self._host.application.filter_failed(self, lane.direction, error)
