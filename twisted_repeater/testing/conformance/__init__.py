"""Tries a codec or a framing of your own against all that a repeater relies on."""

from ._check_codec import check_codec
from ._check_framing import check_framing
from ._conformance import ConformanceError

__all__ = ["ConformanceError", "check_codec", "check_framing"]
