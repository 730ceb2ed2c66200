"""One of a link's two connections: its hello, then what it receives and sends, until it is gone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost, TCPTimedOutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._sockets.connection_monitor import ConnectionMonitor
from .._sockets.socket_state import HangUp, hang_ups, socket_of, tcp_state, unread_size
from .._sockets.valve import Valve
from ..errors import HelloTimeout, InvalidHello, MarshalingError
from ..framings.base import Framing
from ..interfaces import IHandshake
from ..model import Hello, Limits, Side
from .hello import SHOWN, HelloReader
from .outlet import Outlet
from .outlets import outlet_for

__all__ = ["Connection", "ConnectionHost"]

log = Logger()

MAX_EARLY = 64 * 1024
"""How many bytes behind a hello are read before the link is complete."""

MAX_LAST_READS = 1024
"""How many reads a connection gets at its end, at most; a system keeps no more than some megabytes for it."""

ACKNOWLEDGED_POLL = 0.05
"""How often, in seconds, a closing connection is asked whether its peer's system has taken everything."""

LONG_SILENCE = 0.9
"""If the peer of a broken connection was silent for this part of the allowed time, that is why the system broke it."""

QUIET_POLLS = 20
"""So often in a row, which takes a second, nothing must have come of a peer that has taken everything."""

FORCED = 1.0
"""How many seconds a connection may take to end after `Connection.force`, and again after `Connection.abort`."""


class ConnectionHost(Protocol):
    """What an end needs of its link."""

    def end_stopped(self, end: Connection) -> None:
        """The peer has ended its stream."""

    def end_stops_unread(self, end: Connection) -> None:
        """The peer has ended its stream, after bytes that cannot be read yet. Called again until the end is read."""

    def end_vanished(self, end: Connection, reason: BaseException) -> None:
        """The peer's system no longer answers."""

    def end_lost(self, end: Connection, reason: BaseException) -> None:
        """The connection is gone."""

    def end_full(self, end: Connection) -> None:
        """More waits for the peer than should."""

    def end_drained(self, end: Connection) -> None:
        """Nothing waits for the peer any more."""

    def end_overflowed(self, end: Connection) -> None:
        """The application sent more than may wait for the peer."""

    def end_marshaling_error(self, end: Connection, error: MarshalingError) -> None:
        """A message could not be encoded and is not sent."""


