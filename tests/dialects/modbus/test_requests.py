"""What requests say of themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.modbus import (
    Area,
    MaskWriteRegister,
    ReadCoils,
    ReadDiscreteInputs,
    ReadHoldingRegisters,
    ReadInputRegisters,
    ReadWriteRegisters,
    Request,
    WriteCoil,
    WriteCoils,
    WriteRegister,
    WriteRegisters,
)

COILS, DISCRETE = Area.COILS, Area.DISCRETE_INPUTS
HOLDING, INPUT = Area.HOLDING_REGISTERS, Area.INPUT_REGISTERS
NOTHING = range(0)


class RequestTests(SynchronousTestCase):
    """The requests."""

    def test_addresses(self) -> None:
        """Each request says which addresses of which table it reads, and which it writes."""
        cases: list[tuple[Request, int, Area, range, range]] = [
            (ReadCoils(5, 3), 1, COILS, range(5, 8), NOTHING),
            (ReadDiscreteInputs(5, 3), 2, DISCRETE, range(5, 8), NOTHING),
            (ReadHoldingRegisters(5, 3), 3, HOLDING, range(5, 8), NOTHING),
            (ReadInputRegisters(5, 0), 4, INPUT, NOTHING, NOTHING),
            (WriteCoil(5, True), 5, COILS, NOTHING, range(5, 6)),
            (WriteRegister(5, 7), 6, HOLDING, NOTHING, range(5, 6)),
            (WriteCoils(5, (True, False)), 15, COILS, NOTHING, range(5, 7)),
            (WriteRegisters(5, (1, 2, 3)), 16, HOLDING, NOTHING, range(5, 8)),
            (MaskWriteRegister(5, 1, 2), 22, HOLDING, NOTHING, range(5, 6)),
            (ReadWriteRegisters(1, 2, 8, (1, 2)), 23, HOLDING, range(1, 3), range(8, 10)),
        ]
        for request, function, area, read, written in cases:
            self.assertEqual(
                (request.function, request.area, request.read, request.written), (function, area, read, written)
            )

    def test_values(self) -> None:
        """They are equal if all they say is, can be keys, and are changed by making another."""
        request = WriteRegister(5, 7, unit=2, transaction=9)
        self.assertEqual(replace(request, value=8), WriteRegister(5, 8, unit=2, transaction=9))
        self.assertNotEqual(request, WriteRegister(5, 7))
        self.assertEqual(len({request, replace(request), replace(request, unit=3)}), 2)
        self.assertEqual(repr(request), "WriteRegister(unit=2, transaction=9, address=5, value=7)")
        fixed: Any = request
        with self.assertRaises(FrozenInstanceError):
            fixed.value = 8
