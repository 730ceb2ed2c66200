"""The document that describes all calls to programs, in the format of OpenAPI 3.1; it is made from the table."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from typing import Any

import msgspec

from ...__main__ import version_of
from .answers import Answer, ErrorAnswer, Nothing
from .routes import Call, Route, RouteTable

__all__ = ["ROUTES", "document"]

ANY_CALL: dict[int, str] = {
    400: "the request, its query or its body is malformed",
    401: "the token is missing or wrong",
    403: "the Host is not a name of the administration, or a web page of another site makes the call",
    411: "the body has no Content-Length",
    413: "the body is too large",
    415: "the Content-Type of the body is not application/json",
    429: "too many wrong tokens came from this address",
    500: "the administration failed; the log says why",
}
"""How any call may fail."""

RAW = {"application/json": "object"}
"""What answers are that no struct describes; others are strings."""

DESCRIPTION = """\
Shows and controls the repeaters of one process. If the administration has a token, each call but those of the session,
`/healthz` and `/readyz` needs it: `Authorization: Bearer TOKEN`, or the cookie that `POST /session` sets.
"""


def document(table: RouteTable) -> dict[str, Any]:
    """Return the document of all routes."""
    kinds = {kind for route in table.routes for kind in (*route.kinds, route.body, route.query) if kind is not None}
    ordered = [*sorted(kinds - {Nothing}, key=lambda kind: str(kind.__name__)), ErrorAnswer]
    _, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    for kind in ordered:
        _describe(components[kind.__name__], kind)
    queries = {route.query.__name__ for route in table.routes}
    paths: dict[str, dict[str, Any]] = {}
    for route in table.routes:
        operations = paths.setdefault(route.path.replace(":int}", "}"), {})
        operations[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The administration of twisted_repeater",
            "version": version_of("twisted_repeater"),
            "description": DESCRIPTION,
        },
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    """Return what the document says about one route."""
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
            if number
            else {"type": "string", "minLength": 1},
        }
        for name, number in route.placeholders.items()
    ]
    if route.query is not Nothing:
        parameters += _query_parameters(components[route.query.__name__])
    content: dict[str, Any] = {route.content_type: {"schema": _schema_of_answer(route)}}
    failure = {"application/json": {"schema": _schema_of(ErrorAnswer)}}
    responses = {str(status): {"description": why, "content": content} for status, why in route.answers.items()}
    for status, why in sorted({**ANY_CALL, **route.errors}.items()):
        responses.setdefault(str(status), {"description": why, "content": failure})
    operation: dict[str, Any] = {"summary": route.summary, "parameters": parameters, "responses": responses}
    if route.body is not None:
        sent = {"application/json": {"schema": _schema_of(route.body)}}
        operation["requestBody"] = {"required": True, "content": sent}
    if route.is_open:
        operation["security"] = []
    return operation


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of a query: the members of its struct."""
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": member.get("description", ""),
            "schema": {key: value for key, value in member.items() if key != "description"},
        }
        for name, member in schema["properties"].items()
    ]


def _schema_of_answer(route: Route) -> dict[str, Any]:
    if not route.kinds:
        return {"type": RAW.get(route.content_type, "string")}
    schemas = [_schema_of(kind) for kind in route.kinds]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _schema_of(kind: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _describe(schema: dict[str, Any], kind: type) -> None:
    """Describe the members of an object by the docstrings below the attributes of its struct."""
    members = schema.get("properties", {})
    for base in kind.__mro__:
        texts = _docstrings(base.__module__).get(base.__name__, {})
        for name in members.keys() & texts.keys():
            members[name].setdefault("description", texts[name])


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Return the docstrings of the attributes of each class of a module."""
    if not module.startswith(__package__):
        return {}
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:  # installed without its sources
        return {}
    return {each.name: _attributes(each) for each in tree.body if isinstance(each, ast.ClassDef)}


def _attributes(body: ast.ClassDef) -> dict[str, str]:
    found = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match after:
                case ast.Expr(ast.Constant(str(text))):
                    found[statement.target.id] = inspect.cleandoc(text)
    return found


def show(call: Call[Nothing, None]) -> Answer:
    """Return the document."""
    return Answer(call.context.document)


ROUTES: list[Route] = [
    Route("GET", "/openapi.json", "Show this document, which tools read.", show, None),
]
