"""Makes the setups of lanes: one for all lanes of a direction and its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .._lane.frame_monitor import FrameMonitor
from .._lane.lane import Lane
from .._lane.setup import LaneSetup, OnDecision
from .._text import text_of
from ..dialects import Dialect, MessageType, Versions
from ..filters import filter_function, selector_of
from ..filters._provider import checked_function
from ..model import Direction
from .pair import Pair

__all__ = ["Equipment"]


class Equipment:
    """Makes the setups of lanes. Thousands of lanes share a setup, so it knows of no single link.

    Args:
        dialect: decodes and encodes the messages.
        filter_of: returns the application's filter of a direction.
        frame_monitor: counts the bytes of unfinished frames.
        on_read: see `LaneSetup`.
    """

    def __init__(
        self,
        dialect: Dialect,
        filter_of: Callable[[Direction], Any],
        frame_monitor: FrameMonitor,
        on_read: Callable[[Lane, int, int], None] | None,
    ) -> None:
        self.on_decision: OnDecision | None = None
        """See `LaneSetup`. After a change, call `renew`."""
        self._dialect = dialect
        self._filter_of = filter_of
        self._frame_monitor = frame_monitor
        self._on_read = on_read
        self._setups: dict[tuple[Direction, tuple[int, int]], LaneSetup] = {}

    def equip(self, link: Pair, client: Versions, server: Versions) -> None:
        """Make the lanes of a link, for the versions that each side sends and receives."""
        to_server = self._setup(Direction.TO_SERVER, (client.sends, server.receives))
        to_client = self._setup(Direction.TO_CLIENT, (server.sends, client.receives))
        link.prepare(to_server, to_client)
        for setup, connection in ((to_server, link.server), (to_client, link.client)):
            version = setup.versions[1]
            connection.outlet.encoder.version = version
            connection.outlet.encoder.writer = self._type_of(setup.direction).writer(version)

    def renew(self, links: Iterable[Pair]) -> None:
        """Equip the lanes of these links again, because filters or ``on_decision`` have changed."""
        self._setups.clear()
        for link in links:
            for lane in link.lanes or ():
                lane.equip(self._setup(lane.direction, lane.setup.versions))

    def check_filter(self, provider: Any, direction: Direction) -> None:
        """Raise ``TypeError`` unless this is a filter, or ``None``, and fits the dialect."""
        kind = self._type_of(direction)
        try:
            if provider is not None:
                checked_function(provider)
            for version in range(kind.low, kind.test + 1):
                selector_of(provider, kind.codec_of_filters(version))
        except TypeError as error:
            raise TypeError(f"{direction.value}_filter: {text_of(error)}") from error

    def _type_of(self, direction: Direction) -> MessageType:
        return self._dialect.to_server if direction is Direction.TO_SERVER else self._dialect.to_client

    def _setup(self, direction: Direction, versions: tuple[int, int]) -> LaneSetup:
        """Return the setup for messages of the first of these versions to a peer that gets the second."""
        if (direction, versions) not in self._setups:
            kind = self._type_of(direction)
            provider = self._filter_of(direction)
            self._setups[direction, versions] = LaneSetup(
                direction=direction,
                versions=versions,
                filter=None if provider is None else filter_function(provider),
                selector=selector_of(provider, kind.codec_of_filters(versions[0])),
                decode=kind.reader(versions[0]),
                on_read=self._on_read,
                on_decision=self.on_decision,
                frame_monitor=self._frame_monitor,
            )
        return self._setups[direction, versions]
