"""`Log`: writes messages to the log, all of them or a sample."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as short_repr
from typing import Any

from twisted.logger import Logger, LogLevel
from zope.interface import implementer

from ..interfaces import IFilter
from ..verdicts import PASS_ON, Verdict

__all__ = ["Log"]


@implementer(IFilter)
class Log:
    """Logs messages, and passes all on.

    ``label`` says in the log which way they travel, or whatever helps to find them. ``sample`` is the share that is
    logged: 0.01 is the first of each hundred. ``redact`` makes of a message what the log may show, a short ``repr`` by
    default; it is called for logged messages only. If it raises, nothing is logged and the filter fails.
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
        self._due = 1.0

    def filter(self, message: Any, link: Any) -> Verdict:
        """See `IFilter`."""
        if self._due >= 1:
            self._due -= 1
            shown = self.redact(message)
            self.log.emit(
                self.level,
                "client {client!r}, {label}: {shown}",
                client=link.client_name,
                label=self.label,
                shown=shown,
            )
        self._due += self.sample
        return PASS_ON
