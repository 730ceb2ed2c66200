"""A verdict that a filter gives later."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._coroutines import Work, begin, run
from ._text import loggable, repr_of
from .errors import WrongVerdict
from .verdicts import Verdict

log = Logger()

NOT_YET = object()
"""Stands for the result before there is one."""


class PendingVerdict:
    """Waits for an answer of a filter that is not a verdict: a coroutine or a Deferred.

    ``result`` becomes a verdict or a failure: a `WrongVerdict`, which names ``who``, if the answer gives anything else.
    ``then`` is called with it, unless it is there at once or comes after `give_up`. Others may wait for the same
    Deferred. They get a result, but no failure, because it would be logged as if nobody had seen it.
    """

    __slots__ = ("_deferred", "_given_up", "_then", "_who", "result")

    def __init__(self, answer: object, then: Callable[[Verdict | Failure], object], who: str = "the filter") -> None:
        self.result: Any = NOT_YET
        self._given_up = False
        self._then: Callable[[Verdict | Failure], object] | None = None
        self._who = who
        self._deferred = run(answer) if iscoroutine(answer) else answer
        if isinstance(self._deferred, Deferred):
            self._deferred.addBoth(self._arrived)
        else:
            self.result = Failure(WrongVerdict(f"{who} must return a verdict, not {repr_of(answer)}"))
        self._then = then

    def _arrived(self, result: Any) -> object:
        # Their types are compared, because isinstance asks an object for its __class__, which may raise.
        failed = issubclass(type(result), Failure)
        if self._given_up:  # an error that nobody waits for is still worth a log entry
            return None if failed and result.check(CancelledError) else result
        if failed and not isinstance(result.value, BaseException):
            self.result = self._wrong(f"fail with an exception, not {repr_of(result.value)}")
        elif failed or issubclass(type(result), Verdict):
            self.result = result
        else:
            self.result = self._wrong(f"give a verdict, not {repr_of(result)}")
        if self._then is not None:
            self._then(self.result)
        return None if failed else result

    def _wrong(self, duty: str) -> Failure:
        return Failure(WrongVerdict(f"{self._who}'s Deferred must {duty}"))

    def give_up(self) -> None:
        """Cancel the Deferred. A result that comes after that is ignored."""
        assert isinstance(self._deferred, Deferred)
        self._given_up = True
        try:
            self._deferred.cancel()
        except KeyboardInterrupt:
            raise
        except BaseException:
            log.failure("a Deferred that a filter returned cannot be cancelled", loggable(Failure()))


def begun(coroutine: Work[Verdict], who: str = "the filter") -> Verdict | Deferred[Verdict]:
    """Run a coroutine of a filter. Return its verdict, or a Deferred of it if the coroutine waits for something.

    Raises:
        BaseException: what the coroutine raises before it waits for anything.
        WrongVerdict: it gave something else than a verdict.
    """
    ended, result = begin(coroutine)
    if ended and not issubclass(type(result), Verdict):
        raise WrongVerdict(f"{who} must return a verdict, not {repr_of(result)}")
    answer: Verdict | Deferred[Verdict] = result
    return answer


def verdict_later(answer: object, who: str = "the filter") -> Deferred[Verdict]:
    """Return a new Deferred of the verdict that a coroutine or Deferred of a filter gives; see `PendingVerdict`.

    Others can still wait for the filter's Deferred. If the new one is cancelled, so is the filter's.
    """
    later: Deferred[Verdict] = Deferred(lambda _: awaited.give_up())
    awaited = PendingVerdict(answer, later.callback, who)
    if awaited.result is not NOT_YET:
        later.callback(awaited.result)
    return later
