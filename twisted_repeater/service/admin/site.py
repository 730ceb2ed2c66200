"""The HTTP server of the administration: which connections and requests it accepts, and how much they may cost.

The administration runs on the reactor that relays messages, and web pages in the browser of somebody who can reach it
can make requests to it. So the cost of every request is bounded, and its head is checked before its body is read. A
request that is refused is answered, and its connection is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ..._text import printable, shortened
from ..._types import Reactor
from ...observers._throttle import LogThrottle
from ..addresses import HOST, ip_of

__all__ = ["Answer", "GuardedSite", "host_name", "text"]

MAX_CONNECTIONS = 16
"""How many connections there may be; one more replaces the oldest one that does not wait for an answer. This is half of
the descriptors that are reserved for everything but links, so that some are left for name servers, the log, filters."""

MAX_LINE = 8 * 1024
"""The longest line of a head; the first one has a client's name, percent-encoded."""

MAX_HEAD = 16 * 1024
MAX_HEADERS = 64

MAX_BODY = 4 * 1024
"""No call needs a body, but some tools send one. Up to this size it is read and ignored."""

REQUEST_TIMEOUT = 10.0
"""How many seconds a request may take, from the connection or the last answer until it is complete."""

ANSWER_TIMEOUT = 60.0
"""How many seconds the client may take to receive the answer."""

CLOSE_TIMEOUT = 5.0
"""How many seconds a connection that took too long may take to close in good order."""

HOST_AND_PORT = re.compile(rf"({HOST})(?::[0-9]{{0,5}})?", re.ASCII)

log: Logger = Logger()

Answer = tuple[int, str]
"""An HTTP status and a line of text."""


def text(request: Request, answer: Answer) -> bytes:
    """Prepare an answer in plain text, and return its body."""
    code, line = answer
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return f"{line}\n".encode()


def _shown(data: bytes) -> str:
    """Return a part of a request as text on one line, for the log or an answer."""
    return shortened(printable(data.decode("utf-8", "replace")))


