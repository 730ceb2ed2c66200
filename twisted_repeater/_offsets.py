"""The offsets into data that framings and selectors get: the largest one, and the error about wrong ones."""

from __future__ import annotations

import sys

FARTHEST = sys.maxsize
"""The largest offset. Larger ones do not fit into the C integers of compiled code."""


def outside(start: int, end: int) -> Exception:
    """Return the error about offsets that are not within the data."""
    if max(abs(start), abs(end)) > FARTHEST:  # compiled code raises the same
        return OverflowError("offsets too large for any data")
    return ValueError("offsets outside of the data")
