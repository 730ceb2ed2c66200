"""Checks whether the server can be reached."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from twisted_repeater.service.server_check import JITTER, ServerCheck

from ..certificates import Authority
from ..peers import LOST, Seen, StoppedTime, reactor, turn

EVERY = 10.0
TIMEOUT = 5.0


class Watched(Protocol):
    """A connection of the server; ``seen`` has what it sent, and its end."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self._seen.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        """See `IProtocol`."""
        self._seen.append(LOST)


class ServerCheckTests(TestCase):
    """A check, and a server that comes and goes."""

    timeout = 60

    def setUp(self) -> None:
        """Make certificates, and a clock that stands still."""
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        self.time = StoppedTime()
        self.seen = Seen()
        self.check: Any = None

    def factory(self) -> Any:
        """Make the factory of a server."""
        return Factory.forProtocol(lambda: Watched(self.seen))

    def listen(self, factory: Any = None, number: int = 0) -> int:
        """Let the server listen; return its port."""
        self.port = reactor.listenTCP(number, factory or self.factory(), interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        return int(self.port.getHost().port)

    def start(self, server: Any, **settings: Any) -> Any:
        """Begin to check."""
        check = self.check = ServerCheck(server, every=EVERY, timeout=TIMEOUT, reactor=self.time, **settings)
        self.addCleanup(check.stop)
        check.start()
        return check

    async def probed(self) -> str | None:
        """Return the trouble after the probe under way."""
        while self.check._probing is not None:
            await turn()
        trouble: str | None = self.check.trouble
        return trouble

    async def probed_again(self) -> str | None:
        """Let the time pass until the next probe; return the trouble after it."""
        self.time.clock.advance(EVERY * (1 + JITTER))
        return await self.probed()

    async def test_comes_and_goes(self) -> None:
        """The trouble is that of the last probe. The log tells of changes, once each, with the repeater's name."""
        number = self.listen()
        with capturedLogs() as logs:
            check = self.start(f"tcp:127.0.0.1:{number}", name="edge")
            self.assertEqual(check.trouble, "the server has not been checked yet")
            self.assertIsNone(await self.probed())
            await self.seen.reach(1)
            self.assertEqual(self.seen, [LOST])
            self.assertIsNone(await self.probed_again())
            await self.port.stopListening()
            for _ in range(2):
                trouble = await self.probed_again()
                assert trouble is not None
                self.assertRegex(trouble, "the server cannot be reached: .*refused")
            self.listen(number=number)
            self.assertIsNone(await self.probed_again())
        texts = [formatEvent(event) for event in logs if event["log_namespace"].endswith("server_check")]
        self.assertEqual(
            texts, ["edge: the server can be reached", f"edge: {trouble}", "edge: the server can be reached"]
        )

    async def test_header(self) -> None:
        """Where links send a PROXY header a probe sends one, too, without addresses."""
        self.start(f"tcp:127.0.0.1:{self.listen()}", send_proxy="v1")
        self.assertIsNone(await self.probed())
        await self.seen.reach(2)
        self.assertEqual(self.seen, [b"PROXY UNKNOWN\r\n", LOST])

    async def tls(self, **settings: Any) -> str | None:
        """Check a TLS server; return the trouble."""
        authority = Authority(self.mktemp())
        if settings.pop("demands", False):
            settings["roots"] = [authority.load()]
        options = authority.issue("localhost").load().options(*settings.pop("roots", ()))
        number = self.listen(TLSMemoryBIOFactory(options, False, self.factory()))
        self.start(f"tls:localhost:1:trustRoots={authority.roots}:endpoint=tcp\\:127.0.0.1\\:{number}")
        return await self.probed()

    async def test_tls(self) -> None:
        """With TLS the handshake is part of the probe."""
        self.assertIsNone(await self.tls())
        await self.seen.reach(1)
        self.assertEqual(self.seen, [LOST])

    async def test_tls_certificate(self) -> None:
        """A server that does not accept the certificate of the repeater is not reached."""
        trouble = await self.tls(demands=True)
        self.assertIn("certificate required", str(trouble))

    async def test_no_tls(self) -> None:
        """A server that accepts, and says nothing, is given up when the time is over."""
        roots = Authority(self.mktemp()).roots
        self.start(f"tls:localhost:1:trustRoots={roots}:endpoint=tcp\\:127.0.0.1\\:{self.listen()}")
        await self.seen.reach(1)
        self.time.clock.advance(TIMEOUT)
        self.assertIn("no TLS handshake in time", str(await self.probed()))
        await self.seen.holds(LOST)

    async def test_silent_end(self) -> None:
        """A server that does not answer the end of TLS was reached all the same."""
        authority = Authority(self.mktemp())
        issued = authority.issue("localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def serve() -> None:
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                reactor.callFromThread(self.seen.append, "secure")
                ended.wait()
                secure.close()

        ended = threading.Event()
        server = threading.Thread(target=serve)
        server.start()
        self.addCleanup(server.join)
        self.addCleanup(ended.set)
        where = rf"tcp\:127.0.0.1\:{listening.getsockname()[1]}"
        check = self.start(f"tls:localhost:1:trustRoots={authority.roots}:endpoint={where}")
        await self.seen.reach(1)
        self.assertIsNotNone(check._probing)
        self.time.clock.advance(TIMEOUT)
        self.assertIsNone(await self.probed())

    async def test_stopped(self) -> None:
        """It can be stopped at any time, and started again; nothing is left of a probe under way."""
        made: list[Watched] = []

        def connected() -> Watched:
            made.append(Watched(self.seen))
            return made[-1]

        check = self.start(f"tcp:127.0.0.1:{self.listen(Factory.forProtocol(connected))}")
        check.start()
        check.stop()
        check.stop()
        self.assertEqual(check.trouble, "the server has not been checked yet")
        check.start()
        self.assertIsNone(await self.probed())
        check.stop()
        self.assertEqual(self.time.deadlines(), [])
        await self.seen.reach(1)
        while len(self.seen) < len(made):
            await turn()

    def test_wrong(self) -> None:
        """A server that cannot be connected to is an error at once."""
        self.assertRaises(ValueError, self.start, "ssl:h:1")
        self.assertRaises(ValueError, self.start, "tcp:h:1", send_proxy="v3")
