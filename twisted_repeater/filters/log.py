"""`Log`: writes messages to the log, all of them or a sample."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from reprlib import Repr
from typing import Any

from twisted.logger import Logger, LogLevel
from zope.interface import implementer

from .._text import printable, shortened
from ..interfaces import IFilter
from ..verdicts import PASS_ON, Verdict

__all__ = ["Log"]

LONGEST = 200
"""How many characters of a message are shown."""

_shortened = Repr()
_shortened.maxstring = _shortened.maxlong = _shortened.maxother = LONGEST
_shortened.maxdict = _shortened.maxlist = _shortened.maxtuple = _shortened.maxset = 20


def short_repr(message: Any) -> str:
    """Return the ``repr`` of a message, of a long one the beginning and the end."""
    shown = _shortened.repr(message)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2 - 2]}...{shown[-LONGEST // 2 + 1 :]}"


@implementer(IFilter)
class Log:
    """Logs messages, and passes all on.

    ``label`` says in the log which way they travel, or whatever helps to find them. ``sample`` is the share that is
    logged: 0.01 is the first of each hundred. ``redact`` makes of a message what the log may show, a short ``repr`` by
    default; it is called for logged messages only. What would break a line is escaped. If it raises, the filter fails:
    the message is not logged, but what was raised is, so that must not tell what the log may not show.
    """

    log = Logger()

    def __init__(
        self,
        label: str = "message",
        *,
        sample: float = 1.0,
        redact: Callable[[Any], Any] = short_repr,
        level: Any = LogLevel.info,
    ) -> None:
        if not 0 < sample <= 1:
            raise ValueError(f"sample is above 0 and at most 1, not {sample!r}")
        self.label = label
        self.sample = sample
        self.redact = redact
        self.level = level
        # Of so many messages so many are logged, in whole numbers: tenths do not add up to one.
        self._logged, self._messages = Fraction(sample).limit_denominator(10**9).as_integer_ratio()
        self._due = self._messages

    def filter(self, message: Any, link: Any) -> Verdict:
        """See `IFilter`."""
        if self._due >= self._messages:
            self._due -= self._messages
            shown = printable(str(self.redact(message)))
            self.log.emit(
                self.level,
                "client {client!r}, {label}: {shown}",
                client=shortened(link.client_name),
                label=self.label,
                shown=shown,
            )
        self._due += self._logged
        return PASS_ON
