"""The administration of a process: when it listens, and what changes while it does."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from twisted_repeater.service.admin_port import AdminPort
from twisted_repeater.service.loading import LoadingError

from .test_service import ServiceCase

reactor: Any = installed_reactor

WARNING = "other machines can reach the administration at 0.0.0.0"

TOKEN = "a-token-that-is-long-enough"


class AdminPortTests(ServiceCase):
    """`AdminPort`."""

    def token_file(self, token: str = TOKEN) -> str:
        """Write a token; return the path of its file."""
        path = self.write("token", token)
        os.chmod(path, 0o600)
        return str(path)

    async def ask(self, port: AdminPort, token: str) -> bytes:  # type: ignore[override]
        """Return the first line of an answer."""
        from twisted.internet.endpoints import TCP4ClientEndpoint
        from twisted.internet.protocol import Factory, Protocol

        answer: Deferred[bytes] = Deferred()

        class Asking(Protocol):
            def connectionMade(self) -> None:
                assert self.transport is not None
                head = f"GET /repeaters HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
                self.transport.write(head.encode())

            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.loseConnection()
                if not answer.called:
                    answer.callback(data.partition(b"\r\n")[0])

        number = port._port.getHost().port  # type: ignore[union-attr]
        await TCP4ClientEndpoint(reactor, "127.0.0.1", number).connect(Factory.forProtocol(Asking))
        return await answer

    async def test_life(self) -> None:
        """It listens until it is stopped; another token counts at once."""
        service = self.service()
        settings = self.settings(admin="tcp:0:interface=127.0.0.1", admin_token_file=self.token_file())
        port = AdminPort(settings, reactor)
        port.release_held()
        await port.bind(service)
        self.addCleanup(lambda: Deferred.fromCoroutine(port.stop()))
        self.assertIn(b"200", await self.ask(port, TOKEN))
        other = "another-token-that-is-long"
        port.change(self.settings(admin="tcp:0:interface=127.0.0.1", admin_token_file=self.token_file(other)))
        self.assertIn(b"401", await self.ask(port, TOKEN))
        self.assertIn(b"200", await self.ask(port, other))
        port.release_held()

    async def test_warning(self) -> None:
        """That other machines can reach it without a token is logged."""
        settings = self.settings(admin="tcp:0:interface=127.0.0.1")
        for host, warned in (("0.0.0.0", True), ("127.0.0.1", False)):
            port = AdminPort(settings, reactor)
            port._endpoint = TCP4ServerEndpoint(reactor, 0, interface=host)
            await port.bind(self.service())
            self.assertEqual([line.partition(":")[0] for line in self.lines], [WARNING] * warned)
            self.lines.clear()
            await port.stop()

    async def test_none(self) -> None:
        """Without an endpoint nothing listens."""
        port = AdminPort(self.settings(), reactor)
        await port.bind(self.service())
        port.change(self.settings())
        await port.stop()
        self.assertIs(port._port, None)

    def test_wrong(self) -> None:
        """An endpoint that cannot be made is an error that begins with the option."""
        settings = self.settings(admin="systemd:domain=INET:name=nothing")
        error = self.assertRaises(LoadingError, AdminPort, settings, reactor)
        self.assertTrue(str(error).startswith("--admin must be an endpoint, not 'systemd:"), error)
