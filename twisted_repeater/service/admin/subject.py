"""What the administration knows of the process: its repeaters, by name, and what can be done to all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..._repeater import Repeater
from ...dialects import Dialect
from ...fleet import Entry, Fleet
from ...observers.metrics import MetricsObserver
from ..recording import ServiceRecording
from .recent_errors import RecentErrors

__all__ = ["Administered", "AdministeredRepeater", "ReloadOutcome"]


class ReloadOutcome(Protocol):
    """What a reload has done to one repeater, or to the process."""

    @property
    def repeater(self) -> str:
        """The name of the repeater; ``""`` for what concerns the process."""

    @property
    def error(self) -> str | None:
        """Why nothing was changed; ``None`` if all went well."""

    @property
    def keys(self) -> Mapping[str, str]:
        """What has changed: a key of the configuration, and ``"applied"`` or ``"restart needed"``."""


class AdministeredRepeater(Protocol):
    """A repeater that runs, with what the service knows of it."""

    @property
    def name(self) -> str:
        """The name that it has in the configuration, in the paths of the API, and in labels of metrics."""

    @property
    def repeater(self) -> Repeater:
        """The repeater itself."""

    @property
    def dialect(self) -> Dialect:
        """Its dialect."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What was configured, for people: ``dialect``, ``listen``, ``server``, ``to-server-filter`` and so on."""

    @property
    def metrics(self) -> MetricsObserver:
        """One of its observers, whose numbers are shown."""

    @property
    def recording(self) -> ServiceRecording | None:
        """The recording that can be started and stopped; ``None`` if no file was configured."""

    @property
    def errors(self) -> RecentErrors:
        """One of its observers, which remembers errors."""

    @property
    def started(self) -> float:
        """When it was started, in seconds since 1970."""

    def reload(self) -> ReloadOutcome:
        """Reload what belongs to this repeater."""


class Administered(Protocol):
    """The repeaters of the process."""

    @property
    def repeaters(self) -> Mapping[str, AdministeredRepeater]:
        """The repeaters that run, by name; a reload may change it."""

    @property
    def fleet(self) -> Fleet:
        """The fleet that the process belongs to."""

    @property
    def entry(self) -> Entry:
        """The part of the process itself in its fleet. Its call ``drain`` ends a process as `drain` does."""

    def unready(self) -> Sequence[str]:
        """Return why no clients should be sent here: ``draining``, or ``edge: no port is bound`` for one repeater."""

    def reload(self) -> Sequence[ReloadOutcome]:
        """Read the configuration again, and change what has changed."""

    def drain(self) -> None:
        """Refuse newcomers, let the links end, and then end the process."""
