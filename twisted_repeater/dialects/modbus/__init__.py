"""The dialect ``modbus``: Modbus/TCP, with typed messages."""

from .answers import refuse
from .codec import RequestCodec, ResponseCodec
from .dialect import modbus
from .matching import MixedUpResponses, WithRequests, with_requests
from .message import Area, ExceptionCode, Raw
from .registers import ReadOnly, Registers
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
from .wire import MalformedMessage

__all__ = [
    "Area",
    "ExceptionCode",
    "ExceptionResponse",
    "MalformedMessage",
    "MaskWriteRegister",
    "MixedUpResponses",
    "Raw",
    "ReadCoils",
    "ReadCoilsResponse",
    "ReadDiscreteInputs",
    "ReadDiscreteInputsResponse",
    "ReadHoldingRegisters",
    "ReadHoldingRegistersResponse",
    "ReadInputRegisters",
    "ReadInputRegistersResponse",
    "ReadOnly",
    "ReadWriteRegisters",
    "ReadWriteRegistersResponse",
    "Registers",
    "Request",
    "RequestCodec",
    "Response",
    "ResponseCodec",
    "WithRequests",
    "WriteCoil",
    "WriteCoils",
    "WriteRegister",
    "WriteRegisters",
    "modbus",
    "refuse",
    "with_requests",
]
