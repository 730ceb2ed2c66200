"""A verdict that a filter gives later."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._coroutines import run
from ._text import loggable, repr_of
from .errors import WrongVerdict
from .verdicts import Verdict

__all__ = ["NOT_YET", "PendingVerdict", "verdict_later"]

NOT_YET = object()
"""What stands for the result before there is one."""


class PendingVerdict:
    """Waits for what a filter gave that is no verdict: a coroutine, or a Deferred that fired, fires later, or never.

    ``result`` becomes a verdict, or a failure: a `WrongVerdict` of ``who`` if that is what it is. ``then`` is called
    with it, unless it is there at once or comes after `give_up`. Others may wait for the same Deferred: a result is
    left in it, a failure is not, as that would be logged as if nobody had seen it.
    """

    __slots__ = ("_deferred", "_given_up", "_then", "_who", "result")

    log = Logger()

    def __init__(self, answer: Any, then: Callable[[Any], Any], who: str = "the filter") -> None:
        self.result: Any = NOT_YET
        self._given_up = False
        self._then: Callable[[Any], Any] | None = None
        self._who = who
        self._deferred = run(answer) if iscoroutine(answer) else answer
        if isinstance(self._deferred, Deferred):
            self._deferred.addBoth(self._arrived)
        else:
            self.result = Failure(WrongVerdict(f"{who} returned {repr_of(answer)}, which is no verdict"))
        self._then = then

    def _arrived(self, result: Any) -> Any:
        # Their types are compared, because isinstance asks an object for its __class__, which may raise.
        failed = issubclass(type(result), Failure)
        if self._given_up:  # an error that nobody waits for is still worth a log entry
            return None if failed and result.check(CancelledError) else result
        if failed and not isinstance(result.value, BaseException):
            self.result = self._wrong(f"failed with {repr_of(result.value)}, which is no exception")
        elif failed or issubclass(type(result), Verdict):
            self.result = result
        else:
            self.result = self._wrong(f"gave {repr_of(result)}, which is no verdict")
        if self._then is not None:
            self._then(self.result)
        return None if failed else result

    def _wrong(self, what: str) -> Failure:
        return Failure(WrongVerdict(f"{self._who}'s Deferred {what}"))

    def give_up(self) -> None:
        """Cancel the Deferred; whatever it gives comes too late."""
        self._given_up = True
        try:
            self._deferred.cancel()
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.log.failure("a Deferred that a filter returned cannot be cancelled", loggable(Failure()))


def verdict_later(answer: Any, who: str = "the filter") -> Deferred[Verdict]:
    """Return a Deferred of its own for the verdict of what a filter gave that is none; see `PendingVerdict`.

    Whatever is done with it, others can wait for the filter's Deferred too. If it is cancelled, so is that.
    """
    later: Deferred[Verdict] = Deferred(lambda _: awaited.give_up())
    awaited = PendingVerdict(answer, later.callback, who)
    if awaited.result is not NOT_YET:
        later.callback(awaited.result)
    return later
