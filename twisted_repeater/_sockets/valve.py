"""A valve on the reading of one connection: closed as long as there is a reason for it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Pausable", "Valve"]

NO_REASON: frozenset[str] = frozenset()
"""Shared, since nearly all valves are open, and a set takes 200 bytes."""


class Pausable(Protocol):
    """A source that a valve pauses: a part of Twisted's ``IPushProducer``."""

    def pauseProducing(self) -> None:
        """Read no more."""

    def resumeProducing(self) -> None:
        """Read on."""


class Valve:
    """Pauses a producer while at least one reason is left.

    A producer that two parts pause on their own would be resumed by the first of them; hence the set of reasons.
    """

    __slots__ = ("_producer", "_reasons")

    def __init__(self, producer: Pausable) -> None:
        self._producer: Pausable | None = producer
        self._reasons = NO_REASON

    @property
    def closed(self) -> bool:
        """Whether reading is paused."""
        return bool(self._reasons)

    def has(self, reason: str) -> bool:
        """Return whether reading is paused for this reason."""
        return reason in self._reasons

    def close(self, reason: str) -> None:
        """Pause for this reason."""
        if reason in self._reasons:
            return
        self._reasons |= {reason}
        if len(self._reasons) == 1:
            self._read(False)

    def open(self, reason: str) -> None:
        """This reason is gone: read on if it was the last."""
        if reason in self._reasons:
            self._reasons = (self._reasons - {reason}) or NO_REASON
            if not self._reasons:
                self._read(True)

    def open_fully(self) -> None:
        """No reason counts any more."""
        if self._reasons:
            self._reasons = NO_REASON
            self._read(True)

    def _read(self, reads: bool) -> None:
        if self._producer is None:
            return
        if reads:
            self._producer.resumeProducing()
        else:
            self._producer.pauseProducing()

    def detach(self) -> None:
        """Pause and resume the producer no more."""
        self._producer = None

    def attach(self, producer: Pausable) -> None:
        """Pause and resume this producer again, which reads, from now on."""
        self._producer = producer
        if self._reasons:
            self._read(False)
