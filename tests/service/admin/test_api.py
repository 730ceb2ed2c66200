"""The administration of a running repeater, over HTTP on real sockets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import LogEvent, capturedLogs, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest
from zope.interface.verify import verifyObject

from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import WrongVerdict
from twisted_repeater.observers.metrics import MetricsObserver
from twisted_repeater.service.admin import administration
from twisted_repeater.service.admin import api as admin
from twisted_repeater.service.admin.api import HELP
from twisted_repeater.service.recording import ServiceRecording

from ...modules import missing
from ...paths import DOCS
from ...peers import PeerCase, Server, World, turn

reactor: Any = installed_reactor


class _Exchange(Protocol):
    """A request, and all that comes back until the connection is closed."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._data = b""
        self.received: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """Something came back."""
        self._data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That is all."""
        self.received.callback(self._data)


class AdminCase(PeerCase):
    """A repeater with an administration."""

    async def start(self, *, hosts: Sequence[str] = (), record: str = "", **settings: Any) -> World:
        """Start both, and perhaps something that records into a file."""
        self.metrics = MetricsObserver()
        self.reloading: list[str | None] = []
        world = await self.world(observers=[self.metrics], **settings)
        recording = ServiceRecording({"path": record}, self.metrics, reactor) if record else None
        site = administration(
            world.repeater,
            reload=lambda: self.reloading.pop(),
            metrics=self.metrics,
            recording=recording,
            hosts=hosts,
        )
        self.port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(maybeDeferred, self.port.stopListening)
        return world

    async def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        """Make a request; gives the status and the text."""
        lines = [f"{method} {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        exchange = _Exchange("\r\n".join(lines).encode())
        await TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.getHost().port).connect(
            Factory.forProtocol(lambda: exchange)
        )
        head, _, text = (await exchange.received).decode().partition("\r\n\r\n")
        status, *others = head.splitlines()
        self.content_type = dict(line.lower().split(": ", 1) for line in others).get("content-type", "")
        await turn(2)  # the server notices that the connection is closed
        return int(status.split()[1]), text

    async def links(self) -> dict[str, Any]:
        """Return the links by their client's name."""
        status, text = await self.ask("GET", "/links")
        self.assertEqual((status, self.content_type), (200, "application/json"))
        return {link["client"]: link for link in json.loads(text)["links"]}