class GuardedSite(Site):
    """A site that answers only requests for one of its own names, and bounds the cost of every request.

    Its names are ``localhost``, every loopback address, the address that a connection was made to, and ``hosts``. So it
    refuses requests of other sites' pages, also if their name was made to resolve to this address (DNS rebinding).

    It logs calls that change something, and at most one refusal of each kind a second, but not each read of the
    metrics.
    """

    noisy = False
    displayTracebacks = False

    def __init__(self, root: Resource, hosts: Iterable[str] = (), *, reactor: Reactor = None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            root, requestFactory=GuardedRequest, timeout=REQUEST_TIMEOUT, reactor=reactor
        )
        self.protocol: Any = _Channel
        self._hosts = frozenset(map(host_name, hosts))
        self._channels: dict[_Channel, None] = {}
        """The connections, the one that was used last at the end."""
        self._throttle = LogThrottle(self.reactor)

    # -- connections ------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make the protocol of a connection. See `IProtocolFactory`."""
        if len(self._channels) >= MAX_CONNECTIONS and not self._make_room():
            return _Full()  # not None, which endpoints that wrap others cannot handle
        return super().buildProtocol(addr)  # type: ignore[no-untyped-call]

    def _make_room(self) -> bool:
        """Abort the oldest connection whose request is not being answered."""
        for channel in self._channels:
            if not channel.answering:
                self.forget(channel)
                channel.transport.abortConnection()
                return True
        return False

    def used(self, channel: _Channel) -> None:
        """Note that a connection was made, or that a request on it was answered."""
        self._channels.pop(channel, None)
        self._channels[channel] = None

    def forget(self, channel: _Channel) -> None:
        """Note that a connection is gone."""
        self._channels.pop(channel, None)

    # -- requests ---------------------------------------------------------------------------------------------

    def refusal(self, request: GuardedRequest, path: bytes, version: bytes, length: int | None) -> Answer | None:
        """Return the answer that refuses a request, ``None`` to accept it. Its body has not been read."""
        headers = request.requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        if len(hosts) > 1 or (not hosts and version != b"HTTP/1.0"):
            return http.BAD_REQUEST, "a request must have one Host"
        if hosts and not self._is_own(hosts[0].decode("ascii", "replace"), request.host):
            return http.FORBIDDEN, f"Host '{_shown(hosts[0])}' is not a name of this administration; see --admin-host"
        for origin in headers.getRawHeaders(b"origin", []):
            if not hosts or not _is_of_host(origin, hosts[0]):
                return http.FORBIDDEN, f"a web page of another site, '{_shown(origin)}', may not use the administration"
        for site in headers.getRawHeaders(b"sec-fetch-site", []):
            if site not in (b"same-origin", b"none"):
                return http.FORBIDDEN, "a web page of another site may not use the administration"
        if not path.startswith(b"/"):
            return http.BAD_REQUEST, "the path must begin with /"
        if length is None:
            return http.LENGTH_REQUIRED, "a body must have a Content-Length"
        if length > MAX_BODY:
            return http.REQUEST_ENTITY_TOO_LARGE, f"a body may have at most {MAX_BODY} bytes"
        return None

    def _is_own(self, host: str, address: object) -> bool:
        """Return whether a Host is a name of this administration; ``address`` is its end of the connection."""
        match = HOST_AND_PORT.fullmatch(host)
        if match is None:
            return False
        name = host_name(match[1])
        if name == "localhost" or name in self._hosts:
            return True
        ip = ip_of(name)
        return ip is not None and (ip.is_loopback or ip == ip_of(getattr(address, "host", "")))

    def takes(self, method: bytes, path: bytes) -> bool:
        """Return whether a path exists and takes this method."""
        node: Any = self.resource
        for part in path.partition(b"?")[0][1:].split(b"/"):
            node = node.getChildWithDefault(unquote_to_bytes(part), None)
        return bool(node.method == method)

    def log(self, request: Any) -> None:
        """Log a request that was answered. See `HTTPFactory`."""
        if request.refusal is None and request.method != b"POST":
            return
        if request.code == http.OK and request.path.startswith(b"/clients/"):
            more: str | None = ""  # each ends a link, so there cannot be too many
        else:
            more = self._throttle.take(request.path if request.code == http.OK else request.code)
        if more is not None:
            log.info(
                "administration: {method} {path}: {code}{why}{more}",
                method=_shown(request.method),
                path=_shown(request.path),
                code=request.code,
                why="" if request.refusal is None else f", {request.refusal[1]}",
                more=more,
            )


def host_name(name: str) -> str:
    """Return a host's name or address in the form in which names are compared."""
    return name.lower().removesuffix(".").removeprefix("[").removesuffix("]")


def _is_of_host(origin: bytes, host: bytes) -> bool:
    """Return whether an Origin is the site of this Host, port included."""
    scheme, _, place = origin.lower().partition(b"://")
    port = {b"http": b":80", b"https": b":443"}.get(scheme)
    return port is not None and place.removesuffix(port) == host.lower().removesuffix(port)


class GuardedRequest(Request):
    """A request whose head is checked before its body is read."""

    channel: _Channel
    refusal: Answer | None = None
    closes: bool = False
    """Whether the connection is closed after the answer, because the body is not read."""

    def process(self) -> None:
        """Answer the complete request."""
        self.channel.answer_begins()
        if self.refusal is None:
            super().process()  # type: ignore[no-untyped-call]
            return
        body = text(self, self.refusal)
        self.responseHeaders.setRawHeaders(b"content-length", [b"%d" % len(body)])
        self.write(body)  # type: ignore[no-untyped-call]
        self.finish()  # type: ignore[no-untyped-call]


class _Channel(http.HTTPChannel):
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
            self._respondToBadRequestAndDisconnect()  # type: ignore[no-untyped-call]
            return False

    def allHeadersReceived(self) -> None:
        """Check the head of a request before its body is read. See `HTTPChannel`."""
        request, path = self.requests[-1], self._path  # Twisted gives a request its path only after its body
        request.refusal = self.site.refusal(request, path, self._version, self.length)
        if request.refusal is not None or (self.length and not self.site.takes(self._command, path)):
            request.closes = True
            request.requestHeaders.removeHeader(b"expect")
            self.length = 0
        request.requestHeaders.removeHeader(b"content-type")  # so that Twisted does not parse a form
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
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n")
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


class _Full(Protocol):
    """A connection that is closed at once, because there are too many."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
