"""The messages that are held, of all repeaters of the process.

A message is held from the call of `HeldMessages.hold` until it is settled, once: somebody releases, drops, changes or
answers it, its deadline is over, its rule or the owner of its rule is gone, or its link ends. Whatever comes first
wins; all others learn what it was. First it is taken off the list, then its lane goes on.

A lane waits for the message that is held, so of a direction of a link one message is held at most, and those behind it
keep their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ...holding import HeldMessage
from ...verdicts import PASS_ON, Verdict
from .shapes import MOST_HELD
from .shown import payload_of

if TYPE_CHECKING:
    from .rules import HoldRule

__all__ = ["MOST_BYTES", "Gone", "HeldItem", "HeldMessages"]

MOST_BYTES: Final = 64 * 1024 * 1024
"""How many bytes of messages may be held in the process."""

REMEMBERED: Final = 1000
"""Of how many messages that are not held any more it is known what became of them."""

AT_ONCE: Final = 50
"""How many messages are released before the reactor can do other work. What waits behind each goes on as well."""


class Gone(Exception):
    """A message is not held any more, or never was.

    Args:
        how: what became of it; ``None`` if that is not known.
    """

    def __init__(self, how: str | None) -> None:
        super().__init__(how)
        self.how: str | None = how


class HeldItem:
    """A message that is held."""

    def __init__(self, number: int, rule: HoldRule, repeater: str, message: HeldMessage, size: int) -> None:
        self.id: int = number
        self.rule: HoldRule = rule
        self.repeater: str = repeater
        """The name of its repeater."""
        self.message: HeldMessage = message
        self.size: int = size
        """How many bytes it has."""
        self.since: float = message.time
        """Since when it is held, in seconds since 1970."""
        self.until: float = message.time + rule.asked.timeout
        """When it is released by itself."""
        self.verdict: Deferred[Verdict] = Deferred()
        """Fires with what becomes of it."""
        self.deadline: IDelayedCall | None = None
        """Releases it."""

    def left(self, clock: IReactorTime) -> float:
        """Return in how many seconds it is released by itself."""
        if self.deadline is None or not self.deadline.active():
            return 0.0
        return max(0.0, round(self.deadline.getTime() - clock.seconds(), 3))


class HeldMessages:
    """All messages that are held.

    Args:
        clock: for deadlines.
        on_held: called with each message that is held from now on.
        on_settled: called with each one that is not held any more, and with what became of it.
    """

    def __init__(
        self,
        clock: IReactorTime,
        on_held: Callable[[HeldItem], object] = lambda item: None,
        on_settled: Callable[[HeldItem, str], object] = lambda item, how: None,
    ) -> None:
        self._clock = clock
        self._on_held = on_held
        self._on_settled = on_settled
        self._held: dict[int, HeldItem] = {}
        self._of_rule: dict[int, int] = {}
        self._settled: dict[int, str] = {}
        self._last = 0
        self.size: int = 0
        """How many bytes all of them have."""

    def __len__(self) -> int:
        return len(self._held)

    def of(self, repeater: str) -> list[HeldItem]:
        """Return the messages of a repeater that are held, the first one first."""
        return [item for item in self._held.values() if item.repeater == repeater]

    def count_of(self, rule: int) -> int:
        """Return how many messages a rule holds."""
        return self._of_rule.get(rule, 0)

    def get(self, repeater: str, number: int) -> HeldItem:
        """Return a message that is held; raise `Gone` if it is not held any more."""
        item = self._held.get(number)
        if item is None or item.repeater != repeater:
            raise Gone(self._settled.get(number) if item is None else None)
        return item

    def holds(self, item: HeldItem) -> bool:
        """Return whether a message is still held."""
        return item.id in self._held

    def hold(self, rule: HoldRule, repeater: str, message: HeldMessage) -> Deferred[Verdict] | None:
        """Hold a message; return ``None`` if too much is held."""
        payload = payload_of(message)
        size = 0 if payload is None else len(payload)
        held = self.count_of(rule.id)
        if held >= rule.asked.max_held or len(self._held) >= MOST_HELD or self.size + size > MOST_BYTES:
            return None
        self._last += 1
        item = HeldItem(self._last, rule, repeater, message, size)
        self._held[item.id] = item
        self._of_rule[rule.id] = held + 1
        self.size += size
        item.verdict = Deferred(lambda deferred: self._take(item.id, "link ended"))
        item.deadline = self._clock.callLater(rule.asked.timeout, self.settle, item, "deadline")
        self._on_held(item)
        return item.verdict

    def settle(self, item: HeldItem, how: str, verdict: Verdict = PASS_ON) -> None:
        """Let a message go on, with a verdict.

        Raises:
            Gone: it is not held any more.
        """
        if item.id not in self._held:
            raise Gone(self._settled.get(item.id))
        self._take(item.id, how)
        item.verdict.callback(verdict)

    def release_of(self, rules: Collection[int], how: str) -> None:
        """Release everything that some rules hold, in the order in which it came: much of it in several turns."""
        self._release(deque(item for item in self._held.values() if item.rule.id in rules), how)

    def _release(self, items: deque[HeldItem], how: str) -> None:
        for _ in range(min(AT_ONCE, len(items))):
            item = items.popleft()
            if item.id in self._held:  # somebody may have settled it, or the one before has ended its link
                self.settle(item, how)
        if items:
            self._clock.callLater(0, self._release, items, how)

    def _take(self, number: int, how: str) -> Any:
        """Take a message off the list."""
        item = self._held.pop(number)
        self.size -= item.size
        left = self._of_rule.pop(item.rule.id) - 1
        if left:
            self._of_rule[item.rule.id] = left
        if item.deadline is not None and item.deadline.active():
            item.deadline.cancel()
        self._settled[number] = how
        if len(self._settled) > REMEMBERED:
            del self._settled[next(iter(self._settled))]
        self._on_settled(item, how)
