"""Makes ``twistd repeater`` known to Twisted."""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import ServiceMaker

SIGHUP: int | None = getattr(signal, "SIGHUP", None)
"""Windows has no such signal."""


class EarlyHangup:
    """Handles SIGHUP until the service does, which then reloads if there was one. By default it would kill the process.

    It is here because the import of the package takes most of the time until then.
    """

    def __init__(self, before: object) -> None:
        self.before: Any = before
        """The handler before this one."""
        self.came: bool = False
        """Whether there was a SIGHUP."""

    def __call__(self, number: int, frame: object) -> None:
        """Remember it. See `signal.signal`."""
        self.came = True


class RepeaterMaker(ServiceMaker):
    """Makes the service."""

    @property
    def options(self) -> Any:
        """Import the package, and return the class of the options. See `IServiceMaker`."""
        if SIGHUP is not None and (before := signal.getsignal(SIGHUP)) in (signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(SIGHUP, EarlyHangup(before))
        return super().options


repeater = RepeaterMaker(  # type: ignore[no-untyped-call]
    "twisted_repeater",
    "twisted_repeater.service.tap",
    "A proxy that shows each message to your filters",
    "repeater",
)
