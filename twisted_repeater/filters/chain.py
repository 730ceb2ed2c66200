"""`chain`: several filters as one, where each sees the messages that the one before let through."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, cast, overload

from twisted.internet.defer import Deferred
from zope.interface import implementer

from .._pending import verdict_later
from .._types import Filter, FilterFunction, FilterPairObject, Filters
from ..interfaces import ICodec, IFilter, IFilterPair, IMigrating, ISelectiveByCodec
from ..link import Link
from ..model import Direction
from ..selectors import Selector
from ..verdicts import DO_NOTHING, PASS_ON, Answer, Close, Later, Mixed, PassOnAndSendBack, Send, SendBack, Verdict
from ._migration import hand_over_by_name
from ._one_by_one import one_by_one
from ._provider import (
    checked_function,
    common_selector,
    filters_of,
    fixed_filters,
    guarded,
    is_pair,
    name_of,
    pass_on,
    selector_of,
)
from .in_order import InOrder

__all__ = ["Chain", "PairChain", "chain"]


@overload
def chain(*filters: Filter) -> Chain: ...


@overload
def chain(*filters: FilterPairObject) -> PairChain: ...


def chain(*filters: Filter | FilterPairObject) -> Chain | PairChain:
    """Return one filter that passes each message through several filters, from the first to the last.

    * If a filter drops a message or sends one back, the next filter does not see it. If a filter sends other messages
      instead, the next filter sees these, one by one and in order.
    * Messages that a filter sends back go to the sender, even if a later filter drops the message.
    * After `Close`, no other filter is asked. The messages that the filters before it made, and those that `Close`
      forwards, go out.
    * While a filter's answer is awaited, the message and those after it wait.
    * If the verdict is `Later`, the next filter sees the message at once. The delays of several filters add up. If a
      message becomes several, they go out together, with the longest of their delays.
    * A message that all filters pass on leaves as the bytes that came.
    * Each filter sees only the messages that it wants (`wants`). A message that none wants is not decoded. If messages
      are decoded, the filters must choose by class, because the bytes are gone; those of the dialect hl7 keep them.

    Pairs of filters (`IFilterPair`) make a pair, in the same way: in both directions a message goes through the filters
    from the first pair to the last. A filter of one direction joins them in a `FilterPair`::

        chain(FilterPair(to_server=check), pair)

    Args:
        filters: functions of a message and its link, or objects with a method ``filter``; or all of them pairs.

    Raises:
        TypeError: an argument is not a filter, or is the filter of one direction among pairs; or `in_order` is not the
            last of the pairs: those after it could answer out of turn.
    """
    if not any(map(is_pair, filters)):
        return Chain(cast("tuple[Filter, ...]", filters))
    return PairChain(cast("tuple[FilterPairObject, ...]", filters))


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class Chain:
    """Filters one after the other; `chain` makes it."""

    filter: FilterFunction
    """See `IFilter`."""

    def __init__(self, members: tuple[Filter, ...]) -> None:
        self.members: tuple[Filter, ...] = members
        self.__qualname__: str = f"chain({', '.join(map(name_of, members))})"
        # One alone is not asked about messages of others: its selector sees the same messages as without a chain.
        function_of = checked_function if len(members) == 1 else guarded
        parts = [_Part(function_of(member), name_of(member)) for member in members]
        self.filter = _linked(parts, self.__qualname__) if parts else pass_on

    def __repr__(self) -> str:
        return self.__qualname__

    def __call__(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        return self.filter(message, link)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. Each member takes over from the one of its name in the chain, or from a filter."""
        hand_over_by_name(self.members, old.members if isinstance(old, Chain) else (old,))

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. It wants the messages that any of the members wants."""
        if len(self.members) == 1:
            return selector_of(self.members[0], codec)
        return common_selector(self.members, codec)


@implementer(IFilterPair, IMigrating)
class PairChain:
    """Pairs of filters one after the other; `chain` makes it."""

    def __init__(self, members: tuple[FilterPairObject, ...]) -> None:
        for member in members:
            if not is_pair(member):
                raise TypeError(
                    f"a chain has either filters or pairs of filters: write FilterPair(to_server={name_of(member)}) or "
                    "FilterPair(to_client=...)"
                )
        for member in members[:-1]:
            if isinstance(member, InOrder) or (isinstance(member, PairChain) and member.ends_in_order):
                raise TypeError("in_order must be the last in a chain: filters after it could answer out of turn")
        self.members: tuple[FilterPairObject, ...] = members
        last = members[-1]
        self.ends_in_order: bool = isinstance(last, InOrder) or (isinstance(last, PairChain) and last.ends_in_order)
        self.__qualname__: str = f"chain({', '.join(map(name_of, members))})"

    def __repr__(self) -> str:
        return self.__qualname__

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`. It makes the filters of all members, from the first to the last."""
        made = [filters_of(member, link) for member in self.members]
        return (_chained([pair[0] for pair in made]), _chained([pair[1] for pair in made]))

    def migrate(self, old: object) -> None:
        """See `IMigrating`. Each member takes over from the one of its name in the chain, or from a pair."""
        hand_over_by_name(self.members, old.members if isinstance(old, PairChain) else (old,))

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        for member in self.members:
            yield from fixed_filters(member)


