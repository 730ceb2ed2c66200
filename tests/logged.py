"""What modules log while a test runs."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from .peers import Seen

__all__ = ["lines_logged"]


def lines_logged(case: SynchronousTestCase, *modules: str) -> Seen:
    """Return a list of the lines that modules log from now on, until the test ends."""
    lines = Seen()

    def record(event: LogEvent) -> None:
        if event.get("log_namespace", "") in modules:
            lines.append(formatEvent(event))

    observer: Any = record
    globalLogPublisher.addObserver(observer)
    case.addCleanup(globalLogPublisher.removeObserver, observer)
    return lines
