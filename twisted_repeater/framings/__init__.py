"""How streams of bytes are cut into frames: the framings that are ready, and the base for those of your own."""

from .async_extra import AsyncExtraFraming, AsyncExtraHelloFraming
from .base import CheckedFraming, Framing, Framings, framing_of
from .length import Int32Framing

__all__ = [
    "AsyncExtraFraming",
    "AsyncExtraHelloFraming",
    "CheckedFraming",
    "Framing",
    "Framings",
    "Int32Framing",
    "framing_of",
]
