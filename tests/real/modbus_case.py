"""A test case with a real Modbus server, and a repeater before it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from pymodbus.client import ModbusTcpClient
from twisted.internet.defer import Deferred

from twisted_repeater import Repeater, dialects

from ..needed import needed
from ..paths import TESTS
from .servers import RealCase

__all__ = [
    "LIBMODBUS",
    "VALUE",
    "ModbusCase",
    "answers_of",
    "client_of",
    "ending_early",
    "late_server",
    "patient_server",
    "split",
]

SERVER = str(TESTS / "real" / "modbus_server.py")
LIBMODBUS = str(TESTS / "real" / "libmodbus_server.py")
VALUE = 7
"""What each register has at first."""

T = TypeVar("T")


class ModbusCase(RealCase):
    """A test case with a server of pymodbus, and a repeater before it."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        self.server = self.start_server(lambda port: [sys.executable, SERVER, str(port)])

    async def start(self, **settings: Any) -> Repeater:
        """Start a repeater before the server."""
        return await self.start_repeater(dialects.modbus(), self.server.port, **settings)

    def with_client(self, port: int, call: Callable[[Any], T]) -> Deferred[T]:
        """Call a function in a thread with a client that is connected to a port."""

        def run() -> T:
            with closing(client_of(port)) as client:
                return call(client)

        return self.in_thread(run)

    def mbpoll(self, port: int, *arguments: str) -> Deferred[tuple[int, str]]:
        """Run mbpoll, a client that is written with libmodbus, once. Addresses begin with 0."""
        program = needed("mbpoll", "mbpoll")
        return self.run_client(program, "-0", "-1", "-p", str(port), *arguments)

    async def served(self, repeater: Repeater) -> None:
        """See that a client is served."""
        read = await self.with_client(repeater.port, lambda client: client.read_holding_registers(0, count=1))
        self.assertEqual(read.registers, [VALUE])


def client_of(port: int) -> Any:
    """Return a connected client of pymodbus, which blocks."""
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=10, retries=0)
    assert client.connect()
    return client


def answers_of(port: int, parts: list[bytes], size: int) -> bytes:
    """Send requests, and return so many bytes of answers. It blocks."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        for part in parts:
            client.sendall(part)
        with client.makefile("rb") as answers:
            return answers.read(size)


def split(answers: bytes) -> list[bytes]:
    """Return the answers in a stream."""
    found = []
    while answers:
        size = 6 + int.from_bytes(answers[4:6], "big")
        found.append(answers[:size])
        answers = answers[size:]
    return found


def ending_early(port: int, request: bytes) -> bytes:
    """Ask twice, end the stream behind the second request, and return what comes from there to the other end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client, client.makefile("rb") as answers:
        client.sendall(request)
        answers.read(len(request))
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return answers.read()


def patient_server(listener: socket.socket, size: int) -> None:
    """Send the first request back at once, and the rest when the stream has ended."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(connection.recv(size, socket.MSG_WAITALL))
        rest = b""
        while data := connection.recv(1000):
            rest += data
        connection.sendall(rest)


def late_server(listener: socket.socket) -> None:
    """Answer a read with its own address, but the first one only when the second one has come, before it."""
    connection, _ = listener.accept()
    with connection:
        requests: list[bytes] = []
        while data := connection.recv(1000):
            requests += split(data)
            if len(requests) == 2:
                for request in requests:
                    body = request[6:8] + b"\2" + request[8:10]
                    connection.sendall(request[:4] + len(body).to_bytes(2, "big") + body)