class ReadingTests(AdminCase):
    """Pages to read."""

    async def test_help(self) -> None:
        """The first page tells of every other one."""
        await self.start()
        status, text = await self.ask("GET", "/")
        self.assertEqual((status, self.content_type), (200, "text/plain; charset=utf-8"))
        for path in (
            "/links",
            "/metrics",
            "/clients/NAME/close",
            "/drop-new-clients",
            "/accept-new-clients",
            "/reload",
            "/recording",
            "/recording/stop",
            "/recording/start",
        ):
            self.assertIn(f" {path} ", text)

    def test_page(self) -> None:
        """The page that tells how to run it has every request too."""
        page = (DOCS / "running.md").read_text()
        told = re.findall(r"^\| `((?:GET|POST) \S+)` \|", page, re.M)
        self.assertEqual(told, [" ".join(line.split()[:2]) for line in HELP.decode().splitlines()])

    async def test_links(self) -> None:
        """Each link is there with its ends, and what went each way."""
        world = await self.start()
        client, peer = await world.linked("ann")
        client.send(b"one", b"two")
        await peer.seen.reach(3)
        here, there = client.transport.getHost(), world.server_port.getHost()
        self.assertEqual(
            await self.links(),
            {
                "ann": {
                    "id": 1,
                    "client": "ann",
                    "client_address": f"127.0.0.1:{here.port}",
                    "server": "quotes",
                    "server_address": f"127.0.0.1:{there.port}",
                    "state": "active",
                    "to_server": {"messages": 2, "bytes": 14, "waiting_bytes": 0, "stopped": False},
                    "to_client": {"messages": 0, "bytes": 0, "waiting_bytes": 0, "stopped": False},
                }
            },
        )

    async def test_many_links(self) -> None:
        """They are written some at a time, each in a line of its own, with none that is over by then."""
        self.patch(admin, "LINKS_AT_ONCE", 2)
        world = await self.start()
        self.assertEqual(await self.links(), {})
        names = ["ann", "bob", "cleo", "dan", "eve"]
        for name in names:
            await world.linked(name)
        self.assertEqual(list(await self.links()), names)
        status, text = await self.ask("GET", "/links")
        self.assertEqual([json.loads(line.rstrip(","))["client"] for line in text.splitlines()[1:-1]], names)
        world.repeater.drop_new_clients()
        status, text = await self.ask("GET", "/links")
        self.assertIs(json.loads(text)["drops_new_clients"], True)
        status, text = await self.ask("HEAD", "/links")
        self.assertEqual((status, text, self.content_type), (200, "", "application/json"))

    async def test_pieces(self) -> None:
        """Others have their turn after each piece, and nothing more is looked at when whoever asked is gone."""
        self.patch(admin, "LINKS_AT_ONCE", 2)
        world = await self.start()
        for name in ("ann", "bob", "cleo", "dan", "eve"):
            await world.linked(name)
        described: list[str] = []
        describe = admin._link

        def note(link: Any) -> dict[str, object]:
            described.append(link.client_name)
            return describe(link)

        self.patch(admin, "_link", note)
        written: list[bytes] = []
        request = SimpleNamespace(write=written.append)
        pieces: Any = admin._Pieces(request, admin._links(world.repeater))  # type: ignore[arg-type]
        verifyObject(IPullProducer, pieces)
        pieces.resumeProducing()
        self.assertEqual((described, len(written)), (["ann", "bob"], 1))
        link = world.repeater.link("cleo")
        assert link is not None
        pair_of(link).force()
        await pair_of(link).when_over()
        pieces.resumeProducing()
        self.assertEqual((described, len(written)), (["ann", "bob", "dan", "eve"], 2))
        request.unregisterProducer = lambda: written.append(b"unregistered")
        request.finish = lambda: written.append(b"finished")
        pieces.stopProducing()
        pieces.resumeProducing()
        self.assertEqual(written[2:], [b"unregistered", b"finished"])

    async def test_states(self) -> None:
        """A link that has lost a side, finishes, or closes is told apart."""
        verdict: Deferred[Any] = Deferred()
        world = await self.start(
            on_error=lambda link, side, error: link.finish() if link.client_name == "bob" else None,
            to_server_filter=lambda message, link: verdict,
            server=Server(half_close=True),
        )
        for name in ("ann", "bob", "eve"):
            await world.linked(name, half_close=True)
        ann, bob, eve = world.clients
        ann.end_stream()
        bob.end_stream()
        eve.send(b"one")
        await world.calls.until(lambda: len(world.errors) == 2)
        world.repeater.close_connection_from_client("eve")
        links = await self.links()
        states = {name: link["state"] for name, link in links.items()}
        self.assertEqual(states, {"ann": "half gone", "bob": "finishing", "eve": "closing"})
        verdict.cancel()
        self.flushLoggedErrors()

    async def test_stopped(self) -> None:
        """A link that the application lets stand when a filter has failed says so, and in which direction."""
        world = await self.start(to_server_filter=lambda message, link: None, on_error=lambda *arguments: None)
        client, _ = await world.linked("ann")
        client.send(b"one")
        await world.calls.until(lambda: world.errors)
        self.flushLoggedErrors(WrongVerdict)
        ann = (await self.links())["ann"]
        stopped = (ann["to_server"]["stopped"], ann["to_client"]["stopped"])
        self.assertEqual((ann["state"], stopped), ("stopped", (True, False)))

    async def test_metrics(self) -> None:
        """The metrics are there in the format that Prometheus reads."""
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            raise SkipTest("prometheus_client is missing") from None
        world = await self.start()
        await world.linked("ann")
        status, text = await self.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(self.content_type.startswith("text/plain; version=0.0.4"))
        self.assertIn("\ntwisted_repeater_links 1.0\n", text)

    async def test_odd_accept(self) -> None:
        """Whatever a client accepts, or says that it accepts, it gets metrics in a format that there is."""
        await self.start()
        for accept in ("\xff", "\u0142", ";;,=", "text/plain; version=x", "application/openmetrics-text; version=1,2"):
            self.assertEqual((await self.ask("GET", "/metrics", accept=accept))[0], 200, accept)

    async def test_no_metrics(self) -> None:
        """Without the library the answer says how to install it."""
        await self.start()
        missing(self, "prometheus_client")
        status, text = await self.ask("GET", "/metrics")
        self.assertEqual(status, 501)
        self.assertIn("pip install 'twisted_repeater[metrics]'", text)

    async def test_nothing_there(self) -> None:
        """Other paths are not found, and each path has one method only."""
        await self.start()
        for path in ("/nothing", "/links/more", "/clients", "/clients/ann", "/clients/ann/open", "/reload/now"):
            self.assertEqual(await self.ask("GET", path), (404, "nothing is here; / lists the paths\n"))
        self.assertEqual(await self.ask("GET", "/drop-new-clients"), (405, "only POST is allowed here\n"))
        self.assertEqual(await self.ask("POST", "/links"), (405, "only GET is allowed here\n"))
        with capturedLogs() as captured:
            self.assertEqual(await self.ask("HEAD", "/links"), (200, ""))
        self.assertEqual([event for event in captured if "body" in formatEvent(event)], [])


