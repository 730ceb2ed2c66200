"""What the peers of one test share, and how they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from ..dialects import Dialect
from ..model import Limits
from ._transcript import Transcript

__all__ = ["TIMEOUT", "Inbox", "Setting"]

UNLIMITED = Limits(max_frame=2**31 - 1, max_hello=2**31 - 1)
"""What peers speak within: a test may want to send what the repeater refuses."""

TIMEOUT = 5.0
"""How long, in seconds, a peer waits for what should come."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the peers of one test share."""

    dialect: Dialect
    transcript: Transcript
    clock: IReactorTime
    settle: Callable[[], None]
    """Called after whatever a peer does."""


class Inbox:
    """Cuts what a peer receives into its hello and payloads."""

    def __init__(self, dialect: Dialect) -> None:
        self.handshake = dialect.handshake(UNLIMITED)
        self.framing = dialect.framing(UNLIMITED)
        self._greeted = False
        self._rest = bytearray()
        self._need = 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take received bytes. Gives each complete frame with its payload; the first is the hello."""
        self._rest += data
        if len(self._rest) < self._need:
            return  # nothing to look at again before the frame is complete: linear in its size
        received = bytes(self._rest)
        at = self._need = 0
        while True:
            framing = self.framing if self._greeted else self.handshake.framing
            stop = framing.find(received, at, len(received))
            if stop == 0 or stop > len(received):
                break
            self._greeted = True
            yield received[at:stop], received[framing.body : stop]
            at = stop
        self._need = stop - at if stop else 0
        self._rest = bytearray(received[at:])
