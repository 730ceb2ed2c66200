"""A server in the place of the administration, which answers as a test says, and the test case that asks it."""

from __future__ import annotations

import io
import json
import os
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.address import address_of
from twisted_repeater.ctl.administration import Administration
from twisted_repeater.ctl.command import main

__all__ = ["HELD", "LINK", "MESSAGE", "SUMMARY", "CtlCase", "Raw", "Request", "StandIn", "Stream", "event"]

SUMMARY: dict[str, Any] = {
    "name": "orders",
    "dialect": "fix",
    "listen": "tcp:9000",
    "server": "tcp:10.0.0.5:9001",
    "links": 3,
    "drops_new_clients": False,
    "ready": True,
    "received": {"to_server": {"messages": 1204, "bytes": 194_666}, "to_client": {"messages": 0, "bytes": 0}},
    "held": 0,
    "faults": 0,
    "recording": None,
    "started": 1_800_000_000.0,
}

LANE: dict[str, Any] = {
    "messages": 2,
    "bytes": 20,
    "waiting_bytes": 0,
    "behind_bytes": 0,
    "stopped": False,
    "awaits": None,
}

LINK: dict[str, Any] = {
    "id": 7,
    "client": "ann",
    "client_address": "127.0.0.1:5000",
    "server": "quotes",
    "server_address": "127.0.0.1:9001",
    "state": "active",
    "made": 1_800_000_000.0,
    "held": False,
    "last_error": None,
    "to_server": LANE,
    "to_client": LANE,
}

MESSAGE: dict[str, Any] = {
    "n": 1,
    "repeater": "orders",
    "link": 7,
    "client": "ann",
    "time": 1_800_000_000.25,
    "direction": "to_server",
    "origin": "client",
    "number": 4,
    "type": "NewOrderSingle (D)",
    "summary": "38=1000",
    "fields": [["35", "D", "MsgType"], ["38", "1000", None]],
    "decoded": None,
    "verdict": "PASS_ON",
    "by_filter": True,
    "took": None,
    "passed": True,
    "size": 3,
    "bytes": {"base64": "YQFi", "cut": False},
    "forward": None,
    "back": None,
    "redacted": False,
}

HELD: dict[str, Any] = {
    "id": 1,
    "rule": 9,
    "stream": "s1",
    "since": 1_800_000_000.0,
    "until": 1_800_000_060.0,
    "left": 60.0,
    "behind_bytes": 2048,
    "behind_messages": None,
    "message": MESSAGE,
    "settable": ["38"],
}


class Request(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


class Raw(NamedTuple):
    """An answer that need not be JSON."""

    status: int
    body: bytes


class Stream(NamedTuple):
    """An answer that is a stream: it is written as it comes, and stays open until the client leaves, or ends."""

    events: bytes | Iterable[bytes]
    stays: bool = True


def event(kind: str, **data: object) -> bytes:
    """Return an event of a stream."""
    return f"id: 1-1\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


Answers = Callable[[Request], object]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Answer as the test says."""
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query))
        request = Request(self.command, parts.path, query, json.loads(body) if body else None, headers)
        answer = cast(StandIn, self.server).answer(request)
        if isinstance(answer, Stream):
            self.send_response(200)
            self.end_headers()
            for piece in [answer.events] if isinstance(answer.events, bytes) else answer.events:
                self.wfile.write(piece)
            if answer.stays:
                self.rfile.read(1)
            self.close_connection = True
            return
        status, content = answer if isinstance(answer, Raw) else (200, json.dumps(answer).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def address_string(self) -> str:
        """Return no address: a Unix socket has none."""
        return ""

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


class StandIn(ThreadingHTTPServer):
    """The server. ``answers`` maps a method and a path to an answer, or to a function that returns one."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, object] = {"GET /repeaters": {"repeaters": [SUMMARY]}}
        self.requests: list[Request] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def server_bind(self) -> None:
        """Bind, without a look-up of this machine's name."""
        socketserver.TCPServer.server_bind(self)

    def answer(self, request: Request) -> object:
        """Return the answer to a request."""
        self.requests.append(request)
        found = self.answers.get(f"{request.method} {request.path}", Raw(404, b'{"error": "nothing is here"}'))
        return found(request) if callable(found) else found

    def end(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class CtlCase(SynchronousTestCase):
    """A command of ``ctl``, and a server in the place of the administration."""

    def setUp(self) -> None:
        """Start the server. What it has said and what was asked are there at the end."""
        self.server = StandIn()
        self.addCleanup(self.server.end)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.output = io.StringIO()
        self.errors = io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.errors)
        self.patch(os, "environ", os.environ | {"REPEATER_ADMIN": self.url})
        self.patch(time, "localtime", time.gmtime)

    def answer(self, **answers: object) -> None:
        """Say how to answer."""
        self.server.answers.update(answers)

    @property
    def administration(self) -> Administration:
        """The administration, as the package sees it."""
        return Administration(address_of(self.url))

    def ctl(self, *arguments: str) -> int:
        """Obey a command line; return its exit status."""
        return main(list(arguments))

    def printed(self, *arguments: str) -> str:
        """Return the text that a command prints, which goes well."""
        self.assertEqual(self.ctl(*arguments), 0, self.errors.getvalue())
        return self.output.getvalue()

    @property
    def asked(self) -> list[tuple[str, str, Any]]:
        """The requests that came, but for the one that looks for the names of repeaters."""
        return [(it.method, it.path, it.body) for it in self.server.requests if it.path != "/repeaters"]

    def file(self, content: bytes) -> str:
        """Return the name of a file with this content."""
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(content)
        self.addCleanup(os.unlink, file.name)
        return file.name
