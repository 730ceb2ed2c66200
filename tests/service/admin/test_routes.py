"""The table of routes."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.admin.answers import ApiError, ErrorAnswer, Nothing
from twisted_repeater.service.admin.routes import Call, Context, Route, RouteTable

from .administered import Process, Running


def route(method: str, path: str) -> Route:
    """Return a route that nobody answers."""
    return Route(method, path, "", lambda call: None, None)


class TableTests(SynchronousTestCase):
    """How a route is found."""

    table = RouteTable(
        [
            route("GET", "/"),
            route("GET", "/links/{link:int}"),
            route("GET", "/links/all"),
            route("POST", "/links/{name}"),
            route("POST", "/clients/{client}/close"),
        ]
    )

    def test_found(self) -> None:
        """Placeholders stand for one part of the path, which may have any bytes, percent-encoded."""
        for method, path, template, texts in (
            ("GET", "/", "/", {}),
            ("HEAD", "/", "/", {}),
            ("GET", "/links/17", "/links/{link:int}", {"link": "17"}),
            ("GET", "/links/all", "/links/all", {}),
            ("POST", "/links/17", "/links/{name}", {"name": "17"}),
            ("POST", "/clients/a%2Fb%20c/close", "/clients/{client}/close", {"client": "a/b c"}),
            ("POST", "/clients/%FF%C5%82/close", "/clients/{client}/close", {"client": "\udcff\u0142"}),
        ):
            found = self.table.find(method, path)
            self.assertEqual((found.route.path, found.path), (template, texts), path)

    def test_placeholders(self) -> None:
        """A route knows its placeholders, and which of them are whole numbers."""
        self.assertEqual(route("GET", "/a/{name}/{link:int}").placeholders, {"name": False, "link": True})

    def test_not_found(self) -> None:
        """A path that no route has is not found; a method that it does not have is named with those that it has."""
        for method, path in (
            ("GET", "/links"),
            ("GET", "/links/"),
            ("GET", "/links/x"),
            ("GET", "/links/-1"),
            ("GET", "/links/\u0661"),
            ("GET", "/links/" + "1" * 19),
            ("GET", "//"),
            ("POST", "/clients//close"),
        ):
            with self.assertRaises(ApiError) as caught:
                self.table.find(method, path)
            self.assertIn(caught.exception.status, (404, 405), path)
        for method, path, allowed in (
            ("PUT", "/", "GET, HEAD"),
            ("DELETE", "/links/17", "GET, HEAD, POST"),
            ("get", "/", "GET, HEAD"),
        ):
            with self.assertRaises(ApiError) as caught:
                self.table.find(method, path)
            self.assertEqual((caught.exception.status, caught.exception.headers["allow"]), (405, allowed))


class KindTests(SynchronousTestCase):
    """What a call is answered with."""

    def test_kinds(self) -> None:
        """It is a struct, one of several, or none."""
        for answer, kinds in ((Nothing, (Nothing,)), (Nothing | ErrorAnswer, (Nothing, ErrorAnswer)), (None, ())):
            self.assertEqual(Route("GET", "/", "", lambda call: None, answer).kinds, kinds)


class CallTests(SynchronousTestCase):
    """What a handler gets."""

    def call(self, **path: str) -> Call[Any, Any]:
        """Return a call."""
        nobody: Any = None
        self.running = Running("edge")
        self.context = Context(Process(self.running), nobody, nobody)
        return Call(self.context, nobody, path, nobody, nobody)

    def test_repeater(self) -> None:
        """The repeater of the path is found by its name; if there is none, the error has the names."""
        self.assertIs(self.call(repeater="edge").administered, self.running)
        with self.assertRaisesRegex(ApiError, "no repeater is named 'x'; the names are: edge"):
            self.call(repeater="x").administered  # noqa: B018
        call = self.call(repeater="x")
        call.context.administered.repeaters.clear()  # type: ignore[attr-defined]
        with self.assertRaisesRegex(ApiError, "there is none"):
            call.administered  # noqa: B018

    def test_links(self) -> None:
        """Links are found by id, or by the name of their client."""
        one, two = Linked(1), Linked(2)
        repeater: Any = Linking([one, two])
        call = self.call(repeater="edge", link="2", client="ann")
        self.running.repeater = repeater
        self.assertIs(call.link, two)
        self.assertEqual(call.links, [one, two])
        repeater.found = []
        with self.assertRaisesRegex(ApiError, "there is no link 2"):
            call.link  # noqa: B018
        with self.assertRaisesRegex(ApiError, "no client 'ann' is linked"):
            call.links  # noqa: B018

    def test_parts(self) -> None:
        """Each part of an administration is made once, with the context."""
        context = self.call().context
        self.assertIs(context.part(Part), context.part(Part))
        self.assertIs(context.part(Part).context, context)
        self.assertEqual((context.held("edge"), context.release_held(None)), (0, None))


class Part:
    """A part of an administration."""

    def __init__(self, context: Context) -> None:
        self.context = context


class Linked:
    """A link."""

    def __init__(self, number: int) -> None:
        self.id = number


class Linking:
    """A repeater with links."""

    def __init__(self, links: list[Linked]) -> None:
        self.found = links

    def links(self, name: str = "") -> list[Linked]:
        """See `Repeater`."""
        return self.found
