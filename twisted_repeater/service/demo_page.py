"""The live page of the demonstration: an administration of its one repeater, on a free port of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred

from .._repeater import Repeater
from .._types import Observer, Reactor
from ..dialects import Dialect
from ..observers.metrics import MetricsObserver
from .admin import RecentErrors, administration

__all__ = ["DemoPage", "DemoRepeater"]


class Unchanged(NamedTuple):
    """What a reload of the demonstration does: nothing. See `ReloadOutcome`."""

    repeater: str
    error: str | None = None
    keys: Mapping[str, str] = {}


class DemoRepeater:
    """The repeater of the demonstration. See `AdministeredRepeater`."""

    repeater: Repeater
    """The repeater; to be set when it is made, with these ``observers``."""

    def __init__(self, dialect: Dialect, facts: Mapping[str, str]) -> None:
        self.name: str = "demo"
        """Its name."""
        self.dialect: Dialect = dialect
        """Its dialect."""
        self.facts: Mapping[str, str] = facts
        """What people should know of it."""
        self.metrics: MetricsObserver = MetricsObserver()
        """Its numbers."""
        self.errors: RecentErrors = RecentErrors()
        """Its last errors."""
        self.recording: None = None
        """Nothing is recorded."""
        self.started: float = time.time()
        """When it was started, in seconds since 1970."""

    @property
    def observers(self) -> list[Observer]:
        """The observers that the repeater needs."""
        return [self.metrics, self.errors]

    def reload(self) -> Unchanged:
        """Change nothing: there is no configuration."""
        return Unchanged(self.name)


class DemoPage:
    """The administration of the demonstration. See `Administered`.

    Args:
        repeater: its repeater.
        drain: ends the demonstration.
    """

    def __init__(self, repeater: DemoRepeater, drain: Callable[[], object]) -> None:
        self.repeaters: Mapping[str, DemoRepeater] = {repeater.name: repeater}
        """Its repeater."""
        self._drain = drain
        self._port: Any = None

    def listen(self, reactor: Reactor, host: str) -> str:
        """Serve the page; return its address.

        Raises:
            ImportError: msgspec is not installed.
        """
        site = administration(self, reactor=reactor)
        site.noisy = False
        self._port = reactor.listenTCP(0, site, interface=host)
        return f"http://{host}:{self._port.getHost().port}/"

    def stop(self) -> Deferred[object]:
        """Serve it no longer."""
        return maybeDeferred(lambda: self._port and self._port.stopListening())

    def unready(self) -> list[str]:
        """Return nothing: it is ready as long as it runs."""
        return []

    def reload(self) -> list[Unchanged]:
        """Change nothing: there is no configuration."""
        return [repeater.reload() for repeater in self.repeaters.values()]

    def drain(self) -> None:
        """End the demonstration."""
        self._drain()
