"""How a connection and a link end: their states, and the effect of each event in each state.

Rules of a connection:

* Its two streams end one by one. After the peer has ended its stream, it still gets messages. After we have ended ours,
  we still receive.
* To close, it writes the bytes that wait. If the peer has ended its stream, it closes the socket then. Otherwise it
  ends our stream, and closes the socket when the peer has ended its stream, too, or when the peer's system has received
  everything and the peer has sent nothing for a second. Until then it reads and drops bytes: to close a socket with
  unread bytes resets the connection, and the peer would lose data.
* If no time is left, or the transport raises, it is aborted. If the transport does not react to that either, its socket
  is closed after `FORCED` seconds.

Rules of a link:

* Before the link is made, a lost side ends the attempt. So does a side that ends its stream, unless messages came after
  its hello: then the client has only finished sending.
* Once it is made, the loss of one side leaves the other connected. Every message that the lost side sent is filtered
  and delivered. Then the application is told, once for each side: ``on_error`` with `Disconnected`. It decides how to
  go on.
* It is told at once if a side is lost while a verdict is awaited or the other side is slow, since both may take long.
  It is told of the end of a stream only after the messages before it. If nothing moves for ``linger`` until then, the
  link closes.
* A large message that no filter wants passes in pieces, as it comes. Others who write to its receiver wait for its end.
  If the sender goes down inside of such a message, or the link closes there, the rest never comes. Then nothing may be
  written after the pieces: they are the last bytes that the receiver gets, and our stream to it ends at once. A sender
  that goes down inside of a message that was not passed on yet costs the receiver nothing.
* A link that finishes ends the stream to a side as soon as nothing more can come for it. It closes when both directions
  have ended, or after ``linger``.
* A link that leaves, because its repeater is drained, ends at the client's side first. The client gets the farewell, or
  only the end of its stream. Without a farewell it may not know yet that nobody answers: what it still sends is
  relayed, until it ends its stream, too, or its system has received everything and it has sent nothing for a second.
  Then the link closes. After a farewell it closes at once: the client was told that nothing more is accepted.
* A link that closes accepts no more bytes. It filters the messages that it has received, writes the bytes that wait,
  then closes both connections. It forces them after ``close_timeout`` without progress, or after ``linger`` in all.
* If the repeater or the application closes a link whose sides are both up, the client gets the dialect's farewell. It
  comes once and last, before the stream ends. If what waits before it does not go out in time, it is not said.
* A link whose name or place a newcomer needs closes within ``close_timeout`` in all, whatever the progress.
* It is over when both connections are gone. Then its name and its place are free.

Three examples, with the default ``on_error`` (`ON_LOSS`):

The client half-closes
    PEER_ENDED, REPORT: the filter sees the client's last messages, then the default ``on_error`` calls FINISH, LINGER,
    END_STREAMS: the server gets them and the end of the stream. Replies still reach the client. When the server ends
    its stream, too, both directions have ended: CLOSE.
The server is lost while a verdict is awaited
    LOST, REPORT: the application is told at once, and the default ``on_error`` calls CLOSE. Messages of the server that
    wait are judged and go to the client, messages for the server are dropped. If nothing moves for ``close_timeout``:
    OUT_OF_TIME, FORCE.
The repeater is shut down while bytes wait
    CLOSE, FLUSH: they are written as the peer accepts them, after them the farewell to the client, then its stream
    ends. If it accepts nothing for ``close_timeout``: OUT_OF_TIME, FORCE, which aborts its connection.
"""

from __future__ import annotations

import sys
from enum import Enum, IntEnum, StrEnum

from twisted.logger import Logger

__all__ = [
    "CLOSES",
    "CONNECTION_MOVES",
    "CONNECTION_STEPS",
    "ENDED",
    "LINK_MOVES",
    "LINK_STEPS",
    "LOG_MOVES",
    "ON_LOSS",
    "WRITTEN",
    "Action",
    "ConnectionEvent",
    "ConnectionState",
    "LinkEvent",
    "LinkState",
    "log_move",
]

log: Logger = Logger()

LOG_MOVES: bool = sys.flags.dev_mode
"""Whether each move of a state is logged, at debug level: in Python's development mode, ``python -X dev``. Otherwise a
move costs no more than this check, and a log without a level does not fill with moves."""


def log_move(who: str, before: Enum, event: Enum, after: Enum) -> None:
    """Log that a state has moved."""
    log.debug("{who}: {before}, {event}: {after}", who=who, before=before.name, event=event.name, after=after.name)


# -- a connection ------------------------------------------------------------------------------------------------


class _Numbered(IntEnum):
    """An enum whose members are keys: hashed as numbers, by C, and not as names."""

    __hash__ = int.__hash__


