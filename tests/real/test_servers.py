"""Real servers for tests: they start on free ports, and end with all that they had."""

from __future__ import annotations

import os
import signal
import socket
import sys

from twisted_repeater import dialects

from . import servers
from .servers import RealCase, RealServer, open_sockets

LISTEN = (sys.executable, "-c", "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))")


def waiting(then: str) -> list[str]:
    """Return a server that does ``then`` when it listens."""
    return [*LISTEN[:2], f"{LISTEN[2]}; {then}"]


class RealServerTests(RealCase):
    """`RealServer`."""

    def test_accepts(self) -> None:
        """When it is there it can be connected to, and at its end its directory is gone."""
        server = RealServer(lambda port: [*waiting("s.accept(); open('file', 'w'); sys.stdin.read()"), str(port)])
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
            self.assertTrue(os.path.isdir(server.directory))
        finally:
            server.stop()
        self.assertFalse(server.program.runs)
        self.assertFalse(os.path.exists(server.directory))

    def test_other_port(self) -> None:
        """If it cannot have its port it tries another."""
        ports: list[int] = []

        def command(port: int) -> list[str]:
            ports.append(port)
            first = [sys.executable, "-c", "raise SystemExit('taken')"]
            return first if len(ports) == 1 else [*waiting("sys.stdin.read()"), str(port)]

        server = self.start_server(command)
        self.assertEqual(server.port, ports[1])

    def test_asked_again(self) -> None:
        """A server that has lost the signal to end, as one that is still starting may, is asked again."""
        self.patch(servers, "ASKS", 0.05)
        deaf = "import signal; signal.signal(15, lambda *_: signal.signal(15, signal.SIG_DFL)); s.accept(); s.accept()"
        server = RealServer(lambda port: [*waiting(f"{deaf}; sys.stdin.read()"), str(port)])
        socket.create_connection(("127.0.0.1", server.port)).close()  # the handler is there when this was accepted
        server.stop()
        self.assertEqual(server.program.end()[0], -signal.SIGTERM)

    def test_ends_at_once(self) -> None:
        """What a server printed that did not start is in the error."""
        with self.assertRaisesRegex(AssertionError, "a bad option"):
            RealServer(lambda port: [sys.executable, "-c", "raise SystemExit('a bad option')"])


class RealCaseTests(RealCase):
    """`RealCase`."""

    async def test_clients(self) -> None:
        """Clients run beside the reactor: functions in a thread, and programs."""
        self.assertEqual(await self.in_thread(lambda a, b: a + b, 1, b=2), 3)
        cat = [sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit('bad')"]
        self.assertEqual(await self.run_client(*cat, says="text"), (1, "text\nbad\n"))
        program = self.start_client(sys.executable, "-c", "print('ready')")
        program.wait_for("^ready$")
        self.assertEqual(program.end()[0], 0)

    async def test_repeater(self) -> None:
        """A repeater stands before the server; its callbacks are recorded, and its end is waited for."""
        server = self.start_server(lambda port: [*waiting("s.accept(); sys.stdin.read()"), str(port)])
        repeater = await self.start_repeater(
            dialects.int32(), server.port, server_name="quotes", is_client_allowed=bool
        )
        with socket.create_connection(("127.0.0.1", repeater.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await self.until(lambda: self.calls.refusals)
        await self.nothing_left(repeater)

    def test_open_sockets(self) -> None:
        """An open socket is noticed."""
        before = open_sockets()
        with socket.socket():
            self.assertEqual(len(open_sockets() - before), 1)
        self.assertEqual(open_sockets(), before)
