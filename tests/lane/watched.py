"""A lane that is watched."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

from twisted_repeater._lane.account import WatchClock
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.watching import WatchedMessage

from .lanes import StartedLaneCase


class WatchedLaneCase(StartedLaneCase):
    """Has a lane that is watched. Each look at the watch's clock takes a second."""

    def setUp(self) -> None:
        """Watch the lane."""
        super().setUp()
        self.seen: list[WatchedMessage] = []
        self.clock = WatchClock(partial(next, count(1.0)))
        self.watched(filter=self.answer)

    def watched(self, **setup: Any) -> None:
        """Give the lane a setup with somebody who watches."""
        self.lane.equip(LaneSetup(**setup, watch=self))

    def message_watched(self, message: WatchedMessage) -> None:
        """See `LaneWatch`."""
        self.journal.append(f"saw {message.payload[:5].decode()}")
        self.seen.append(message)
