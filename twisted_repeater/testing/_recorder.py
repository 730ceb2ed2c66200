"""Records what a repeater does: links, verdicts, errors."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from .._lane.lane import Lane
from .._link.link import pair_of
from ..errors import ConnectingError, Disconnected
from ..interfaces import IObserver
from ..model import Direction, Side
from ..verdicts import Verdict
from ._transcript import NOTHING, Event, Transcript

__all__ = ["Recorder"]


@implementer(IObserver)
class Recorder:
    """An observer that writes a transcript."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript

    def link_made(self, link: Any) -> None:
        """See `IObserver`."""
        self._transcript.add(Event.LINKED, link.client_name)

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        self._transcript.add(Event.REFUSED, client_name or "", error)

    def link_ended(self, link: Any, reason: BaseException | None) -> None:
        """See `IObserver`."""
        self._transcript.add(Event.ENDED, link.client_name, NOTHING if reason is None else reason)

    def link_error(self, link: Any, side: Side, error: Exception) -> None:
        """See `IObserver`. That a side goes down while the link closes is no error."""
        of_client = side is Side.CLIENT
        if isinstance(error, Disconnected) and pair_of(link).closing:
            event = Event.CLIENT_GONE if of_client else Event.SERVER_GONE
        else:
            event = Event.CLIENT_ERROR if of_client else Event.SERVER_ERROR
        self._transcript.add(event, link.client_name, error)

    def relayed(self, link: Any, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`."""

    def decided(self, lane: Lane, message: Any, verdict: Verdict | None, by_filter: bool) -> None:
        """Record what a filter decided, also what a filter decided that replaced another. See `OnDecision`."""
        if by_filter:
            event = Event.TO_SERVER if lane.direction is Direction.TO_SERVER else Event.TO_CLIENT
            link: Any = lane.link  # a lane knows no more of it than that it is an object
            self._transcript.add(event, link.client_name, verdict)
