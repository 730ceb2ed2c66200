"""`RateLimit`: a limit of messages per second for each client."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from .._types import FilterFunction
from ..interfaces import IFilter, IMigrating
from ..link import Link
from ..verdicts import DO_NOTHING, PASS_ON, Answer, Verdict
from ._provider import checked_answer

__all__ = ["WAIT", "RateLimit"]

ROUNDING = 1e-9
"""How many seconds a sum of floats may be wrong by."""


class _Wait:
    """The type of `WAIT`."""

    def __repr__(self) -> str:
        return "WAIT"


WAIT: Final = _Wait()
"""Messages above the limit wait until they are within it, and so do later messages."""


@implementer(IFilter, IMigrating)
class RateLimit:
    """Lets each client send ``rate`` messages a second on average, and ``burst`` at once.

    This is a token bucket: it holds ``burst`` tokens, gets ``rate`` a second, and each message takes one. It belongs to
    the name of the client, so that a client that connects again does not begin with a full one. Make one filter for
    each direction.

    Args:
        rate: messages per second, above 0.
        burst: how many messages may come at once, at least 1.
        above: the verdict on a message without a token, or a function of the message and the link that
            returns it and may answer the client, or `WAIT`. A message waits for ``limits.filter_timeout`` at most; if
            that ends its waiting, it has taken no token.
        clock: the reactor, or a `twisted.internet.task.Clock` in tests.

    Raises:
        TypeError: ``burst`` is not a whole number, or ``above`` is of another kind.
        ValueError: ``rate`` or ``burst`` is out of range.
    """

    def __init__(
        self,
        rate: float,
        *,
        burst: int = 1,
        above: Verdict | _Wait | FilterFunction = DO_NOTHING,
        clock: IReactorTime,
    ) -> None:
        if not isinstance(burst, int):
            raise TypeError(f"burst must be a whole number, not {burst!r}")
        if not (rate > 0 and burst >= 1):
            raise ValueError(f"rate must be above 0 and burst at least 1, not {rate!r} and {burst!r}")
        self.above: Verdict | FilterFunction | _Wait = (
            above if isinstance(above, _Wait) else checked_answer("above", above)
        )
        self._interval = 1 / rate
        self._allowance = (burst - 1) / rate
        self._clock = clock
        # The time at which a bucket would be full again. A full bucket has no entry.
        self._full_at: dict[str, float] = {}
        self._crowd = 100

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It takes over the buckets of a `RateLimit`: each lacks as many tokens as before."""
        if isinstance(old, RateLimit):
            now, before = self._clock.seconds(), old._clock.seconds()
            longer = self._interval / old._interval
            self._full_at = {name: now + (at - before) * longer for name, at in old._full_at.items()}

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        now: float = self._clock.seconds()
        full_at = max(now, self._full_at.get(link.client_name, now))
        full_at = min(full_at, now + self._allowance + self._interval)  # should the clock have been set back
        early = full_at - now - self._allowance
        takes = early < ROUNDING or self.above is WAIT
        self._keep(link.client_name, full_at + self._interval if takes else full_at, now)
        if takes:
            return PASS_ON if early < ROUNDING else self._later(early, link.client_name)
        assert not isinstance(self.above, _Wait)
        return self.above if isinstance(self.above, Verdict) else self.above(message, link)

    def _keep(self, name: str, full_at: float, now: float) -> None:
        """Keep the time at which a bucket would be full again."""
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
