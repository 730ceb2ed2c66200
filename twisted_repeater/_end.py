"""One of a link's two connections: its hello, then what it receives and sends, until it is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ._greeting import Greeting
from ._outlet import Outlet
from ._valve import Valve
from .errors import HelloTimeout, InvalidHello, MarshalingError
from .framing import Framing
from .interfaces import IHandshake
from .model import Hello, Limits, Side

__all__ = ["End", "EndHost"]

log = Logger()

MAX_EARLY = 64 * 1024
"""How many bytes behind a hello are read before the link is complete."""

MAX_LAST_READS = 1024
"""How often a broken connection is read at most; a system keeps no more than some megabytes for it."""

ACKNOWLEDGED_POLL = 0.05
"""How often, in seconds, a closing connection is asked whether its peer's system has taken everything."""

QUIET_POLLS = 20
"""So often in a row, which takes a second, nothing must have come of a peer that has taken everything."""


class EndHost(Protocol):
    """What an end needs of its link."""

    def end_stopped(self, end: End) -> None:
        """The peer has ended its stream."""

    def end_lost(self, end: End, reason: BaseException) -> None:
        """The connection is gone."""

    def end_full(self, end: End) -> None:
        """More waits for the peer than should."""

    def end_drained(self, end: End) -> None:
        """Nothing waits for the peer any more."""

    def end_overflowed(self, end: End) -> None:
        """The application sent more than may wait for the peer."""

    def end_marshaling_error(self, end: End, error: MarshalingError) -> None:
        """A message could not be encoded and is not sent."""


