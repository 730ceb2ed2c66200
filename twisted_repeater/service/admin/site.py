"""The HTTP server of the administration: which connections and requests it accepts, and how much they may cost.

The administration runs on the reactor that relays messages, and web pages in the browser of somebody who can reach it
can make requests to it. So the cost of every request is bounded, and its head is checked before its body is read. A
request that is refused is answered, and its connection is closed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ..._text import printable, shortened
from ...observers._throttle import LogThrottle

__all__ = ["Answer", "GuardedSite", "host_name", "text"]

MAX_CONNECTIONS = 16
"""How many connections there may be; one more takes the place of the oldest that waits for no answer. They are half of
the file descriptors that are kept for what is no link, so that some are left for name servers, the log and filters."""

MAX_LINE = 8 * 1024
"""The longest line of a head; the first has a client's name, percent-encoded."""

MAX_HEAD = 16 * 1024
MAX_HEADERS = 64

MAX_BODY = 4 * 1024
"""No call takes a body. A body of up to this size, which some tools send all the same, is read and ignored."""

REQUEST_TIMEOUT = 10.0
"""How many seconds after the connection was made, or the last answer was given, a request must be complete."""

ANSWER_TIMEOUT = 60.0
"""How many seconds after that its answer must have been taken."""

CLOSE_TIMEOUT = 5.0
"""How many seconds a connection that took too long may take to close in good order."""

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?", re.ASCII)

log = Logger(namespace="twisted_repeater.service.admin")

Answer = tuple[int, str]
"""A status of HTTP and a line of text."""


def text(request: Request, answer: Answer) -> bytes:
    """Prepare an answer in plain text, and return its body."""
    code, line = answer
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return f"{line}\n".encode()


def _shown(data: bytes) -> str:
    """Return a part of a request as a text that stays on its line, for the log or an answer."""
    return shortened(printable(data.decode("utf-8", "replace")))


