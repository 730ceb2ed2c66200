"""Where the administration is."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPSConnection
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.address import address_of
from twisted_repeater.ctl.administration import Administration
from twisted_repeater.ctl.errors import Unusable


class AddressTests(SynchronousTestCase):
    """`address_of`."""

    def test_tcp(self) -> None:
        """An address on TCP has a host, and may have a port and a prefix."""
        address = address_of("http://edge.example:8090/edge/")
        self.assertEqual(address[1:], ("http", "edge.example", 8090, "/edge"))
        self.assertEqual(address_of("https://[::1]")[1:], ("https", "::1", None, ""))

    def test_unix(self) -> None:
        """That of a Unix socket has its path; slashes as in a URL are not part of it."""
        self.assertEqual(address_of("unix:/run/edge admin")[1:3], ("unix", "/run/edge admin"))
        self.assertEqual(address_of("unix:///run/edge")[1:3], ("unix", "/run/edge"))

    def test_wrong(self) -> None:
        """Anything else is refused, with what is expected."""
        for text in (
            "",
            "unix:",
            "127.0.0.1:8090",
            "tcp:8090:interface=127.0.0.1",
            "http://",
            "http://a:b",
            "http://a/?b=c",
            "http://[::1",
        ):
            error = self.assertRaises(Unusable, address_of, text)
            self.assertIn("expected http://HOST:PORT, https://HOST:PORT or unix:PATH", str(error))
            self.assertIn(repr(text), str(error))


class ConnectionTests(SynchronousTestCase):
    """`Address.connection`."""

    def test_tls(self) -> None:
        """``https`` is TLS."""
        connection = address_of("https://edge.example").connection(3.0)
        self.assertIsInstance(connection, HTTPSConnection)
        self.assertEqual((connection.host, connection.port, connection.timeout), ("edge.example", 443, 3.0))

    def test_unix(self) -> None:
        """A Unix socket is connected to, and the request is for this machine."""
        path = self.mktemp()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            asked: list[bytes] = []

            def answer() -> None:
                connected, _ = listening.accept()
                with connected:
                    asked.append(connected.recv(65536))
                    connected.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"links": 2}')

            thread = threading.Thread(target=answer)
            thread.start()
            self.assertEqual(Administration(address_of(f"unix:{path}")).get("x"), {"links": 2})
            thread.join()
        self.assertIn(b"GET /x HTTP/1.1\r\nHost: localhost\r\n", asked[0])
