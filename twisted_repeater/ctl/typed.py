"""Lines that somebody types, read without waiting."""

from __future__ import annotations

import os

__all__ = ["TypedLines"]

LONGEST_LINE = 1024 * 1024
"""Characters of a line; somebody who types more without an end of line has typed nothing."""


class TypedLines:
    """The lines of a terminal or a pipe.

    Args:
        descriptor: what to read from. `select` says when there is something.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int = descriptor
        self.ended: bool = False
        """Whether there will be no more."""
        self._begun = b""

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self.descriptor

    def read(self) -> list[str]:
        """Return the lines that are complete now. It waits if there is nothing to read."""
        data = os.read(self.descriptor, 65536)
        self.ended = not data
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > LONGEST_LINE:
            self._begun = b""
        return [line.decode("utf-8", "replace").strip() for line in lines]
