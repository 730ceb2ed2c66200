"""Which number a message has for its sender, and which for its receiver.

A flow is all messages of a session in one direction. Its sender counts them, and so does its receiver. In between,
messages are dropped and added, so a message may have two numbers: ``s`` for its sender, ``r`` for its receiver.

* A message that is dropped or changed keeps its place: ``r`` is used up by what the receiver gets instead.
* A message that is added takes the next ``r``. All later messages of the sender move up by one.

So ``r = s + (how many messages were added before s)``, and the numbers of added messages are all that there is to know.
Both numbers grow together, so each ``r`` is either an added message's, or that of exactly one ``s``.

A session may have millions of numbers of which something was done. So those that follow each other are one run, in
arrays: 16 bytes for a run of them, and 24 more for a run of added messages. What the messages said is in the store.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from .runs import Runs

__all__ = ["Contents", "FlowMap", "no_contents"]

Contents: TypeAlias = Callable[[int, int], Iterable[tuple[int, bytes]]]
"""Returns what is kept of the messages from a number of the receiver up to another, without that: their numbers, in
order, and the messages as they went out."""


def no_contents(start: int, stop: int) -> Iterable[tuple[int, bytes]]:
    """Return nothing: no messages are kept."""
    return ()


class FlowMap:
    """The numbers of one flow. All methods take time that grows with the logarithm of the number of runs.

    Args:
        own: the numbers of the receiver at which the repeater dropped, changed or added a message.
        added: those of them at which it added a message.
        contents: reads the messages that it sent there.
    """

    def __init__(
        self,
        own: Iterable[tuple[int, int]] = (),
        added: Iterable[tuple[int, int]] = (),
        contents: Contents = no_contents,
    ) -> None:
        self._own = Runs(own)
        self._contents = contents
        self._starts = array("q")
        """The receiver's number of the first message of each run of added ones."""
        self._stops = array("q")
        """The number behind the last of each."""
        self._origins = array("q")
        """The sender's number of the last message before each."""
        self.added: int = 0
        """How many messages were added: the next message of the sender moves up by so much."""
        for start, stop in added:
            self._add(start, stop)

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self._own)

    def __contains__(self, receiver: int) -> bool:
        """Whether the repeater did something at a number of the receiver."""
        return receiver in self._own

    @property
    def last_origin(self) -> int:
        """The sender's number of the last message that is known to have come; 0 if none is."""
        return self.sender_up_to(self._own.stop - 1) if self._own else 0

    def receiver(self, sender: int) -> int:
        """Return the receiver's number for a number of the sender."""
        at = bisect_left(self._origins, sender) - 1
        return sender if at < 0 else sender + self._stops[at] - 1 - self._origins[at]

    def sender_up_to(self, receiver: int) -> int:
        """Return the number of the sender's last message that has this number for the receiver, or a lower one."""
        at = bisect_right(self._starts, receiver) - 1
        if at < 0:
            return receiver
        return self._origins[at] + max(0, receiver - self._stops[at] + 1)

    def sender_from(self, receiver: int) -> int:
        """Return the number of the sender's first message that has this number for the receiver, or a higher one."""
        return self.sender_up_to(receiver) + self.is_added(receiver)

    def is_added(self, receiver: int) -> bool:
        """Return whether the message with this number was added."""
        at = bisect_right(self._starts, receiver) - 1
        return at >= 0 and receiver < self._stops[at]

    def runs(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Return the runs of numbers where the repeater did something, from a number up to another, without that."""
        return self._own.between(start, stop)

    def contents(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Return what the repeater sent in its own messages of a range, in order; those that it has forgotten are left
        out."""
        if any(self._own.between(start, stop)):
            for number, content in self._contents(start, stop):
                if number in self._own:
                    yield number, content

    def end_of_run(self, start: int, stop: int) -> int:
        """Return the first number from ``start`` on at which nothing was done; at most ``stop``."""
        return min(self._own.run_of(start)[1], stop) if start < stop else start

    def start_of_run(self, start: int, stop: int) -> int:
        """Return the lowest number, not below ``start``, from which on something was done up to ``stop``."""
        if stop <= start or stop - 1 not in self._own:
            return stop
        return max(self._own.run_of(stop - 1)[0], start)

    def record(self, number: int, *, added: bool = False) -> None:
        """Note that the repeater does something at a number of the receiver.

        An added message must have a higher number than all before it.
        """
        self._own.add(number)
        if added:
            self._add(number, number + 1)

    def _add(self, start: int, stop: int) -> None:
        if self._stops and self._stops[-1] == start:
            self._stops[-1] = stop
        else:
            self._origins.append(start - 1 - self.added)
            self._starts.append(start)
            self._stops.append(stop)
        self.added += stop - start

    def begun_again(self) -> FlowMap:
        """Return the numbers of the flow that begins again."""
        return FlowMap(contents=self._contents)
