"""This process as a node of a fleet: it joins, renews its lease, and knows how long it may act as a member."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .._types import Reactor
from ._engine import Connection, EngineError, Facts
from ._scripts import JOIN, LEAVE, RENEW, Script
from ._settings import FleetSettings, OnLeaseLost

__all__ = ["Node", "NotAMember", "Watcher"]

log: Logger = Logger()

RENEWALS = 4
"""How often a lease is renewed while it lasts."""

SWEPT = 200
"""How many names of a node that has gone are swept up with each renewal."""


class NotAMember(EngineError):
    """This node is no member of its fleet at the moment."""


class Watcher(Protocol):
    """Hears what becomes of a node's membership."""

    async def joined(self, last: bytes) -> None:
        """The node has become a member, with a new incarnation: it holds no name yet.

        Args:
            last: the identifier of the last order to all nodes.
        """

    def endangered(self) -> None:
        """The lease was not renewed for half of its time."""

    def lost(self) -> None:
        """The lease has ended, or may have ended."""

    def info(self) -> Mapping[str, Any]:
        """Return what the node says of itself, for JSON."""


class Node:
    """This process as a node of a fleet."""

    def __init__(self, settings: FleetSettings, reactor: Reactor, watcher: Watcher) -> None:
        self.settings = settings
        self.incarnation: str = ""
        """Names the membership; a node that joins again has another one."""
        self._epoch = b""
        self._reactor = reactor
        self._watcher = watcher
        self._valid_until = -1.0
        self._alarm: IDelayedCall | None = None
        self._renewal: IDelayedCall | None = None
        self.connection: Connection = Connection(settings.address, reactor, settings.timeout, self._up, self._down)

    # -- for the others --------------------------------------------------------------------------------------

    @property
    def is_member(self) -> bool:
        """Whether the lease holds."""
        return self._reactor.seconds() < self._valid_until

    @property
    def problem(self) -> str | None:
        """Why this node is no member; ``None`` if it is."""
        return None if self.is_member else self.connection.problem or "the lease has ended"

    def keys(self, *names: str) -> list[str]:
        """Return the full names of keys of this fleet."""
        return [self.settings.prefix + name for name in names]

    async def run(self, script: Script, keys: list[str], *arguments: Any) -> list[Any]:
        """Run a script as a member.

        Raises:
            NotAMember: the engine knows no such member, so the node joins again.
            EngineError: the engine cannot be asked.
        """
        incarnation = self.incarnation
        answer = await script.run(self.connection, keys, [self._epoch, incarnation, *arguments])
        if answer[0] == b"ok":
            return answer
        if incarnation == self.incarnation and self.connection.problem is None:
            self.connection.abort()  # to join again begins with a look at the engine
        raise NotAMember("the engine has forgotten this node" if answer[0] == b"epoch" else "the lease has ended")

    def start(self) -> None:
        """Connect, join, and stay a member."""
        self.connection.start()

    async def stop(self) -> None:
        """Leave, so that the names of this node are free at once."""
        try:
            if self.is_member:
                await self.run(LEAVE, self.keys("state", "nodes"))
        except EngineError as error:
            log.info("the fleet could not be left: {error}; the names are free when the lease ends", error=error)
        finally:
            self._end()
            self.connection.stop()

    # -- joining and staying ---------------------------------------------------------------------------------

    async def _up(self, facts: Facts) -> None:
        """The engine can be asked: go on as a member, or else join."""
        if not (self.is_member and await self._goes_on()):
            await self._join(facts)
        self._renew_later()

    async def _goes_on(self) -> bool:
        """Renew the lease that this node had before its connection was lost. Return whether the engine still knows it.

        To join again would free all names for a moment.
        """
        try:
            await self._renew_now()
        except NotAMember:
            return False
        return True

    async def _join(self, facts: Facts) -> None:
        settings = self.settings
        sent, earlier, self.incarnation = self._reactor.seconds(), self.incarnation, secrets.token_hex(6)
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
                earlier,
            ],
        )
        if answer[0] == b"name":
            raise EngineError(f"another node is named {settings.node!r}, or was until its lease ends")
        if answer[0] == b"settings":
            raise EngineError(f"the other nodes have other settings: {answer[1].decode()}, here {settings.shared}")
        self._epoch = answer[1]
        self._renewed(sent)
        await self._watcher.joined(answer[2])

    def _down(self, why: str) -> None:
        """The engine cannot be asked any more. The lease goes on as long as it goes."""
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    def _renew_later(self) -> None:
        self._renewal = self._reactor.callLater(self.settings.lease / RENEWALS, self._renew)

    def _renew(self) -> None:
        self._renewal = None
        done = Deferred.fromCoroutine(self._renew_now()).addCallback(lambda _: self._renew_later())
        done.addErrback(lambda failure: failure.trap(EngineError) and self.connection.abort())

    async def _renew_now(self) -> None:
        sent = self._reactor.seconds()
        keys = self.keys("state", "nodes", "info", "names")
        await self.run(RENEW, keys, self.settings.kept, self._info(), self.settings.prefix, SWEPT)
        self._renewed(sent)

    def _info(self) -> str:
        return json.dumps(dict(self._watcher.info()))

    # -- the lease -------------------------------------------------------------------------------------------

    def _renewed(self, sent: float) -> None:
        """The engine has got a renewal that was sent at this time, after which the lease holds."""
        self._valid_until = sent + self.settings.lease
        self._look_at(sent + self.settings.lease / 2, self._endangered)

    def _endangered(self) -> None:
        self._look_at(self._valid_until, self._lost)
        self._watcher.endangered()

    def _lost(self) -> None:
        self._end()
        self._watcher.lost()

    def _look_at(self, time: float, look: Callable[[], None]) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = self._reactor.callLater(max(time - self._reactor.seconds(), 0), look)

    def _end(self) -> None:
        self._valid_until = -1.0
        for call in (self._alarm, self._renewal):
            if call is not None and call.active():
                call.cancel()
        self._alarm = self._renewal = None
