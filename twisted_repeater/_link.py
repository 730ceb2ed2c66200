"""One client's pair of connections: what is sent on it, what goes wrong on it, how it ends.

The rules that a link keeps:

* It is made (``_attempt.py``), relays, finishes perhaps, closes, and is over when both connections are gone.
* One side going down leaves the other up. The application is told once for each side, and ends the link.
* What a side sent before it went down is filtered and delivered, also while the link closes.
* Closing has a deadline that counts from the last progress, and one that counts from its beginning.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ._end import End
from ._lane import Lane
from ._outlet import Outlet
from .errors import (
    CallbackFailed,
    Disconnected,
    FilterTimeout,
    FramingError,
    LinkError,
    MarshalingError,
    ParseError,
    SlowConsumer,
)
from .framing import Framing
from .interfaces import IHandshake, ILink
from .model import Direction, Hello, Limits, OnFilterError, Side

__all__ = ["Link", "LinkHost"]


class LinkHost(Protocol):
    """What a link needs of the factory that made it."""

    clock: IReactorTime
    limits: Limits
    framing: Framing
    handshake: IHandshake

    def link_error(self, link: Link, side: Side, error: LinkError) -> None:
        """Tell the application."""

    def link_filter_failed(self, link: Link, direction: Direction, error: CallbackFailed) -> OnFilterError:
        """Tell the application, and say what becomes of the message."""

    def link_made(self, link: Link) -> None:
        """The link is complete; nothing of what the peers sent is looked at yet."""

    def link_broke(self, link: Link, side: Side, reason: BaseException) -> None:
        """A side left while the link was being made."""

    def link_over(self, link: Link) -> None:
        """Both connections are gone."""


@implementer(ILink)
class Link:
    """See `ILink`. Implements what lanes, ends and outlets need of their link."""

    __slots__ = (
        "__weakref__",
        "_close_timer",
        "_closed_by",
        "_filter_timers",
        "_host",
        "_linger_timer",
        "_on_over",
        "_stall_timers",
        "_unsent",
        "client",
        "client_hello",
        "client_name",
        "closing",
        "finishing",
        "lanes",
        "made",
        "over",
        "reason",
        "server",
        "server_hello",
        "server_name",
        "state",
    )

    def __init__(self, host: LinkHost, server_name: str) -> None:
        self._host = host
        self.client = End(Side.CLIENT, self, host.handshake, host.clock)
        self.server = End(Side.SERVER, self, host.handshake, host.clock)
        self.client_name: str = ""
        self.server_name = server_name
        self.client_hello: Hello | None = None
        self.server_hello: Hello | None = None
        self.state: Any = None
        self.lanes: tuple[Lane, Lane] | None = None
        """Towards the server and towards the client, once the link is made."""
        self.made = False
        self.finishing = False
        self.closing = False
        self.over = False
        self.reason: BaseException | None = None
        """What began its end."""
        self._on_over: list[Deferred[None]] = []
        self._close_timer: Any = None
        self._linger_timer: Any = None
        self._filter_timers: dict[Lane, Any] = {}
        self._stall_timers: dict[Outlet, Any] = {}
        self._unsent: list[tuple[Outlet, bytes]] = []
        """What the application sent before the link was made: no message may come before a hello."""

    def __repr__(self) -> str:
        return f"<link of {self.client_name!r} to {self.server_name!r}>"

    @property
    def client_address(self) -> Any:
        """See `ILink`."""
        return self.client.address

    @property
    def server_address(self) -> Any:
        """See `ILink`."""
        return self.server.address

    @property
    def active(self) -> bool:
        """Whether the link is made and both sides are up."""
        return self.made and not (self.closing or self.client.reported or self.server.reported)

    def end(self, side: Side) -> End:
        """Give the connection of a side."""
        return self.client if side is Side.CLIENT else self.server

    def _lane_from(self, side: Side) -> Lane:
        assert self.lanes is not None
        return self.lanes[0] if side is Side.CLIENT else self.lanes[1]

    def when_over(self) -> Deferred[None]:
        """Fire when both connections are gone. A Deferred of its own for each caller."""
        if self.over:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._on_over.append(waiting)
        return waiting

    # -- making --------------------------------------------------------------------------------------------

    def prepare(self) -> tuple[Lane, Lane]:
        """Both connections are there: make the lanes between them. They hold what comes until `relay`."""
        framing = self._host.framing
        client, server = self.client.outlet, self.server.outlet
        self.lanes = (
            Lane(Direction.TO_SERVER, framing, server, client, self),
            Lane(Direction.TO_CLIENT, framing, client, server, self),
        )
        return self.lanes

    def relay(self) -> None:
        """The link is complete."""
        self.made = True
        assert self.lanes is not None
        for end, lane in zip((self.client, self.server), self.lanes, strict=True):
            end.relay_to(lane.feed)
        unsent, self._unsent = self._unsent, []
        for outlet, frame in unsent:
            outlet.send(frame)
        self._host.link_made(self)
        for end, lane in zip((self.client, self.server), self.lanes, strict=True):
            lane.start()
            if end.ended:
                self._side_down(end, ConnectionDone())

    # -- ILink ----------------------------------------------------------------------------------------------

    def received(self, direction: Direction) -> tuple[int, int]:
        """See `ILink`."""
        if self.lanes is None:
            return (0, 0)
        lane = self._lane_from(direction.source)
        return (lane.messages, lane.size)

    def send_to_client(self, message: Any) -> None:
        """See `ILink`."""
        self._send(self.client, message)

    def send_to_server(self, message: Any) -> None:
        """See `ILink`."""
        self._send(self.server, message)

    def _send(self, end: End, message: Any) -> None:
        if self.can_send(end):
            frame = end.outlet.encode(message)
            if frame is None:
                return
            if self.made:
                end.outlet.send(frame)
            else:
                self._unsent.append((end.outlet, frame))

    def can_send(self, end: End) -> bool:
        """Whether a message for this side has a way to go."""
        return self.lanes is not None and not end.gone and not end.outlet.ended

    def finish(self) -> None:
        """See `ILink`."""
        if self.closing or not self.made:
            return
        if not self.finishing:
            self.finishing = True
            self._linger_timer = self._host.clock.callLater(self._host.limits.linger, self._lingered)
        self._proceed()

    def close(self, reason: BaseException | None = None) -> None:
        """See `ILink`."""
        if self.closing:
            return
        self.closing = True
        if self.reason is None:
            self.reason = reason
        self._cancel(self._linger_timer)
        for lane in self.lanes or ():
            lane.seal()
        if not self.over:
            limits = self._host.limits
            now = self._host.clock.seconds()
            self._watch_closing(self._progress(), now + max(limits.linger, limits.close_timeout))
        self._proceed()

    # -- the end of a link ----------------------------------------------------------------------------------

    def _proceed(self) -> None:
        """Take the next step of finishing or closing that is possible now."""
        if self.over or not (self.finishing or self.closing):
            return
        if self.lanes is None or not self.made:
            self.client.drop()
            self.server.drop()
        elif self.closing:
            if all(lane.idle or self._target_gone(lane) for lane in self.lanes):
                self.client.close()
                self.server.close()
        else:
            delivered = [end.ended and self._lane_from(end.side).idle for end in (self.client, self.server)]
            if all(delivered):
                self.close()
                return
            for end, is_delivered in zip((self.client, self.server), delivered, strict=True):
                if is_delivered:
                    self.end(end.side.other).end_stream()

    def _target_gone(self, lane: Lane) -> bool:
        """Whether nothing that a lane still holds can reach anybody."""
        return self.end(lane.direction.target).gone and self.end(lane.direction.source).gone

    def _lingered(self) -> None:
        self._linger_timer = None
        self.close()

    def _progress(self) -> object:
        return (
            [end.progress() for end in (self.client, self.server) if not end.gone],
            [lane.messages for lane in self.lanes or ()],
        )

    def _watch_closing(self, progress: object, deadline: float) -> None:
        """Look after ``close_timeout`` whether closing got on, and make an end of it if not."""

        def look() -> None:
            now = self._progress()
            if now == progress or self._host.clock.seconds() >= deadline:
                self._close_timer = None
                self.force()
            else:
                self._watch_closing(now, deadline)

        self._close_timer = self._host.clock.callLater(self._host.limits.close_timeout, look)

    def force(self) -> None:
        """Close both sides now."""
        for lane in self.lanes or ():
            lane.discard()
        self.client.force()
        self.server.force()

    @staticmethod
    def _cancel(timer: Any) -> None:
        if timer is not None and timer.active():
            timer.cancel()

    def check_over(self) -> None:
        """Both connections gone is the end."""
        if self.over or not (self.client.gone and self.server.gone):
            return
        self.over = self.closing = True
        for lane in self.lanes or ():
            lane.discard()
        timers = [self._close_timer, self._linger_timer, *self._filter_timers.values(), *self._stall_timers.values()]
        for timer in timers:
            self._cancel(timer)
        self._filter_timers.clear()
        self._stall_timers.clear()
        self._host.link_over(self)
        waiting, self._on_over = self._on_over, []
        for deferred in waiting:
            deferred.callback(None)

    # -- EndHost --------------------------------------------------------------------------------------------

    def end_stopped(self, end: End) -> None:
        """A peer has ended its stream."""
        if self.made:
            self._side_down(end, ConnectionDone())
            self._proceed()
        elif not end.early:  # with messages waiting behind its hello it has only said all that it has to say
            self._host.link_broke(self, end.side, ConnectionDone())

    def end_lost(self, end: End, reason: BaseException) -> None:
        """A connection is gone."""
        if self.made:
            self._side_down(end, reason)
            for lane in self.lanes or ():
                lane.unchoke()
            self._proceed()
        else:
            self._host.link_broke(self, end.side, reason)
        self.check_over()

    def _side_down(self, end: End, reason: BaseException) -> None:
        """A side has ended its stream, or is gone: tell the application once, behind all that the side sent."""
        lane = self._lane_from(end.side)
        lane.seal()
        if end.reported or not (end.lost or lane.idle):  # not idle: reported when it has come so far
            return
        end.reported = True
        half_closed = not end.lost and not end.outlet.ended
        self._report(end.side, Disconnected(lane.unfinished or reason, half_closed=half_closed))

    def _report(self, side: Side, error: LinkError) -> None:
        if isinstance(error, Disconnected) and self.reason is None and not self.closing:
            self.reason = error
        self._host.link_error(self, side, error)

    # -- OutletHost -----------------------------------------------------------------------------------------

    def _end_of(self, outlet: Outlet) -> End:
        return self.client if getattr(self.client, "outlet", None) is outlet else self.server

    def outlet_full(self, outlet: Outlet) -> None:
        """More waits than should: watch whether the peer takes anything at all."""
        timeout = self._host.limits.stall_timeout
        if timeout is not None and outlet not in self._stall_timers:
            progress = self._end_of(outlet).progress()
            self._stall_timers[outlet] = self._host.clock.callLater(timeout, self._stalled, outlet, progress)

    def _stalled(self, outlet: Outlet, progress: object) -> None:
        del self._stall_timers[outlet]
        end = self._end_of(outlet)
        if end.progress() != progress:
            self.outlet_full(outlet)
        else:
            self._too_slow(end, "took nothing of what waits for it in time")

    def outlet_drained(self, outlet: Outlet) -> None:
        """Nothing waits any more: go on with what was choked."""
        self._cancel(self._stall_timers.pop(outlet, None))
        for lane in self.lanes or ():
            lane.unchoke()

    def outlet_overflowed(self, outlet: Outlet) -> None:
        """The application sends more than the peer takes."""
        self._too_slow(self._end_of(outlet), "did not take what was sent to it")

    def _too_slow(self, end: End, what: str) -> None:
        waiting = end.outlet.waiting
        self._break(end, SlowConsumer(f"the {end.side.value} {what}: {waiting} bytes wait", waiting))

    def outlet_marshaling_error(self, outlet: Outlet, error: MarshalingError) -> None:
        """A message is not sent."""
        self._report(self._end_of(outlet).side, error)

    def _break(self, end: End, reason: BaseException) -> None:
        """A side is useless: it goes down for this reason, and its connection with it."""
        lane = self._lane_from(end.side)
        lane.seal()
        if not end.reported:
            end.reported = True
            self._report(end.side, Disconnected(reason))
        end.abort()

    # -- LaneHost -------------------------------------------------------------------------------------------

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane."""
        self.end(lane.direction.source).valve.close("lane")
        self._cancel(self._filter_timers.pop(lane, None))
        timeout = self._host.limits.filter_timeout
        if lane.awaited is not None and timeout is not None:
            self._filter_timers[lane] = self._host.clock.callLater(timeout, self._filter_timed_out, lane, timeout)

    def _filter_timed_out(self, lane: Lane, timeout: float) -> None:
        del self._filter_timers[lane]
        lane.give_up_waiting(FilterTimeout(f"no verdict within {timeout} seconds"))

    def lane_flowing(self, lane: Lane) -> None:
        """Nothing is held any more: read on, or go on ending."""
        self._cancel(self._filter_timers.pop(lane, None))
        end = self.end(lane.direction.source)
        end.valve.open("lane")
        if end.ended:
            self._side_down(end, ConnectionDone())
        self._proceed()

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """One message is dropped."""
        self._report(lane.direction.source, error)

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """A filter raised."""
        return self._host.link_filter_failed(self, lane.direction, error)

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """The stream of a side cannot be read any further: that is the end of the side."""
        self._break(self.end(lane.direction.source), error)

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """A verdict closes the link."""
        self.close(error)
