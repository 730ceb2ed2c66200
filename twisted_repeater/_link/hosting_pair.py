"""What the lanes of a pair call: the part of a `Pair` that stops and resumes reading, and hears of failures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.error import ConnectionDone

from .._lane.lane import Lane
from ..errors import FilterTimeout, FramingError, ParseError
from ..model import Side
from .closing import LinkEvent
from .ending_connection import EndingConnection
from .leaving_pair import LeavingPair

__all__ = ["HostingPair"]


class HostingPair(LeavingPair):
    """The host of two lanes; see `LaneHost`."""

    __slots__ = ()

    def break_off(self, connection: EndingConnection, reason: BaseException) -> None:
        """A side is useless."""
        raise NotImplementedError

    def lane_gave_way(self, lane: Lane) -> None:
        """Let the lane go on in the next turn of the reactor."""
        self.timers.stop(("verdict", lane))
        self.timers.call_later(("turn", lane), 0, partial(self._go_on, lane, lane.take_turn))

    def _go_on(self, lane: Lane, call: Callable[[], None]) -> None:
        """Let a lane go on at its time."""
        try:
            call()
        except BaseException:  # a bug: what Twisted does where a read raises
            self.connection(lane.direction.source).abort()
            raise

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane."""
        connection = self.connection(lane.direction.source)
        connection.valve.close("lane")
        self._report_loss(connection)
        self.time_verdict(lane)

    def time_verdict(self, lane: Lane) -> None:
        """Begin to time the filter whose verdict a lane awaits, if there is one and no holder holds the message."""
        self.timers.stop(("verdict", lane))
        timeout = self._host.limits.filter_timeout
        if lane.awaited is not None and timeout is not None and lane not in self._host.holds.held:
            late = FilterTimeout(f"no verdict within {timeout} seconds")
            self.timers.call_later(("verdict", lane), timeout, partial(lane.give_up_waiting, late))

    def lane_delayed(self, lane: Lane, seconds: float) -> None:
        """Let the lane send later."""
        self.timers.call_later(("later", lane), seconds, partial(self._go_on, lane, lane.release))

    def lane_released(self, lane: Lane) -> None:
        """There may be room again."""
        for each in self.lanes:
            each.unchoke()

    def lane_flowing(self, lane: Lane) -> None:
        """Nothing is held any more: read on, or go on ending."""
        self.timers.stop(("verdict", lane))
        connection = self.connection(lane.direction.source)
        connection.valve.open("lane")
        if connection.ended:
            self._side_down(connection, connection.loss or ConnectionDone())
        if connection.side in self.down or self.closing:
            lane.drop_unfinished()  # its end will not come: the lane may have begun it after that was decided
        self._on(LinkEvent.MOVED)

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """One message is dropped."""
        self.parse_error(lane.direction.source, error)

    def parse_error(self, side: Side, error: ParseError) -> None:
        """Report a message of a side that cannot be read."""
        self._host.application.link_error(self, side, error)

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """The stream of a side cannot be read any further: that is the end of the side."""
        self.break_off(self.connection(lane.direction.source), error)

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """A verdict closes the link."""
        self.close(error)

    def lane_is_read(self, lane: Lane) -> bool:
        """Return whether more can come."""
        connection = self.connection(lane.direction.source)
        return not (connection.ended or connection.valve.closed)
