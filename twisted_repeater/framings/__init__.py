"""How streams of bytes are cut into frames: the framings that are ready, and the base for those of your own."""

from .async_extra import AsyncExtraFraming, AsyncExtraHelloFraming
from .base import CheckedFraming, Framing, Framings, framing_of
from .delimited import DelimitedFraming
from .fix import FixFraming
from .length import Int32Framing, LengthFraming
from .resp import RespFraming
from .varint import VarintFraming

__all__ = [
    "AsyncExtraFraming",
    "AsyncExtraHelloFraming",
    "CheckedFraming",
    "DelimitedFraming",
    "FixFraming",
    "Framing",
    "Framings",
    "Int32Framing",
    "LengthFraming",
    "RespFraming",
    "VarintFraming",
    "framing_of",
]
