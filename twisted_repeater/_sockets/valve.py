"""A valve on the reading of one connection: closed as long as there is a reason for it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IPushProducer

__all__ = ["Valve"]

NO_REASON: frozenset[str] = frozenset()
"""Shared, since nearly all valves are open, and a set takes 200 bytes."""


class Valve:
    """Pauses a transport while at least one reason is left.

    A transport that two parts pause on their own would be resumed by the first of them; hence the set of reasons.
    ``told`` is called with true or false whenever the transport begins or ceases to be read.
    """

    __slots__ = ("_producer", "_reasons", "_told")

    def __init__(self, producer: IPushProducer, told: Callable[[bool], None] | None = None) -> None:
        self._producer: IPushProducer | None = producer
        self._told = told
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
        if self._told is not None:
            self._told(reads)
        if reads:
            self._producer.resumeProducing()
        else:
            self._producer.pauseProducing()

    def detach(self) -> None:
        """The stream has ended: touch the transport no more (resuming it would only find the end again)."""
        self._producer = self._told = None
