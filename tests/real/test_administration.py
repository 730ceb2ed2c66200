"""The administration of a real process, tried by schemathesis, which invents requests from its OpenAPI document."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sysconfig
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..needed import cannot_test
from ..programs import LONGEST, ProgramCase

SCHEMATHESIS = Path(sysconfig.get_path("scripts"), "schemathesis")

CONFIGURATION = """
admin = "tcp:0:interface=127.0.0.1"

[repeater.orders]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:{port}"
dialect = "lines"
record = "traffic.db"

[repeater.other]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:{port}"
dialect = "lines"
"""

SETTINGS = """
[parameters]
"path.repeater" = "orders"
"path.link" = 1
"path.client" = "{client}"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""

LEFT_OUT = ("/drain", "/repeaters/{repeater}/stream")
"""One ends the process, the other never ends."""


class AdministrationTests(ProgramCase):
    """A process with two repeaters, and a link."""

    def start(self) -> None:
        """Start the process, and link a client."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.path("edge.toml").write_text(CONFIGURATION.format(port=listener.getsockname()[1]))
        self.twistd = self.run_twistd("repeater", "--config=edge.toml")
        self.port = int(self.twistd.wait_for(r"GuardedSite starting on (\d+)")[1])
        self.twistd.wait_for("accepting clients at", times=2)
        address = self.get("/repeaters/orders")["listen"].rpartition(":")[2]
        self.client = socket.create_connection(("127.0.0.1", int(address)), LONGEST)
        self.addCleanup(self.client.close)
        self.client.sendall(b"first\n")
        self.server, _ = listener.accept()
        self.addCleanup(self.server.close)
        self.server.settimeout(LONGEST)
        self.received = b""
        self.still_relays("first")

    def still_relays(self, text: str) -> None:
        """Check that the link works."""
        if text != "first":
            self.client.sendall(f"{text}\n".encode())
        while f"{text}\n".encode() not in self.received:
            data = self.server.recv(1 << 16)
            self.assertTrue(data, self.received)
            self.received += data

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """Connect to the administration."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)) as connection:
            yield connection

    def get(self, path: str) -> Any:
        """Return what a path shows."""
        with self.connection() as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            return json.load(answer)

    def send(self, body: bytes, kind: str = "application/json") -> int:
        """Try to send a message to the server; return the status of the answer, 0 if the connection was closed."""
        headers = {"Content-Type": kind}
        with self.connection() as connection:
            try:
                connection.request("POST", "/repeaters/orders/links/1/send", body, headers)
                return connection.getresponse().status
            except OSError:  # the answer was lost, as the connection was closed before all was read
                return 0

    def test_requests(self) -> None:
        """Whatever is asked, as described or not, is answered as described; nothing holds the link up."""
        if not SCHEMATHESIS.exists():
            cannot_test("schemathesis is missing: pip install 'twisted_repeater[test]'")
        self.start()
        self.make_hostile_requests()
        self.still_relays("second")
        self.invent_requests()
        self.still_relays("third")
        self.assertTrue(self.get("/readyz")["ready"])
        self.assertNotIn("Traceback", self.twistd.output)

    def invent_requests(self) -> None:
        """Let schemathesis invent requests, and check all answers."""
        client = self.get("/repeaters/orders/links/1")["client"]
        self.path("schemathesis.toml").write_text(SETTINGS.format(client=client))
        url = f"http://127.0.0.1:{self.port}/openapi.json"
        command = [str(SCHEMATHESIS), "run", url, "--checks=all", "--phases=fuzzing", "--max-examples=1", "--seed=14"]
        command += ["--generation-database=none", "--no-color"]
        command += ["--exclude-path-regex=/(close|hold)$"]
        for path in LEFT_OUT:
            command += ["--exclude-path", path]
        status, told, errors = self.ask(*command)
        self.assertEqual(status, 0, told + errors)
        tested = re.search(r"Tested: (\d+)", told)
        assert tested is not None, told
        self.assertGreater(int(tested[1]), 30)

    def make_hostile_requests(self) -> None:
        """Send slow heads, and bodies that are huge, deep or wrong; see that they are refused, and a good one not."""
        slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(20)]
        for each in slow:
            self.addCleanup(each.close)
            each.sendall(b"GET / HTTP/1.1\r\nHost:")
        size = (2 << 20) - 40
        for body in (
            b"[" * size,
            b'{"a":' * (size // 5),
            b"9" * size,
            b'{"x": [' + b"1.0," * (size // 4),
            b'"' + b"\\" * size,
        ):
            self.assertEqual(self.send(body), 400, body[:10])
        self.assertEqual(self.send(b'{"direction": "to_server", "message": {"text": "good"}}'), 200)
        self.assertIn(self.send(bytes(24 << 20), "multipart/form-data; boundary=x"), (413, 415, 0))
        self.assertIn(self.send(bytes(24 << 20)), (413, 0))
