"""The HTTP server of the administration: which connections and requests it accepts, and how much they may cost.

The administration runs on the reactor that relays messages, and web pages in the browser of somebody who can reach it
can make requests to it. So the cost of every request is bounded, and its head is checked before its body is read. A
request that is refused is answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import Site

from ..._text import printable, shortened
from ..._types import Reactor
from ...observers._throttle import LogThrottle
from ..addresses import HOST, ip_of
from .answers import ApiError
from .channel import Channel, Full
from .request import GuardedRequest

if TYPE_CHECKING:
    from .routes import Found

__all__ = ["GuardedSite", "Responder", "host_name"]

MAX_CONNECTIONS = 16
"""How many connections there may be, besides streams; one more replaces the oldest one that does not wait for an
answer. This is half of the descriptors that are reserved for everything but links, so that some are left for streams,
name servers, the log, filters."""

REQUEST_TIMEOUT = 10.0
"""How many seconds a request may take, from the connection or the last answer until it is complete."""

HOST_AND_PORT = re.compile(rf"({HOST})(?::[0-9]{{0,5}})?", re.ASCII)

CHANGING = (b"POST", b"PUT", b"DELETE")

log: Logger = Logger()


class Responder(Protocol):
    """Answers the requests that are not refused."""

    def admit(self, request: GuardedRequest, method: bytes, path: bytes) -> Found:
        """Return the route of a request whose head is there; raise `ApiError` to refuse it."""

    def respond(self, request: GuardedRequest) -> None:
        """Answer a request that is complete."""

    def use_token(self, token: str | None) -> bool:
        """Ask for this token from now on. Return whether it is another one than before."""

    def release_held(self, repeater: str | None = None) -> None:
        """Release what is held of a repeater, or of all, and hold no more of it."""

    def ended(self) -> None:
        """Note that no more requests come."""


class GuardedSite(Site):
    """A site that answers only requests for one of its own names, and bounds the cost of every request.

    Its names are ``localhost``, every loopback address, the address that a connection was made to, and ``hosts``. So it
    refuses requests of other sites' pages, also if their name was made to resolve to this address (DNS rebinding).

    It logs calls that change something, and at most one refusal of each kind a second, but not each read of the
    metrics.
    """

    noisy = False
    displayTracebacks = False

    def __init__(self, responder: Responder, hosts: Iterable[str] = (), *, reactor: Reactor = None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            Resource(),
            requestFactory=GuardedRequest,
            timeout=REQUEST_TIMEOUT,
            reactor=reactor,
        )
        self.responder: Responder = responder
        self.protocol: Any = Channel
        self._hosts = frozenset(map(host_name, hosts))
        self._channels: dict[Channel, None] = {}
        """The connections, the one that was used last at the end."""
        self._streams: set[Channel] = set()
        self._long: set[Channel] = set()
        """The connections whose answer is long, and has begun."""
        self._throttle = LogThrottle(self.reactor)

    def configure(self, *, hosts: Iterable[str], token: str | None) -> None:
        """Use other names and another token from now on; a reload may change them.

        If it is another token, answers that go on are cut off: whoever asked for them may know only the old one.
        """
        self._hosts = frozenset(map(host_name, hosts))
        if self.responder.use_token(token):
            for channel in [*self._streams, *self._long]:
                channel.transport.abortConnection()

    def release_held(self, repeater: str | None = None) -> None:
        """Release the messages of a repeater that are held, or those of all, because it is being drained."""
        self.responder.release_held(repeater)

    # -- connections ------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make the protocol of a connection. See `IProtocolFactory`."""
        if len(self._channels) >= MAX_CONNECTIONS and not self._make_room():
            return Full()  # not None, which endpoints that wrap others cannot handle
        return super().buildProtocol(addr)  # type: ignore[no-untyped-call]

    def _make_room(self) -> bool:
        """Abort the oldest connection whose request is not being answered."""
        for channel in self._channels:
            if not channel.answering:
                self.forget(channel)
                channel.transport.abortConnection()
                return True
        return False

    def used(self, channel: Channel) -> None:
        """Note that a connection was made, or that a request on it was answered."""
        self._channels.pop(channel, None)
        self._channels[channel] = None
        self._long.discard(channel)

    def streams(self, channel: Channel) -> None:
        """Note that a connection has become a stream."""
        self._channels.pop(channel, None)
        self._streams.add(channel)

    def answers_long(self, channel: Channel) -> None:
        """Note that a long answer has begun."""
        self._long.add(channel)

    def forget(self, channel: Channel) -> None:
        """Note that a connection is gone."""
        self._channels.pop(channel, None)
        self._long.discard(channel)
        self._streams.discard(channel)

    def stopFactory(self) -> None:
        """Abort all connections, as nobody listens any longer. See `IProtocolFactory`."""
        super().stopFactory()
        self.responder.ended()
        for channel in [*self._channels, *self._streams]:
            channel.transport.abortConnection()

    # -- requests ---------------------------------------------------------------------------------------------

    def refusal(
        self, request: GuardedRequest, method: bytes, path: bytes, version: bytes, length: int | None
    ) -> ApiError | None:
        """Return the error that refuses a request, ``None`` to accept it. Its body has not been read."""
        try:
            self._check_names(request, version)
            if not path.startswith(b"/"):
                raise ApiError(http.BAD_REQUEST, "the path must begin with /")
            request.found = found = self.responder.admit(request, method, path)
            _check_body(request, length, found.route.max_body)
        except ApiError as refusal:
            return refusal
        return None

    def _check_names(self, request: GuardedRequest, version: bytes) -> None:
        """Raise `ApiError` unless a request is for one of our names, and no page of another site makes it."""
        headers = request.requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        if len(hosts) > 1 or (not hosts and version != b"HTTP/1.0"):
            raise ApiError(http.BAD_REQUEST, "a request must have one Host")
        if hosts and not self._is_own(hosts[0].decode("ascii", "replace"), request.host):
            own = f"Host '{_shown(hosts[0])}' is not a name of this administration; see --admin-host"
            raise ApiError(http.FORBIDDEN, own)
        for origin in headers.getRawHeaders(b"origin", []):
            if not hosts or not _is_of_host(origin, hosts[0]):
                stranger = f"a web page of another site, '{_shown(origin)}', may not use the administration"
                raise ApiError(http.FORBIDDEN, stranger)
        for site in headers.getRawHeaders(b"sec-fetch-site", []):
            if site not in (b"same-origin", b"none"):
                raise ApiError(http.FORBIDDEN, "a web page of another site may not use the administration")

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

    def log(self, request: Any) -> None:
        """Log a request that was answered. See `HTTPFactory`."""
        if request.refusal is None and request.method not in CHANGING:
            return
        frequent = request.found is not None and request.found.route.frequent
        if request.code == http.OK and frequent:
            more: str | None = ""
        else:
            more = self._throttle.take(request.path if request.code == http.OK else request.code)
        if more is not None:
            log.info(
                "administration: {method} {path}: {code}{why}{more}",
                method=_shown(request.method),
                path=_shown(request.path),
                code=request.code,
                why=request.failure and f", {request.failure}",
                more=more,
            )


