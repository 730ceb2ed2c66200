"""Makes the setups of lanes: one for all lanes of a direction and its versions, or one for a link with own filters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from .._lane.account import LaneWatch
from .._lane.frame_monitor import FrameMonitor
from .._lane.lane import Lane
from .._lane.setup import LaneSetup, OnDecision
from .._text import text_of
from .._types import Filters
from ..dialects import Dialect, MessageType, Versions
from ..faults import ActiveFault
from ..faults._link_faults import LinkFaults
from ..filters import chain, filter_function, selector_of
from ..filters._link_migration import hand_over_link
from ..filters._provider import checked_function, checked_pair, common_selector, filters_of, fixed_filters
from ..model import Direction
from .holding import Hold, HoldingFilter, Holds
from .pair import NO_FILTERS, Pair
from .session_filters import after_failure_of

__all__ = ["Equipment"]


class _Renewal(NamedTuple):
    """What a link gets when filters are replaced."""

    link: Pair
    filters: Filters | None
    setups: list[LaneSetup]


class Equipment:
    """Makes the setups of lanes. Thousands of lanes share a setup, unless a pair of filters makes filters for a link.

    Args:
        dialect: decodes and encodes the messages.
        filter_of: returns the application's filter of a direction.
        frame_monitor: counts the bytes of unfinished frames.
        on_read: see `LaneSetup`.
        pair_of_filters: returns the application's pair of filters.
    """

    def __init__(
        self,
        dialect: Dialect,
        filter_of: Callable[[Direction], Any],
        frame_monitor: FrameMonitor,
        on_read: Callable[[Lane, int, int], None] | None,
        pair_of_filters: Callable[[], Any],
    ) -> None:
        self.on_decision: OnDecision | None = None
        """See `LaneSetup`. After a change, call `renew`."""
        self.faults: Collection[ActiveFault] = ()
        """The faults that are set. After a change, call `renew`."""
        self.holds: Holds | None = None
        """Those who may hold messages."""
        self.watches: LaneWatch | None = None
        """Told of the messages of links that somebody watches."""
        self._dialect = dialect
        self._filter_of = filter_of
        self._frame_monitor = frame_monitor
        self._on_read = on_read
        self._pair_of_filters = pair_of_filters
        to_server, to_client = dialect.to_server.prod, dialect.to_client.prod
        self.stated: tuple[Versions, Versions] = (Versions(to_server, to_client), Versions(to_client, to_server))
        """The versions of the messages of both peers, where no opening has agreed on any."""
        self._setups: dict[tuple[Direction, tuple[int, int], bool], LaneSetup] = {}
        self._writers: dict[tuple[Direction, int], Callable[[Any], Any]] = {}
        self._of_dialect: dict[Direction, Any] = dict(fixed_filters(dialect.filters))
        """The dialect's own filters, as far as they are the same for all links."""

    def equip(self, link: Pair, client: Versions, server: Versions) -> None:
        """Make the lanes of a link, for the versions that each side sends and receives."""
        to_server = self._setup(Direction.TO_SERVER, (client.sends, server.receives))
        to_client = self._setup(Direction.TO_CLIENT, (server.sends, client.receives))
        link.prepare(to_server, to_client)
        for setup, connection in ((to_server, link.server), (to_client, link.client)):
            version = setup.versions[1]
            connection.outlet.encoder.use(version, self._writer(setup.direction, version))

    @property
    def has_pair(self) -> bool:
        """Whether the application or the dialect has a pair of filters."""
        return self._pair_of_filters() is not None or self._dialect.filters is not None

    def equip_pair(self, link: Pair) -> None:
        """Equip a link, which has its state by now, with the filters that pairs make for it. The pairs may raise."""
        if not self.has_pair:  # the lanes have what all share
            link.filters = NO_FILTERS
            return
        filters = self._new_filters(link)
        if self._dialect.filters is not None:
            link.dialect_filters = filters_of(self._dialect.filters, link.link)
        for lane, setup in zip(link.lanes, self._setups_with_own(link, filters), strict=True):
            if setup is not lane.setup:
                lane.equip(setup)
        link.filters = filters

    def _new_filters(self, link: Pair) -> Filters:
        """Return the filters that the application's pair makes for a link."""
        provider = self._pair_of_filters()
        return NO_FILTERS if provider is None else filters_of(provider, link.link)

    def renew(self, links: Iterable[Pair], *, new_pair: bool = False) -> None:
        """Equip the lanes of these links again, because filters or ``on_decision`` have changed.

        With ``new_pair`` each link gets filters of the new pair of filters, which take over from those before them.
        If the application's code raises, nothing has changed.
        """
        kept, self._setups = self._setups, {}
        try:
            renewals = [self._renewal(link, new_pair) for link in list(links) if link.lanes]
            if new_pair:
                shared = {id(provider) for _, provider in fixed_filters(self._pair_of_filters())}
                for link, filters, _ in renewals:
                    if filters is not None and link.filters is not None:
                        hand_over_link(filters, link.filters, shared)
        except BaseException:
            self._setups = kept
            raise
        for link, filters, setups in renewals:
            link.filters = filters
            for lane, setup in zip(link.lanes, setups, strict=True):
                lane.equip(setup)

    def watch(self, link: Pair) -> None:
        """Equip the lanes of a link again: somebody watches it now, or nobody any more, or there are faults."""
        for lane, setup in zip(link.lanes, self._setups_with_own(link, link.filters or NO_FILTERS), strict=True):
            lane.equip(setup)

    def _renewal(self, link: Pair, new_pair: bool) -> _Renewal:
        """Return what a link gets now."""
        filters = link.filters
        if new_pair and filters is not None:  # otherwise `equip_pair` is still to come
            filters = self._new_filters(link)
        return _Renewal(link, filters, self._setups_with_own(link, filters or NO_FILTERS))

    def check_filters(self, to_server: Any, to_client: Any, pair: Any) -> None:
        """Raise ``TypeError`` unless these are filters and a pair, or ``None``, and fit the dialect and each other."""
        self.check_filter(to_server, Direction.TO_SERVER)
        self.check_filter(to_client, Direction.TO_CLIENT)
        self.check_pair(pair)
        self.check_together(to_server, to_client, pair)

    def check_pair(self, provider: Any) -> None:
        """Raise ``TypeError`` unless this is a pair of filters, or ``None``, and fits the dialect as far as known."""
        if provider is None:
            return
        try:
            checked_pair(provider)
        except TypeError as error:
            raise TypeError(f"filters: {text_of(error)}") from error
        for direction, fixed in fixed_filters(provider):
            self.check_filter(fixed, direction)

    def check_filter(self, provider: Any, direction: Direction) -> None:
        """Raise ``TypeError`` unless this is a filter, or ``None``, and fits the dialect."""
        kind = self._type_of(direction)
        try:
            if provider is not None:
                checked_function(provider)
            for version in range(kind.low, kind.test + 1):
                codec = kind.codec_of_filters(version)
                selector_of(provider, codec)
                if self._dialect.filters is not None:
                    common_selector((provider,), codec)  # it will be in a chain
        except TypeError as error:
            raise TypeError(f"{direction.value}_filter: {text_of(error)}") from error

    def check_together(self, to_server: Any, to_client: Any, pair: Any) -> None:
        """Raise ``TypeError`` unless the filters of each direction, as far as known, can be in one chain."""
        own = {Direction.TO_SERVER: to_server, Direction.TO_CLIENT: to_client}
        for direction, provider in own.items():
            members = [fixed for way, fixed in fixed_filters(pair) if way is direction]
            members += [provider] if provider is not None else []
            if len(members) < 2:
                continue
            kind = self._type_of(direction)
            try:
                for version in range(kind.low, kind.test + 1):
                    common_selector(members, kind.codec_of_filters(version))
            except TypeError as error:
                raise TypeError(f"{direction.value}_filter: {text_of(error)}") from error

    def _type_of(self, direction: Direction) -> MessageType:
        return self._dialect.to_server if direction is Direction.TO_SERVER else self._dialect.to_client

    def _writer(self, direction: Direction, version: int) -> Callable[[Any], Any]:
        """Return what makes payloads of this version, which thousands of links share."""
        writer = self._writers.get((direction, version))
        if writer is None:
            writer = self._writers[direction, version] = self._type_of(direction).writer(version)
        return writer

    def _setup(self, direction: Direction, versions: tuple[int, int], watched: bool = False) -> LaneSetup:
        """Return the setup for messages of the first of these versions to a peer that gets the second."""
        setup = self._setups.get((direction, versions, watched))
        if setup is None:
            kind = self._type_of(direction)
            of_dialect = self._of_dialect.get(direction)
            provider = self._chained(direction, None, of_dialect)
            setup = self._setups[direction, versions, watched] = LaneSetup(
                direction=direction,
                versions=versions,
                filter=None if provider is None else filter_function(provider),
                selector=selector_of(provider, kind.codec_of_filters(versions[0])),
                decode=kind.reader(versions[0]),
                on_read=self._on_read,
                on_decision=self.on_decision,
                watch=self.watches if watched else None,
                after_failure=after_failure_of(of_dialect),
                frame_monitor=self._frame_monitor,
            )
        return setup

    def _chained(self, direction: Direction, own: Any, of_dialect: Any, holding: HoldingFilter | None = None) -> Any:
        """Return the filter of a direction: the one that all lanes share, that of a link, and the dialect's own."""
        around = getattr(of_dialect, "around", None)
        order = [self._filter_of(direction), own]
        if holding is not None:
            order = [holding.around(_joined(order))]
        if around is None:
            order.insert(len(order) if direction is Direction.TO_SERVER else 0, of_dialect)
        joined = _joined(order)
        return joined if around is None else around(joined)

    def _setups_with_own(self, link: Pair, filters: Filters) -> list[LaneSetup]:
        """Return the setups for the lanes of a link with these filters, and with those that its dialect made."""
        parts = zip(link.lanes, filters, link.dialect_filters, strict=True)
        holds = self.holds.of(link) if self.holds else ()
        setups = [self._with_own(link, lane, own, of_dialect, holds) for lane, own, of_dialect in parts]
        return [self._with_faults(link, setup) for setup in setups] if self.faults else setups

    def _with_faults(self, link: Pair, setup: LaneSetup) -> LaneSetup:
        """Return the setup with the faults by message that are set for a direction, if there are any."""
        active = [
            fault for fault in self.faults if fault.by_message and fault.fault.concerns_direction(setup.direction)
        ]
        return setup.replaced(faults=LinkFaults(link.link, setup.direction, active).change) if active else setup

    def _with_own(self, link: Pair, lane: Lane, own: Any, of_dialect: Any, holds: tuple[Hold, ...]) -> LaneSetup:
        """Return the setup for a lane with filters of its own, or with messages that may be held."""
        shared = self._setup(lane.direction, lane.setup.versions, bool(link.watches))
        kind, of_link = self._type_of(lane.direction), shared
        if own is not None or of_dialect is not self._of_dialect.get(lane.direction):
            provider = self._chained(lane.direction, own, of_dialect)
            of_link = shared.replaced(
                filter=filter_function(provider),
                selector=selector_of(provider, kind.codec_of_filters(shared.versions[0])),
                after_failure=after_failure_of(of_dialect),
            )
        if not holds or self.holds is None:
            return of_link
        holding = HoldingFilter(self.holds, holds, link, lane, kind, of_link)
        return holding.equipped(self._chained(lane.direction, own, of_dialect, holding))


def _joined(filters: Iterable[Any]) -> Any:
    """Return one filter of several, of which some may be ``None``."""
    members = [provider for provider in filters if provider is not None]
    return chain(*members) if len(members) > 1 else members[0] if members else None
