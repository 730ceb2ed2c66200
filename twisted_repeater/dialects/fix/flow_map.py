"""Which number a message has for its sender, and which for its receiver.

A flow is all messages of a session in one direction. Its sender counts them, and so does its receiver. In between,
messages are dropped and added, so a message may have two numbers: ``s`` for its sender, ``r`` for its receiver.

* A message that is dropped or changed keeps its place: ``r`` is used up by what the receiver gets instead.
* A message that is added takes the next ``r``. All later messages of the sender move up by one.

So ``r = s + (how many messages were added before s)``, and the entries of added messages are all that there is to know.
Both numbers grow together, so each ``r`` is either an added message's, or that of exactly one ``s``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import replace

from .store import Entry, Kind

__all__ = ["FlowMap"]


class FlowMap:
    """The numbers of one flow. All methods take time that grows with the logarithm of the number of entries.

    Args:
        entries: what the repeater did, in the order of the receiver's numbers.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[int, Entry] = {}
        self._numbers: list[int] = []
        self._added: list[int] = []
        """The receiver's numbers of added messages."""
        self._origins: list[int] = []
        """The sender's number of the last message before each of these."""
        for entry in entries:
            self.record(entry)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[number] for number in self._numbers)

    @property
    def added(self) -> int:
        """How many messages were added: the next message of the sender moves up by so much."""
        return len(self._added)

    def receiver(self, sender: int) -> int:
        """Return the receiver's number for a number of the sender."""
        return sender + bisect_left(self._origins, sender)

    def sender_up_to(self, receiver: int) -> int:
        """Return the number of the sender's last message that has this number for the receiver, or a lower one."""
        return receiver - bisect_right(self._added, receiver)

    def sender_from(self, receiver: int) -> int:
        """Return the number of the sender's first message that has this number for the receiver, or a higher one."""
        return self.sender_up_to(receiver) + self.is_added(receiver)

    def is_added(self, receiver: int) -> bool:
        """Return whether the message with this number was added."""
        entry = self._entries.get(receiver)
        return entry is not None and entry.kind is Kind.ADDED

    def entry(self, receiver: int) -> Entry | None:
        """Return what the repeater did at a number of the receiver, or ``None``."""
        return self._entries.get(receiver)

    def entries(self, start: int, stop: int) -> Iterator[Entry]:
        """Return the entries from a number of the receiver up to another, without that."""
        first = bisect_left(self._numbers, start)
        for number in self._numbers[first : bisect_left(self._numbers, stop, first)]:
            yield self._entries[number]

    def end_of_run(self, start: int, stop: int) -> int:
        """Return the first number from ``start`` on that has no entry; at most ``stop``."""
        while start < stop and start in self._entries:
            start += 1
        return start

    def start_of_run(self, start: int, stop: int) -> int:
        """Return the lowest number, not below ``start``, from which on all numbers up to ``stop`` have entries."""
        while stop > start and stop - 1 in self._entries:
            stop -= 1
        return stop

    def record(self, entry: Entry) -> None:
        """Note what the repeater did at a number without an entry.

        An added message must have a higher number than all before it.
        """
        self._entries[entry.number] = entry
        insort(self._numbers, entry.number)
        if entry.kind is Kind.ADDED:
            self._added.append(entry.number)
            self._origins.append(entry.origin)

    def forget_content(self, receiver: int) -> None:
        """Forget what a message said. Whoever asks for it again gets a gap fill."""
        self._entries[receiver] = replace(self._entries[receiver], content=None)
