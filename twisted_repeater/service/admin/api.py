"""The administration of a running repeater over HTTP: its links, its metrics, and calls for operators."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from twisted.internet.interfaces import IPullProducer
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from ..._link.link import Link, pair_of
from ..._repeater import Repeater
from ..._text import address_text, printable
from ...model import Direction
from ...observers.metrics import MetricsObserver, exposition
from ..recording import ServiceRecording
from .faults import clear_faults, faults_page, remove_fault, set_fault
from .site import Answer, GuardedSite, text

__all__ = ["administration"]

HELP = b"""\
GET  /links                the state of each link, as JSON
GET  /metrics              counters and gauges, for Prometheus
POST /clients/NAME/close   close every link of that client's name
POST /drop-new-clients     refuse newcomers from now on; links stay
POST /accept-new-clients   accept newcomers again
POST /reload               reload the filters
GET  /recording            the state of the recording that --record began, as JSON
POST /recording/stop       end it
POST /recording/start      go on with it
GET  /faults               the faults that are set, as JSON
POST /faults/NAME?fault=F  set a fault, such as latency:seconds=0.1:lasts=60
POST /faults/NAME/remove   remove it
POST /clear-faults         remove all
"""

NO_METRICS = "metrics need prometheus_client (pip install 'twisted_repeater[metrics]')"


def administration(
    repeater: Repeater,
    *,
    reload: Callable[[], str | None],
    metrics: MetricsObserver,
    recording: ServiceRecording | None = None,
    hosts: Iterable[str] = (),
) -> Site:
    """Return a site for the administration of a repeater.

    It has no password: anyone who can connect to it controls the repeater. So listen on loopback or on a Unix socket.
    It answers only requests whose ``Host`` is ``localhost``, a loopback address, the address that the connection was
    made to, or one of ``hosts``, so that web pages in a browser cannot use it.

    Args:
        reload: reloads the filters, and returns the reason if that fails, otherwise ``None``.
        metrics: one of the repeater's observers; ``/metrics`` shows its numbers.
        recording: can be stopped and started; ``None`` if there is none.
        hosts: more names of this site, without a port.
    """

    def drop(request: Request) -> Answer:
        repeater.drop_new_clients()
        return (http.OK, "new clients are refused")

    def accept(request: Request) -> Answer:
        repeater.accept_new_clients()
        return (http.OK, "new clients are accepted")

    def reload_filters(request: Request) -> Answer:
        why = reload()
        return (http.OK, "done; see the log") if why is None else (http.CONFLICT, printable(why))

    root = _Node()
    for path, method, answer in (
        (b"", b"GET", lambda request: HELP),
        (b"links", b"GET", lambda request: _write_links(request, repeater)),
        (b"metrics", b"GET", lambda request: _metrics(request, metrics)),
        (b"drop-new-clients", b"POST", drop),
        (b"accept-new-clients", b"POST", accept),
        (b"reload", b"POST", reload_filters),
        (b"clear-faults", b"POST", lambda request: clear_faults(request, repeater)),
    ):
        root.putChild(path, _Node(method, answer))
    root.putChild(b"clients", _Clients(repeater))
    root.putChild(b"recording", _recording(repeater, recording))
    root.putChild(b"faults", _Faults(repeater))
    return GuardedSite(root, hosts)


class _Node(Resource):
    """A path, which may have others below it; ``answer`` answers requests of one method, if there is one."""

    def __init__(
        self, method: bytes = b"", answer: Callable[[Request], Answer | bytes | int] = lambda request: b""
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.method = method
        self._answer = answer

    def getChild(self, path: bytes, request: Request) -> Resource:
        """See `IResource`."""
        return _Node()

    def render(self, request: Request) -> bytes | int:
        """See `IResource`."""
        if not self.method:
            return text(request, (http.NOT_FOUND, "nothing is here; / lists the paths"))
        if (b"GET" if request.method == b"HEAD" else request.method) != self.method:
            request.setHeader(b"allow", self.method)
            return text(request, (http.NOT_ALLOWED, f"only {self.method.decode()} is allowed here"))
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        request.setHeader(b"cache-control", b"no-store")
        answer = self._answer(request)
        body = text(request, answer) if isinstance(answer, tuple) else answer
        return b"" if request.method == b"HEAD" else body


class _Clients(_Node):
    """``/clients/NAME/close``."""

    def __init__(self, repeater: Repeater) -> None:
        super().__init__()
        self._repeater = repeater

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return the resource of one client. See `IResource`."""
        name = path.decode("utf-8", "surrogateescape")

        def close(request: Request) -> Answer:
            count = len(self._repeater.links(name))
            if not count:
                return (http.NOT_FOUND, f"no client {name!a} is linked")
            self._repeater.close_connection_from_client(name)
            closed = "the link of client {} is closed" if count == 1 else "{count} links of client {} are closed"
            return (http.OK, closed.format(ascii(name), count=count))

        client = _Node()
        client.putChild(b"close", _Node(b"POST", close))
        return client


