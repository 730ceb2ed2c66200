"""Commands that are typed, as one line of words, for example in telnet: ``SET greeting "hello\\n"``.

The words are found exactly as Redis finds them. A filter must not see another command than the server carries out.
"""

from __future__ import annotations

import re

__all__ = ["split_inline"]

SPACES = b" \t\n\v\f\r"
"""What may be between two words."""

PLAIN = re.compile(rb"[^ \n\r\t\0\"']+")
"""Part of a word without quotes. A vertical tab or a form feed does not end a word, though it may be between words."""

DOUBLE = re.compile(rb'"((?:[^"\\]|\\.)*)"(?=[ \t\v\f\r]|\Z)', re.DOTALL)
SINGLE = re.compile(rb"'((?:[^'\\]|\\'|\\(?!'))*)'(?=[ \t\v\f\r]|\Z)")
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_inline(line: bytes) -> list[bytes] | None:
    """Return the words of a line; ``None`` if its quotes do not match. A zero byte ends the line, as in C."""
    text = line.partition(b"\n")[0].partition(b"\0")[0]
    words: list[bytes] = []
    at = 0
    while True:
        while text[at : at + 1] and text[at] in SPACES:
            at += 1
        if at == len(text):
            return words
        word, at = _word(text, at)
        if word is None:
            return None
        words.append(word)


def _word(text: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the word at an offset, and where it ends. A closing quote ends a word; an opening one may be inside."""
    parts: list[bytes] = []
    while at < len(text) and text[at] not in b" \t\r":
        plain = PLAIN.match(text, at)
        if plain is not None:
            parts.append(plain[0])
            at = plain.end()
            continue
        double = text[at] == b'"'[0]
        quoted = (DOUBLE if double else SINGLE).match(text, at)
        if quoted is None:
            return None, at
        parts.append(_unescaped(quoted[1]) if double else quoted[1].replace(b"\\'", b"'"))
        return b"".join(parts), quoted.end()
    return b"".join(parts), at


def _unescaped(text: bytes) -> bytes:
    """Return what is between double quotes, without its escapes."""
    return ESCAPE.sub(lambda found: _escaped(found[1]), text)


def _escaped(what: bytes) -> bytes:
    return bytes([int(what[1:], 16)]) if len(what) == 3 else LETTERS.get(what, what)
