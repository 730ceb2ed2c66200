"""The process as a node of a fleet, or as a process that belongs to none, which imports nothing of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from .._alone import Alone
from .._text import text_of
from .._types import Reactor
from ..fleet import Entry, Fleet
from .app import Application
from .fleet_options import check_engine, fleet_arguments
from .loading import LoadingError
from .service_entrant import SERVICE, ServiceEntrant
from .settings import ProcessSettings, located

if TYPE_CHECKING:
    from ..redis_fleet import RedisFleet
    from .hosted import Hosted

__all__ = ["FleetMember", "check_fleet"]


class FleetProcess(Protocol):
    """What a node needs of its process."""

    @property
    def everyone(self) -> Iterable[Hosted]:
        """All its repeaters, also those that are drained."""

    def drain_over(self, over: float | None, /) -> None:
        """Drain the process. If it is being drained, a shorter time hurries that."""


class FleetMember:
    """The part of a process in a fleet.

    Args:
        process: the process.
        settings: its settings, which do not change.
        reactor: the reactor.
    """

    def __init__(self, process: FleetProcess, settings: ProcessSettings, reactor: Reactor) -> None:
        self._process = process
        self._settings = settings
        self._values = settings.values
        self._reactor = reactor
        self._redis: RedisFleet | None = None
        self._told = False
        """Whether it was told whether this node is a member."""
        self.fleet: Fleet = Alone(reactor=reactor)
        """The fleet."""
        self.entry: Entry
        """The part of the service in it."""

    def enter(self) -> None:
        """Make the fleet. Not before twistd has forked: the name of a node has the number of its process.

        Raises:
            LoadingError: the engine can never be reached.
        """
        check_fleet(self._settings, self._reactor)
        if self._values["fleet"] is not None:
            from ..redis_fleet import RedisFleet

            arguments = fleet_arguments(self._values)
            self._redis = self.fleet = RedisFleet(**arguments, on_change=self._changed, reactor=self._reactor)
        self.entry = self.fleet.enter(SERVICE, ServiceEntrant(self._process.drain_over))

    def start(self) -> None:
        """Become a member, and stay one. Nobody waits for it: a fleet that cannot be asked must not stop the start."""
        if self._redis is not None:
            self._redis.start()

    async def stop(self) -> None:
        """Leave the fleet. All repeaters have left by now."""
        if self._redis is not None:
            redis, self._redis = self._redis, None
            await redis.stop()

    def fleet_for(self, name: str) -> Fleet | None:
        """Return the fleet that a repeater is to enter; ``None`` if it belongs to none.

        Raises:
            ValueError: another one of this name was removed, and takes part until it is drained.
        """
        if self._redis is not None and any(each.name == name and each.bound for each in self._process.everyone):
            raise ValueError("one of this name was removed, and is still being drained: reload again after that")
        return self._redis

    def unready(self) -> str | None:
        """Return why no clients should be sent here; ``None`` if they are welcome."""
        if self._values["newcomers-without-engine"] == "alone":
            return None
        return self.fleet.problem

    def introduce(self, app: Application) -> None:
        """Tell an application that was loaded later whether this node is a member, if that is known."""
        if self._told:
            app.fleet_changed(self.fleet.problem)

    def _changed(self, problem: str | None) -> None:
        self._told = True
        for hosted in self._process.everyone:
            hosted.app.fleet_changed(problem)


def check_fleet(settings: ProcessSettings, reactor: Reactor) -> None:
    """Raise a `LoadingError` if the engine of the fleet can never be reached. Nobody connects to it."""
    try:
        check_engine(settings.values, reactor)
    except ValueError as error:
        raise LoadingError(located(settings.where("fleet"), text_of(error))) from error
