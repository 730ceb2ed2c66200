"""A client that asks for prices: ``python client.py 9000 ann``. It knows nothing of any repeater.

The first message each way is the hello. Then each line that is typed is sent as a request, and each answer is printed.
"""

import json
import sys

from twisted.internet import endpoints, reactor, stdio
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int32StringReceiver, LineReceiver
from twisted.python.failure import Failure


class Prices(Int32StringReceiver):
    """The connection to the server, as far as the client knows."""

    transport: ITCPTransport
    server = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def connectionMade(self) -> None:
        """Say hello."""
        self.sendString(json.dumps({"name": self.name}).encode())

    def stringReceived(self, string: bytes) -> None:
        """The server's hello, or an answer."""
        if self.server:
            print(string.decode(), flush=True)
        else:
            self.server = json.loads(string)["name"]
            print(f"linked to {self.server}", flush=True)
            stdio.StandardIO(Keyboard(self))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Without a connection there is nothing left to do."""
        print("disconnected", flush=True)
        reactor.stop()


class Keyboard(LineReceiver):
    """What is typed."""

    delimiter = b"\n"

    def __init__(self, prices: Prices) -> None:
        self.prices = prices

    def lineReceived(self, line: bytes) -> None:
        """Send a request."""
        self.prices.sendString(line)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """No more requests; the answers still come."""
        self.prices.transport.loseWriteConnection()


def main(port: str = "9000", name: str = "ann") -> None:
    """Connect to a port of this machine."""
    endpoint = endpoints.clientFromString(reactor, f"tcp:127.0.0.1:{port}")
    connecting = endpoint.connect(Factory.forProtocol(lambda: Prices(name)))
    connecting.addErrback(refused)
    reactor.run()


def refused(failure: Failure) -> None:
    """Say why there is no connection."""
    print(failure.getErrorMessage(), flush=True)
    reactor.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