class ConnectionState(_Numbered):
    """How a connection stands. From `FLUSHING` on, received bytes are dropped."""

    UNCONNECTED = 0
    """Not connected yet."""
    OPEN = 1
    """Both streams are open."""
    PEER_ENDED = 2
    """The peer has ended its stream."""
    OWN_ENDED = 3
    """Our stream has ended; everything is written."""
    BOTH_ENDED = 4
    FLUSHING = 5
    """It closes: the bytes that wait are written, then our stream ends."""
    LAST_FLUSH = 6
    """The same, and the peer has ended its stream."""
    DRAINING = 7
    """Our stream has ended; the peer's system takes the last bytes, and bytes of the peer are dropped."""
    CLOSED = 8
    """Nothing is left to wait for: the socket is being closed."""
    ABORTED = 9
    LOST = 10
    """The connection is gone."""


class ConnectionEvent(_Numbered):
    """What happens to a connection."""

    CONNECTED = 0
    PEER_ENDED = 1
    """The peer has ended its stream, and all before that is read."""
    WRITTEN = 2
    """Our stream has ended: everything is written."""
    CLOSE = 3
    """The link closes, or drops the connection."""
    TAKEN = 4
    """The peer's system has everything, and nothing comes any more."""
    ABORT = 5
    LOST = 6


_C, _CE = ConnectionState, ConnectionEvent

CONNECTION_MOVES: dict[tuple[ConnectionState, ConnectionEvent], ConnectionState] = {
    (_C.UNCONNECTED, _CE.CONNECTED): _C.OPEN,
    (_C.OPEN, _CE.PEER_ENDED): _C.PEER_ENDED,
    (_C.OPEN, _CE.WRITTEN): _C.OWN_ENDED,
    (_C.OPEN, _CE.CLOSE): _C.FLUSHING,
    (_C.PEER_ENDED, _CE.WRITTEN): _C.BOTH_ENDED,
    (_C.PEER_ENDED, _CE.CLOSE): _C.LAST_FLUSH,
    (_C.OWN_ENDED, _CE.PEER_ENDED): _C.BOTH_ENDED,
    (_C.OWN_ENDED, _CE.CLOSE): _C.DRAINING,
    (_C.BOTH_ENDED, _CE.CLOSE): _C.CLOSED,
    (_C.FLUSHING, _CE.PEER_ENDED): _C.LAST_FLUSH,
    (_C.FLUSHING, _CE.WRITTEN): _C.DRAINING,
    (_C.LAST_FLUSH, _CE.WRITTEN): _C.CLOSED,
    (_C.DRAINING, _CE.PEER_ENDED): _C.CLOSED,
    (_C.DRAINING, _CE.TAKEN): _C.CLOSED,
    **{(state, _CE.ABORT): _C.ABORTED for state in _C if _C.UNCONNECTED < state < _C.ABORTED},
    **{(state, _CE.LOST): _C.LOST for state in _C if _C.UNCONNECTED < state < _C.LOST},
}
"""Where an event moves a connection. An event that is not listed for a state does not move it."""

CONNECTION_STEPS: tuple[dict[ConnectionEvent, ConnectionState], ...] = tuple(
    {event: after for (before, event), after in CONNECTION_MOVES.items() if before is state} for state in _C
)
"""The same, by the number of the state, then by the event: to look a move up so takes half of the time."""

ENDED = frozenset({_C.PEER_ENDED, _C.BOTH_ENDED, _C.LAST_FLUSH, _C.CLOSED, _C.ABORTED, _C.LOST})
"""Nothing more comes of the peer."""

WRITTEN = frozenset({_C.OWN_ENDED, _C.BOTH_ENDED, _C.DRAINING, _C.CLOSED})
"""Our stream has ended in good order."""


# -- a link ------------------------------------------------------------------------------------------------------


class LinkState(_Numbered):
    """How a link stands. From `RELAYING` on it is, or was, made."""

    MAKING = 0
    FAILING = 1
    """It closes before it was made."""
    FAILED = 2
    """It was never made, and both connections are gone."""
    RELAYING = 3
    FINISHING = 4
    """It ends without losing a reply."""
    CLOSING = 5
    OVER = 6
    """It was made, and both connections are gone."""


CLOSES = frozenset({LinkState.FAILING, LinkState.FAILED, LinkState.CLOSING, LinkState.OVER})
"""The link closes, or is over."""


