"""HTTP for the administration, on real sockets: which requests are answered, and how much they may cost."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.server import NOT_DONE_YET

from twisted_repeater._sockets.descriptors import RESERVE
from twisted_repeater.service.admin.answers import Answer
from twisted_repeater.service.admin.channel import ANSWER_TIMEOUT, CLOSE_TIMEOUT, MAX_HEAD, MAX_HEADERS, MAX_LINE
from twisted_repeater.service.admin.request import GuardedRequest
from twisted_repeater.service.admin.routes import MAX_BODY, Found, Route, RouteTable
from twisted_repeater.service.admin.site import MAX_CONNECTIONS, REQUEST_TIMEOUT, GuardedSite, host_name

from ...logged import lines_logged
from ...peers import StoppedTime, turn

reactor: Any = installed_reactor

LARGE = 32 << 20
"""More bytes than the system takes for a peer that does not read."""


class Page:
    """What answers one route: a path to read, or a call."""

    def __init__(self, content: bytes = b"") -> None:
        self.made = 0
        self.body = b""
        self.waiting: Any = None
        self._content = content

    def __call__(self, call: Any) -> Any:
        """Answer a request; without content, never."""
        self.made += 1
        self.body = call.request.content.read()
        self.waiting = call.request
        return Answer(self._content) if self._content else NOT_DONE_YET


class Pages:
    """See `Responder`."""

    def __init__(self, **pages: Page) -> None:
        methods = {"call": "POST", "ann": "POST"}
        self.routes = RouteTable(
            Route(methods.get(name, "GET"), f"/{name}".replace("page", ""), "", page, None, frequent=name == "ann")
            for name, page in pages.items()
        )
        self.over = False

    def admit(self, request: GuardedRequest, method: bytes, path: bytes) -> Found:
        """See `Responder`."""
        return self.routes.find(method.decode("latin-1"), path.partition(b"?")[0].decode("ascii", "replace"))

    def respond(self, request: GuardedRequest) -> None:
        """See `Responder`."""
        assert request.found is not None
        answer = request.found.route.handler(SimpleNamespace(request=request))  # type: ignore[arg-type]
        if isinstance(answer, Answer):
            request.answer(answer)

    def use_token(self, token: str | None) -> bool:
        """See `Responder`."""
        before, self.token = getattr(self, "token", None), token
        return token != before

    def release_held(self, repeater: str | None = None) -> None:
        """See `Responder`."""
        self.released = repeater

    def ended(self) -> None:
        """See `Responder`."""
        self.over = True


class Visitor(Protocol):
    """Somebody who connects, with the answers."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self.lost.callback(None)

    @property
    def codes(self) -> list[int]:
        """The status of each answer."""
        return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", self.data)]

    async def answered(self, times: int = 1) -> int:
        """Wait for so many answers; gives the status of the last."""
        while len(self.codes) < times:
            if self.lost.called:
                raise AssertionError(f"closed after {self.data!r}")
            await turn()
        return self.codes[-1]


class SiteCase(TestCase):
    """A site, in whose time nothing passes by itself."""

    def setUp(self) -> None:
        """Let it listen, and record its log."""
        self.time = StoppedTime()
        self.page, self.call, self.never, self.ann = Page(b"page\n"), Page(b"done\n"), Page(), Page(b"closed\n")
        self.pages = Pages(page=self.page, call=self.call, never=self.never, ann=self.ann, large=Page(bytes(LARGE)))
        self.site = GuardedSite(self.pages, ["Edge.example.org"], reactor=self.time)
        self.port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.addCleanup(maybeDeferred, self.port.stopListening)
        self.lines = lines_logged(self, "twisted_repeater.service.admin.site")
        self.visitors: list[Visitor] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self._leave()))

    async def _leave(self) -> None:
        for visitor in self.visitors:
            assert visitor.transport is not None
            visitor.transport.abortConnection()  # type: ignore[attr-defined]
            if not visitor.lost.called:
                await visitor.lost
        while self.site._channels:
            await turn()

    async def connect(self, data: bytes = b"") -> Visitor:
        """Connect, and send this."""
        visitor = Visitor()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        await endpoint.connect(Factory.forProtocol(lambda: visitor))
        self.visitors.append(visitor)
        assert visitor.transport is not None
        visitor.transport.write(data)
        return visitor

    def request(self, line: str = "GET /", *headers: str, host: str | None = "localhost") -> bytes:
        """Write the head of a request."""
        names = [] if host is None else [f"Host: {host}"]
        return "\r\n".join([f"{line} HTTP/1.1", *names, *headers, "", ""]).encode()

    async def status(self, data: bytes, *, closed: bool = False) -> int:
        """Send this; gives the status of the answer, and checks whether the connection is closed."""
        visitor = await self.connect(data)
        code = await visitor.answered()
        if closed:
            await visitor.lost
        else:
            assert visitor.transport is not None
            visitor.transport.write(self.request())
            self.assertEqual(await visitor.answered(2), 200)
        return code


