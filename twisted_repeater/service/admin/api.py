"""The calls of the administration: finds the route of each request, checks what was sent, and answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.server import NOT_DONE_YET

from ..._types import Reactor
from . import (
    clients,
    debugging,
    faults,
    fleet,
    health,
    links,
    login,
    openapi,
    page_files,
    recording,
    repeaters,
    sending,
)
from .answers import Answer, ApiError, Nothing, json_of
from .login import Login
from .request import GuardedRequest
from .routes import MAX_BODY, Call, Context, Found, Route, RouteTable
from .site import GuardedSite
from .subject import Administered

__all__ = ["ROUTES", "Api", "make_site"]

MAX_PARAMETERS = 16

ROUTES: list[Route] = [
    *page_files.ROUTES,
    *health.ROUTES,
    *login.ROUTES,
    *openapi.ROUTES,
    *repeaters.ROUTES,
    *links.ROUTES,
    *clients.ROUTES,
    *fleet.ROUTES,
    *faults.ROUTES,
    *recording.ROUTES,
    *debugging.ROUTES,
    *sending.ROUTES,
]
"""All calls, in the order of the reference."""

log: Logger = Logger()


def make_site(
    administered: Administered,
    *,
    hosts: Iterable[str],
    token: str | None,
    reactor: Reactor,
    routes: list[Route] = ROUTES,
) -> GuardedSite:
    """Return the site; see `administration`."""
    context = Context(administered, Login(token, reactor), reactor)
    context.routes = RouteTable(routes)
    context.document = json_of(openapi.document(context.routes))  # now, as no link has to wait for it yet
    return GuardedSite(Api(context), hosts, reactor=reactor)


class Api:
    """Answers requests; see `Responder`."""

    def __init__(self, context: Context) -> None:
        self.context: Context = context

    def admit(self, request: GuardedRequest, method: bytes, path: bytes) -> Found:
        """Return the route of a request; raise `ApiError` if there is none, or a token is missing."""
        plain = path.partition(b"?")[0].decode("ascii", "replace")
        try:
            found = self.context.routes.find(method.decode("ascii", "replace"), plain)
        except ApiError:
            self.context.login.check(request)  # a stranger does not learn which paths there are
            raise
        if not found.route.is_open:
            self.context.login.check(request)
        return found

    def respond(self, request: GuardedRequest) -> None:
        """Answer a complete request, whatever goes wrong."""
        assert request.found is not None
        try:
            if not request.found.route.is_open:
                self.context.login.check(request)  # again, as the token may be another one since the head was there
            answer = self._answer(request, request.found)
        except ApiError as error:
            request.fail(error)
        except Exception:
            _fail(request, Failure())
        else:
            if isinstance(answer, Deferred):
                _answer_later(request, answer)
            elif answer is not NOT_DONE_YET:
                _send(request, answer)

    def _answer(self, request: GuardedRequest, found: Found) -> Any:
        route = found.route
        query = _query(request.uri.partition(b"?")[2], route)
        body = _body(request.content.read(), route)
        return route.handler(Call(self.context, request, found.path, query, body))

    def use_token(self, token: str | None) -> bool:
        """Ask for this token from now on. Return whether it is another one than before."""
        return self.context.login.use_token(token)

    def release_held(self, repeater: str | None = None) -> None:
        """Release what is held of a repeater, or of all."""
        self.context.release_held(repeater)

    def ended(self) -> None:
        """Let all parts end."""
        for call in self.context.at_end:
            call()


def _send(request: GuardedRequest, answer: Any) -> None:
    request.answer(answer if isinstance(answer, Answer) else Answer(answer))


def _fail(request: GuardedRequest, failure: Failure) -> None:
    assert request.found is not None
    log.failure("administration: {path} failed", failure, path=request.found.route.path)
    request.fail(ApiError(http.INTERNAL_SERVER_ERROR, "the administration failed; see the log of the process"))


def _answer_later(request: GuardedRequest, answer: Deferred[Any]) -> None:
    """Answer when the answer is there, if its client still is. What was asked for is done either way."""
    gone: list[Failure] = []
    ended: Deferred[None] = request.notifyFinish()
    ended.addErrback(gone.append)

    def failed(failure: Failure) -> None:
        if isinstance(failure.value, ApiError):
            if not gone:
                request.fail(failure.value)
        elif gone:
            log.failure("administration: a call failed", failure)
        else:
            _fail(request, failure)

    answer.addCallbacks(lambda found: None if gone else _send(request, found), failed)


def _query(text: bytes, route: Route) -> msgspec.Struct:
    """Read what stands behind ``?``."""
    try:
        pairs = parse_qsl(text.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        given = dict(pairs)
        if len(given) < len(pairs):
            raise ValueError("each parameter may be given once")
        return msgspec.convert(given, route.query, strict=False)
    except ValueError as error:
        raise ApiError(http.BAD_REQUEST, f"the query is wrong: {_in_words(error)}") from error


def _body(data: bytes, route: Route) -> msgspec.Struct | None:
    """Read the body."""
    if not data and route.body is None:
        return None
    kind = route.body or Nothing
    try:
        return msgspec.json.decode(data, type=kind)
    except (ValueError, RecursionError) as error:
        wrong = error
    try:
        if len(data) > MAX_BODY:
            raise wrong  # this would take too long
        return msgspec.convert(_whole(msgspec.json.decode(data)), kind)
    except (ValueError, RecursionError):
        raise ApiError(http.BAD_REQUEST, f"the body is wrong: {_in_words(wrong)}") from wrong


def _whole(value: Any) -> Any:
    """Return JSON with whole numbers where they are written as ``5.0``, as some languages write each number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    return [_whole(member) for member in value] if isinstance(value, list) else value


def _in_words(error: Exception) -> str:
    """Return what msgspec says, without its own words for the place: ``Expected `int`, got `str` - at `$.after```."""
    return str(error).replace(" - at `$.", " in `").replace("`", "'")
