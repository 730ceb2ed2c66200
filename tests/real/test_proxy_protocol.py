"""HAProxy before the repeater and behind it: PROXY headers carry the address of the client through both."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

from twisted_repeater import Repeater, dialects

from ..certificates import Authority
from ..needed import needed
from ..sockets.endpoints_case import NO_IPV6
from .servers import RealCase, RealServer

DEBIAN_PACKAGES = "haproxy"

CONFIGURATION = r"""
defaults
    timeout connect 10s
    timeout client 10s
    timeout server 10s
frontend receiver
    mode http
    bind 127.0.0.1:{port} accept-proxy
    bind 127.0.0.2:{port} accept-proxy ssl crt {directory}/both.pem
    bind unix@{directory}/receiver accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]\n"
listen sender-v1
    mode tcp
    bind 127.0.0.3:{port}
    server repeater unix@{directory}/v1 send-proxy
listen sender-v2
    mode tcp
    bind 127.0.0.4:{port}
    server repeater unix@{directory}/v2 send-proxy-v2
"""

REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def ask(where: Any, request: bytes = REQUEST, family: int = socket.AF_INET) -> tuple[str, str]:
    """Send a request; return the client's own view of its connection, and the last line of the answer."""
    with closing(socket.socket(family)) as client:
        client.settimeout(10)
        client.connect(where)
        own = " ".join(map(str, (*client.getsockname()[:2], *client.getpeername()[:2])))
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return own, answer.decode("ascii").splitlines()[-1]


class HAProxyTests(RealCase):
    """A HAProxy that sends headers, and answers with the addresses of those that it receives."""

    def setUp(self) -> None:
        """Start it, with a certificate."""
        super().setUp()
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        haproxy = needed("haproxy", "haproxy")
        self.authority = Authority(self.directory / "authority")
        issued = self.authority.issue("localhost")
        (self.directory / "both.pem").write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())

        def command(port: int) -> list[str]:
            configuration = self.directory / "haproxy.cfg"
            configuration.write_text(CONFIGURATION.format(port=port, directory=self.directory))
            return [haproxy, "-db", "-f", str(configuration)]

        self.haproxy: RealServer = self.start_server(command)

    async def repeater(self, send_proxy: str, **settings: Any) -> Repeater:
        """Start a repeater before it."""
        return await self.start_repeater(
            dialects.delimited(end=b"\n"), self.haproxy.port, send_proxy=send_proxy, **settings
        )

    def servers(self) -> list[str]:
        """Return the descriptions of its receiving ports: TCP, TLS, a Unix socket, and TLS through an endpoint."""
        port, roots = self.haproxy.port, self.authority.roots
        through = rf"endpoint=tcp\:127.0.0.2\:{port}"
        return [
            f"tcp:127.0.0.1:{port}",
            f"tcp:localhost:{port}",
            f"tls:localhost:1:trustRoots={roots}:{through}",
            f"unix:{self.directory}/receiver",
        ]

    async def test_client_addresses(self) -> None:
        """The server learns the address of the client, and the one that it has connected to, before TLS, too."""
        for version in ("v1", "v2"):
            for server in self.servers():
                repeater = await self.repeater(version, server=server)
                own, told = await self.in_thread(ask, ("127.0.0.1", repeater.port))
                self.assertEqual(told, own, (version, server))

    async def test_ipv6(self) -> None:
        """IPv6 addresses are told as such. An IPv4 client of a port for both is told as IPv4."""
        for version in ("v1", "v2"):
            repeater = await self.repeater(version, listen=r"tcp6:0:interface=\:\:1")
            own, told = await self.in_thread(ask, ("::1", repeater.port), REQUEST, socket.AF_INET6)
            self.assertEqual(told, own)
            repeater = await self.repeater(version, listen=r"tcp6:0:interface=\:\:")
            own, told = await self.in_thread(ask, ("127.0.0.1", repeater.port))
            self.assertEqual(told, own)

    test_ipv6.skip = NO_IPV6  # type: ignore[attr-defined]

    async def test_no_address(self) -> None:
        """For the client of a Unix socket the header has no address, so the server sees the repeater's own."""
        for version in ("v1", "v2"):
            path = str(self.directory / f"edge-{version}")
            await self.repeater(version, listen=f"unix:{path}")
            _, told = await self.in_thread(ask, path, REQUEST, socket.AF_UNIX)
            host, _, *to = told.split()
            self.assertEqual((host, to), ("127.0.0.1", ["127.0.0.1", str(self.haproxy.port)]))

    async def test_through(self) -> None:
        """A header that is received says who the client is: to ``is_client_ip_authorized``, and to the server."""
        asked: list[str] = []
        addresses: list[Any] = []
        for version, host in (("v1", "127.0.0.3"), ("v2", "127.0.0.4")):
            await self.repeater(
                "v2",
                listen=f"haproxy:unix:{self.directory}/{version}",
                is_client_ip_authorized=lambda ip: asked.append(ip) or True,  # type: ignore[func-returns-value]
                on_connect=lambda link: addresses.append(link.client_address),
            )
            own, told = await self.in_thread(ask, (host, self.haproxy.port))
            self.assertEqual(told, own)
            self.assertEqual(asked.pop(), "127.0.0.1")
            self.assertEqual(f"{addresses[-1].host} {addresses[-1].port}", " ".join(own.split()[:2]))

    async def test_not_trusted(self) -> None:
        """A header that a client sends itself is not believed, but part of its messages: the server refuses it."""
        asked: list[str] = []
        for version in ("v1", "v2"):
            repeater = await self.repeater(
                version,
                is_client_ip_authorized=lambda ip: asked.append(ip) or True,  # type: ignore[func-returns-value]
            )
            forged = b"PROXY TCP4 192.0.2.66 192.0.2.2 4711 9000\r\n" + REQUEST
            _, told = await self.in_thread(ask, ("127.0.0.1", repeater.port), forged)
            self.assertIn("</body></html>", told)  # HAProxy's page for a bad request
        self.assertEqual(asked, ["127.0.0.1"] * 2)
