"""The names that this node holds in its fleet.

Of each name this node knows who wants it here, and what the engine knows of it. Whatever changes makes the name *due*.
Names that are due go to the engine together, one call at a time, and only then it is decided what to ask for: a claim,
a release, or nothing, if claim and release have come in one turn. So there is never more than one question about a name
on its way. One without an answer leaves a name *in doubt*: it is asked again, or released, when the engine is back.

A name that another node holds is contested; see `_contest`. When this node has given a name up, its own clients leave
it to the other node for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .._text import text_of
from .._types import Reactor
from ..errors import DuplicateClient, FleetUnavailable, Replaced
from ..model import SameName
from ._contest import Contest, GivenUp
from ._engine import EngineError
from ._name import Name
from ._node import STOPPED, Node
from ._orders import Orders
from ._scripts import CLAIMS
from ._settings import NewcomersWithoutEngine

__all__ = ["Claims"]

log: Logger = Logger()

AT_ONCE = 100
"""How many names go to the engine in one call: so few that a thousand nodes can claim their names again at once."""

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
        self._due: dict[str, Name] = {}
        self._flush: IDelayedCall | None = None
        self._asks = False
        """Whether a call is on its way to the engine."""
        self._turn = 1
        self._connected = False
        self._incarnation = ""
        """Whose names are in question."""
        self._waiting: dict[Deferred[None], None] = {}
        """Who waits for the engine."""
        self._given_up = GivenUp()
        self.refused: int = 0
        """How many claims were refused, because another node has the name."""
        orders.missed = self._check

    def stop(self) -> None:
        """Ask no more, and refuse newcomers. The node must be off by now."""
        self._connected = False
        self._wake()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None

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
        pause = min(self._given_up.pause(key, self._reactor.seconds()), timeout)
        if pause > 0:
            await deferLater(self._reactor, pause)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = Name(same_name)
        name.same_name = same_name
        name.claimers += 1
        try:
            if same_name is SameName.SHARE:
                if name.fence is None and self._can_ask:
                    await self._ask(key, name, timeout)
            else:
                await self._obtain(key, name, deadline)
            name.users += 1
            name.since = self._reactor.seconds()
        except (DuplicateClient, Replaced):
            self.refused += 1
            raise
        finally:
            name.claimers -= 1
            self._settle(key, name)

    def release(self, key: str) -> None:
        """A client of this node does not need the name any more."""
        name = self._names[key]
        name.users -= 1
        self._settle(key, name)

    async def _obtain(self, key: str, name: Name, deadline: float) -> None:
        contest = Contest(self._orders, self._reactor, key)
        while name.fence is None or not self._node.is_member:
            left = deadline - self._reactor.seconds()
            if not self._can_ask:
                if self._node.settings.newcomers is NewcomersWithoutEngine.ALONE:
                    name.lost = False
                    return
                await self._wait_for_engine(left)
                continue
            answer = await self._ask(key, name, left)
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
        back: Deferred[None] = Deferred(self._waiting.__delitem__)
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
                self._due[key] = name
                last = key, name
        self._engine_is_back()
        if last is not None and await self._ask(*last) is None:
            raise EngineError("the names of this node could not be claimed again")

    def goes_on(self) -> None:
        """The engine can be asked, and knows this node: ask about names in doubt."""
        for key, name in self._names.items():
            if name.fence is None or not name.is_wanted:
                self._due[key] = name
        self._engine_is_back()
        self._flush_within(0)

    async def contested(self, key: str) -> None:
        """Another node wants a name. If no client of this one needs it, wait until the engine knows."""
        name = self._names.get(key)
        if self._can_ask and (name is None or not name.is_wanted):
            if name is None:
                name = self._names[key] = Name(SameName.REFUSE)
                name.in_doubt = True  # the other node has been told so
            self._given_up.add(key, self._reactor.seconds())
            await self._ask(key, name)

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
                self._due[key] = name
        self._flush_within(0)

    def _engine_is_back(self) -> None:
        self._connected = True
        self._incarnation = self._node.incarnation
        self._wake()

    def _wake(self) -> None:
        """Let all who wait for the engine look again."""
        waiting, self._waiting = self._waiting, {}
        for back in waiting:
            back.callback(None)

    def _settle(self, key: str, name: Name) -> None:
        """If nobody wants a name any more, free it."""
        if name.is_wanted:
            return
        if name.is_known and self._node.off != STOPPED:
            self._due[key] = name
            self._flush_within(LATER)
        elif not name.answers and self._names.get(key) is name:
            del self._names[key]

    # -- asking the engine -----------------------------------------------------------------------------------

    @property
    def _can_ask(self) -> bool:
        return self._is_up and self._node.is_member

    @property
    def _is_up(self) -> bool:
        """Whether the engine can be asked, and for this incarnation: not while the node joins with another one."""
        return self._connected and self._incarnation == self._node.incarnation

    def _ask(self, key: str, name: Name, within: float | None = None) -> Deferred[Any]:
        """Ask the engine about a name; fire with its answer, or with ``None`` if there is none."""
        answer: Deferred[Any] = Deferred()
        name.answers.append(answer)
        self._due[key] = name
        self._flush_within(0)
        if within is not None and within < 2 * self._node.settings.timeout:  # otherwise, to ask takes less
            answer.addTimeout(max(within, 0), self._reactor, lambda *_: None)
        return answer

    def _flush_within(self, seconds: float) -> None:
        if self._asks or not self._is_up:
            return  # all that is due follows
        if self._flush is not None:
            if self._flush.getTime() <= self._reactor.seconds() + seconds:
                return
            self._flush.cancel()
        self._flush = self._reactor.callLater(seconds, self._send)

    def _send(self) -> None:
        self._flush = None
        self._asks = True
        Deferred.fromCoroutine(self._send_all())

    async def _send_all(self) -> None:
        while self._due and self._is_up:
            batch = self._next()
            if batch:
                await self._exchange(batch)
        self._asks = False
        self._ask_nothing()

    def _ask_nothing(self) -> None:
        """The engine cannot be asked: what is due waits until it is back."""
        due, self._due = self._due, {}
        for name in due.values():
            name.answer(None)

    def _next(self) -> list[tuple[str, Name, str, int]]:
        """Return the next questions."""
        now = self._reactor.seconds()
        batch = []
        for key in list(islice(self._due, AT_ONCE)):
            name = self._due.pop(key)
            question = name.question(now)
            if question is None:
                name.answer(None)
                self._settle(key, name)
            else:
                name.fence, name.in_doubt = None, True
                batch.append((key, name, *question))
        return batch

    async def _exchange(self, batch: list[tuple[str, Name, str, int]]) -> None:
        node = self._node
        words: list[Any] = []
        for key, _, what, number in batch:
            words += (what, key.encode("utf-8", "surrogatepass"), number)
        keys = node.keys("state", "nodes", f"of:{node.incarnation}")
        try:
            _, answers = await node.run(CLAIMS, keys, node.settings.prefix, self._turn, *words)
            answered = list(zip(batch, answers, strict=True))
        except Exception as error:
            if not isinstance(error, EngineError):
                log.failure("the engine has answered something odd")
            self._turn += 1
            self._connected = False
            node.connection.abort(text_of(error))  # with the next one, it is known what to do with names in doubt
            for _, name, _, _ in batch:
                name.in_doubt = True
                name.answer(None)
        else:
            for (key, name, what, _), got in answered:
                self._take(key, name, what, got)

    def _take(self, key: str, name: Name, what: str, got: list[Any]) -> None:
        """Take what the engine has answered about a name."""
        name.in_doubt = False
        if got[0] == b"held":
            name.fence, name.lost = got[1], False
        if (got[0] == b"held" and got[1] <= name.gone) or (got[0] == b"taken" and what != "claim"):
            name.gone = 0
            self._lose(key, name)
        name.answer(got)
        self._settle(key, name)
