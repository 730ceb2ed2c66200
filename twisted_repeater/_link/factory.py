"""Accepts clients: a protocol for each, unless admission refuses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory

from .._lane.frame_monitor import FrameMonitor
from .._lane.setup import OnDecision
from .._sockets.descriptors import Claim
from .callbacks import Application
from .equipment import Equipment
from .links import Links
from .pair import Pair
from .settings import Settings

__all__ = ["RepeaterFactory"]


class RepeaterFactory(ServerFactory):
    """Puts a repeater together, and makes a `Connection` for each client."""

    noisy = False

    def __init__(
        self, settings: Settings, *, claim: Claim, clock: IReactorTime, dial: Callable[[Pair], Deferred[Any]]
    ) -> None:
        limits = claim.limits
        self.settings = settings
        self.claim = claim
        """This repeater's share of the descriptors of its process, and its limits."""
        self.clock = clock
        self.wrapped = False
        """Whether a factory stands before this one, for TLS say, which needs a protocol for the refused, too."""
        self.application = Application(settings, clock)
        self._frame_watch = FrameMonitor(clock, limits.frame_timeout, limits.max_unfinished_frames)
        on_read = self.application.relayed if settings.observers else None
        total = self._frame_watch.total
        self.equipment = Equipment(settings.dialect, self.application.filter_of, total, on_read)
        self.links = Links(settings, self.application, self.equipment, claim, clock, dial)
        self.admission = self.links.admission

    # -- accepting -------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Make the protocol of a new client. A refused one has none, or one that closes."""
        if self.admission.lets_in(addr):
            return Pair(self.links, self.settings.server_name).client
        return _Refused() if self.wrapped else None

    # -- filters ---------------------------------------------------------------------------------------------

    def replace_filters(self, filters: Mapping[str, Any]) -> None:
        """Replace filters, on every lane; each takes over with its lane's next read."""
        self.application.started = replace(self.application.callbacks, **filters)
        self.equipment.renew(self.links)

    def watch_decisions(self, on_decision: OnDecision | None) -> None:
        """Have ``on_decision`` told of the decision about each message; ``None`` ends that."""
        self.equipment.on_decision = on_decision
        self.equipment.renew(self.links)


class _Refused(Protocol):
    """Closes at once."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
