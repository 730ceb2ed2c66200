"""A client and a server of pymodbus, with the example ``modbus_dialect`` between them."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import closing
from typing import Any

from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient
from pymodbus.exceptions import ModbusException

from twisted_repeater import Limits, Repeater

from ..paths import TESTS
from .hostile import listening
from .servers import RealCase, bytewise, example, talk

modbus_dialect = example("modbus_dialect")

SERVER = str(TESTS / "real" / "modbus_server.py")
VALUE = 7
"""What each register has at first."""


class ModbusCase(RealCase):
    """A test case with a server and a repeater before it."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        self.server = self.start_server(lambda port: [sys.executable, SERVER, str(port)])

    async def start(self, **settings: Any) -> Repeater:
        """Start a repeater before the server."""
        filters = {"to_server_filter": modbus_dialect.read_only}
        return await self.start_repeater(modbus_dialect.modbus(), self.server.port, **filters | settings)

    async def served(self, repeater: Repeater) -> None:
        """See that a client is served."""

        def run() -> Any:
            with closing(client_of(repeater.port)) as client:
                return client.read_holding_registers(0, count=1, device_id=1).registers

        self.assertEqual(await self.in_thread(run), [VALUE])


def client_of(port: int) -> Any:
    """Return a connected client, which blocks."""
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=10, retries=0)
    assert client.connect()
    return client


def request(number: int, device: int, function: int, data: bytes) -> bytes:
    """Return a request."""
    body = bytes([device, function]) + data
    return number.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


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


class RegisterTests(ModbusCase):
    """What can be read and written."""

    async def test_read_only(self) -> None:
        """Protected registers can be read. Each function that writes one of them gets an exception."""
        repeater = await self.start()

        def run() -> None:
            with closing(client_of(repeater.port)) as client:
                for refused in (
                    client.write_register(100, 1, device_id=1),
                    client.write_register(199, 1, device_id=7),
                    client.write_registers(98, [1, 2, 3], device_id=1),
                    client.write_registers(199, [1, 2], device_id=1),
                    client.mask_write_register(address=150, and_mask=0, or_mask=1, device_id=7),
                    client.readwrite_registers(
                        read_address=0, read_count=2, write_address=199, values=[1], device_id=1
                    ),
                ):
                    self.assertEqual(refused.exception_code, modbus_dialect.ILLEGAL_ADDRESS, refused)
                for written in (
                    client.write_register(99, 1, device_id=1),
                    client.write_register(200, 2, device_id=1),
                    client.write_registers(98, [3, 4], device_id=1),
                    client.mask_write_register(address=97, and_mask=0, or_mask=5, device_id=1),
                    client.readwrite_registers(
                        read_address=100, read_count=2, write_address=96, values=[6], device_id=1
                    ),
                ):
                    self.assertFalse(written.isError(), written)

        await self.in_thread(run)
        with closing(client_of(self.server.port)) as direct:
            registers = await self.in_thread(direct.read_holding_registers, 96, count=105, device_id=1)
        self.assertEqual(registers.registers, [6, 5, 3, 4, *[VALUE] * 100, 2])

    async def test_devices(self) -> None:
        """Each device has its own registers, and answers and exceptions name the device; so do those of the server."""
        repeater = await self.start()

        def run() -> None:
            with closing(client_of(repeater.port)) as client:
                client.write_register(5, 77, device_id=7)
                for device, value in ((1, VALUE), (7, 77)):
                    answer = client.read_holding_registers(5, count=1, device_id=device)
                    self.assertEqual((answer.dev_id, answer.registers), (device, [value]))
                    self.assertEqual(client.write_register(100, 1, device_id=device).dev_id, device)
                beyond = client.read_holding_registers(5000, count=1, device_id=1)
                self.assertEqual((beyond.exception_code, beyond.dev_id), (2, 1))

        await self.in_thread(run)

    async def test_many_clients(self) -> None:
        """Clients that ask at the same time each get their own answers, though they come from one address."""
        repeater = await self.start()

        async def one(number: int) -> None:
            client = AsyncModbusTcpClient("127.0.0.1", port=repeater.port, timeout=10, retries=0)
            assert await client.connect()
            for step in range(20):
                await client.write_register(number, step, device_id=1)
                answer = await client.read_holding_registers(number, count=1, device_id=1)
                self.assertEqual(answer.registers, [step])
                self.assertEqual((await client.write_register(100 + number, step, device_id=1)).exception_code, 2)
            client.close()

        async def all_of_them() -> None:
            await asyncio.gather(*map(one, range(8)))

        await self.in_thread(asyncio.run, all_of_them())


