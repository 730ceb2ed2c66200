"""The addresses that a link has in a capture."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.recording.export.endpoints import Endpoint, endpoints_of

from .made import made_link


class EndpointTests(SynchronousTestCase):
    """Recorded and made-up addresses."""

    def ends(self, client: str, server: str, number: int = 1, dialect: str = "") -> tuple[Endpoint, Endpoint]:
        """Return the ends of a link."""
        return endpoints_of(made_link(number, client_address=client, server_address=server), dialect)

    def test_recorded(self) -> None:
        """Both ends have the recorded addresses if these are of one family."""
        self.assertEqual(
            self.ends("10.0.0.1:4000", "192.0.2.7:6379"), (Endpoint(b"\x0a\0\0\1", 4000), Endpoint(b"\xc0\0\2\7", 6379))
        )
        loopback = bytes(15) + b"\1"
        self.assertEqual(self.ends("[::1]:4000", "[::1]:1883"), (Endpoint(loopback, 4000), Endpoint(loopback, 1883)))
        self.assertEqual(self.ends("[fe80::1%eth0]:4000", "[::1]:1883")[0].host, b"\xfe\x80" + bytes(13) + b"\1")

    def test_two_families(self) -> None:
        """If one end has IPv6, the other has its address of IPv4 as one of IPv6."""
        client, server = self.ends("[::1]:4000", "192.0.2.7:6379")
        self.assertEqual(server, Endpoint(bytes(10) + b"\xff\xff\xc0\0\2\7", 6379))
        self.assertEqual(len(client.host), 16)

    def test_unix_sockets(self) -> None:
        """Other addresses are replaced: each link has its own end, the server the usual port of its dialect."""
        self.assertEqual(
            self.ends("unix:", "unix:/run/redis.sock", 7, "redis"),
            (Endpoint(b"\xc6\x12\0\1", 10_007), Endpoint(b"\xc6\x13\xff\xfe", 6379)),
        )
        self.assertEqual(self.ends("unix:", "unix:/x", 50_007)[0], Endpoint(b"\xc6\x12\0\2", 10_007))
        self.assertEqual(self.ends("", "", dialect="length:size=2")[1].port, 55_555)
        clients = {self.ends("unix:", "", number)[0] for number in range(0, 10_000_000, 4999)}
        self.assertEqual(len(clients), 2001)

    def test_no_addresses(self) -> None:
        """Text that only looks like an address is replaced, too."""
        for text in ("300.0.0.1:80", "10.0.0.1:65536", "10.0.0.1", "[10.0.0.1:80", "x:80", "10.0.0.1:٨٠"):
            self.assertEqual(self.ends(text, "10.0.0.1:80")[0].host, b"\xc6\x12\0\1", text)
