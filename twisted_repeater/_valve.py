"""A valve on the reading of one connection: closed as long as there is a reason for it."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer

__all__ = ["Valve"]

NO_REASON: frozenset[str] = frozenset()
"""Shared, since nearly all valves are open, and a set takes 200 bytes."""


class Valve:
    """Pauses a transport while at least one reason is left.

    A transport that two parts pause on their own would be resumed by the first of them; hence the set of reasons.
    """

    __slots__ = ("_producer", "_reasons")

    def __init__(self, producer: IPushProducer) -> None:
        self._producer: IPushProducer | None = producer
        self._reasons = NO_REASON

    @property
    def closed(self) -> bool:
        """Whether reading is paused."""
        return bool(self._reasons)

    def close(self, reason: str) -> None:
        """Pause for this reason."""
        if reason in self._reasons:
            return
        self._reasons |= {reason}
        if len(self._reasons) == 1 and self._producer is not None:
            self._producer.pauseProducing()

    def open(self, reason: str) -> None:
        """This reason is gone: read on if it was the last."""
        if reason in self._reasons:
            self._reasons = (self._reasons - {reason}) or NO_REASON
            if not self._reasons and self._producer is not None:
                self._producer.resumeProducing()

    def open_fully(self) -> None:
        """No reason counts any more."""
        if self._reasons:
            self._reasons = NO_REASON
            if self._producer is not None:
                self._producer.resumeProducing()

    def detach(self) -> None:
        """The stream has ended: touch the transport no more (resuming it would only find the end again)."""
        self._producer = None
