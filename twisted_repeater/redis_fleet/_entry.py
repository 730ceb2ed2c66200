"""The part of one entrant in a fleet whose nodes meet at a Redis or Valkey."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING
from urllib.parse import quote

from twisted.internet.defer import Deferred
from zope.interface import implementer

from .._alone import new_id
from ..fleet import Call, Entrant, FleetAnswer, IEntry, NameClaims
from ..model import SameName
from ._claims import Claims

if TYPE_CHECKING:
    from ._fleet import RedisFleet

__all__ = ["RedisEntry"]


@implementer(IEntry)
class RedisEntry:
    """The part of one entrant."""

    def __init__(self, fleet: RedisFleet, name: str, entrant: Entrant, claims: Claims) -> None:
        self._fleet = fleet
        self._name = name
        self._quoted = quote(name, safe="")
        self._claims = claims
        self._entrant = entrant
        self._same_name: SameName = entrant.same_name
        self.claims: NameClaims | None = self
        """See `IEntry`."""

    def call(
        self, call: Call, *, timeout: float, nodes: Collection[str] | None = None, call_id: str | None = None
    ) -> Deferred[FleetAnswer]:
        """See `IEntry`."""
        return Deferred.fromCoroutine(self._fleet.call(self._name, call, timeout, nodes, call_id or new_id()))

    def holders(self, name: str) -> Deferred[list[str]]:
        """See `IEntry`. Fails with `EngineError` if the engine cannot be asked."""
        return Deferred.fromCoroutine(self._fleet.holders([self._key(kind, name) for kind in ("name", "shared")]))

    def leave(self) -> None:
        """See `IEntry`."""
        self._fleet.leave(self._name, self._entrant)

    # -- NameClaims ------------------------------------------------------------------------------------------

    @property
    def fence(self) -> Callable[[], bool] | None:
        """See `NameClaims`."""
        return self._fleet.fence

    async def claim(self, name: str, timeout: float) -> None:
        """See `NameClaims`."""
        await self._claims.claim(self._own_key(name), self._same_name, timeout)

    def release(self, name: str) -> None:
        """See `NameClaims`."""
        self._claims.release(self._own_key(name))

    def _own_key(self, name: str) -> str:
        return self._key("shared" if self._same_name is SameName.SHARE else "name", name)

    def _key(self, kind: str, name: str) -> str:
        return f"{kind}:{self._quoted}:{name}"
