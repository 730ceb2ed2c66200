"""The settings that the peers of a test share, and how they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..dialects import Dialect, MessageType
from ..dialects.hellos import Hellos
from ..errors import FramingError
from ..framings.base import Framing, framing_of
from ..model import Limits, Side
from ._transcript import Transcript, __tracebackhide__

if TYPE_CHECKING:
    from .._link.pair import Pair
    from ._peer import Peer

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
    pair_of: Callable[[Peer], Pair | None] = lambda peer: None
    """Returns the pair of connections that a peer is an end of, ``None`` if it is not known yet, or not any more."""


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
    """Cuts the bytes that a peer receives into a hello, if the dialect has any, and payloads."""

    def __init__(self, dialect: Dialect, side: Side) -> None:
        opening, framings = dialect.opening, dialect.framings(UNLIMITED)
        self.handshake = opening.handshake(UNLIMITED) if isinstance(opening, Hellos) else None
        """Reads and writes hellos, if the dialect has any."""
        received, sent = framings.to_client, framings.to_server
        if side is Side.SERVER:
            received, sent = sent, received
        self.framing: Framing = framing_of(received)
        """Cuts what the peer receives."""
        self.own_framing: Framing = framing_of(sent)
        """Makes frames of what it sends."""
        self._taken, self._sent = (getattr(each, "taken", None) for each in (received, sent))
        self._said_hello = self.handshake is None
        self._rest = bytearray()
        self._need = 0

    def frame(self, payload: bytes) -> bytes:
        """Return the frame of a payload, which the peer is about to send."""
        frame = self.own_framing.encode(payload)
        if self._sent is not None:
            self._sent(frame, 0, len(frame))
        return frame

    @property
    def unfinished(self) -> bytes:
        """The bytes of a frame whose end has not come."""
        return bytes(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Accept received bytes; yield each complete frame with its payload. The first is the hello.

        In a dialect without hellos, bytes that are no frame are yielded as they are: an opening, a refusal or a
        farewell may be in another form.
        """
        self._rest += data
        if len(self._rest) < self._need:
            return  # the frame is incomplete: the cost stays linear in its size
        received = bytes(self._rest)
        at = stop = self._need = 0
        while at < len(received):
            framing = self.framing if self._said_hello or self.handshake is None else framing_of(self.handshake.framing)
            try:
                stop = framing.find(received, at, len(received))
            except FramingError:
                if self.handshake is not None:
                    raise
                yield received[at:], received[at:]
                at, stop = len(received), 0
            if stop == 0 or stop > len(received):
                break
            frame, payload = received[at:stop], received[framing.body : stop - framing.tail]
            if self._taken is not None and self._said_hello:
                self._taken(frame, 0, len(frame))
            self._said_hello = True
            yield frame, payload
            at = stop
        self._need = max(stop - at, 0)
        self._rest = bytearray(received[at:])
