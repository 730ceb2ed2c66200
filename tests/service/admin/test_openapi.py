"""The document that describes all calls, and the reference page that is made from the same table."""

from __future__ import annotations

import inspect
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.admin import openapi
from twisted_repeater.service.admin.api import ROUTES
from twisted_repeater.service.admin.routes import RouteTable

from .asking import AdminCase
from .calls_table import PAGE, written


def document() -> dict[str, Any]:
    """Return the document of all routes."""
    return openapi.document(RouteTable(ROUTES))


class DocumentTests(SynchronousTestCase):
    """What the document says."""

    def test_all_routes(self) -> None:
        """Each route is there, with a summary that is a sentence, and no struct has the name of another."""
        paths = document()["paths"]
        shown = [(method, path) for path, operations in paths.items() for method in operations]
        wanted = [(route.method.lower(), route.path.replace(":int", "")) for route in ROUTES]
        self.assertEqual(sorted(shown), sorted(wanted))
        kinds = {kind for route in ROUTES for kind in (*route.kinds, route.body) if kind is not None}
        self.assertEqual(len(kinds), len({kind.__name__ for kind in kinds}))
        for route in ROUTES:
            self.assertRegex(route.summary, r"^[A-Z].*\.$")

    def test_links(self) -> None:
        """The parameters of a path and of a query are there with their limits, the members of an answer in words."""
        described = document()
        operation = described["paths"]["/repeaters/{repeater}/links"]["get"]
        parameters = {each["name"]: each for each in operation["parameters"]}
        self.assertEqual(list(parameters), ["repeater", "client", "after", "limit"])
        self.assertTrue(parameters["repeater"]["required"])
        self.assertFalse(parameters["limit"]["required"])
        self.assertEqual(
            parameters["limit"]["schema"], {"type": "integer", "minimum": 1, "maximum": 10000, "default": 200}
        )
        content = operation["responses"]["200"]["content"]["application/json"]
        self.assertEqual(content["schema"], {"$ref": "#/components/schemas/Links"})
        state = described["components"]["schemas"]["LinkState"]["properties"]
        self.assertEqual(state["client"]["description"], "The client's name.")
        details = described["components"]["schemas"]["Details"]["properties"]
        self.assertIn("Whether newcomers", details["drops_new_clients"]["description"])
        (link,) = [
            each
            for each in described["paths"]["/repeaters/{repeater}/links/{link}"]["get"]["parameters"]
            if each["name"] == "link"
        ]
        self.assertEqual(link["schema"]["type"], "integer")
        self.assertNotIn("LinksQuery", described["components"]["schemas"])

    def test_bodies(self) -> None:
        """A body is described, and so is an answer that is no JSON, or needs no token."""
        paths = document()["paths"]
        put = paths["/repeaters/{repeater}/faults/{fault}"]["put"]
        self.assertEqual(
            put["requestBody"]["content"]["application/json"]["schema"], {"$ref": "#/components/schemas/NewFault"}
        )
        self.assertIn("422", put["responses"])
        self.assertEqual(
            paths["/metrics"]["get"]["responses"]["200"]["content"], {"text/plain": {"schema": {"type": "string"}}}
        )
        self.assertEqual(paths["/readyz"]["get"]["security"], [])
        self.assertNotIn("security", put)
        self.assertIn("503", paths["/readyz"]["get"]["responses"])

    def test_without_sources(self) -> None:
        """Where the sources are not installed the members have no descriptions, and all else is there."""

        def gone(module: object) -> str:
            raise OSError("no source")

        openapi._docstrings.cache_clear()
        self.addCleanup(openapi._docstrings.cache_clear)
        self.patch(inspect, "getsource", gone)
        self.assertNotIn("description", document()["components"]["schemas"]["LinkState"]["properties"]["client"])

    def test_page(self) -> None:
        """The tables of the reference are those of the routes; python -m tests.service.admin.calls_table --write."""
        page = PAGE.read_text()
        self.assertEqual(written(page), page)


class ServedTests(AdminCase):
    """How it is served."""

    async def test_served(self) -> None:
        """The document is there."""
        await self.start()
        self.assertEqual((await self.get("/openapi.json"))["paths"], document()["paths"])
