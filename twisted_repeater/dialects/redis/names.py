# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""`command_names`: a selector of commands of Redis by their names, before they are decoded.

This module is ordinary Python. If a compiler was found at installation, it runs compiled, with the types of
``names.pxd``.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import outside
from ...selectors import Selector

__all__ = ["command_names"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

MOST_DIGITS: int = 21
"""How many bytes may be before the size of the name: ``*``, a number and the end of the line."""

LONGEST_HEADER: int = 44
"""How many bytes may be before the name."""

TOO_LONG: int = 1_000_000
"""A size that no name has."""


def command_names(names: Iterable[bytes], *, prefixes: Iterable[bytes] = ()) -> Selector:
    """Return a selector of the commands with one of these names, in whatever case.

    It also selects every command that is typed as a line, and all that is not a command: their names are found only by
    decoding them.

    Args:
        names: names in upper case.
        prefixes: beginnings of names, in upper case.

    Raises:
        ValueError: a name is not in upper case.
    """
    return CommandNames(_checked(names), _checked(prefixes))


def _checked(names: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return names sorted, each once."""
    checked = tuple(sorted(set(names)))
    for name in checked:
        if name != name.upper():
            raise ValueError(f"the name of a command must be in upper case, not {name!r}")
    return checked


class CommandNames(Selector):
    """Compares the first string of an array; `command_names` makes it."""

    def __init__(self, names: tuple[bytes, ...], prefixes: tuple[bytes, ...]) -> None:
        both = names + prefixes
        self._names = names
        self._prefixes = prefixes
        self._reach = LONGEST_HEADER + max(map(len, both), default=0)
        first = {name[:1] for name in both}
        self._firsts = bytes(b"" in first or bytes([byte]).upper() in first for byte in range(256))

    def __repr__(self) -> str:
        more = f", prefixes={list(self._prefixes)}" if self._prefixes else ""
        return f"command_names({list(self._names)}{more})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._firsts is None:
            raise AttributeError("this CommandNames was not initialized")
        view = data
        firsts = self._firsts
        at = start
        if at >= stop or view[at] != 42:  # *
            return True
        while at < stop and view[at] != 36:  # $
            if at - start == MOST_DIGITS:
                return True
            at += 1
        at += 1
        size = 0
        while at < stop and 48 <= view[at] <= 57 and size < TOO_LONG:
            size = size * 10 + view[at] - 48
            at += 1
        at += 2
        if at >= stop:
            return True
        return firsts[view[at]] != 0 and (
            _is_one_of(view, at, stop, size, self._names, True)
            or _is_one_of(view, at, stop, size, self._prefixes, False)
        )


def _is_one_of(view: bytes, at: int, stop: int, size: int, values: tuple[bytes, ...], whole: bool) -> bool:
    """Return whether a name of this size is one of the values, or begins with one if it need not be the whole name."""
    if size > stop - at:
        size = stop - at
        if whole:
            return False
    for value in values:
        length = len(value)
        if length > size or (whole and length != size):
            continue
        wanted = value
        index = 0
        while index < length:
            byte = view[at + index]
            if 97 <= byte <= 122:  # a to z
                byte -= 32
            if byte != wanted[index]:
                break
            index += 1
        if index == length:
            return True
    return False