class StreamTests(ModbusCase):
    """Requests as bytes."""

    async def test_one_segment(self) -> None:
        """Of several requests in one segment, each gets the answer with its number; numbers may wrap and be equal."""
        # The server of pymodbus answers only the first request of a segment. The answer to a write is the request.
        first, refused, others = (65535, 1, 6), (0, 7, 6), [(1, 1, 6), (1, 1, 22), (1, 44, 99)]
        passed = [request(*head, b"\0\1\0\2\0\3") for head in (first, *others)]
        protected = request(*refused, b"\0\x64\0\1")  # register 100
        said = passed[0] + protected + b"".join(passed[1:])
        exception = request(0, 7, 0x86, b"\2")
        async with listening(None) as port:
            repeater = await self.start(server=f"tcp:127.0.0.1:{port}")
            for parts in ([said], list(bytewise(said))):
                size = len(b"".join(passed) + exception)
                got = split(await self.in_thread(answers_of, repeater.port, parts, size))
                self.assertEqual(sorted(got), sorted([*passed, exception]))
                self.assertEqual([answer for answer in got if answer != exception], passed)
            await self.nothing_left(repeater)

    async def test_untouched(self) -> None:
        """Without a protected register the bytes are those of the server, whatever the request."""
        repeater = await self.start()
        for asked in (
            request(9, 1, 3, b"\0\0\0\x7d"),
            request(9, 1, 7, b""),
            request(9, 1, 99, b"\1\2\3"),
            request(9, 44, 3, b"\0\0\0\1"),
        ):
            direct = await self.in_thread(self.first_answer, self.server.port, asked)
            self.assertEqual(await self.in_thread(self.first_answer, repeater.port, asked), direct)

    def first_answer(self, port: int, asked: bytes) -> bytes:
        """Return the first bytes of an answer, at least its header."""
        return answers_of(port, [asked], 8)


class HostileTests(ModbusCase):
    """Peers that are no client or server of Modbus, or are gone too soon, cost only themselves."""

    async def test_clients(self) -> None:
        """Bytes that are no request close the connection, at once or byte by byte, and reach no server."""
        repeater = await self.start()
        for said in (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\0\1\0\0\0\0",
            b"\0\1\0\0\0\1\1",
            b"\0\1\0\1\0\6\1\3\0\0\0\1",
            b"\0\1\0\0\xff\xff",
        ):
            for parts in ([said], bytewise(said)):
                self.assertEqual(await self.in_thread(talk, repeater.port, *parts), b"", said)
        await self.served(repeater)

    async def test_middle(self) -> None:
        """A client that leaves in the middle of a request has got the answers to those before it."""
        repeater = await self.start()
        whole = request(1, 1, 3, b"\0\0\0\1")
        for size in range(len(whole)):
            answer = request(1, 1, 3, b"\2\0\7")
            got = await self.in_thread(answers_of, repeater.port, [whole + whole[:size]], len(answer))
            self.assertEqual(got, answer)
        await self.nothing_left(repeater)

    async def test_silent(self) -> None:
        """A client that says nothing has no connection to the server, and is closed in the end."""
        repeater = await self.start(limits=Limits(hello_timeout=0.2))
        self.assertEqual(await self.in_thread(talk, repeater.port), b"")
        await self.served(repeater)

    async def test_servers(self) -> None:
        """A server that closes, or says something else, costs its client only."""
        for says in (b"", b"\0\1\0", b"SSH-2.0-OpenSSH_9\r\n", b"\xff" * 100):
            async with listening(says) as port:
                repeater = await self.start(server=f"tcp:127.0.0.1:{port}")

                def run(repeater: Repeater = repeater) -> None:
                    with closing(client_of(repeater.port)) as client, self.assertRaises(ModbusException):
                        client.read_holding_registers(0, count=1, device_id=1)

                await self.in_thread(run)
                await self.nothing_left(repeater)

    async def test_unreachable(self) -> None:
        """A server that cannot be reached closes the client's connection."""
        repeater = await self.start(server="tcp:127.0.0.1:1")
        self.assertEqual(await self.in_thread(talk, repeater.port, request(1, 1, 3, b"\0\0\0\1")), b"")