def _chained(filters: list[Filter | None]) -> Filter | None:
    """Return one filter of those of one direction, ``None`` without any."""
    members = tuple(member for member in filters if member is not None)
    return members[0] if len(members) == 1 else Chain(members) if members else None


class _Part(NamedTuple):
    """One filter of a chain, or the rest of it."""

    ask: FilterFunction
    name: str


def both(first: FilterFunction, rest: FilterFunction, name: str) -> FilterFunction:
    """Return what a chain of two functions does, at little cost: each of thousands of lanes may need one.

    Args:
        first: a filter that wants all messages.
        rest: another one.
        name: what both are called in errors.
    """
    return _linked([_Part(first, name), _Part(rest, name)], name)


def _linked(parts: list[_Part], name: str) -> FilterFunction:
    """Return one function that asks filters one after the other."""
    rests = parts[-1:]
    for at in range(len(parts) - 2, -1, -1):
        ask = one_by_one(tuple(part.ask for part in parts[at:]), partial(_stopped, parts[at:], rests.copy()))
        ask.__qualname__ = name  # for the error, if one of them raises
        rests.insert(0, _Part(ask, name))
    return rests[0].ask


def _stopped(parts: list[_Part], rests: list[_Part], at: int, answer: Answer, message: object, link: Link) -> Answer:
    """Go on after an answer of one of the filters. ``rests`` has what comes after each but the last."""
    if at == len(rests):
        return answer if isinstance(answer, Verdict) else verdict_later(answer, parts[at].name)
    if isinstance(answer, Verdict):
        return _after(answer, message, link, rests[at])
    return _after_later(verdict_later(answer, parts[at].name), message, link, rests[at])


def _after(verdict: Verdict, message: object, link: Link, rest: _Part) -> Answer:
    """Pass the messages that the first filter lets through to the rest."""
    count = verdict.passes + len(verdict.forward)
    if count < 2:
        return _after_one(verdict, message, link, rest) if count else verdict
    total = _Total(verdict)
    originals = [(message, True)] if verdict.passes else []
    items = iter(originals + [(other, False) for other in verdict.forward])
    for item, is_original in items:
        answer = rest.ask(item, link)
        if not isinstance(answer, Verdict):
            return _carry_on(total, answer, item, is_original, items, link, rest)
        total.add(answer, item, is_original)
        if answer.closes:
            break
    return total.verdict()


def _after_one(verdict: Verdict, message: object, link: Link, rest: _Part) -> Answer:
    """Do the same for one message: the result is often one of the two verdicts as it is."""
    item = message if verdict.passes else verdict.forward[0]
    answer = rest.ask(item, link)
    if answer is PASS_ON:
        return verdict
    total = _Total(verdict)
    if not isinstance(answer, Verdict):
        return _carry_on(total, answer, item, verdict.passes, iter(()), link, rest)
    if not answer.passes and not verdict.back and not verdict.closes and not verdict.delay:
        return answer
    total.add(answer, item, verdict.passes)
    return total.verdict()


async def _after_later(later: Deferred[Verdict], message: object, link: Link, rest: _Part) -> Verdict:
    """Wait for the first filter, then do the same."""
    answer = _after(await later, message, link, rest)
    return answer if isinstance(answer, Verdict) else await answer


async def _carry_on(
    total: _Total,
    answer: Answer,
    item: object,
    is_original: bool,
    items: Iterator[tuple[object, bool]],
    link: Link,
    rest: _Part,
) -> Verdict:
    """Wait for the rest's verdict on an item, then go on with the next ones."""
    while True:
        verdict = answer if isinstance(answer, Verdict) else await verdict_later(answer, rest.name)
        total.add(verdict, item, is_original)
        if verdict.closes:
            break
        try:
            item, is_original = next(items)
        except StopIteration:
            break
        answer = rest.ask(item, link)
    return total.verdict()


class _Total:
    """The effects of all filters of a chain on one message."""

    __slots__ = ("_delay", "_longest", "back", "closes", "error", "forward", "passes")

    def __init__(self, verdict: Verdict) -> None:
        self._delay = verdict.delay
        self._longest = 0.0
        self.passes = False
        self.forward: list[object] = []
        self.back = list(verdict.back)
        self.closes = verdict.closes
        self.error = verdict.error

    def add(self, answer: Verdict, item: object, is_original: bool) -> None:
        """Add a verdict on the original message, or on one that replaces it."""
        if answer.passes and is_original:
            self.passes = True
        elif answer.passes:
            self.forward.append(item)
        self.forward += answer.forward
        self.back += answer.back
        self._longest = max(self._longest, answer.delay)
        if answer.closes and not self.closes:
            self.closes = True
            self.error = answer.error

    def verdict(self) -> Verdict:
        """Return the effects as one verdict, as a single filter would return it."""
        delay = self._delay + self._longest
        return Later(delay, self._at_once()) if delay else self._at_once()

    def _at_once(self) -> Verdict:
        if self.closes and not self.passes:
            return Close(self.error, forward=self.forward, back=self.back)
        if self.closes or (self.forward and (self.passes or self.back)):
            return Mixed(passes=self.passes, forward=self.forward, back=self.back, closes=self.closes, error=self.error)
        if self.forward:
            return Send(*self.forward)
        if self.passes:
            return PassOnAndSendBack(self.back) if self.back else PASS_ON
        return SendBack(self.back) if self.back else DO_NOTHING
