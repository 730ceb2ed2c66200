"""How a pair of connections ends: the part of a `Pair` that moves its state, and reports lost sides.

`closing` has the states, and the rules.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone

from .._lane.lane import Lane
from ..errors import CallbackFailed, Disconnected, LinkError, PartialFrame, RepeaterClosed
from ..model import Side
from .closing import (
    CLOSES,
    ENDED,
    LINK_STEPS,
    LOG_MOVES,
    ON_LOSS,
    ConnectionState,
    LinkEvent,
    LinkState,
    log_move,
)
from .connection import Connection
from .deadline import Timers
from .ending_connection import EndingConnection
from .link import Link

if TYPE_CHECKING:
    from .factory import Links

__all__ = ["EndingPair"]

NONE_DOWN: frozenset[Side] = frozenset()
"""Shared by nearly all links, because an empty set costs 200 bytes."""


class EndingPair:
    """The state of a pair, and what moves it on to its end."""

    __slots__ = (
        "_host",
        "_on_over",
        "_owes_farewell",
        "_state",
        "claim",
        "client",
        "client_name",
        "down",
        "lanes",
        "last_words",
        "link",
        "reason",
        "server",
        "timers",
    )

    link: Link
    """What the application sees of it."""

    def __init__(self, host: Links, client: Connection, server: Connection) -> None:
        self._host = host
        self._state = LinkState.MAKING
        """Moved by `_on` only."""
        self.client: Connection = client
        self.server: Connection = server
        self.client_name: str = ""
        self.claim: str | None = None
        """The name or the label that it has; see `names`."""
        self.lanes: tuple[Lane, ...] = ()
        """Towards the server and towards the client, once both connections are there."""
        self.down: frozenset[Side] = NONE_DOWN
        """The sides that were reported to the application as gone."""
        self.reason: BaseException | None = None
        """What began its end."""
        self._on_over: tuple[Deferred[None], ...] = ()
        self._owes_farewell: bool = False
        """Whether it closes, and its client is still to be told why."""
        self.last_words: bytes | None = None
        """What the client gets before its connection is closed, if it cannot be linked."""
        self.timers: Timers = Timers(host.clock)

    @property
    def made(self) -> bool:
        """Whether the link is, or was, made."""
        return self._state >= LinkState.RELAYING

    @property
    def finishing(self) -> bool:
        """Whether it ends without losing a reply."""
        return self._state is LinkState.FINISHING

    @property
    def closing(self) -> bool:
        """Whether it closes, or is over."""
        return self._state in CLOSES

    @property
    def over(self) -> bool:
        """Whether both connections are gone."""
        return self._state is LinkState.OVER or self._state is LinkState.FAILED

    @property
    def active(self) -> bool:
        """Whether the link is made and both sides are up."""
        return self.made and not (self.closing or self.down)

    def connection(self, side: Side) -> Connection:
        """Return the connection of a side."""
        return self.client if side is Side.CLIENT else self.server

    def _lane_from(self, side: Side) -> Lane:
        to_server, to_client = self.lanes
        return to_server if side is Side.CLIENT else to_client

    def when_over(self) -> Deferred[None]:
        """Fire when both connections are gone. A Deferred of its own for each caller."""
        if self.over:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._wait_no_more)
        self._on_over += (waiting,)
        return waiting

    def _wait_no_more(self, deferred: Deferred[None]) -> None:
        self._on_over = tuple(other for other in self._on_over if other is not deferred)

    def _on(self, event: LinkEvent, *arguments: Any) -> None:
        """Move the state, in the one place where that is done, and do what `closing` says about the event."""
        move = LINK_STEPS[self._state].get(event)
        if move is not None:
            action, state = move
            if state is not self._state:
                before, self._state = self._state, state
                if LOG_MOVES:
                    log_move(self.client_name, before, event, state)
            getattr(self, action)(*arguments)

    def finish(self) -> None:
        """See `ILink`."""
        self._on(LinkEvent.FINISH)

    def close(self, reason: BaseException | None = None) -> None:
        """See `ILink`."""
        self._on(LinkEvent.CLOSE, reason)

    def abort(self) -> None:
        """Close both connections at once, whatever is lost."""
        self._on(LinkEvent.ABORT)

    def give_way(self, reason: BaseException | None = None) -> None:
        """A newcomer wants the name or the place of this link: end it within ``close_timeout`` from now."""
        self._on(LinkEvent.CLOSE, reason)
        self._on(LinkEvent.GIVE_WAY)

    def check_over(self) -> None:
        """Both connections gone is the end."""
        if self.client.gone and self.server.gone:
            self._on(LinkEvent.BOTH_GONE)

    def end_by_default(self, error: LinkError) -> None:
        """The default ``on_error``: end a link that has lost a side, or that a filter's failure has stopped."""
        if isinstance(error, Disconnected):
            event = ON_LOSS[error.half_closed]
            self._on(event, *((error,) if event is LinkEvent.CLOSE else ()))
        elif isinstance(error, CallbackFailed) and error.stopped:
            self._on(LinkEvent.CLOSE, error)

    def peer_ended(self, connection: EndingConnection) -> None:
        """A peer has ended its stream."""
        self._on(LinkEvent.PEER_ENDED, connection, ConnectionDone())

    def connection_lost(self, connection: EndingConnection, reason: BaseException) -> None:
        """A connection is gone."""
        self._on(LinkEvent.LOST, connection, reason)
        self.check_over()

    # -- what `closing` says ----------------------------------------------------------------------------------

    def _linger(self) -> None:
        self.timers.call_later("linger", self._host.limits.linger, self.close)
        self._end_streams()

    def _end_streams(self) -> None:
        to_server, to_client = self.lanes
        client, server = self.client, self.server
        lost = ConnectionState.LOST
        server_has_all = server.state is lost or (client.state in ENDED and to_server.idle)
        client_has_all = client.state is lost or client.outlet.ended or (server.state in ENDED and to_client.idle)
        if server_has_all and client_has_all:
            self.close()
        elif client_has_all:
            client.end_stream()
        elif server_has_all:
            if server.gone or server.outlet.can_half_close:
                server.end_stream()
            else:  # a server that would take that for the end of both ways is told when it has been quiet for a while
                timeout = self._host.limits.close_timeout
                self.timers.call_without_progress("quiet", timeout, self._progress, server.end_stream)

    def _drop(self, reason: BaseException | None) -> None:
        self._begin_closing(reason)
        words, client = self.last_words, self.client
        if words and not client.closes and not client.gone:
            client.outlet.push([words])
            client.close()  # in good order, so that its user reads why
        else:
            client.drop()
        self.server.drop()
        self._limit_closing()

    def _flush(self, reason: BaseException | None) -> None:
        self._owes_farewell = not (self.down or isinstance(reason, Disconnected))
        self._begin_closing(reason)
        self._close_when_idle()
        self._limit_closing()

    def _begin_closing(self, reason: BaseException | None) -> None:
        if self.reason is None:
            self.reason = reason
        self.timers.stop("linger", "quiet", ("told", self.client), ("told", self.server))
        for lane in self.lanes:
            lane.seal()
            if lane.idle:
                lane.drop_unfinished()

    def _limit_closing(self) -> None:
        """Start the deadline, unless nothing is left to wait for."""
        if self.over:
            return
        limits = self._host.limits
        at_most = max(limits.linger, limits.close_timeout)
        out_of_time = partial(self._on, LinkEvent.OUT_OF_TIME)
        self.timers.call_without_progress("close", limits.close_timeout, self._progress, out_of_time, at_most)

    def _close_when_idle(self) -> None:
        to_server, to_client = self.lanes
        if to_server.idle and to_client.idle:
            if self._owes_farewell:
                self._say_farewell()
            self.client.close()
            self.server.close()

    def _say_farewell(self) -> bool:
        """Tell the client why the link ends. Return whether there was something to say."""
        self._owes_farewell = False
        if self.client.gone or self.client.outlet.ended:
            return False
        reason = self.reason
        if reason is None and self._host.admission.closed:
            reason = RepeaterClosed("the repeater shuts down")
        farewell = self._host.application.farewell(self, reason)
        if not farewell or self.client.gone:
            return False
        self._said_farewell(farewell)
        self.client.outlet.push([farewell])
        return True

    def _said_farewell(self, farewell: bytes) -> None:
        """The client gets its farewell."""
        raise NotImplementedError

    def _hurry(self) -> None:
        self.timers.hurry("close", self._host.limits.close_timeout)

    def force(self) -> None:
        """Close both sides now."""
        for lane in self.lanes:
            lane.discard()
        self.client.force()
        self.server.force()

    def _abort(self) -> None:
        for lane in self.lanes:
            lane.discard()
        self.client.abort()
        self.server.abort()

    def _progress(self) -> object:
        counts: list[object] = [self.client.progress(), self.server.progress()]
        for lane in self.lanes:
            counts += lane.messages, lane.unfinished_size
        return counts

    # -- reports to the application ------------------------------------------------------------------------

    def _report(self, connection: Connection, reason: BaseException) -> None:
        state = self._state
        self._side_down(connection, reason)
        if connection.state is ConnectionState.LOST:
            self.connection_drained(connection)
        if self._state is state:  # otherwise the next step is taken already
            self._on(LinkEvent.MOVED)

    def _side_down(self, connection: Connection, reason: BaseException) -> None:
        """A side has ended its stream, or is gone: tell the application once, after all that the side sent."""
        if connection.side in self.down:  # then its lane is sealed
            return
        lane, state = self._lane_from(connection.side), connection.state
        lane.seal()
        if state is ConnectionState.ABORTED:  # then its loss comes, with the reason
            return
        idle, lost = lane.idle, state is ConnectionState.LOST
        if not idle and (lane.gave_way or not lost):
            self._await_report(connection)  # for a lost side this only takes turns of the reactor
            return
        half_closed = not lost and not connection.outlet.ended
        # A partial frame is an error of the side only if the side ended inside of it by itself.
        have = lane.unfinished_size if idle and not self.closing else 0
        unfinished = PartialFrame(have) if have else None
        if idle:
            lane.drop_unfinished()  # its end cannot come, and the link may stay for long
        if unfinished is not None:
            unfinished.__cause__ = reason
        self._tell(connection, Disconnected(unfinished or reason, half_closed=half_closed))

    def _tell(self, connection: EndingConnection, error: Disconnected) -> None:
        """Tell the application that a side is gone."""
        self.timers.stop(("told", connection))
        self.down |= {connection.side}
        if self.reason is None and self._state not in CLOSES:
            self.reason = error
        self._host.application.link_error(self, connection.side, error)

    def _await_report(self, connection: EndingConnection) -> None:
        """A side has ended its stream, after messages that wait, perhaps for a verdict that never comes.

        The application cannot end the link before it is told of this. So if nothing moves for ``linger``, the link is
        closed.
        """
        if connection.side not in self.down and not self.closing:
            reason = Disconnected(ConnectionDone())
            reason.side = connection.side
            linger, close = self._host.limits.linger, partial(self.close, reason)
            self.timers.call_without_progress(("told", connection), linger, self._progress, close)

    def _report_loss(self, connection: Connection) -> None:
        """Report a loss that was not reported before because the side's lane gave way."""
        if connection.loss is not None and self.made:
            self._side_down(connection, connection.loss)

    def connection_drained(self, connection: Connection) -> None:
        """Nothing waits any more: let the lanes go on that were choked."""
        self.timers.stop(("full", connection))
        for lane in self.lanes:
            lane.unchoke()
