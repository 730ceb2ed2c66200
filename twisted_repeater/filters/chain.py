"""`chain`: several filters as one, where each sees what the one before let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import implementer

from .._pending import verdict_later
from ..interfaces import ICodec, IFilter
from ..selectors import Selector
from ..verdicts import DO_NOTHING, PASS_ON, Close, Mixed, PassOnAndSendBack, Send, SendBack, Verdict
from ._migration import hand_over_by_name
from ._provider import (
    FilterFunction,
    checked_function,
    common_selector,
    guarded,
    name_of,
    pass_on,
    selector_of,
)

__all__ = ["Chain", "chain"]


def chain(*filters: Any) -> Chain:
    """Make one filter of several, which a message goes through from the first to the last.

    * What one drops or sends back, the next does not see. What one sends in place of it, the next sees, each message
      by itself and in order.
    * What is to be sent back goes to the sender, whichever filter says so, even if a later one drops the message.
    * `Close` ends it: what the filters before made and what `Close` forwards go out, nothing else is looked at.
    * A filter that answers later holds up the message and those behind it, as it would alone.
    * A message that all pass on leaves as the bytes that came.
    * Each sees only what it wants (`wants`); what none wants is not decoded. Where messages are decoded, the filters of
      a chain must tell what they want by class: the bytes are gone.
    """
    return Chain(filters)


@implementer(IFilter)
class Chain:
    """Filters one behind the other; `chain` makes it."""

    filter: Callable[[Any, Any], Any]

    def __init__(self, members: tuple[Any, ...]) -> None:
        self.members = members
        self.__qualname__ = f"chain({', '.join(map(name_of, members))})"
        # One alone is not asked about messages of others: its selector sees what it would see without a chain.
        function_of = checked_function if len(members) == 1 else guarded
        parts = [_Part(function_of(member), name_of(member)) for member in members]
        combined = parts.pop() if parts else _Part(pass_on, self.__qualname__)
        while parts:
            combined = _Part(_linked(parts.pop(), combined), self.__qualname__)
            combined.ask.__qualname__ = self.__qualname__  # for the error, if one of them raises
        self.filter = combined.ask

    def __repr__(self) -> str:
        return self.__qualname__

    def __call__(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        return self.filter(message, link)

    def migrate(self, old: Any) -> None:
        """Let each filter take over from the one of its name in the chain before, or from what was no chain."""
        hand_over_by_name(self.members, old.members if isinstance(old, Chain) else (old,))

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `IFilter`. What any of the members wants."""
        if len(self.members) == 1:
            return selector_of(self.members[0], codec)
        return common_selector(self.members, codec)


class _Part(NamedTuple):
    """One filter of a chain, or the rest of it."""

    ask: FilterFunction
    name: str


def _linked(first: _Part, rest: _Part) -> FilterFunction:
    """Put one filter before the others."""
    ask_first, ask_rest = first.ask, rest.ask

    def linked(message: Any, link: Any) -> Any:
        verdict = ask_first(message, link)
        if verdict is PASS_ON:
            answer = ask_rest(message, link)
            if answer is PASS_ON or isinstance(answer, Verdict):
                return answer
            return verdict_later(answer, rest.name)
        if verdict is DO_NOTHING:
            return verdict
        if isinstance(verdict, Verdict):
            return _after(verdict, message, link, rest)
        return _after_later(verdict_later(verdict, first.name), message, link, rest)

    return linked


def _after(verdict: Verdict, message: Any, link: Any, rest: _Part) -> Any:
    """Take what the first filter lets through to the rest."""
    count = verdict.passes + len(verdict.forward)
    if count < 2:
        return _after_one(verdict, message, link, rest) if count else verdict
    total = _Total(verdict)
    items = iter([*([(message, True)] if verdict.passes else []), *((other, False) for other in verdict.forward)])
    for item, is_original in items:
        answer = rest.ask(item, link)
        if not isinstance(answer, Verdict):
            return _carry_on(total, answer, item, is_original, items, link, rest)
        total.add(answer, item, is_original)
        if answer.closes:
            break
    return total.verdict()


def _after_one(verdict: Verdict, message: Any, link: Any, rest: _Part) -> Any:
    """The same, where that is one message: what comes of it is often one of the two verdicts as it is."""
    item = message if verdict.passes else verdict.forward[0]
    answer = rest.ask(item, link)
    if answer is PASS_ON:
        return verdict
    total = _Total(verdict)
    if not isinstance(answer, Verdict):
        return _carry_on(total, answer, item, verdict.passes, iter(()), link, rest)
    if not answer.passes and not verdict.back and not verdict.closes:
        return answer
    total.add(answer, item, verdict.passes)
    return total.verdict()


async def _after_later(later: Deferred[Verdict], message: Any, link: Any, rest: _Part) -> Verdict:
    """Wait for the first filter, then do the same."""
    answer = _after(await later, message, link, rest)
    return answer if isinstance(answer, Verdict) else await answer


async def _carry_on(
    total: _Total,
    answer: Any,
    item: Any,
    is_original: bool,
    items: Iterator[tuple[Any, bool]],
    link: Any,
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
    """All that the filters of a chain want to happen on account of one message."""

    __slots__ = ("back", "closes", "error", "forward", "passes")

    def __init__(self, verdict: Verdict) -> None:
        self.passes = False
        self.forward: list[Any] = []
        self.back = list(verdict.back)
        self.closes = verdict.closes
        self.error = verdict.error

    def add(self, answer: Verdict, item: Any, is_original: bool) -> None:
        """Add a verdict on the original message, or on one that stands in its place."""
        if answer.passes and is_original:
            self.passes = True
        elif answer.passes:
            self.forward.append(item)
        self.forward += answer.forward
        self.back += answer.back
        if answer.closes and not self.closes:
            self.closes = True
            self.error = answer.error

    def verdict(self) -> Verdict:
        """Return it as one verdict, in the form in which a single filter would say it."""
        if self.closes and not self.passes:
            return Close(self.error, forward=self.forward, back=self.back)
        if self.closes or (self.forward and (self.passes or self.back)):
            return Mixed(passes=self.passes, forward=self.forward, back=self.back, closes=self.closes, error=self.error)
        if self.forward:
            return Send(*self.forward)
        if self.passes:
            return PassOnAndSendBack(self.back) if self.back else PASS_ON
        return SendBack(self.back) if self.back else DO_NOTHING
