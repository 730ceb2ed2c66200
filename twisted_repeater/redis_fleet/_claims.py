"""The names that this node holds in its fleet.

Of each name this node knows who wants it here, and what the engine knows of it. Whatever changes makes the name due;
see `_questions`. A question without an answer leaves a name *in doubt*: it is asked again, or released, when the engine
is back.

A name that another node holds is contested; see `_contest`. When this node has given a name up, its own clients leave
it to the other node for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .._types import Reactor
from ..errors import DuplicateClient, FleetUnavailable, Replaced
from ..model import SameName
from ._contest import Contest, GivenUp
from ._engine import EngineError
from ._name import Name
from ._node import STOPPED, Node
from ._orders import Orders
from ._questions import Questions
from ._settings import NewcomersWithoutEngine

__all__ = ["Claims"]

log: Logger = Logger()

LATER = 0.01
"""How many seconds a freed name may wait for others to go with it."""


class Claims:
    """The names of this node.

    Names are told by their keys in the engine, without the prefix.

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
        self._names: dict[str, Name] = {}
        self._questions = Questions(node, reactor, self._answered, self._settle)
        self._waiting: dict[Deferred[None], None] = {}
        """Who waits for the engine."""
        self._given_up = GivenUp()
        self.refused: int = 0
        """How many claims were refused, because another node has the name."""
        orders.missed = self._check

    def stop(self) -> None:
        """Ask no more, and refuse newcomers. The node must be off by now."""
        self._questions.stop()
        self._wake()

    @property
    def count(self) -> int:
        """How many names clients of this node have."""
        return sum(name.users > 0 for name in self._names.values())

    # -- for clients of this node ----------------------------------------------------------------------------

    async def claim(self, key: str, same_name: SameName, timeout: float) -> None:
        """Claim a name for one more client of this node. A shared name is claimed even if the engine cannot be asked.

        Raises:
            ConnectingError: another node has it, or the fleet cannot be asked.
        """
        deadline = self._reactor.seconds() + timeout
        pause = min(self._given_up.pause(key, self._node.seconds()), timeout)
        if pause > 0:
            await deferLater(self._reactor, pause)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = Name(same_name)
        name.same_name = same_name
        name.claimers += 1
        had = name.fence is not None
        try:
            if same_name is SameName.SHARE:
                if name.fence is None and self._questions.can_ask:
                    await self._questions.ask(key, name, timeout)
            else:
                await self._obtain(key, name, deadline)
            self._begins(key, name, had)
        except (DuplicateClient, Replaced):
            self.refused += 1
            raise
        finally:
            name.claimers -= 1
            self._settle(key, name)

    def _begins(self, key: str, name: Name, had: bool) -> None:
        """One more client has got a name. If it replaces one of this node, the engine hears that its link is newer."""
        replaces = name.same_name is SameName.REPLACE
        if replaces or not name.users:  # otherwise, it is about to be refused
            name.since = self._node.seconds()
        if replaces and had:
            name.is_newer = True
            self._questions.due(key, name, LATER)
        name.users += 1

    def release(self, key: str) -> None:
        """A client of this node does not need the name any more."""
        name = self._names[key]
        name.users -= 1
        self._settle(key, name)

    async def _obtain(self, key: str, name: Name, deadline: float) -> None:
        contest = Contest(self._orders, self._reactor, key)
        while name.fence is None or not self._node.is_member:
            left = deadline - self._reactor.seconds()
            if not self._questions.can_ask:
                if self._node.settings.newcomers is NewcomersWithoutEngine.ALONE:
                    name.lost = False
                    return
                await self._wait_for_engine(left)
                continue
            answer = await self._questions.ask(key, name, left)
            left = deadline - self._reactor.seconds()
            if answer is None:
                if left <= 0:
                    contest.check(left)
                    await self._wait_for_engine(left)
            elif answer[0] == b"taken":
                await contest.hold(answer[1].decode(), answer[2] / 1000, left)
            elif answer[0] == b"wait":
                await self._wait_for_others(answer[1] / 1000, left)

    async def _wait_for_others(self, seconds: float, left: float) -> None:
        if left <= 0:
            raise FleetUnavailable("the fleet begins, and names may still belong to links that are older")
        await deferLater(self._reactor, min(seconds, left))

    async def _wait_for_engine(self, left: float) -> None:
        if left <= 0 or self._node.off == STOPPED:
            problem = self._node.problem or "the engine does not answer"
            raise FleetUnavailable(f"the fleet cannot be asked for the name: {problem}")
        back: Deferred[None] = Deferred(lambda back: self._waiting.pop(back, None))
        self._waiting[back] = None
        await back.addTimeout(left, self._reactor, lambda *_: None)

    # -- what happens to names that are held -------------------------------------------------------------------

    async def joined(self) -> None:
        """This node has joined, with a new incarnation: claim all its names again.

        Raises:
            EngineError: the engine cannot be asked any more.
        """
        last = None
        for key, name in list(self._names.items()):
            name.fence, name.in_doubt, name.gone = None, False, 0
            self._settle(key, name)
            if name.users and not name.lost:
                self._questions.due(key, name)
                last = key, name
        self._engine_is_back()
        if last is not None and await self._questions.ask(*last) is None and self._node.off is None:
            raise EngineError("the names of this node could not be claimed again")

    def goes_on(self) -> None:
        """The engine can be asked, and knows this node: ask about names in doubt."""
        for key, name in self._names.items():
            if name.fence is None or name.is_newer or not name.is_wanted:
                self._questions.due(key, name)
        self._engine_is_back()
        self._questions.soon()

    async def contested(self, key: str) -> None:
        """Another node wants a name. If no client of this one needs it, wait until the engine knows."""
        name = self._names.get(key)
        if self._questions.can_ask and (name is None or not name.is_wanted):
            if name is None:
                name = self._names[key] = Name(SameName.REFUSE)
                name.in_doubt = True  # the other node has been told so
            self._given_up.add(key, self._node.seconds())
            await self._questions.ask(key, name)

    def lost(self, key: str, fence: int) -> None:
        """Another node has got a name."""
        name = self._names.get(key)
        if name is not None:
            name.gone = max(name.gone, fence)
            if name.fence == fence:
                self._lose(key, name)

    def _lose(self, key: str, name: Name) -> None:
        name.fence, name.lost = None, True
        self._settle(key, name)
        if name.users:
            try:
                self._lost(key)
            except Exception:
                log.failure("a link whose name another node has got cannot be closed")

    def _check(self) -> None:
        """Orders were missed: ask whether the names of this node are still its own."""
        for key, name in self._names.items():
            if name.users and not name.lost:
                name.fence, name.in_doubt = None, True
                self._questions.due(key, name)
        self._questions.soon()

    def _engine_is_back(self) -> None:
        self._questions.begin()
        self._wake()

    def _wake(self) -> None:
        """Let all who wait for the engine look again."""
        waiting, self._waiting = self._waiting, {}
        for back in waiting:
            if not back.called:  # one who was told before may have cancelled it
                back.callback(None)

    def _settle(self, key: str, name: Name) -> None:
        """If nobody wants a name any more, free it."""
        if name.is_wanted:
            return
        if name.is_known and self._node.off != STOPPED:
            self._questions.due(key, name, LATER)
        elif not name.answers and self._names.get(key) is name:
            del self._names[key]

    def _answered(self, key: str, name: Name, what: str, got: list[Any]) -> None:
        """The engine has answered what it was asked about a name."""
        name.in_doubt = False
        if got[0] == b"held":
            name.fence, name.lost = got[1], False
        if (got[0] == b"held" and got[1] <= name.gone) or (got[0] == b"taken" and what != "claim"):
            name.gone = 0
            self._lose(key, name)
        name.answer(got)
        self._settle(key, name)
