# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Selects messages by MsgType, before anything is decoded.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import outside
from ...selectors import Selector

__all__ = ["OfType", "of_type"]

LONGEST_HEADER = 43
"""How many bytes may be before the value of MsgType: BeginString, BodyLength and their SOH, and ``35=``."""


def of_type(types: Iterable[str], *, others: bool = False) -> OfType:
    """Return a selector of the messages of some types, or, with ``others``, of all but these.

    Messages whose third field is not MsgType are always selected, so that decoding finds the error.

    Args:
        types: the types, such as ``["D", "AB"]``.
        others: whether it selects all other messages.

    Raises:
        TypeError: a type is not a string.
        ValueError: a type is empty.
    """
    if isinstance(types, (str, bytes)):
        raise TypeError(f"of_type takes several types: write [{types!r}]")
    wanted = set()
    for own in types:
        if not isinstance(own, str):
            raise TypeError(f"a type must be a str, not {own!r}")
        if not own:
            raise ValueError("a type must not be empty")
        wanted.add(own.encode("latin-1"))
    return OfType(tuple(sorted(wanted)), others)


class OfType(Selector):
    """Compares MsgType with some types; `of_type` makes it."""

    def __init__(self, types: tuple[bytes, ...], others: bool) -> None:
        self._types: tuple[bytes, ...] | None = types
        self._others = others
        self._reach = LONGEST_HEADER + max(map(len, types), default=0) + 1

    def __repr__(self) -> str:
        types = [own.decode("latin-1") for own in self._types or ()]
        return f"of_type({types}{', others=True' if self._others else ''})"

    def __invert__(self) -> Selector:
        return OfType(self._types or (), not self._others)

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._types is None:
            raise AttributeError("this OfType was not initialized")
        view = data
        at = start
        while at < stop and view[at] != 1:
            at += 1
        at += 1
        while at < stop and view[at] != 1:
            at += 1
        at += 1
        if stop - at < 5 or view[at] != 51 or view[at + 1] != 53 or view[at + 2] != 61:  # 35=
            return True
        at += 3
        for own in self._types:
            size = len(own)
            if size < stop - at and view[at + size] == 1:
                wanted = own
                same = 0
                while same < size and view[at + same] == wanted[same]:
                    same += 1
                if same == size:
                    return not self._others
        return self._others
