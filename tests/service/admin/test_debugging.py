"""The calls of the debugger, over HTTP."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_repeater.dialects.fix.messages import Heartbeat
from twisted_repeater.service.admin.debugger import Debugger
from twisted_repeater.service.admin.events import MOST_WAITING
from twisted_repeater.service.admin.shapes import NewRule
from twisted_repeater.service.admin.streams import GRACE

from ...peers import World, turn
from .asking import AdminCase, Answered
from .debugged import events_in

reactor: Any = installed_reactor

EDGE = "/repeaters/edge"


class StreamClient(Protocol):
    """A client that reads a stream."""

    def __init__(self, path: str, **headers: str) -> None:
        lines = [f"GET {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self._request = "\r\n".join(lines).encode()
        self.data = b""
        self.gone = False
        self._waits: list[tuple[Callable[[], object], Deferred[None]]] = []

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self.port = self.transport.getHost().port  # type: ignore[attr-defined]
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """Events have come."""
        self.data += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nothing more comes."""
        self.gone = True
        self._look()

    def _look(self) -> None:
        for wait in list(self._waits):
            if wait[0]():
                self._waits.remove(wait)
                wait[1].callback(None)

    def events(self, name: str) -> list[Any]:
        """Return the data of the events of a name."""
        body = self.data.partition(b"\r\n\r\n")[2]
        whole = body[: body.rfind(b"\n\n") + 2]
        return [data for each, data in events_in(whole) if each == name]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something has come."""
        if not condition():
            done: Deferred[None] = Deferred()
            self._waits.append((condition, done))
            await done.addTimeout(10, reactor)

    async def event(self, name: str, number: int = 1) -> Any:
        """Return the data of the nth event of a name, when it is there."""
        await self.until(lambda: len(self.events(name)) >= number)
        return self.events(name)[number - 1]


class DebugCase(AdminCase):
    """A repeater with an administration, a client, and a stream."""

    async def begin(self, **settings: Any) -> World:
        """Start them."""
        world = await self.start(**settings)
        self.client, self.peer = await world.linked("ann")
        self.stream = await self.listen()
        self.number = (await self.stream.event("hello"))["stream"]
        return world

    @property
    def debugger(self) -> Debugger:
        """What the calls are about."""
        context: Any = self.site.responder.context  # type: ignore[attr-defined]
        return context.part(Debugger)  # type: ignore[no-any-return]

    async def listen(self, query: str = "", **headers: str) -> StreamClient:
        """Open a stream."""
        client = StreamClient(f"{EDGE}/stream{query}", **headers)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.leave(client)))
        return client

    async def leave(self, client: StreamClient) -> None:
        """Close a stream, unless that is done."""
        assert client.transport is not None
        client.transport.abortConnection()  # type: ignore[attr-defined]
        await client.until(lambda: client.gone)
        await self.until_closed(client.port)

    async def does(self, path: str, body: object = None, method: str = "POST") -> Any:
        """Make a call that succeeds."""
        answered = await self.ask(method, path, body)
        self.assertEqual(answered.status, 200, answered.body)
        return answered.json

    async def hold(self, *messages: bytes, **asked: Any) -> int:
        """Hold a message that the client sends; return the id of the first."""
        await self.does(f"{EDGE}/rules", {"stream": self.number, **asked})
        held = len(self.stream.events("held"))
        self.client.send(*messages)
        return int((await self.stream.event("held", held + 1))["id"])


class StreamTests(DebugCase):
    """Streams."""

    async def test_messages(self) -> None:
        """Messages come as events of HTTP, and each can be seen in full."""
        await self.begin()
        self.client.send(b"x" * 5000)
        shown = await self.stream.event("message")
        self.assertEqual((shown["client"], shown["n"], shown["bytes"]["cut"]), ("ann", 1, True))
        full = await self.get(f"/streams/{self.number}/messages/1")
        self.assertEqual(base64.b64decode(full["bytes"]["base64"])[4:], b"x" * 5000)
        self.assertIn("message 2 is not kept", await self.fails(404, "GET", f"/streams/{self.number}/messages/2"))
        self.assertIn("no stream 'x'", await self.fails(404, "GET", "/streams/x/messages/1"))
        answer = Answered(self.stream.data)
        self.assertEqual(answer.headers["content-type"], "text/event-stream")
        self.assertEqual((answer.headers["cache-control"], answer.headers["x-accel-buffering"]), ("no-store", "no"))
        self.assertNotIn("content-encoding", answer.headers)

    async def test_head(self) -> None:
        """A tool that asks for the head only gets no stream."""
        await self.start()
        answered = await self.ask("HEAD", f"{EDGE}/stream")
        self.assertEqual((answered.status, answered.body), (200, b""))

    async def test_choice(self) -> None:
        """What a stream shows is chosen when it begins, and can be chosen anew."""
        await self.begin()
        other = await self.listen("?text=a&direction=to_server&max_rate=5&client=a*&type=x&paused=true")
        number = (await other.event("hello"))["stream"]
        before = await self.does(f"/streams/{number}", {})
        expected = {"client": "a*", "direction": "to_server", "type": "x", "text": "a", "max_rate": 5, "paused": True}
        self.assertEqual(before, {"stream": number, "repeater": "edge", **expected})
        after = await self.does(f"/streams/{number}", {"type": None, "paused": False})
        self.assertEqual((after["type"], after["paused"], after["text"]), (None, False, "a"))
        self.client.send(b"b", b"a")
        self.assertEqual((await other.event("message"))["summary"], "a")
        self.assertIn("the query is wrong", await self.fails(400, "GET", f"{EDGE}/stream?max_rate=x"))

    async def test_back(self) -> None:
        """A stream comes back by its id, or as browsers do it, by the id of the last event."""
        await self.begin()
        await self.does(f"/streams/{self.number}", {"text": "a"})
        for query, headers in ((f"?stream={self.number}", {}), ("", {"last-event-id": f"{self.number}-7"})):
            self.stream.transport.abortConnection()  # type: ignore[union-attr]
            await self.stream.until(lambda: self.stream.gone)
            await turn(2)
            self.stream = await self.listen(query, **headers)
            await self.stream.event("resync")
            self.assertEqual((await self.stream.event("hello"))["stream"], self.number)
        self.assertEqual((await self.does(f"/streams/{self.number}", {}))["text"], "a")
        stranger = await self.listen("?stream=0123")
        await stranger.event("resync")
        self.assertNotEqual((await stranger.event("hello"))["stream"], "0123")

    async def test_not_read(self) -> None:
        """A client that does not read loses its connection when a megabyte waits, and nobody else notices."""
        await self.begin()
        lazy = socket.socket()
        self.addCleanup(lazy.close)
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", self.port.getHost().port))
        lazy.sendall(f"GET {EDGE}/stream HTTP/1.0\r\n\r\n".encode())
        await self.client_waits(2)
        sent = 0
        while sum(stream.attached for stream in self.debugger._streams.values()) == 2:
            self.debugger.tell("edge", "error", {"error": "x" * 100_000})
            sent += 100_000
            await turn()
        self.assertGreater(sent, MOST_WAITING)
        self.client.send(b"x")
        await self.stream.until(lambda: b"event: message" in self.stream.data[-2000:])

    async def client_waits(self, count: int) -> None:
        """Wait until so many streams are open."""
        while sum(stream.attached for stream in self.debugger._streams.values()) != count:
            await turn()

    async def test_shut_down(self) -> None:
        """A repeater that is shut down has no streams, and no rules."""
        world = await self.begin()
        await world.repeater.shutdown()
        self.time.clock.advance(1)
        await self.stream.until(lambda: self.stream.gone)
        late = await self.listen()
        await late.until(lambda: late.gone)


class RuleTests(DebugCase):
    """Rules."""

    async def test_rules(self) -> None:
        """A rule belongs to a stream, is listed, and can be removed."""
        await self.begin()
        made = await self.does(f"{EDGE}/rules", {"stream": self.number, "text": "a", "timeout": 5})
        expected = {"client": None, "direction": None, "type": None, "every": 1, "max_held": 100}
        counts = {"matched": 0, "held": 0, "full": False}
        self.assertEqual(made, {"id": 1, "stream": self.number, "text": "a", "timeout": 5.0, **expected, **counts})
        self.assertEqual(await self.get(f"{EDGE}/rules"), {"rules": [made]})
        await self.does(f"{EDGE}/rules", {"stream": self.number})
        self.assertEqual((await self.does(f"{EDGE}/rules/2", method="DELETE"))["id"], 2)
        self.assertEqual(await self.does(f"{EDGE}/rules/1", method="DELETE"), made)
        self.assertIn("no rule 1", await self.fails(404, "DELETE", f"{EDGE}/rules/1"))

    async def test_wrong(self) -> None:
        """A rule that cannot be is refused, with what was expected."""
        await self.begin()
        rule = {"stream": self.number}
        for wrong in ({"every": 0}, {"timeout": 0}, {"timeout": 4000}, {"max_held": 1001}, {"way": "x"}, {"client": 5}):
            self.assertIn("the body is wrong", await self.fails(400, "POST", f"{EDGE}/rules", rule | wrong))
        self.assertIn("no stream", await self.fails(404, "POST", f"{EDGE}/rules", {"stream": "x"}))
        self.debugger.stream(self.number).repeater = None  # type: ignore[assignment]
        self.assertIn("is one of the repeater", await self.fails(409, "POST", f"{EDGE}/rules", rule))
        self.debugger.stream(self.number).repeater = self.running.repeater
        self.process.reasons.append("draining")
        self.assertIn("is being drained", await self.fails(409, "POST", f"{EDGE}/rules", rule))
        self.process.reasons.clear()
        self.site.release_held()
        self.assertIn("is being drained", await self.fails(409, "POST", f"{EDGE}/rules", rule))

    async def test_too_many(self) -> None:
        """There may be a hundred rules."""
        await self.begin()
        for _ in range(100):
            self.debugger.of(self.running).rules.add(NewRule(self.number))
        self.assertIn(
            "may have 100 rules at most", await self.fails(409, "POST", f"{EDGE}/rules", {"stream": self.number})
        )


class HeldTests(DebugCase):
    """Held messages."""

    async def test_release(self) -> None:
        """A held message is released; then it is too late for anything else."""
        await self.begin()
        number = await self.hold(b"one", b"two")
        (held,) = (await self.get(f"{EDGE}/held"))["held"]
        self.assertEqual((held["message"]["summary"], held["behind_bytes"]), ("one", 7))
        self.assertEqual((await self.get(f"{EDGE}/held/{number}"))["id"], number)
        self.assertEqual((await self.get(EDGE))["held"], 1)
        self.assertEqual(await self.does(f"{EDGE}/held/{number}/release"), {"id": number, "how": "released"})
        await self.peer.seen.reach(2)
        for call in ("release", "drop"):
            error = await self.fails(409, "POST", f"{EDGE}/held/{number}/{call}")
            self.assertEqual(error, f"message {number} is not held any more: released")
        self.assertEqual(await self.fails(404, "POST", f"{EDGE}/held/99/release"), "no message 99 is held")

    async def test_release_matching(self) -> None:
        """One call releases what matches, or all; not what is newer than what the caller knows of."""
        world = await self.begin()
        path = f"{EDGE}/held/release"
        self.assertEqual(await self.does(path, {}), {"released": 0})
        bob, peer = await world.linked("bob")
        await self.hold(b"one", b"two")
        bob.send(b"one", b"three")
        last = (await self.stream.event("held", 2))["id"]
        for body in ({"client": "x*"}, {"direction": "to_client"}, {"type": "x"}, {"text": "two"}, {"last": 0}):
            self.assertEqual(await self.does(path, body), {"released": 0}, body)
        wanted = {"client": "b*", "direction": "to_server", "text": "ne", "last": last}
        self.assertEqual(await self.does(path, wanted), {"released": 1})
        await peer.seen.reach(1)
        newer = (await self.stream.event("held", 3))["id"]
        self.assertEqual(await self.does(path, {"last": last}), {"released": 1})
        self.assertEqual((await self.stream.event("settled", 2))["how"], "released")
        await self.stream.event("held", 4)
        self.assertEqual([each["id"] for each in (await self.get(f"{EDGE}/held"))["held"]], [newer, newer + 1])
        self.assertEqual(await self.does(path, {}), {"released": 2})
        for each in (peer, self.peer):
            await each.seen.reach(2)
        for wrong in ({"last": -1}, {"clients": "x"}, {"direction": "x"}, None):
            await self.fails(400, "POST", path, wrong)

    async def test_change(self) -> None:
        """A held message is changed, dropped or answered; what cannot be sent leaves it held."""
        await self.begin()
        number = await self.hold(b"one", b"two", b"three", direction="to_server")
        path = f"{EDGE}/held/{number}"
        for call in ("change", "answer"):
            error = await self.fails(422, "POST", f"{path}/{call}", {"message": {"hex": "6"}})
            self.assertIn("hex must be pairs of digits", error)
        await self.does(f"{path}/change", {"message": {"text": "ONE"}})
        number = (await self.stream.event("held", 2))["id"]
        await self.does(f"{EDGE}/held/{number}/answer", {"message": {"base64": "ZWNobw=="}})
        number = (await self.stream.event("held", 3))["id"]
        await self.does(f"{EDGE}/held/{number}/drop")
        await self.does(f"{EDGE}/rules/1", method="DELETE")
        self.client.send(b"four")
        await self.peer.seen.reach(3)
        await self.client.seen.reach(2)
        self.assertEqual((self.peer.seen[-2:], self.client.seen[-1]), ([b"ONE", b"four"], b"echo"))
        how = [settled["how"] for settled in self.stream.events("settled")]
        self.assertEqual(how, ["changed", "answered", "dropped"])

    async def test_session(self) -> None:
        """What belongs to the session of the dialect can only be released."""
        await self.begin()
        number = await self.hold(b"one")
        self.debugger.held.get("edge", number).message.message = Heartbeat()
        error = await self.fails(422, "POST", f"{EDGE}/held/{number}/drop")
        self.assertIn("a Heartbeat belongs to the session of FIX, and cannot be dropped", error)

    async def test_owner(self) -> None:
        """When the stream of a rule is gone for 15 seconds, what it holds is released."""
        await self.begin()
        await self.hold(b"one")
        self.stream.transport.abortConnection()  # type: ignore[union-attr]
        await self.client_is_gone()
        self.time.clock.advance(GRACE)
        await self.peer.seen.reach(2)
        self.assertEqual(await self.get(f"{EDGE}/rules"), {"rules": []})

    async def client_is_gone(self) -> None:
        """Wait until the end of the stream is noticed."""
        while self.debugger.stream(self.number).attached:
            await turn()

    async def test_administration_ends(self) -> None:
        """When the administration stops listening, what is held is released first."""
        await self.begin()
        await self.hold(b"one")
        await self.port.stopListening()
        await self.peer.seen.reach(2)


class RoutesTests(AdminCase):
    """The table of calls."""

    async def test_unknown(self) -> None:
        """A call about a repeater that is not there says which there are."""
        await self.start()
        for method, path in (("GET", "stream"), ("GET", "rules"), ("GET", "held"), ("POST", "held/1/release")):
            self.assertIn("the names are: edge", await self.fails(404, method, f"/repeaters/x/{path}"))
        self.assertIn("the names are: edge", await self.fails(404, "POST", "/repeaters/x/held/release", {}))
