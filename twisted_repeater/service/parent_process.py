"""The process that has started this one as one of several: it gives orders, and is told how this one fares.

Both are words, one a line, on two pipes whose descriptors the environment names. Orders are not signals, so that it
does no harm if a terminal or systemd sends the same signal to all processes. The end of the orders is the end of the
parent, however it has ended: this process then drains.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from .._types import Reactor
from .process_number import own_number

__all__ = ["ALIVE_EVERY", "CHANNEL", "ParentProcess", "is_child"]

log: Logger = Logger()

CHANNEL: str = "TWISTED_REPEATER_CHANNEL"
"""The variable of the environment that has both descriptors: ``3,4``."""

ALIVE_EVERY: float = 1.0
"""After how many seconds the parent is told again that this process lives."""


def is_child() -> bool:
    """Return whether a process has started this one as one of several."""
    return CHANNEL in os.environ


class ParentProcess:
    """The parent. Has the methods of `Systemd`, which the parent speaks to.

    Args:
        orders: the descriptor that orders come from.
        notices: the descriptor for notices.
        number: the number of this process.
    """

    watchdog: float | None = None
    """The parent decides that."""

    def __init__(self, orders: int, notices: int, number: str) -> None:
        self.number: str = number
        """The number of this process."""
        self._descriptors = orders, notices
        self._lines: _Lines | None = None
        self._alive_at = float("-inf")
        for descriptor in self._descriptors:  # programs that this process starts must not keep them open
            os.set_inheritable(descriptor, False)

    @classmethod
    def of_this_process(cls) -> ParentProcess | None:
        """Return the parent that the environment names, and remove that from it; ``None`` if there is none."""
        found = re.fullmatch(r"(\d+),(\d+)", os.environ.pop(CHANNEL, ""), re.ASCII)
        return None if found is None else cls(int(found[1]), int(found[2]), own_number(os.environ))

    def start(self, obey: Callable[[str], object], reactor: Reactor) -> None:
        """Begin to obey.

        Args:
            obey: called with each order: ``drain``, ``end``, ``abort``, ``reload`` or ``rotate``.
            reactor: the reactor.
        """
        orders, notices = self._descriptors
        self._lines = _Lines(obey)
        connect: Any = StandardIO  # type checkers see that of Windows
        connect(self._lines, stdin=orders, stdout=notices, reactor=reactor)

    def ready(self, status: str) -> None:
        """All ports are bound, or a reload is over."""
        self._tell("ready")

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows."""

    def stopping(self, status: str, seconds: float) -> None:
        """The process ends."""
        self._tell("stopping")

    def alive(self) -> None:
        """The reactor has answered."""
        now = time.monotonic()
        if now - self._alive_at >= ALIVE_EVERY:
            self._alive_at = now
            self._tell("alive")

    def _tell(self, notice: str) -> None:
        if self._lines is not None and self._lines.transport is not None:
            self._lines.sendLine(notice.encode())  # type: ignore[no-untyped-call]


class _Lines(LineOnlyReceiver):
    """Both pipes."""

    delimiter = b"\n"

    def __init__(self, obey: Callable[[str], object]) -> None:
        self._obey = obey

    def lineReceived(self, line: bytes) -> None:
        """Obey an order. See `LineOnlyReceiver`."""
        self._obey(line.decode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Drain, because the parent has ended. See `IProtocol`."""
        self.transport = None
        self._obey("drain")
