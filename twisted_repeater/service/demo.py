"""``twistd -n repeater --demo``: a server, a repeater and three clients in one process show what a filter does."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue, maybeDeferred
from twisted.internet.protocol import ClientCreator, Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from .. import dialects
from .._repeater import Repeater
from .._text import printable
from .._types import Reactor
from ..link import Link
from ..verdicts import DO_NOTHING, PASS_ON, PassOnAndSendBack, Send, SendBack, Verdict
from .shutdown_signals import ShutdownSignals

__all__ = ["DemoService"]

log: Logger = Logger()

HOST = "127.0.0.1"
SERVER_NAME = "exchange"

INTRODUCTION = """
A repeater at work, on real sockets of this machine:

    clients ann, bob and eve  <-->  repeater, port {port}  <-->  server "{server}", port {server_port}

A client connects to the repeater and believes that it reached the server. The repeater connects to the server in that
client's name, and asks its filter about every message. This is the whole filter:

{filter}
This is what it does:
"""

INVITATION = """
Now be a client yourself. In another terminal:

{snippet}
The filter's answers to your orders appear here. Ctrl-C ends it all.
"""

SNIPPET = """\
python3 - <<'END'
import json, socket, struct
stream = socket.create_connection(("{host}", {port})).makefile("rwb")
def send(payload):
    stream.write(struct.pack(">I", len(payload)) + payload)
    stream.flush()
def receive():
    return stream.read(struct.unpack(">I", stream.read(4))[0]).decode()
send(json.dumps({{"name": "you"}}).encode())
print("the server's hello:", receive())
for order in "buy 5 ACME", "buy 5000 ACME", "sell 1 NUKE":
    send(order.encode())
    print(order, "->", receive())
END
"""

ROW = "{:5} {:15} {:27} {:17} {}"

SCRIPT = [
    ("ann", "buy 100 ACME", 1),
    ("bob", "buy 9000 ACME", 1),
    ("eve", "what's up", 0),
    ("eve", "buy 5 NUKE", 1),
    ("bob", "sell 30 ACME", 2),
]
"""Who sends which order, and how many answers come back."""


def check_order(message: bytes, link: Link) -> Verdict:
    """Decide about one message of a client."""
    words = message.split()
    if len(words) != 3 or not words[1].isdigit():
        return DO_NOTHING
    side, quantity, stock = words
    if stock == b"NUKE":
        return SendBack([b"rejected: nobody trades NUKE here"])
    if int(quantity) > 1000:
        return Send(side + b" 1000 " + stock)
    if side == b"sell":
        return PassOnAndSendBack([b"noted, a sale"])
    return PASS_ON


SHOWN = {
    type(PASS_ON): "passes it on",
    Send: "sends another instead",
    SendBack: "answers it itself",
    PassOnAndSendBack: "passes it on and answers",
}
"""What a verdict does, in plain words."""


class _Server(Int32StringReceiver):
    """The server's end of a connection, which knows nothing of the repeater. ``received`` gets the orders."""

    def __init__(self, received: list[str]) -> None:
        self._received = received
        self._said_hello = False

    def stringReceived(self, string: bytes) -> None:
        """Answer the client's hello, or an order."""
        if self._said_hello:
            self._received.append(string.decode())
            self.sendString(b"done: " + string)  # type: ignore[no-untyped-call]
        else:
            self._said_hello = True
            self.sendString(json.dumps({"name": SERVER_NAME}).encode())  # type: ignore[no-untyped-call]


class _Client(Int32StringReceiver):
    """A client, which does not know of the repeater either. ``answers`` gets all that it receives, the hello first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.answers: DeferredQueue[str] = DeferredQueue()

    def connectionMade(self) -> None:
        """Say hello."""
        self.sendString(json.dumps({"name": self._name}).encode())  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:
        """Keep the answer."""
        self.answers.put(string.decode())


def write_to_terminal(text: str) -> None:
    """Write past Twisted's log, which would put the time before each line."""
    assert sys.__stdout__ is not None
    sys.__stdout__.write(text)
    sys.__stdout__.flush()


