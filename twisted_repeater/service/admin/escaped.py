r"""Bytes and texts as people read and write them: text, with ``\xNN`` for what cannot be seen.

`escaped` and `unescaped` are inverse, so that a value that is shown can be changed and given back.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean", "escaped", "one_line", "unescaped"]

LONGEST_LINE: Final = 200
"""How many characters of a message are shown on one line."""

LETTERS: Final = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t"}

_escape = re.compile(rb"\\(x[0-9a-fA-F]{2}|.?)", re.DOTALL)
_meant: Final = {b"\\": b"\\", b"r": b"\r", b"n": b"\n", b"t": b"\t"}


def escaped(value: bytes | str) -> str:
    r"""Return bytes or a text without characters that cannot be seen: ``\r``, ``\n``, ``\t``, ``\\`` and ``\xNN``."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str.__str__(value)
    if text.isprintable() and "\\" not in text:  # as nearly all are
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable() and character != "\\":
        return character
    letter = LETTERS.get(character)
    if letter is not None:
        return letter
    try:
        data = character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, which no bytes stand for
        return "\ufffd"
    return "".join(f"\\x{byte:02x}" for byte in data)


def unescaped(text: str) -> bytes:
    r"""Return the bytes that a text stands for: UTF-8, with ``\xNN``, ``\r``, ``\n``, ``\t`` and ``\\``.

    Raises:
        ValueError: there is another letter after a backslash.
    """
    return _escape.sub(_meaning, text.encode("utf-8", "surrogatepass"))


def _meaning(found: re.Match[bytes]) -> bytes:
    letter = found[1]
    if len(letter) == 3:
        return bytes((int(letter[1:], 16),))
    if letter not in _meant:
        shown = found[0].decode("utf-8", "replace")
        raise ValueError(f"a backslash must be followed by xNN, r, n, t or a backslash, not {shown!a}")
    return _meant[letter]


def clean(text: str) -> str:
    """Return a text without surrogates, which UTF-8 and so JSON lack."""
    return text.encode("utf-8", "backslashreplace").decode() if not text.isascii() else text


def one_line(text: str) -> str:
    """Return a text cut to one line."""
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"
