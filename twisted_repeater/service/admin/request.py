"""A request to the administration: it is checked when its head is there, and answered in JSON."""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.web import http
from twisted.web.server import Request

from .answers import Answer, ApiError, json_of

if TYPE_CHECKING:
    from .channel import Channel
    from .routes import Found

__all__ = ["HEADERS", "GuardedRequest"]

HEADERS: dict[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "content-type": "application/json",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of each answer that does not have its own. Texts of strangers are in the answers: no browser may take them
for a page."""


class GuardedRequest(Request):
    """A request whose head is checked before its body is read."""

    channel: Channel
    content: Any
    refusal: ApiError | None = None
    """Why it is not answered."""
    failure: str = ""
    """The error that it was answered with, for the log."""
    closes: bool = False
    """Whether the connection is closed after the answer, because the body is not read."""
    found: Found | None = None
    """The route that answers it."""
    content_types: tuple[bytes, ...] = ()
    """The type of the body; Twisted may not see it, as it would parse a form."""

    def gotLength(self, length: int | None) -> None:
        """Keep the body in memory: its size has been checked, and Twisted would write to a disk. See `IRequest`."""
        self.content = BytesIO()

    def process(self) -> None:
        """Answer the complete request."""
        self.channel.answer_begins()
        if self.refusal is None:
            self.channel.site.responder.respond(self)
        else:
            self.fail(self.refusal)

    def begin(self, status: int = 200, **headers: str) -> None:
        """Set the status and the headers of the answer; an underscore in a name stands for a hyphen."""
        self.setResponseCode(status, HTTPStatus(status).phrase.encode())
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {**HEADERS, **given}.items():
            self.responseHeaders.setRawHeaders(name.encode(), [value.encode()])
        self.responseHeaders.setRawHeaders(b"date", [http.datetimeToString()])

    def answer(self, answer: Answer) -> None:
        """Send an answer."""
        content = answer.content
        body = content if isinstance(content, bytes) else json_of(content) + b"\n"
        self.begin(answer.status, **answer.headers)
        self.responseHeaders.setRawHeaders(b"content-length", [b"%d" % len(body)])
        self.write(body)  # type: ignore[no-untyped-call]
        self.finish()  # type: ignore[no-untyped-call]

    def fail(self, error: ApiError) -> None:
        """Answer with an error."""
        self.failure = error.error
        self.answer(error.answer)

    def begin_long(self) -> None:
        """Begin an answer that others may have their turn before it is complete."""
        self.begin()
        self.channel.site.answers_long(self.channel)

    def become_stream(self) -> None:
        """Let the connection stay open for as long as it takes, besides those that the site counts.

        Whoever calls this has a limit of its own for the number of streams and for the bytes that wait in each.
        """
        self.channel.become_stream()
