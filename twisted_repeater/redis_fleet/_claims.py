"""The names that this node holds in its fleet.

All that is claimed within a turn of the reactor goes to the engine in one call, and names that are freed go with it. A
name that another node holds is contested: that node is ordered to act as if the newcomer were its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .._types import Reactor
from ..errors import ConnectingError, DuplicateClient, Replaced
from ..model import SameName, Side
from ._engine import EngineError
from ._node import Node
from ._orders import Orders
from ._scripts import CLAIMS
from ._settings import NewcomersWithoutEngine

__all__ = ["Claims"]

log: Logger = Logger()

AT_ONCE = 500
"""How many names go to the engine in one call."""

LATER = 0.01
"""How many seconds a freed name may wait for others to go with it."""

PAUSE = 0.05
"""How many seconds pass before a name that was contested is claimed once more, if somebody else has got it."""


class _Held:
    """A name that this node holds, or is about to hold.

    Attributes:
        users: how many clients want it or have it.
        fence: the number of the claim; ``None`` if the engine does not know of it.
        since: when it was claimed.
        asking: fires when the engine has answered; ``None`` if nobody asks.
    """

    __slots__ = ("asking", "fence", "since", "users")

    def __init__(self, since: float) -> None:
        self.users = 0
        self.fence: int | None = None
        self.since = since
        self.asking: Deferred[None] | None = None


class Claims:
    """The names of this node.

    Args:
        node: this node.
        orders: its orders to others.
        reactor: the reactor.
        lost: called with a key that another node has got, to close what this one has of it.
    """

    def __init__(self, node: Node, orders: Orders, reactor: Reactor, lost: Callable[[str], None]) -> None:
        self._node = node
        self._orders = orders
        self._reactor = reactor
        self._lost = lost
        self._held: dict[str, _Held] = {}
        self._queue: list[tuple[str, str, int, Deferred[Any] | None]] = []
        self._flush: IDelayedCall | None = None
        self._doubtful: set[str] = set()
        """Names that are to be free, and that the engine may still know as this node's."""

    async def claim(self, key: str, same_name: SameName, timeout: float) -> None:
        """Claim a name for one more client of this node.

        Raises:
            ConnectingError: another node has it, or the fleet cannot be asked.
        """
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(self._reactor.seconds())
        held.users += 1
        try:
            await self._obtain(key, held, self._reactor.seconds() + timeout)
        except BaseException:
            self.release(key)
            raise

    def release(self, key: str) -> None:
        """A client of this node does not need the name any more."""
        held = self._held[key]
        held.users -= 1
        if not held.users:
            del self._held[key]
            if held.fence is not None:
                self._ask_later("release", key, held.fence)

    async def _obtain(self, key: str, held: _Held, deadline: float) -> None:
        while held.fence is None:
            left = deadline - self._reactor.seconds()
            try:
                answer = await self._ask("claim", key, 0)
            except EngineError as error:
                self._doubtful.add(key)
                if self._node.settings.newcomers is NewcomersWithoutEngine.ALONE:
                    return
                raise ConnectingError(f"the fleet cannot be asked for the name: {error}") from error
            if answer[0] == b"held":
                held.fence = answer[1]
            elif left <= 0:
                raise DuplicateClient("the name did not become free in time", Side.CLIENT)
            elif answer[0] == b"wait":
                await deferLater(self._reactor, min(answer[1] / 1000, left))
            else:
                await self._contest(key, answer[1].decode(), left)

    async def _contest(self, key: str, holder: str, left: float) -> None:
        answers = await self._orders.call("contest", {"key": key, "within": left}, to=[holder], timeout=left)
        for answer in answers:
            if answer.error is not None:
                kind = Replaced if answer.kind == "Replaced" else DuplicateClient
                raise kind(answer.error, Side.CLIENT)

    # -- what happens to names that are held -------------------------------------------------------------------

    async def joined(self) -> None:
        """This node has joined, with a new incarnation: claim all its names again."""
        self._doubtful.clear()  # they belonged to the earlier incarnation
        mine = [(key, held) for key, held in self._held.items() if held.users and held.same_name is not None]
        for held in self._held.values():
            held.fence = None
        for start in range(0, len(mine), AT_ONCE):
            await gatherResults([self._claim_again(key, held) for key, held in mine[start : start + AT_ONCE]])

    def goes_on(self) -> None:
        """The engine can be asked again: free the names that it may still know as this node's."""
        doubtful, self._doubtful = self._doubtful, set()
        for key in doubtful:
            if key not in self._held:
                self._ask_later("release", key, ANY)

    def contested(self, key: str) -> None:
        """Another node wants a name. If no client of this one has it, the engine is told."""
        if key not in self._held:
            self._ask_later("release", key, ANY)

    def lost(self, key: str, fence: int) -> None:
        """Another node has got a name."""
        held = self._held.get(key)
        if held is not None and held.fence == fence:
            held.fence = None
            self._lost(key)

    # -- asking the engine -----------------------------------------------------------------------------------

    def _ask(self, what: str, key: str, number: int) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self._queue.append((what, key, number, done))
        self._flush_within(0)
        return done

    def _ask_later(self, what: str, key: str, number: int) -> None:
        self._queue.append((what, key, number, None))
        self._flush_within(LATER)

    def _flush_within(self, seconds: float) -> None:
        now = self._reactor.seconds()
        if self._flush is not None:
            if self._flush.getTime() <= now + seconds:
                return
            self._flush.cancel()
        self._flush = self._reactor.callLater(seconds, self._send)

    def _send(self) -> None:
        self._flush = None
        while self._queue:
            batch, self._queue = self._queue[:AT_ONCE], self._queue[AT_ONCE:]
            Deferred.fromCoroutine(self._run(batch))

    async def _run(self, batch: list[tuple[str, str, int, Deferred[Any] | None]]) -> None:
        node = self._node
        words: list[Any] = []
        for what, key, number, _ in batch:
            words += (what, key, number)
        keys = node.keys("state", "nodes", f"of:{node.incarnation}")
        try:
            answer = await node.run(CLAIMS, keys, node.settings.prefix, *words)
        except EngineError as error:
            for _, key, _, done in batch:
                if done is None:
                    self._doubtful.add(key)
                else:
                    done.errback(error)
        else:
            for (_, _, _, done), got in zip(batch, answer[1], strict=True):
                if done is not None:
                    done.callback(got)
