"""``twistd -n repeater --demo``: a server, a repeater and three clients in one process show what a filter does."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from typing import Any

from twisted.application.internet import ClientService
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from .. import dialects
from .._repeater import Repeater
from .._text import printable
from .._types import Reactor
from ..link import Link
from ..observers.metrics import MetricsObserver
from ..verdicts import DO_NOTHING, PASS_ON, PassOnAndSendBack, Send, SendBack, Verdict
from .admin import OwnProgram, OwnRepeater, RecentErrors, administration
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

PAGE = """
The clients go on, slowly. Watch them in your browser, hold one of their messages, and change it:

    {url}

The same in a terminal: python -m twisted_repeater ctl --admin {url} watch
"""

NO_PAGE = """
The live page, which shows messages and holds them, needs msgspec: pip install 'twisted_repeater[admin]'
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
    """A connection of a client, which does not know of the repeater either."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.answers: DeferredQueue[str] = DeferredQueue()
        """All that it receives, the hello first."""
        self.heeds_answers = True
        """Whether anybody wants them."""

    def connectionMade(self) -> None:
        """Say hello."""
        self.sendString(json.dumps({"name": self._name}).encode())  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:
        """Keep the answer."""
        if self.heeds_answers:
            self.answers.put(string.decode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that nothing can be sent any more."""
        self.connected = 0


def write_to_terminal(text: str) -> None:
    """Write past Twisted's log, which would put the time before each line."""
    assert sys.__stdout__ is not None
    sys.__stdout__.write(text)
    sys.__stdout__.flush()


class DemoService(Service):
    """Runs the demonstration. ``write`` gets its lines, each ``pause`` seconds after the one before.

    If there is a live page, the clients go on, with an order each ``pace`` seconds.
    """

    port: int
    url: str | None = None
    """The address of the live page."""

    def __init__(
        self,
        reactor: Reactor,
        write: Callable[[str], object] = write_to_terminal,
        pause: float = 0.5,
        pace: float = 1.0,
    ) -> None:
        self._reactor = reactor
        self._write = write
        self._pause = pause
        self._received: list[str] = []
        self._server_port: Any = None
        self._repeater: Repeater | None = None
        self._page_port: Any = None
        self._services: dict[str, ClientService] = {}
        self._clients: dict[str, _Client] = {}
        self._script_is_over = False
        self._orders = cycle(SCRIPT)
        self._going_on = LoopingCall(self._go_on)
        self._going_on.clock = reactor
        self._pace = pace
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
        if self._going_on.running:
            self._going_on.stop()
        for service in self._services.values():  # before the repeater: they would connect again
            await maybeDeferred(service.stopService)
        if self._page_port is not None:
            await maybeDeferred(self._page_port.stopListening)
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
        metrics, errors = MetricsObserver(), RecentErrors()
        self._repeater = await Repeater.create(
            dialects.int32(),
            repeater_name="demo",
            server_name=SERVER_NAME,
            listen=f"tcp:0:interface={HOST}",
            server_ip=HOST,
            server_port=server_port,
            is_client_allowed=lambda name: True,
            observers=[metrics, errors],
            reactor=self._reactor,
        )
        self._repeater.start(to_server_filter=self._filter)
        self.port = self._repeater.port
        facts = {"dialect": "int32", "server": f"tcp:{HOST}:{server_port}", "to-server-filter": "check_order"}
        self._serve_page(OwnRepeater("demo", self._repeater, metrics, errors, facts))
        source = "".join(f"    {line}" for line in inspect.getsource(check_order).splitlines(keepends=True))
        self._write(INTRODUCTION.format(port=self.port, server=SERVER_NAME, server_port=server_port, filter=source))
        for name in dict.fromkeys(name for name, _, _ in SCRIPT):
            await self._connect(name)
        self._row("", "sends", "the filter", "the server gets", "the client gets")
        for step in SCRIPT:
            await self._step(*step)
        self._write(NO_PAGE if self.url is None else PAGE.format(url=self.url))
        self._write(INVITATION.format(snippet=SNIPPET.format(host=HOST, port=self.port)))
        if self.url is not None:
            self._let_clients_go_on()

    async def _connect(self, name: str) -> None:
        """Let a client connect, and again when its link is closed."""
        factory = Factory.forProtocol(lambda: self._make_client(name))
        factory.noisy = False
        endpoint = TCP4ClientEndpoint(self._reactor, HOST, self.port)
        service = self._services[name] = ClientService(
            endpoint, factory, retryPolicy=lambda failures: self._pace, clock=self._reactor
        )
        service.startService()
        await service.whenConnected()
        await self._clients[name].answers.get()

    def _make_client(self, name: str) -> _Client:
        """Make a connection of a client; the ones after the first one are heard by nobody."""
        client = _Client(name)
        client.heeds_answers = name not in self._clients
        self._clients[name] = client
        return client

    def _serve_page(self, repeater: OwnRepeater) -> None:
        """Serve the live page on a free port, if its library is installed."""
        with suppress(ImportError):
            site = administration(OwnProgram([repeater], drain=self._reactor.stop), reactor=self._reactor)
            self._page_port = self._reactor.listenTCP(0, site, interface=HOST)
            self.url = f"http://{HOST}:{self._page_port.getHost().port}/"

    def _let_clients_go_on(self) -> None:
        """Let the clients send orders without end, so that there is something to see on the page."""
        self._script_is_over = True
        for client in self._clients.values():
            client.heeds_answers = False
        self._going_on.start(self._pace, now=False)

    def _go_on(self) -> None:
        """Let the next client of the script send its order."""
        name, order, _ = next(self._orders)
        if self._clients[name].connected:
            self._clients[name].sendString(order.encode())  # type: ignore[no-untyped-call]

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
        if link.client_name not in self._clients:
            self._row(printable(link.client_name), printable(message.decode("utf-8", "replace")), shown, "", "")
        elif not self._script_is_over:
            self._verdicts.put(shown)
        return verdict

    def _row(self, *cells: str) -> None:
        self._write(ROW.format(*cells).rstrip() + "\n")
