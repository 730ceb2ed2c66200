"""Paths such as ``PID-5.1``: which part of a message is meant."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from .structure import HEADERS, Delimiters, Level

__all__ = ["Path", "path_of"]

_written = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\[(\d{1,6})\])?-(\d{1,4})(?:\[(\d{1,6})\])?(?:\.(\d{1,4})(?:\.(\d{1,4}))?)?", re.ASCII
)


class Path(NamedTuple):
    """A path. Numbers begin at 1; ``None`` stands for all, or for no smaller part."""

    segment: bytes
    occurrence: int | None
    field: int
    repetition: int | None
    component: int | None
    subcomponent: int | None

    def levels(self, delimiters: Delimiters) -> tuple[Level, ...]:
        """Return the way down from the segment to the part."""
        # The first field of a header is the delimiter itself, so its fields are one piece earlier.
        levels = [Level(delimiters.field, self.field - (self.segment in HEADERS))]
        if self.repetition is not None or self.component is not None:
            levels.append(Level(delimiters.repetition, None if self.repetition is None else self.repetition - 1))
        if self.component is not None:
            levels.append(Level(delimiters.component, self.component - 1))
        if self.subcomponent is not None:
            levels.append(Level(delimiters.subcomponent, self.subcomponent - 1))
        return tuple(levels)

    @property
    def is_delimiters(self) -> bool:
        """Whether it is MSH-1 or MSH-2, which have the delimiters in them."""
        return self.segment in HEADERS and self.field <= 2


@lru_cache(1000)
def path_of(text: str) -> Path:
    """Read a path.

    Raises:
        ValueError: it is not a path.
    """
    found = _written.fullmatch(text) if isinstance(text, str) else None
    if found is None or any(number is not None and int(number) == 0 for number in found.groups()[1:]):
        raise ValueError(f"expected a path such as PID-5, PID-5.1 or OBX[2]-5[1].1.2, got {text!r}")
    segment, *numbers = found.groups()
    occurrence, field, repetition, component, subcomponent = (None if n is None else int(n) for n in numbers)
    assert field is not None
    return Path(segment.encode(), occurrence, field, repetition, component, subcomponent)