class GuardedSite(Site):
    """A site that only answers requests for one of its own names, and bounds the cost of every request.

    Its names are ``localhost``, every loopback address, the address that a connection was made to, and ``hosts``. So it
    refuses pages of other sites, and pages of a name that somebody made lead here.

    It logs calls that change something, and at most one refusal of each kind a second. It does not log each scrape of
    the metrics, which would bury them.
    """

    noisy = False
    displayTracebacks = False

    def __init__(self, root: Resource, hosts: Iterable[str] = (), *, reactor: Any = None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            root, requestFactory=GuardedRequest, timeout=REQUEST_TIMEOUT, reactor=reactor
        )
        self.protocol: Any = _Channel
        self._hosts = frozenset(map(host_name, hosts))
        self._channels: dict[_Channel, None] = {}
        """The connections, the one that was made or used last at the end."""
        self._seldom = LogThrottle(self.reactor)

    # -- connections ------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: Any) -> Any:
        """Make the protocol of a connection. See `IProtocolFactory`."""
        if len(self._channels) >= MAX_CONNECTIONS and not self._make_room():
            return _Full()  # and not None: endpoints that wrap others cannot take that
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
        """A connection was made, or a request on it was answered."""
        self._channels.pop(channel, None)
        self._channels[channel] = None

    def forget(self, channel: _Channel) -> None:
        """A connection is gone."""
        self._channels.pop(channel, None)

    # -- requests ---------------------------------------------------------------------------------------------

    def refusal(self, request: GuardedRequest, path: bytes, version: bytes, length: int | None) -> Answer | None:
        """Return the answer with which a request is refused, ``None`` to accept it. Its body has not been read."""
        headers = request.requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        if len(hosts) > 1 or (not hosts and version != b"HTTP/1.0"):
            return http.BAD_REQUEST, "a request must have one Host"
        if hosts and not self._is_own(hosts[0].decode("ascii", "replace"), request.host):
            return http.FORBIDDEN, f"Host '{_shown(hosts[0])}' is no name of this administration; see --admin-host"
        for origin in headers.getRawHeaders(b"origin", []):
            if not hosts or not _is_of_host(origin, hosts[0]):
                return http.FORBIDDEN, f"a web page of another site, '{_shown(origin)}', may not ask"
        for site in headers.getRawHeaders(b"sec-fetch-site", []):
            if site not in (b"same-origin", b"none"):
                return http.FORBIDDEN, "a web page of another site may not ask"
        if not path.startswith(b"/"):
            return http.BAD_REQUEST, "the path must begin with /"
        if length is None:
            return http.LENGTH_REQUIRED, "a body must come with its Content-Length"
        if length > MAX_BODY:
            return http.REQUEST_ENTITY_TOO_LARGE, f"a body may have {MAX_BODY} bytes at most"
        return None

    def _is_own(self, host: str, address: Any) -> bool:
        """Return whether a Host names this administration; ``address`` is the one that the connection was made to."""
        match = HOST.fullmatch(host)
        if match is None:
            return False
        name = host_name(match[1])
        if name == "localhost" or name in self._hosts:
            return True
        ip = _ip(name)
        return ip is not None and (ip.is_loopback or ip == _ip(getattr(address, "host", "")))

    def takes(self, method: bytes, path: bytes) -> bool:
        """Return whether a path exists and takes this method."""
        node: Any = self.resource
        for part in path.partition(b"?")[0][1:].split(b"/"):
            node = node.getChildWithDefault(unquote_to_bytes(part), None)
        return bool(node.method == method)

    def log(self, request: Any) -> None:
        """A request was answered. See `HTTPFactory`."""
        if request.refusal is None and request.method != b"POST":
            return
        if request.code == http.OK and request.path.startswith(b"/clients/"):
            more: str | None = ""  # each ends a link, so there cannot be too many
        else:
            more = self._seldom.take(request.path if request.code == http.OK else request.code)
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
    """Return a host's name, or its address, in the form in which names are compared."""
    return name.lower().removesuffix(".").removeprefix("[").removesuffix("]")


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address of a text, without its zone; ``None`` if the text is not an address."""
    try:
        ip = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def _is_of_host(origin: bytes, host: bytes) -> bool:
    """Return whether an Origin is the site of this Host, port included."""
    scheme, _, place = origin.lower().partition(b"://")
    port = {b"http": b":80", b"https": b":443"}.get(scheme)
    return port is not None and place.removesuffix(port) == host.lower().removesuffix(port)


class GuardedRequest(Request):
    """A request whose head was checked before its body was read."""

    channel: Any
    refusal: Answer | None = None
    closes = False
    """Whether the connection is closed after the answer, because the body is not read."""

    def process(self) -> None:
        """The request is complete: answer it."""
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

    site: GuardedSite
    transport: Any

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answering = False
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
        """A header is complete; return whether it is well formed. See `HTTPChannel`."""
        try:
            return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]
        except ValueError:  # a Content-Length with more digits than Python reads
            self._respondToBadRequestAndDisconnect()  # type: ignore[no-untyped-call]
            return False

    def allHeadersReceived(self) -> None:
        """The head of a request is there: check it, before its body is read."""
        request, path = self.requests[-1], self._path  # Twisted gives a request its path only after its body
        request.refusal = self.site.refusal(request, path, self._version, self.length)
        if request.refusal is not None or (self.length and not self.site.takes(self._command, path)):
            request.closes = True
            request.requestHeaders.removeHeader(b"expect")
            self.length = 0
        request.requestHeaders.removeHeader(b"content-type")  # so that Twisted does not parse a form
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """Return whether the connection stays open after this request. See `HTTPChannel`."""
        if request.closes:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))  # type: ignore[no-untyped-call]

    def answer_begins(self) -> None:
        """A request is complete."""
        self.answering = True
        self.setTimeout(ANSWER_TIMEOUT)  # type: ignore[no-untyped-call]  # Twisted would set none

    def requestDone(self, request: Any) -> None:
        """A request is answered. If more came after it, that is dropped and the connection is closed.

        Hundreds of requests fit into one read, and Twisted would answer them all before any link has its turn. Most
        tools wait for each answer; those that do not must ask again on another connection.
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
        """A line of the head is too long. See `LineReceiver`."""
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n")
        self.loseConnection()  # type: ignore[no-untyped-call]

    def resetTimeout(self) -> None:
        """Bytes came. They do not prolong the time: a client that sends one now and then must not be waited for."""

    def timeoutConnection(self) -> None:
        """The client took too long: close, and abort if that takes too long as well. Twisted would log each time."""
        if self._timed_out or self.transport.disconnecting:
            self.transport.abortConnection()
        else:
            self._timed_out = True
            self.setTimeout(CLOSE_TIMEOUT)  # type: ignore[no-untyped-call]
            self.loseConnection()  # type: ignore[no-untyped-call]


class _Full(Protocol):
    """Closes at once."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
