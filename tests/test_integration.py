"""Server, repeater and clients in processes of their own: what one of them costs the others."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from .paths import TESTS
from .peers import frame, hello
from .programs import LONGEST, Program, ProgramCase

REPEATER = TESTS / "integration" / "repeater.py"

MIB = 2**20

AMOUNT = (256 if os.environ.get("CI") else 128) * MIB
"""How much is sent to one that does not read: far more than the systems' buffers take."""

ALLOWED = 8 * MIB
"""How much memory that may cost the repeater."""

BUFFER = 64 * 1024
"""The size of the system's buffers for the sockets of the test."""


class RepeaterCase(ProgramCase):
    """A test case with a repeater that runs in a process of its own."""

    def start_repeater(self, server_port: int, *arguments: str) -> Program:
        """Start it, and give it with ``port`` and ``pid`` known."""
        repeater = self.run_program(sys.executable, str(REPEATER), str(server_port), *arguments)
        self.port = int(repeater.wait_for(r"^port (\d+)$")[1])
        return repeater

    def asked(self, repeater: Program) -> str:
        """Ask it how it stands."""
        before = repeater.output.count("status")
        repeater.type("status")
        return repeater.wait_for("^status (.*)$", before + 1)[1]


class Bulk(threading.Thread):
    """Sends frames on a socket, as fast as it takes them. ``digest`` is that of the sent bytes."""

    def __init__(self, connection: socket.socket, size: int) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._frames = [frame(bytes([number]) * 100_000) for number in range(256)]
        self.count = size // len(self._frames[0])
        self.size = self.count * len(self._frames[0])
        self.digest = hashlib.sha256()
        self.start()

    def run(self) -> None:
        """Send."""
        for number in range(self.count):
            piece = self._frames[number % 256]
            self._connection.sendall(piece)
            self.digest.update(piece)


