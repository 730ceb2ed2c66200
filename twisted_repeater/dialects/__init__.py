"""The wire protocols that a repeater speaks, one module each, and `Dialect`, to describe your own."""

from ._dialect import Conversion, Dialect, MessageType
from .async_extra import async_extra
from .int32 import int32

__all__ = ["Conversion", "Dialect", "MessageType", "async_extra", "int32"]
