"""What requests and responses of Modbus have in common.

They cannot be changed. To alter one, make another: ``Send(replace(request, address=5))``, with ``dataclasses.replace``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

__all__ = ["NOTHING", "Area", "ExceptionCode", "Message", "Raw"]

NOTHING = range(0)
"""No address."""


class Area(StrEnum):
    """The four tables of a device. Each has addresses from 0 to 65535."""

    COILS = "coils"
    """Bits that can be read and written."""
    DISCRETE_INPUTS = "discrete"
    """Bits that can only be read."""
    HOLDING_REGISTERS = "holding"
    """Numbers of 16 bits that can be read and written."""
    INPUT_REGISTERS = "input"
    """Numbers of 16 bits that can only be read."""


class ExceptionCode(IntEnum):
    """Why a request is not carried out."""

    ILLEGAL_FUNCTION = 1
    """The device does not have this function, or does not allow it."""
    ILLEGAL_DATA_ADDRESS = 2
    """An address does not exist, or may not be used."""
    ILLEGAL_DATA_VALUE = 3
    """The request is not valid."""
    SERVER_DEVICE_FAILURE = 4
    """The device could not do it."""
    ACKNOWLEDGE = 5
    """It is being done, and takes long."""
    SERVER_DEVICE_BUSY = 6
    """The client is to ask again later."""
    MEMORY_PARITY_ERROR = 8
    """The memory of the device is damaged."""
    GATEWAY_PATH_UNAVAILABLE = 0x0A
    """A gateway has no way to the device."""
    GATEWAY_TARGET_FAILED = 0x0B
    """The device has not answered a gateway."""


@dataclass(frozen=True, slots=True)
class Message:
    """The base of all."""

    unit: int = field(default=1, kw_only=True)
    """The device behind the server, 0 to 255. 0 is a broadcast where the server is a gateway."""
    transaction: int = field(default=0, kw_only=True)
    """The number that the client has given to the request, 0 to 65535; its response has the same."""


@dataclass(frozen=True, slots=True)
class Raw(Message):
    """A request or a response that has no class of its own, and so is not looked into.

    Requests such as diagnostics, device identification, file records, or functions of a vendor. Responses to these, and
    those to the functions that only write, which repeat what was written.
    """

    function: int
    """The number of the function."""
    data: bytes = b""
    """What follows it."""

    @property
    def area(self) -> None:
        """The table that it reads or writes is not known."""
        return None

    @property
    def read(self) -> range:
        """The addresses that it reads: empty, because they are not known."""
        return NOTHING

    @property
    def written(self) -> range:
        """The addresses that it writes: empty, because they are not known."""
        return NOTHING
