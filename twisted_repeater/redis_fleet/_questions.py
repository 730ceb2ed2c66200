"""Asks the engine about names.

Names that are *due* go to the engine together, one call at a time, and only then it is decided what to ask for: a
claim, a release, or nothing, if claim and release have come in one turn. So there is never more than one question about
a name on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .._text import text_of
from .._types import Reactor
from ._engine import EngineError
from ._name import Name
from ._node import Node
from ._scripts import CLAIMS

__all__ = ["Questions"]

log: Logger = Logger()

AT_ONCE = 100
"""How many names go to the engine in one call: so few that a thousand nodes can claim their names again at once."""


class Questions:
    """Asks the engine about names.

    Args:
        node: this node.
        reactor: the reactor.
        answered: called with the key of a name, the name, what was asked about it, and the answer.
        settled: called with the key of a name and the name if there was nothing to ask.
    """

    def __init__(
        self,
        node: Node,
        reactor: Reactor,
        answered: Callable[[str, Name, str, list[Any]], None],
        settled: Callable[[str, Name], None],
    ) -> None:
        self._node = node
        self._reactor = reactor
        self._answered = answered
        self._settled = settled
        self._due: dict[str, Name] = {}
        self._flush: IDelayedCall | None = None
        self._asks = False
        """Whether a call is on its way to the engine."""
        self._turn = 1
        self._connected = False
        self._incarnation = ""
        """Whose names are in question."""

    @property
    def can_ask(self) -> bool:
        """Whether the engine can be asked, and gives names to this node."""
        return self._is_up and self._node.is_member

    @property
    def _is_up(self) -> bool:
        """Whether the engine can be asked, and for this incarnation: not while the node joins with another one."""
        return self._connected and self._incarnation == self._node.incarnation

    def begin(self) -> None:
        """The engine can be asked about the names of this incarnation."""
        self._connected = True
        self._incarnation = self._node.incarnation

    def stop(self) -> None:
        """Ask no more. Whoever waits for an answer gets none."""
        self._connected = False
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if not self._asks:  # otherwise, those who wait hear it when that call has ended
            self._ask_nothing()

    def due(self, key: str, name: Name, within: float | None = None) -> None:
        """Ask about a name, within some seconds, or together with others."""
        self._due[key] = name
        if within is not None:
            self._flush_within(within)

    def soon(self) -> None:
        """Ask about all that is due."""
        self._flush_within(0)

    def ask(self, key: str, name: Name, within: float | None = None) -> Deferred[Any]:
        """Ask the engine about a name; fire with its answer, or with ``None`` if there is none."""
        answer: Deferred[Any] = Deferred()
        name.answers.append(answer)
        self.due(key, name, 0)
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
        """Tell all who wait that the engine cannot be asked now."""
        due, self._due = self._due, {}
        for name in due.values():
            name.answer(None)

    def _next(self) -> list[tuple[str, Name, str, int]]:
        """Return the next questions."""
        now = self._node.seconds()
        batch = []
        for key in list(islice(self._due, AT_ONCE)):
            name = self._due.pop(key)
            question = name.question(now)
            if question is None:
                name.answer(None)
                self._settled(key, name)
            else:
                if not name.is_wanted:
                    name.fence = None
                name.in_doubt, name.is_newer = True, False
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
                name.in_doubt, name.is_newer = True, name.fence is not None
                name.answer(None)
        else:
            for (key, name, what, _), got in answered:
                self._answered(key, name, what, got)
