"""Regular expressions for lines, and patterns for what is made of a match.

The expressions are those of RE2, which takes time linear in the line. Python's ``re`` tries one way after the other:
a line that a stranger has made for an expression such as ``(a+)+$`` would keep it, and the whole repeater, busy for
years. To limit the length of lines does not help, because thirty characters are enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

__all__ = ["Pattern", "Spans", "Template"]

Spans: TypeAlias = Sequence[tuple[int, int]]
"""Where a match begins and ends in a line, and then each of its groups; -1 for what stands for nothing."""

PART = re.compile(rb"\\(.?)", re.DOTALL)
"""A backslash in a template, and what follows it."""

LONE = re.compile(rb"[\r\n\0]")

PLAIN = re.compile(r"([ -\[\]-~]|\\[bBAzdDsSwW!-/:-@\[-`{-~])*")
"""Expressions of printable ASCII, without escapes that may stand for other bytes. How RE2 finds the words that another
one needs is not meant for bytes that are not UTF-8."""

LONGEST_PLAIN = 1000
"""For longer expressions the words are not searched for: RE2 limits the memory for that, and then finds none."""


def load_re2() -> Any:
    """Import RE2.

    Raises:
        ImportError: it is not installed; the message names the extra.
    """
    try:
        import re2
    except ImportError as error:
        raise ImportError("filters of lines need google-re2: pip install 'twisted_repeater[lines]'") from error
    return re2


class Pattern:
    """A regular expression for lines of bytes.

    It ignores the case of the letters A to Z, and ``.`` stands for any byte. Other letters are two or more bytes.

    Args:
        option: its name in errors.
        text: the expression. ``(?-i)`` at its beginning makes it compare the case.

    Raises:
        ImportError: RE2 is not installed.
        TypeError: it is not a string.
        ValueError: it is not an expression of RE2.
    """

    groups: int
    """How many groups it has."""
    may_match: Callable[[memoryview], bool] | None
    """Returns whether it may match in one of several lines, whatever is between them. ``None`` if only a look at each
    line can tell."""

    def __init__(self, option: str, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"{option} must be a string, not {text!r}")
        re2 = load_re2()
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # bytes: a line that is not UTF-8 must not get around a rule
        options.dot_nl = True
        options.case_sensitive = False
        options.log_errors = False
        try:
            expression = re2.compile(text.encode(), options)
        except re2.error as error:
            reason = error.args[0].decode(errors="replace")
            raise ValueError(f"{option} must be a regular expression of RE2, not {text!r}: {reason}") from None
        self._match, self._anywhere, self._whole = _ways_to_match(re2, expression)
        self.groups = expression.groups
        self.may_match = _words(re2, text, options)

    def search(self, line: bytes, at: int = 0) -> Spans | None:
        """Return the first place where a line matches, from an offset on."""
        spans = self._match(self._anywhere, line, at, len(line))
        return None if spans[0][0] < 0 else spans

    def matches_all_of(self, line: bytes) -> bool:
        """Return whether a line matches from its beginning to its end."""
        return self._match(self._whole, line, 0, len(line))[0][0] >= 0

    def replaced(self, line: bytes, template: Template, most: int) -> bytes | None:
        """Return a line with something else in each place where it matches; ``None`` if there are more places."""
        pieces = []
        at = done = 0
        while at <= len(line) and (spans := self.search(line, at)) is not None:
            if most == 0:
                return None
            most -= 1
            start, stop = spans[0]
            pieces += [line[done:start], template.made_of(line, spans)]
            done = stop
            at = stop + (start == stop)  # behind an empty match, one byte further on
        return b"".join([*pieces, line[done:]])


def _ways_to_match(re2: Any, expression: Any) -> tuple[Callable[[Any, bytes, int, int], Spans], Any, Any]:
    """Return a function that matches a part of a line, and its first arguments for a match anywhere, and of all of it.

    It is the function that RE2's Python module calls itself. The public ones make an object and an iterator of each
    result, which takes as long as the search in a short line.
    """
    try:
        return expression._regexp.Match, re2._Anchor.UNANCHORED, re2._Anchor.ANCHOR_BOTH
    except AttributeError:  # another version of the module
        pass

    def match(search: Callable[[bytes, int, int], Any], line: bytes, at: int, end: int) -> Spans:
        found = search(line, at, end)
        return [(-1, -1)] if found is None else [found.span(group) for group in range(expression.groups + 1)]

    return match, expression.search, expression.fullmatch


def _words(re2: Any, text: str, options: Any) -> Callable[[memoryview], bool] | None:
    """Return a function that says whether one of the words is there that each match of an expression has in it.

    RE2 finds out which words these are. ``None`` if there are none.
    """
    if not hasattr(re2, "Filter") or len(text) > LONGEST_PLAIN or not PLAIN.fullmatch(text):
        return None
    words = re2.Filter()
    try:
        words.Add(text.encode(), options)
        words.Compile()
    except (re2.error, RuntimeError):  # too large
        return None
    match = words.Match
    return None if match(b"", True) else lambda lines: match(lines, True) is not None


class Template:
    r"""A text with groups of a match in it: ``\1`` to ``\9``, or ``\0`` for the whole match.

    Args:
        option: its name in errors.
        text: the text; ``\\`` is a backslash.
        groups: how many groups a match has.

    Raises:
        TypeError: it is not a string.
        ValueError: it has more than one line, a group that the expression has not, or a lone backslash.
    """

    def __init__(self, option: str, text: str, groups: int) -> None:
        if not isinstance(text, str):
            raise TypeError(f"{option} must be a string, not {text!r}")
        if LONE.search(text.encode()):
            raise ValueError(f"{option} must be one line, without CR, LF and NUL, not {text!r}")
        self._parts: list[bytes | int] = []
        written = text.encode()
        at = 0
        for part in PART.finditer(written):
            self._parts += [written[at : part.start()], _escaped(option, text, part[1], groups)]
            at = part.end()
        self._parts.append(written[at:])

    def made_of(self, line: bytes, spans: Spans) -> bytes:
        """Return the text for a match. A group that stands for nothing is empty."""
        return b"".join([part if isinstance(part, bytes) else line[slice(*spans[part])] for part in self._parts])


def _escaped(option: str, text: str, escaped: bytes, groups: int) -> bytes | int:
    """Return the backslash or the number of the group that an escape stands for."""
    if escaped == b"\\":
        return escaped
    if not escaped.isdigit():
        raise ValueError(rf"{option} must have \0 to \9 or \\ after a backslash, not {text!r}")
    if int(escaped) > groups:
        raise ValueError(rf"{option} has the group \{int(escaped)}, but the last one is \{groups}: {text!r}")
    return int(escaped)
