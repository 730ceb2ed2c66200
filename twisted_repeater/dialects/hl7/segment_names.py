"""Names of segments, as options have them."""

from __future__ import annotations

import re

__all__ = ["checked_names"]

_written = re.compile("[A-Z][A-Z0-9]{2}", re.ASCII)


def checked_names(argument: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of segments.

    Raises:
        TypeError: the argument is one text, not several.
        ValueError: one is not a name.
    """
    if isinstance(names, str):
        raise TypeError(f"{argument} must be several names: write ({names!r},)")
    for name in names:
        if not isinstance(name, str) or not _written.fullmatch(name):
            raise ValueError(f"{argument} must have names of segments such as PID, not {name!r}")
    return tuple(names)
