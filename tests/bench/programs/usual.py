"""The repeater as it is usually written: two `Int32StringReceiver`s, a filter and a `sendString` for each message.

Started as ``python -m tests.bench.programs.usual SERVER_PORT KIND_OF_LOAD``; prints its port.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import ClientCreator, ServerFactory, connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from .serving import serve

Filter = Callable[["Side", bytes], bool]


def pass_on(client: Side, message: bytes) -> bool:
    """Pass every message."""
    return True


def broadcast(client: Side, message: bytes) -> bool:
    """Send every message to all clients instead."""
    for each in client.factory.clients:
        each.sendString(message)
    return False


class Side(Int32StringReceiver):
    """One connection of a link: the first string is a hello, each later one a message for the other side."""

    MAX_LENGTH = 16 * 1024 * 1024
    transport: Any
    factory: Any
    peer: Side | None = None
    greeted = False
    filter: Filter = staticmethod(pass_on)

    def stringReceived(self, string: bytes) -> None:
        """Take the hello, pass what the filter accepts."""
        if not self.greeted:
            self.greeted = True
            self.greet(string)
        elif self.peer is not None and self.filter(self, string):
            self.peer.sendString(string)

    def greet(self, hello: bytes) -> None:
        """Act on the hello that came."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Close the other side, too."""
        if self.peer is not None:
            self.peer.transport.unregisterProducer()
            self.peer.transport.loseConnection()
            self.peer.peer = None


class ServerSide(Side):
    """The connection to the server."""

    def __init__(self, client: ClientSide, hello: bytes) -> None:
        self.client = client
        self.hello = hello

    def connectionMade(self) -> None:
        """Say the client's hello."""
        self.sendString(self.hello)

    def greet(self, hello: bytes) -> None:
        """Join the two sides, and answer the client."""
        self.peer, self.client.peer = self.client, self
        self.transport.registerProducer(self.client.transport, True)
        self.client.transport.registerProducer(self.transport, True)
        self.client.factory.clients.append(self.client)
        self.client.sendString(hello)


class ClientSide(Side):
    """The connection from the client, with the filter for its messages."""

    def connectionMade(self) -> None:
        """Take the filter."""
        self.filter = self.factory.filter

    def greet(self, hello: bytes) -> None:
        """Connect to the server in the client's name."""
        json.loads(hello)["name"]
        ClientCreator(reactor, ServerSide, self, hello).connectTCP("127.0.0.1", self.factory.server_port)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the list of clients."""
        super().connectionLost(reason)
        if self in self.factory.clients:
            self.factory.clients.remove(self)


class UsualFactory(ServerFactory):
    """Keeps the linked clients and the filter."""

    protocol = ClientSide

    def __init__(self, server_port: int, to_server_filter: Filter) -> None:
        self.server_port = server_port
        self.filter = to_server_filter
        self.clients: list[ClientSide] = []


def main() -> None:
    """Serve until the process is ended."""
    factory = UsualFactory(int(sys.argv[1]), broadcast if sys.argv[2] == "broadcast" else pass_on)
    serve(factory)


if __name__ == "__main__":
    main()
