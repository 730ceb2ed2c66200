"""The function `mqtt`, which puts the dialect together."""

from __future__ import annotations

from ...framings import VarintFraming
from ...model import SameName
from .._dialect import Dialect

__all__ = ["mqtt"]


def mqtt(*, max_connect: int = 64 * 1024, max_frame: int | None = None) -> Dialect:
    """Return the dialect of MQTT 3.1, 3.1.1 and 5.

    Args:
        max_connect: the longest CONNECT, in bytes.
        max_frame: the longest packet, in bytes, unless the repeater's limits say otherwise.
    """
    return Dialect(
        name="mqtt",
        framing=lambda limits: VarintFraming(int(limits.max_frame), at=1, whole=True),
        same_name=SameName.REPLACE,
        max_frame=max_frame,
    )
