"""`FilterPair`: two filters, one for each direction, as a pair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from zope.interface import implementer

from .._types import Filter, FilterPairObject, Filters
from ..interfaces import IFilterPair, IMigrating
from ..link import Link
from ..model import Direction
from ._migration import hand_over
from ._provider import checked_function, checked_pair, is_pair, name_of

__all__ = ["FilterPair", "as_pair"]


@implementer(IFilterPair, IMigrating)
class FilterPair:
    """A pair of two filters that all links share, for ``filters=`` and for a `chain` with other pairs.

    Args:
        to_server: the filter of messages to the server; ``None`` lets all pass.
        to_client: the filter of messages to the client.

    Raises:
        TypeError: an argument is not a filter.
    """

    def __init__(self, to_server: Filter | None = None, to_client: Filter | None = None) -> None:
        for provider in (to_server, to_client):
            if provider is not None:
                checked_function(provider)
        self.to_server = to_server
        self.to_client = to_client
        names = [name_of(provider) if provider is not None else "None" for provider in (to_server, to_client)]
        self.__qualname__: str = f"FilterPair({', '.join(names)})"

    def __repr__(self) -> str:
        return self.__qualname__

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`."""
        return (self.to_server, self.to_client)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. Each filter takes over from that of its direction."""
        if isinstance(old, FilterPair):
            for new, before in ((self.to_server, old.to_server), (self.to_client, old.to_client)):
                if new is not None and before is not None:
                    hand_over(new, before)

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        """Return both filters, which `start` checks."""
        if self.to_server is not None:
            yield Direction.TO_SERVER, self.to_server
        if self.to_client is not None:
            yield Direction.TO_CLIENT, self.to_client


def as_pair(provider: Filter | FilterPairObject) -> FilterPairObject:
    """Return a pair of filters as it is, and the filter of messages to the server as a pair.

    Raises:
        TypeError: the object is neither.
    """
    return checked_pair(provider) if is_pair(provider) else FilterPair(cast("Filter", provider))