class DemoService(Service):
    """Runs the demonstration. ``write`` gets its lines, each ``pause`` seconds after the one before."""

    port: int

    def __init__(
        self, reactor: Reactor, write: Callable[[str], object] = write_to_terminal, pause: float = 0.5
    ) -> None:
        self._reactor = reactor
        self._write = write
        self._pause = pause
        self._received: list[str] = []
        self._server_port: Any = None
        self._repeater: Repeater | None = None
        self._clients: dict[str, _Client] = {}
        self._verdicts: DeferredQueue[str] = DeferredQueue()
        self._shutdown_signals = ShutdownSignals(reactor, self.abort)
        self._running: Deferred[None] | None = None

    def startService(self) -> None:
        """Begin when the reactor runs: before that, Ctrl-C raises an exception at any place in the code."""
        super().startService()  # type: ignore[no-untyped-call]
        self._shutdown_signals.start()
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        if self.running:
            self._running = Deferred.fromCoroutine(self.run())
            self._running.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("the demonstration failed", failure)

    def stopService(self) -> Deferred[None]:
        """End the demonstration and every connection. See `IService`."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._running is not None:
            self._running.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._repeater is not None:
            await self._repeater.shutdown()
        if self._server_port is not None:
            await maybeDeferred(self._server_port.stopListening)
        self._shutdown_signals.stop()

    def abort(self) -> None:
        """End everything without waiting."""
        if self._repeater is not None:
            self._repeater.abort()

    async def run(self) -> None:
        """Start everything, let the clients talk, and say how to join in."""
        factory = Factory.forProtocol(lambda: _Server(self._received))
        factory.noisy = False
        self._server_port = self._reactor.listenTCP(0, factory, interface=HOST)
        server_port = self._server_port.getHost().port
        self._repeater = await Repeater.create(
            dialects.int32(),
            repeater_name="demo",
            server_name=SERVER_NAME,
            listen=f"tcp:0:interface={HOST}",
            server_ip=HOST,
            server_port=server_port,
            is_client_allowed=lambda name: True,
            reactor=self._reactor,
        )
        self._repeater.start(to_server_filter=self._filter)
        self.port = self._repeater.port
        source = "".join(f"    {line}" for line in inspect.getsource(check_order).splitlines(keepends=True))
        self._write(INTRODUCTION.format(port=self.port, server=SERVER_NAME, server_port=server_port, filter=source))
        for name in dict.fromkeys(name for name, _, _ in SCRIPT):
            client = self._clients[name] = _Client(name)
            await ClientCreator(self._reactor, lambda client=client: client).connectTCP(HOST, self.port)
            await client.answers.get()
        self._row("", "sends", "the filter", "the server gets", "the client gets")
        for step in SCRIPT:
            await self._step(*step)
        self._write(INVITATION.format(snippet=SNIPPET.format(host=HOST, port=self.port)))

    async def _step(self, name: str, order: str, answers: int) -> None:
        """Let a client send an order, and show the result when everything had the time to arrive."""
        client = self._clients[name]
        self._received.clear()
        client.sendString(order.encode())  # type: ignore[no-untyped-call]
        verdict = await self._verdicts.get()
        got = [await client.answers.get() for _ in range(answers)]
        await deferLater(self._reactor, self._pause)
        self._row(name, order, verdict, "; ".join(self._received) or "-", "; ".join(got) or "-")

    def _filter(self, message: bytes, link: Link) -> Verdict:
        """Ask the filter, and show its answer."""
        verdict = check_order(message, link)
        shown = "drops it" if verdict is DO_NOTHING else SHOWN[type(verdict)]
        if link.client_name in self._clients:
            self._verdicts.put(shown)
        else:
            self._row(printable(link.client_name), printable(message.decode("utf-8", "replace")), shown, "", "")
        return verdict

    def _row(self, *cells: str) -> None:
        self._write(ROW.format(*cells).rstrip() + "\n")
