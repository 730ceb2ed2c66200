"""Patterns of keys, channels and names, as Redis matches them: ``user:*``, ``news.?``, ``h[ae]llo``."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["compile_globs"]

ANY = b"."
NOTHING = b"(?!)"
"""Parts of a regular expression: one that matches any byte, one that never matches."""


def compile_globs(patterns: Iterable[bytes]) -> re.Pattern[bytes]:
    """Return a regular expression whose ``fullmatch`` finds what one of the patterns matches.

    ``*`` matches any bytes, ``?`` any byte, ``[ab]``, ``[a-z]`` and ``[^a]`` one of some bytes; a backslash before a
    byte takes away its meaning. A match costs time in proportion to the text, times the length of the pattern at most.

    Raises:
        ValueError: a pattern has a ``[`` without its ``]``.
    """
    return re.compile(b"|".join([*map(_expression, patterns), NOTHING]), re.DOTALL)


def _expression(pattern: bytes) -> bytes:
    """Return the regular expression of a pattern.

    What is between two stars has a fixed length, so the first place where it fits is as good as any later one: the
    atomic groups keep the search from trying those.
    """
    first, *others = _segments(pattern)
    if not others:
        return first
    *middle, last = others
    return first + b"".join(b"(?>.*?%s)" % segment for segment in middle if segment) + b".*" + last


def _segments(pattern: bytes) -> list[bytes]:
    """Return the expressions of what is between the stars."""
    segments = [b""]
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        if byte == b"*":
            segments.append(b"")
        elif byte == b"?":
            segments[-1] += ANY
        elif byte == b"[":
            part, at = _class(pattern, at)
            segments[-1] += part
        else:
            if byte == b"\\" and at + 1 < len(pattern):
                at += 1
            segments[-1] += re.escape(pattern[at : at + 1])
        at += 1
    return segments


def _class(pattern: bytes, start: int) -> tuple[bytes, int]:
    """Return the expression of the bytes in brackets, and the offset of the closing one."""
    at = start + 1
    negated = pattern[at : at + 1] == b"^"
    at += negated
    wanted: set[int] = set()
    while at < len(pattern) and pattern[at : at + 1] != b"]":
        if pattern[at : at + 1] == b"\\" and at + 1 < len(pattern):
            at += 1
            wanted.add(pattern[at])
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            wanted.update(range(low, high + 1))
            at += 2
        else:
            wanted.add(pattern[at])
        at += 1
    if at >= len(pattern):
        raise ValueError(f"the pattern {pattern!r} has a [ without its ]")
    if not wanted:
        return (ANY if negated else NOTHING), at
    return b"[%s%s]" % (b"^" if negated else b"", b"".join(b"\\x%02x" % byte for byte in sorted(wanted))), at
