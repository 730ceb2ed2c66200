"""A verdict that a filter gives later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["NOT_YET", "Awaited"]

NOT_YET = object()
"""What stands for the result before there is one."""


class Awaited:
    """Waits for a Deferred that may have fired already, fires later, or never.

    ``then`` is called with the result, unless that is there at once or comes after `give_up`. Others may wait for the
    same Deferred: a result is left in it, a failure is not, as that would be logged as if nobody had seen it.
    """

    __slots__ = ("_deferred", "_given_up", "_then", "result")

    log = Logger()

    def __init__(self, deferred: Deferred[Any], then: Callable[[Any], None]) -> None:
        self.result: Any = NOT_YET
        self._given_up = False
        self._then: Callable[[Any], None] | None = None
        self._deferred = deferred
        deferred.addBoth(self._arrived)
        self._then = then

    def _arrived(self, result: Any) -> Any:
        failed = isinstance(result, Failure)
        if self._given_up:  # an error that nobody waits for is still worth a log entry
            return None if failed and result.check(CancelledError) else result
        self.result = result
        if self._then is not None:
            self._then(result)
        return None if failed else result

    def give_up(self) -> None:
        """Cancel the Deferred; whatever it gives comes too late."""
        self._given_up = True
        try:
            self._deferred.cancel()
        except Exception:
            self.log.failure("a Deferred that a filter returned cannot be cancelled")
