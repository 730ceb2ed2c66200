"""The settings that the peers of a test share, and how they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..dialects import Dialect, MessageType
from ..dialects.hellos import Hellos
from ..model import Limits, Side
from ._transcript import Transcript, __tracebackhide__

__all__ = ["TIMEOUT", "Inbox", "Setting", "Waiting", "__tracebackhide__", "stated_version"]

UNLIMITED = Limits(max_frame=2**31 - 1, max_hello=2**31 - 1)
"""The limits of peers: a test may send more than the repeater accepts."""

TIMEOUT = 5.0
"""How many seconds a peer waits by default."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that the peers of a test share."""

    dialect: Dialect
    transcript: Transcript
    clock: IReactorTime
    settle: Callable[[], None]
    """Called after everything that a peer does."""


class Waiting:
    """The Deferreds by which a test waits for ``who``, a peer or the server."""

    def __init__(self, who: object, setting: Setting) -> None:
        self._who = who
        self._setting = setting
        self._entries: list[tuple[Callable[[], bool], str, Deferred[None]]] = []

    def until(self, condition: Callable[[], bool], what: str, timeout: float) -> Deferred[None]:
        """Return a Deferred that `look` fires when a condition holds; it fails when the time is over."""
        done: Deferred[None] = Deferred()
        self._entries.append((condition, what, done))

        def too_late(result: object, _: float) -> NoReturn:
            raise self._setting.transcript.error(f"{self._who} has waited {timeout:g} s in vain for {what}")

        return done.addTimeout(timeout, self._setting.clock, onTimeoutCancel=too_late)

    def look(self, lost: BaseException | None = None) -> None:
        """Fire the Deferreds whose conditions hold; when the connection is lost, fail the others."""
        entries, self._entries = self._entries, []
        for condition, what, done in entries:
            if done.called:
                continue  # timed out
            if condition():
                done.callback(None)
            elif lost is not None:
                complaint = f"{self._who} has lost its connection ({lost}) and waits in vain for {what}"
                done.errback(self._setting.transcript.error(complaint))
            else:
                self._entries.append((condition, what, done))


def stated_version(dialect: Dialect, kind: MessageType) -> int:
    """Return the version of a message type that the peers of a dialect speak."""
    opening = dialect.opening
    return opening.stated(kind) if isinstance(opening, Hellos) else kind.prod


class Inbox:
    """Cuts the bytes that a peer receives into a hello and payloads."""

    def __init__(self, dialect: Dialect, side: Side) -> None:
        opening, framings = dialect.opening, dialect.framings(UNLIMITED)
        self.handshake = opening.handshake(UNLIMITED) if isinstance(opening, Hellos) else None
        """Reads and writes hellos, if the dialect has any."""
        self.framing = framings.to_client if side is Side.CLIENT else framings.to_server
        """Cuts what the peer receives."""
        self.own_framing = framings.to_server if side is Side.CLIENT else framings.to_client
        """Makes frames of what it sends."""
        self._said_hello = self.handshake is None
        self._rest = bytearray()
        self._need = 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Accept received bytes; yield each complete frame with its payload. The first is the hello."""
        self._rest += data
        if len(self._rest) < self._need:
            return  # the frame is incomplete: the cost stays linear in its size
        received = bytes(self._rest)
        at = self._need = 0
        while True:
            framing = self.framing if self._said_hello or self.handshake is None else self.handshake.framing
            stop = framing.find(received, at, len(received))
            if stop == 0 or stop > len(received):
                break
            self._said_hello = True
            yield received[at:stop], received[framing.body : stop - getattr(framing, "tail", 0)]
            at = stop
        self._need = stop - at if stop else 0
        self._rest = bytearray(received[at:])
