"""What a receiver gets when it asks for messages again: the sender's, and the repeater's own in their places.

A receiver asks for a range of its numbers. The sender knows nothing of the changes that the repeater made there. So the
repeater asks the sender for its messages of the range. While these pass, it puts its own in at their places:

* A dropped message becomes a gap fill, also if the sender sends it again.
* An added message, or a changed one, is sent again as it went out.
* A gap fill of the sender is split where added or changed messages lie.

`Resend` is one such request under way. It ends with its link: a receiver that still misses something asks again. All
numbers here are those of the receiver; a range does not contain its ``stop``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .flow_map import FlowMap

__all__ = ["Gap", "Own", "Piece", "Resend", "Resends", "filled", "own"]

MOST = 64
"""How many requests are remembered. Those that are over still tell what the receiver has got."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap fill."""

    start: int
    """The first number that it fills."""
    stop: int
    """The number of the next message."""


@dataclass(frozen=True, slots=True)
class Own:
    """A message of the repeater's."""

    number: int
    """Its number."""
    content: bytes
    """The message as it went out."""


Piece: TypeAlias = Gap | Own
"""What the receiver gets: a gap fill, or a message of the repeater's."""


@dataclass(slots=True, eq=False)
class Resend:
    """A range that a receiver has asked for."""

    start: int
    """Its first number."""
    next: int
    """The first number that the receiver has not got yet."""
    seen: int
    """The number behind the last one that the sender has answered."""
    stop: int
    """The number behind its last."""
    goes_on: bool
    """Whether the sender goes on beyond that, with what it has sent meanwhile."""


def own(numbers: FlowMap, start: int, stop: int) -> Iterator[Piece]:
    """Return what the repeater has to send at its own numbers of a range, and nothing for other numbers."""
    for piece in filled(numbers, start, stop):
        if isinstance(piece, Own):
            yield piece
        else:
            yield from (Gap(*run) for run in numbers.runs(piece.start, piece.stop))


def filled(numbers: FlowMap, start: int, stop: int) -> Iterator[Piece]:
    """Return what the receiver gets where the sender fills a whole range."""
    for number, content in numbers.contents(start, stop):
        if start < number:
            yield Gap(start, number)
        yield Own(number, content)
        start = number + 1
    if start < stop:
        yield Gap(start, stop)


class Resends:
    """The requests of one receiver that are under way, in order: the sender answers them in that order.

    Args:
        numbers: the numbers of the flow.
    """

    def __init__(self, numbers: FlowMap) -> None:
        self._numbers = numbers
        self._under_way: list[Resend] = []

    def clear(self) -> None:
        """Forget all requests."""
        self._under_way.clear()

    def begin(self, start: int, stop: int, goes_on: bool = False) -> list[Piece]:
        """The receiver asks for a range. Return what it gets before the sender answers."""
        if start >= stop:
            return []
        resend = Resend(start, start, start, stop, goes_on)
        self._under_way = [*self._under_way[-(MOST - 1) :], resend]
        return self._run(resend)

    def message(self, number: int) -> tuple[list[Piece], bool, list[Piece]]:
        """The sender sends a message again.

        Returns:
            What the receiver gets before it, whether it gets the message itself, and what it gets after it.
        """
        passes = number not in self._numbers
        resend = self._answered(number, number + 1)
        if resend is None:
            sent = any(one.start <= number < one.next for one in self._under_way)
            return ([] if passes or sent else list(own(self._numbers, number, number + 1))), passes, []
        before = list(own(self._numbers, resend.next, number if passes else number + 1))
        resend.next = max(resend.next, number + 1)
        resend.seen = number + 1
        return before, passes, self._run(resend)

    def gap(self, start: int, stop: int) -> list[Piece]:
        """The sender fills a gap. Return what the receiver gets instead."""
        resend = self._answered(start, stop)
        if resend is None:
            return list(filled(self._numbers, start, stop))
        pieces = [
            *own(self._numbers, resend.next, start),
            *filled(self._numbers, max(start, resend.next), stop),  # its own entries up to there have been sent
        ]
        resend.next = max(resend.next, stop)
        resend.seen = stop
        return pieces + self._run(resend)

    def _answered(self, number: int, stop: int) -> Resend | None:
        """Return the request that the sender answers by what it says of a range. Those before it are over.

        The sender leaves out nothing but what it has never sent, and says nothing of what it was not asked for.
        """
        last_of = self._numbers.sender_up_to
        last = last_of(stop - 1)
        reached = [one for one in self._under_way if one.seen <= number]
        following = [one for one in reached if self._numbers.end_of_run(one.seen, number) == number]
        fitting = (
            [one for one in following if last <= last_of(one.stop - 1)]
            or [one for one in following if one.goes_on]
            or [one for one in following if number < one.stop]
            or [one for one in reached if number < one.stop]
        )
        if not fitting:
            return None
        del self._under_way[: self._under_way.index(fitting[0])]
        return fitting[0]

    def _run(self, resend: Resend) -> list[Piece]:
        """Go on to the first number that only the sender can send; return what the receiver gets up to there."""
        end = self._numbers.end_of_run(resend.next, resend.stop)
        pieces = list(own(self._numbers, resend.next, end))
        resend.next = max(resend.next, end)
        return pieces