class LinkEvent(_Numbered):
    """What happens to a link."""

    MADE = 0
    PEER_ENDED = 1
    """A side has ended its stream."""
    LOST = 2
    """A side's connection is gone."""
    FINISH = 3
    """``link.finish()``, or the default ``on_error`` when a side has ended its stream."""
    CLOSE = 4
    """``link.close()``, a verdict, shutdown, the default ``on_error`` when a side is lost, or time that is over."""
    MOVED = 5
    """A lane has nothing left to do, or a side has ended or gone."""
    GIVE_WAY = 6
    """A newcomer needs the name, so waiting for replies gains nothing: the old client no longer reads them. Or it needs
    the place, and the client has sent nothing."""
    OUT_OF_TIME = 7
    ABORT = 8
    BOTH_GONE = 9
    LEAVE = 10
    """The repeater is drained, and nothing waits on the link."""


class Action(StrEnum):
    """What a link does about an event: the name of the method of `Pair` that does it."""

    START = "_start"
    """Relay: first the messages that came after the hellos."""
    FAIL_ATTEMPT = "_fail_attempt"
    """Tell the attempt, which closes the link with the reason."""
    REPORT = "_report"
    """Tell the application, after all that the side sent; see above."""
    LINGER = "_linger"
    """Allow ``linger`` for the rest, and `END_STREAMS`."""
    END_STREAMS = "_end_streams"
    """End the stream to each side for which nothing more can come; close when both directions have ended."""
    END_CLIENT = "_end_client"
    """Say the farewell and end the stream to the client; without a farewell, relay what it still sends."""
    DROP = "_drop"
    """Close both connections: nothing that matters waits."""
    FLUSH = "_flush"
    """Take in nothing more, start the deadline, and `CLOSE_WHEN_IDLE`."""
    CLOSE_WHEN_IDLE = "_close_when_idle"
    """Once all that was received is filtered, say the farewell and close both connections."""
    HURRY = "_hurry"
    """Be over within ``close_timeout`` from now."""
    FORCE = "force"
    """Drop the messages that were received. Close each connection in order if that is possible at once, or abort it."""
    ABORT = "_abort"
    END = "_end"
    """Report a loss that was not reported yet, stop the timers, free the name, fire the Deferreds of those who wait."""


_L, _LE, _A = LinkState, LinkEvent, Action

UNMADE = (_L.MAKING, _L.FAILING)
MADE = (_L.RELAYING, _L.FINISHING, _L.CLOSING)

LINK_MOVES: dict[tuple[LinkState, LinkEvent], tuple[Action, LinkState]] = {
    (_L.MAKING, _LE.MADE): (_A.START, _L.RELAYING),
    (_L.MAKING, _LE.CLOSE): (_A.DROP, _L.FAILING),
    (_L.RELAYING, _LE.FINISH): (_A.LINGER, _L.FINISHING),
    (_L.RELAYING, _LE.LEAVE): (_A.END_CLIENT, _L.FINISHING),
    (_L.RELAYING, _LE.CLOSE): (_A.FLUSH, _L.CLOSING),
    (_L.FINISHING, _LE.FINISH): (_A.END_STREAMS, _L.FINISHING),
    (_L.FINISHING, _LE.MOVED): (_A.END_STREAMS, _L.FINISHING),
    (_L.FINISHING, _LE.CLOSE): (_A.FLUSH, _L.CLOSING),
    (_L.CLOSING, _LE.MOVED): (_A.CLOSE_WHEN_IDLE, _L.CLOSING),
    **{(state, _LE.GIVE_WAY): (_A.HURRY, state) for state in (_L.FAILING, _L.CLOSING)},
    **{(state, _LE.OUT_OF_TIME): (_A.FORCE, state) for state in (_L.FAILING, _L.CLOSING)},
    **{(state, event): (_A.FAIL_ATTEMPT, state) for state in UNMADE for event in (_LE.PEER_ENDED, _LE.LOST)},
    **{(state, event): (_A.REPORT, state) for state in MADE for event in (_LE.PEER_ENDED, _LE.LOST)},
    **{(state, _LE.ABORT): (_A.ABORT, _L.FAILING) for state in UNMADE},
    **{(state, _LE.ABORT): (_A.ABORT, _L.CLOSING) for state in MADE},
    **{(state, _LE.BOTH_GONE): (_A.END, _L.FAILED) for state in UNMADE},
    **{(state, _LE.BOTH_GONE): (_A.END, _L.OVER) for state in MADE},
}
"""What a link does about an event, and where that moves it. An event that is not listed for a state changes nothing."""

LINK_STEPS: tuple[dict[LinkEvent, tuple[str, LinkState]], ...] = tuple(
    {event: (move[0].value, move[1]) for (before, event), move in LINK_MOVES.items() if before is state} for state in _L
)
"""The same, by the number of the state, then by the event, with the names of methods as plain strings: Python finds a
method by a string of another class only after it has looked into every base."""

ON_LOSS = {True: LinkEvent.FINISH, False: LinkEvent.CLOSE}
"""The event that the default ``on_error`` causes when a side is lost: by whether that side can still be written to."""
