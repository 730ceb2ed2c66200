"""Plain sockets talk through a ``twistd repeater`` in a dialect that its options describe."""

from __future__ import annotations

import contextlib
import socket
from contextlib import ExitStack

from .programs import LONGEST, Program, ProgramCase

LINE_FILTER = '''
"""Lines in capitals go to the server; the client is told what becomes of the others."""
from twisted_repeater import PASS_ON, PassOnAndSendBack, Send, SendBack

def up(line, link):
    if line == b"secret":
        return SendBack([b"451 not from here"])
    if line == b"news":
        return PassOnAndSendBack([b"news for " + link.client_name.partition(":")[0].encode()])
    return PASS_ON if line.isupper() else Send(line.upper())

def down(line, link):
    return Send(line.replace(b"old", b"new"))
'''

NUMBER_FILTER = """
from twisted_repeater import Send

def double(message, link):
    return Send(message * 2)
"""


class Connection:
    """One end of a connection that a test reads and writes like nc."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(LONGEST)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def read(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end of the stream."""
        data = b""
        while len(data) < count and (more := self.socket.recv(count - len(data))):
            data += more
        return data

    def read_to_end(self) -> bytes:
        """Return all that is left of the stream."""
        data = b""
        while more := self.socket.recv(65536):
            data += more
        return data


class DialectCase(ProgramCase):
    """A listening server, and a repeater in front of it."""

    def setUp(self) -> None:
        """Listen."""
        super().setUp()
        self.stack = self.enterContext(ExitStack())
        self.listening = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listening.settimeout(LONGEST)

    def options(self, *options: str) -> list[str]:
        """Return the options of a repeater before the server."""
        server = f"tcp:127.0.0.1:{self.listening.getsockname()[1]}"
        return ["repeater", "--listen", "tcp:0:interface=127.0.0.1", "--server", server, *options]

    def start_repeater(self, *options: str) -> tuple[Program, int]:
        """Start a repeater, and give it with its port."""
        repeater = self.run_twistd(*self.options(*options))
        return repeater, int(repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1])

    def connect(self, port: int) -> tuple[Connection, Connection]:
        """Connect a client; return it with the server's connection, which is there before anybody has said a word."""
        client = self.stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        server, _ = self.listening.accept()
        return Connection(client), Connection(self.stack.enter_context(server))


class LineTests(DialectCase):
    """``--dialect lines``."""

    def test_conversation(self) -> None:
        """A server that speaks first greets its clients, filters see each line, and no last line is lost."""
        self.path("rules.py").write_text(LINE_FILTER)
        filters = ("--to-server-filter", "rules:up", "--to-client-filter", "rules:down")
        repeater, port = self.start_repeater("--dialect", "lines", *filters)
        client, server = self.connect(port)
        server.send(b"220 old ready\n")
        self.assertEqual(client.read(14), b"220 new ready\n")
        client.send(b"secret\nhe")
        self.assertEqual(client.read(18), b"451 not from here\n")
        client.send(b"llo\r\nnews\nQUIT\n")
        self.assertEqual(server.read(7 + 5 + 5), b"HELLO\r\nnews\nQUIT\n")
        self.assertEqual(client.read(19), b"news for 127.0.0.1\n")
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(server.read_to_end(), b"")
        server.send(b"221 bye\n")
        server.socket.close()
        self.assertEqual(client.read_to_end(), b"221 bye\n")
        repeater.wait_for(r"client .*127\.0\.0\.1.* linked")
        repeater.wait_for(r"client .*127\.0\.0\.1.* ended: .*; to the server 4 messages, .* to the client 2 messages")

    def test_clients_of_one_address(self) -> None:
        """Any number of clients may come from one address, each with a link of its own."""
        _, port = self.start_repeater("--dialect", "lines:end=crlf")
        pairs = [self.connect(port) for _ in range(3)]
        for number, (client, _) in enumerate(pairs):
            client.send(b"%d\r\n" % number)
        for number, (_, server) in enumerate(pairs):
            self.assertEqual(server.read(3), b"%d\r\n" % number)

    def test_long_line(self) -> None:
        """A line without an end costs its sender the link, and nobody else anything."""
        self.path("rules.py").write_text(LINE_FILTER)
        repeater, port = self.start_repeater("--dialect", "lines:max-frame=1KiB", "--to-server-filter", "rules:up")
        other, others_server = self.connect(port)
        client, server = self.connect(port)
        client.send(bytes(1100))
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(client.read_to_end(), b"")
        self.assertEqual(server.read_to_end(), b"")
        repeater.wait_for("ended: the client was cut off: .*1024")
        other.send(b"STILL HERE\n")
        self.assertEqual(others_server.read(11), b"STILL HERE\n")


class OtherDialectTests(DialectCase):
    """Other dialects with options."""

    def test_length(self) -> None:
        """A length of two bytes, the small one first."""
        self.path("rules.py").write_text(NUMBER_FILTER)
        _, port = self.start_repeater("--dialect", "length:size=2:order=little", "--to-server-filter", "rules:double")
        client, server = self.connect(port)
        client.send(b"\x02\0ab\x01\0c")
        self.assertEqual(server.read(10), b"\x04\0abab\x02\0cc")

    def test_marks(self) -> None:
        """Messages between marks."""
        self.path("rules.py").write_text(NUMBER_FILTER)
        dialect = ("--dialect", "delimited:start=0b:end=1c0d")
        _, port = self.start_repeater(*dialect, "--to-client-filter", "rules:double")
        client, server = self.connect(port)
        server.send(b"\x0bACK\x1c\r")
        self.assertEqual(client.read(9), b"\x0bACKACK\x1c\r")
