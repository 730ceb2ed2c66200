"""A server that tells prices: ``python server.py 9001``. It knows nothing of any repeater.

The first message each way is the hello. Then each request, such as ``price ACME``, gets an answer.
"""

import json
import sys

from twisted.internet import endpoints, reactor
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

PRICES = {"ACME": "101.50", "INIT": "7.25"}


@implementer(IHalfCloseableProtocol)
class Quotes(Int32StringReceiver):
    """One client's connection."""

    transport: ITCPTransport
    client = ""

    def stringReceived(self, string: bytes) -> None:
        """Answer a hello with ours, and each request with a price."""
        if not self.client:
            self.client = json.loads(string)["name"]
            self.sendString(json.dumps({"name": "quotes"}).encode())
            print(f"{self.client} is here", flush=True)
            return
        request = string.decode()
        print(f"{self.client}: {request}", flush=True)
        verb, _, stock = request.partition(" ")
        known = verb == "price" and stock in PRICES
        self.sendString((f"{stock} costs {PRICES[stock]}" if known else f"what is {request}?").encode())

    def readConnectionLost(self) -> None:
        """No more requests: close when the answers are sent."""
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing to do."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Say who has gone."""
        print(f"{self.client} is gone", flush=True)


def main(port: str = "9001") -> None:
    """Serve on a port of this machine; 0 takes a free one."""
    endpoint = endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    listening = endpoint.listen(Factory.forProtocol(Quotes))
    listening.addCallback(lambda bound: print(f"quotes on port {bound.getHost().port}", flush=True))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
