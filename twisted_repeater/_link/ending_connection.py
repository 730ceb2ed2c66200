"""How one connection of a link ends: the part of a `Connection` that moves its state.

`closing` has the states, and the rules.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.error import ConnectionAborted, ConnectionLost, TCPTimedOutError
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .._sockets.socket_state import HangUp, hang_up_of, tcp_state, unread_size
from .._sockets.valve import Valve
from ..model import Side
from .closing import CONNECTION_STEPS, ENDED, LOG_MOVES, WRITTEN, ConnectionEvent, ConnectionState, log_move
from .outlet import Outlet

if TYPE_CHECKING:
    from .factory import Links
    from .pair import Pair
    from .starting_tls import TLSHandshake

__all__ = ["EndingConnection"]

log: Logger = Logger()

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


@implementer(IHalfCloseableProtocol)
class EndingConnection(Protocol):
    """The state of a connection, and what moves it on to its end."""

    __slots__ = (
        "_host",
        "_quiet_polls",
        "_why_lost",
        "handle",
        "handshake",
        "is_tcp",
        "link",
        "loss",
        "outlet",
        "receive",
        "state",
        "transport",
        "valve",
    )

    transport: Any
    outlet: Outlet
    valve: Valve
    receive: Callable[[bytes], None]

    side: ClassVar[Side]

    def __init__(self, link: Pair, host: Links) -> None:
        self.link: Pair = link
        self.state: ConnectionState = ConnectionState.UNCONNECTED
        """Moved by `_move` only."""
        self.handle: socket.socket | None = None
        """The connection's socket, if it has one."""
        self.handshake: TLSHandshake | None = None
        """That of TLS; ``None`` without TLS."""
        self.is_tcp: bool = False
        self.loss: BaseException | None = None
        """Why the connection is gone."""
        self._host = host
        self._why_lost: BaseException | None = None
        """Why the connection is lost, where this class knows that better than the transport."""
        self._quiet_polls = 0

    @property
    def gone(self) -> bool:
        """Whether the connection is not made yet, or is lost."""
        return self.state is ConnectionState.UNCONNECTED or self.state is ConnectionState.LOST

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.state is ConnectionState.LOST

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of the peer."""
        return self.state in ENDED

    @property
    def closes(self) -> bool:
        """Whether received bytes are dropped: the connection is being closed, or is gone."""
        return self.state >= ConnectionState.FLUSHING

    def _move(self, event: ConnectionEvent) -> None:
        """Move the state, in the one place where that is done."""
        state = CONNECTION_STEPS[self.state].get(event)
        if state is not None:
            before, self.state = self.state, state
            if LOG_MOVES:
                log_move(self.side.value, before, event, state)

    def readConnectionLost(self) -> None:
        """The peer has ended its stream; it may still read. See `IHalfCloseableProtocol`.

        Both are checked first: a transport that acts on an old event may report the end while there are bytes to read,
        or take a broken connection for one whose peer still reads.
        """
        if self.state in ENDED:
            return
        if self.handle is not None:
            self._read_the_rest()
            if self.is_tcp and self._is_broken(hang_up_of(self.handle)):
                self._break()
            if self.state in ENDED:
                return
        self._move(ConnectionEvent.PEER_ENDED)
        self.link.peer_ended(self)
        if self.handle is not None and self.state < ConnectionState.CLOSED:
            self._host.monitor.reads(self, False)
        if self.link.timers.stop(("poll", self)):
            self._close_when_taken()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone. See `IProtocol`."""
        if self.gone:
            return
        self._move(ConnectionEvent.LOST)
        self.loss = self._why_lost or reason.value or ConnectionLost()
        self.receive = _ignore  # a method of its own would be a cycle, which keeps it and its link for longer
        self.__dict__.pop("factory", None)  # so would this
        self.valve.detach()
        self.outlet.discard()
        self._host.monitor.lost(self)
        self.link.timers.stop(("poll", self), ("insist", self))
        if self.handshake is not None:
            self.handshake.lost(self.loss)
        self.link.connection_lost(self, self.loss)

    # -- Monitored ------------------------------------------------------------------------------------------

    def hang_up(self, how: HangUp) -> None:
        """See `Monitored`."""
        if self._is_broken(how):
            self._read_the_rest()
            self._break()
        elif self.state not in ENDED:
            self.link.peer_ended_unread(self)

    def vanish(self) -> None:
        """See `Monitored`."""
        self._read_the_rest()
        if not self.gone:
            self._why_lost = self._vanished()
            self.link.break_off(self, self._why_lost)

    def _is_broken(self, how: HangUp | None) -> bool:
        """Return whether this is the loss of the connection, and not the end of the peer's stream.

        `HangUp.CLOSED` is not a loss after both streams have ended in good order. On a Unix socket it only means that
        the peer has closed.
        """
        return how is HangUp.BROKEN or (how is HangUp.CLOSED and self.is_tcp and self.state not in WRITTEN)

    def _break(self) -> None:
        """The connection is broken: have the transport close it, as if it had noticed by itself."""
        self._why_lost = self._why_lost or self._why_silent()
        self.outlet.innermost.connectionLost(Failure(ConnectionLost()))

    def _why_silent(self) -> BaseException | None:
        """Return a timeout as the reason if the system has given up the connection because its peer was silent."""
        timeout = self._host.monitor.timeout
        state = tcp_state(self.handle) if self.handle is not None and timeout is not None else None
        silent = state and timeout and state.unanswered and state.silence >= timeout * LONG_SILENCE
        return self._vanished() if silent else None

    def _vanished(self) -> BaseException:
        return TCPTimedOutError(string=f"the {self.side.value}'s system does not answer")

    def _read_the_rest(self) -> None:
        """Receive the bytes that the system still has of a connection that ends, also while its messages wait.

        Twisted would drop them with the socket. ``doRead`` is public (`IReadDescriptor`), and reads what there is.
        """
        read = getattr(self.outlet.innermost, "doRead", None)
        if read is None or self.handle is None:
            return
        try:
            for _ in range(MAX_LAST_READS):
                if self.state in ENDED or self.closes or not unread_size(self.handle) or read() is not None:
                    break
        except Exception:  # the connection must end all the same
            log.failure("bug: the last bytes that a connection received are lost")

    # -- closing --------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close a connection on which nothing waits, or nothing matters."""
        if not self.gone:
            self._drop_received()
            self._try(self.valve.open_fully)  # TLS closes when the answer to that is read
            self._try(self.outlet.when_empty, self.transport.loseConnection)

    def end_stream(self) -> None:
        """After the bytes that wait, tell the peer that nothing more comes; the other way stays open.

        With TLS it does until the peer ends it too, which many do at once. With other wrappers it doesn't.
        """
        if not self.gone:
            self._try(self.outlet.when_empty, self._end_stream)

    def _end_stream(self) -> None:
        if self.outlet.can_half_close and self.state is not ConnectionState.LAST_FLUSH:
            self.outlet.end_stream()
            return
        self._move(ConnectionEvent.WRITTEN)
        if self.outlet.can_half_close:  # all that came is read: closing ends our stream, too
            self.outlet.close_connection()
            return
        self.transport.loseConnection()
        if self.closes:
            self._poll_soon()

    def close(self) -> None:
        """After the bytes that wait, end the stream and close. The peer gets the time to take them all."""
        if self.gone:
            return
        self._drop_received()
        self._try(self.valve.open_fully)
        if self.state in WRITTEN:
            self._try(self._close_when_taken)
        else:
            self._try(self.outlet.when_empty, self._end_stream)

    def writeConnectionLost(self) -> None:
        """Our stream has ended: everything is written. See `IHalfCloseableProtocol`."""
        self._move(ConnectionEvent.WRITTEN)
        if self.closes:
            self._close_when_taken()

    def _close_when_taken(self) -> None:
        """Close when the peer has ended its stream, too, or its system has taken everything and nothing more comes.

        A peer that still sends is at work. If it sends after the close, the system resets the connection, and many
        peers then drop what they have not read.
        """
        if self.lost or ("poll", self) in self.link.timers:
            return
        waiting = None if self.state in ENDED else self.outlet.unacknowledged()
        if waiting is None or (not waiting and self._quiet_polls >= QUIET_POLLS):
            self._move(ConnectionEvent.TAKEN)
            self.outlet.close_connection()
            return
        self._quiet_polls = 0 if waiting else self._quiet_polls + 1
        self._poll_soon()

    def was_quiet(self) -> None:
        """The peer has everything, and was quiet for long while it was read: need not wait for that again to close."""
        self._quiet_polls = QUIET_POLLS

    def _poll_soon(self) -> None:
        if not self.lost:
            self.link.timers.call_later(("poll", self), ACKNOWLEDGED_POLL, self._close_when_taken)

    def force(self) -> None:
        """Close now, in good order where nothing stands in the way; what waits is lost."""
        if self.gone:
            return
        self._drop_received()
        outlet = self.outlet
        if self.state in WRITTEN and outlet.can_half_close:
            self._try(self.transport.loseConnection)
        elif outlet.ended or outlet.waiting or outlet.unacknowledged() or not outlet.can_half_close:
            self.abort()  # transports close when the socket takes more, or the peer's TLS agrees: that may be never
        else:
            self._try(outlet.when_empty, self.transport.loseConnection)
        if self.state < ConnectionState.ABORTED:
            self._insist()

    def abort(self) -> None:
        """Close at once, whatever is lost."""
        if self.gone or self.state is ConnectionState.ABORTED:
            return
        self._drop_received()
        self._move(ConnectionEvent.ABORT)
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
        self.link.timers.call_later(("insist", self), FORCED, self._still_there)

    def _still_there(self) -> None:
        if self.state is not ConnectionState.ABORTED:
            self.abort()
            return
        # When ``select`` drops a connection with a descriptor above 1023, its transport does nothing any more. Then
        # nothing else would end the link, nor the process.
        log.error("the connection of the {side} does not end when aborted: its socket is closed", side=self.side.value)
        reason = Failure(ConnectionAborted())
        try:
            self.outlet.take_away(reason)
        except Exception:
            log.failure("the transport of the {side} failed at its end", side=self.side.value)
        self.connectionLost(reason)

    def _drop_received(self) -> None:
        self._move(ConnectionEvent.CLOSE)
        self.receive = self._drop

    def _drop(self, data: bytes) -> None:
        """Drop bytes for a connection that is being closed, but note that they came."""
        self._quiet_polls = 0


def _ignore(data: bytes) -> None:
    """Drop bytes of a connection that is gone."""
