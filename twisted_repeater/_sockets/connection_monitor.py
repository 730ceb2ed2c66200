"""Watches connections for events that no reactor reports: hang-ups where nobody reads, and peers that vanish.

* A connection that is not read, because its messages wait or its stream has ended, is in no reactor's set, so the
  reactor sees neither a reset nor the end of its stream. The system is asked about all of these together every few
  seconds.
* A peer whose machine or network is gone sends nothing more, not even a reset. Where no bytes are on their way to it,
  the system notices that by keep-alive. Where some are, the system repeats them for a quarter of an hour. So every TCP
  connection is checked now and then: a peer that has not answered at `CHECKS` checks in a row has vanished. A peer that
  only reads slowly still answers. The checks are spread over time, so that thousands of connections do not delay the
  others.
* A peer whose name somebody else wants is probed at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .socket_state import (
    HangUp,
    KeepAlive,
    hang_ups,
    keep_alive_of,
    keep_alive_within,
    set_keep_alive,
    tcp_state,
)

__all__ = ["ConnectionMonitor", "Monitored"]

log: Logger = Logger()

P = ParamSpec("P")

UNREAD_EVERY = 2.0
"""How many seconds lie between two questions to the system about connections that are not read."""

CHECKS = 4
"""How many checks in a row must find a connection without an answer; they fit into the time that is allowed."""

AT_ONCE = 100
"""How many connections are checked in one turn of the reactor: that takes about half a millisecond."""

HEARD_LATELY = 1.0
"""A peer whose system sent something within this many seconds is there. The system would not probe it."""

PROBE_TIMES = KeepAlive(1, 1, 20)
"""The shortest keep-alive times there are. The system itself must not give up before `PROBE_AT_MOST`."""

PROBE_AT_MOST = 3.0
"""How many seconds a probed peer has for its answer."""

PROBE_AT_LEAST = 0.5
"""A peer that may be far away needs so many seconds for its answer: with less time it is taken to be there."""

PROBE_CHECK = 0.05
"""How often, in seconds, to check whether a probed peer has answered."""


class Monitored(Protocol):
    """A connection as the monitor knows it."""

    handle: socket.socket | None
    is_tcp: bool

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""

    def hang_up(self, how: HangUp) -> None:
        """Something has happened to the connection, after bytes that are not read yet."""

    def vanish(self) -> None:
        """The peer's system no longer answers."""


@dataclass(slots=True)
class _Silence:
    """How long the peer of a connection has not answered."""

    seconds: float
    checks: int = 1


@dataclass(slots=True)
class _Probe:
    """A peer that is being probed."""

    silence: float
    """How many seconds it had been silent before the probe."""
    times: KeepAlive
    """The keep-alive times that its connection had before."""
    deadline: float
    answers: list[Deferred[bool]] = field(default_factory=list)
    timer: IDelayedCall | None = None


