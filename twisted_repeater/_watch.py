"""Watches connections for what no reactor tells: hang-ups where nobody reads, and peers that vanish without a word.

* A connection that is not read, because its messages wait or its stream has ended, is in no reactor's set: neither a
  reset nor the end of its stream is seen there. All of these are asked about together every few seconds.
* A peer whose machine or network is gone sends nothing more, not even a reset. Where nothing is under way keep-alive
  finds that out; the system looks after it. Where something is under way the system goes on sending it for a quarter of
  an hour. So every TCP connection is looked at now and then: one that has not answered for so many looks in a row has
  vanished. A peer that only reads slowly still answers. The looks are spread over time, so that thousands of
  connections do not hold up the others.
* Whoever wants the name of a peer that may have vanished has that peer probed at once.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ._system import (
    HangUp,
    KeepAlive,
    hang_ups,
    keep_alive_of,
    keep_alive_within,
    set_keep_alive,
    tcp_state,
)

__all__ = ["Watch", "Watched"]

log = Logger()

UNREAD_EVERY = 2.0
"""How often, in seconds, connections that are not read are asked about."""

LOOKS = 4
"""How often in a row a connection must be found without an answer; the looks fit into the time that is allowed."""

SLICE = 100
"""How many connections are looked at in one go: that takes about half a millisecond."""

HEARD_LATELY = 1.0
"""A peer that was heard of within so many seconds is there: it need not be probed, and the system would not do it."""

PROBE_TIMES = KeepAlive(1, 1, 20)
"""The shortest keep-alive times there are. The system itself must not give up before `PROBE_AT_MOST`."""

PROBE_AT_MOST = 3.0
"""So many seconds a probed peer has for its answer."""

PROBE_LOOK = 0.05
"""How often, in seconds, it is looked whether a probed peer has answered."""


class Watched(Protocol):
    """What is watched: one connection of a link."""

    handle: socket.socket | None
    is_tcp: bool
    lost: bool

    def hang_up(self, how: HangUp) -> None:
        """Something has happened to the connection, behind what is not read yet."""

    def vanish(self) -> None:
        """The peer's system does not answer any more."""


@dataclass(slots=True)
class _Silence:
    """A connection that was found without an answer."""

    seconds: float
    looks: int = 1


@dataclass(slots=True)
class _Probe:
    """A peer that is being probed."""

    silence: float
    """For how long it had been silent before."""
    times: KeepAlive
    """The keep-alive times that it had before."""
    deadline: float
    answers: list[Deferred[bool]] = field(default_factory=list)
    timer: IDelayedCall | None = None


