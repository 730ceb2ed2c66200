"""Sessions of Modbus/TCP to record."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient

from twisted_repeater import Direction

from ..dialects.modbus.frames import frame
from ..needed import needed
from ..paths import TESTS
from ..real.servers import RealServer
from .recording import Message
from .sessions import Session, adding_to, say

__all__ = ["SESSIONS", "start"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)

UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT

CALLS: dict[str, Callable[[Any], object]] = {
    "read_coils": lambda client: client.read_coils(3, count=19),
    "read_discrete_inputs": lambda client: client.read_discrete_inputs(0, count=2000 // 4, device_id=7),
    "read_holding_registers": lambda client: client.read_holding_registers(10, count=125),
    "read_input_registers": lambda client: client.read_input_registers(999, count=1, device_id=7),
    "write_coil": lambda client: (client.write_coil(1, True), client.write_coil(1, False)),
    "write_register": lambda client: client.write_register(500, 65535, device_id=7),
    "write_coils": lambda client: client.write_coils(8, [True, False] * 9),
    "write_registers": lambda client: client.write_registers(600, list(range(123))),
    "mask_write_register": lambda client: client.mask_write_register(address=4, and_mask=0xF2, or_mask=0x25),
    "readwrite_registers": lambda client: client.readwrite_registers(
        read_address=3, read_count=6, write_address=14, values=[255] * 3
    ),
    "device_information": lambda client: client.read_device_information(read_code=2, object_id=0),
    "report_device_id": lambda client: client.report_device_id(),
    "exception_status": lambda client: client.read_exception_status(),
    "diagnostics": lambda client: (client.diag_query_data(b"ab"), client.diag_read_bus_message_count()),
    "event_counter": lambda client: (client.diag_get_comm_event_counter(), client.diag_get_comm_event_log()),
    "fifo_queue": lambda client: client.read_fifo_queue(address=1),
    "exceptions": lambda client: (
        client.read_holding_registers(999, count=2),
        client.write_register(5000, 1),
        client.read_coils(0, count=1, device_id=44),
    ),
    "polling": lambda client: [client.read_holding_registers(at, count=5) for at in range(0, 100, 5)],
}
"""What the client of pymodbus, which waits for each answer, is asked for in a session."""


def start() -> RealServer:
    """Start the server of the tests."""
    program = str(TESTS / "real" / "modbus_server.py")
    return RealServer(lambda port: [sys.executable, program, str(port)])


def add_call(name: str, call: Callable[[Any], object]) -> None:
    """Add a session with calls of the client of pymodbus."""

    def one(port: int) -> None:
        with closing(ModbusTcpClient("127.0.0.1", port=port, timeout=10, retries=0)) as client:
            client.connect()
            call(client)

    one.__name__ = name
    one.__doc__ = f"The client of pymodbus: {name.replace('_', ' ')}."
    session(one)


for call_name, function in CALLS.items():
    add_call(call_name, function)


@session
def asynchronous(port: int) -> None:
    """Two asynchronous clients of pymodbus at once."""

    async def one(number: int) -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=10, retries=0)
        await client.connect()
        for value in range(5):
            await client.write_register(number, value)
            await client.read_holding_registers(number, count=1)
        client.close()

    async def both() -> None:
        await asyncio.gather(one(1), one(2))

    asyncio.run(both())


@session
def mbpoll(port: int) -> None:
    """Mbpoll reads and writes, once each."""
    program = needed("mbpoll", "mbpoll")
    for arguments in (("-r", "5", "-c", "3", "127.0.0.1"), ("-t", "0", "-r", "1", "127.0.0.1", "1", "0", "1")):
        subprocess.run([program, "-0", "-1", "-p", str(port), *arguments], check=True, capture_output=True)


@session
def one_after_the_other(port: int) -> None:
    """Written by a program of the tests: requests of each unit, with numbers at the ends of their range."""
    for unit in (1, 7, 0, 255):
        for number in (0, 65535):
            asked = frame(3, b"\0\0\0\1", unit=unit, transaction=number)
            say(port, (asked, asked[:2]))


@session
def pipelined(port: int) -> list[Message]:
    """Written by hand, as the server answers one request of a segment only: many at once, answered in another order."""
    requests = [frame(3, bytes((0, number, 0, 1)), transaction=number) for number in range(16)]
    answers = [frame(3, bytes((2, 0, number)), transaction=number) for number in reversed(range(16))]
    return [(UP, b"".join(requests)), *((DOWN, answer) for answer in answers)]


@session
def files(port: int) -> list[Message]:
    """Written by hand, as the server has no files: they are read and written."""
    read = b"\x0e\6\0\4\0\1\0\2\6\0\3\0\x09\0\2"
    return [
        (UP, frame(20, read)),
        (DOWN, frame(20, b"\x0c\5\6\x0d\xfe\0\x20\5\6\x33\xcd\0\x40")),
        (UP, frame(21, b"\x0d\6\0\4\0\7\0\3\6\xaf\4\xbe\x10\x0d")),
        (DOWN, frame(21, b"\x0d\6\0\4\0\7\0\3\6\xaf\4\xbe\x10\x0d")),
    ]


@session
def of_a_vendor(port: int) -> list[Message]:
    """Written by hand: functions of a vendor, the longest frames, the shortest, and a broadcast."""
    return [
        (UP, frame(100, bytes(range(252)))),
        (DOWN, frame(100, bytes(252))),
        (UP, frame(101)),
        (DOWN, frame(101)),
        (UP, frame(6, b"\0\1\0\2", unit=0)),
        (UP, frame(90, b"\0\x01")),
        (DOWN, frame(0x80 | 90, b"\x0b")),
    ]
