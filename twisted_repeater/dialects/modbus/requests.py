"""What clients send: the requests of the functions that read or write coils and registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from .message import NOTHING, Area, Message, Raw

__all__ = [
    "MaskWriteRegister",
    "ReadCoils",
    "ReadDiscreteInputs",
    "ReadHoldingRegisters",
    "ReadInputRegisters",
    "ReadWriteRegisters",
    "Request",
    "TypedRequest",
    "WriteCoil",
    "WriteCoils",
    "WriteRegister",
    "WriteRegisters",
]


@dataclass(frozen=True, slots=True)
class _Read(Message):
    """Reads a range of a table."""

    function: ClassVar[int]
    """The number of the function."""
    area: ClassVar[Area]
    """The table that it reads."""
    reads: ClassVar[bool] = True
    """Whether it reads."""
    writes: ClassVar[bool] = False
    """Whether it writes."""

    address: int
    """The first address, counted from 0. Manuals often count from 1, or say 40001 for the first holding register."""
    count: int
    """How many are read."""

    @property
    def read(self) -> range:
        """The addresses that it reads."""
        return range(self.address, self.address + self.count)

    @property
    def written(self) -> range:
        """The addresses that it writes: none."""
        return NOTHING


@dataclass(frozen=True, slots=True)
class ReadCoils(_Read):
    """Reads coils, function 1."""

    function: ClassVar[int] = 1
    area: ClassVar[Area] = Area.COILS


@dataclass(frozen=True, slots=True)
class ReadDiscreteInputs(_Read):
    """Reads discrete inputs, function 2."""

    function: ClassVar[int] = 2
    area: ClassVar[Area] = Area.DISCRETE_INPUTS


@dataclass(frozen=True, slots=True)
class ReadHoldingRegisters(_Read):
    """Reads holding registers, function 3."""

    function: ClassVar[int] = 3
    area: ClassVar[Area] = Area.HOLDING_REGISTERS


@dataclass(frozen=True, slots=True)
class ReadInputRegisters(_Read):
    """Reads input registers, function 4."""

    function: ClassVar[int] = 4
    area: ClassVar[Area] = Area.INPUT_REGISTERS


@dataclass(frozen=True, slots=True)
class _Write(Message):
    """Writes one address of a table."""

    function: ClassVar[int]
    """The number of the function."""
    area: ClassVar[Area] = Area.HOLDING_REGISTERS
    """The table that it writes."""
    reads: ClassVar[bool] = False
    """Whether it reads."""
    writes: ClassVar[bool] = True
    """Whether it writes."""

    address: int
    """The first address, counted from 0."""

    @property
    def read(self) -> range:
        """The addresses that it reads: none."""
        return NOTHING

    @property
    def written(self) -> range:
        """The addresses that it writes."""
        return range(self.address, self.address + 1)


@dataclass(frozen=True, slots=True)
class WriteCoil(_Write):
    """Writes one coil, function 5."""

    function: ClassVar[int] = 5
    area: ClassVar[Area] = Area.COILS

    value: bool
    """Whether it is on."""


@dataclass(frozen=True, slots=True)
class WriteRegister(_Write):
    """Writes one holding register, function 6."""

    function: ClassVar[int] = 6

    value: int
    """What is written, 0 to 65535."""


@dataclass(frozen=True, slots=True)
class MaskWriteRegister(_Write):
    """Changes bits of one holding register, function 22: the new value is ``old & and_mask | or_mask & ~and_mask``."""

    function: ClassVar[int] = 22

    and_mask: int
    """The bits that stay."""
    or_mask: int
    """The bits that are set, of the others."""


@dataclass(frozen=True, slots=True)
class WriteCoils(_Write):
    """Writes several coils, function 15."""

    function: ClassVar[int] = 15
    area: ClassVar[Area] = Area.COILS

    values: tuple[bool, ...]
    """Which of them are on."""

    @property
    def written(self) -> range:
        """The addresses that it writes."""
        return range(self.address, self.address + len(self.values))


@dataclass(frozen=True, slots=True)
class WriteRegisters(_Write):
    """Writes several holding registers, function 16."""

    function: ClassVar[int] = 16

    values: tuple[int, ...]
    """What is written, each 0 to 65535."""

    @property
    def written(self) -> range:
        """The addresses that it writes."""
        return range(self.address, self.address + len(self.values))


@dataclass(frozen=True, slots=True)
class ReadWriteRegisters(Message):
    """Writes several holding registers, and then reads some, function 23."""

    function: ClassVar[int] = 23
    """The number of the function."""
    area: ClassVar[Area] = Area.HOLDING_REGISTERS
    """The table that it reads and writes."""
    reads: ClassVar[bool] = True
    """Whether it reads."""
    writes: ClassVar[bool] = True
    """Whether it writes."""

    address: int
    """The first address that is read, counted from 0."""
    count: int
    """How many are read."""
    write_address: int
    """The first address that is written."""
    values: tuple[int, ...]
    """What is written, each 0 to 65535."""

    @property
    def read(self) -> range:
        """The addresses that it reads."""
        return range(self.address, self.address + self.count)

    @property
    def written(self) -> range:
        """The addresses that it writes."""
        return range(self.write_address, self.write_address + len(self.values))


TypedRequest: TypeAlias = (
    ReadCoils
    | ReadDiscreteInputs
    | ReadHoldingRegisters
    | ReadInputRegisters
    | WriteCoil
    | WriteRegister
    | WriteCoils
    | WriteRegisters
    | MaskWriteRegister
    | ReadWriteRegisters
)
"""A request that reads or writes a table."""

Request: TypeAlias = TypedRequest | Raw
"""What clients send."""
