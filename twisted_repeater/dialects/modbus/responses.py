"""What servers send: the responses with what was read, and exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from .message import Message, Raw

__all__ = [
    "ExceptionResponse",
    "ReadCoilsResponse",
    "ReadDiscreteInputsResponse",
    "ReadHoldingRegistersResponse",
    "ReadInputRegistersResponse",
    "ReadWriteRegistersResponse",
    "Response",
]


@dataclass(frozen=True, slots=True)
class _Bits(Message):
    """What was read of a table of bits."""

    function: ClassVar[int]
    """The number of the function."""

    values: tuple[bool, ...]
    """What was read. Bits come by the eight, so up to seven at the end mean nothing: a response does not say how many
    the client has asked for."""


@dataclass(frozen=True, slots=True)
class ReadCoilsResponse(_Bits):
    """The response to `ReadCoils`."""

    function: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class ReadDiscreteInputsResponse(_Bits):
    """The response to `ReadDiscreteInputs`."""

    function: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class _Numbers(Message):
    """What was read of a table of registers."""

    function: ClassVar[int]
    """The number of the function."""

    values: tuple[int, ...]
    """What was read, each 0 to 65535."""


@dataclass(frozen=True, slots=True)
class ReadHoldingRegistersResponse(_Numbers):
    """The response to `ReadHoldingRegisters`."""

    function: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class ReadInputRegistersResponse(_Numbers):
    """The response to `ReadInputRegisters`."""

    function: ClassVar[int] = 4


@dataclass(frozen=True, slots=True)
class ReadWriteRegistersResponse(_Numbers):
    """The response to `ReadWriteRegisters`."""

    function: ClassVar[int] = 23


@dataclass(frozen=True, slots=True)
class ExceptionResponse(Message):
    """The response to a request, of any function, that is not carried out."""

    function: int
    """The number of the function of the request."""
    code: int
    """Why, as in `ExceptionCode`."""


Response: TypeAlias = (
    ReadCoilsResponse
    | ReadDiscreteInputsResponse
    | ReadHoldingRegistersResponse
    | ReadInputRegistersResponse
    | ReadWriteRegistersResponse
    | ExceptionResponse
    | Raw
)
"""What servers send."""
