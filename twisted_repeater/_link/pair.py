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
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from .._lane.lane import Lane
from .._lane.setup import LaneSetup
from .._sockets.connection_monitor import ConnectionMonitor
from ..dialects import Dialect
from ..errors import (
    CallbackFailed,
    Disconnected,
    FilterTimeout,
    FramingError,
    LinkError,
    MarshalingError,
    ParseError,
    SlowConsumer,
)
from ..framings.base import Framing
from ..interfaces import IHandshake
from ..model import Direction, Hello, Limits, OnFilterError, Side
from .connection import Connection
from .deadline import ProgressDeadline
from .link import Link

__all__ = ["Pair", "PairHost"]

NONE_STOPPED: frozenset[Direction] = frozenset()
"""Shared by nearly all links, because an empty set costs 200 bytes."""


class PairHost(Protocol):
    """What a link needs of the factory that made it."""

    clock: IReactorTime
    dialect: Dialect
    framing: Framing
    handshake: IHandshake
    watch: ConnectionMonitor

    @property
    def limits(self) -> Limits:
        """The limits that hold now."""

    def link_error(self, link: Pair, side: Side, error: LinkError) -> None:
        """Tell the application."""

    def link_filter_failed(self, link: Pair, direction: Direction, error: CallbackFailed) -> OnFilterError:
        """Tell the application, and say what becomes of the message."""

    def link_made(self, link: Pair) -> None:
        """The link is complete; nothing of what the peers sent is looked at yet."""

    def link_broke(self, link: Pair, side: Side, reason: BaseException) -> None:
        """A side left while the link was being made."""

    def link_over(self, link: Pair) -> None:
        """Both connections are gone."""


