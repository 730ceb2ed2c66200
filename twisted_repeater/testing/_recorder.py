"""Records the links, verdicts and errors of a repeater."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from zope.interface import implementer

from .._lane.lane import Lane
from .._link.link import Link, pair_of
from ..errors import ConnectingError, Disconnected
from ..interfaces import IObserver
from ..model import Direction, Side
from ..verdicts import Verdict
from ._transcript import NOTHING, Event, Transcript

__all__ = ["Recorder"]


@implementer(IObserver)
class Recorder:
    """An observer that writes a transcript.

    Args:
        transcript: written to.
        on_link: called when a link was made.
    """

    def __init__(self, transcript: Transcript, on_link: Callable[[], None] = lambda: None) -> None:
        self._transcript = transcript
        self._on_link = on_link

    def link_made(self, link: Link) -> None:
        """See `IObserver`."""
        self._transcript.add(Event.LINKED, link.client_name)
        self._on_link()

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        self._transcript.add(Event.REFUSED, client_name or "", error)

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `IObserver`."""
        self._transcript.add(Event.ENDED, link.client_name, NOTHING if reason is None else reason)

    def link_error(self, link: Link, side: Side, error: Exception) -> None:
        """See `IObserver`. If the link closes, the loss of a side does not count as an error."""
        of_client = side is Side.CLIENT
        if isinstance(error, Disconnected) and pair_of(link).closing:
            event = Event.CLIENT_GONE if of_client else Event.SERVER_GONE
        else:
            event = Event.CLIENT_ERROR if of_client else Event.SERVER_ERROR
        self._transcript.add(event, link.client_name, error)

    def relayed(self, link: Link, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`."""

    def decided(self, lane: Lane, message: object, verdict: Verdict | None, by_filter: bool) -> None:
        """Record the verdict of a filter. See `LaneSetup`."""
        if by_filter:
            event = Event.TO_SERVER if lane.direction is Direction.TO_SERVER else Event.TO_CLIENT
            link = cast("Link", lane.link)
            self._transcript.add(event, link.client_name, verdict)
