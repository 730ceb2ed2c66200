"""How a pair leaves a repeater that is drained: the client's side ends first.

`closing` has the states, and the rules.
"""

from __future__ import annotations

from functools import partial

from ..errors import RepeaterClosed
from ..model import Side
from .closing import LinkEvent, LinkState
from .ending_pair import EndingPair

__all__ = ["LeavingPair"]

LOOK_EVERY = 0.1
"""How many seconds pass between two looks at a client whose stream has ended."""

QUIET_LOOKS = 10
"""So often in a row, which takes a second, nothing must have come of a client that has received everything.

They are looks, not a time: between two of them the reactor reads, even if it was kept for long."""


class LeavingPair(EndingPair):
    """The part of a `Pair` that ends a link without losing what its client sends meanwhile."""

    __slots__ = ()

    @property
    def relaying(self) -> bool:
        """Whether the link is made, and nobody has begun to end it."""
        return self._state is LinkState.RELAYING

    @property
    def idle(self) -> bool:
        """Whether nothing waits: for a verdict, for its time, for a slow peer, or for the rest of an answer."""
        lanes_idle = all(lane.idle for lane in self.lanes) and not self._lane_from(Side.SERVER).unfinished_size
        return lanes_idle and not (self.client.outlet.waiting or self.server.outlet.waiting)

    def leave(self) -> None:
        """The repeater is drained, and the link is `idle`: end it, the client's side first."""
        self._on(LinkEvent.LEAVE)

    def _end_client(self) -> None:
        self.reason: BaseException | None = self.reason or RepeaterClosed("the repeater shuts down")
        told = not self.down and self._say_farewell()
        self.client.valve.open("draining")
        self.client.end_stream()
        if told:  # to relay a request of a client that was told that it has failed would be wrong
            self.close()
        else:
            self._look_at_client(None, 0)

    def _look_at_client(self, before: object, quiet: int) -> None:
        """Close when the client, which has received the end of its stream, is quiet."""
        if self.closing:
            return
        if quiet >= QUIET_LOOKS:
            self.client.was_quiet()
            self.close()
            return
        lane, outlet = self._lane_from(Side.CLIENT), self.client.outlet
        if lane.idle and not (outlet.waiting or outlet.unacknowledged()):
            now = (lane.size, lane.unfinished_size)
            quiet = quiet + 1 if now == before else 0
        else:
            now, quiet = None, 0
        self.timers.call_later("left", LOOK_EVERY, partial(self._look_at_client, now, quiet))
