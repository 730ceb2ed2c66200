"""The calls of the administration as a table: paths, what is sent, what is answered, and who answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args
from urllib.parse import unquote

from twisted.web import http

from ...link import Link
from .answers import ApiError, Nothing
from .subject import Administered, AdministeredRepeater

if TYPE_CHECKING:
    from msgspec import Struct

    from ..._types import Reactor
    from .login import Login
    from .request import GuardedRequest

__all__ = ["MAX_BODY", "MAX_MESSAGE", "Call", "Context", "Found", "Route", "RouteTable"]

MAX_BODY = 64 * 1024
"""The largest body of most calls."""

MAX_MESSAGE = 2 * 1024 * 1024
"""The largest body that has a message for one client."""

PLACEHOLDER = re.compile(r"\{([a-z]+)(:int)?\}")

Query = TypeVar("Query")
Body = TypeVar("Body")
Part = TypeVar("Part")


class Context:
    """What all calls of one administration share."""

    def __init__(self, administered: Administered, login: Login, reactor: Reactor) -> None:
        self.administered: Administered = administered
        self.login: Login = login
        self.reactor: Reactor = reactor
        self.routes: RouteTable = RouteTable(())
        self.document: bytes = b""
        """The document that describes all calls."""
        self.held: Callable[[str], int] = lambda repeater: 0
        """Returns how many messages of a repeater are held."""
        self.release_held: Callable[..., object] = lambda repeater=None: None
        """Releases what is held of a repeater, or of all, and removes its rules, as it is drained."""
        self.at_end: list[Callable[[], object]] = []
        """Called when the administration stops listening."""
        self._parts: dict[type[Any], Any] = {}

    def repeater(self, name: str) -> AdministeredRepeater:
        """Return the repeater of a name; raises `ApiError` if there is none."""
        repeaters = self.administered.repeaters
        if (found := repeaters.get(name)) is None:
            known = ", ".join(repeaters) or "there is none"
            raise ApiError(http.NOT_FOUND, f"no repeater is named {name!a}; the names are: {known}")
        return found

    def part(self, kind: Callable[[Context], Part]) -> Part:
        """Return the one object of a class that this administration has; the first call makes it."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)  # type: ignore[index]
        return self._parts[kind]  # type: ignore[index,no-any-return]


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """A call that a client has made."""

    context: Context
    request: GuardedRequest
    path: Mapping[str, str]
    """The texts of the placeholders of the path."""
    query: Query
    body: Body

    def number(self, name: str) -> int:
        """Return a whole number of the path."""
        return int(self.path[name])

    @property
    def administered(self) -> AdministeredRepeater:
        """The repeater of the path; raises `ApiError` if there is none of this name."""
        return self.context.repeater(self.path["repeater"])

    @property
    def link(self) -> Link:
        """The link of the path; raises `ApiError` if there is none with this id."""
        number = self.number("link")
        for link in self.administered.repeater.links():
            if link.id == number:
                return link
        raise ApiError(http.NOT_FOUND, f"there is no link {number}; it may have ended")

    @property
    def links(self) -> list[Link]:
        """The links of the client of the path; raises `ApiError` if there are none."""
        if links := self.administered.repeater.links(self.path["client"]):
            return links
        raise ApiError(http.NOT_FOUND, f"no client {self.path['client']!a} is linked")


@dataclass(frozen=True, slots=True)
class Route:
    """One call: where it is made, what it takes, and what answers it."""

    method: str
    path: str
    """A path with placeholders: ``/repeaters/{repeater}/links/{link:int}``."""
    summary: str
    """What the call does, in one sentence."""
    handler: Callable[[Call[Any, Any]], object]
    """Returns a struct of the type ``answer``, an `Answer`, a Deferred of one of these, or ``NOT_DONE_YET`` if it
    answers the request itself. Raises `ApiError`."""
    answer: Any
    """The type of the answer, a struct, or a union of structs; ``None`` if the answer is not JSON."""
    query: type[Struct] = Nothing
    """A struct of what may stand behind ``?``."""
    body: type[Struct] | None = None
    """A struct of the body; ``None`` for a call without one."""
    errors: Mapping[int, str] = field(default_factory=dict)
    """When the call fails, by status, in addition to what may happen to each call."""
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "done"})
    """What the statuses mean that come with ``answer``."""
    content_type: str = "application/json"
    """The type of the answer."""
    max_body: int = MAX_BODY
    """The largest body, in bytes."""
    is_open: bool = False
    """Whether no token is needed."""
    frequent: bool = False
    """Whether each call is logged, as each ends something, so that there cannot be too many."""

    @property
    def kinds(self) -> tuple[type, ...]:
        """The structs that the answer may be."""
        return get_args(self.answer) or (() if self.answer is None else (self.answer,))

    @property
    def placeholders(self) -> dict[str, bool]:
        """The placeholders of the path, each with whether it is a whole number."""
        return {name: bool(number) for name, number in PLACEHOLDER.findall(self.path)}

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Return the texts of the placeholders if a path matches, otherwise ``None``."""
        wanted = self.path.split("/")[1:]
        if len(wanted) != len(parts):
            return None
        found = {}
        for pattern, text in zip(wanted, parts, strict=True):
            if placeholder := PLACEHOLDER.fullmatch(pattern):
                if not text or (placeholder[2] and not re.fullmatch("[0-9]{1,18}", text)):
                    return None
                found[placeholder[1]] = text
            elif text != pattern:
                return None
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request."""

    route: Route
    path: Mapping[str, str]


class RouteTable:
    """All routes. A path is found in the order of the table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: tuple[Route, ...] = tuple(routes)

    def find(self, method: str, path: str) -> Found:
        """Return the route of a request.

        Args:
            method: the method; ``HEAD`` is answered as ``GET`` is.
            path: the path as it came, without the query.

        Raises:
            ApiError: no route has this path, or none of them this method.
        """
        parts = [unquote(part, "utf-8", "surrogateescape") for part in path.split("/")[1:]]
        wanted = "GET" if method == "HEAD" else method
        allowed = []
        for route in self.routes:
            if (found := route.match(parts)) is not None:
                if route.method == wanted:
                    return Found(route, found)
                allowed.append(route.method)
        if not allowed:
            raise ApiError(http.NOT_FOUND, "nothing is here; /openapi.json describes all paths")
        methods = ", ".join(sorted({*allowed, *(["HEAD"] if "GET" in allowed else [])}))
        raise ApiError(http.NOT_ALLOWED, f"the method must be {methods}", {"allow": methods})