class CallTests(AdminCase):
    """Calls."""

    async def test_close(self) -> None:
        """A client's link is closed; others stay."""
        world = await self.start()
        ann, _ = await world.linked("ann")
        bob, peer = await world.linked("bob")
        self.assertEqual(await self.ask("POST", "/clients/ann/close"), (200, "the link of client 'ann' is closed\n"))
        await ann.lost()
        await world.still_relays(bob, peer)

    async def test_faults(self) -> None:
        """Faults are set, listed and removed."""
        world = await self.start()
        status, _ = await self.ask("POST", "/faults/slow?fault=latency:seconds=0.1")
        self.assertEqual((status, [active.name for active in world.repeater.faults]), (200, ["slow"]))
        self.assertIn('"slow"', (await self.ask("GET", "/faults"))[1])
        self.assertEqual((await self.ask("POST", "/faults/slow/remove"))[0], 200)
        self.assertEqual(list(world.repeater.faults), [])

    async def test_close_nobody(self) -> None:
        """For a client that is not linked that is told."""
        await self.start()
        self.assertEqual(await self.ask("POST", "/clients/ann/close"), (404, "no client 'ann' is linked\n"))

    async def test_names(self) -> None:
        """Names of any characters can be given, percent-encoded."""
        world = await self.start()
        for name in ("a/b c", "zażółć", "50%\n", ".."):
            client, _ = await world.linked(name)
            status, text = await self.ask("POST", f"/clients/{quote(name, safe='').replace('.', '%2E')}/close")
            self.assertEqual((status, text), (200, f"the link of client {name!a} is closed\n"))
            await client.lost()

    async def test_drop_and_accept(self) -> None:
        """Newcomers are refused, and accepted again; the links tell which."""
        world = await self.start()
        self.assertEqual((await self.ask("POST", "/drop-new-clients"))[0], 200)
        self.assertIn('"drops_new_clients": true', (await self.ask("GET", "/links"))[1])
        await (await world.connect()).lost()
        self.assertEqual((await self.ask("POST", "/accept-new-clients"))[0], 200)
        self.assertIn('"drops_new_clients": false', (await self.ask("GET", "/links"))[1])
        await world.linked("ann")

    async def test_reload(self) -> None:
        """The filters are reloaded; if they cannot be, it says why."""
        await self.start()
        self.reloading = ["no\nway", None]
        self.assertEqual(await self.ask("POST", "/reload"), (200, "done; see the log\n"))
        self.assertEqual(await self.ask("POST", "/reload"), (409, "no\\nway\n"))

    async def test_recording(self) -> None:
        """The recording can be begun and ended, and shows how it goes."""
        path = self.mktemp()
        await self.start(record=path)
        self.assertEqual(await self.ask("GET", "/recording"), (200, '{"runs": false}\n'))
        self.assertEqual(await self.ask("POST", "/recording/start"), (200, "the traffic is recorded\n"))
        status, text = await self.ask("GET", "/recording")
        self.assertEqual((status, self.content_type, json.loads(text)["runs"]), (200, "application/json", True))
        recording: Any = self.metrics.recording
        self.assertEqual(await self.ask("POST", "/recording/stop"), (200, "the recording ends\n"))
        await recording.stop()
        os.remove(path)
        os.mkdir(path)
        status, text = await self.ask("POST", "/recording/start")
        self.assertEqual(status, 409)
        self.assertIn("must be a file, not a directory", text)

    async def test_no_recording(self) -> None:
        """Without --record there is nothing to begin."""
        await self.start()
        status, text = await self.ask("GET", "/recording")
        self.assertEqual((status, text), (404, "there is no recording; the option --record begins one\n"))
        self.assertEqual((await self.ask("POST", "/recording/start"))[0], 404)

    async def test_web_pages(self) -> None:
        """A web page in an operator's browser cannot make a call: browsers say where such a call comes from."""
        world = await self.start()
        for origin in ("https://example.org", "null"):
            for headers in ({"origin": origin}, {"origin": origin, "host": "localhost"}):
                self.assertEqual((await self.ask("POST", "/drop-new-clients", **headers))[0], 403)
        self.assertFalse(world.repeater.drops_new_clients)

    async def test_stranger_that_leads_here(self) -> None:
        """A name of a stranger that leads to this address opens nothing; one that the site was given does."""
        world = await self.start(hosts=["edge.example.org"])
        await world.linked("ann")
        for path in ("/", "/links", "/metrics", "/nothing"):
            status, text = await self.ask("GET", path, host="evil.example")
            self.assertEqual((status, "ann" in text), (403, False))
        self.assertEqual((await self.ask("POST", "/clients/ann/close", host="evil.example"))[0], 403)
        self.assertEqual((await self.ask("GET", "/links", host="edge.example.org:8090"))[0], 200)
        self.assertEqual(world.repeater.active_clients(), ["ann"])

    async def test_body_for_nobody(self) -> None:
        """A call to a missing path is answered before its body has come."""
        await self.start()
        for path in ("/nothing", "/clients/ann", "/clients/%FF/close/now", "/links"):
            self.assertIn((await self.ask("POST", path, **{"content-length": "1000"}))[0], (404, 405))

    async def test_log(self) -> None:
        """Calls are logged, on one line; reading is not."""
        lines = []

        def record(event: LogEvent) -> None:
            if event["log_namespace"] == "twisted_repeater.service.admin.site":
                lines.append(formatEvent(event))

        observer: Any = record
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        await self.start()
        await self.ask("GET", "/links")
        await self.ask("POST", "/drop-new-clients")
        await self.ask("POST", "/clients/a%0Ab/close")
        calls = ["administration: POST /drop-new-clients: 200", "administration: POST /clients/a%0Ab/close: 404"]
        self.assertEqual(lines, calls)
