# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Selects commands by their names, before anything is decoded.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import outside
from ...selectors import Selector

__all__ = ["ByName", "by_name"]

LONGEST_HEADER = 42
"""How many bytes may be before the name: two lines with a length."""


def by_name(names: Iterable[str], *, others: bool = False) -> ByName:
    """Return a selector of the commands with some names, or, with ``others``, of all but these.

    Commands that are typed as a line are always selected: their names may be in quotes.

    Args:
        names: the names, in whatever case, such as ``["GET", "SET"]``.
        others: whether it selects all other commands.

    Raises:
        TypeError: a name is not a string.
        ValueError: a name is empty.
    """
    if isinstance(names, (str, bytes)):
        raise TypeError(f"by_name takes several names: write [{names!r}]")
    wanted = set()
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a name must be a str, not {name!r}")
        if not name:
            raise ValueError("a name must not be empty")
        wanted.add(name.encode(errors="surrogateescape").upper())
    return ByName(tuple(sorted(wanted)), others)


class ByName(Selector):
    """Compares the name of a command with some names; `by_name` makes it."""

    def __init__(self, names: tuple[bytes, ...], others: bool) -> None:
        self._names = names
        self._others = others
        self._firsts: bytes | None = bytes(any(name[0] == upper(byte) for name in names) for byte in range(256))
        """A table with 1 for each byte that a name may begin with."""
        self._reach = LONGEST_HEADER + max(map(len, names), default=1) + 1

    def __repr__(self) -> str:
        names = [name.decode(errors="surrogateescape") for name in self._names]
        return f"by_name({names}{', others=True' if self._others else ''})"

    def __invert__(self) -> Selector:
        return ByName(self._names, not self._others)

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._firsts is None:
            raise AttributeError("this ByName was not initialized")
        view = data
        firsts = self._firsts
        at = start
        if at == stop or view[at] != 42:  # *
            return True
        while at < stop and view[at] != 10:
            at += 1
        at += 2  # the line feed, and the dollar sign
        size = 0
        while at < stop and 48 <= view[at] <= 57 and size < 1000:
            size = size * 10 + view[at] - 48
            at += 1
        at += 2
        if at >= stop:  # no name, or an empty one
            return True
        if firsts[view[at]] == 0 or size > stop - at:
            return self._others
        return self._is_named(data, at, size) != self._others

    def _is_named(self, data: bytes, at: int, size: int) -> bool:
        """Return whether one of the names is at an offset."""
        view = data
        for name in self._names:
            if len(name) == size:
                wanted = name
                same = 0
                while same < size and upper(view[at + same]) == wanted[same]:
                    same += 1
                if same == size:
                    return True
        return False


def upper(byte: int) -> int:
    """Return a byte in upper case, if it is a letter of ASCII."""
    return byte - 32 if 97 <= byte <= 122 else byte