class MemoryTests(RepeaterCase):
    """A peer that stops reading costs the repeater a bounded amount of memory; when it reads again nothing is lost."""

    if not Path("/proc/self/clear_refs").exists():
        skip = "this system doesn't tell how much memory a process had"

    def setUp(self) -> None:
        """Listen, as a server does."""
        super().setUp()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(LONGEST)
        self.addCleanup(self.listening.close)

    def start(self, *arguments: str) -> None:
        """Start a repeater."""
        self.repeater = self.start_repeater(self.listening.getsockname()[1], *arguments)

    def connect(self, data: bytes = hello("ann")) -> socket.socket:
        """Connect to it, as a client does."""
        client = socket.socket()
        self.addCleanup(client.close)
        client.settimeout(LONGEST)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        client.connect(("127.0.0.1", self.port))
        client.sendall(data)
        return client

    def accept(self) -> socket.socket:
        """Take the connection that it makes, as a server does, up to its hello."""
        server, _ = self.listening.accept()
        self.addCleanup(server.close)
        server.settimeout(LONGEST)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.assertEqual(self.read_frame(server)["name"], "ann")
        return server

    def link(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a link."""
        client = self.connect()
        server = self.accept()
        server.sendall(hello("quotes"))
        self.assertEqual(self.read_frame(client)["name"], "quotes")
        return client, server

    def read_frame(self, connection: socket.socket) -> dict[str, str]:
        """Read a hello."""
        size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
        read: dict[str, str] = json.loads(connection.recv(size, socket.MSG_WAITALL))
        return read

    def memory(self, name: str) -> int:
        """Return a number of the repeater's memory, in bytes: ``VmRSS`` now, ``VmHWM`` at its highest."""
        status = Path(f"/proc/{self.repeater.pid}/status").read_text()
        found = re.search(rf"{name}:\s*(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def begin_to_watch(self) -> None:
        """Note how much memory it has, and forget how much it had."""
        Path(f"/proc/{self.repeater.pid}/clear_refs").write_text("5")
        self.before = self.memory("VmRSS")

    def check_memory(self) -> None:
        """Check the most that it had since then."""
        grown = self.memory("VmHWM") - self.before
        self.assertLess(grown, ALLOWED, f"{grown / MIB:.1f} MiB")

    def send_until_stuck(self, connection: socket.socket) -> Bulk:
        """Begin to send, and return when the repeater receives nothing any more; it must not have cost much."""
        sent = Bulk(connection, AMOUNT)
        answers: list[str] = []
        while len(answers) < 50 or len(set(answers[-50:])) > 1:
            answers.append(self.asked(self.repeater))
        self.assertTrue(sent.is_alive())
        self.check_memory()
        return sent

    def receive(self, connection: socket.socket, sent: Bulk) -> None:
        """Read all that was sent, and check it."""
        digest = hashlib.sha256()
        size = 0
        while size < sent.size:
            data = connection.recv(MIB)
            self.assertTrue(data, f"only {size} of {sent.size} bytes came")
            digest.update(data)
            size += len(data)
        sent.join(LONGEST)
        self.assertEqual((size, digest.hexdigest()), (sent.size, sent.digest.hexdigest()))
        self.check_memory()

    def test_client_does_not_read(self) -> None:
        """Without a filter, a client that stops reading while the server sends."""
        for name in ("", "look"):
            self.start(name)
            client, server = self.link()
            self.begin_to_watch()
            sent = self.send_until_stuck(server)
            self.receive(client, sent)

    def test_server_does_not_read(self) -> None:
        """A server that stops reading while the client sends."""
        self.start("look")
        client, server = self.link()
        self.begin_to_watch()
        sent = self.send_until_stuck(client)
        self.receive(server, sent)

    def test_filter_waits(self) -> None:
        """A filter that doesn't answer while both sides send, and then does."""
        self.start("wait")
        client, server = self.link()
        self.begin_to_watch()
        sent = self.send_until_stuck(server)
        self.repeater.type("go")
        self.receive(client, sent)

    def test_before_the_link_is_made(self) -> None:
        """A client that sends while the server hasn't said hello yet."""
        self.start("", "hello_timeout=60")
        client = self.connect()
        server = self.accept()
        self.begin_to_watch()
        sent = self.send_until_stuck(client)
        server.sendall(hello("quotes"))
        self.assertEqual(self.read_frame(client)["name"], "quotes")
        self.receive(server, sent)

    def test_answers(self) -> None:
        """A client that doesn't read a filter's answers."""
        self.start("answer")
        client, _ = self.link()
        self.begin_to_watch()
        sent = self.send_until_stuck(client)
        self.receive(client, sent)

    def test_messages_of_the_application(self) -> None:
        """A client that doesn't take the application's messages is disconnected before that costs much."""
        for size in (100_000, 100, 1):
            self.start("")
            self.link()
            self.begin_to_watch()
            self.repeater.type(f"flood ann {size}")
            self.repeater.wait_for("^error ann client Disconnected SlowConsumer$")
            self.check_memory()


class ProcessTests(RepeaterCase):
    """Processes that are killed or stopped; the others notice little."""

    def start_all(self, *arguments: str) -> None:
        """Start the example server, a repeater, and two of the example clients."""
        self.server = self.run_example("server", "0")
        self.server_port = self.server.wait_for(r"^quotes on port (\d+)$")[1]
        self.repeater = self.start_repeater(int(self.server_port), *arguments)
        self.ann, self.bob = self.start_client("ann"), self.start_client("bob")

    def start_client(self, name: str) -> Program:
        """Start a client, and see it linked."""
        client = self.run_example("client", str(self.port), name)
        client.wait_for("^linked to quotes$")
        return client

    def check_talks(self, clients: Iterable[Program]) -> None:
        """See that clients get answers."""
        for client in clients:
            before = client.output.count("ACME costs")
            client.type("price ACME")
            client.wait_for("^ACME costs 101.50$", before + 1)

    def test_client_killed(self) -> None:
        """A client that is killed: the server sees it go, the other clients notice nothing, its name is free."""
        self.start_all()
        self.check_talks([self.ann, self.bob])
        self.ann.send_signal(signal.SIGKILL)
        self.server.wait_for("^ann is gone$")
        self.check_talks([self.bob])
        self.check_talks([self.start_client("ann"), self.bob])
        self.assertEqual(self.repeater.lines[-1], "error ann server Disconnected ConnectionDone")

    def test_server_killed(self) -> None:
        """A server that is killed: each client is told; when there is a server again, they can come again."""
        self.start_all()
        self.check_talks([self.ann, self.bob])
        self.server.send_signal(signal.SIGKILL)
        for client in (self.ann, self.bob):
            client.wait_for("^disconnected$")
        self.repeater.wait_for("^error .* server Disconnected", 2)
        refused = self.run_example("client", str(self.port), "carol")
        refused.wait_for("^disconnected$")
        self.assertNotIn("linked", refused.output)
        self.repeater.wait_for("^refused carol ServerUnreachable$")
        self.server = self.run_example("server", self.server_port)
        self.server.wait_for("^quotes on port")
        self.check_talks([self.start_client("ann"), self.start_client("bob")])

    def test_client_stopped(self) -> None:
        """A client that is stopped, and takes nothing, is disconnected; the others go on."""
        self.start_all()
        self.ann.send_signal(signal.SIGSTOP)
        self.check_talks([self.bob])
        self.repeater.type("flood ann 100000")
        self.repeater.wait_for("^error ann client Disconnected SlowConsumer$")
        self.check_talks([self.bob])
        self.server.wait_for("^ann is gone$")
        self.ann.send_signal(signal.SIGCONT)
        self.ann.wait_for("^disconnected$")

    def test_server_stopped(self) -> None:
        """A server that is stopped for a while answers when it goes on; nothing is lost."""
        self.start_all()
        self.server.send_signal(signal.SIGSTOP)
        self.ann.type(*(f"price {number}" for number in range(1000)))
        self.ann.type_end()
        self.server.send_signal(signal.SIGCONT)
        self.ann.wait_for(r"^what is price 999\?$")
        self.ann.wait_for("^disconnected$")
        answers = [line for line in self.ann.lines if line.startswith("what is")]
        self.assertEqual(answers, [f"what is price {number}?" for number in range(1000)])
        self.check_talks([self.bob])

    def test_shutdown_with_a_stopped_client(self) -> None:
        """A repeater that is shut down ends, though a client takes nothing and a filter never answers."""
        self.start_all("wait", "close_timeout=0.5")
        self.bob.type("price ACME")
        self.ann.send_signal(signal.SIGSTOP)
        self.repeater.type("shutdown")
        status, _ = self.repeater.end()
        self.assertEqual(status, 0)
        self.ann.send_signal(signal.SIGCONT)
        for client in (self.ann, self.bob):
            client.wait_for("^disconnected$")
