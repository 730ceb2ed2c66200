"""Lets the broker hear of a client whose messages are all dropped.

A client that publishes sends no pings. If none of its messages goes on, the broker hears nothing, and takes the client
for lost after one and a half times the keep-alive time. So a ping goes in their place, now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .messages import Packet, Raw

__all__ = ["PING", "PONG", "KeepAlive"]

PING = Raw(b"\xc0\x00")
"""A ping of the client."""
PONG = Raw(b"\xd0\x00")
"""The broker's answer."""


class KeepAlive:
    """The pings of one link that are sent from here.

    Args:
        seconds: the client's keep-alive time; 0 for none.
        clock: returns the time in seconds.
    """

    __slots__ = ("_clock", "_last", "_owed", "seconds")

    def __init__(self, seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds: int = seconds
        """The time within which the broker must hear of the client."""
        self._clock = clock
        self._last = clock()
        self._owed = 0

    def pings(self) -> list[Packet]:
        """Return what the broker gets in the place of a packet that is dropped: a ping, if it is time for one."""
        now = self._clock()
        if self.seconds == 0 or now - self._last < self.seconds / 2:
            return []
        self._last = now
        self._owed += 1
        return [PING]

    def takes(self, message: Raw) -> bool:
        """Return whether a message of the broker is the answer to a ping from here. The client's look the same."""
        if not self._owed or message != PONG:
            return False
        self._owed -= 1
        return True
