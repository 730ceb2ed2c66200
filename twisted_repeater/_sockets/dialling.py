"""Connects to the server: to an address, to each of the addresses that a host name has, or to a path; by TLS, too."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from typing import Any, NoReturn, TypeAlias

from twisted.internet import error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
    IWriteDescriptor,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from .._text import text_of
from .._types import Reactor

__all__ = [
    "TIMEOUT",
    "AtAddress",
    "AtPath",
    "Dialled",
    "EachAddress",
    "OverTLS",
    "ServerEndpoint",
    "Through",
    "at_host",
    "is_address",
]

Dialled: TypeAlias = "Deferred[IProtocol]"

HEAD_START = 0.3
"""How many seconds an address is tried before the next one is tried at the same time; as `HostnameEndpoint` does."""

TIMEOUT: float = 30.0
"""How many seconds an address is tried unless its description says otherwise; Twisted's own choice."""

NAMED_AT_MOST = 8
"""How many addresses the error about a host names."""


def is_address(host: str) -> bool:
    """Return whether a host is an IP address."""
    return isIPAddress(host) or isIPv6Address(host)


@implementer(IStreamClientEndpoint)
class ServerEndpoint:
    """Where the server is. The protocol is put onto the transport itself, without one of an endpoint's own between."""

    sends_first: bool = True
    """Whether bytes can be sent before everything else."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor

    def connect(self, factory: IProtocolFactory) -> Dialled:
        """See `IStreamClientEndpoint`."""
        protocol: Any = factory.buildProtocol(None)  # type: ignore[arg-type]
        return self.dial(protocol, TIMEOUT)

    def dial(self, protocol: Protocol, timeout: float, first: bytes = b"") -> Dialled:
        """Connect a protocol.

        Args:
            protocol: what gets the connection.
            timeout: how many seconds that may take in all.
            first: bytes that are sent before anything else, before TLS, too.
        """
        raise NotImplementedError


class AtAddress(ServerEndpoint):
    """A TCP server at an address."""

    def __init__(
        self, reactor: Reactor, ip: str, port: int, timeout: float = TIMEOUT, bind: tuple[str, int] | None = None
    ) -> None:
        super().__init__(reactor)
        self.ip = ip
        self._port = port
        self._timeout = timeout
        self._bind = bind

    def dial(self, protocol: Protocol, timeout: float, first: bytes = b"") -> Dialled:
        """See `ServerEndpoint`."""
        introducer = _Introducer(protocol, first)
        introduced, within = introducer.introduced, min(timeout, self._timeout)
        introducer.connector = self.reactor.connectTCP(
            self.ip, self._port, introducer, timeout=within, bindAddress=self._bind
        )
        return introduced


class AtPath(ServerEndpoint):
    """A server at a Unix socket."""

    def __init__(self, reactor: Reactor, path: str, timeout: float = TIMEOUT, check_lock: bool = False) -> None:
        super().__init__(reactor)
        self._path = path
        self._timeout = timeout
        self._check_lock = check_lock

    def dial(self, protocol: Protocol, timeout: float, first: bytes = b"") -> Dialled:
        """See `ServerEndpoint`."""
        introducer = _Introducer(protocol, first)
        introduced, within = introducer.introduced, min(timeout, self._timeout)
        introducer.connector = self.reactor.connectUNIX(self._path, introducer, within, self._check_lock)
        return introduced


class OverTLS(ServerEndpoint):
    """A server whose connections use TLS.

    Args:
        options: what ``optionsForClientTLS`` returns, or the like.
        server: where the server is.
    """

    def __init__(self, options: Any, server: ServerEndpoint) -> None:
        super().__init__(server.reactor)
        from .tls_transport import RelayingTLSFactory  # needs pyOpenSSL, which only TLS needs

        self.server: ServerEndpoint = server
        self.sends_first: bool = server.sends_first
        self._factory: Any = RelayingTLSFactory(options, True, None, server.reactor)  # type: ignore[arg-type]

    def dial(self, protocol: Protocol, timeout: float, first: bytes = b"") -> Dialled:
        """See `ServerEndpoint`. It does not wait for the handshake."""
        secure = self._factory.protocol(self._factory, protocol)
        return self.server.dial(secure, timeout, first).addCallback(lambda _: protocol)


class Through(ServerEndpoint):
    """A server that is reached through an endpoint of somebody else's, which may begin with bytes of its own."""

    sends_first = False

    def __init__(self, reactor: Reactor, endpoint: IStreamClientEndpoint) -> None:
        super().__init__(reactor)
        self._endpoint = endpoint

    def dial(self, protocol: Protocol, timeout: float, first: bytes = b"") -> Dialled:
        """See `ServerEndpoint`."""
        factory = Factory.forProtocol(lambda: protocol)
        factory.noisy = False
        return self._endpoint.connect(factory).addTimeout(timeout, self.reactor, onTimeoutCancel=_too_late)


