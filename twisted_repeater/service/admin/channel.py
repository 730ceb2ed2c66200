"""A connection to the administration: how long it may take, and how much it may send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from .answers import ErrorAnswer, json_of
from .request import HEADERS

if TYPE_CHECKING:
    from .request import GuardedRequest
    from .site import GuardedSite

__all__ = ["Channel", "Full"]

MAX_LINE = 8 * 1024
"""The longest line of a head; the first one has a client's name, percent-encoded."""

MAX_HEAD = 16 * 1024
MAX_HEADERS = 64

ANSWER_TIMEOUT = 60.0
"""How many seconds the client may take to receive the answer."""

CLOSE_TIMEOUT = 5.0
"""How many seconds a connection that took too long may take to close in good order."""

STAYS_OPEN = (http.UNAUTHORIZED, http.NOT_FOUND, http.NOT_ALLOWED)
"""Refusals after which a connection may be used again, if no body comes."""


class Channel(http.HTTPChannel):
    """One connection."""

    maxHeaders = MAX_HEADERS
    totalHeadersSize = MAX_HEAD
    MAX_LENGTH = MAX_LINE

    length: int | None
    persistent: int
    site: GuardedSite
    transport: Any

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answering: bool = False
        self._timed_out = False

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.site.used(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self.site.forget(self)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`. Bytes on a connection that is being closed, which come with TLS, are dropped."""
        if not self.transport.disconnecting:
            super().dataReceived(data)  # type: ignore[no-untyped-call]

    def headerReceived(self, line: bytes) -> bool:
        """Return whether a header is well formed. See `HTTPChannel`."""
        try:
            return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]
        except ValueError:  # a Content-Length with more digits than Python reads
            self._respondToBadRequestAndDisconnect()
            return False

    def allHeadersReceived(self) -> None:
        """Check the head of a request before its body is read. See `HTTPChannel`."""
        request = self.requests[-1]
        request.content_types = tuple(request.requestHeaders.getRawHeaders(b"content-type", []))
        request.requestHeaders.removeHeader(b"content-type")  # so that Twisted does not parse a form
        request.parseCookies()
        # Twisted gives a request its path only after its body.
        request.refusal = self.site.refusal(request, self._command, self._path, self._version, self.length)
        if request.refusal is not None:
            request.closes = bool(self.length) or request.refusal.status not in STAYS_OPEN
            request.requestHeaders.removeHeader(b"expect")
            self.length = 0
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def checkPersistence(self, request: GuardedRequest, version: bytes) -> bool:
        """Return whether the connection stays open after this request. See `HTTPChannel`."""
        if request.closes:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))  # type: ignore[no-untyped-call]

    def answer_begins(self) -> None:
        """Note that a request is complete."""
        self.answering = True
        self.setTimeout(ANSWER_TIMEOUT)  # type: ignore[no-untyped-call]  # Twisted would set none

    def become_stream(self) -> None:
        """Stay open, and do not count any longer."""
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._savedTimeOut = None
        self.persistent = 0
        self.site.streams(self)

    def requestDone(self, request: GuardedRequest) -> None:
        """End a request that was answered. If more bytes came after it, drop them and close the connection.

        Hundreds of requests fit into one read, and Twisted would answer them all before it reads from any link. Most
        tools wait for each answer; others must ask again on another connection.
        """
        self.answering = False
        if self.clearLineBuffer():  # type: ignore[no-untyped-call]
            self.persistent = 0
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if self.persistent and self.clearLineBuffer():  # type: ignore[no-untyped-call]
            self.persistent = 0  # these bytes came in one read with the end of a body, which Twisted keeps elsewhere
            self.loseConnection()  # type: ignore[no-untyped-call]
        elif self.persistent:
            self.site.used(self)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a head with a long line. See `LineReceiver`."""
        self._end_with(b"431 Request Header Fields Too Large", "a line of the head is too long")

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Answer what is not HTTP. Twisted calls this, and would send no reason."""
        self._end_with(b"400 Bad Request", "this is not a request of HTTP/1.1 with a head of at most 16 KiB")

    def _end_with(self, status: bytes, error: str) -> None:
        """Answer where there is no request yet, and close."""
        body = json_of(ErrorAnswer(error)) + b"\n"
        headers = {**HEADERS, "connection": "close", "content-length": str(len(body))}
        lines = [b"HTTP/1.1 " + status, *(f"{name}: {value}".encode() for name, value in headers.items()), b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.loseConnection()  # type: ignore[no-untyped-call]

    def resetTimeout(self) -> None:
        """Do nothing when bytes come, so that a client that sends a byte now and then does not get more time."""

    def timeoutConnection(self) -> None:
        """Close because the client took too long; abort if that takes too long, too. Twisted would log each time."""
        if self._timed_out or self.transport.disconnecting:
            self.transport.abortConnection()
        else:
            self._timed_out = True
            self.setTimeout(CLOSE_TIMEOUT)  # type: ignore[no-untyped-call]
            self.loseConnection()  # type: ignore[no-untyped-call]


class Full(Protocol):
    """A connection that is closed at once, because there are too many."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
