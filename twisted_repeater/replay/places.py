"""Shows the place where bytes differ."""

from __future__ import annotations

__all__ = ["marked"]

BEFORE = 16
"""How many equal bytes are shown before the place."""

AFTER = 24
"""How many bytes are shown from the place on."""


def marked(expected: bytes, came: bytes) -> list[str]:
    """Return lines that show where bytes begin to differ; none if the one is not different from the other."""
    if expected == came:
        return []
    at = first_difference(expected, came)
    start = max(at - BEFORE, 0)
    before = _escaped(expected[start:at])
    lead = "..." if start else ""
    lines = []
    for data in (expected, came):
        shown = _escaped(data[at : at + AFTER]) or "(end)"
        lines.append(f"{lead}{before}{shown}{'...' if len(data) > at + AFTER else ''}")
    head = f"byte {at}: "
    space = " " * len(head)
    return [f"{head}{lines[0]}", f"{space}{lines[1]}", f"{space}{' ' * (len(lead) + len(before))}^"]


def first_difference(one: bytes, other: bytes) -> int:
    """Return the offset at which bytes begin to differ."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # equal up to low; a comparison of slices is much faster than one of each byte
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _escaped(data: bytes) -> str:
    return repr(data)[2:-1]