class End:
    """One side of a link, from its connection to its end."""

    __slots__ = (
        "_all_written",
        "_clock",
        "_dropping",
        "_greeting",
        "_hello",
        "_host",
        "_poll",
        "_quiet_polls",
        "address",
        "connected",
        "ended",
        "handshake",
        "heard",
        "loss",
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
        self.loss: BaseException | None = None
        """Why it is gone."""
        self.reported = False
        """Whether the application was told that this side is gone."""
        self.receive: Callable[[bytes], None] = self._greet
        self._host = host
        self._clock = clock
        self._greeting = Greeting(side, handshake)
        self._hello: Deferred[Hello] | None = None
        self._poll: Any = None
        self._all_written = False
        self._dropping = False
        """Whether what comes is dropped: the connection is being closed."""
        self._quiet_polls = 0

    @property
    def gone(self) -> bool:
        """Whether there is no connection, not yet or no more."""
        return self.lost or not self.connected

    # -- what the protocol tells ----------------------------------------------------------------------------

    def connect(self, transport: Any, framing: Framing, limits: Limits) -> None:
        """The connection is there."""
        self.transport = transport
        self.address = transport.getPeer()
        if isinstance(self.address, (IPv4Address, IPv6Address)) and hasattr(transport, "setTcpKeepAlive"):
            transport.setTcpKeepAlive(True)  # a paused connection learns of its peer's death in no other way
            transport.setTcpNoDelay(True)
        self.valve = Valve(transport)
        self.outlet = Outlet(transport, self, framing, limits.max_waiting)
        self.connected = True

    def stop(self) -> None:
        """The peer has ended its stream; it may still read."""
        if not self.ended:
            self.ended = True
            self.valve.detach()
            self._host.end_stopped(self)
            if self._poll is not None:
                self._poll.cancel()
                self._polled()

    def lose(self, reason: BaseException) -> None:
        """The connection is gone."""
        if not self.lost:
            self.ended = self.lost = True
            self.loss = reason
            self.receive = _ignore  # a method of its own would be a cycle, which keeps it and its link for longer
            self.valve.detach()
            self.outlet.discard()
            if self._poll is not None:
                self._poll.cancel()
                self._poll = None
            self._host.end_lost(self, reason)

    # -- the hello ------------------------------------------------------------------------------------------

    def read_hello(self, timeout: float) -> Deferred[Hello]:
        """Give the peer's hello. Fails with `InvalidHello`, or `HelloTimeout` after so many seconds."""
        hello: Deferred[Hello] = Deferred()
        self._hello = hello
        self._look_for_hello()

        def too_late(result: object, _: float) -> Any:
            raise HelloTimeout(f"no hello from the {self.side.value} in time", self.side)

        return hello.addTimeout(max(timeout, 0), self._clock, onTimeoutCancel=too_late)

    def _greet(self, data: bytes) -> None:
        """Take bytes before the link is complete."""
        self.heard = True
        self._greeting.add(data)
        self._look_for_hello()

    def _look_for_hello(self) -> None:
        """Fire the hello once it is asked for and complete. What comes before and behind that waits."""
        asked = self._hello
        if asked is None:
            self._hold_back()
            return
        try:
            hello = self._greeting.read()
        except InvalidHello as error:
            self._hello = None
            self._drop_what_comes()
            asked.errback(error)
            return
        if hello is None:
            self.valve.open("early")
            return
        self._hello = None
        self._hold_back()
        asked.callback(hello)

    def _hold_back(self) -> None:
        """Read no more than may wait."""
        if self._greeting.size > MAX_EARLY:
            self.valve.close("early")

    @property
    def early(self) -> int:
        """How many bytes wait behind the hello."""
        return self._greeting.size if self._greeting.complete else 0

    def say_hello(self, frame: bytes) -> None:
        """Send a hello of our own, a whole frame."""
        self.outlet.push([frame])

    def relay_to(self, feed: Callable[[bytes], None]) -> None:
        """The link is complete: what waited and what comes goes to the lane."""
        early = self._greeting.take_rest()
        del self._greeting  # it is needed no more, and a link may be idle for long
        self.receive = feed
        if early:
            feed(early)
        self.valve.open("early")

    # -- closing --------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close a connection on which nothing waits, or nothing matters."""
        if self.connected and not self.lost:
            self._drop_what_comes()
            self.outlet.when_empty(self.transport.loseConnection)

    def end_stream(self) -> None:
        """After what waits, tell the peer that nothing more comes; the other way stays open.

        With TLS it does until the peer ends it too, which many do at once. With other wrappers it doesn't.
        """
        if not self.gone:
            self.outlet.when_empty(self._end_stream)

    def _end_stream(self) -> None:
        if self.outlet.can_half_close:
            self.transport.loseWriteConnection()
            return
        self.transport.loseConnection()
        self._all_written = True
        if self._dropping:
            self._poll_soon()

    def close(self) -> None:
        """After what waits, end the stream and close, without cutting off what the peer has not taken.

        What the peer still sends is read and dropped: closing with unread data makes the system reset the
        connection, and the peer loses what it has not read.
        """
        if self.gone:
            return
        self._drop_what_comes()
        self.valve.open_fully()
        if self._all_written:
            self._close_when_taken()
        else:
            self.outlet.when_empty(self._end_stream)

    def stream_ended(self) -> None:
        """Our end of the stream is written."""
        self._all_written = True
        if self._dropping:
            self._close_when_taken()

    def _close_when_taken(self) -> None:
        """Close when the peer has ended its stream, too, or its system has taken everything and nothing more comes.

        A peer that still sends is at work on what it was sent. What it sends behind the close the system answers by a
        reset, which makes many drop what they have not read.
        """
        if self.lost or self._poll is not None:
            return
        waiting = self.outlet.unacknowledged()
        if self.ended or waiting is None or (not waiting and self._quiet_polls >= QUIET_POLLS):
            self.outlet.close_connection()
            return
        self._quiet_polls = 0 if waiting else self._quiet_polls + 1
        self._poll_soon()

    def _poll_soon(self) -> None:
        if not self.lost:
            self._poll = self._clock.callLater(ACKNOWLEDGED_POLL, self._polled)

    def _polled(self) -> None:
        self._poll = None
        self._close_when_taken()

    def force(self) -> None:
        """Close now, in good order where nothing stands in the way; what waits is lost."""
        if self.gone:
            return
        self._drop_what_comes()
        if self._all_written and self.outlet.can_half_close:
            self.transport.loseConnection()
        elif self.outlet.waiting or self.outlet.unacknowledged() or not self.outlet.can_half_close:
            self.abort()  # transports close when the socket takes more, or the peer's TLS agrees: that may be never
        else:
            self.outlet.when_empty(self.transport.loseConnection)

    def abort(self) -> None:
        """Close at once, whatever is lost."""
        if not self.gone:
            self._drop_what_comes()
            self.outlet.discard()
            self.transport.abortConnection()

    def _drop_what_comes(self) -> None:
        self._dropping = True
        self.receive = self._drop

    def _drop(self, data: bytes) -> None:
        """Drop what a peer sends to a connection that is being closed, but note that it does."""
        self._quiet_polls = 0

    def progress(self) -> object:
        """Something that changes whenever the peer takes something."""
        return (self.outlet.progress, self.outlet.acknowledged())

    # -- OutletHost -----------------------------------------------------------------------------------------

    def outlet_full(self) -> None:
        """See `OutletHost`."""
        self._host.end_full(self)

    def outlet_drained(self) -> None:
        """See `OutletHost`."""
        self._host.end_drained(self)

    def outlet_overflowed(self) -> None:
        """See `OutletHost`."""
        self._host.end_overflowed(self)

    def outlet_marshaling_error(self, error: MarshalingError) -> None:
        """See `OutletHost`."""
        self._host.end_marshaling_error(self, error)

    def outlet_lost(self) -> None:
        """Receive what the system still has: a connection that breaks on writing is read no more by the transport."""
        read = getattr(self.transport, "doRead", None)
        if self.gone or self.ended or self._dropping or read is None:
            return
        try:
            for _ in range(MAX_LAST_READS):
                if read() is not None:
                    break
        except Exception:  # the socket must be closed all the same
            log.failure("bug: what a connection received at its end is lost")


def _ignore(data: bytes) -> None:
    """Drop what comes of a connection that is gone."""
