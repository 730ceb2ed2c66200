"""The files of the live page: read once, and served from memory."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from twisted.web import http
from twisted.web.server import NOT_DONE_YET

from .answers import Answer, ApiError, Nothing
from .routes import Call, Route

__all__ = ["ROUTES"]

TYPES: dict[str, str] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""The types of the files, by the endings of their names. Files of other types are not served."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the browser may load for the page: its own files. No script or style in its text runs, whoever wrote it."""

INDEX = "index.html"


class PageFile(NamedTuple):
    """A file of the page, with what its answer says about it."""

    content: bytes
    headers: dict[str, str]


@cache
def page_files() -> dict[str, PageFile]:
    """Return the files, by their names."""
    found = {}
    entries = [entry for entry in files(__package__).joinpath("page").iterdir() if _ending(entry.name) in TYPES]
    for entry in entries:
        content = entry.read_bytes()
        found[entry.name] = PageFile(content, _headers(TYPES[_ending(entry.name)], content))
    return found


def _ending(name: str) -> str:
    return name.rpartition(".")[2]


def _headers(kind: str, content: bytes) -> dict[str, str]:
    return {
        # The browser keeps it, and asks each time whether it is the same: a new version is seen at once.
        "cache-control": "no-cache",
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "content-type": kind,
        "content-security-policy": POLICY,
    }


def show(call: Call[Nothing, None]) -> object:
    """Answer with a file of the page; without its content if the browser has it."""
    name = call.path.get("file", INDEX)
    if (file := page_files().get(name)) is None:
        raise ApiError(http.NOT_FOUND, "the page has no such file")
    if file.headers["etag"] not in _known(call.request.getHeader(b"if-none-match")):
        return Answer(file.content, headers=file.headers)
    call.request.begin(http.NOT_MODIFIED, **file.headers)
    call.request.finish()  # type: ignore[no-untyped-call]
    return NOT_DONE_YET


def _known(header: bytes | None) -> list[str]:
    """Return the tags that the browser has."""
    return [tag.strip().removeprefix("W/") for tag in (header or b"").decode("latin-1").split(",")]


ANSWERS: dict[int, str] = {200: "the file", 304: "the browser has it, as its If-None-Match says"}

ROUTES: list[Route] = [
    Route(
        "GET",
        "/",
        "Show the live page, for people.",
        show,
        None,
        answers=ANSWERS,
        content_type="text/html",
        is_open=True,
    ),
    Route(
        "GET",
        "/page/{file}",
        "Show a file that the live page needs.",
        show,
        None,
        answers=ANSWERS,
        errors={404: "the page has no such file"},
        content_type="*/*",
        is_open=True,
    ),
]
"""The page needs no token, because it has the form for it."""
