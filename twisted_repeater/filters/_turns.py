"""The turns of the answers on one link, for `in_order`.

`Turns` counts the answers that the server owes, and those that have ended. An answer of a filter waits with the number
of answers that are before it. It goes out with the message that ends the last of these, as part of the verdict on that
message, so that nothing comes between. Where there is no such message, it goes out in the next turn of the reactor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred

from ..link import Link
from ..model import Direction
from ..verdicts import Mixed, Verdict, delayed_like

__all__ = ["MOST_BYTES", "Turns"]

MOST_BYTES = 1024 * 1024
"""The number of bytes in waiting answers from which on the client's next request waits."""


class _Waiting(NamedTuple):
    """An answer that waits."""

    turn: int
    """How many answers of the server must have ended before."""
    verdict: Verdict
    """Has the messages, and whether the link is closed after them."""
    size: int
    """How many bytes the messages have, as far as they are bytes."""


class Turns:
    """The turns of one link. Both its filters have it, and those that replace them.

    Args:
        link: the link.
        owed: how many answers the server owes from the beginning.
        most_waiting: how many answers may wait.
        on_surplus: called with the link if the server answers more than it was asked.
    """

    __slots__ = ("_most_waiting", "_on_surplus", "_room", "_size", "answered", "asked", "closing", "link", "waiting")

    def __init__(self, link: Link, owed: int, most_waiting: int, on_surplus: Callable[[Link], None]) -> None:
        self.link: Link = link
        self.asked: int = owed
        """How many answers the server has owed so far."""
        self.answered: int = 0
        """How many of these have ended."""
        self.waiting: deque[_Waiting] = deque()
        self.closing: bool = False
        """Whether an answer waits after which the link is closed: later messages are dropped."""
        self._most_waiting = most_waiting
        self._on_surplus = on_surplus
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
        return len(self.waiting) < self._most_waiting and self._size < MOST_BYTES

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
        else:
            self._on_surplus(self.link)

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
        mixed = Mixed(passes=verdict.passes, forward=forward, back=verdict.back, closes=last.closes, error=last.error)
        return delayed_like(mixed, verdict)