class Connection:
    """One side of a link, from its connection to its end."""

    __slots__ = (
        "_aborted",
        "_address_known",
        "_all_written",
        "_clock",
        "_dropping",
        "_greeting",
        "_hello",
        "_host",
        "_last_resort",
        "_poll",
        "_quiet_polls",
        "_watch",
        "_why_lost",
        "address",
        "connected",
        "ended",
        "handle",
        "handshake",
        "heard",
        "is_tcp",
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

    def __init__(
        self,
        side: Side,
        host: ConnectionHost,
        handshake: IHandshake,
        clock: IReactorTime,
        watch: ConnectionMonitor,
        dialect: str = "",
    ) -> None:
        self.side = side
        self.handshake = handshake
        self.address: Any = None
        self.handle: socket.socket | None = None
        """The connection's socket, if it has one."""
        self.is_tcp = False
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
        self._watch = watch
        self._why_lost: BaseException | None = None
        """Why the connection is lost, where this class knows that better than the transport."""
        self._greeting = HelloReader(side, handshake, dialect)
        self._hello: Deferred[Hello] | None = None
        self._address_known: Deferred[None] | None = None
        self._poll: Any = None
        self._last_resort: Any = None
        """The timer that acts if the connection does not end although it was forced or aborted."""
        self._aborted = False
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
        self.is_tcp = isinstance(self.address, (IPv4Address, IPv6Address))
        if self.is_tcp and hasattr(transport, "setTcpKeepAlive"):
            transport.setTcpKeepAlive(True)
            transport.setTcpNoDelay(True)
        self.valve = Valve(transport, self._reads)
        self.outlet = outlet_for(transport, self, framing, limits.max_waiting)
        self.handle = socket_of(self.outlet.innermost)
        self.connected = True
        self._watch.connected(self)

    def _reads(self, reads: bool) -> None:
        self._watch.reads(self, reads)

    def stop(self) -> None:
        """The peer has ended its stream; it may still read.

        A transport may report an end of stream that is none yet: it may act on an event of the system that is out of
        date, while there are bytes to read, or take a broken connection for one whose peer still reads. So both are
        checked first.
        """
        if self.ended:
            return
        self._read_the_rest()
        if self.is_tcp and self.handle is not None and self._is_broken(hang_ups([self.handle])[0]):
            self._break()
        if self.ended:
            return
        self.ended = True
        self.valve.detach()
        self._watch.reads(self, False)
        self._host.end_stopped(self)
        if self._poll is not None:
            self._poll.cancel()
            self._polled()

    def lose(self, reason: BaseException) -> None:
        """The connection is gone."""
        if not self.lost:
            self.ended = self.lost = True
            self.loss = self._why_lost or reason
            self.receive = _ignore  # a method of its own would be a cycle, which keeps it and its link for longer
            self.valve.detach()
            self.outlet.discard()
            self._watch.lost(self)
            if self._poll is not None:
                self._poll.cancel()
                self._poll = None
            if self._last_resort is not None:
                self._last_resort.cancel()
                self._last_resort = None
            self._host.end_lost(self, self.loss)

    # -- Watched --------------------------------------------------------------------------------------------

    def hang_up(self, how: HangUp) -> None:
        """See `Monitored`."""
        if self._is_broken(how):
            self._read_the_rest()
            self._break()
        elif not self.ended:
            self._host.end_stops_unread(self)

    def vanish(self) -> None:
        """See `Monitored`."""
        self._read_the_rest()
        if not self.gone:
            self._why_lost = self._vanished()
            self._host.end_vanished(self, self._why_lost)

    def _is_broken(self, how: HangUp | None) -> bool:
        """Return whether this is the loss of the connection, and not the end of the peer's stream.

        `HangUp.CLOSED` is no loss after both streams have ended in good order. On a Unix socket it only says that the
        peer has closed.
        """
        return how is HangUp.BROKEN or (how is HangUp.CLOSED and self.is_tcp and not self._all_written)

    def _break(self) -> None:
        """The connection is broken: have the transport close it, as if it had noticed by itself."""
        self._why_lost = self._why_lost or self._why_silent()
        self.outlet.innermost.connectionLost(Failure(ConnectionLost()))

    def _why_silent(self) -> BaseException | None:
        """Return a timeout as the reason if the system has given up the connection because its peer was silent."""
        timeout = self._watch.timeout
        state = tcp_state(self.handle) if self.handle is not None and timeout is not None else None
        if state is None or timeout is None or not state.unanswered or state.silence < timeout * LONG_SILENCE:
            return None
        return self._vanished()

    def _vanished(self) -> BaseException:
        return TCPTimedOutError(string=f"the {self.side.value}'s system does not answer")

    def _read_the_rest(self) -> None:
        """Receive the bytes that the system still has of a connection that ends, also while its messages wait."""
        read = getattr(self.outlet.innermost, "doRead", None)
        if read is None or self.handle is None:
            return
        try:
            for _ in range(MAX_LAST_READS):
                if self.ended or self._dropping or not unread_size(self.handle) or read() is not None:
                    break
        except Exception:  # the connection must end all the same
            log.failure("bug: the last bytes that a connection received are lost")

    # -- the address ----------------------------------------------------------------------------------------

    def when_address_known(self, timeout: float) -> Deferred[None]:
        """Fire when the PROXY header with the peer's address is read. Fails with `HelloTimeout` after ``timeout``."""
        known: Deferred[None] = Deferred()
        self._address_known = known

        def too_late(result: object, _: float) -> Any:
            raise HelloTimeout("no PROXY header in time", self.side)

        return known.addTimeout(timeout, self._clock, onTimeoutCancel=too_late)

    def address_known(self) -> None:
        """The PROXY header is read: the transport now has the peer's own address."""
        known, self._address_known = self._address_known, None
        if known is not None:
            self.address = self.transport.getPeer()
            known.callback(None)

    def no_header(self, data: bytes) -> None:
        """What came is no PROXY header, and the connection is being closed."""
        known, self._address_known = self._address_known, None
        if known is not None:
            known.errback(InvalidHello(f"no PROXY header: {data[:SHOWN]!r}", self.side))

    # -- the hello ------------------------------------------------------------------------------------------

    def read_hello(self, timeout: float) -> Deferred[Hello]:
        """Return the peer's hello. Fails with `InvalidHello`, or `HelloTimeout` after so many seconds."""
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
        self.address_known()  # data comes after the header

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
            self._try(self.outlet.when_empty, self.transport.loseConnection)

    def end_stream(self) -> None:
        """After what waits, tell the peer that nothing more comes; the other way stays open.

        With TLS it does until the peer ends it too, which many do at once. With other wrappers it doesn't.
        """
        if not self.gone:
            self._try(self.outlet.when_empty, self._end_stream)

    def _end_stream(self) -> None:
        if self.outlet.can_half_close:
            self.transport.loseWriteConnection()
            self.outlet.hear_of_loss()
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
        self._try(self.valve.open_fully)
        if self._all_written:
            self._try(self._close_when_taken)
        else:
            self._try(self.outlet.when_empty, self._end_stream)

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
        outlet = self.outlet
        if self._all_written and outlet.can_half_close:
            self._try(self.transport.loseConnection)
        elif outlet.ended or outlet.waiting or outlet.unacknowledged() or not outlet.can_half_close:
            self.abort()  # transports close when the socket takes more, or the peer's TLS agrees: that may be never
        else:
            self._try(outlet.when_empty, self.transport.loseConnection)
        if not (self.gone or self._aborted):
            self._insist()

    def abort(self) -> None:
        """Close at once, whatever is lost."""
        if self.gone or self._aborted:
            return
        self._aborted = True
        self._drop_what_comes()
        self.outlet.discard()
        self._insist()
        try:
            self.transport.abortConnection()
        except Exception:
            log.failure("the connection of the {side} cannot be aborted", side=self.side.value)

    def _try(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step of an orderly end; if the transport raises, abort the connection."""
        try:
            step(*arguments)
        except Exception:
            log.failure("the connection of the {side} cannot be closed, and is aborted", side=self.side.value)
            self.abort()

    def _insist(self) -> None:
        """Act again if the connection is not gone after `FORCED` seconds."""
        if self._last_resort is not None:
            self._last_resort.cancel()
        self._last_resort = self._clock.callLater(FORCED, self._still_there)

    def _still_there(self) -> None:
        self._last_resort = None
        if self._aborted:
            self._end_anyhow()
        else:
            self.abort()

    def _end_anyhow(self) -> None:
        """The connection was aborted and is still there: end it without its transport.

        A reactor that drops a connection (``select`` does so with descriptors above 1023) may leave the transport in a
        state in which it does nothing. Then nothing else would end the link, nor the process.
        """
        log.error("the connection of the {side} does not end when aborted: its socket is closed", side=self.side.value)
        reason = ConnectionAborted()
        try:
            self.outlet.take_away(Failure(reason))
        except Exception:
            log.failure("the transport of the {side} failed at its end", side=self.side.value)
        self.lose(reason)

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
        if self.gone or self._dropping:
            return
        self._why_lost = self._why_lost or self._why_silent()
        self._read_the_rest()


def _ignore(data: bytes) -> None:
    """Drop what comes of a connection that is gone."""
