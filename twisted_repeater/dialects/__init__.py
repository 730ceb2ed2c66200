"""The wire protocols that a repeater speaks, one module each."""

from .int32 import int32

__all__ = ["int32"]