def _check_body(request: GuardedRequest, length: int | None, most: int) -> None:
    """Raise `ApiError` if the body that a request announces may not come."""
    if length is None:
        raise ApiError(http.LENGTH_REQUIRED, "a body must have a Content-Length")
    if length > most:
        raise ApiError(http.REQUEST_ENTITY_TOO_LARGE, f"a body may have at most {most} bytes here")
    kinds = request.content_types
    if length and (len(kinds) != 1 or not re.fullmatch(rb"application/json(\s*;.*)?", kinds[0].strip().lower())):
        shown = _shown(b", ".join(kinds)) or "none"
        raise ApiError(http.UNSUPPORTED_MEDIA_TYPE, f"the Content-Type must be application/json, not {shown}")


def _shown(data: bytes) -> str:
    """Return a part of a request as text on one line, for the log or an answer."""
    return shortened(printable(data.decode("utf-8", "replace")))


def host_name(name: str) -> str:
    """Return a host's name or address in the form in which names are compared."""
    return name.lower().removesuffix(".").removeprefix("[").removesuffix("]")


def _is_of_host(origin: bytes, host: bytes) -> bool:
    """Return whether an Origin is the site of this Host, port included."""
    scheme, _, place = origin.lower().partition(b"://")
    port = {b"http": b":80", b"https": b":443"}.get(scheme)
    return port is not None and place.removesuffix(port) == host.lower().removesuffix(port)
