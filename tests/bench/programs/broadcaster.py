"""What a broadcast must cost at least in Twisted: no links, and one `transport.write` of a ready frame for each client.

Started as ``python -m tests.bench.programs.broadcaster SERVER_PORT``; never connects there; prints its port.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from .serving import serve


class Client(Int32StringReceiver):
    """One client: says hello, then each message of one goes to all."""

    transport: Any
    factory: Any
    greeted = False

    def connectionMade(self) -> None:
        """Join the clients."""
        self.factory.clients.add(self)

    def stringReceived(self, string: bytes) -> None:
        """Answer the hello; send anything else to all."""
        if not self.greeted:
            self.greeted = True
            self.sendString(b'{"name": "server"}')
            return
        frame = struct.pack(">I", len(string)) + string
        for client in self.factory.clients:
            client.transport.write(frame)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the clients."""
        self.factory.clients.discard(self)


class Broadcaster(ServerFactory):
    """Knows all clients."""

    protocol = Client

    def __init__(self) -> None:
        self.clients: set[Client] = set()


def main() -> None:
    """Serve until the process is ended."""
    serve(Broadcaster())


if __name__ == "__main__":
    main()
