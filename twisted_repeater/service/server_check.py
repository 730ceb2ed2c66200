"""Checks now and then whether the server can be reached, so that readiness tells of a server that is away.

A probe connects to the server as a link does, TLS and PROXY header included, sends no message, and closes at once.
"""

from __future__ import annotations

import random
from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, INegotiated, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .._sockets.endpoints import dialler
from .._sockets.proxy_headers import header_maker
from .._sockets.tls_errors import tls_trouble
from .._text import printable, text_of
from .._types import Reactor

__all__ = ["ServerCheck"]

log: Logger = Logger()

JITTER = 0.1
"""The part of the time between two probes by which it is longer or shorter, so that many repeaters do not probe at the
same moment."""


class ServerCheck:
    """Checks whether a server can be reached.

    Args:
        server: what `Repeater.create` has for its ``server``.
        every: how many seconds lie between the end of a probe and the next, give or take a tenth.
        timeout: how many seconds a probe may take.
        send_proxy: as for `Repeater.create`. The header of a probe has no addresses.
        name: the name of the repeater, for the log; ``""`` if there is only one.

    Raises:
        ValueError: the server cannot be connected to, or not safely.
    """

    def __init__(
        self,
        server: str | IStreamClientEndpoint,
        *,
        every: float,
        timeout: float,
        reactor: Reactor,
        send_proxy: Literal["v1", "v2"] | None = None,
        name: str = "",
    ) -> None:
        first = None if send_proxy is None else header_maker(send_proxy)(None, None)
        self._dial = dialler(
            reactor, timeout, _itself, server, None, None, first=None if first is None else lambda _: first
        )
        self._every = every
        self._timeout = timeout
        self._reactor = reactor
        self._prefix = f"{name}: " if name else ""
        self._probing: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self.trouble: str | None = "the server has not been checked yet"
        """Why the server cannot be reached; ``None`` if the last probe has reached it."""

    def start(self) -> None:
        """Begin to check, at once. Call it again after `stop`, or to no effect."""
        if self._probing is None and self._timer is None:
            self._probe()

    def stop(self) -> None:
        """Check no more; a probe under way is given up."""
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _probe(self) -> None:
        self._timer = None
        self._probing = probing = Deferred.fromCoroutine(self._reach())
        probing.addBoth(self._probed, probing)

    async def _reach(self) -> None:
        """Connect, wait for the handshake of TLS if there is one, and close; raise if that fails, or takes too long."""
        probe = _Probe()
        deadline = self._reactor.seconds() + self._timeout
        try:
            await self._dial(probe)
            left = max(0, deadline - self._reactor.seconds())
            await probe.over.addTimeout(left, self._reactor, onTimeoutCancel=probe.too_late)
        finally:
            probe.abort()

    def _probed(self, result: object, probing: Deferred[Any]) -> None:
        if probing is not self._probing:  # it was given up
            return
        self._probing = None
        trouble = None
        if isinstance(result, Failure):
            trouble = f"the server cannot be reached: {_why(result.value)}"
        before, self.trouble = self.trouble, trouble
        if trouble is not None and trouble != before:
            log.error("{prefix}{trouble}", prefix=self._prefix, trouble=trouble)
        elif trouble is None and before is not None:
            log.info("{prefix}the server can be reached", prefix=self._prefix)
        wait = self._every * random.uniform(1 - JITTER, 1 + JITTER)
        self._timer = self._reactor.callLater(wait, self._probe)


@implementer(IHandshakeListener)
class _Probe(Protocol):
    """Closes the connection as soon as it is there. ``over`` fires when it is closed, and fails if it was not there."""

    def __init__(self) -> None:
        self.over: Deferred[None] = Deferred()
        self._reached = self._lost = False

    def connectionMade(self) -> None:
        """The connection is there. See `IProtocol`."""
        if not INegotiated.providedBy(self.transport):
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """The handshake of TLS is done. See `IHandshakeListener`."""
        self._reached = True
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self._lost = True
        if self.over.called:
            return
        assert reason.value is not None
        # A server that does not accept our certificate says so only when the handshake is done on our side.
        if self._reached and tls_trouble("server", reason.value) is None:
            self.over.callback(None)
        else:
            self.over.errback(reason)

    def too_late(self, result: object, timeout: float) -> None:
        """The time is over. Some servers do not answer the end of TLS, which does no harm."""
        if not self._reached:
            raise TimeoutError("it accepts the connection, but there is no TLS handshake in time")

    def abort(self) -> None:
        """Close the connection at once, if it is still there."""
        if self.transport is not None and not self._lost:
            self.transport.abortConnection()  # type: ignore[attr-defined]


def _itself(probe: _Probe) -> Protocol:
    return probe


def _why(error: BaseException | None) -> str:
    """Return why a probe has failed."""
    assert error is not None
    return printable(tls_trouble("server", error) or text_of(error))
