"""Connects to the server: to an address, or to each of the addresses that a host name has."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, TypeAlias

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from .._types import Reactor

__all__ = ["AtAddress", "Dialled", "EachAddress"]

Dialled: TypeAlias = "Deferred[IProtocol]"

HEAD_START = 0.3
"""How many seconds an address is tried before the next one is tried at the same time; as `HostnameEndpoint` does."""


class AtAddress(NamedTuple):
    """A TCP server at an address."""

    ip: str
    port: int
    timeout: float = float("inf")
    bind: tuple[str, int] | None = None

    def dial(self, reactor: Reactor, protocol: Protocol, timeout: float) -> Dialled:
        """Connect a protocol, within the shorter of both timeouts."""
        introducer = _Introducer(protocol)
        within = min(timeout, self.timeout)
        introducer.connector = reactor.connectTCP(self.ip, self.port, introducer, timeout=within, bindAddress=self.bind)
        return introducer.introduced


class _Introducer(ClientFactory):
    """Introduces a protocol to the connection that is being made; ``introduced`` fires with the protocol then.

    An endpoint would put a protocol of its own between the two, which costs a call for each read, and a second timer.
    """

    noisy = False
    connector: IConnector

    def __init__(self, protocol: Protocol) -> None:
        self.introduced: Dialled = Deferred(self._cancelled)
        self._introduces = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """See `IProtocolFactory`."""
        return _Introduction(self)

    def introduce(self, transport: Any) -> None:
        """The connection is made."""
        transport.protocol = self._introduces  # what Twisted's own startTLS does, too
        self._introduces.makeConnection(transport)
        if not self.introduced.called:
            self.introduced.callback(self._introduces)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """See `ClientFactory`."""
        if not self.introduced.called:
            self.introduced.errback(reason)

    def _cancelled(self, introduced: Dialled) -> None:
        introduced.errback(error.ConnectingCancelledError(None))
        self.connector.stopConnecting()


class _Introduction(Protocol):
    """The protocol of a connection until it is made."""

    def __init__(self, introducer: _Introducer) -> None:
        self._introducer = introducer

    def makeConnection(self, transport: Any) -> None:
        """See `IProtocol`."""
        self._introducer.introduce(transport)


@implementer(IStreamClientEndpoint)
class EachAddress:
    """A TCP server at a host name: tries each address that the name has.

    `HostnameEndpoint` does nearly the same. But it waits before it tries the next address even if one refuses at once,
    which would delay each link if ``localhost`` has two addresses and the server listens at the second one.
    """

    def __init__(
        self, reactor: Reactor, host: str, port: int, timeout: float, bind_address: tuple[str, int] | None = None
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._settings = (timeout, bind_address)

    def connect(self, factory: IProtocolFactory) -> Dialled:
        """See `IStreamClientEndpoint`."""
        race = _Race(self._reactor, self._host, self._settings, factory)
        self._reactor.nameResolver.resolveHostName(race, self._host, self._port)
        return race.winner


@implementer(IResolutionReceiver)
class _Race:
    """Connects to the addresses of a host in their order, each after the one before has failed or had its `HEAD_START`.

    ``winner`` fires with the first protocol that is connected, or fails with the last error. The other attempts are
    cancelled then, and also if ``winner`` is cancelled.
    """

    def __init__(
        self, reactor: Reactor, host: str, settings: tuple[float, tuple[str, int] | None], factory: IProtocolFactory
    ) -> None:
        self.winner: Dialled = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._host = host
        self._settings = settings
        self._factory = factory
        self._endpoints: deque[IStreamClientEndpoint] = deque()
        self._attempts: list[Dialled] = []
        self._timer: IDelayedCall | None = None
        self._over = False

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """See `IResolutionReceiver`."""

    def addressResolved(self, address: IAddress) -> None:
        """See `IResolutionReceiver`."""
        assert isinstance(address, (IPv4Address, IPv6Address))
        kind = TCP6ClientEndpoint if isinstance(address, IPv6Address) else TCP4ClientEndpoint
        self._endpoints.append(kind(self._reactor, address.host, address.port, *self._settings))

    def resolutionComplete(self) -> None:
        """See `IResolutionReceiver`."""
        if self._over:
            return
        if self._endpoints:
            self._try_next()
        else:
            self.winner.errback(error.DNSLookupError(f"no address was found for the host {self._host!r}"))

    def _try_next(self) -> None:
        self._stop_timer()
        attempt = self._endpoints.popleft().connect(self._factory)
        self._attempts.append(attempt)
        if self._endpoints:
            self._timer = self._reactor.callLater(HEAD_START, self._try_next)
        attempt.addCallbacks(self._connected, self._failed, callbackArgs=(attempt,), errbackArgs=(attempt,))

    def _connected(self, protocol: IProtocol, attempt: Dialled) -> None:
        self._attempts.remove(attempt)
        self._stop()
        self.winner.callback(protocol)

    def _failed(self, failure: Failure, attempt: Dialled) -> None:
        self._attempts.remove(attempt)
        if self._over:
            return
        if self._endpoints:
            self._try_next()
        elif not self._attempts:
            self._over = True
            self.winner.errback(failure)

    def _stop(self) -> None:
        self._over = True
        self._stop_timer()
        for attempt in list(self._attempts):
            attempt.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
