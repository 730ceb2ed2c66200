"""What happens when a newcomer wants a name that another node holds.

That node is ordered to act as if the newcomer were its own client. If it does not answer, the engine is asked again
when its lease has ended. An order that was not answered is repeated with the same id, so that it is carried out once.

A node that gave a name up leaves it to the other one for a moment. Otherwise a client that was replaced, and comes back
at once, would get it again before the other node can have it: the newcomer there would replace it again and again, and
be refused in the end.
"""

from __future__ import annotations

import secrets

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from .._types import Reactor
from ..errors import DuplicateClient, Replaced
from ..model import Side
from ._engine import EngineError
from ._orders import NOT_REACHED, Answer, Orders

__all__ = ["Contest", "GivenUp"]

PAUSE = 0.05
"""How many seconds pass before a name is contested once more, if somebody else has got it."""

ENOUGH = 0.9
"""The part of a newcomer's time that another node may take to free the name; the rest is for the way."""

GIVE_WAY = 0.5
"""For how many seconds a node leaves a name that it gave up to another one: enough for some ways to the engine."""


class Contest:
    """The contest of one newcomer for a name.

    Args:
        orders: the orders of this node.
        reactor: the reactor.
        key: the name.
    """

    def __init__(self, orders: Orders, reactor: Reactor, key: str) -> None:
        self._orders = orders
        self._reactor = reactor
        self._key = key
        self._begun = False
        self._id = secrets.token_hex(8)

    def check(self, left: float) -> None:
        """Raise `DuplicateClient` if a contest has begun, and no time is left."""
        if self._begun and left <= 0:
            raise DuplicateClient("another node has the name, and it did not become free in time", Side.CLIENT)

    async def hold(self, holder: str, lasts: float, left: float) -> None:
        """Have the node that has the name act for the newcomer. Return when the engine may be asked again.

        Args:
            holder: the incarnation that has the name.
            lasts: for how many seconds its lease lasts yet.
            left: for how many seconds the newcomer may wait.

        Raises:
            DuplicateClient: the name stays taken, or there is no time left.
            Replaced: a later newcomer gets the name.
        """
        if self._begun:
            left -= PAUSE
            await deferLater(self._reactor, PAUSE)
        self._begun = True
        self.check(left)
        order = self._orders.call(
            "contest", {"key": self._key, "within": left * ENOUGH}, to=[holder], timeout=left, number=self._id
        )
        none: list[Answer] = []
        answered = Deferred.fromCoroutine(order).addTimeout(min(lasts, left), self._reactor, lambda *_: none)
        try:
            answers = await answered
        except EngineError:
            return  # whoever asks the engine next finds out what is wrong
        for answer in answers:
            if answer.error is None:
                self._id = secrets.token_hex(8)
            elif answer.kind not in ("", NOT_REACHED):
                kind = Replaced if answer.kind == Replaced.__name__ else DuplicateClient
                raise kind(answer.error, Side.CLIENT)


class GivenUp:
    """The names that this node gave up lately, and until when its clients leave them to others."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        """The earliest is first."""

    def add(self, key: str, now: float) -> None:
        """A name is given up."""
        self._forget(now)
        self._until.pop(key, None)
        self._until[key] = now + GIVE_WAY

    def pause(self, key: str, now: float) -> float:
        """Return for how many seconds a client is to wait before it claims a name."""
        self._forget(now)
        return self._until.get(key, now) - now

    def _forget(self, now: float) -> None:
        while self._until:
            key, until = next(iter(self._until.items()))
            if until > now:
                break
            del self._until[key]
