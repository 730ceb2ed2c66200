"""`RateLimit`: a limit of messages per second for each client."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from .._types import FilterFunction
from ..interfaces import IFilter, IMigrating
from ..link import Link
from ..verdicts import DO_NOTHING, PASS_ON, Answer, Verdict
from ._provider import checked_answer, checked_function

__all__ = ["WAIT", "KeyFunction", "RateLimit"]

KeyFunction: TypeAlias = Callable[[Any, Link], Hashable]
"""Returns the key of the bucket that a message takes a token from."""

LEAST_RATE, MOST_RATE = 0.000001, 1_000_000_000
"""Messages per second: one in eleven days, and more than any process passes."""

FEW, MOST = 100, 10_000
"""How many buckets are kept before full ones are looked for, and how many at most."""

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

    This is a token bucket: it holds ``burst`` tokens, gets ``rate`` a second, and each message takes one. A client that
    connects again does not begin with a full one. Make one filter for each direction.

    If more than 10,000 buckets are not full, the fullest ones are forgotten, so strangers cannot fill the memory.

    Args:
        rate: messages per second, above 0.
        burst: how many messages may come at once, at least 1. By default as many as a second brings, but at least one:
            at a rate of 100, 100 messages that come together pass.
        by: whose bucket it is. ``"name"``: all links of a client's name share one. In dialects without names the name
            is an address with a port, so each connection has its own. ``"address"``: all links from one address share
            one, whatever their ports; clients of a Unix socket have no address, and share one. Or a function of the
            message and the link that returns a key, such as the name of a group: all messages with an equal key share
            a bucket.
        above: the verdict on a message without a token, or a function of the message and the link that
            returns it and may answer the client, or `WAIT`. A message waits for ``limits.filter_timeout`` at most; if
            that ends its waiting, it has taken no token.
        clock: the reactor, or a `twisted.internet.task.Clock` in tests.

    Raises:
        TypeError: ``burst`` is not a whole number, or ``by`` or ``above`` is of another kind.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        rate: float,
        *,
        burst: int | None = None,
        by: Literal["name", "address"] | KeyFunction = "name",
        above: Verdict | _Wait | FilterFunction = DO_NOTHING,
        clock: IReactorTime,
    ) -> None:
        self.rate = rate
        self.burst: int = _checked_burst(_checked_rate(rate), burst)
        self.by: str | KeyFunction = _checked_by(by)
        self.above: Verdict | FilterFunction | _Wait = (
            above if isinstance(above, _Wait) else checked_answer("above", above)
        )
        self._key_of: KeyFunction | None = KEYS.get(by) if isinstance(by, str) else by
        """``None`` for the client's name, so that most limits need no call."""
        self._interval = 1 / rate
        self._allowance = (self.burst - 1) / rate
        self._clock = clock
        # The time at which a bucket would be full again. A full bucket has no entry.
        self._full_at: dict[Hashable, float] = {}
        self._crowd = FEW

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It takes over the buckets of a `RateLimit` ``by`` the same: each lacks as many tokens."""
        if isinstance(old, RateLimit) and (old.by == self.by or (callable(old.by) and callable(self.by))):
            now, before = self._clock.seconds(), old._clock.seconds()
            longer = self._interval / old._interval
            self._full_at = {key: now + (at - before) * longer for key, at in old._full_at.items()}

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        key = link.client_name if self._key_of is None else self._key_of(message, link)
        now: float = self._clock.seconds()
        full_at = max(now, self._full_at.get(key, now))
        full_at = min(full_at, now + self._allowance + self._interval)  # should the clock have been set back
        early = full_at - now - self._allowance
        takes = early < ROUNDING or self.above is WAIT
        self._keep(key, full_at + self._interval if takes else full_at, now)
        if takes:
            return PASS_ON if early < ROUNDING else self._later(early, key)
        assert not isinstance(self.above, _Wait)
        return self.above if isinstance(self.above, Verdict) else self.above(message, link)

    def _keep(self, key: Hashable, full_at: float, now: float) -> None:
        """Keep the time at which a bucket would be full again."""
        self._full_at[key] = full_at
        if len(self._full_at) > self._crowd:
            self._full_at = {other: at for other, at in self._full_at.items() if at > now}
            if 4 * len(self._full_at) > 3 * MOST:
                # Those that lack most stay: a stranger with many names takes a token or two from each.
                emptiest = sorted(self._full_at.items(), key=itemgetter(1), reverse=True)
                self._full_at = dict(emptiest[: MOST // 2])
            self._crowd = min(max(FEW, 2 * len(self._full_at)), MOST)

    def _later(self, seconds: float, key: Hashable) -> Deferred[Verdict]:
        """Pass on in so many seconds. A message that does not wait that long gives its token back."""

        def give_up(_: Deferred[Verdict]) -> None:
            call.cancel()
            if key in self._full_at:
                self._full_at[key] -= self._interval

        waiting: Deferred[Verdict] = Deferred(give_up)
        call = self._clock.callLater(seconds, waiting.callback, PASS_ON)
        return waiting


def _checked_rate(rate: object) -> float:
    if not isinstance(rate, (int, float)) or isinstance(rate, bool):
        raise TypeError(f"rate must be a number of messages per second, not {rate!r}")
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(f"rate must be from {LEAST_RATE:f} to {MOST_RATE:,}, not {rate!r}")
    return rate


def _checked_burst(rate: float, burst: int | None) -> int:
    if burst is None:
        return max(1, int(rate))
    if not isinstance(burst, int) or isinstance(burst, bool):
        raise TypeError(f"burst must be a whole number, not {burst!r}")
    if not 1 <= burst <= MOST_RATE:
        raise ValueError(f"burst must be from 1 to {MOST_RATE:,}, not {burst!r}")
    return burst


def _checked_by(by: str | KeyFunction) -> str | KeyFunction:
    if callable(by):
        try:
            return cast("KeyFunction", checked_function(by))
        except TypeError as error:
            raise TypeError(f"by must be a function of a message and its link: {error}") from None
    if by not in ("name", "address"):
        raise ValueError(f"by must be 'name', 'address' or a function of a message and its link, not {by!r}")
    return by


def _address(message: object, link: Link) -> str:
    """Return the address of a client without its port, "" if it has none."""
    return getattr(link.client_address, "host", "")


KEYS: dict[str, KeyFunction] = {"address": _address}
"""The function of a name; that of the client's name is not called."""