def _too_late(result: object, timeout: float) -> NoReturn:
    raise error.TimeoutError(string=f"not connected within {timeout:g} seconds")


class _Introducer(ClientFactory):
    """Introduces a protocol to the connection that is being made; ``introduced`` fires with the protocol then.

    An endpoint would put a protocol of its own between the two, which costs a call for each read, and a second timer.
    """

    noisy = False
    connector: IConnector

    def __init__(self, protocol: Protocol, first: bytes) -> None:
        self.introduced: Dialled = Deferred(self._cancelled)
        self._introduces = protocol
        self._first = first

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """See `IProtocolFactory`."""
        return _Introduction(self)

    def introduce(self, transport: Any) -> None:
        """The connection is made."""
        if self._first:
            transport.write(self._first)
            if IWriteDescriptor.providedBy(transport):
                transport.doWrite()  # at once: the outlet of a plain connection writes past the transport's buffer
        protocol, introduced = self._introduces, self.introduced
        del self._introduces, self.introduced  # the transport keeps this object, by its connector, for as long as it is
        transport.protocol = protocol  # what Twisted's own startTLS does, too
        protocol.makeConnection(transport)
        if not introduced.called:
            introduced.callback(protocol)

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


class EachAddress(ServerEndpoint):
    """A TCP server at a host name: tries each address that the name has, which is looked up for each connection.

    `HostnameEndpoint` does nearly the same. But it waits before it tries the next address even if one refuses at once,
    which would delay each link if ``localhost`` has two addresses and the server listens at the second one.
    """

    def __init__(
        self, reactor: Reactor, host: str, port: int, timeout: float = TIMEOUT, bind: tuple[str, int] | None = None
    ) -> None:
        super().__init__(reactor)
        self._host = host
        self._port = port
        self._settings = (timeout, bind)

    def dial(self, protocol: Protocol, timeout: float, first: bytes = b"") -> Dialled:
        """See `ServerEndpoint`."""

        def attempt(host: str, port: int) -> Dialled:
            return AtAddress(self.reactor, host, port, *self._settings).dial(protocol, timeout, first)

        race = _Race(self.reactor, self._host, attempt)
        self.reactor.nameResolver.resolveHostName(race, self._host, self._port)
        return race.winner.addTimeout(timeout, self.reactor, onTimeoutCancel=race.too_late)


def at_host(
    reactor: Reactor, host: str, port: int, timeout: float = TIMEOUT, bind: tuple[str, int] | None = None
) -> ServerEndpoint:
    """Return the endpoint of a TCP server at an address or at a host name."""
    kind = AtAddress if is_address(host) else EachAddress
    return kind(reactor, host, port, timeout, bind)


