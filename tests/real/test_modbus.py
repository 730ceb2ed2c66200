"""The dialect ``modbus`` between servers and clients of other people: pymodbus, and mbpoll, which has libmodbus."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
import threading
from random import Random
from typing import Any

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent

from twisted_repeater import PASS_ON, Limits, Link, Side, Verdict, dialects
from twisted_repeater.dialects.modbus import ReadOnly, Registers, Request, Response, refuse, with_requests
from twisted_repeater.filters import FilterPair, Log, chain

from ..dialects.modbus.frames import frame
from ..needed import needed
from ..peers import reactor, set_limits
from .hostile import listening
from .modbus_case import LIBMODBUS, VALUE, ModbusCase, answers_of, ending_early, late_server, patient_server, split
from .servers import bytewise, talk

DEBIAN_PACKAGES = "mbpoll"

READ = b"\0\0\0\1"
"""One register or coil, at address 0."""


def finish(link: Link, side: Side, error: Exception) -> None:
    """Let a link end in good order, as without a callback."""
    link.finish()


def look(message: object, link: Link) -> Verdict:
    """Look at a message, and pass it on."""
    return PASS_ON


class PassingTests(ModbusCase):
    """What passes."""

    async def test_every_function(self) -> None:
        """Every function of pymodbus' client has the same answer through the repeater as without, also when looked at.

        Those are not compared that count what happens on the server.
        """
        repeater = await self.start(filters=FilterPair(look, look))

        def ask(client: Any) -> list[str]:
            calls = [
                client.read_coils(0, count=9),
                client.read_discrete_inputs(3, count=16, device_id=7),
                client.read_holding_registers(0, count=125),
                client.read_input_registers(999, count=1, device_id=7),
                client.write_coil(2, True),
                client.write_coils(4, [True, False, True]),
                client.read_coils(0, count=9),
                client.write_register(5, 65535, device_id=7),
                client.write_registers(6, [1, 2, 3], device_id=7),
                client.mask_write_register(address=5, and_mask=0xF0, or_mask=0x0A, device_id=7),
                client.readwrite_registers(read_address=4, read_count=6, address=0, write_address=9, values=[9]),
                client.read_device_information(read_code=1, object_id=0),
                client.report_device_id(),
                client.read_exception_status(),
                client.diag_query_data(b"ab"),
                client.read_fifo_queue(address=0),
                client.read_holding_registers(998, count=5),
                client.read_holding_registers(0, count=1, device_id=99),
                client.write_register(5000, 1),
            ]
            return [str(call).partition("transaction_id")[0] + str(call).partition(",")[2] for call in calls]

        await self.with_client(self.server.port, ask)  # from now on it changes nothing
        through = await self.with_client(repeater.port, ask)
        self.assertEqual(through, await self.with_client(self.server.port, ask))

    async def test_mbpoll(self) -> None:
        """Mbpoll reads and writes coils and registers of each device."""
        repeater = await self.start(filters=FilterPair(look, look))
        for arguments, expected in (
            (("-t", "4", "-r", "5", "-c", "3", "127.0.0.1"), "[5]: \t7"),
            (("-t", "0", "-r", "1", "127.0.0.1", "1"), "Written 1 references."),
            (("-t", "0", "-r", "0", "-c", "9", "127.0.0.1"), "[1]: \t1"),
            (("-t", "4", "-a", "7", "-r", "10", "127.0.0.1", "11", "12", "13"), "Written 3 references."),
            (("-t", "4", "-a", "1,7", "-r", "11", "127.0.0.1"), "[11]: \t12"),
            (("-t", "3", "-r", "0", "127.0.0.1"), "[0]: \t7"),
            (("-t", "1", "-r", "0", "127.0.0.1"), "[0]: \t1"),
        ):
            status, printed = await self.mbpoll(repeater.port, *arguments)
            self.assertEqual(status, 0, printed)
            self.assertIn(expected, printed)

    async def test_many_clients(self) -> None:
        """Clients that ask at the same time each get their own answers, though they come from one address."""
        repeater = await self.start(filters=Registers(deny_write=("holding 100-199",)))

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

    async def test_one_segment(self) -> None:
        """Of several requests in one segment, each gets the answer with its number; numbers may wrap and be equal."""
        # The server of pymodbus answers only the first request of a segment. The answer to a write is the request.
        first, others = (65535, 1, 6), [(1, 1, 6), (1, 1, 22), (1, 44, 99), (1, 0, 99)]
        passed = [
            frame(function, b"\0\1\0\2\0\3"[: 4 if function == 6 else 6], unit=unit, transaction=number)
            for number, unit, function in (first, *others)
        ]
        protected = frame(6, b"\0\x64\0\1", unit=7, transaction=0)  # register 100
        said = passed[0] + protected + b"".join(passed[1:])
        exception = frame(0x86, b"\2", unit=7, transaction=0)
        rules = Registers(deny_write=("holding 100-199",), functions=("99",))
        async with listening(None) as port:
            repeater = await self.start(filters=rules, server=f"tcp:127.0.0.1:{port}")
            for parts in ([said], list(bytewise(said))):
                size = len(b"".join(passed) + exception)
                got = split(await self.in_thread(answers_of, repeater.port, parts, size))
                self.assertEqual(sorted(got), sorted([*passed, exception]))
                self.assertEqual([answer for answer in got if answer != exception], passed)
            await self.nothing_left(repeater)

    async def test_flood(self) -> None:
        """Thousands of requests at once, cut anywhere, with verdicts that come later, get their answers in order."""
        random = Random(1)
        requests = [
            frame(random.choice((6, 22, 100)), random.randbytes(6)[: random.choice((4, 6))], transaction=number)
            for number in range(3000)
        ]
        requests = [each for each in requests if (len(each), each[7]) in ((12, 6), (14, 22), (12, 100), (14, 100))]
        said = b"".join(requests)
        cuts = sorted(random.randrange(len(said)) for _ in range(50))
        parts = [said[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(said)])]

        def later(message: object, link: Link) -> Deferred[Verdict]:
            return deferLater(reactor, 0, lambda: PASS_ON)

        def as_asked(response: Response, request: Request, link: Link) -> Verdict:
            self.assertEqual((response.function, response.transaction), (request.function, request.transaction))
            return PASS_ON

        async with listening(None) as port:  # the answer to each of these is the same
            filters = chain(with_requests(as_asked), FilterPair(later, later))
            repeater = await self.start(filters=filters, server=f"tcp:127.0.0.1:{port}")
            self.assertEqual(await self.in_thread(answers_of, repeater.port, parts, len(said)), said)
            await self.nothing_left(repeater)

    async def test_untouched(self) -> None:
        """The first bytes of an answer are those of the server, whatever the request."""
        repeater = await self.start(filters=FilterPair(look, look))
        for asked in (
            frame(3, b"\0\0\0\x7d", transaction=9),
            frame(7),
            frame(99, b"\1\2\3"),
            frame(3, READ, unit=44),
            frame(3, b"\0\0\xff\xff"),
        ):
            direct = await self.in_thread(answers_of, self.server.port, [asked], 8)
            self.assertEqual(await self.in_thread(answers_of, repeater.port, [asked], 8), direct)


class RefusingTests(ModbusCase):
    """What is refused."""

    async def test_read_only(self) -> None:
        """Each function that writes is answered with an exception, and the server has its values still."""
        repeater = await self.start(filters=ReadOnly())

        def ask(client: Any) -> None:
            for refused in (
                client.write_register(1, 1, device_id=7),
                client.write_registers(1, [1, 2, 3]),
                client.mask_write_register(address=1, and_mask=0, or_mask=1),
                client.readwrite_registers(read_address=0, read_count=2, write_address=1, values=[1]),
                client.write_coil(1, True),
                client.write_coils(1, [True, True]),
            ):
                self.assertEqual(refused.exception_code, 1, refused)
            self.assertEqual(client.read_holding_registers(0, count=5).registers, [VALUE] * 5)
            self.assertEqual(client.read_coils(0, count=8).bits, [False] * 8)

        await self.with_client(repeater.port, ask)
        for arguments in (("-t", "4", "-r", "5", "127.0.0.1", "1"), ("-t", "0", "-r", "5", "127.0.0.1", "1")):
            _, printed = await self.mbpoll(repeater.port, *arguments)
            self.assertIn("Illegal function", printed)

    async def test_ranges(self) -> None:
        """Registers outside of the allowed range can be read, but not written, whatever the function."""
        repeater = await self.start(filters=Registers(write=("holding 90-99 from 127.0.0.1", "holding 5 unit 7")))

        def ask(client: Any) -> None:
            for refused in (
                client.write_register(100, 1),
                client.write_registers(98, [1, 2, 3]),
                client.mask_write_register(address=150, and_mask=0, or_mask=1, device_id=7),
                client.readwrite_registers(read_address=0, read_count=2, write_address=199, values=[1]),
                client.write_register(5, 1),
            ):
                self.assertEqual(refused.exception_code, 2, refused)
            self.assertEqual(client.write_coil(95, True).exception_code, 1)
            for written in (
                client.write_register(99, 1),
                client.write_registers(97, [3, 4]),
                client.mask_write_register(address=96, and_mask=0, or_mask=5),
                client.readwrite_registers(read_address=100, read_count=2, write_address=95, values=[6]),
                client.write_register(5, 77, device_id=7),
            ):
                self.assertFalse(written.isError(), written)

        await self.with_client(repeater.port, ask)
        registers = await self.with_client(
            self.server.port, lambda client: client.read_holding_registers(90, count=110).registers
        )
        self.assertEqual(registers, [*[VALUE] * 5, 6, 5, 3, 4, 1, *[VALUE] * 100])

    async def test_other_clients(self) -> None:
        """A client that no rule names may do nothing."""
        repeater = await self.start(filters=Registers(read=("any from 10.0.0.5",)))
        answer = await self.with_client(repeater.port, lambda client: client.read_holding_registers(0, count=1))
        self.assertEqual(answer.exception_code, 1)

    async def test_devices(self) -> None:
        """Each device has its own registers, and answers and exceptions name the device; so do those of the server."""
        repeater = await self.start(filters=Registers(deny_write=("holding 100-199",)))

        def ask(client: Any) -> None:
            client.write_register(5, 77, device_id=7)
            for device, value in ((1, VALUE), (7, 77)):
                answer = client.read_holding_registers(5, count=1, device_id=device)
                self.assertEqual((answer.dev_id, answer.registers), (device, [value]))
                self.assertEqual(client.write_register(100, 1, device_id=device).dev_id, device)
            beyond = client.read_holding_registers(5000, count=1, device_id=1)
            self.assertEqual((beyond.exception_code, beyond.dev_id), (2, 1))

        await self.with_client(repeater.port, ask)

    async def test_hidden_values(self) -> None:
        """A write with more values than it announces, which pymodbus writes all, does not get past the rules."""
        hidden = frame(16, b"\0\x63\0\1\4\0\1\0\2", transaction=5)
        repeater = await self.start(filters=Registers(deny_write=("holding 100-199",)))
        answer = await self.in_thread(talk, repeater.port, hidden)
        self.assertEqual(answer, frame(0x90, b"\3", transaction=5))
        registers = await self.with_client(
            self.server.port, lambda client: client.read_holding_registers(99, count=2).registers
        )
        self.assertEqual(registers, [VALUE, VALUE])

    async def test_hidden_requests(self) -> None:
        """A write that is hidden in another request, where libmodbus finds it, does not get past the rules."""
        needed("mbpoll", "mbpoll")  # it comes with libmodbus
        server = self.start_server(lambda port: [sys.executable, LIBMODBUS, str(port)])
        write, read = frame(6, b"\0\5\3\x09"), frame(3, b"\0\5\0\1")
        for function, data in ((17, b""), (7, b""), (3, b"\0\0\0\1")):
            asked = frame(function, data + write)
            refusal = frame(function | 0x80, b"\3")
            repeater = await self.start_repeater(dialects.modbus(), server.port, filters=ReadOnly())
            self.assertEqual(await self.in_thread(answers_of, repeater.port, [asked], len(refusal)), refusal)
            await self.nothing_left(repeater)  # the server has one client at a time
            answer = await self.in_thread(answers_of, repeater.port, [read], 11)
            self.assertEqual(answer, frame(3, b"\2\0\0"))
            await self.nothing_left(repeater)
        await self.in_thread(answers_of, server.port, [asked], 23)  # without a repeater it is written
        self.assertEqual(await self.in_thread(answers_of, server.port, [read], 11), frame(3, b"\2\3\x09"))

    async def test_own_filter(self) -> None:
        """A filter of one's own refuses by what a request says; a log shows all of them."""

        def not_at_night(request: Any, link: Link) -> Verdict:
            return refuse(request, 4) if 10 in request.written else PASS_ON

        repeater = await self.start(to_server_filter=not_at_night, to_client_filter=Log("answers"))
        with capturedLogs() as events:
            answer = await self.with_client(repeater.port, lambda client: client.write_registers(8, [1, 2, 3]))
            await self.served(repeater)
        self.assertEqual(answer.exception_code, 4)
        shown = [formatEvent(event) or "" for event in events]
        self.assertTrue(any("ReadHoldingRegistersResponse" in line for line in shown), shown)


