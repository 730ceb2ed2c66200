"""Regular expressions for lines, and patterns for what is made of a match.

The expressions are those of RE2, which takes time linear in the line. Python's ``re`` tries one way after the other:
a line that a stranger has made for an expression such as ``(a+)+$`` would keep it, and the whole repeater, busy for
years. To limit the length of lines does not help, because thirty characters are enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Match", "Pattern", "Template"]

PART = re.compile(rb"\\(.?)", re.DOTALL)
"""A backslash in a template, and what follows it."""

LONE = re.compile(rb"[\r\n\0]")


class Match(Protocol):
    """Where a line matches."""

    def group(self, number: int, /) -> bytes | None:
        """Return what a group stands for; ``None`` if it stands for nothing."""

    def end(self) -> int:
        """Return the offset behind the match."""


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

    search: Callable[[bytes], Match | None]
    """Returns the first place where a line matches."""
    groups: int
    """How many groups it has."""

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
            self._expression = re2.compile(text.encode(), options)
        except re2.error as error:
            reason = error.args[0].decode(errors="replace")
            raise ValueError(f"{option} must be a regular expression of RE2, not {text!r}: {reason}") from None
        self.search = self._expression.search
        self.groups = self._expression.groups

    def matches_all_of(self, line: bytes) -> bool:
        """Return whether a line matches from its beginning to its end."""
        return self._expression.fullmatch(line) is not None

    def replaced(self, line: bytes, template: Template, most: int) -> bytes | None:
        """Return a line with something else in each place where it matches; ``None`` if there are more places."""
        pieces = []
        at = 0
        for count, match in enumerate(self._expression.finditer(line)):
            if count == most:
                return None
            pieces += [line[at : match.start()], template.made_of(match)]
            at = match.end()
        return b"".join([*pieces, line[at:]])


class Template:
    r"""A text with groups of a match in it: ``\1`` to ``\9``, or ``\0`` for the whole match.

    Args:
        option: its name in errors.
        text: the text; ``\\`` is a backslash.
        pattern: what the match is of.

    Raises:
        TypeError: it is not a string.
        ValueError: it has more than one line, a group that the expression has not, or a lone backslash.
    """

    def __init__(self, option: str, text: str, pattern: Pattern) -> None:
        if not isinstance(text, str):
            raise TypeError(f"{option} must be a string, not {text!r}")
        if LONE.search(text.encode()):
            raise ValueError(f"{option} must be one line, without CR, LF and NUL, not {text!r}")
        self._parts: list[bytes | int] = []
        written = text.encode()
        at = 0
        for part in PART.finditer(written):
            self._parts += [written[at : part.start()], _escaped(option, text, part[1], pattern)]
            at = part.end()
        self._parts.append(written[at:])

    def made_of(self, match: Match) -> bytes:
        """Return the text for a match. A group that stands for nothing is empty."""
        return b"".join([part if isinstance(part, bytes) else match.group(part) or b"" for part in self._parts])


def _escaped(option: str, text: str, escaped: bytes, pattern: Pattern) -> bytes | int:
    """Return the backslash or the number of the group that an escape stands for."""
    if escaped == b"\\":
        return escaped
    if not escaped.isdigit():
        raise ValueError(rf"{option} must have \0 to \9 or \\ after a backslash, not {text!r}")
    if int(escaped) > pattern.groups:
        raise ValueError(rf"{option} must not have \{int(escaped)}: the highest group is \{pattern.groups}")
    return int(escaped)
