"""Puts down what a repeater does: links, verdicts, errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from zope.interface import implementer

from .._lane.lane import Lane
from .._link.link import pair_of
from .._pending import verdict_later
from .._repeater import Repeater
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

    def watch_filters(self, repeater: Repeater) -> None:
        """Put down the verdicts of every filter that a lane is given, also of those that replace others later."""
        factory: Any = repeater._factory
        equip = factory.equip

        def equip_and_watch(lane: Lane) -> None:
            equip(lane)
            if lane.filter is not None:
                event = Event.TO_SERVER if lane.direction is Direction.TO_SERVER else Event.TO_CLIENT
                lane.filter = self._watched(lane.filter, event)

        factory.equip = equip_and_watch

    def _watched(self, ask: Callable[[Any, Any], Any], event: Event) -> Callable[[Any, Any], Any]:
        """Make a filter that puts down the verdicts of another."""

        def put_down(verdict: Verdict, link: Any) -> Verdict:
            self._transcript.add(event, link.client_name, verdict)
            return verdict

        @wraps(ask)
        def watched(message: Any, link: Any) -> Any:
            verdict = ask(message, link)
            if isinstance(verdict, Verdict):
                return put_down(verdict, link)
            later = verdict_later(verdict)
            if not later.called:
                self._transcript.add(event, link.client_name, None)
            return later.addCallback(put_down, link)

        watched.__qualname__ = getattr(ask, "__qualname__", type(ask).__qualname__)  # what it is called in errors
        return watched
