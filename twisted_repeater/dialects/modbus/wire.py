"""The bytes of requests and responses: how they are read and written.

A frame is: the number of the transaction, two bytes of zero, the length of what follows; the unit; then the function
and its data, the "protocol data unit".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from ...errors import MarshalingError, ParseError
from .message import Raw
from .requests import (
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
from .responses import (
    ExceptionResponse,
    ReadCoilsResponse,
    ReadDiscreteInputsResponse,
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
    ReadWriteRegistersResponse,
    Response,
)

__all__ = [
    "LONGEST",
    "REQUESTS",
    "RESPONSES",
    "MalformedMessage",
    "decode_request",
    "decode_response",
    "encode",
    "exception",
]

LONGEST = 260
"""The longest frame, in bytes."""
FAILED = 0x80
"""This bit of the function says that a response is an exception."""
ON = 0xFF00
"""What a coil is written with to be on."""
COIL: dict[int, bool] = {0: False, ON: True}

SIZES = {7: 0, 11: 0, 12: 0, 17: 0, 24: 2}
"""How many bytes of data some requests have that are `Raw`."""
COUNTED = {20, 21}
"""Such requests whose data begin with the number of the other bytes."""
IDENTIFICATION = b"\x2b\x0e"
"""A request for the identification of a device: function 43, and the first byte of data."""

HEAD = struct.Struct(">HHHBB")
TWO = struct.Struct(">HH")
THREE = struct.Struct(">HHH")
SEVERAL = struct.Struct(">HHB")
READ_AND_SEVERAL = struct.Struct(">HHHHB")

BITS: list[tuple[bool, ...]] = [tuple(bool(byte >> bit & 1) for bit in range(8)) for byte in range(256)]
"""The bits of each byte, the lowest first."""

Read = Callable[[bytes, int, int], Any]
"""Reads a message from a frame, whose unit and transaction are given. Where it has the wrong size: ``struct.error``."""


class MalformedMessage(ParseError):
    """A request or a response that Modbus does not allow. It ends the link: its client would wait for an answer.

    A client gets an exception with the code 3 first.
    """

    answer: bytes
    """The exception that a client gets, as a frame."""

    def __init__(self, message: str, answer: bytes = b"") -> None:
        super().__init__(message, ends_link=True)
        self.answer = answer


def decode_request(frame: bytes) -> Request:
    """Return the request in a frame.

    Raises:
        MalformedMessage: it is not valid, or has more bytes than it says.
    """
    request: Request = _decode(frame, REQUESTS)
    if type(request) is Raw and len(frame) != _size(frame):
        # libmodbus takes what follows for another request
        raise _not_valid(frame, f"request of function {request.function}")
    return request


def decode_response(frame: bytes) -> Response:
    """Return the response in a frame.

    Raises:
        MalformedMessage: it is not valid, or has more bytes than it says.
    """
    return _decode(frame, RESPONSES)  # type: ignore[no-any-return]


def _decode(frame: bytes, readers: dict[int, tuple[type, Read]]) -> Any:
    """Return the message in a frame."""
    if len(frame) < HEAD.size:
        raise MalformedMessage(f"expected at least {HEAD.size} bytes, got {len(frame)}")
    transaction, protocol, length, unit, function = HEAD.unpack_from(frame)
    if protocol or length != len(frame) - 6:
        raise MalformedMessage(f"expected the protocol 0 and a length of {len(frame) - 6}, got {protocol} and {length}")
    known = readers.get(function)
    if known is None:
        return Raw(function, frame[8:], unit=unit, transaction=transaction)
    cls, read = known
    try:
        return read(frame, unit, transaction)
    except (struct.error, KeyError) as error:
        raise _not_valid(frame, cls.__name__) from error


def _size(frame: bytes) -> int:
    """Return how many bytes a frame must have that is a `Raw` request. For functions that do not say it is right."""
    function = frame[7]
    if function in COUNTED:
        return 9 + sum(frame[8:9])
    if frame[7:9] == IDENTIFICATION:
        return 11
    return 8 + SIZES[function] if function in SIZES else len(frame)


def _not_valid(frame: bytes, what: str) -> MalformedMessage:
    """Return the error about a message."""
    transaction, _, _, unit, function = HEAD.unpack_from(frame)
    return MalformedMessage(f"the {what} {frame[8:].hex(' ')} is not valid", exception(function, 3, unit, transaction))


def exception(function: int, code: int, unit: int, transaction: int) -> bytes:
    """Return the frame of an exception."""
    return HEAD.pack(transaction, 0, 3, unit, function | FAILED) + bytes((code,))


def _two(cls: Any) -> Read:
    """Return what reads a message with an address and one more number."""

    def read(frame: bytes, unit: int, transaction: int) -> Any:
        return cls(*TWO.unpack(frame[8:]), unit=unit, transaction=transaction)

    return read


def _write_coil(frame: bytes, unit: int, transaction: int) -> WriteCoil:
    address, value = TWO.unpack(frame[8:])
    return WriteCoil(address, COIL[value], unit=unit, transaction=transaction)


def _mask_write(frame: bytes, unit: int, transaction: int) -> MaskWriteRegister:
    return MaskWriteRegister(*THREE.unpack(frame[8:]), unit=unit, transaction=transaction)


def _write_coils(frame: bytes, unit: int, transaction: int) -> WriteCoils:
    address, count, size = SEVERAL.unpack_from(frame, 8)
    if size != (count + 7) // 8:
        raise struct.error
    return WriteCoils(address, _bits(frame, 12)[:count], unit=unit, transaction=transaction)


def _write_registers(frame: bytes, unit: int, transaction: int) -> WriteRegisters:
    address, count, size = SEVERAL.unpack_from(frame, 8)
    if size != 2 * count:
        raise struct.error
    return WriteRegisters(address, _numbers(frame, 12), unit=unit, transaction=transaction)


def _read_write(frame: bytes, unit: int, transaction: int) -> ReadWriteRegisters:
    address, count, write_address, write_count, size = READ_AND_SEVERAL.unpack_from(frame, 8)
    if size != 2 * write_count:
        raise struct.error
    values = _numbers(frame, 16)
    return ReadWriteRegisters(address, count, write_address, values, unit=unit, transaction=transaction)


def _read_bits(cls: Any) -> Read:
    """Return what reads a response with bits."""

    def read(frame: bytes, unit: int, transaction: int) -> Any:
        return cls(_bits(frame, 8), unit=unit, transaction=transaction)

    return read


def _read_numbers(cls: Any) -> Read:
    """Return what reads a response with registers."""

    def read(frame: bytes, unit: int, transaction: int) -> Any:
        return cls(_numbers(frame, 8), unit=unit, transaction=transaction)

    return read


def _exception(frame: bytes, unit: int, transaction: int) -> ExceptionResponse:
    function, code = struct.unpack(">BB", frame[7:])
    return ExceptionResponse(function ^ FAILED, code, unit=unit, transaction=transaction)


def _bits(frame: bytes, at: int) -> tuple[bool, ...]:
    """Return the bits behind the number of their bytes, up to the end of a frame."""
    data = frame[at + 1 :]
    if frame[at : at + 1] != bytes((len(data),)):
        raise struct.error
    return tuple(chain.from_iterable(BITS[byte] for byte in data))


def _numbers(frame: bytes, at: int) -> tuple[int, ...]:
    """Return the registers behind the number of their bytes, up to the end of a frame."""
    size = len(frame) - at - 1
    if size < 0 or frame[at] != size:
        raise struct.error
    return struct.unpack_from(f">{size // 2}H", frame, at + 1) if not size % 2 else _odd()


def _odd() -> tuple[int, ...]:
    raise struct.error


REQUESTS: dict[int, tuple[type, Read]] = {
    ReadCoils.function: (ReadCoils, _two(ReadCoils)),
    ReadDiscreteInputs.function: (ReadDiscreteInputs, _two(ReadDiscreteInputs)),
    ReadHoldingRegisters.function: (ReadHoldingRegisters, _two(ReadHoldingRegisters)),
    ReadInputRegisters.function: (ReadInputRegisters, _two(ReadInputRegisters)),
    WriteCoil.function: (WriteCoil, _write_coil),
    WriteRegister.function: (WriteRegister, _two(WriteRegister)),
    WriteCoils.function: (WriteCoils, _write_coils),
    WriteRegisters.function: (WriteRegisters, _write_registers),
    MaskWriteRegister.function: (MaskWriteRegister, _mask_write),
    ReadWriteRegisters.function: (ReadWriteRegisters, _read_write),
}
"""The class of the requests of each function, and what reads one; all others are `Raw`."""

RESPONSES: dict[int, tuple[type, Read]] = {
    ReadCoilsResponse.function: (ReadCoilsResponse, _read_bits(ReadCoilsResponse)),
    ReadDiscreteInputsResponse.function: (ReadDiscreteInputsResponse, _read_bits(ReadDiscreteInputsResponse)),
    ReadHoldingRegistersResponse.function: (
        ReadHoldingRegistersResponse,
        _read_numbers(ReadHoldingRegistersResponse),
    ),
    ReadInputRegistersResponse.function: (ReadInputRegistersResponse, _read_numbers(ReadInputRegistersResponse)),
    ReadWriteRegistersResponse.function: (ReadWriteRegistersResponse, _read_numbers(ReadWriteRegistersResponse)),
} | {function | FAILED: (ExceptionResponse, _exception) for function in range(FAILED)}
"""The class of the responses of each function, and what reads one; all others are `Raw`."""


def _write_numbers(values: Sequence[int]) -> bytes:
    """Return registers with the number of their bytes."""
    return struct.pack(f">B{len(values)}H", 2 * len(values), *values)


def _write_bits(values: Sequence[bool]) -> bytes:
    """Return bits with the number of their bytes."""
    size = (len(values) + 7) // 8
    joined = sum(1 << at for at, value in enumerate(values) if value)
    return struct.pack(">B", size) + joined.to_bytes(size, "little")


def _write_read(own: Any) -> bytes:
    return TWO.pack(own.address, own.count)


def _numbers_response(own: Any) -> bytes:
    return _write_numbers(own.values)


def _bits_response(own: Any) -> bytes:
    return _write_bits(own.values)


WRITERS: dict[type, Callable[[Any], bytes]] = {
    Raw: lambda own: bytes(own.data),
    ReadCoils: _write_read,
    ReadDiscreteInputs: _write_read,
    ReadHoldingRegisters: _write_read,
    ReadInputRegisters: _write_read,
    WriteCoil: lambda own: TWO.pack(own.address, ON if own.value else 0),
    WriteRegister: lambda own: TWO.pack(own.address, own.value),
    WriteCoils: lambda own: TWO.pack(own.address, len(own.values)) + _write_bits(own.values),
    WriteRegisters: lambda own: TWO.pack(own.address, len(own.values)) + _write_numbers(own.values),
    MaskWriteRegister: lambda own: THREE.pack(own.address, own.and_mask, own.or_mask),
    ReadWriteRegisters: lambda own: (
        struct.pack(">HHHH", own.address, own.count, own.write_address, len(own.values)) + _write_numbers(own.values)
    ),
    ReadCoilsResponse: _bits_response,
    ReadDiscreteInputsResponse: _bits_response,
    ReadHoldingRegistersResponse: _numbers_response,
    ReadInputRegistersResponse: _numbers_response,
    ReadWriteRegistersResponse: _numbers_response,
    ExceptionResponse: lambda own: bytes((own.code,)),
}
"""What writes the data behind the function, for each class."""


def encode(message: Request | Response) -> bytes:
    """Return the frame of a message.

    Raises:
        MarshalingError: a number is out of range, or the message is too long.
    """
    function = message.function | FAILED if isinstance(message, ExceptionResponse) else message.function
    try:
        data = WRITERS[type(message)](message)
        frame = HEAD.pack(message.transaction, 0, len(data) + 2, message.unit, function) + data
    except (struct.error, TypeError, ValueError) as error:
        raise MarshalingError(f"{message!r} cannot be written: {error}") from error
    if len(frame) > LONGEST:
        raise MarshalingError(f"a message must have at most {LONGEST} bytes, not {len(frame)}")
    return frame