class ConnectionMonitor:
    """Watches the connections of a repeater. ``timeout`` is how long a peer may be silent; ``None`` means for ever."""

    def __init__(self, clock: IReactorTime, timeout: float | None) -> None:
        self._clock = clock
        self.timeout = timeout
        self._connections: dict[Monitored, None] = {}
        self._unread: dict[Monitored, None] = {}
        self._round: list[Monitored] = []
        """The connections that are still to be checked in this round."""
        self._spacing = 0.0
        self._silent: dict[Monitored, _Silence] = {}
        self._probes: dict[Monitored, _Probe] = {}
        self._unread_timer: IDelayedCall | None = None
        self._round_timer: IDelayedCall | None = None

    # -- watched connections --------------------------------------------------------------------------------------

    def connected(self, connection: Monitored) -> None:
        """Watch a connection from now on."""
        if connection.handle is None or not connection.is_tcp or self.timeout is None:
            return
        set_keep_alive(connection.handle, keep_alive_within(self.timeout))
        if tcp_state(connection.handle) is not None:
            self._connections[connection] = None
            if self._round_timer is None:
                self._round_timer = self._clock.callLater(self.timeout / CHECKS, self._check)

    def reads(self, connection: Monitored, reads: bool) -> None:
        """Record whether a connection is read. The system is asked about those that are not."""
        if reads:
            self._unread.pop(connection, None)
        elif connection.handle is not None:
            self._unread[connection] = None
            if self._unread_timer is None:
                self._unread_timer = self._clock.callLater(UNREAD_EVERY, self._ask)

    def lost(self, connection: Monitored) -> None:
        """Forget a connection that is gone."""
        self._connections.pop(connection, None)
        self._unread.pop(connection, None)
        self._silent.pop(connection, None)
        self._probed(connection, True)
        if not self._connections:
            self._round.clear()
            _cancel(self._round_timer)
            self._round_timer = None
        if not self._unread:
            _cancel(self._unread_timer)
            self._unread_timer = None

    # -- connections that are not read ---------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask the system about all of them with one call."""
        self._unread_timer = None
        if not self._unread:
            return
        self._unread_timer = self._clock.callLater(UNREAD_EVERY, self._ask)
        self._ask_about(self._unread)

    def _ask_about(self, connections: Iterable[Monitored]) -> None:
        asked = [(one, one.handle) for one in connections if one.handle is not None and one.handle.fileno() >= 0]
        answers = hang_ups([handle for _, handle in asked])
        for (connection, _), how in zip(asked, answers, strict=True):
            if how is not None and connection in self._unread:
                _tell(connection.hang_up, how)

    # -- peers that vanish ---------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Check the next of the connections."""
        assert self.timeout is not None
        if not self._round:
            self._round = list(self._connections)
            turns = max(1, -(-len(self._round) // AT_ONCE))
            self._spacing = self.timeout / CHECKS / turns
        now, self._round = self._round[-AT_ONCE:], self._round[:-AT_ONCE]
        self._round_timer = self._clock.callLater(self._spacing, self._check)
        for connection in now:
            if connection in self._connections and self._has_vanished(connection):
                _tell(connection.vanish)

    def _has_vanished(self, connection: Monitored) -> bool:
        assert self.timeout is not None
        assert connection.handle is not None
        state = tcp_state(connection.handle)
        if state is None or not state.unanswered:
            self._silent.pop(connection, None)
            return False
        silence = self._silent.get(connection)
        if silence is None or state.silence < silence.seconds:  # a shorter silence: it has answered meanwhile
            self._silent[connection] = _Silence(state.silence)
            return False
        silence.checks += 1
        silence.seconds = state.silence
        # Not by our clock: if it is set, or the reactor was kept, the peer was not silent.
        vanished = silence.checks >= CHECKS and state.silence >= self.timeout * (CHECKS - 1.5) / CHECKS
        if vanished:
            del self._silent[connection]  # so that it is reported once
        return vanished

    # -- probing -------------------------------------------------------------------------------------------------

    def has_vanished(self, connection: Monitored, at_most: float) -> Deferred[bool]:
        """Probe a peer at once.

        Args:
            connection: whose peer to probe.
            at_most: a peer that does not answer within so many seconds has vanished.

        Returns:
            A Deferred of true if the peer has vanished, or its connection is lost for another reason. It fires with
            false at once if a probe would show nothing.
        """
        if connection in self._unread:  # the system may know of a reset that was not asked about yet
            self._ask_about([connection])
            if connection.lost:
                return succeed(True)
        if connection not in self._probes and not self._begin_probe(connection, min(PROBE_AT_MOST, at_most)):
            return succeed(False)
        answer: Deferred[bool] = Deferred()
        self._probes[connection].answers.append(answer)
        return answer

    def _begin_probe(self, connection: Monitored, at_most: float) -> bool:
        """Begin to probe a peer. Return false if that cannot be done, or its system sent something just now."""
        if connection.handle is None or not connection.is_tcp or connection.lost or at_most < PROBE_AT_LEAST:
            return False
        state, times = tcp_state(connection.handle), keep_alive_of(connection.handle)
        if state is None or times is None or state.silence <= HEARD_LATELY:
            return False
        if state.window_closed:  # then the system only sends probes of its own, up to two minutes apart
            return False
        probe = self._probes[connection] = _Probe(state.silence, times, self._clock.seconds() + at_most)
        set_keep_alive(connection.handle, PROBE_TIMES)
        probe.timer = self._clock.callLater(PROBE_CHECK, self._check_probed, connection, probe)
        return True

    def _check_probed(self, connection: Monitored, probe: _Probe) -> None:
        probe.timer = None
        assert connection.handle is not None
        state = tcp_state(connection.handle)
        answered = state is not None and state.silence < probe.silence
        if not answered and self._clock.seconds() < probe.deadline:
            probe.timer = self._clock.callLater(PROBE_CHECK, self._check_probed, connection, probe)
            return
        set_keep_alive(connection.handle, probe.times)
        if not answered:
            connection.vanish()
        self._probed(connection, not answered)

    def _probed(self, connection: Monitored, vanished: bool) -> None:
        probe = self._probes.pop(connection, None)
        if probe is not None:
            _cancel(probe.timer)
            for answer in probe.answers:
                answer.callback(vanished)


def _tell(event: Callable[P, None], *arguments: P.args, **named: P.kwargs) -> None:
    """Tell a connection of an event. If it raises, that is logged, so that the other connections are told, too."""
    try:
        event(*arguments, **named)
    except Exception:
        log.failure("bug: a connection could not be told of its end")


def _cancel(timer: IDelayedCall | None) -> None:
    """Cancel a timer, if there is one."""
    if timer is not None:
        timer.cancel()
