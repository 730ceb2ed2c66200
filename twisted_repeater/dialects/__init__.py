"""The wire protocols that a repeater speaks, one module each, and `Dialect`, to describe your own."""

from ._dialect import Conversion, Dialect, MessageType
from .async_extra import async_extra
from .attempt import Attempt, Frame, Opening, Peer, Versions
from .int32 import int32
from .plain import delimited, length, lines, varint

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
    "delimited",
    "int32",
    "length",
    "lines",
    "varint",
]
