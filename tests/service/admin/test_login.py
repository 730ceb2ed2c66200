"""Tokens and sessions."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.web.http_headers import Headers

from twisted_repeater.service.admin.login import (
    FAILURE_TIME,
    FAILURES,
    MAX_ADDRESSES,
    MAX_SESSIONS,
    SESSION_TIME,
    Login,
)

from ...peers import turn
from .asking import AdminCase, Answered, Exchange

reactor: Any = installed_reactor

TOKEN = "0123456789abcdef"
GIVEN = {"authorization": f"Bearer {TOKEN}"}


class LoginCase(AdminCase):
    """A repeater whose administration needs a token."""

    async def log_in(self, token: str = TOKEN) -> Answered:
        """Log in as a browser does."""
        return await self.ask("POST", "/session", {"token": token})

    async def cookie(self) -> dict[str, str]:
        """Return the header of a browser that was logged in."""
        answered = await self.log_in()
        return {"cookie": answered.headers["set-cookie"].partition(";")[0]}

    async def status(self, **headers: str) -> int:
        """Return the status of a call with these headers."""
        return (await self.ask("GET", "/repeaters", **headers)).status


class TokenTests(LoginCase):
    """The token, as programs send it."""

    async def test_right(self) -> None:
        """Calls with the token are answered, whatever the case of the word before it."""
        await self.start(token=TOKEN)
        for text in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
            self.assertEqual(await self.status(authorization=text), 200, text)

    async def test_wrong(self) -> None:
        """No other token is accepted, be it alike, empty, or of another kind."""
        await self.start(token=TOKEN)
        for text in (TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff", ""):
            self.assertEqual(await self.status(authorization=text), 401, text)

    async def test_none_needed(self) -> None:
        """Without a configured token, calls and logins need none."""
        await self.start()
        self.assertEqual(await self.status(), 200)
        self.assertEqual(await self.get("/session"), {"needs_token": False, "logged_in": True})
        answered = await self.log_in("anything")
        self.assertEqual((answered.json["logged_in"], "set-cookie" in answered.headers), (True, False))

    async def test_slowed_down(self) -> None:
        """After many wrong tokens none is looked at for a while; a browser that was logged in goes on."""
        await self.start(token=TOKEN)
        cookie = await self.cookie()
        for _ in range(FAILURES):
            self.assertEqual((await self.log_in("wrong")).status, 401)
        for answered in (await self.log_in(), await self.ask("GET", "/repeaters", **GIVEN)):
            self.assertEqual((answered.status, answered.headers["retry-after"]), (429, f"{FAILURE_TIME + 1:.0f}"))
        self.assertEqual(await self.status(**cookie), 200)
        self.time.clock.advance(FAILURE_TIME)
        self.assertEqual(await self.status(**GIVEN), 200)

    async def test_addresses(self) -> None:
        """Each address counts for itself, an IPv6 one with its network; not all of them are remembered."""
        await self.start(token=TOKEN)
        login: Any = Login(TOKEN, self.time)
        for number in range(MAX_ADDRESSES + 5):
            with self.assertRaisesRegex(Exception, "wrong"):
                login._compare(_From(f"10.0.{number // 256}.{number % 256}"), b"wrong")
        self.assertEqual(len(login._failures), MAX_ADDRESSES)
        for number in range(FAILURES):
            with self.assertRaisesRegex(Exception, "wrong"):
                login._compare(_From(f"2001:db8::{number + 1}"), b"wrong")
        with self.assertRaisesRegex(Exception, "too many"):
            login._compare(_From("2001:db8::ffff"), TOKEN.encode())
        login._compare(_From("2001:db8:0:1::1"), TOKEN.encode())
        login._compare(_From(None), TOKEN.encode())


class _From:
    """A request from an address."""

    def __init__(self, host: str | None) -> None:
        self.client: Any = self
        self.host = host
        self.requestHeaders = Headers()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class SessionTests(LoginCase):
    """Sessions, as browsers have them."""

    async def test_session(self) -> None:
        """A browser is logged in by a cookie that no script can read and no other site sends; logging out ends it."""
        await self.start(token=TOKEN)
        self.assertEqual(await self.get("/session"), {"needs_token": True, "logged_in": False})
        answered = await self.log_in()
        self.assertEqual(answered.json, {"needs_token": True, "logged_in": True})
        cookie, *attributes = answered.headers["set-cookie"].split("; ")
        self.assertEqual(attributes, ["Max-Age=43200", "Path=/", "HttpOnly", "SameSite=Strict"])
        self.assertTrue(cookie.startswith(f"twisted-repeater-{self.port.getHost().port}="))
        self.assertEqual(await self.status(cookie=cookie), 200)
        self.assertEqual((await self.ask("GET", "/session", cookie=cookie)).json["logged_in"], True)
        self.assertEqual(await self.status(cookie=f"{cookie}x"), 401)
        self.assertEqual(await self.status(cookie=cookie.replace("repeater-", "repeater-1")), 401)
        answered = await self.ask("DELETE", "/session", cookie=cookie)
        self.assertEqual(answered.json, {"needs_token": True, "logged_in": False})
        self.assertIn("=; Max-Age=0;", answered.headers["set-cookie"])
        self.assertEqual(await self.status(cookie=cookie), 401)

    async def test_ports(self) -> None:
        """Ports of one host have cookies of their own, also if a tunnel or a proxy made them of the same port."""
        await self.start(token=TOKEN)
        own = self.port.getHost().port
        names = []
        for host in ("localhost:8090", "localhost:8091", "localhost", "[::1]:8090"):
            answered = await self.ask("POST", "/session", {"token": TOKEN}, host=host)
            names.append(answered.headers["set-cookie"].partition("=")[0])
            cookie = answered.headers["set-cookie"].partition(";")[0]
            self.assertEqual(await self.status(host=host, cookie=cookie), 200)
        start = f"twisted-repeater-{own}"
        self.assertEqual(names, [f"{start}-8090", f"{start}-8091", start, f"{start}-8090"])

    async def test_encrypted(self) -> None:
        """With TLS the cookie is for encrypted connections only."""
        await self.start(token=TOKEN)
        login = self.site.responder.context.login  # type: ignore[attr-defined]
        request: Any = _From("10.0.0.1")
        request.isSecure = lambda: True
        self.assertTrue(login.log_in(request, TOKEN).endswith("; Secure"))
        for scheme, is_secure in (("https", True), ("http", False)):  # as a proxy before us is asked
            answered = await self.ask(
                "POST", "/session", {"token": TOKEN}, origin=f"{scheme}://edge.example.org", host="edge.example.org"
            )
            self.assertEqual(answered.headers["set-cookie"].endswith("; Secure"), is_secure)

    async def test_wrong(self) -> None:
        """A wrong token begins no session."""
        await self.start(token=TOKEN)
        answered = await self.log_in("wrong")
        self.assertEqual((answered.status, "set-cookie" in answered.headers), (401, False))

    async def test_time(self) -> None:
        """A session ends by itself, and the oldest one when there are too many."""
        await self.start(token=TOKEN)
        first = await self.cookie()
        request: Any = _From("10.0.0.1")
        request.isSecure = lambda: False
        for _ in range(MAX_SESSIONS - 1):
            self.site.responder.context.login.log_in(request, TOKEN)  # type: ignore[attr-defined]
        self.assertEqual(await self.status(**first), 200)
        last = await self.cookie()
        self.assertEqual((await self.status(**first), await self.status(**last)), (401, 200))
        self.time.clock.advance(SESSION_TIME)
        self.assertEqual(await self.status(**last), 401)

    async def test_other_token(self) -> None:
        """When the token is changed nobody is logged in any longer; when it stays, everybody is."""
        await self.start(token=TOKEN)
        cookie = await self.cookie()
        self.site.configure(hosts=(), token=TOKEN)
        self.assertEqual(await self.status(**cookie), 200)
        self.site.configure(hosts=(), token="fedcba9876543210")
        self.assertEqual((await self.status(**cookie), await self.status(**GIVEN)), (401, 401))
        self.site.configure(hosts=(), token=None)
        self.assertEqual(await self.status(), 200)

    async def test_under_way(self) -> None:
        """A request whose body comes after the token was changed is refused."""
        await self.start(token=TOKEN)
        head = f"POST /reload HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        exchange = Exchange(f"{head}Content-Length: 2\r\n\r\n".encode())
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        await endpoint.connect(Factory.forProtocol(lambda: exchange))
        while not any(channel.requests for channel in self.site._channels):
            await turn()
        self.site.configure(hosts=(), token="fedcba9876543210")
        exchange.transport.write(b"{}")  # type: ignore[union-attr]
        self.assertEqual(Answered(await exchange.received).status, 401)
