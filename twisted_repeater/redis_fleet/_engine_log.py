"""Logs the state of the engine: that it cannot be used, each further reason, and that it is back, once each."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from ._settings import FleetSettings

__all__ = ["EngineLog"]

log: Logger = Logger()


class EngineLog:
    """Logs whether a node can use its engine.

    Args:
        settings: those of the node.
        seconds: the seconds of a clock that nobody sets.
    """

    def __init__(self, settings: FleetSettings, seconds: Callable[[], float]) -> None:
        self._names = {"node": settings.node, "fleet": settings.fleet, "address": settings.address}
        self._seconds = seconds
        self._since: float | None = None
        """Since when the engine cannot be used; ``None`` if it can."""
        self._reasons: set[str] = set()
        """The reasons that were logged since then."""

    def starts(self) -> None:
        """The node looks for its engine."""
        self._since = self._seconds()

    def usable(self) -> None:
        """The engine can be used: the node is a member."""
        if self._reasons and self._since is not None:
            text = "the fleet's engine at {address} is back after {seconds:.1f} seconds, for node {node} of {fleet}"
            log.info(text, seconds=self._seconds() - self._since, **self._names)
        else:
            log.info("this process is node {node} of the fleet {fleet} at {address}", **self._names)
        self._reasons.clear()
        self._since = None

    def unusable(self, why: str) -> None:
        """The engine cannot be used."""
        if self._since is None:
            self._since = self._seconds()
        if why not in self._reasons:
            say = log.info if self._reasons else log.warn
            say("the fleet's engine at {address} cannot be used: {why}", why=why, **self._names)
            self._reasons.add(why)
