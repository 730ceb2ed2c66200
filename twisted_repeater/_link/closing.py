"""How a connection and a link end: their states, and what each event does in each state.

What a connection keeps to:

* Its two streams end one by one. After the peer has ended its stream, messages still go out to it. After our stream has
  ended, messages still come in.
* Once it closes, what comes is read and dropped: a socket that is closed with unread bytes resets the connection, and
  then the peer loses what it has not read. What waits is written first, then our stream ends. The socket is closed when
  the peer has ended its stream, too, or its system has everything and the peer has been quiet for a second.
* It closes in order if it can. Where no time is left, or the transport raises, it is aborted. A transport that does
  nothing even then loses its socket (`FORCED`).

What a link keeps to:

* While it is made, a side that goes ends the attempt. Messages behind a hello keep it: such a client has said all.
* Once it is made, a side that goes leaves the other up. All that the side sent is filtered and delivered. Then the
  application is told, once for each side: ``on_error`` with `Disconnected`. It decides what becomes of the link.
* A lost side is reported at once where a verdict is awaited or the other side is slow, since that may take long. The
  end of a stream is reported in its turn. If nothing moves for ``linger`` until then, the link closes.
* A link that finishes ends the stream to each side for which nothing more can come. It closes when both directions have
  ended, or after ``linger``.
* A link that closes takes in nothing more. What it has received is filtered, what waits is flushed, then both
  connections close. It is forced after ``close_timeout`` without progress, or after ``linger`` in all.
* It is over when both connections are gone. Then its name and its place are free.

So, with the default ``on_error`` (`ON_LOSS`):

The client half-closes
    PEER_ENDED, REPORT: the filter sees what the client sent, then FINISH: the server gets the end of the stream behind
    it. Replies go on. When the server ends its stream, too, both directions have ended: CLOSE.
The server is lost while a verdict is awaited
    LOST, REPORT: told at once, as a verdict may take for ever, then CLOSE. The messages of the server that wait are
    still judged and go to the client. Those for the server are dropped. After ``close_timeout`` without progress both
    connections are forced.
Shutdown while bytes wait
    CLOSE, FLUSH: the bytes are written while the peer takes them, then its stream ends. If it takes nothing for
    ``close_timeout``: OUT_OF_TIME, FORCE, which aborts its connection.
"""

from __future__ import annotations

import sys
from enum import Enum, IntEnum, StrEnum

from twisted.logger import Logger

__all__ = [
    "CLOSES",
    "CONNECTION_MOVES",
    "ENDED",
    "LINK_MOVES",
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


class ConnectionState(IntEnum):
    """How a connection stands. From `FLUSHING` on, what comes is dropped."""

    UNCONNECTED = 0
    """There is no connection yet."""
    OPEN = 1
    """Both streams are open."""
    PEER_ENDED = 2
    """The peer has ended its stream."""
    OWN_ENDED = 3
    """Our stream has ended; everything is written."""
    BOTH_ENDED = 4
    FLUSHING = 5
    """It closes: what waits is written, then our stream ends."""
    LAST_FLUSH = 6
    """The same, and the peer has ended its stream."""
    DRAINING = 7
    """Our stream has ended; the peer's system takes the last bytes, and what the peer still sends is dropped."""
    CLOSED = 8
    """Nothing is left to wait for: the socket is being closed."""
    ABORTED = 9
    LOST = 10
    """The connection is gone."""


class ConnectionEvent(IntEnum):
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

ENDED = frozenset({_C.PEER_ENDED, _C.BOTH_ENDED, _C.LAST_FLUSH, _C.CLOSED, _C.ABORTED, _C.LOST})
"""Nothing more comes of the peer."""

WRITTEN = frozenset({_C.OWN_ENDED, _C.BOTH_ENDED, _C.DRAINING, _C.CLOSED})
"""Our stream has ended in good order."""


# -- a link ------------------------------------------------------------------------------------------------------


class LinkState(IntEnum):
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


class LinkEvent(IntEnum):
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
    """A newcomer wants the name, so waiting for replies gains nothing: the old client no longer reads them."""
    OUT_OF_TIME = 7
    ABORT = 8
    BOTH_GONE = 9


class Action(StrEnum):
    """What a link does about an event: the name of the method of `Pair` that does it."""

    START = "_start"
    """Relay: first what waited behind the hellos."""
    FAIL_ATTEMPT = "_fail_attempt"
    """Tell the attempt, which closes the link with the reason."""
    REPORT = "_report"
    """Tell the application, after all that the side sent; see above."""
    LINGER = "_linger"
    """Allow ``linger`` for the rest, and `END_STREAMS`."""
    END_STREAMS = "_end_streams"
    """End the stream to each side for which nothing more can come; close when both directions have ended."""
    DROP = "_drop"
    """Close both connections: nothing that matters waits."""
    FLUSH = "_flush"
    """Take in nothing more, start the deadline, and `CLOSE_WHEN_IDLE`."""
    CLOSE_WHEN_IDLE = "_close_when_idle"
    """Close both connections, once all that was received is filtered."""
    HURRY = "_hurry"
    """Be over within ``close_timeout`` from now."""
    FORCE = "force"
    """Drop what was received; close what can be closed in order at once, abort the rest."""
    ABORT = "_abort"
    END = "_end"
    """Tell the application what it was not told yet, stop the timers, free the name, tell those who wait."""


_L, _LE, _A = LinkState, LinkEvent, Action

UNMADE = (_L.MAKING, _L.FAILING)
MADE = (_L.RELAYING, _L.FINISHING, _L.CLOSING)

LINK_MOVES: dict[tuple[LinkState, LinkEvent], tuple[Action, LinkState]] = {
    (_L.MAKING, _LE.MADE): (_A.START, _L.RELAYING),
    (_L.MAKING, _LE.CLOSE): (_A.DROP, _L.FAILING),
    (_L.RELAYING, _LE.FINISH): (_A.LINGER, _L.FINISHING),
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
"""What a link does about an event, and where that moves it. An event that is not listed for a state is nothing."""

ON_LOSS = {True: LinkEvent.FINISH, False: LinkEvent.CLOSE}
"""What the default ``on_error`` does to a link that has lost a side, by whether the side can still be written to."""