class HeardTests(SiteCase):
    """Who is heard."""

    async def test_own_names(self) -> None:
        """It knows its own names, whatever their case, port and brackets, on every path."""
        for host in (
            "localhost",
            "LocalHost:8090",
            "localhost.",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:8090",
            "[::ffff:127.0.0.1]",
            "edge.example.org",
            "EDGE.example.ORG.:443",
        ):
            self.assertEqual(await self.status(self.request(host=host)), 200, host)
            self.assertEqual(await self.status(self.request("GET /nothing", host=host)), 404, host)

    def test_address(self) -> None:
        """The address that a connection was made to is a name too, in either family; another address is not."""

        class Address:
            def __init__(self, host: str) -> None:
                self.host = host

        for host, address, own in (
            ("192.0.2.7:8090", "192.0.2.7", True),
            ("192.0.2.7", "::ffff:192.0.2.7", True),
            ("[fe80::1]", "fe80::1%eth0", True),
            ("192.0.2.8", "192.0.2.7", False),
        ):
            self.assertEqual(self.site._is_own(host, Address(host=address)), own, host)
        self.assertFalse(self.site._is_own("192.0.2.7", object()))

    async def test_foreign_names(self) -> None:
        """For any other name nothing is read and nothing called: it could be one that a stranger made to lead here."""
        for host in (
            "evil.example",
            "evil.example:8090",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "0.0.0.0",
            "[::]",
            "[::1",
            "localhost:port",
            "user@localhost",
            "localhost/",
            "",
            "\u0142ocalhost",
            "x" * 4000,
        ):
            for line in ("GET /", "HEAD /", "POST /call", "GET /nothing", "OPTIONS /"):
                self.assertEqual(await self.status(self.request(line, host=host), closed=True), 403, (line, host))
        self.assertEqual((self.page.made, self.call.made), (0, 0))

    async def test_no_name(self) -> None:
        """A request has one Host, or is of a time when there was none, which no browser is."""
        self.assertEqual(await self.status(self.request(host=None), closed=True), 400)
        self.assertEqual(await self.status(self.request("GET /", "Host: localhost"), closed=True), 400)
        self.assertEqual(await self.status(b"GET / HTTP/1.0\r\n\r\n", closed=True), 200)
        self.assertEqual(await self.status(b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n", closed=True), 403)
        self.assertEqual(await self.status(b"GET / HTTP/1.0\r\nOrigin: http://x\r\n\r\n", closed=True), 403)

    async def test_pages(self) -> None:
        """A page of the very same origin may ask; one of another host, port or scheme may not, whatever it asks."""
        for host, origin in (
            ("localhost:8090", "http://localhost:8090"),
            ("LOCALHOST", "http://localhost:80"),
            ("edge.example.org", "https://edge.example.org"),
            ("edge.example.org:443", "https://edge.example.org"),
        ):
            self.assertEqual(await self.status(self.request("POST /call", f"Origin: {origin}", host=host)), 200, origin)
        for origin in ("http://localhost:8091", "http://localhost", "https://evil.example", "null", "", "file://x"):
            for line in ("GET /", "POST /call", "POST /nothing"):
                request = self.request(line, f"Origin: {origin}", host="localhost:8090")
                self.assertEqual(await self.status(request, closed=True), 403, origin)

    async def test_fetch(self) -> None:
        """What browsers say of where a request comes from is heeded."""
        for site, code in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("", 403)):
            request = self.request("GET /", f"Sec-Fetch-Site: {site}")
            self.assertEqual(await self.status(request, closed=code == 403), code, site)

    def test_names(self) -> None:
        """Names are compared without regard to case, brackets and the dot at the end."""
        for name in ("Edge.Example.", "edge.example"):
            self.assertEqual(host_name(name), "edge.example")
        self.assertEqual(host_name("[FE80::1]"), "fe80::1")


class BodyTests(SiteCase):
    """Bodies; no call needs one."""

    async def test_not_read(self) -> None:
        """Whatever is refused, or not there, is answered before its body has come, and the connection closed."""
        length = "Content-Length: 100"
        for code, request in (
            (413, self.request("POST /call", f"Content-Length: {MAX_BODY + 1}")),
            (413, self.request("POST /call", f"Content-Length: {1 << 70}")),
            (411, self.request("POST /call", "Transfer-Encoding: chunked")),
            (403, self.request("POST /call", length, host="evil.example")),
            (403, self.request("POST /call", length, "Origin: http://evil.example")),
            (404, self.request("POST /nothing", length)),
            (404, self.request("POST /call/%FF", length)),
            (405, self.request("PUT /call", length)),
            (405, self.request("POST /?call", length)),
            (400, self.request("POST *", length)),
            (403, self.request("POST /call", length, "Expect: 100-continue", host="evil.example")),
        ):
            self.assertEqual(await self.status(request, closed=True), code, request)
        self.assertEqual(self.call.made, 0)

    async def test_flood(self) -> None:
        """A body that comes all the same is neither kept nor parsed."""
        form = self.request("POST /call", f"Content-Length: {24 << 20}", "Content-Type: multipart/form-data")
        visitor = await self.connect(form + b"a=b&" * (1 << 18))
        await visitor.lost
        self.assertEqual((self.call.made, visitor.codes[:1] in ([413], [])), (0, True))

    async def test_read(self) -> None:
        """A body of JSON is read up to the limit, kept in memory, and given to the call as it came."""
        for kind in ("application/json", "Application/JSON; charset=utf-8"):
            headers = (f"Content-Length: {MAX_BODY}", f"Content-Type: {kind}", "Expect: 100-continue")
            visitor = await self.connect(self.request("POST /call", *headers))
            self.assertEqual(await visitor.answered(), 100)
            assert visitor.transport is not None
            visitor.transport.write(b"a=b&" * (MAX_BODY // 4))
            self.assertEqual(await visitor.answered(2), 200)
            self.assertEqual(self.call.body, b"a=b&" * (MAX_BODY // 4))
        self.assertEqual(await self.status(self.request("POST /call", "Content-Length: 0")), 200)

    async def test_other_types(self) -> None:
        """A body of any other type is refused before it comes: a page of another site could send most of them."""
        kinds = (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/jsonp",
            "",
        )
        for kind in kinds:
            request = self.request("POST /call", "Content-Length: 9", f"Content-Type: {kind}")
            self.assertEqual(await self.status(request, closed=True), 415, kind)
        two = self.request("POST /call", "Content-Length: 9", *["Content-Type: application/json"] * 2)
        for request in (two, self.request("POST /call", "Content-Length: 9")):
            self.assertEqual(await self.status(request, closed=True), 415)
        self.assertEqual(self.call.made, 0)

    async def test_wrong_lengths(self) -> None:
        """A length that is not a number, or two lengths, are refused."""
        for headers in (
            ["Content-Length: -1"],
            ["Content-Length: 1", "Content-Length: 2"],
            ["Content-Length: 1", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: gzip"],
            ["Content-Length: " + "9" * 5000],
            ["Content-Length: " + "9" * 4000, " " + "9" * 4000],
        ):
            code = await self.status(self.request("POST /call", *headers), closed=True)
            self.assertIn(code, (400, 413), headers)
        self.assertEqual(self.call.made, 0)


class HeadTests(SiteCase):
    """Heads of requests."""

    async def test_too_much(self) -> None:
        """A head that is too large in any way is refused, and the bytes after it are not kept."""
        line = "X: " + "x" * (MAX_LINE // 2)
        for code, request in (
            (431, b"x" * (MAX_LINE + 2)),
            (431, b"GET /" + b"x" * MAX_LINE + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (431, self.request("GET /", "X: " + "x" * MAX_LINE)),
            (400, self.request("GET /", *[line] * (MAX_HEAD // len(line) + 1))),
            (400, self.request("GET /", *["X: y"] * MAX_HEADERS)),
            (400, self.request("GET /", "X: y", *[" more"] * (MAX_HEAD // 5 + 1))),
        ):
            self.assertEqual(await self.status(request, closed=True), code, request[:100])
        self.assertEqual(self.page.made, 0)

    async def test_odd_requests(self) -> None:
        """Requests that make no sense are answered with the reason, and never with a failure."""
        for code, request in (
            (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
            (400, b"GET\r\n\r\n"),
            (400, b"GET / HTTP/2.0\r\n\r\n"),
            (400, b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (400, self.request("GET /", "no header")),
            (400, self.request("GET *")),
            (400, self.request("OPTIONS *")),
            (400, self.request("GET http://localhost/")),
            (400, self.request("CONNECT localhost:80")),
        ):
            self.assertEqual(await self.status(request, closed=True), code, request)
        for code, line in (
            (404, "GET /%FF%00%0A"),
            (404, "GET //"),
            (404, "GET /../call/.."),
            (404, "GET /" + "/" * 5000),
            (200, "GET /?" + "a=b&" * 1000),
            (200, "GET /?%FF=%"),
            (200, "HEAD /"),
            (405, "OPTIONS /"),
            (405, "TRACE /"),
            (405, "get /"),
            (405, "!#$ /"),
        ):
            self.assertEqual(await self.status(self.request(line, "Cookie: =;;\xff", "Accept: \xff")), code, line)

    async def test_reasons(self) -> None:
        """Whatever is wrong, the answer says why, as JSON that no browser takes for anything else."""
        for request in (
            b"x" * (MAX_LINE + 2),
            b"GET / HTTP/2.0\r\n\r\n",
            self.request("GET /", *["X: y"] * MAX_HEADERS),
            self.request("GET /nothing"),
            self.request("POST /call", "Content-Length: 5"),
            self.request(host="evil.example"),
        ):
            visitor = await self.connect(request + b"" if b"HTTP" in request else request)
            await visitor.answered()
            while not visitor.data.endswith(b"}\n"):
                await turn()
            head, _, body = visitor.data.partition(b"\r\n\r\n")
            self.assertEqual(list(json.loads(body)), ["error"], request[:100])
            for header in (
                "content-type: application/json",
                "x-content-type-options: nosniff",
                "cache-control: no-store",
            ):
                self.assertIn(header, head.decode().lower().splitlines(), request[:100])
            self.assertIn(b"content-security-policy: default-src 'none'", head.lower())

    async def test_many_in_one(self) -> None:
        """Of requests that come in one go the first is answered and the connection closed: they are not worked off."""
        for number, request in enumerate(
            (self.request(), self.request("POST /call", "Content-Length: 1", "Content-Type: application/json") + b"x")
        ):
            visitor = await self.connect(request * 1000)
            await visitor.lost
            self.assertIn(visitor.codes, ([200], []), number)  # the system may drop it with the unread bytes
        self.assertEqual((self.page.made, self.call.made), (1, 1))

    async def test_while_answering(self) -> None:
        """Bytes that come while a request is answered are not read without end; at most one more is answered."""
        visitor = await self.connect(self.request("GET /never"))
        while not self.never.made:
            await turn()
        assert visitor.transport is not None
        visitor.transport.write(self.request() * 100_000)
        await turn(20)
        self.never.waiting.write(b"at last")
        self.never.waiting.finish()
        await visitor.lost
        self.assertLessEqual(self.page.made, 1)


class TimeTests(SiteCase):
    """How long anybody is waited for."""

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and the reactor go round."""
        self.time.clock.advance(seconds)
        await turn(3)

    async def test_slow_request(self) -> None:
        """A request that comes byte by byte must be complete in time, and so must one that never begins."""
        slow, silent = await self.connect(), await self.connect()
        await turn(3)
        for byte in self.request("GET /", "X: y" * 10)[: int(REQUEST_TIMEOUT) - 1]:
            assert slow.transport is not None
            slow.transport.write(bytes([byte]))
            await self.pass_time(1)
        self.assertFalse(slow.lost.called or silent.lost.called)
        await self.pass_time(1)
        await slow.lost
        await silent.lost
        self.assertEqual(self.page.made, 0)

    async def test_slow_body(self) -> None:
        """So must its body."""
        slow = await self.connect(self.request("POST /call", "Content-Length: 100", "Content-Type: application/json"))
        await turn(3)
        for _ in range(int(REQUEST_TIMEOUT)):
            assert slow.transport is not None
            slow.transport.write(b"x")
            await self.pass_time(1)
        await slow.lost
        self.assertEqual(self.call.made, 0)

    async def test_idle(self) -> None:
        """A connection may be used again, until nothing has been asked for as long."""
        visitor = await self.connect()
        assert visitor.transport is not None
        for number in range(3):
            visitor.transport.write(self.request())
            await visitor.answered(number + 1)
            await self.pass_time(REQUEST_TIMEOUT - 1)
        await self.pass_time(1)
        await visitor.lost

    async def test_answer_not_taken(self) -> None:
        """Who does not take the answer is cut off in the end, be the connection to stay open or not."""
        for line in (self.request("GET /large"), self.request("GET /large", "Connection: close")):
            visitor = await self.connect(line)
            assert visitor.transport is not None
            visitor.transport.pauseProducing()  # type: ignore[attr-defined]
            while not self.site._channels or next(iter(self.site._channels)).requests:
                await turn()
            await turn(3)
            await self.pass_time(ANSWER_TIMEOUT)
            await self.pass_time(CLOSE_TIMEOUT)
            while self.site._channels:
                await turn()
            visitor.transport.resumeProducing()  # type: ignore[attr-defined]
            await visitor.lost
            self.assertLess(len(visitor.data), LARGE)

    async def test_closing(self) -> None:
        """What still comes on a connection that is being closed, as by TLS, is dropped, and its end not waited for."""
        visitor = await self.connect()
        while not self.site._channels:
            await turn()
        (channel,) = self.site._channels
        transport = channel.transport
        channel.transport = StringTransport()
        channel.transport.disconnecting = True
        channel.dataReceived(self.request())
        self.assertEqual((channel.transport.value(), self.page.made), (b"", 0))
        channel.transport = transport
        visitor.transport.loseConnection()  # type: ignore[union-attr]
        await visitor.lost

    async def test_answer_that_does_not_come(self) -> None:
        """A page that is never done is given up."""
        visitor = await self.connect(self.request("GET /never"))
        while not self.never.made:
            await turn()
        await self.pass_time(ANSWER_TIMEOUT - 1)
        self.assertFalse(visitor.lost.called)
        await self.pass_time(1)
        await visitor.lost


class ConnectionTests(SiteCase):
    """Many connections."""

    def test_leaves_descriptors(self) -> None:
        """All connections at once leave half of the file descriptors that are kept for everything but links."""
        self.assertLessEqual(MAX_CONNECTIONS, RESERVE // 2)

    async def test_room(self) -> None:
        """One too many takes the place of the one that has been of no use for longest."""
        visitors = [await self.connect() for _ in range(MAX_CONNECTIONS)]
        assert visitors[0].transport is not None
        visitors[0].transport.write(self.request())
        await visitors[0].answered()
        last = await self.connect(self.request())
        self.assertEqual(await last.answered(), 200)
        await visitors[1].lost
        self.assertEqual([visitor.lost.called for visitor in (visitors[0], visitors[2], last)], [False] * 3)

    async def test_full(self) -> None:
        """Where all are being answered, one more is closed."""
        for number in range(MAX_CONNECTIONS):
            await self.connect(self.request("GET /never"))
            while self.never.made <= number:
                await turn()
        await (await self.connect(self.request())).lost
        self.assertEqual(self.page.made, 0)


class StreamTests(SiteCase):
    """Connections that stay open."""

    async def stream(self) -> tuple[Visitor, Any]:
        """Begin a stream; return the visitor and the request."""
        visitor = await self.connect(self.request("GET /never"))
        made = self.never.made
        while self.never.made == made:
            await turn()
        request = self.never.waiting
        request.begin(content_type="text/event-stream")
        request.become_stream()
        return visitor, request

    async def test_stays(self) -> None:
        """A stream has no deadline, and leaves its place among the connections to others."""
        visitor, request = await self.stream()
        await self.fill()
        self.time.clock.advance(10 * ANSWER_TIMEOUT)
        request.write(b"data: 1\n\n")
        while b"data: 1" not in visitor.data:
            await turn()
        self.assertIn(b"content-type: text/event-stream", visitor.data.lower())
        self.assertFalse(visitor.lost.called)
        request.finish()
        await visitor.lost

    async def fill(self) -> None:
        """Fill all places for connections, and one more."""
        for _ in range(MAX_CONNECTIONS + 1):
            visitor = await self.connect(self.request())
            self.assertEqual(await visitor.answered(), 200)

    async def test_end(self) -> None:
        """When nobody listens any longer, all connections end, and the parts are told."""
        stream, _ = await self.stream()
        other = await self.connect(self.request())
        await other.answered()
        self.assertFalse(self.pages.over)
        await maybeDeferred(self.port.stopListening)
        await stream.lost
        await other.lost
        self.assertTrue(self.pages.over)

    async def test_configure(self) -> None:
        """Names and token can be changed, and held messages released, while it runs."""
        self.site.configure(hosts=["other.example.org"], token="secret")
        self.assertEqual(await self.status(self.request(host="edge.example.org"), closed=True), 403)
        visitor = await self.connect(self.request(host="other.example.org"))
        self.assertEqual(await visitor.answered(), 200)
        self.site.release_held("edge")
        self.assertEqual((self.pages.token, self.pages.released), ("secret", "edge"))

    async def test_other_token(self) -> None:
        """Another token cuts off streams and long answers that have begun; the same one, and other names, do not."""
        stream, _ = await self.stream()
        visitor = await self.connect(self.request("GET /never"))
        while self.never.made < 2:
            await turn()
        self.never.waiting.begin_long()
        other = await self.connect(self.request())
        await other.answered()
        self.site.configure(hosts=["other.example.org"], token=None)
        await turn(3)
        self.assertFalse(stream.lost.called or visitor.lost.called)
        self.site.configure(hosts=(), token="secret")
        await stream.lost
        await visitor.lost
        await turn(3)
        self.assertFalse(other.lost.called)

    async def test_long(self) -> None:
        """A long answer that is complete is not cut off: its connection may be used again."""
        visitor = await self.connect(self.request("GET /never"))
        while not self.never.made:
            await turn()
        self.never.waiting.begin_long()
        self.never.waiting.finish()
        await visitor.answered()
        self.site.configure(hosts=(), token="secret")
        await turn(3)
        self.assertFalse(visitor.lost.called)


class LogTests(SiteCase):
    """The log."""

    async def test_limited(self) -> None:
        """Refusals, and calls that are not there, are logged once a second, with how many were left out."""
        for _ in range(3):
            await self.status(self.request(host="evil.example"), closed=True)
            await self.status(self.request("POST /nothing"))
        self.time.clock.advance(1)
        await self.status(self.request(host="evil.example"), closed=True)
        refused = (
            "administration: GET /: 403, Host 'evil.example' is not a name of this administration; see --admin-host"
        )
        self.assertEqual(
            self.lines,
            [
                refused,
                "administration: POST /nothing: 404, nothing is here; /openapi.json describes all paths",
                f"{refused} (and 2 more since the last such line)",
            ],
        )

    async def test_calls(self) -> None:
        """A call that was made is logged, the same one once a second; one that ends something is logged each time."""
        for line in ("GET /", "POST /call", "POST /call", "POST /ann", "POST /ann"):
            await self.status(self.request(line))
        ann = "administration: POST /ann: 200"
        self.assertEqual(self.lines, ["administration: POST /call: 200", ann, ann])

    async def test_strangers(self) -> None:
        """A text that a stranger chose stays on its line and is cut, in the log and in the answer."""
        visitor = await self.connect(self.request("GET /" + "x" * 5000, host="evil\x1b[2J\u2028" + "y" * 2000))
        await visitor.lost
        self.assertNotIn(b"\x1b", visitor.data)
        (line,) = self.lines
        self.assertLess(max(len(line), len(visitor.data)), 1000)
        self.assertIn(r"evil\x1b[2J\u2028yyy", line)
