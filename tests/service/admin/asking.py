"""Ask an administration over HTTP, on real sockets."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_repeater import dialects
from twisted_repeater.fleet import Fleet
from twisted_repeater.service.admin import administration
from twisted_repeater.service.recording import ServiceRecording

from ...peers import PeerCase, StoppedTime, World, turn
from .administered import Process, Running

__all__ = ["AdminCase", "Answered", "Exchange"]

reactor: Any = installed_reactor


class Exchange(Protocol):
    """A request, and all that comes back until the connection is closed."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._data = b""
        self.received: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self.port = self.transport.getHost().port  # type: ignore[attr-defined]
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """Something came back."""
        self._data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That is all."""
        self.received.callback(self._data)


class Answered:
    """An answer."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *others = head.decode().splitlines()
        self.status = int(first.split()[1])
        self.headers = {name.lower(): text for name, text in (line.split(": ", 1) for line in others)}

    @property
    def json(self) -> Any:
        """The body, which must be JSON and say so."""
        assert self.headers["content-type"] == "application/json", self.headers
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of an error."""
        (error,) = self.json.values()
        return str(error)


class AdminCase(PeerCase):
    """A repeater with an administration, in whose time nothing passes by itself."""

    async def start(
        self, *, token: str | None = None, record: str = "", fleet: Fleet | None = None, **settings: Any
    ) -> World:
        """Start both, and perhaps something that records into a file."""
        self.time = StoppedTime()
        self.running = running = Running(dialect="int32", server="tcp:quotes:1")
        if record:
            running.recording = ServiceRecording({"path": record}, running.metrics, reactor)
        world = await self.world(observers=running.observers, fleet=fleet, **settings)
        running.repeater, running.dialect = world.repeater, dialects.int32()
        self.process = Process(running, fleet=fleet)
        self.site = administration(self.process, hosts=["edge.example.org"], token=token, reactor=self.time)
        self.port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.addCleanup(maybeDeferred, self.port.stopListening)
        return world

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answered:
        """Make a request; a body that is not bytes is sent as JSON."""
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"content-type": "application/json", "content-length": str(len(body))} | headers
        lines = [f"{method} {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        exchange = Exchange("\r\n".join(lines).encode("latin-1") + (body or b""))
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        await endpoint.connect(Factory.forProtocol(lambda: exchange))
        data = await exchange.received
        await self.until_closed(exchange.port)
        return Answered(data)

    async def until_closed(self, port: int) -> None:
        """Wait until the server notices that the connection from a port is closed."""
        while any(each.transport.getPeer().port == port for each in [*self.site._channels, *self.site._streams]):
            await turn()

    async def get(self, path: str) -> Any:
        """Return what a path shows."""
        answered = await self.ask("GET", path)
        self.assertEqual(answered.status, 200, answered.body)
        return answered.json

    async def fails(self, status: int, method: str, path: str, body: object = None, **headers: str) -> str:
        """Check that a call fails, and return the reason."""
        answered = await self.ask(method, path, body, **headers)
        self.assertEqual(answered.status, status, answered.body)
        return answered.error