@implementer(IResolutionReceiver)
class _Race:
    """Connects to the addresses of a host, each after the one before has failed or had its `HEAD_START`.

    ``winner`` fires with the first protocol that is connected, or fails with an error that names each address. The
    other attempts are cancelled then, and also if ``winner`` is cancelled.
    """

    def __init__(self, reactor: Reactor, host: str, dial: Callable[[str, int], Dialled]) -> None:
        self.winner: Dialled = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._host = host
        self._dial = dial
        self._addresses: deque[IPv4Address | IPv6Address] = deque()
        self._attempts: dict[Dialled, str] = {}
        self._failures: list[tuple[str, BaseException]] = []
        """The addresses that were tried in vain, and why."""
        self._resolved = False
        self._timer: IDelayedCall | None = None
        self._over = False

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """See `IResolutionReceiver`."""

    def addressResolved(self, address: IAddress) -> None:
        """See `IResolutionReceiver`."""
        assert isinstance(address, (IPv4Address, IPv6Address))
        self._addresses.append(address)

    def resolutionComplete(self) -> None:
        """See `IResolutionReceiver`."""
        self._resolved = True
        if self._over:
            return
        if self._addresses:
            self._addresses = _alternating(self._addresses)
            self._try_next()
        else:
            self._over = True
            self.winner.errback(error.DNSLookupError(f"no address was found for the host {self._host!r}"))

    def _try_next(self) -> None:
        self._stop_timer()
        address = self._addresses.popleft()
        attempt = self._dial(address.host, address.port)
        self._attempts[attempt] = address.host
        if self._addresses:
            self._timer = self._reactor.callLater(HEAD_START, self._try_next)
        attempt.addCallbacks(self._connected, self._failed, callbackArgs=(attempt,), errbackArgs=(attempt,))

    def _connected(self, protocol: IProtocol, attempt: Dialled) -> None:
        del self._attempts[attempt]
        self._stop()
        self.winner.callback(protocol)

    def _failed(self, failure: Failure, attempt: Dialled) -> None:
        self._failures.append((self._attempts.pop(attempt), failure.value))  # type: ignore[arg-type]
        if self._over:
            return
        if self._addresses:
            self._try_next()
        elif not self._attempts:
            self._over = True
            self.winner.errback(self._all_failed())

    def _stop(self) -> None:
        self._over = True
        self._stop_timer()
        for attempt in list(self._attempts):
            attempt.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _all_failed(self) -> error.ConnectError:
        """Return the error about a host whose addresses have all failed: of the kind of their errors, if it is one."""
        kinds = {type(failure) for _, failure in self._failures}
        kind = kinds.pop() if len(kinds) == 1 else error.ConnectError
        return (kind if issubclass(kind, error.ConnectError) else error.ConnectError)(string=self._told())

    # -- errors --------------------------------------------------------------------------------------------------

    def too_late(self, result: object, timeout: float) -> NoReturn:
        """Raise the error about a dial that was cancelled because it took too long."""
        why = self._told() if self._resolved else f"the addresses of {self._host!r} are still being looked up"
        raise error.TimeoutError(string=f"not connected within {timeout:g} seconds: {why}")

    def _told(self) -> str:
        """Return what is known of each address."""
        told = [f"{host}: {_reason(failure)}" for host, failure in self._failures[:NAMED_AT_MOST]]
        more = len(self._failures) - len(told)
        return ", ".join(told) + (f", and {more} more" if more else "")


def _alternating(
    addresses: Iterable[IPv4Address | IPv6Address],
) -> deque[IPv4Address | IPv6Address]:
    """Order addresses so that IPv4 and IPv6 alternate, if there are both. The first one stays the first."""
    first: list[IPv4Address | IPv6Address] = []
    other: list[IPv4Address | IPv6Address] = []
    for address in addresses:
        (first if not first or type(address) is type(first[0]) else other).append(address)
    return deque(each for each in chain.from_iterable(zip_longest(first, other)) if each is not None)


def _reason(failure: BaseException) -> str:
    """Return shortly why an address was not reached."""
    if isinstance(failure, (error.TimeoutError, error.UserError, error.ConnectingCancelledError, CancelledError)):
        return "no answer"
    number = getattr(failure, "osError", None)
    return os.strerror(number) if isinstance(number, int) else text_of(failure)
