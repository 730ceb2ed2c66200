r"""Bytes and texts as people read and write them: text, with ``\xNN`` for what cannot be seen.

`escaped` and `unescaped` are inverse, so that a value that is shown can be changed and given back.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean", "escaped", "one_line", "unescaped"]

LONGEST_LINE: Final = 200
"""How many characters of a message are shown on one line."""

ESCAPES: Final[dict[int, str]] = {
    **{code: f"\\x{code:02x}" for code in (*range(32), 127)},
    **{0xDC00 + byte: f"\\x{byte:02x}" for byte in range(128, 256)},  # as surrogateescape has them
    ord("\\"): "\\\\",
    ord("\r"): "\\r",
    ord("\n"): "\\n",
    ord("\t"): "\\t",
}
"""The escapes of the characters that are frequent in bytes that are not text."""

_well_formed = re.compile(rb"(?:[^\\]+|\\(?:x[0-9a-fA-F]{2}|[rnt\\]))*+")
"""Matches up to the first backslash that is followed by something else."""


def escaped(value: bytes | str) -> str:
    r"""Return bytes or a text without characters that cannot be seen: ``\r``, ``\n``, ``\t``, ``\\`` and ``\xNN``."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str.__str__(value)
    if text.isprintable() and "\\" not in text:  # as nearly all are
        return text
    text = text.translate(ESCAPES)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    try:
        return "".join(f"\\x{byte:02x}" for byte in character.encode())
    except UnicodeEncodeError:  # half of a pair, which no bytes stand for
        return "\ufffd"


def unescaped(text: str) -> bytes:
    r"""Return the bytes that a text stands for: UTF-8, with ``\xNN``, ``\r``, ``\n``, ``\t`` and ``\\``.

    Raises:
        ValueError: there is another letter after a backslash.
    """
    data = text.encode("utf-8", "surrogatepass")
    found = _well_formed.match(data)
    stop = 0 if found is None else found.end()
    if stop < len(data):
        shown = data[stop : stop + 2].decode("utf-8", "replace")
        raise ValueError(f"a backslash must be followed by xNN, r, n, t or a backslash, not {shown!a}")
    return data.decode("unicode_escape").encode("latin-1")  # which knows more escapes, but no others are left


def clean(text: str) -> str:
    """Return a text without surrogates, which UTF-8 and so JSON lack."""
    return text.encode("utf-8", "backslashreplace").decode() if not text.isascii() else text


def one_line(text: str) -> str:
    """Return a text cut to one line."""
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"
