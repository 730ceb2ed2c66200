"""A trader: ``python trader.py 9000 ann``, then lines such as ``buy 100 ACME 10.50``. Knows nothing of any repeater."""

import json
import sys
from collections import Counter
from typing import Any

from twisted.internet import endpoints, reactor, stdio
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int32StringReceiver, LineReceiver
from twisted.python.failure import Failure

IN_FLIGHT = 500


class Trader(Int32StringReceiver):
    """The connection to the exchange. The first message each way is the hello."""

    transport: ITCPTransport
    linked = False
    last_id = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.to_send = 0
        self.unanswered: set[int] = set()
        self.answers: Counter[str] = Counter()

    def connectionMade(self) -> None:
        """Say hello."""
        self.send({"name": self.name})

    def send(self, message: dict[str, object]) -> None:
        """Send a message."""
        self.sendString(json.dumps(message).encode())

    def order(self, side: str, size: int, symbol: str, price: float) -> int:
        """Send an order, and give its id."""
        self.last_id += 1
        self.send({"type": "Order", "id": self.last_id, "side": side, "size": size, "symbol": symbol, "price": price})
        return self.last_id

    def command(self, line: str) -> None:
        """Do what is typed."""
        match line.split():
            case ["buy" | "sell" as side, size, symbol, price]:
                self.order(side, int(size), symbol, float(price))
            case ["cancel", number]:
                self.send({"type": "Cancel", "id": int(number)})
            case ["many", count]:
                self.to_send = int(count)
                self.answers.clear()
                self.send_more()
            case _:
                print("say: buy SIZE SYMBOL PRICE, sell SIZE SYMBOL PRICE, cancel ID, many COUNT", flush=True)

    def send_more(self) -> None:
        """Send of many orders as many as may be unanswered. Their sizes are from 1 to 901."""
        while self.to_send and len(self.unanswered) < IN_FLIGHT:
            self.to_send -= 1
            self.unanswered.add(self.order("buy", 1 + self.last_id % 10 * 100, "ACME", 10.5))

    def stringReceived(self, string: bytes) -> None:
        """The hello of the exchange, or an answer: show it, or count it if it is one of many."""
        message = json.loads(string)
        if not self.linked:
            self.linked = True
            print(f"linked to {message['name']}", flush=True)
            stdio.StandardIO(Terminal(self))
        elif message["id"] in self.unanswered:
            self.count(message)
        else:
            reason = f": {message['reason']}" if "reason" in message else ""
            print(f"{message['id']} {message['type'].lower()}{reason}", flush=True)

    def count(self, message: dict[str, Any]) -> None:
        """Count an answer, and go on; say how many there were of each kind after the last."""
        self.unanswered.remove(message["id"])
        self.answers[message["type"].lower()] += 1
        self.send_more()
        if not self.unanswered:
            print("answers:", *(f"{count} {kind}" for kind, count in sorted(self.answers.items())), flush=True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Without a connection there is nothing left to do."""
        print("disconnected", flush=True)
        reactor.stop()


class Terminal(LineReceiver):
    """What is typed."""

    delimiter = b"\n"

    def __init__(self, trader: Trader) -> None:
        self.trader = trader

    def lineReceived(self, line: bytes) -> None:
        """Do it."""
        self.trader.command(line.decode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nothing more is typed."""
        self.trader.transport.loseConnection()


def main(port: str, name: str) -> None:
    """Connect to a port of this machine."""
    endpoint = endpoints.clientFromString(reactor, f"tcp:127.0.0.1:{port}")
    endpoint.connect(Factory.forProtocol(lambda: Trader(name)))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
