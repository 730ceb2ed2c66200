"""The wire protocols that a repeater speaks, one module each, and `Dialect`, to describe your own."""

from ._dialect import Dialect
from .async_extra import async_extra
from .attempt import Attempt, Frame, Opening, Peer, Versions
from .fix import fix
from .hellos import hellos
from .hl7 import hl7
from .int32 import int32
from .lines import lines
from .message_types import Conversion, MessageType
from .modbus import modbus
from .mqtt import mqtt
from .openings import by_address, first_message, server_first
from .plain import delimited, length, varint
from .postgres import postgres
from .redis import redis

__all__ = [
    "Attempt",
    "Conversion",
    "Dialect",
    "Frame",
    "MessageType",
    "Opening",
    "Peer",
    "Versions",
    "async_extra",
    "by_address",
    "delimited",
    "first_message",
    "fix",
    "hellos",
    "hl7",
    "int32",
    "length",
    "lines",
    "modbus",
    "mqtt",
    "postgres",
    "redis",
    "server_first",
    "varint",
]
