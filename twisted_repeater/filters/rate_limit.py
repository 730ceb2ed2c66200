"""`RateLimit`: so many messages a second for each client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ..interfaces import IFilter
from ..verdicts import DO_NOTHING, PASS_ON, Verdict
from ._provider import checked_answer

__all__ = ["WAIT", "RateLimit"]

ROUNDING = 1e-9
"""Seconds that sums of floats may be wrong by."""


class _Wait:
    """The type of `WAIT`."""

    def __repr__(self) -> str:
        return "WAIT"


WAIT: Final = _Wait()
"""Messages above the limit wait until they are within it, and those behind them too."""


@implementer(IFilter)
class RateLimit:
    """Lets each client send ``rate`` messages a second on average, and ``burst`` at once.

    This is a token bucket: it holds ``burst`` tokens, gets ``rate`` a second, and each message takes one. It belongs to
    the name of the client, so that who connects anew does not begin with a full one.

    ``above`` is what happens to a message for which there is no token: a verdict (`DO_NOTHING` by default), a function
    of the message and the link that gives one, which may answer the client, or `WAIT`. A waiting message is held up by
    ``limits.filter_timeout`` at the longest; one that fails by that has taken no token.

    ``clock`` is the reactor, or a ``task.Clock`` in tests. Make one filter for each direction.
    """

    def __init__(
        self,
        rate: float,
        *,
        burst: int = 1,
        above: Verdict | _Wait | Callable[[Any, Any], Any] = DO_NOTHING,
        clock: IReactorTime,
    ) -> None:
        if not isinstance(burst, int):
            raise TypeError(f"burst is a whole number of messages, not {burst!r}")
        if not (rate > 0 and burst >= 1):
            raise ValueError("the rate must be above 0, and the burst at least 1")
        self.above = above if isinstance(above, _Wait) else checked_answer("above", above)
        self._interval = 1 / rate
        self._allowance = (burst - 1) / rate
        self._clock = clock
        # A full bucket is no entry. Else an entry is the time at which the bucket would be full again.
        self._full_at: dict[str, float] = {}
        self._crowd = 100

    def migrate(self, old: Any) -> None:
        """Take over the buckets of the limit before: each lacks as many tokens as it did."""
        if isinstance(old, RateLimit):
            now, before = self._clock.seconds(), old._clock.seconds()
            longer = self._interval / old._interval
            self._full_at = {name: now + (at - before) * longer for name, at in old._full_at.items()}

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        now: float = self._clock.seconds()
        full_at = max(now, self._full_at.get(link.client_name, now))
        full_at = min(full_at, now + self._allowance + self._interval)  # should the clock have been set back
        early = full_at - now - self._allowance
        takes = early < ROUNDING or self.above is WAIT
        self._note(link.client_name, full_at + self._interval if takes else full_at, now)
        if takes:
            return PASS_ON if early < ROUNDING else self._later(early, link.client_name)
        return self.above(message, link) if callable(self.above) else self.above

    def _note(self, name: str, full_at: float, now: float) -> None:
        """Note when a bucket would be full again."""
        self._full_at[name] = full_at
        if len(self._full_at) > self._crowd:
            self._full_at = {other: at for other, at in self._full_at.items() if at > now}
            self._crowd = max(100, 2 * len(self._full_at))

    def _later(self, seconds: float, name: str) -> Deferred[Verdict]:
        """Pass on in so many seconds. A message that does not wait that long gives its token back."""

        def give_up(_: Deferred[Verdict]) -> None:
            call.cancel()
            self._full_at[name] = self._full_at.get(name, 0.0) - self._interval

        waiting: Deferred[Verdict] = Deferred(give_up)
        call = self._clock.callLater(seconds, waiting.callback, PASS_ON)
        return waiting
