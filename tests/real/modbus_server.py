"""A Modbus server of pymodbus: ``python modbus_server.py PORT``. Its devices 1 and 7 have registers and coils."""

from __future__ import annotations

import asyncio
import sys

from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

COUNT = 1000
"""How many coils and registers there are of each kind."""


def device(number: int) -> SimDevice:
    """Return a device. Each register is 7, each coil is off, each discrete input on."""
    registers = SimData(0, count=COUNT, values=7, datatype=DataType.REGISTERS)
    off = SimData(0, count=COUNT, values=False, datatype=DataType.BITS)
    on = SimData(0, count=COUNT, values=True, datatype=DataType.BITS)
    return SimDevice(number, simdata=([off], [on], [registers], [registers]))


if __name__ == "__main__":
    asyncio.run(StartAsyncTcpServer([device(1), device(7)], address=("127.0.0.1", int(sys.argv[1]))))
