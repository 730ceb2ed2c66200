"""`Log`: writes messages to the log, all of them or a sample."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from reprlib import Repr
from typing import ClassVar

from twisted.logger import Logger, LogLevel
from zope.interface import implementer

from .._text import printable, shortened
from .._types import Message
from ..interfaces import IFilter
from ..link import Link
from ..verdicts import PASS_ON, Verdict

__all__ = ["Log"]

LONGEST = 200
"""How many characters of a message are shown."""

_shortened = Repr()
_shortened.maxstring = _shortened.maxlong = _shortened.maxother = LONGEST
_shortened.maxdict = _shortened.maxlist = _shortened.maxtuple = _shortened.maxset = 20


def short_repr(message: object) -> str:
    """Return the ``repr`` of a message; if it is long, its beginning and its end."""
    shown = _shortened.repr(message)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2 - 2]}...{shown[-LONGEST // 2 + 1 :]}"


@implementer(IFilter)
class Log:
    """Logs messages, and passes all on.

    Characters that would break a line of the log are escaped.

    Args:
        label: a text before each message in the log, such as the direction.
        sample: the share of messages that is logged, above 0 and at most 1: 0.01 is the first of each hundred.
        redact: a function that returns the text of a message for the log, by default a short ``repr``. It is called for
            logged messages only, and gets what `Dialect.redact` leaves of them. If it raises, the filter fails and the
            exception is logged, so the exception must contain no secret either.
        level: a level of `twisted.logger.LogLevel`.

    Raises:
        ValueError: ``sample`` is out of range.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        label: str = "message",
        *,
        sample: float = 1.0,
        redact: Callable[[Message], object] = short_repr,
        level: LogLevel = LogLevel.info,
    ) -> None:
        if not 0 < sample <= 1:
            raise ValueError(f"sample must be above 0 and at most 1, not {sample!r}")
        self.label = label
        self.sample = sample
        self.redact = redact
        self.level = level
        # So many of so many messages are logged, in whole numbers: tenths do not add up to one.
        self._logged, self._messages = Fraction(sample).limit_denominator(10**9).as_integer_ratio()
        self._due = self._messages

    def filter(self, message: object, link: Link) -> Verdict:
        """See `IFilter`."""
        if self._due >= self._messages:
            self._due -= self._messages
            shown = printable(str(self.redact(link._pair.redacted(message))))
            self.log.emit(
                self.level,
                "client {client!r}, {label}: {text}",
                client=shortened(link.client_name),
                link=link.id,
                label=self.label,
                text=shown,
            )
        self._due += self._logged
        return PASS_ON
