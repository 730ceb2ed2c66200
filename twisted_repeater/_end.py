"""One of a link's two connections: its hello, then what it receives and sends, until it is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ._outlet import Outlet, OutletHost
from ._valve import Valve
from .errors import FramingError, HelloTimeout, InvalidHello
from .framing import Framing
from .interfaces import IHandshake
from .model import Hello, Limits, Side

__all__ = ["End", "EndHost"]

MAX_EARLY = 64 * 1024
"""How many bytes behind a hello are read before the link is complete."""

MAX_HEADER = 64
"""More than the header of any hello."""

ACKNOWLEDGED_POLL = 0.05
"""How often, in seconds, a closing connection is asked whether its peer's system has taken everything."""


class EndHost(OutletHost, Protocol):
    """What an end needs of its link."""

    def end_stopped(self, end: End) -> None:
        """The peer has ended its stream."""

    def end_lost(self, end: End, reason: BaseException) -> None:
        """The connection is gone."""


class End:
    """One side of a link, from its connection to its end."""

    __slots__ = (
        "_all_written",
        "_body",
        "_clock",
        "_early",
        "_greeted",
        "_hello",
        "_host",
        "_need",
        "_poll",
        "address",
        "connected",
        "ended",
        "handshake",
        "heard",
        "lost",
        "outlet",
        "receive",
        "reported",
        "side",
        "transport",
        "valve",
    )

    transport: Any
    outlet: Outlet
    valve: Valve

    def __init__(self, side: Side, host: EndHost, handshake: IHandshake, clock: IReactorTime) -> None:
        self.side = side
        self.handshake = handshake
        self.address: Any = None
        self.connected = False
        """Whether there is, or was, a connection."""
        self.heard = False
        """Whether a byte was received."""
        self.ended = False
        """Whether the peer has ended its stream."""
        self.lost = False
        """Whether the connection is gone."""
        self.reported = False
        """Whether the application was told that this side is gone."""
        self.receive: Callable[[bytes], None] = self._greet
        self._host = host
        self._clock = clock
        self._hello: Deferred[Hello] | None = None
        self._early = bytearray()
        self._need = 0
        self._body = 0
        self._greeted = False
        self._poll: Any = None
        self._all_written = False

    @property
    def gone(self) -> bool:
        """Whether there is no connection, not yet or no more."""
        return self.lost or not self.connected

    # -- what the protocol tells ----------------------------------------------------------------------------

    def connect(self, transport: Any, framing: Framing, limits: Limits) -> None:
        """The connection is there."""
        self.transport = transport
        self.address = transport.getPeer()
        self.connected = True
        if isinstance(self.address, (IPv4Address, IPv6Address)) and hasattr(transport, "setTcpKeepAlive"):
            transport.setTcpKeepAlive(True)  # a paused connection learns of its peer's death in no other way
            transport.setTcpNoDelay(True)
        self.valve = Valve(transport)
        self.outlet = Outlet(transport, self._host, framing, limits.max_waiting)

    def stop(self) -> None:
        """The peer has ended its stream; it may still read."""
        if not self.ended:
            self.ended = True
            self.valve.detach()
            self._host.end_stopped(self)

    def lose(self, reason: BaseException) -> None:
        """The connection is gone."""
        if not self.lost:
            self.ended = self.lost = True
            self.valve.detach()
            self.outlet.stopProducing()
            if self._poll is not None:
                self._poll.cancel()
                self._poll = None
            self._host.end_lost(self, reason)

    # -- the hello ------------------------------------------------------------------------------------------

    def read_hello(self, timeout: float) -> Deferred[Hello]:
        """Give the peer's hello. Fails with `InvalidHello`, or `HelloTimeout` after so many seconds."""
        self._hello = Deferred()
        hello = self._hello
        if self._early:
            self.valve.open("early")  # it may have been held up within the hello
            self._look_for_hello()

        def too_late(result: object, _: float) -> Any:
            raise HelloTimeout(f"no hello from the {self.side.value} in time", self.side)

        return hello.addTimeout(max(timeout, 0), self._clock, onTimeoutCancel=too_late)

    def _greet(self, data: bytes) -> None:
        self.heard = True
        self._early += data
        self._look_for_hello()

    def _look_for_hello(self) -> None:
        """Fire the hello once it is complete. A hello that comes before it is asked for waits."""
        if self._hello is None:
            if len(self._early) > MAX_EARLY:
                self.valve.close("early")
            return
        try:
            if not self._need:
                start = bytes(self._early[:MAX_HEADER])
                self._need = self.handshake.framing.find(start, 0, len(start))
                self._body = self.handshake.framing.body
            if not self._need or len(self._early) < self._need:
                return
            payload = bytes(self._early[self._body : self._need])
            del self._early[: self._need]
            hello = self.handshake.decode(payload)
        except (InvalidHello, FramingError) as error:
            self._hello_arrived(_invalid(error, self.side))
        except Exception as error:
            # The rest is the dialect's own fault, but a stranger's bytes brought it out: it costs the stranger only.
            self._hello_arrived(_invalid(error, self.side))
        else:
            self._hello_arrived(hello)

    def _hello_arrived(self, result: Hello | InvalidHello) -> None:
        hello, self._hello = self._hello, None
        self.receive = self._hold if isinstance(result, Hello) else _ignore
        assert hello is not None
        if isinstance(result, Hello):
            self._greeted = True
            self._hold(b"")
            hello.callback(result)
        else:
            hello.errback(result)

    def _hold(self, data: bytes) -> None:
        """Keep what comes behind the hello until the link is complete."""
        self._early += data
        if len(self._early) > MAX_EARLY:
            self.valve.close("early")

    @property
    def early(self) -> int:
        """How many bytes wait behind the hello."""
        return len(self._early) if self._greeted else 0

    def say_hello(self, frame: bytes) -> None:
        """Send a hello of our own, a whole frame."""
        self.outlet.push([frame])

    def relay_to(self, feed: Callable[[bytes], None]) -> None:
        """The link is complete: what waited and what comes goes to the lane."""
        early = bytes(self._early)
        self._early = bytearray()
        self.receive = feed
        if early:
            feed(early)
        self.valve.open("early")

    # -- closing --------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close a connection on which nothing waits, or nothing matters."""
        if self.connected and not self.lost:
            self.receive = _ignore
            self.outlet.when_empty(self.transport.loseConnection)

    def end_stream(self) -> None:
        """After what waits, tell the peer that nothing more comes; the other way stays open."""
        if self.connected and not self.lost and self.outlet.can_half_close:
            self.outlet.when_empty(self.transport.loseWriteConnection)

    def close(self) -> None:
        """After what waits, end the stream and close, without cutting off what the peer has not taken.

        What the peer still sends is read and dropped: closing with unread data makes the system reset the
        connection, and the peer loses what it has not read.
        """
        if self.gone:
            return
        self.receive = _ignore
        self.valve.open_fully()
        if not self.outlet.can_half_close:
            self.outlet.when_empty(self.transport.loseConnection)
        elif self._all_written:
            self._close_when_taken()
        else:
            self.outlet.when_empty(self.transport.loseWriteConnection)

    def stream_ended(self) -> None:
        """Our end of the stream is written."""
        self._all_written = True
        if self.receive is _ignore:
            self._close_when_taken()

    def _close_when_taken(self) -> None:
        """Close as soon as the peer's system has taken everything."""
        if self.lost or self._poll is not None:
            return
        if self.ended or not self.outlet.unacknowledged():
            self.transport.loseConnection()
        else:
            self._poll = self._clock.callLater(ACKNOWLEDGED_POLL, self._polled)

    def _polled(self) -> None:
        self._poll = None
        self._close_when_taken()

    def force(self) -> None:
        """Close now: what is handed to the system is still delivered, what waits here is lost."""
        if self.gone:
            return
        self.receive = _ignore
        if self.outlet.waiting or not self.outlet.can_half_close:
            self.transport.abortConnection()
        elif self.outlet.ended:
            self.transport.loseConnection()
        else:
            self.outlet.when_empty(self.transport.loseConnection)

    def abort(self) -> None:
        """Close at once, whatever is lost."""
        if not self.gone:
            self.receive = _ignore
            self.transport.abortConnection()

    def progress(self) -> tuple[int, int | None]:
        """Something that changes whenever the peer takes something."""
        return (self.outlet.progress, None if self.gone else self.outlet.unacknowledged())


def _ignore(data: bytes) -> None:
    """Drop what a peer sends to a connection that is being closed."""


def _invalid(error: Exception, side: Side) -> InvalidHello:
    """Say whose hello it was."""
    if isinstance(error, InvalidHello):
        error.side = side
        return error
    text = str(error) if isinstance(error, FramingError) else f"{type(error).__name__}: {error}"
    invalid = InvalidHello(f"the {side.value}'s hello: {text}", side)
    invalid.__cause__ = error
    return invalid
