"""How calls are checked, made and answered, and how they fail."""

from __future__ import annotations

import sys
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._sockets.descriptors import RESERVE
from twisted_repeater.service.admin import administration, api
from twisted_repeater.service.admin.answers import ApiError
from twisted_repeater.service.admin.api import ROUTES
from twisted_repeater.service.admin.routes import MAX_BODY, Context, Found, Route
from twisted_repeater.service.admin.site import GuardedSite

from ...modules import missing
from .administered import Process
from .asking import AdminCase

FAULT = "/repeaters/edge/faults/slow"
TOKEN = "0123456789abcdef"


class CheckTests(AdminCase):
    """What is sent."""

    async def test_wrong_bodies(self) -> None:
        """A body that is not as described is refused with what is wrong about it, however odd or deep it is."""
        await self.start()
        for body, reason in (
            (b"", "truncated"),
            (b"{", "truncated"),
            (b"nonsense", "malformed"),
            (b'"text"', "Expected"),
            (b"[]", "Expected"),
            (b"{}", "missing required field 'fault'"),
            (b'{"fault": 7}', "Expected 'str', got 'int' in 'fault'"),
            (b'{"fault": "drop", "last": 1}', "unknown field 'last'"),
            (b'{"fault": "drop", "lasts": "1"}', "in 'lasts'"),
            (b'{"fault": "drop", "lasts": -1}', "in 'lasts'"),
            (b'{"fault": "drop", "lasts": 1e999}', "out of range"),
            (b'{"fault": "drop", "lasts": NaN}', "malformed"),
            (b'{"fault": "drop", "lasts": ' + b"9" * 60_000 + b"}", "in 'lasts'"),
            (b'{"fault": "' + b"x" * 2000 + b'"}', "length <= 1024"),
            (b'{"fault": "\xff"}', "utf-8"),
            (b"[" * 60_000, "Expected"),
            (b'{"other": ' + b"[" * 60_000, "wrong"),
            (b'{"fault": "drop"} {}', "trailing"),
        ):
            error = await self.fails(400, "PUT", FAULT, body)
            self.assertIn("the body is wrong: ", error)
            self.assertIn(reason, error, body[:50])
            self.assertLess(len(error), 300)
        self.assertEqual(len(list(self.running.repeater.faults)), 0)

    async def test_too_large(self) -> None:
        """A body above the limit of its call is refused before it comes."""
        await self.start()
        headers = {"content-length": str(1 << 20), "content-type": "application/json"}
        self.assertIn("at most 65536 bytes", await self.fails(413, "PUT", FAULT, **headers))

    async def test_needless_bodies(self) -> None:
        """A call that needs no body accepts an empty object, as some tools send one, and nothing else."""
        await self.start()
        path = "/repeaters/edge/accept-new-clients"
        self.assertEqual((await self.ask("POST", path, {})).status, 200)
        self.assertIn("unknown field 'now'", await self.fails(400, "POST", path, {"now": True}))

    async def test_queries(self) -> None:
        """A query that a call does not know, a doubled one, and a very long one are refused."""
        await self.start()
        self.assertIn("unknown field 'x'", await self.fails(400, "GET", "/healthz?x=1"))
        for query in ("limit=1&limit=2", "&".join(f"x{number}=1" for number in range(50))):
            self.assertIn("the query is wrong: ", await self.fails(400, "GET", f"/repeaters/edge/links?{query}"))
        self.assertEqual((await self.ask("GET", "/healthz?")).status, 200)

    async def test_paths(self) -> None:
        """A path that is not there is not found; one that is there has its methods only, and says which."""
        await self.start()
        for path in (
            "/nothing",
            "/repeaters/",
            "/repeaters/edge/links/x",
            "/repeaters/edge/links/1/",
            "/%FF",
            "/a/b/c/d/e/f",
        ):
            self.assertEqual(await self.fails(404, "GET", path), "nothing is here; /openapi.json describes all paths")
        answered = await self.ask("POST", "/healthz")
        self.assertEqual((answered.status, answered.headers["allow"]), (405, "GET, HEAD"))
        answered = await self.ask("PATCH", FAULT)
        self.assertEqual((answered.status, answered.error), (405, "the method must be DELETE, PUT"))


