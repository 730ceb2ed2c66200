"""This process as a node of a fleet: it joins, renews its lease, and knows how long it may act as a member.

A membership begins when the engine has got a node's JOIN, and lasts as long as its lease, which counts from before each
renewal was sent. It outlives a connection: if the next one finds the same engine, with the same data, it goes on.
Otherwise the node joins again, with a new incarnation. So it does when its lease has ended, when the engine has
forgotten it, and when the watcher could not claim all of its names.

The lease counts by a clock that nobody sets. Twisted's timers go by the clock of the host, and are late if that is set
back. So `Node.look` must be called from time to time by somebody whom the engine has woken.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._text import text_of
from .._types import Reactor
from ._engine import LONGEST_DELAY, Connection, EngineError, Facts
from ._engine_log import EngineLog
from ._scripts import JOIN, LEAVE, RENEW, Script
from ._settings import FleetSettings, OnLeaseLost
from ._watcher import Watcher

__all__ = ["ENDED", "NOT_STARTED", "STOPPED", "Node", "NotAMember"]

log: Logger = Logger()

NOT_STARTED = "it is not started"
STOPPED = "it was stopped"
"""Why a node is not even about to become a member."""

ENDED = "the lease has ended"
"""Why a node is no member any more."""

RENEWALS = 4
"""How often a lease is renewed while it lasts."""

SWEPT = 500
"""How many names of nodes that have gone are swept up with each renewal."""

SWEEPS = 0.25
"""How many seconds pass before the next renewal, if there is more to sweep up."""


def elapsed() -> float:
    """Return the seconds of a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class NotAMember(EngineError):
    """This node is no member of its fleet at the moment."""