class ServerTests(ModbusCase):
    """Servers that are gone, or late."""

    async def test_unreachable(self) -> None:
        """A client whose server cannot be reached is told so by the code of gateways, and is closed."""
        repeater = await self.start(server="tcp:127.0.0.1:1")
        got = await self.in_thread(talk, repeater.port, frame(3, READ, unit=9, transaction=1))
        self.assertEqual(got, frame(0x83, b"\x0a", unit=9, transaction=1))
        answer = await self.with_client(repeater.port, lambda client: client.read_coils(0, count=1))
        self.assertEqual(answer.exception_code, 0x0A)
        _, printed = await self.mbpoll(repeater.port, "-t", "4", "-r", "5", "127.0.0.1")
        self.assertIn("Gateway path unavailable", printed)

    async def test_one_connection(self) -> None:
        """With a place for one client only, the next one waits, and the device has one connection at a time."""
        repeater = await self.start(limits=Limits(max_clients=1))
        asked, answer = frame(3, READ), frame(3, b"\2\0\7")
        with socket.create_connection(("127.0.0.1", repeater.port), timeout=30) as first:
            first.sendall(asked)
            self.assertEqual(await self.in_thread(first.recv, len(answer), socket.MSG_WAITALL), answer)
            second = self.in_thread(answers_of, repeater.port, [asked], len(answer))
            first.sendall(asked)
            self.assertEqual(await self.in_thread(first.recv, len(answer), socket.MSG_WAITALL), answer)
            self.assertEqual(len(repeater.links()), 1)
            self.assertFalse(second.called)
        self.assertEqual(await second, answer)

    async def test_late(self) -> None:
        """A response that comes after its client has given up is not taken for another, of no client."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = threading.Thread(target=late_server, args=(listener,))
            serving.start()
            repeater = await self.start(server=f"tcp:127.0.0.1:{listener.getsockname()[1]}")

            def ask(client: Any) -> list[int]:
                client.comm_params.timeout_connect = 0.2
                with contextlib.suppress(ModbusException):
                    client.read_holding_registers(100, count=1)
                client.comm_params.timeout_connect = 10
                registers: list[int] = client.read_holding_registers(200, count=1).registers
                return registers

            self.assertEqual(await self.with_client(repeater.port, ask), [200])
            await self.in_thread(serving.join)

    async def test_others(self) -> None:
        """A server that closes, or says something else, costs its client only."""
        for says in (b"", b"\0\1\0", b"SSH-2.0-OpenSSH_9\r\n", b"\xff" * 100):
            async with listening(says) as port:
                repeater = await self.start(server=f"tcp:127.0.0.1:{port}")

                def ask(client: Any) -> None:
                    with self.assertRaises(ModbusException):
                        client.read_holding_registers(0, count=1)

                await self.with_client(repeater.port, ask)
                await self.nothing_left(repeater)


class HostileTests(ModbusCase):
    """Clients that are none of Modbus, or are gone too soon, cost only themselves."""

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
        whole = frame(3, READ)
        for size in range(len(whole)):
            answer = frame(3, b"\2\0\7")
            got = await self.in_thread(answers_of, repeater.port, [whole + whole[:size]], len(answer))
            self.assertEqual(got, answer)
        await self.nothing_left(repeater)

    async def test_end_of_stream(self) -> None:
        """A client that ends its stream right behind a request gets the answer, and then the end."""
        written = frame(6, b"\0\1\0\2")  # the answer is the same
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = threading.Thread(target=patient_server, args=(listener, len(written)))
            serving.start()
            server = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
            repeater = await self.start(filters=FilterPair(look, look), server=server, on_error=finish)
            self.assertEqual(await self.in_thread(ending_early, repeater.port, written), written)
            await self.in_thread(serving.join)

    async def test_silent(self) -> None:
        """A client that says nothing has no connection to the server, and is closed in the end."""
        repeater = await self.start(limits=Limits(hello_timeout=0.2))
        self.assertEqual(await self.in_thread(talk, repeater.port), b"")
        set_limits(repeater)
        await self.served(repeater)