class AnswerTests(AdminCase):
    """What is answered."""

    async def test_failure(self) -> None:
        """A call that fails unexpectedly is answered, and logged; the next one works."""
        await self.start()

        def unready() -> list[str]:
            raise ZeroDivisionError("oops")

        self.process.unready = unready  # type: ignore[method-assign]
        self.assertIn("see the log", await self.fails(500, "GET", "/readyz"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((await self.ask("GET", "/healthz")).json, {"healthy": True})

    async def test_head(self) -> None:
        """HEAD is answered as GET is, without a body."""
        await self.start()
        answered = await self.ask("HEAD", "/repeaters")
        self.assertEqual((answered.status, answered.body), (200, b""))
        self.assertGreater(int(answered.headers["content-length"]), 100)

    async def test_in_pieces(self) -> None:
        """A call may answer by itself, piece by piece."""
        await self.start()
        self.assertEqual((await self.get("/repeaters/edge/links"))["total"], 0)


class LaterTests(SynchronousTestCase):
    """Calls that are answered later."""

    def call(self) -> tuple[Any, Deferred[Any], Deferred[Any]]:
        """Make one; return what was answered, the Deferred of the answer, and that of the end of the connection."""
        answer: Deferred[Any] = Deferred()
        ended: Deferred[Any] = Deferred()
        answered: list[Any] = []
        request: Any = SimpleNamespace(
            found=Found(Route("GET", "/x", "", lambda call: answer, None, is_open=True), {}),
            uri=b"/x",
            content=BytesIO(),
            notifyFinish=lambda: ended,
            answer=lambda sent: answered.append(sent.content),
            fail=lambda error: answered.append(error.status),
        )
        context: Any = None
        api.Api(context).respond(request)
        self.assertEqual(answered, [])
        return answered, answer, ended

    def test_later(self) -> None:
        """The answer is sent when it is there."""
        answered, answer, ended = self.call()
        answer.callback(Rule(5))
        ended.callback(None)
        self.assertEqual(answered, [Rule(5)])

    def test_failure(self) -> None:
        """A failure that comes later is answered, and logged."""
        answered, answer, _ = self.call()
        answer.errback(ZeroDivisionError())
        self.assertEqual(answered, [500])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_refusal(self) -> None:
        """A refusal that comes later is answered, if the client still waits; it is not logged."""
        for gone, statuses in ((False, [503]), (True, [])):
            answered, answer, ended = self.call()
            if gone:
                ended.errback(ConnectionDone())
            answer.errback(ApiError(503, "not now"))
            self.assertEqual(answered, statuses)

    def test_client_gone(self) -> None:
        """If the client is gone by then, nothing is sent; a failure is logged all the same."""
        for result, logged in ((Rule(5), 0), (Failure(ZeroDivisionError()), 1)):
            answered, answer, ended = self.call()
            ended.errback(ConnectionDone())
            answer.callback(result)
            self.assertEqual(answered, [])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), logged)


class GateTests(AdminCase):
    """No call is open to those who may not make it."""

    def path_of(self, route: Route) -> str:
        """Return a path that leads to a route."""
        path = route.path
        for name, number in route.placeholders.items():
            path = path.replace(f"{{{name}:int}}" if number else f"{{{name}}}", "1" if number else "edge")
        return path

    async def test_strangers(self) -> None:
        """Pages of other sites, and names that were made to lead here, reach no route at all."""
        await self.start()
        for route in ROUTES:
            for headers in ({"host": "evil.example"}, {"host": "localhost", "origin": "http://evil.example"}):
                await self.fails(403, route.method, self.path_of(route), **headers)

    async def test_token(self) -> None:
        """Without the token only those calls are answered that must be; others do not even learn which there are."""
        await self.start(token=TOKEN)
        for route in ROUTES:
            if not route.is_open:
                answered = await self.ask(route.method, self.path_of(route))
                self.assertEqual((answered.status, "www-authenticate" in answered.headers), (401, True), route.path)
        await self.fails(401, "GET", "/nothing")
        await self.fails(401, "PATCH", "/repeaters")
        self.assertEqual(
            await self.fails(404, "GET", "/nothing", authorization=f"Bearer {TOKEN}"),
            "nothing is here; /openapi.json describes all paths",
        )
        open_ones = [route.path for route in ROUTES if route.is_open and route.path != "/session"]
        self.assertLessEqual({"/healthz", "/readyz"}, set(open_ones))
        self.assertLessEqual(set(open_ones), {"/", "/page/{file}", "/healthz", "/readyz"})

    async def test_release(self) -> None:
        """The parts are asked to release what they hold, and are told of the end."""
        await self.start()
        context: Context = self.site.responder.context  # type: ignore[attr-defined]
        told: list[str] = []
        context.release_held = lambda repeater=None: told.append(f"release {repeater}")
        context.at_end.append(lambda: told.append("end"))
        self.site.release_held()
        await maybeDeferred(self.port.stopListening)
        self.assertEqual(told, ["release None", "end"])

    async def test_other_token(self) -> None:
        """A reload can change the token."""
        await self.start()
        self.site.configure(hosts=(), token=TOKEN)
        await self.fails(401, "GET", "/repeaters")


class Rule(Struct):
    """A body with numbers."""

    every: int
    others: list[dict[str, int]] = []


class NumberTests(SynchronousTestCase):
    """Whole numbers in bodies."""

    def test_whole(self) -> None:
        """A whole number may be written as 5.0, as some languages write it; a fraction, or a text, is none."""
        route = Route("POST", "/", "", lambda call: None, None, body=Rule)
        for text in (b"5", b"5.0", b"5e0"):
            sent = b'{"every": %s, "others": [{"x": 7.0}]}' % text
            self.assertEqual(api._body(sent, route), Rule(5, [{"x": 7}]), text)
        for text in (b"5.0" + b" " * MAX_BODY, b"5.5", b'"5"', b"1e999", b"NaN", b"[" * 5000):
            with self.assertRaisesRegex(ApiError, "the body is wrong: "):
                api._body(b'{"every": %s}' % text, route)


class WithoutTests(SynchronousTestCase):
    """An installation without the extra."""

    def test_missing(self) -> None:
        """The error names the extra."""
        missing(self, "msgspec")
        self.addCleanup(sys.modules.__setitem__, api.__name__, sys.modules.pop(api.__name__))
        with self.assertRaisesRegex(ImportError, "pip install 'twisted_repeater\\[admin\\]'"):
            self.make()

    def test_another_is_missing(self) -> None:
        """The failure to import anything else is not hidden."""
        missing(self, "twisted_repeater.service.admin.api")
        with self.assertRaisesRegex(ImportError, "api"):
            self.make()

    def make(self) -> GuardedSite:
        """Make an administration."""
        reactor: Any = None
        return administration(Process(), reactor=reactor)

    def test_descriptors(self) -> None:
        """Streams and connections together leave some descriptors for other things."""
        self.assertLess(16 + 8, RESERVE)
