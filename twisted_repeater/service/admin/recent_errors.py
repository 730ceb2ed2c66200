"""`RecentErrors`: an observer that remembers the last errors of a repeater, for people who look at it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from zope.interface import implementer

from ..._text import printable, shortened, told
from ...errors import ConnectingError
from ...interfaces import IObserver
from ...link import Link
from ...model import Direction, Side

__all__ = ["RecentError", "RecentErrors"]

MOST = 100
"""How many errors are remembered."""


class RecentError(NamedTuple):
    """An error that happened."""

    time: float
    """When, in seconds since 1970."""
    link: int | None
    """The id of the link; ``None`` for a client that was refused."""
    client: str | None
    """The client's name, if it is known."""
    side: str | None
    """The connection that the trouble is on: ``client`` or ``server``."""
    error: str
    """What happened."""


@implementer(IObserver)
class RecentErrors:
    """Remembers the last errors, the last one of each link, and when each link was made.

    Args:
        clock: returns the seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._errors: deque[RecentError] = deque(maxlen=MOST)
        self._made: dict[int, float] = {}
        self._last: dict[int, str] = {}
        self.listeners: list[Any] = []
        """Told of links and errors after this one, by the methods of an observer; they must not raise."""

    @property
    def newest_first(self) -> list[RecentError]:
        """The last 100 errors, the newest first."""
        return list(reversed(self._errors))

    def last_of(self, link: Link) -> str | None:
        """Return the last error of a link, ``None`` if it had none."""
        return self._last.get(link.id)

    def made(self, link: Link) -> float | None:
        """Return when a link was made, in seconds since 1970; ``None`` if it was made before this observer came."""
        return self._made.get(link.id)

    # -- IObserver --------------------------------------------------------------------------------------------

    def link_made(self, link: Link) -> None:
        """See `IObserver`."""
        self._made[link.id] = self._clock()
        for listener in tuple(self.listeners):
            listener.link_made(link)

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        self._errors.append(RecentError(self._clock(), None, client_name, None, _text(error)))
        for listener in tuple(self.listeners):
            listener.link_refused(client_name, error)

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `IObserver`."""
        self._made.pop(link.id, None)
        self._last.pop(link.id, None)
        for listener in tuple(self.listeners):
            listener.link_ended(link, reason)

    def link_error(self, link: Link, side: Side, error: Exception) -> None:
        """See `IObserver`."""
        text = _text(error)
        if link.id in self._made:
            self._last[link.id] = text
        self._errors.append(RecentError(self._clock(), link.id, link.client_name, side.value, text))
        for listener in tuple(self.listeners):
            listener.link_error(link, side, error)

    def relayed(self, link: Link, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`."""


def _text(error: Exception) -> str:
    """Return an error on one line, with its type; a stranger may have chosen the text."""
    return shortened(printable(told(error)))
