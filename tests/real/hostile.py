"""Servers that speak another protocol than the repeater's, or leave too soon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.wire import Echo

from ..peers import reactor

__all__ = ["listening"]


class _Sayer(Protocol):
    """Says something, and closes."""

    factory: _SayerFactory

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.factory.says)
        self.transport.loseConnection()


class _SayerFactory(Factory):
    protocol = _Sayer  # type: ignore[assignment]

    def __init__(self, says: bytes) -> None:
        self.says = says


@asynccontextmanager
async def listening(says: bytes | None) -> AsyncIterator[int]:
    """Have a server that says something to each client and closes, or that sends back what it gets; yield its port."""
    factory = Factory.forProtocol(Echo) if says is None else _SayerFactory(says)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    try:
        yield port.getHost().port
    finally:
        await port.stopListening()
