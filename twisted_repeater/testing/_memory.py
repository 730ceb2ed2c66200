"""Connections in memory that move only when a test says so: Twisted's TCP transport on sockets in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from twisted.internet import error, tcp
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ._memory_socket import MemorySocket

TURNS = 20_000
"""How often each connection may read and write before a network must have settled."""


class MemoryConnection(tcp.Connection):
    """Twisted's TCP transport on a socket in memory."""

    def __init__(
        self, memory: MemorySocket, protocol: IProtocol, network: MemoryNetwork, host: IAddress, peer: IAddress
    ) -> None:
        super().__init__(memory, protocol, network)  # type: ignore[arg-type]
        self.memory = memory
        self._host = host
        self._peer = peer
        self.connected = 1

    def getHost(self) -> IAddress:
        """See `ITransport`."""
        return self._host

    def getPeer(self) -> IAddress:
        """See `ITransport`."""
        return self._peer


@implementer(IReactorTime)
class MemoryNetwork:
    """The reactor of the connections. They are read and written only in `settle`, and time passes only in `advance`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = Clock() if clock is None else clock
        self._readers: dict[MemoryConnection, None] = {}
        self._writers: dict[MemoryConnection, None] = {}
        self._settling = False
        self._ports = 49152
        self._arrivals = itertools.count()
        self._awake: dict[MemorySocket, None] = {}
        """The sockets that have something to read; others are not looked at."""

    # -- the methods that a transport calls ------------------------------------------------------------------

    def addReader(self, reader: MemoryConnection) -> None:
        """See `IReactorFDSet`."""
        self._readers[reader] = None

    def addWriter(self, writer: MemoryConnection) -> None:
        """See `IReactorFDSet`."""
        self._writers[writer] = None

    def removeReader(self, reader: MemoryConnection) -> None:
        """See `IReactorFDSet`."""
        self._readers.pop(reader, None)

    def removeWriter(self, writer: MemoryConnection) -> None:
        """See `IReactorFDSet`."""
        self._writers.pop(writer, None)

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return self.clock.seconds()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """See `IReactorTime`."""
        return self.clock.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """See `IReactorTime`."""
        return self.clock.getDelayedCalls()

    # -- the methods that a test calls ------------------------------------------------------------------------

    def connect(self, accepting: IProtocol, connecting: IProtocol, address: IPv4Address, listening: IAddress) -> None:
        """Connect two protocols.

        Args:
            accepting: the protocol of the party that listens.
            connecting: the protocol of the party that connects.
            address: the address of the party that connects.
            listening: the address of the party that listens.
        """
        sockets = MemorySocket.pair(self._arrivals, self._awake)
        accepted = MemoryConnection(sockets[0], accepting, self, listening, address)
        connected = MemoryConnection(sockets[1], connecting, self, address, listening)
        sockets[0].owner, sockets[1].owner = accepted, connected
        for protocol, transport in ((accepting, accepted), (connecting, connected)):
            transport.startReading()  # type: ignore[no-untyped-call]
            protocol.makeConnection(transport)

    def new_address(self, host: str = "127.0.0.1") -> IPv4Address:
        """Return an address that is not in use."""
        self._ports += 1
        return IPv4Address("TCP", host, self._ports)

    @contextmanager
    def unsettled(self) -> Iterator[None]:
        """Let nothing happen inside that can wait: both ends of a connection are there before either reads."""
        before, self._settling = self._settling, True
        try:
            yield
        finally:
            self._settling = before

    def settle(self) -> None:
        """Let everything happen that needs no time. An exception of a protocol is raised here."""
        if self._settling:
            return
        self._settling = True
        try:
            self.clock.advance(0)
            turns = 0
            while self._turn():
                self.clock.advance(0)
                turns += 1
                if turns > TURNS:
                    raise AssertionError("the connections do not come to rest: does a peer answer every answer?")
        finally:
            self._settling = False

    def _turn(self) -> bool:
        """Let each connection that can read or write do so once, in the order of arrival; return whether any could."""
        for memory in [memory for memory in self._awake if not memory.readable]:
            del self._awake[memory]
        readable = [memory.owner for memory in self._awake if memory.owner in self._readers]
        writable = [writer for writer in self._writers if writer.memory.writable]
        for reader in sorted(readable, key=lambda reader: reader.memory.arrived):
            if reader in self._readers:
                self._check(reader, reader.doRead(), reading=True)
        for writer in writable:
            if writer in self._writers:
                self._check(writer, writer.doWrite(), reading=False)  # type: ignore[no-untyped-call]
        return bool(readable or writable)

    def _check(self, connection: MemoryConnection, why: Exception | int | None, *, reading: bool) -> None:
        """End a connection that says that it is over, as a reactor does."""
        if why is None:
            return
        self.removeReader(connection)
        if reading and isinstance(why, error.ConnectionDone):
            connection.readConnectionLost(Failure(why))
        else:
            self.removeWriter(connection)
            connection.connectionLost(Failure(why))

    def advance(self, seconds: float) -> None:
        """Let time pass. Each call that becomes due is made at its own time, and its consequences settle."""
        self.settle()
        end = self.clock.seconds() + seconds
        while due := [call.getTime() for call in self.clock.getDelayedCalls() if call.getTime() <= end]:
            self.clock.advance(max(min(due) - self.clock.seconds(), 0))
            self.settle()
        self.clock.advance(max(end - self.clock.seconds(), 0))


@implementer(IListeningPort)
class MemoryPort:
    """A port on which a party listens."""

    def __init__(self, endpoint: MemoryEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint = endpoint
        self._waiting: list[Callable[[], None]] | None = None
        self.factory = factory
        factory.doStart()

    def accept(self, connect: Callable[[], None]) -> None:
        """Connect a newcomer now, or as soon as the port is not paused."""
        if self._waiting is None:
            connect()
        else:
            self._waiting.append(connect)

    def pauseProducing(self) -> None:
        """See `IPushProducer`. Newcomers wait."""
        if self._waiting is None:
            self._waiting = []

    def resumeProducing(self) -> None:
        """See `IPushProducer`."""
        waiting, self._waiting = self._waiting, None
        for connect in waiting or ():
            connect()

    def startListening(self) -> None:
        """See `IListeningPort`. The port listens from the start."""

    def stopListening(self) -> Deferred[None]:
        """See `IListeningPort`."""
        self._endpoint.port = None
        self.factory.doStop()
        return succeed(None)

    def getHost(self) -> IAddress:
        """See `IListeningPort`."""
        return self._endpoint.address


@implementer(IStreamServerEndpoint, IStreamClientEndpoint)
class MemoryEndpoint:
    """The place where one party listens and others connect."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self.address: IPv4Address = network.new_address()
        self.port: MemoryPort | None = None

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See `IStreamServerEndpoint`."""
        self.port = MemoryPort(self, factory)
        return succeed(self.port)

    def connect(self, factory: IProtocolFactory, host: str = "127.0.0.1") -> Deferred[IProtocol]:
        """See `IStreamClientEndpoint`. ``host`` is the address that the connection comes from."""
        if self.port is None:
            return fail(error.ConnectionRefusedError())
        listening = self.port
        address = self._network.new_address(host)
        connected: Deferred[IProtocol] = Deferred()

        def connect() -> None:
            connecting = factory.buildProtocol(self.address)
            if connecting is None:
                connected.errback(error.NoProtocol())
                return
            accepting = listening.factory.buildProtocol(address) or _Refusal()
            self._network.connect(accepting, connecting, address, self.address)
            connected.callback(connecting)

        listening.accept(connect)
        return connected


class _Refusal(Protocol):
    """The protocol of a connection for which a factory built none: it closes at once."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
