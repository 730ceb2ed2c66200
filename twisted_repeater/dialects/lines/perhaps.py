# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Selects the lines in which a regular expression may match, by a look at many lines at once.

To ask RE2 about a line costs nearly a microsecond, however short the line is. Most expressions need a word, such as
``JOIN``. If none of its words is in the next thousands of bytes, no line of them is looked at by itself.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import outside
from ...selectors import Selector
from .patterns import LONE

__all__ = ["Perhaps"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

AT_ONCE = 4096
"""How many bytes are looked at together. If a word is in them, each of their lines is selected."""


class Perhaps(Selector):
    """Selects the lines in which an expression may match, and those that may not be one line.

    A line that is alone in its read is always selected: a look at it costs as much as the expression itself.

    Args:
        may_match: returns whether the expression may match somewhere in some lines.
        closes: whether lines with a CR, LF or NUL in the middle are selected, too.
    """

    def __init__(self, may_match: Callable[[memoryview], bool], closes: bool) -> None:
        self._may_match = may_match
        self._closes = closes
        self._data = b""
        """The read that was looked at last."""
        self._first: int = 0
        self._last: int = 0
        """Between which offsets."""
        self._perhaps = True
        """Whether the expression may match there."""

    def __repr__(self) -> str:
        return f"<selector of lines that may match{', or are not one line' if self._closes else ''}>"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._may_match is None:
            raise AttributeError("this Perhaps was not initialized")
        if data is not self._data or start < self._first or stop > self._last:
            if start == 0 and len(data) - stop <= 2:
                return True
            self._look(data, start, stop)
        return self._perhaps or (self._closes and is_lone(data, start, stop))

    def _look(self, data: bytes, start: int, stop: int) -> None:
        """Look at a line and those that follow it."""
        last = min(start + AT_ONCE, len(data))
        if last < stop:
            last = stop
        self._data = b""  # if the look fails, nothing is known
        self._perhaps = bool(self._may_match(memoryview(data)[start:last]))
        self._data = data
        self._first = start
        self._last = last


def is_lone(data: bytes, start: int, stop: int) -> bool:
    """Return whether a CR, LF or NUL is in a line, other than a CR at its end."""
    return (
        has_lone(data, start, stop)  # type: ignore[name-defined]  # noqa: F821
        if COMPILED  # the function is in the .pxd
        else (found := LONE.search(data, start, stop)) is not None and (found.start() != stop - 1 or found[0] != b"\r")
    )
