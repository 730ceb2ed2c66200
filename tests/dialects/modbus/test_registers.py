"""Rules about what clients may read and write."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import dialects
from twisted_repeater.dialects.modbus import (
    ExceptionResponse,
    MaskWriteRegister,
    Raw,
    ReadCoils,
    ReadDiscreteInputs,
    ReadHoldingRegisters,
    ReadInputRegisters,
    ReadOnly,
    ReadWriteRegisters,
    Registers,
    Request,
    RequestCodec,
    WriteCoil,
    WriteCoils,
    WriteRegister,
    WriteRegisters,
)
from twisted_repeater.testing import FilterHarness

from .frames import frame

READS: list[Request] = [ReadCoils(0, 1), ReadDiscreteInputs(0, 1), ReadHoldingRegisters(0, 1), ReadInputRegisters(0, 1)]
WRITES: list[Request] = [
    WriteCoil(0, True),
    WriteRegister(0, 1),
    WriteCoils(0, (True,)),
    WriteRegisters(0, (1,)),
    MaskWriteRegister(0, 1, 1),
    ReadWriteRegisters(0, 1, 0, (1,)),
]
ELSE = [
    Raw(21, b"\1\7"),
    Raw(8, b"\0\1"),
    Raw(8, b"\0\4\0\0"),
    Raw(8),
    Raw(8, b"\0\0abcd"),
    Raw(43, b"\x0d"),
    Raw(43),
    Raw(100),
    Raw(0x90),
]
"""Requests that may write something, or do harm."""
READ_ELSE = [Raw(7), Raw(20, b"\1\6"), Raw(24, b"\0\0")]
HARMLESS = [Raw(8, b"\0\0ab"), Raw(8, b"\0\x0b\0\0"), Raw(11), Raw(12), Raw(17), Raw(43, b"\x0e\1\0")]


class RegistersCase(SynchronousTestCase):
    """Asks for things."""

    def codes(self, rules: Registers, requests: list[Any], host: str = "127.0.0.1") -> list[int | None]:
        """Return the code of the exception that each request gets; ``None`` if it passes."""
        run = FilterHarness(filters=rules, dialect=dialects.modbus(), says=[Raw(17)], client_host=host)
        codes: list[int | None] = []
        for request in requests:
            outcome = run.client_sends(request)
            if outcome.to_client:
                (answer,) = outcome.to_client
                self.assertIsInstance(answer, ExceptionResponse)
                self.assertEqual((answer.function, answer.unit), (request.function & 0x7F, request.unit))
                self.assertEqual(outcome.to_server, [])
                codes.append(answer.code)
            else:
                self.assertEqual(outcome.to_server, [request])
                codes.append(None)
        return codes


class ReadOnlyTests(RegistersCase):
    """`ReadOnly`."""

    def test_writes(self) -> None:
        """Whatever may write is refused as an illegal function; the rest passes."""
        refused = [*WRITES, *ELSE]
        self.assertEqual(self.codes(ReadOnly(), refused), [1] * len(refused))
        passed = [*READS, *READ_ELSE, *HARMLESS]
        self.assertEqual(self.codes(ReadOnly(), passed), [None] * len(passed))

    def test_functions(self) -> None:
        """Functions that are named pass."""
        self.assertEqual(
            self.codes(ReadOnly(functions=("100", "21")), [Raw(100), Raw(21, b"\0"), Raw(101)]), [None, None, 1]
        )

    def test_hidden_requests(self) -> None:
        """A request that is longer or shorter than its function says is not valid: a server might see others in it."""
        hidden = frame(6, b"\0\1\0\2")
        only, deny = ReadOnly(), Registers(deny_read=("holding 5",))
        for rules, request in (
            *((only, request) for request in (*READS, *READ_ELSE, Raw(11), Raw(12), Raw(17), Raw(43, b"\x0e\1\0"))),
            *((deny, request) for request in (*WRITES, Raw(21, b"\1\0"))),
        ):
            payload = RequestCodec().encode(request)
            function, data = payload[7], payload[8:]
            for wrong in (data + hidden, data + b"\0", data[:-1]):
                if wrong != data:
                    run = FilterHarness(filters=rules, dialect=dialects.modbus(), says=[Raw(17)])
                    outcome = run.client_sends_payloads(frame(function, wrong))
                    self.assertEqual(outcome.to_server, [])
                    self.assertEqual(outcome.to_client_bytes, frame(function | 0x80, b"\3"))
                    self.assertTrue(outcome.closed)

    def test_hidden_values(self) -> None:
        """A request with more values than it announces is not valid: a server might write them all."""
        run = FilterHarness(filters=Registers(write=("holding 0",)), dialect=dialects.modbus(), says=[Raw(17)])
        outcome = run.client_sends_payloads(frame(16, b"\0\0\0\1\4\0\1\0\2"))
        self.assertEqual((outcome.to_server_bytes, outcome.to_client_bytes), (b"", frame(0x90, b"\3")))
        self.assertTrue(outcome.closed)


class RegistersTests(RegistersCase):
    """`Registers`."""

    def test_ranges(self) -> None:
        """All addresses of a request must be allowed, by one rule or by several together."""
        rules = Registers(write=("holding 10-19", "holding 20-29", "holding 40", "coils 5"))
        for first, count, code in ((10, 20, None), (9, 2, 2), (29, 2, 2), (15, 10, None), (40, 1, None), (39, 2, 2)):
            self.assertEqual(self.codes(rules, [WriteRegisters(first, (0,) * count)]), [code], (first, count))
        self.assertEqual(
            self.codes(
                rules,
                [
                    WriteRegister(10, 1),
                    WriteRegister(30, 1),
                    MaskWriteRegister(30, 1, 1),
                    ReadWriteRegisters(0, 100, 10, (1, 2)),
                    ReadWriteRegisters(10, 1, 30, (1,)),
                    WriteCoil(5, False),
                    WriteCoils(5, (True, True)),
                    WriteRegisters(9, ()),  # nothing: the server knows that this is not allowed
                    ReadHoldingRegisters(0, 100),
                ],
            ),
            [None, 2, 2, None, 2, None, 2, None, None],
        )

    def test_reads(self) -> None:
        """So it is with reading, also where the same request writes; a table without a rule is an illegal function."""
        rules = Registers(read=("holding 10-19",))
        self.assertEqual(
            self.codes(
                rules,
                [
                    ReadHoldingRegisters(10, 10),
                    ReadHoldingRegisters(10, 11),
                    ReadWriteRegisters(10, 1, 99, (1,)),
                    ReadWriteRegisters(99, 1, 10, (1,)),
                    ReadInputRegisters(10, 1),
                    ReadCoils(10, 1),
                    WriteRegister(99, 1),
                ],
            ),
            [None, 2, None, 2, 1, 1, None],
        )
        self.assertEqual(self.codes(rules, [*READ_ELSE, Raw(100), Raw(21, b"\0"), *HARMLESS]), [1] * 4 + [None] * 7)

    def test_denied(self) -> None:
        """What is denied is refused, although it is allowed; so is each range with one such address."""
        rules = Registers(deny_write=("holding 100-199",), deny_read=("input 7",))
        requests = [
            *(WriteRegister(at, 1) for at in (99, 100, 199, 200)),
            WriteRegisters(98, (1, 2, 3)),
            ReadWriteRegisters(150, 1, 199, (1,)),
            ReadWriteRegisters(150, 1, 200, (1,)),
            ReadInputRegisters(0, 8),
            ReadInputRegisters(8, 8),
            WriteCoil(150, True),
            Raw(100),
        ]
        self.assertEqual(self.codes(rules, requests), [None, 2, 2, None, 2, 2, None, 2, None, None, 1])
        both = Registers(write=("holding",), deny_write=("holding 5",))
        self.assertEqual(self.codes(both, [WriteRegister(4, 1), WriteRegister(5, 1), WriteCoil(4, True)]), [None, 2, 1])

    def test_end(self) -> None:
        """A range that goes on behind the last address is refused: a server might begin again at 0."""
        rules = Registers(deny_read=("holding 0",), deny_write=("any 0",))
        requests = [ReadHoldingRegisters(65535, 1), ReadHoldingRegisters(65535, 2), WriteRegisters(65534, (1, 2, 3))]
        self.assertEqual(self.codes(rules, requests), [None, 2, 2])
        self.assertEqual(self.codes(Registers(write=("any",)), requests), [None, None, None])

    def test_clients(self) -> None:
        """Rules may be about one client, or a network; a client that no rule allows anything may do nothing."""
        rules = Registers(
            write=("holding 1 from 10.0.0.5", "any from 10.1.0.0/16"), deny_write=("coils from 10.1.0.9",)
        )
        for host, codes in (
            ("10.0.0.5", [None, 2, 1, 1]),
            ("10.1.2.3", [None, None, None, None]),
            ("10.1.0.9", [None, None, 2, 1]),
            ("10.0.0.6", [1, 1, 1, 1]),
        ):
            requests = [WriteRegister(1, 1), WriteRegister(2, 1), WriteCoil(1, True), Raw(100)]
            self.assertEqual(self.codes(rules, requests, host), codes, host)

    def test_clients_of_both_kinds(self) -> None:
        """A client of IPv4 that comes as one of IPv6 is the same client, and so it is in a rule that is written so."""
        for written in ("10.0.0.5", "::ffff:10.0.0.5"):
            rules = Registers(deny_write=(f"any from {written}",))
            for host, code in (("10.0.0.5", 2), ("::ffff:10.0.0.5", 2), ("10.0.0.6", None)):
                self.assertEqual(self.codes(rules, [WriteRegister(1, 1)], host), [code])

    def test_units(self) -> None:
        """Rules may be about a unit. A broadcast is not that unit, but reaches it."""
        allowed = Registers(write=("holding unit 7",))
        denied = Registers(deny_write=("holding unit 7",))
        requests = [WriteRegister(1, 1, unit=unit) for unit in (7, 8, 0, 255)]
        self.assertEqual(self.codes(allowed, requests), [None, 1, 1, 1])
        self.assertEqual(self.codes(denied, requests), [2, None, 2, None])

    def test_replaced(self) -> None:
        """Other rules hold from the next request on, for clients that are connected too."""
        run = FilterHarness(filters=ReadOnly(), dialect=dialects.modbus(), says=[Raw(17)])
        run.client_sends(WriteRegister(1, 1)).expect(to_client=[ExceptionResponse(6, 1)])
        run.repeater.replace_filters(filters=Registers(write=("holding 1",)))
        run.client_sends(WriteRegister(1, 1)).expect(to_server=[WriteRegister(1, 1)])
        run.client_sends(WriteRegister(2, 1)).expect(to_client=[ExceptionResponse(6, 2)])

    def test_wrong(self) -> None:
        """Rules that say nothing, or are not understood, are errors at once."""
        self.assertRaises(ValueError, Registers)
        self.assertRaises(ValueError, Registers, functions=("100",))
        self.assertRaises(ValueError, Registers, write=("register 1",))
        self.assertRaises(TypeError, Registers, read="any")
        self.assertRaises(TypeError, Registers, deny_write="any")
        self.assertRaises(TypeError, ReadOnly, functions="100")
        for wrong in ("x", "128", "-1", ""):
            error = self.assertRaises(ValueError, ReadOnly, functions=(wrong,))
            self.assertEqual(str(error), f"functions must be numbers from 0 to 127, not {wrong!r}")
        for ruled in ("3", "6", "16", "23"):
            error = self.assertRaises(ValueError, ReadOnly, functions=("100", ruled))
            self.assertIn(f"functions must not have {ruled}, which reads or writes a table", str(error))
