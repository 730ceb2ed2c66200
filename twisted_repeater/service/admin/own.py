"""The repeaters of a program of one's own, for its administration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..._alone import Alone
from ..._repeater import Repeater
from ...dialects import Dialect
from ...fleet import Entry, Fleet
from ...observers.metrics import MetricsObserver
from ..recording import ServiceRecording
from ..service_entrant import SERVICE, ServiceEntrant
from .recent_errors import RecentErrors

__all__ = ["NotReloaded", "OwnProgram", "OwnRepeater"]


@dataclass(frozen=True)
class NotReloaded:
    """The answer of a program that cannot reload anything."""

    repeater: str
    """The name of the repeater."""
    error: str | None = "this program has nothing to reload"
    """Why nothing was changed."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """What has changed."""


@dataclass(frozen=True)
class OwnRepeater:
    """A repeater that your program has created."""

    name: str
    """Its name in the paths of the administration, and in labels of metrics."""
    repeater: Repeater
    """The repeater."""
    metrics: MetricsObserver
    """One of its observers, whose numbers are shown."""
    errors: RecentErrors
    """One of its observers, which remembers errors."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What people should know of it: ``server`` for example."""
    recording: ServiceRecording | None = None
    """A recording that can be started and stopped."""
    started: float = field(default_factory=time.time)
    """When it was started, in seconds since 1970."""

    @property
    def dialect(self) -> Dialect:
        """Its dialect."""
        return self.repeater._factory.settings.dialect

    def reload(self) -> NotReloaded:
        """Reload nothing."""
        return NotReloaded(self.name)


class OwnProgram:
    """A program with repeaters, for `administration`.

    Args:
        repeaters: its repeaters.
        drain: ends the program without cutting links. ``POST /drain`` calls it, and so does another node of the fleet
            that drains this one; it decides itself how long links may go on.
        fleet: the fleet of its repeaters, if they belong to one.
    """

    def __init__(
        self, repeaters: Iterable[OwnRepeater], *, drain: Callable[[], object], fleet: Fleet | None = None
    ) -> None:
        self.repeaters: dict[str, OwnRepeater] = {each.name: each for each in repeaters}
        self.fleet: Fleet = fleet or Alone()
        self.entry: Entry = self.fleet.enter(SERVICE, ServiceEntrant(lambda over: drain()))
        self._drain = drain

    def unready(self) -> list[str]:
        """Return why no clients should be sent to a repeater: it refuses newcomers."""
        return [
            f"{name}: new clients are refused"
            for name, each in self.repeaters.items()
            if each.repeater.drops_new_clients
        ]

    def reload(self) -> list[NotReloaded]:
        """Reload nothing."""
        return [each.reload() for each in self.repeaters.values()]

    def drain(self) -> None:
        """End the program."""
        self._drain()