class Pair:
    """Implements what lanes and connections need of their link. ``link`` is what the application sees of it."""

    __slots__ = (
        "__weakref__",
        "_closing_patience",
        "_filter_timers",
        "_host",
        "_linger_timer",
        "_on_over",
        "_patience",
        "_quiet",
        "_turns",
        "_unheard",
        "_unsent",
        "client",
        "client_hello",
        "client_name",
        "closing",
        "finishing",
        "lanes",
        "link",
        "made",
        "over",
        "reason",
        "server",
        "server_hello",
        "server_name",
        "stopped",
    )

    def __init__(self, host: PairHost, server_name: str) -> None:
        self._host = host
        self.client = Connection(Side.CLIENT, self, host.handshake, host.clock, host.watch, host.dialect.name)
        self.server = Connection(Side.SERVER, self, host.handshake, host.clock, host.watch, host.dialect.name)
        self.client_name: str = ""
        self.server_name = server_name
        self.client_hello: Hello | None = None
        self.server_hello: Hello | None = None
        self.link = Link(self)
        self.lanes: tuple[Lane, Lane] | None = None
        """Towards the server and towards the client, once the link is made."""
        self.made = False
        self.finishing = False
        self.closing = False
        self.over = False
        self.stopped: frozenset[Direction] = NONE_STOPPED
        """See `ILink`."""
        self.reason: BaseException | None = None
        """What began its end."""
        self._on_over: list[Deferred[None]] = []
        self._linger_timer: Any = None
        self._closing_patience: ProgressDeadline | None = None
        self._quiet: ProgressDeadline | None = None
        """Waits for a server that cannot be told of the end of the client's stream to have nothing more to say."""
        self._patience: dict[Connection, ProgressDeadline] = {}
        """With those ends for which more waits than should."""
        self._unheard: dict[Connection, ProgressDeadline] = {}
        """For each end whose stream has ended while the application cannot be told yet."""
        self._filter_timers: dict[Lane, Any] = {}
        self._turns: dict[Lane, IDelayedCall] = {}
        """For each lane that gave way: the call in the next turn of the reactor by which it goes on."""
        self._unsent: list[tuple[Connection, bytes]] | None = None
        """What the application sent before the link was made: no message may come before a hello."""

    @property
    def active(self) -> bool:
        """Whether the link is made and both sides are up."""
        return self.made and not (self.closing or self.client.reported or self.server.reported)

    @property
    def at_work(self) -> bool:
        """Whether the caller is called by one of the lanes at its work, as a filter is."""
        lanes = self.lanes
        return lanes is not None and (lanes[0].at_work or lanes[1].at_work)

    def end(self, side: Side) -> Connection:
        """Return the connection of a side."""
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

    def prepare(self, to_server: LaneSetup, to_client: LaneSetup) -> None:
        """Both connections are there: make the lanes between them. They hold what comes until `relay`."""
        framing = self._host.framing
        client, server = self.client.outlet, self.server.outlet
        now = self._host.clock.seconds
        self.lanes = (
            Lane(to_server, framing, server, client, self, now, self.link),
            Lane(to_client, framing, client, server, self, now, self.link),
        )

    def relay(self) -> None:
        """The link is complete."""
        self.made = True
        assert self.lanes is not None
        for end, lane in zip((self.client, self.server), self.lanes, strict=True):
            end.relay_to(lane.feed)
        unsent, self._unsent = self._unsent, None
        for end, frame in unsent or ():
            end.outlet.send(frame)
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

    def send(self, end: Connection, message: Any) -> None:
        """Send a message of the application's own to one side."""
        if self.can_send(end):
            frame = end.outlet.encode(message)
            if frame:
                self.send_frame(end, frame)

    def send_frame(self, end: Connection, frame: bytes, *, at_once: bool = False) -> None:
        """Send a frame of the application's own: from within a filter, behind the messages before the one it sees."""
        if not self.made:
            self._unsent = self._unsent or []
            self._unsent.append((end, frame))
        elif not any(lane.send_between(end.outlet, frame) for lane in self.lanes or ()):
            end.outlet.send(frame, at_once=at_once)

    def can_send(self, end: Connection) -> bool:
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
        if not self.closing:
            self._begin_closing(reason)
            self._proceed()

    def abort(self) -> None:
        """Close both connections at once, whatever is lost."""
        if not self.closing:
            self._begin_closing(None)
        for lane in self.lanes or ():
            lane.discard()
        self.client.abort()
        self.server.abort()

    def _begin_closing(self, reason: BaseException | None) -> None:
        self.closing = True
        if self.reason is None:
            self.reason = reason
        self._cancel(self._linger_timer)
        for patience in (self._quiet, *self._unheard.values()):
            if patience is not None:
                patience.stop()
        for lane in self.lanes or ():
            lane.seal()
            if lane.idle:
                lane.drop_unfinished()
        limits = self._host.limits
        at_most = max(limits.linger, limits.close_timeout)
        self._closing_patience = ProgressDeadline(
            self._host.clock, limits.close_timeout, self._progress, self.force, at_most=at_most
        )

    # -- the end of a link ----------------------------------------------------------------------------------

    def _proceed(self) -> None:
        """Take the next step of finishing or closing that is possible now."""
        if self.over or not (self.finishing or self.closing):
            return
        if self.lanes is None or not self.made:
            self.client.drop()
            self.server.drop()
        elif self.closing:
            if all(lane.idle for lane in self.lanes):
                self.client.close()
                self.server.close()
        else:
            ended = [self._has_ended(lane) for lane in self.lanes]
            if all(ended):
                self.close()
                return
            for lane, has_ended in zip(self.lanes, ended, strict=True):
                if has_ended:
                    self._end_stream(self.end(lane.direction.target))

    def _end_stream(self, end: Connection) -> None:
        """Nothing more comes for an end: tell it.

        A server that would take that for the end of both ways is told when it has been quiet for a while.
        """
        if end is self.client or end.gone or end.outlet.can_half_close:
            end.end_stream()
        elif self._quiet is None:
            limits = self._host.limits
            self._quiet = ProgressDeadline(self._host.clock, limits.close_timeout, self._progress, end.end_stream)

    def give_way(self) -> None:
        """A newcomer wants the name of this link, which is ending: end it within ``close_timeout`` from now.

        The client that has come back no longer reads its old connection, so waiting for replies gains nothing.
        """
        self.close()
        if self._closing_patience is not None:
            self._closing_patience.hurry(self._host.limits.close_timeout)

    def _has_ended(self, lane: Lane) -> bool:
        """Whether nothing more can come of a direction."""
        return self.end(lane.direction.target).lost or (self.end(lane.direction.source).ended and lane.idle)

    def _lingered(self) -> None:
        self._linger_timer = None
        self.close()

    def _progress(self) -> object:
        return (
            [end.progress() for end in (self.client, self.server) if not end.gone],
            [(lane.messages, lane.unfinished_size) for lane in self.lanes or ()],
        )

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
        for end in (self.client, self.server):
            self._report_loss(end)
        for timer in (self._linger_timer, *self._filter_timers.values(), *self._turns.values()):
            self._cancel(timer)
        for patience in (self._closing_patience, self._quiet, *self._patience.values(), *self._unheard.values()):
            if patience is not None:
                patience.stop()
        self._filter_timers.clear()
        self._turns.clear()
        self._patience.clear()
        self._unheard.clear()
        self._host.link_over(self)
        waiting, self._on_over = self._on_over, []
        for deferred in waiting:
            deferred.callback(None)

    # -- EndHost --------------------------------------------------------------------------------------------

    def end_stopped(self, end: Connection) -> None:
        """A peer has ended its stream."""
        if self.made:
            self._side_down(end, ConnectionDone())
            self._proceed()
        elif not end.early:  # with messages waiting behind its hello it has only said all that it has to say
            self._host.link_broke(self, end.side, ConnectionDone())

    def end_stops_unread(self, end: Connection) -> None:
        """A peer has ended its stream, after bytes that cannot be read yet."""
        if self.made:
            self._await_report(end)

    def end_vanished(self, end: Connection, reason: BaseException) -> None:
        """A peer's system no longer answers, so it would never end its connection."""
        self._break(end, reason)

    def end_lost(self, end: Connection, reason: BaseException) -> None:
        """A connection is gone."""
        if self.made:
            self._side_down(end, reason)
            self.end_drained(end)
            self._proceed()
        else:
            self._host.link_broke(self, end.side, reason)
        self.check_over()

    def _side_down(self, end: Connection, reason: BaseException) -> None:
        """A side has ended its stream, or is gone: tell the application once, behind all that the side sent."""
        lane = self._lane_from(end.side)
        lane.seal()
        if end.reported:
            return
        if not (lane.idle or (end.lost and not lane.gave_way)):
            self._await_report(end)  # for a lost side this only takes turns of the reactor
            return
        self._stop_awaiting_report(end)
        end.reported = True
        half_closed = not end.lost and not end.outlet.ended
        # What is cut off is an error of the side only if it ended inside of a frame by itself.
        unfinished = lane.unfinished if lane.idle and not self.closing else None
        if lane.idle:
            lane.drop_unfinished()  # its end cannot come, and the link may stay for long
        if unfinished is not None:
            unfinished.__cause__ = reason
        self._report(end.side, Disconnected(unfinished or reason, half_closed=half_closed))

    def _await_report(self, end: Connection) -> None:
        """A side has ended its stream, after messages that wait, perhaps for a verdict that never comes.

        The application cannot end the link before it is told of this. So if nothing moves for ``linger``, the link is
        closed.
        """
        if end.reported or self.closing or end in self._unheard:
            return
        reason = Disconnected(ConnectionDone())
        reason.side = end.side
        self._unheard[end] = ProgressDeadline(
            self._host.clock, self._host.limits.linger, self._progress, lambda: self.close(reason)
        )

    def _stop_awaiting_report(self, end: Connection) -> None:
        patience = self._unheard.pop(end, None)
        if patience is not None:
            patience.stop()

    def _report_loss(self, end: Connection) -> None:
        """Report a loss that was not reported before because the side's lane gave way."""
        if end.loss is not None and self.made:
            self._side_down(end, end.loss)

    def _report(self, side: Side, error: LinkError) -> None:
        if isinstance(error, Disconnected) and self.reason is None and not self.closing:
            self.reason = error
        self._host.link_error(self, side, error)

    def end_full(self, end: Connection) -> None:
        """More waits than should: watch whether the peer takes anything at all."""
        timeout = self._host.limits.stall_timeout
        if timeout is not None and end not in self._patience:

            def stalled() -> None:
                del self._patience[end]
                self._too_slow(end, "took nothing of what waits for it in time")

            self._patience[end] = ProgressDeadline(self._host.clock, timeout, end.progress, stalled)

    def end_drained(self, end: Connection) -> None:
        """Nothing waits any more: go on with what was choked."""
        patience = self._patience.pop(end, None)
        if patience is not None:
            patience.stop()
        for lane in self.lanes or ():
            lane.unchoke()

    def end_overflowed(self, end: Connection) -> None:
        """The application sends more than the peer takes."""
        self._too_slow(end, "did not take what was sent to it")

    def _too_slow(self, end: Connection, what: str) -> None:
        waiting = end.outlet.waiting
        self._break(end, SlowConsumer(f"the {end.side.value} {what}: {waiting} bytes wait", waiting))

    def end_marshaling_error(self, end: Connection, error: MarshalingError) -> None:
        """A message is not sent."""
        self._report(end.side, error)

    def _break(self, end: Connection, reason: BaseException) -> None:
        """A side is useless: it goes down for this reason, and its connection with it."""
        if self.made:
            lane = self._lane_from(end.side)
            lane.seal()
            if lane.idle:
                lane.drop_unfinished()
            self._stop_awaiting_report(end)
            if not end.reported:
                end.reported = True
                self._report(end.side, Disconnected(reason))
        end.abort()

    # -- LaneHost -------------------------------------------------------------------------------------------

    def lane_gave_way(self, lane: Lane) -> None:
        """Let the lane go on in the next turn of the reactor."""
        self._cancel(self._filter_timers.pop(lane, None))
        self._turns[lane] = self._host.clock.callLater(0, self._take_turn, lane)

    def _take_turn(self, lane: Lane) -> None:
        del self._turns[lane]
        try:
            lane.take_turn()
        except BaseException:  # a bug: what Twisted does where a read raises
            self.end(lane.direction.source).abort()
            raise

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane."""
        end = self.end(lane.direction.source)
        end.valve.close("lane")
        self._report_loss(end)
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
            self._side_down(end, end.loss or ConnectionDone())
        if end.reported or self.closing:
            lane.drop_unfinished()  # its end will not come: the lane may have begun it after that was decided
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

    def lane_is_read(self, lane: Lane) -> bool:
        """Return whether more can come."""
        end = self.end(lane.direction.source)
        return not (end.ended or end.valve.closed)
