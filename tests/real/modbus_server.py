"""A Modbus server of pymodbus: ``python modbus_server.py PORT``. Its devices 1 and 7 have registers and coils."""

from __future__ import annotations

import asyncio
import sys

from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

REGISTERS = SimData(0, count=1000, values=7, datatype=DataType.REGISTERS)


def device(number: int) -> SimDevice:
    """Return a device."""
    return SimDevice(number, simdata=[REGISTERS])


if __name__ == "__main__":
    asyncio.run(StartAsyncTcpServer([device(1), device(7)], address=("127.0.0.1", int(sys.argv[1]))))
