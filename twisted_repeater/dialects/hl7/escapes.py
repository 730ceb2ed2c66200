r"""Escape sequences, such as ``\T\`` for an ampersand in a text: they let a text have delimiters in it."""

from __future__ import annotations

import re

from ...errors import ParseError
from .charsets import Charset
from .structure import Delimiters

__all__ = ["escape", "unescape"]

CONTROLS = "\r\n\x0b\x1c"
"""Characters that would end a segment or a frame."""

_hexadecimal = re.compile("X(?:[0-9A-Fa-f]{2})+")


def unescape(text: str, delimiters: Delimiters, charset: Charset) -> str:
    """Return a text with the characters that its escape sequences stand for. Unknown sequences stay."""
    mark = delimiters.escape.decode("latin-1")
    if not mark or mark not in text:
        return text
    named = {name: char for char, name in _names(delimiters).items()}

    def read(found: re.Match[str]) -> str:
        name = found[1]
        if _hexadecimal.fullmatch(name):
            return charset.decode(bytes.fromhex(name[1:]))
        return named.get(name, found[0])

    quoted = re.escape(mark)
    return re.sub(f"{quoted}([^{quoted}]*){quoted}", read, text)


def escape(text: str, delimiters: Delimiters) -> str:
    """Return a text in which everything that would be a delimiter is an escape sequence.

    Raises:
        ParseError: the message has no escape character, and the text needs one.
    """
    names = _names(delimiters) | {char: f"X{ord(char):02X}" for char in CONTROLS}
    if not any(char in text for char in names):
        return text
    mark = delimiters.escape.decode("latin-1")
    if not mark:
        raise ParseError("the message has no escape character for a text with a delimiter in it", ends_link=True)
    return "".join(f"{mark}{names[char]}{mark}" if char in names else char for char in text)


def _names(delimiters: Delimiters) -> dict[str, str]:
    """Return the names of the delimiters in escape sequences."""
    named = zip("FSTRE", (0, 1, 4, 2, 3), strict=True)
    return {delimiters[index].decode("latin-1"): name for name, index in named if delimiters[index]}
