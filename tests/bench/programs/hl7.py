"""The load of HL7, and a server for it: clients with admissions under way, and what acknowledges them.

Started as ``python -m tests.bench.programs.hl7 PORT UNDER_WAY MESSAGES CLIENTS SIZE``; prints how fast answers came.
It checks that each message has its answer. With the port alone it is the server.
"""

from __future__ import annotations

import selectors
import socket
import sys
from time import perf_counter

LONGEST_WAIT = 30.0
"""Seconds without an answer."""
HEAD = b"\x0bMSH|^~\\&|BENCH|NORTH|SERVER|SOUTH|20240101120000||ADT^A01^ADT_A01|"
ANSWER = b"\x0bMSH|^~\\&|SERVER|SOUTH|BENCH|NORTH|20240101120000||ACK^A01^ACK|1|P|2.5\rMSA|AA|%s\r\x1c\r"


def admission(number: int, size: int) -> bytes:
    """Return a message with so many bytes of text."""
    patient = b"|P|2.5\rPID|1||123^^^MR||DOE^JOHN||19700101|M\rNTE|1||"
    return b"%s%d%s%s\r\x1c\r" % (HEAD, number, patient, b"x" * size)


def serve(port: int) -> None:
    """Acknowledge each message."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    unread: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ready.register(connection, selectors.EVENT_READ)
                    unread[connection] = b""
                    continue
                connection = key.fileobj  # type: ignore[assignment]
                received = connection.recv(256 * 1024)
                if not received:
                    ready.unregister(connection)
                    del unread[connection]
                    connection.close()
                    continue
                *frames, unread[connection] = (unread[connection] + received).split(b"\x1c\r")
                connection.sendall(b"".join(ANSWER % frame.split(b"|", 10)[9] for frame in frames))


class Client:
    """A client that has sent some messages, and sends another one for each answer."""

    def __init__(self, port: int, messages: int, size: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), LONGEST_WAIT)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.messages, self.size = messages, size
        self.sent = self.answered = 0
        self.unread = b""

    def send(self, count: int) -> None:
        """Send messages, if so many are still to be sent."""
        stop = min(self.sent + count, self.messages)
        self.connection.sendall(b"".join(admission(number, self.size) for number in range(self.sent, stop)))
        self.sent = stop

    def receive(self) -> None:
        """Check the answers, and let as many messages follow."""
        received = self.connection.recv(256 * 1024)
        if not received:
            raise SystemExit("a connection of the load was closed")
        *frames, self.unread = (self.unread + received).split(b"\x1c\r")
        for frame in frames:
            if frame + b"\x1c\r" != ANSWER % b"%d" % self.answered:
                raise SystemExit(f"message {self.answered} was answered by {frame!r}")
            self.answered += 1
        self.send(len(frames))


def run(clients: list[Client], under_way: int) -> None:
    """Send until all answers have come."""
    with selectors.DefaultSelector() as ready:
        for client in clients:
            ready.register(client.connection, selectors.EVENT_READ, client)
            client.send(under_way)
        while any(client.answered < client.messages for client in clients):
            found = ready.select(LONGEST_WAIT)
            if not found:
                raise SystemExit(f"nothing came for {LONGEST_WAIT:.0f} s")
            for key, _ in found:
                key.data.receive()


def main() -> None:
    """Serve; or put the load on, and say how fast it went."""
    if len(sys.argv) == 2:
        serve(int(sys.argv[1]))
    port, under_way, messages, count, size = map(int, sys.argv[1:6])
    each = -(-messages // count)
    clients = [Client(port, each, size) for _ in range(count)]
    started = perf_counter()
    run(clients, under_way)
    print(f"{each * count} messages, {each * count / (perf_counter() - started):.1f} for each second")


if __name__ == "__main__":
    main()
