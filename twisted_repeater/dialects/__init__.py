"""The wire protocols that a repeater speaks, one module each."""

from .async_extra import async_extra
from .int32 import int32

__all__ = ["async_extra", "int32"]
