"""Who may use the administration: those that know its token, and browsers that were logged in with it."""

from __future__ import annotations

import hmac
import re
import secrets
from collections import OrderedDict
from hashlib import sha256
from http import HTTPStatus
from ipaddress import IPv6Address

from msgspec import Struct

from ..._types import Reactor
from ..addresses import ip_of
from .answers import Answer, ApiError, Nothing
from .request import GuardedRequest
from .routes import Call, Route

__all__ = ["ROUTES", "Login"]

SESSION_TIME = 12 * 60 * 60.0
"""How many seconds a browser stays logged in."""

MAX_SESSIONS = 100

FAILURES = 10
"""How many wrong tokens may come from one address in `FAILURE_TIME`; after that none is looked at."""

FAILURE_TIME = 60.0
MAX_ADDRESSES = 1000

NEEDED = {"www-authenticate": 'Bearer realm="administration"'}


class Login:
    """Knows the token, the browsers that are logged in, and who has tried wrong tokens.

    Args:
        token: the token; ``None`` if everybody who can connect may use the administration.
        reactor: tells the time.
    """

    def __init__(self, token: str | None, reactor: Reactor) -> None:
        self._token = None if token is None else _digest(token)
        self._reactor = reactor
        self._sessions: OrderedDict[bytes, float] = OrderedDict()
        """Until when each session holds, by the digest of its secret; the oldest first."""
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """How many wrong tokens came from an address, and when that will be forgotten."""

    def use_token(self, token: str | None) -> bool:
        """Ask for this token from now on, and return whether it is another one; then nobody is logged in any longer."""
        digest = None if token is None else _digest(token)
        if digest == self._token:
            return False
        self._token = digest
        self._sessions.clear()
        return True

    @property
    def needs_token(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    def check(self, request: GuardedRequest) -> None:
        """Raise `ApiError` unless whoever makes a request may do so."""
        if self._token is None or self.is_logged_in(request):
            return
        given = request.requestHeaders.getRawHeaders(b"authorization", [])
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer":
            why = "this call needs the token of the administration, as Authorization: Bearer TOKEN"
            raise ApiError(HTTPStatus.UNAUTHORIZED, why, NEEDED)
        self._compare(request, token.strip())

    def is_logged_in(self, request: GuardedRequest) -> bool:
        """Return whether a request has the cookie of a session."""
        until = self._sessions.get(_digest(self._cookie(request)))
        return until is not None and self._reactor.seconds() < until

    def log_in(self, request: GuardedRequest, token: str) -> str:
        """Begin a session, and return its cookie; raise `ApiError` if the token is wrong."""
        self._compare(request, token.encode())
        secret = secrets.token_urlsafe(32)
        self._sessions[_digest(secret)] = self._reactor.seconds() + SESSION_TIME
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return f"{_cookie_name(request)}={secret}; Max-Age={SESSION_TIME:.0f}; {_attributes(request)}"

    def log_out(self, request: GuardedRequest) -> str:
        """End the session of a request, if there is one, and return a cookie that removes its own."""
        self._sessions.pop(_digest(self._cookie(request)), None)
        return f"{_cookie_name(request)}=; Max-Age=0; {_attributes(request)}"

    def _cookie(self, request: GuardedRequest) -> bytes:
        cookie: bytes = request.received_cookies.get(_cookie_name(request).encode(), b"")
        return cookie

    def _compare(self, request: GuardedRequest, token: bytes) -> None:
        """Raise `ApiError` if a token is wrong, or too many from this address were."""
        address = _place(request)
        now = self._reactor.seconds()
        failed, until = self._failures.get(address, (0, now + FAILURE_TIME))
        if now >= until:
            failed, until = 0, now + FAILURE_TIME
        if failed >= FAILURES:
            seconds = int(until - now) + 1
            why = f"too many wrong tokens came from your address; try again in {seconds} seconds"
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, why, {"retry-after": str(seconds)})
        if hmac.compare_digest(_digest(token), self._token or b""):
            return
        self._failures[address] = (failed + 1, until)
        self._failures.move_to_end(address)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        raise ApiError(HTTPStatus.UNAUTHORIZED, "the token is wrong", NEEDED)


def _digest(secret: str | bytes) -> bytes:
    """Return a digest: comparing two takes as long whatever they are, and it does not give the secret away."""
    return sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def _place(request: GuardedRequest) -> str:
    """Return where a request comes from: of IPv6 the network, as one machine has many addresses there."""
    ip = ip_of(getattr(request.client, "host", None) or "")
    return str(int(ip) >> 64) if isinstance(ip, IPv6Address) else str(ip)


def _cookie_name(request: GuardedRequest) -> str:
    """Return the name of our cookie. A browser sends a cookie to all ports of a host, so the port is in its name.

    This is the port that the browser sees, in ``Host``: a tunnel or a proxy may make several administrations of the
    same port, or of Unix sockets, ports of one host. The port that we listen on helps where a proxy changes ``Host``.
    """
    seen = re.search(rb":([0-9]+)$", request.requestHeaders.getRawHeaders(b"host", [b""])[0])
    return f"twisted-repeater-{getattr(request.host, 'port', 'unix')}" + (f"-{seen[1].decode()}" if seen else "")


def _attributes(request: GuardedRequest) -> str:
    """Return how a browser keeps our cookie: in TLS only, if it came by TLS, perhaps of a proxy before us."""
    origins = request.requestHeaders.getRawHeaders(b"origin", [])
    is_secure = request.isSecure() or any(origin.lower().startswith(b"https://") for origin in origins)  # type: ignore[no-untyped-call]
    return "Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if is_secure else "")


class Session(Struct):
    """Whether the one who asks must log in."""

    needs_token: bool
    """Whether calls need a token."""
    logged_in: bool
    """Whether a browser is logged in, or need not be."""


class Credentials(Struct, forbid_unknown_fields=True):
    """What a page sends to log in."""

    token: str
    """The token of the file that --admin-token-file names."""


def show(call: Call[Nothing, None]) -> Session:
    """Return whether a token is needed."""
    login = call.context.login
    return Session(login.needs_token, not login.needs_token or login.is_logged_in(call.request))


def log_in(call: Call[Nothing, Credentials]) -> Answer:
    """Begin a session of a browser."""
    login = call.context.login
    cookie = {"set-cookie": login.log_in(call.request, call.body.token)} if login.needs_token else {}
    return Answer(Session(login.needs_token, True), headers=cookie)


def log_out(call: Call[Nothing, None]) -> Answer:
    """End a session."""
    login = call.context.login
    cookie = login.log_out(call.request)
    return Answer(Session(login.needs_token, not login.needs_token), headers={"set-cookie": cookie})


WRONG = {401: "the token is wrong", 429: "too many wrong tokens came from this address"}

ROUTES: list[Route] = [
    Route(
        "GET", "/session", "Show whether a token is needed, and whether you are logged in.", show, Session, is_open=True
    ),
    Route(
        "POST",
        "/session",
        "Log a browser in: the answer sets a cookie, which holds for 12 hours.",
        log_in,
        Session,
        body=Credentials,
        errors=WRONG,
        is_open=True,
    ),
    Route("DELETE", "/session", "Log a browser out.", log_out, Session, is_open=True),
]
