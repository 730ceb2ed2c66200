# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Reads commands, and the replies that are not made of others, in less time than it takes to feed them to hiredis.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it. Not compiled, it takes longer than hiredis.
"""

from __future__ import annotations

from typing import Any

__all__ = ["COMPILED", "NOT_PLAIN", "plain_value", "words_in"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

MOST_DIGITS: int = 18
"""How many digits a number may have."""

NOT_PLAIN = object()
"""Stands for a value that this module does not read."""


def words_in(frame: bytes) -> list[bytes] | None:
    """Return the words of a command that is an array; ``None`` if the frame is not exactly one."""
    view = frame
    size = len(frame)
    if size < 4 or view[0] != 42:  # *
        return None
    at = line_end(frame, 1, size)
    if at == 0:
        return None
    left = number_at(frame, 1, at - 2)
    words: list[bytes] = []
    while left > 0:
        if at >= size or view[at] != 36:  # $
            return None
        start = line_end(frame, at + 1, size)
        if start == 0:
            return None
        length = number_at(frame, at + 1, start - 2)
        if length < 0 or length > size - start - 2:
            return None
        words.append(frame[start : start + length])
        at = start + length + 2
        left -= 1
    return words if at == size and words else None


def plain_value(frame: bytes) -> Any:
    """Return the value of a reply that is a short text, a string or a number; `NOT_PLAIN` for all others."""
    view = frame
    size = len(frame)
    if size < 3 or view[size - 2] != 13 or view[size - 1] != 10:
        return NOT_PLAIN
    if view[0] == 43:  # +
        return frame[1 : size - 2] if is_line(frame, 1, size - 2) else NOT_PLAIN
    if view[0] == 58:  # :
        number = number_at(frame, 1, size - 2)
        return number if number >= 0 else NOT_PLAIN
    if view[0] == 36:  # $
        start = line_end(frame, 1, size)
        if start != 0 and number_at(frame, 1, start - 2) == size - start - 2:
            return frame[start : size - 2]
    return NOT_PLAIN


def is_line(frame: bytes, at: int, stop: int) -> bool:
    """Return whether some bytes have neither CR nor LF in them."""
    view = frame
    while at < stop:
        if view[at] == 13 or view[at] == 10:
            return False
        at += 1
    return True


def line_end(frame: bytes, at: int, size: int) -> int:
    """Return the offset after the line of digits that goes on at an offset; 0 if it does not end like one."""
    view = frame
    while at < size and 48 <= view[at] <= 57:
        at += 1
    return at + 2 if size - at >= 2 and view[at] == 13 and view[at + 1] == 10 else 0


def number_at(frame: bytes, at: int, stop: int) -> int:
    """Return the number that some digits are, or -1."""
    view = frame
    if at >= stop or stop - at > MOST_DIGITS:
        return -1
    number = 0
    while at < stop:
        if view[at] < 48 or view[at] > 57:
            return -1
        number = number * 10 + view[at] - 48
        at += 1
    return number
