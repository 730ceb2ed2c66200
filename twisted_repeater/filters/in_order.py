"""`in_order`: lets an answer of a filter wait for its turn, in protocols that answer each request in turn.

Both filters of a link share its `Turns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from .._text import repr_of, shortened
from .._types import Filter, FilterPairObject, Message
from ..interfaces import IFilterPair, IMigrating
from ..link import Link
from ..model import Direction, OnFilterError
from ..verdicts import DO_NOTHING, PASS_ON, Answer, Mixed, Send, Verdict, delayed_like, plain
from ._deciding import Deciding
from ._migration import hand_over
from ._provider import filters_of, fixed_filters
from ._turns import Turns
from .pair import as_pair

__all__ = ["InOrder", "InTurn", "in_order"]

log: Logger = Logger()

NAME = "in_order"
"""The name of the pair and of its filters. It is always the same, so that in a chain they take over from each other."""


def in_order(
    provider: Filter | FilterPairObject,
    /,
    *,
    ends_answer: Callable[[Message], object],
    asks: Callable[[Message], int],
    owed: int = 0,
    most_waiting: int = 1000,
) -> InOrder:
    """Return a pair of filters in which the answers of a filter wait for the answers of the requests before them.

    For protocols that answer each request in turn, such as Redis, SMTP or PostgreSQL. There a client that sends several
    requests without waiting would take an answer of the filter (`SendBack`, or the last messages of `Close`) for the
    answer to an earlier request. Later requests go on to the server without waiting. If the server owes no answers, the
    filter's answer goes out at once.

    Give it as ``start(filters=...)``. In a `chain` it must be the last.

    Args:
        provider: the filter of messages to the server, or a pair of filters.
        ends_answer: a function of a message of the server that returns whether an answer ends with it. Messages that
            answer no request must return false, as pushes and notices do.
        asks: a function of a message to the server that returns how many answers the server owes for it: ``True`` or 1,
            ``False`` or 0, or more.
        owed: how many answers the server owes before the first request: 1 where its greeting looks like an answer.
        most_waiting: how many answers of the filter may wait at once. Until there are fewer, or if their bytes are more
            than 1 MiB, the client's next message waits.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: a number is out of range.
    """
    return InOrder(provider, ends_answer, asks, owed, most_waiting)


@implementer(IFilterPair, IMigrating)
class InOrder:
    """A pair of filters that answers each request in its turn; `in_order` makes it."""

    def __init__(
        self,
        provider: Filter | FilterPairObject,
        ends_answer: Callable[[Message], object],
        asks: Callable[[Message], int],
        owed: int,
        most_waiting: int,
    ) -> None:
        for name, function in (("ends_answer", ends_answer), ("asks", asks)):
            if not callable(function):
                raise TypeError(f"{name} must be a function of a message, not {repr_of(function)}")
        for name, number, least in (("owed", owed, 0), ("most_waiting", most_waiting, 1)):
            if not isinstance(number, int):
                raise TypeError(f"{name} must be a whole number, not {number!r}")
            if number < least:
                raise ValueError(f"{name} must be at least {least}, not {number}")
        if isinstance(provider, InOrder):
            raise TypeError("in_order cannot be used twice for the same filter")
        self.__qualname__: str = NAME
        self.inner: FilterPairObject = as_pair(provider)
        self.ends_answer = ends_answer
        self.asks = asks
        self.owed = owed
        self.most_waiting = most_waiting
        self._surplus = False

    def __repr__(self) -> str:
        return f"in_order({self.inner!r})"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        to_server, to_client = filters_of(self.inner, link)
        turns = Turns(link, self.owed, self.most_waiting, self._log_surplus)
        return (_ToServer(to_server, self, turns), _ToClient(to_client, self, turns))

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The pair that it has takes over from the one before it."""
        hand_over(self.inner, old.inner if isinstance(old, InOrder) else old)

    def _log_surplus(self, link: Link) -> None:
        """Log once that a server has sent more answers than it owed."""
        if not self._surplus:
            self._surplus = True
            log.warn(
                "client {client!r}: the server answers more requests than it was asked; if that goes on, answers of "
                "filters come out of turn (logged once)",
                client=shortened(link.client_name),
                link=link.id,
            )

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        yield from fixed_filters(self.inner)


@implementer(IMigrating)
class InTurn(Deciding):
    """The filter of one direction of a link."""

    def __init__(self, inner: Filter | None, pair: InOrder, turns: Turns) -> None:
        super().__init__(inner)
        self._asks = pair.asks
        self._ends_answer = pair.ends_answer
        self._turns = turns

    def __repr__(self) -> str:
        return f"in_order({self.inner!r})"

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It goes on with the turns of the link."""
        if isinstance(old, InTurn):
            self._turns = old._turns


class _ToServer(InTurn):
    """Counts the answers that the server owes, and lets those of the filter wait."""

    __qualname__ = NAME

    def filter(self, message: Message, link: Link) -> Answer:
        """See `IFilter`."""
        return DO_NOTHING if self._turns.closing else super().filter(message, link)

    def _decide(self, verdict: Verdict, message: Message) -> Verdict | Deferred[Verdict]:
        turns = self._turns
        if verdict is PASS_ON:
            asked = self._asks(message)
            turns.asked += 1 if asked is True else self._number(asked)
            return PASS_ON
        verdict = plain(verdict)
        turn = turns.asked
        passed = [message, *verdict.forward] if verdict.passes else verdict.forward
        turns.asked += sum(map(self._owed_for, passed))
        if not verdict.back or turns.is_next(turn):
            return verdict
        turns.wait(turn, verdict)
        rest = _without_back(verdict)
        if turns.has_room:
            return rest
        room: Deferred[Verdict] = turns.when_room().addCallback(lambda _: rest)
        return room if rest.passes else room.addErrback(self._failed_later, message)

    def _failed(self, message: Message) -> None:
        """The filter failed: if the message passes on all the same, it asks for an answer."""
        if self._turns.link._pair.on_filter_error is OnFilterError.PASS_ON:
            self._turns.asked += self._owed_for(message)

    def _owed_for(self, message: Message) -> int:
        """Return how many answers the server owes for a message."""
        return self._number(self._asks(message))

    def _number(self, number: int) -> int:
        if not isinstance(number, int) or number < 0:
            raise ValueError(f"asks must return True, False or a number of answers, not {repr_of(number)}")
        return number


class _ToClient(InTurn):
    """Counts the answers that have ended, and sends those that have waited for them."""

    __qualname__ = NAME

    def _decide(self, verdict: Verdict, message: Message) -> Verdict:
        turns = self._turns
        if self._ends_answer(message):
            turns.end_answer()
        return turns.with_due(plain(verdict)) if turns.waiting else verdict

    def _failed(self, message: Message) -> None:
        """The filter failed: the answer has ended all the same."""
        if self._ends_answer(message):
            self._turns.end_answer()
            self._turns.release_soon()


def _without_back(verdict: Verdict) -> Verdict:
    """Return the rest of a verdict whose answer waits."""
    if verdict.passes:
        rest = Mixed(passes=True, forward=verdict.forward) if verdict.forward else PASS_ON
    else:
        rest = Send(*verdict.forward) if verdict.forward else DO_NOTHING
    return delayed_like(rest, verdict)