class Watch:
    """Watches the connections of a repeater. ``timeout`` is how long a peer may be silent, ``None`` for as it may."""

    def __init__(self, clock: IReactorTime, timeout: float | None) -> None:
        self._clock = clock
        self.timeout = timeout
        self._connections: dict[Watched, None] = {}
        self._unread: dict[Watched, None] = {}
        self._round: list[Watched] = []
        """Those that are still to be looked at in this round."""
        self._spacing = 0.0
        self._silent: dict[Watched, _Silence] = {}
        self._probes: dict[Watched, _Probe] = {}
        self._unread_timer: IDelayedCall | None = None
        self._round_timer: IDelayedCall | None = None

    # -- what is watched -----------------------------------------------------------------------------------------

    def connected(self, end: Watched) -> None:
        """Watch a connection from now on."""
        if end.handle is None or not end.is_tcp or self.timeout is None:
            return
        set_keep_alive(end.handle, keep_alive_within(self.timeout))
        if tcp_state(end.handle) is not None:
            self._connections[end] = None
            if self._round_timer is None:
                self._round_timer = self._clock.callLater(self.timeout / LOOKS, self._look)

    def reads(self, end: Watched, reads: bool) -> None:
        """Record whether a connection is read: those that are not are asked about."""
        if reads:
            self._unread.pop(end, None)
        elif end.handle is not None:
            self._unread[end] = None
            if self._unread_timer is None:
                self._unread_timer = self._clock.callLater(UNREAD_EVERY, self._ask)

    def lost(self, end: Watched) -> None:
        """Forget a connection that is gone."""
        self._connections.pop(end, None)
        self._unread.pop(end, None)
        self._silent.pop(end, None)
        self._probed(end, True)
        if not self._connections:
            self._round.clear()
            self._round_timer = self._cancelled(self._round_timer)
        if not self._unread:
            self._unread_timer = self._cancelled(self._unread_timer)

    @staticmethod
    def _cancelled(timer: IDelayedCall | None) -> None:
        """Cancel a timer, if there is one; returns what takes its place."""
        if timer is not None:
            timer.cancel()

    # -- connections that are not read ---------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask about all of them with one call."""
        self._unread_timer = None
        if not self._unread:
            return
        self._unread_timer = self._clock.callLater(UNREAD_EVERY, self._ask)
        self._ask_about(self._unread)

    def _ask_about(self, ends: Iterable[Watched]) -> None:
        asked = [(end, end.handle) for end in ends if end.handle is not None and end.handle.fileno() >= 0]
        answers = hang_ups([handle for _, handle in asked])
        for (end, _), how in zip(asked, answers, strict=True):
            if how is not None and end in self._unread:
                try:
                    end.hang_up(how)
                except Exception:  # the others must be told all the same
                    log.failure("bug: a connection that hung up could not be told")

    # -- peers that vanish ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Look at the next slice of the connections."""
        assert self.timeout is not None
        if not self._round:
            self._round = list(self._connections)
            slices = max(1, -(-len(self._round) // SLICE))
            self._spacing = self.timeout / LOOKS / slices
        now, self._round = self._round[-SLICE:], self._round[:-SLICE]
        self._round_timer = self._clock.callLater(self._spacing, self._look)
        for end in now:
            if end in self._connections and self._has_vanished(end):
                try:
                    end.vanish()
                except Exception:  # the others must be looked at all the same
                    log.failure("bug: a connection whose peer has vanished could not be told")

    def _has_vanished(self, end: Watched) -> bool:
        assert self.timeout is not None
        assert end.handle is not None
        state = tcp_state(end.handle)
        if state is None or not state.unanswered:
            self._silent.pop(end, None)
            return False
        silence = self._silent.get(end)
        if silence is None or state.silence < silence.seconds:  # less silent than before: it has answered meanwhile
            self._silent[end] = _Silence(state.silence)
            return False
        silence.looks += 1
        silence.seconds = state.silence
        # Not by our clock: one that is put right, or a reactor that was held up, is no silence.
        vanished = silence.looks >= LOOKS and state.silence >= self.timeout * (LOOKS - 1.5) / LOOKS
        if vanished:
            del self._silent[end]  # it is told once
        return vanished

    # -- probing -------------------------------------------------------------------------------------------------

    def has_vanished(self, end: Watched, at_most: float) -> Deferred[bool]:
        """Probe a peer at once. Fires with true when it has vanished, or its connection is gone for another reason.

        A peer that does not answer in time, at most ``at_most`` seconds, is told as vanished. Where nothing can be
        found out, the answer is false at once.
        """
        if end in self._unread:  # the system may know of a reset that was not asked about yet
            self._ask_about([end])
            if end.lost:
                return succeed(True)
        if end not in self._probes and not self._begin_probe(end, min(PROBE_AT_MOST, at_most)):
            return succeed(False)
        answer: Deferred[bool] = Deferred()
        self._probes[end].answers.append(answer)
        return answer

    def _begin_probe(self, end: Watched, at_most: float) -> bool:
        """Begin to probe a peer. False if that cannot be done, or it was heard of just now."""
        if end.handle is None or not end.is_tcp or end.lost:
            return False
        state, times = tcp_state(end.handle), keep_alive_of(end.handle)
        if state is None or times is None or state.silence <= HEARD_LATELY:
            return False
        if state.window_closed:  # then the system sends no other probes than its own, and those minutes apart
            return False
        probe = self._probes[end] = _Probe(state.silence, times, self._clock.seconds() + at_most)
        set_keep_alive(end.handle, PROBE_TIMES)
        probe.timer = self._clock.callLater(PROBE_LOOK, self._look_at_probed, end, probe)
        return True

    def _look_at_probed(self, end: Watched, probe: _Probe) -> None:
        probe.timer = None
        assert end.handle is not None
        state = tcp_state(end.handle)
        answered = state is not None and state.silence < probe.silence
        if not answered and self._clock.seconds() < probe.deadline:
            probe.timer = self._clock.callLater(PROBE_LOOK, self._look_at_probed, end, probe)
            return
        set_keep_alive(end.handle, probe.times)
        if not answered:
            end.vanish()
        self._probed(end, not answered)

    def _probed(self, end: Watched, vanished: bool) -> None:
        probe = self._probes.pop(end, None)
        if probe is not None:
            self._cancelled(probe.timer)
            for answer in probe.answers:
                answer.callback(vanished)
