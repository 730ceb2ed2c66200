"""What is wrong with the text of an endpoint."""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.endpoint_texts import Bound, admin, bound_by, check_free, listening, server

from ..sockets.endpoints_case import NO_IPV6


class EndpointTextTests(SynchronousTestCase):
    """Texts of endpoints."""

    def assert_wrong(self, read: Callable[[str], str], *cases: tuple[str, str]) -> None:
        """These descriptions are refused, with these ends of messages."""
        for description, text in cases:
            error = str(self.assertRaises(ValueError, read, description))
            self.assertTrue(error.startswith("must "), error)
            self.assertTrue(error.endswith(f", not {description!r}{text}"), error)

    def test_good(self) -> None:
        """A description that may be used is returned as it is."""
        for text in [
            "tcp:9000",
            "tcp:0:interface=127.0.0.1",
            "tcp:port=9000",
            r"tcp6:0:interface=\:\:1",
            "haproxy:tcp:9000",
            "unix:/tmp/x",
            "unix:relative/x",
            "unix:address=x",
            "stdio:",
        ]:
            self.assertEqual(listening(text), text)
        for text in [
            "tcp:h:1",
            "TCP:h:1",
            "tcp:host=h:1",
            "tcp:port=1:host=h",
            "unix:/nowhere/x",
            "tls:example.org:443:endpoint=tcp\\:127.0.0.1\\:1",
        ]:
            self.assertEqual(server(text), text)

    def test_listening(self) -> None:
        """A wrong place to listen is refused, and what is meant is told if it can be guessed."""
        self.assert_wrong(
            listening,
            ("tcp", ": it needs a port"),
            ("tcp:", ": it needs a port"),
            ("tcp:http", ": its port must be a number, not 'http'"),
            ("tcp:-1", ": its port must be a number, not '-1'"),
            ("tcp:65536", ": its port must be 0 to 65535"),
            ("haproxy:tcp:port=70000", ": its port must be 0 to 65535"),
            ("9000", "; did you mean tcp:9000?"),
            ("localhost:9000", "; did you mean tcp:9000:interface=127.0.0.1?"),
            ("10.1.0.1:9000", "; did you mean tcp:9000:interface=10.1.0.1?"),
            ("http://example.org", "; it is no URL: write tcp:PORT"),
            ("", ": write tcp:PORT"),
            ("pigeon", ": write tcp:PORT"),
            ("unix:", ": it needs a path"),
            ("unix:/nowhere/x", ": there is no directory '/nowhere'"),
        )

    def test_server(self) -> None:
        """So is a server that cannot be reached, or not safely."""
        ours = "ssl: does not check whose certificate the server has; write tls:HOST:PORT, which does, and add "
        self.assert_wrong(
            server,
            ("tcp:h", ": it needs a port"),
            ("tls:example.org", ": it needs a port"),
            ("tcp:h:http", ": its port must be a number, not 'http'"),
            ("tcp:h:0", ": its port must be 1 to 65535"),
            ("tls:x:port=70000", ": its port must be 1 to 65535"),
            ("9001", "; did you mean tcp:127.0.0.1:9001?"),
            ("localhost:9001", "; did you mean tcp:localhost:9001?"),
            ("https://example.org", "; it is no URL: write tcp:HOST:PORT"),
            ("localhost", ": write tcp:HOST:PORT"),
            ("tcp::9001", ": the server's host must be an address or a host name, not ''"),
            ("ssl:h:9001", f": {ours}trustRoots=DIRECTORY for certificates of your own"),
            ("unix:", ": the path of the server's socket is missing"),
        )

    def test_admin(self) -> None:
        """The administration must say who can connect to it; only the owner of a Unix socket, unless it has a mode."""
        self.assertEqual(admin("tcp:1:interface=127.0.0.1"), "tcp:1:interface=127.0.0.1")
        self.assertEqual(admin("systemd:domain=UNIX:index=0"), "systemd:domain=UNIX:index=0")
        for text, expected in [("unix:x", "unix:x:mode=600"), ("unix:x:640", "unix:x:640"), ("unix:x:mode=6", None)]:
            self.assertEqual(admin(text), expected or text)
        no_interface = (
            "tcp:8090",
            "ssl:8090",
            "tls:/keys:443",
            "tcp6:8090",
            "tcp:8090:interface=",
            "tcp:8090:interface=127.0.0.1:interface=",
            r"tcp:8090:interface=127.0.0.1:interf\ace=",
            r"tcp:8090:backlog=1\:interface=127.0.0.1",
        )
        who = ": anyone who can connect controls the repeater"
        self.assert_wrong(
            admin,
            *((text, who) for text in no_interface),
            ("haproxy:tcp:8090:interface=127.0.0.1", ""),
            ("stdio:", ""),
            ("8090", ""),
            ("tcp:70000:interface=127.0.0.1", ": its port must be 0 to 65535"),
            ("unix:", ""),
            ("unix:address=", ""),
        )

    def test_free(self) -> None:
        """A port is free unless somebody listens there, even one who shares it."""
        with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
            number = other.getsockname()[1]
            for text in (f"tcp:{number}:127.0.0.1", f"haproxy:ssl:{number}:interface=127.0.0.1", f"tcp:{number}"):
                self.assertRaises(OSError, check_free, text)
        check_free(f"tcp:{number}:interface=127.0.0.1")
        if NO_IPV6 is None:
            check_free(rf"tcp6:{number}:interface=\:\:1")

    def test_bound(self) -> None:
        """What an endpoint binds is compared: a port of all interfaces takes that of each."""
        self.assertEqual(bound_by("tcp:9000"), Bound("", 9000))
        self.assertEqual(bound_by(r"haproxy:tcp6:9000:interface=\:\:"), Bound("", 9000))
        self.assertEqual(bound_by("tcp:9000:10.0.0.1"), Bound("10.0.0.1", 9000))
        self.assertEqual(bound_by("ssl:port=443:interface=10.0.0.1"), Bound("10.0.0.1", 443))
        self.assertEqual(bound_by("unix:address=/run/x"), Bound("/run/x"))
        self.assertEqual(bound_by("systemd:name=x"), Bound("systemd:x"))
        for text in ("tcp:0", "tcp:x", "tcp:", "unix:", "systemd:index=0", "pigeon:1"):
            self.assertIsNone(bound_by(text), text)
        all_of, one = Bound("", 9000), Bound("10.0.0.1", 9000)
        self.assertTrue(all_of.takes(one) and one.takes(all_of) and one.takes(one))
        self.assertFalse(one.takes(Bound("10.0.0.2", 9000)) or one.takes(Bound("", 9001)))
        self.assertFalse(Bound("/run/x").takes(Bound("/run/y")))
        self.assertTrue(Bound("/run/x").takes(Bound("/run/x")))