class Node:
    """This process as a node of a fleet.

    Raises:
        ValueError: a file that the engine's address names cannot be used.
        ImportError: the extra is not installed.
    """

    def __init__(self, settings: FleetSettings, reactor: Reactor, watcher: Watcher) -> None:
        self.settings = settings
        self.off: str | None = NOT_STARTED
        """`NOT_STARTED` or `STOPPED`; otherwise ``None``: it is a member, or tries to become one."""
        self.incarnation: str = ""
        """Names the membership; a node that joins again has another one."""
        self.nodes: int = 0
        """How many members there were, with this one, when it renewed its lease last."""
        self._earlier: str | None = None
        """The incarnation that ends when the node has joined; ``None`` before it tries, and after that."""
        self._epoch = b""
        self._run_id = ""
        """The run of the engine that the membership began with."""
        self._is_complete = False
        """Whether the watcher has done all that is to be done after joining."""
        self._reactor = reactor
        self._watcher = watcher
        self._valid_until = float("-inf")
        self._warned = True
        """Whether the watcher knows that the lease is in danger."""
        self._alarm: IDelayedCall | None = None
        self._looks_at = float("inf")
        self._renewal: IDelayedCall | None = None
        self._renews_at = float("inf")
        self._joining: Deferred[None] | None = None
        """Fires when the engine has answered whether the node has joined; ``None`` if it was not asked."""
        self._log = EngineLog(settings, self.seconds)
        self.connection: Connection = Connection(
            settings.address, reactor, settings.timeout, self._up, self._down, min(settings.lease / 4, LONGEST_DELAY)
        )

    # -- for the others --------------------------------------------------------------------------------------

    @property
    def is_member(self) -> bool:
        """Whether the lease holds."""
        return elapsed() < self._valid_until

    @property
    def problem(self) -> str | None:
        """Why the fleet cannot be asked; ``None`` if nothing is known against it."""
        return self.off or self.connection.problem or (None if self.is_member else ENDED)

    def seconds(self) -> float:
        """Return the seconds of a clock that nobody sets: ages are counted by it, as the reactor's clock may jump."""
        return elapsed()

    def keys(self, *names: str) -> list[str]:
        """Return the full names of keys of this fleet."""
        return [self.settings.prefix + name for name in names]

    async def run(self, script: Script, keys: list[str], *arguments: Any) -> list[Any]:
        """Run a script as a member.

        Raises:
            NotAMember: the lease has ended, or the engine knows no such member. The node joins again.
            EngineError: the engine cannot be asked.
        """
        incarnation = self.incarnation
        answer = None
        if self.is_member:
            answer = await script.run(self.connection, keys, [self._epoch, incarnation, *arguments])
        if answer is None or (answer[0] == b"ok" and not self.is_member):
            why = self.off or ENDED
        elif answer[0] == b"ok":
            return answer
        else:
            why = (
                "it has forgotten this node" if answer[0] == b"epoch" else "its clock has ended the lease of this node"
            )
        if incarnation == self.incarnation and self.connection.problem is None:
            self.connection.abort(why)  # to join again begins with a look at the engine
        raise NotAMember(why)

    def look(self) -> None:
        """Do what is due by now, if the timers are late because the clock of the host was set."""
        now = elapsed()
        if self._alarm is not None and now > self._looks_at:
            self._look_at_lease()
        if self._renewal is not None and now > self._renews_at:
            self._stop_renewing()
            self._renew()

    def start(self) -> None:
        """Connect, join, and stay a member."""
        self.off = None
        self._log.starts()
        self.connection.start()

    async def stop(self) -> None:
        """Leave, so that the names of this node are free at once."""
        self.off = STOPPED
        try:
            if self._joining is not None:
                await self._joining
            if self.is_member:
                await self.run(LEAVE, self.keys("state", "nodes", "info", "names"), SWEPT)
        except EngineError as error:
            log.info("the fleet could not be left: {error}; the names are free when the lease ends", error=error)
        finally:
            self._end()
            await self.connection.stop()

    # -- joining and staying ---------------------------------------------------------------------------------

    async def _up(self, facts: Facts) -> None:
        """The engine can be asked: go on as a member, or else join."""
        if self._is_complete and self.is_member and facts.run_id == self._run_id and await self._goes_on():
            self._renew_later(self.settings.lease / RENEWALS)
        elif self.off is None:
            await self._begin(facts)
        if self.off is None:  # otherwise it is stopped, and leaves by this connection
            self._log.usable()
            self._watcher.usable()

    async def _begin(self, facts: Facts) -> None:
        """Join, then let the watcher claim the names of this node."""
        self._is_complete = False
        joining: Deferred[None] = Deferred()
        self._joining = joining
        try:
            last = await self._join(facts)
        finally:
            self._joining = None
            joining.callback(None)
        if self.off is None:
            self._renew_later(self.settings.lease / RENEWALS)  # the watcher may take its time
            await self._watcher.joined(last)
            self._is_complete = True

    async def _goes_on(self) -> bool:
        """Renew the lease that this node had before its connection was lost. Return whether the engine still knows it.

        To join again would free all names for a moment.
        """
        try:
            await self._renew_now()
        except NotAMember:
            return False
        return True

    async def _join(self, facts: Facts) -> bytes:
        """Join, and return the identifier of the last order to all nodes."""
        settings = self.settings
        if self._earlier is None:  # one that has failed may have been stored: it is repeated, not forgotten
            self._earlier, self.incarnation = self.incarnation, secrets.token_hex(6)
        sent = elapsed()
        answer = await JOIN.run(
            self.connection,
            self.keys("state", "nodes", "info", "names", "all"),
            [
                facts.run_id,
                secrets.token_hex(6),
                self.incarnation,
                settings.node,
                settings.kept,
                settings.gap,
                settings.shared,
                self._info(),
                settings.kept if settings.on_lease_lost is OnLeaseLost.CLOSE else 0,
                self._earlier,
            ],
        )
        if answer[0] == b"name":
            raise EngineError(
                f"another node is named {settings.node!r}, or was: if it was killed, this one joins when its lease has "
                f"ended, {settings.kept / 1000:g} seconds after its last sign; if both run, change the name of one"
            )
        if answer[0] == b"settings":
            raise EngineError(
                f"the other nodes have {answer[1].decode()}, and this one has {settings.shared}: all must have the same"
            )
        self._earlier = None
        self._epoch, self._run_id, self.nodes = answer[1], facts.run_id, answer[3]
        self._renewed(sent)
        last: bytes = answer[2]
        return last

    def _down(self, why: str) -> None:
        """The engine cannot be asked any more. The lease goes on as long as it goes."""
        self._stop_renewing()
        self._log.unusable(why)
        self._watcher.unusable(why)

    def _renew_later(self, seconds: float) -> None:
        self._stop_renewing()
        self._renewal = self._reactor.callLater(seconds, self._renew)
        self._renews_at = elapsed() + seconds

    def _stop_renewing(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    def _renew(self) -> None:
        self._renewal = None
        Deferred.fromCoroutine(self._renew_now()).addCallbacks(self._renew_again, self._not_renewed)

    def _renew_again(self, more: bool) -> None:
        pause = self.settings.lease / RENEWALS
        self._renew_later(min(pause, SWEEPS) if more else pause)

    def _not_renewed(self, failure: Failure) -> None:
        if not failure.check(EngineError):
            log.failure("the lease could not be renewed", failure)
        self.connection.abort(text_of(failure.value))  # as if the node could not join for that: so it is logged once

    async def _renew_now(self) -> bool:
        """Renew the lease; return whether there are more names of nodes that have gone."""
        sent = elapsed()
        keys = self.keys("state", "nodes", "info", "names")
        answer = await self.run(RENEW, keys, self.settings.kept, self._info(), SWEPT)
        self._renewed(sent)
        self.nodes = answer[2]
        return bool(answer[1])

    def _info(self) -> str:
        return json.dumps(dict(self._watcher.info()))

    # -- the lease -------------------------------------------------------------------------------------------

    def _renewed(self, sent: float) -> None:
        """The engine has got a renewal that was sent at this time, after which the lease holds."""
        self._valid_until = sent + self.settings.lease
        self._warned = False
        self._look_at_lease()

    def _look_at_lease(self) -> None:
        """Tell the watcher what the time is; come again when there is more to tell."""
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        now = elapsed()
        left = self._valid_until - now
        quiet = left - self.settings.lease / 2
        if left > 0:
            pause = left if quiet <= 0 else quiet
            self._alarm, self._looks_at = self._reactor.callLater(pause, self._look_at_lease), now + pause
        if quiet <= 0 and not self._warned:
            self._warned = True
            self._watcher.endangered()
        if left <= 0:
            self._lost()

    def _lost(self) -> None:
        self._end()
        if self.connection.problem is None:
            self.connection.abort(ENDED)
        self._watcher.lost()

    def _end(self) -> None:
        """The membership has ended."""
        self._valid_until = float("-inf")
        self._is_complete = False
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = None
        self._stop_renewing()
