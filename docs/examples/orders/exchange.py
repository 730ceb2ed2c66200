"""An exchange that accepts every order: ``python exchange.py 9001``. It knows nothing of any repeater."""

import json
import sys

from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver


class Trader(Int32StringReceiver):
    """The connection of one trader. The first message each way is the hello."""

    name = ""

    def stringReceived(self, string: bytes) -> None:
        """Answer the hello with ours, an order or a cancel with what became of it."""
        message = json.loads(string)
        if not self.name:
            self.name = message["name"]
            self.send({"name": "exchange"})
            return
        print(f"{self.name}: {message['type']} {message['id']}", flush=True)
        answer = {"Order": "Accepted", "Cancel": "Cancelled"}[message["type"]]
        self.send({"type": answer, "id": message["id"]})

    def send(self, message: dict[str, object]) -> None:
        """Send a message."""
        self.sendString(json.dumps(message).encode())


def main(port: str) -> None:
    """Serve on a port of this machine."""
    endpoint = endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    listening = endpoint.listen(Factory.forProtocol(Trader))
    listening.addCallback(lambda bound: print(f"exchange on port {bound.getHost().port}", flush=True))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