def _recording(repeater: Repeater, recording: ServiceRecording | None) -> _Node:
    """Return the resource of the recording. A client cannot choose its file, and so write anywhere."""
    if recording is None:
        return _Node(b"GET", lambda request: (http.NOT_FOUND, "there is no recording; the option --record begins one"))

    def state(request: Request) -> bytes:
        request.setHeader(b"content-type", b"application/json")
        return json.dumps(recording.state()).encode() + b"\n"

    def start(request: Request) -> Answer:
        try:
            recording.start(repeater)
        except (OSError, ValueError, RuntimeError) as error:
            return (http.CONFLICT, printable(str(error)))
        return (http.OK, "the traffic is recorded")

    def stop(request: Request) -> Answer:
        recording.stop()
        return (http.OK, "the recording ends")

    node = _Node(b"GET", state)
    node.putChild(b"start", _Node(b"POST", start))
    node.putChild(b"stop", _Node(b"POST", stop))
    return node


class _Faults(_Node):
    """``/faults``, ``/faults/NAME`` and ``/faults/NAME/remove``."""

    def __init__(self, repeater: Repeater) -> None:
        super().__init__(b"GET", lambda request: faults_page(request, repeater))
        self._repeater = repeater

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return the resource of one fault. See `IResource`."""
        name, repeater = path.decode("utf-8", "surrogateescape"), self._repeater
        fault = _Node(b"POST", lambda request: set_fault(request, repeater, name))
        fault.putChild(b"remove", _Node(b"POST", lambda request: remove_fault(request, repeater, name)))
        return fault


def _metrics(request: Request, metrics: MetricsObserver) -> Answer | bytes:
    accept = request.getHeader(b"accept") or b""
    try:
        page, content_type = exposition(metrics, accept.decode("ascii", "replace"))
    except ImportError:
        return (http.NOT_IMPLEMENTED, NO_METRICS)
    request.setHeader(b"content-type", content_type.encode())
    return page


def _write_links(request: Request, repeater: Repeater) -> bytes | int:
    """Begin to write the state of each link as JSON; there may be thousands."""
    request.setHeader(b"content-type", b"application/json")
    if request.method == b"HEAD":
        return b""
    request.registerProducer(_Pieces(request, _links(repeater)), False)
    return NOT_DONE_YET


LINKS_AT_ONCE = 50
"""How many links are written before the reactor can do other work; they take about a millisecond."""


@implementer(IPullProducer)
class _Pieces:
    """Writes an answer piece by piece, as fast as the client receives it."""

    def __init__(self, request: Request, pieces: Iterator[str]) -> None:
        self._request = request
        self._pieces = pieces

    def resumeProducing(self) -> None:
        """See `IPullProducer`."""
        piece = "".join(islice(self._pieces, LINKS_AT_ONCE))
        if piece:
            self._request.write(piece.encode())
        else:
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self) -> None:
        """See `IPullProducer`."""
        self._pieces = iter(())


def _links(repeater: Repeater) -> Iterator[str]:
    """Describe the links, one on each line. A link that has ended meanwhile is left out."""
    before = f'{{"drops_new_clients": {json.dumps(repeater.drops_new_clients)}, "links": ['
    for link in repeater.links():
        if not pair_of(link).over:
            yield f"{before}\n{json.dumps(_link(link))}"
            before = ","
    yield ("" if before == "," else before) + "\n]}\n"


def _link(link: Link) -> dict[str, object]:
    """Describe a link."""
    pair = pair_of(link)
    state = "closing" if pair.closing else "finishing" if pair.finishing else "half gone"
    if pair.active and not pair.finishing:
        state = "stopped" if link.stopped else "active"
    description: dict[str, object] = {
        "id": link.id,
        "client": link.client_name,
        "client_address": address_text(link.client_address),
        "server": link.server_name,
        "server_address": address_text(link.server_address),
        "state": state,
    }
    for direction in Direction:
        messages, size = link.received(direction)
        description[direction.value] = {
            "messages": messages,
            "bytes": size,
            "waiting_bytes": pair.connection(direction.target).outlet.waiting,
            "stopped": direction in link.stopped,
        }
    return description
