"""`in_order`: lets an answer of a filter wait for its turn, in protocols that answer each request in turn.

Both filters of a link share `_Turns`, which counts the answers that the server owes, and those that have ended. An
answer of the filter waits with the number of answers that are before it. It goes out with the message that ends the
last of these, as part of the verdict on that message, so that nothing comes between. Where there is no such message,
it goes out in the next turn of the reactor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .._pending import verdict_later
from .._text import repr_of, shortened
from .._types import Filter, FilterFunction, FilterPairObject, Message
from ..interfaces import ICodec, IFilter, IFilterPair, IMigrating, ISelectiveByCodec
from ..link import Link
from ..model import Direction, OnFilterError
from ..selectors import Selector
from ..verdicts import DO_NOTHING, PASS_ON, Answer, Mixed, Send, Verdict, plain
from ._migration import hand_over
from ._provider import (
    checked_pair,
    common_selector,
    filters_of,
    fixed_filters,
    guarded,
    is_pair,
    name_of,
    pass_on,
)
from .pair import FilterPair

__all__ = ["InOrder", "InTurn", "in_order"]

log: Logger = Logger()

NAME = "in_order"
"""The name of the pair and of its filters. It is always the same, so that in a chain they take over from each other."""

MOST_BYTES = 1024 * 1024
"""The number of bytes in waiting answers from which on the client's next request waits."""


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
        self.inner: FilterPairObject = (
            checked_pair(provider) if is_pair(provider) else FilterPair(cast("Filter", provider))
        )
        self.ends_answer = ends_answer
        self.asks = asks
        self.owed = owed
        self.most_waiting = most_waiting
        self.surplus: bool = False
        """Whether a server has sent more answers than it owed, and the log says so."""

    def __repr__(self) -> str:
        return f"in_order({self.inner!r})"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        to_server, to_client = filters_of(self.inner, link)
        turns = _Turns(self, link)
        return (_ToServer(to_server, self, turns), _ToClient(to_client, self, turns))

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The pair that it has takes over from the one before it."""
        hand_over(self.inner, old.inner if isinstance(old, InOrder) else old)

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        yield from fixed_filters(self.inner)


class _Waiting(NamedTuple):
    """An answer that waits."""

    turn: int
    """How many answers of the server must have ended before."""
    verdict: Verdict
    """Has the messages, and whether the link is closed after them."""
    size: int
    """How many bytes the messages have, as far as they are bytes."""


class _Turns:
    """The turns of one link. Both its filters have it, and those that replace them."""

    __slots__ = ("_pair", "_room", "_size", "answered", "asked", "closing", "link", "most_waiting", "waiting")

    def __init__(self, pair: InOrder, link: Link) -> None:
        self.link: Link = link
        self.asked: int = pair.owed
        """How many answers the server has owed so far."""
        self.answered: int = 0
        """How many of these have ended."""
        self.waiting: deque[_Waiting] = deque()
        self.closing: bool = False
        """Whether an answer waits after which the link is closed: later messages are dropped."""
        self.most_waiting: int = pair.most_waiting
        self._pair = pair
        self._size = 0
        self._room: Deferred[None] | None = None

    def is_next(self, turn: int) -> bool:
        """Return whether an answer goes out at once: nothing that comes before it is still on its way."""
        return (
            self.answered >= turn
            and not self.waiting
            # This lane has messages for the client that it has not pushed yet.
            and not self.link._pair.is_at_work(Direction.TO_CLIENT)
        )

    def wait(self, turn: int, verdict: Verdict) -> None:
        """Keep the messages that a verdict sends back until it is their turn."""
        size = sum(len(message) for message in verdict.back if isinstance(message, bytes))
        self.waiting.append(_Waiting(turn, verdict, size))
        self._size += size
        self.closing = self.closing or verdict.closes
        self.release_soon()

    @property
    def has_room(self) -> bool:
        """Whether another answer may wait."""
        return len(self.waiting) < self.most_waiting and self._size < MOST_BYTES

    def when_room(self) -> Deferred[None]:
        """Fire when there is room again. Only the lane to the server waits for it, so there is one."""
        self._room = Deferred(self._give_up_room)
        return self._room

    def _give_up_room(self, room: Deferred[None]) -> None:
        self._room = None

    def end_answer(self) -> None:
        """An answer of the server has ended."""
        if self.answered < self.asked:
            self.answered += 1
        elif not self._pair.surplus:
            self._pair.surplus = True
            log.warn(
                "client {client!r}: the server answers more requests than it was asked; if that goes on, answers of "
                "filters come out of turn (logged once)",
                client=shortened(self.link.client_name),
            )

    @property
    def due(self) -> bool:
        """Whether it is the turn of an answer that waits."""
        return bool(self.waiting) and self.waiting[0].turn <= self.answered

    def take_due(self) -> list[Verdict]:
        """Return the answers whose turn it is, up to one that closes the link."""
        taken: list[Verdict] = []
        while self.due and not (taken and taken[-1].closes):
            item = self.waiting.popleft()
            self._size -= item.size
            taken.append(item.verdict)
        if self._room is not None and self.has_room:
            self.link._pair.call_soon(self._fire_room)
        return taken

    def _fire_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def release_soon(self) -> None:
        """Send the answers that are due in the next turn of the reactor, unless a message takes them along before."""
        if self.due:
            self.link._pair.call_soon(self._release)

    def _release(self) -> None:
        for verdict in self.take_due():
            for message in verdict.back:
                self.link.send_to_client(message)
            if verdict.closes:
                self.link.close(verdict.error)

    def with_due(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a message of the server, and after it the answers whose turn it is."""
        if not self.due or verdict.closes:
            return verdict
        taken = self.take_due()
        forward = [*verdict.forward, *(message for each in taken for message in each.back)]
        last = taken[-1]
        return Mixed(passes=verdict.passes, forward=forward, back=verdict.back, closes=last.closes, error=last.error)


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class InTurn:
    """The filter of one direction of a link."""

    _drops_when_closing: ClassVar[bool]

    def __init__(self, inner: Filter | None, pair: InOrder, turns: _Turns) -> None:
        self.inner = inner
        self._asks = pair.asks
        self._ends_answer = pair.ends_answer
        self._turns = turns
        self._ask: FilterFunction = pass_on if inner is None else guarded(inner)

    def __repr__(self) -> str:
        return f"in_order({self.inner!r})"

    def filter(self, message: Message, link: Link) -> Answer:
        """See `IFilter`."""
        if self._drops_when_closing and self._turns.closing:
            return DO_NOTHING
        try:
            answer = self._ask(message, link)
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._failed(message)
            raise
        if isinstance(answer, Verdict):
            return self._decide(answer, message)
        later: Deferred[Verdict] = verdict_later(answer, name_of(self.inner))
        return later.addCallbacks(self._decide, self._failed_later, callbackArgs=(message,), errbackArgs=(message,))

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It goes on with the turns of the link."""
        if isinstance(old, InTurn):
            self._turns = old._turns

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. It wants all, to count them."""
        if self.inner is not None:
            common_selector((self.inner,), codec)  # for its error
        return None

    def _decide(self, verdict: Verdict, message: Message) -> Verdict | Deferred[Verdict]:
        raise NotImplementedError

    def _failed(self, message: Message) -> None:
        raise NotImplementedError

    def _failed_later(self, failure: Failure, message: Message) -> Failure:
        self._failed(message)
        return failure


class _ToServer(InTurn):
    """Counts the answers that the server owes, and lets those of the filter wait."""

    __qualname__ = NAME
    _drops_when_closing = True

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
    _drops_when_closing = False

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
    """Return what is left of a verdict whose answer waits."""
    if verdict.passes:
        return Mixed(passes=True, forward=verdict.forward) if verdict.forward else PASS_ON
    return Send(*verdict.forward) if verdict.forward else DO_NOTHING
