"""The administration of real processes of ``twistd repeater``: a token that a reload changes, and cookies."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import signal
import socket
import urllib.error
import urllib.request

from .programs import LONGEST, Program, ProgramCase

CONFIGURATION = """
admin = "tcp:0:interface=127.0.0.1"
admin-token-file = "token"
[repeater.edge]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:1"
dialect = "lines"
"""

OLD, NEW = "old-0123456789abcdef", "new-0123456789abcdef"


class Browser:
    """Keeps cookies as a browser does: by host, whatever the port."""

    def __init__(self) -> None:
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def ask(self, port: int, method: str, path: str, body: object = None) -> int:
        """Make a call, and return its status."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
        try:
            with self._opener.open(request, timeout=LONGEST) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


class AdministrationCase(ProgramCase):
    """A test case with administrations that need a token."""

    def start(self) -> tuple[Program, int]:
        """Start a repeater, and return it with the port of its administration."""
        self.path("edge.toml").write_text(CONFIGURATION)
        self.write_token(OLD)
        program = self.run_twistd("repeater", "--config", "edge.toml")
        port = int(program.wait_for(r"GuardedSite starting on (\d+)")[1])
        program.wait_for("accepting clients at")
        return program, port

    def write_token(self, token: str) -> None:
        """Write the file of the token."""
        self.path("token").touch(0o600)
        self.path("token").write_text(token)

    def browser(self, *ports: int) -> Browser:
        """Return a browser that has logged in at these ports."""
        browser = Browser()
        for port in ports:
            self.assertEqual(browser.ask(port, "POST", "/session", {"token": OLD}), 200)
        return browser

    def bearing(self, port: int, token: str, path: str = "/repeaters") -> http.client.HTTPResponse:
        """Make a call with a token."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse()


class TokenTests(AdministrationCase):
    """A token that is changed."""

    def test_changed(self) -> None:
        """After a reload the old token opens nothing: no calls, sessions, streams, nor requests that are under way."""
        program, port = self.start()
        browser = self.browser(port)
        stream = self.bearing(port, OLD, "/repeaters/edge/stream")
        self.assertEqual(stream.readline()[:4], b"id: ")
        with socket.create_connection(("127.0.0.1", port), LONGEST) as late:
            head = f"POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OLD}\r\n"
            late.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n".encode())
            self.assertEqual(self.bearing(port, OLD).status, 200)  # so the head has been read, too
            self.write_token(NEW)
            program.send_signal(signal.SIGHUP)
            program.wait_for("reloaded; applied: admin-token-file")
            late.sendall(b"{}")
            self.assertEqual(late.recv(12), b"HTTP/1.1 401")
        self.assertRaises((http.client.IncompleteRead, ConnectionError), self.read_all, stream)
        self.assertEqual(browser.ask(port, "GET", "/repeaters"), 401)
        self.assertEqual((self.bearing(port, OLD).status, self.bearing(port, NEW).status), (401, 200))
        self.assertEqual(program.output.count("reloaded"), 1)

    def read_all(self, stream: http.client.HTTPResponse) -> None:
        """Read a stream until its end."""
        stream.read()


class CookieTests(AdministrationCase):
    """Two administrations of one host."""

    def test_two(self) -> None:
        """To log in or out at one does not log a browser out at the other."""
        (_, one), (_, two) = self.start(), self.start()
        browser = self.browser(one, two)
        self.assertEqual([browser.ask(port, "GET", "/repeaters") for port in (one, two)], [200, 200])
        self.assertEqual(browser.ask(one, "DELETE", "/session"), 200)
        self.assertEqual([browser.ask(port, "GET", "/repeaters") for port in (one, two)], [401, 200])
