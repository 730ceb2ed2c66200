"""Tries a codec or a framing of your own against all that a repeater relies on."""

from .check_codec import check_codec
from .check_framing import check_framing
from .conformance import ConformanceError

__all__ = ["ConformanceError", "check_codec", "check_framing"]
