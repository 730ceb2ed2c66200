"""The character sets of messages: how bytes become text, and where in them no delimiter can be."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from ...errors import ParseError

__all__ = ["Charset", "charset_of", "checked_charset"]

NAMES: dict[str, str] = {
    "": "",
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
} | {f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)}
"""The names in MSH-18, and what Python calls the same."""

UNKNOWN = "latin-1"
"""Stands for character sets that Python does not know: each byte is a character."""

TWO_BYTES = re.compile(rb"[\x81-\xfe](?:[\x40-\x7e\x80-\xfe]|[\x30-\x39][\x81-\xfe][\x30-\x39])")
SHIFT_JIS = re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]")
SHIFTED = re.compile(rb"\x1b\$[^\r\n]*?(?=\x1b\(|[\r\n]|\Z)")

SWITCHED = ("iso2022_jp", "iso2022_jp_1")
"""Character sets that an escape sequence begins, and that have ASCII outside of these."""

HIDDEN: dict[str, re.Pattern[bytes]] = {
    "gb18030": TWO_BYTES,
    "big5": TWO_BYTES,
    "shift_jis": SHIFT_JIS,
    "iso2022_jp": SHIFTED,
    "iso2022_jp_1": SHIFTED,
}
"""For each character set whose characters may have the byte of a delimiter: the characters of several bytes."""


class Charset:
    """A character set.

    What cannot be decoded becomes characters that encode to the same bytes again, as far as that is possible.

    Args:
        name: what Python calls it.
    """

    __slots__ = ("_hidden", "name")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self._hidden = HIDDEN.get(name)

    def view(self, data: bytes) -> bytes:
        """Return bytes of the same length in which each delimiter is one: other bytes of its value are hidden."""
        return data if self._hidden is None else self._hidden.sub(_hide, data)

    def decode(self, data: bytes) -> str:
        """Return the text of some bytes. If they are not in the character set at all, each byte is a character."""
        try:
            return data.decode(self.name, "surrogateescape")
        except UnicodeDecodeError:
            return data.decode(UNKNOWN)

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text.

        Raises:
            ParseError: the character set does not have one of its characters.
        """
        try:
            return text.encode(self.name, "surrogateescape")
        except UnicodeEncodeError as error:
            raise ParseError(
                f"the message is in {self.name}, which cannot say {error.object!r}", ends_link=True
            ) from error


def _hide(found: re.Match[bytes]) -> bytes:
    return b"\x80" * len(found[0])


_made: dict[str, Charset] = {}


def charset_of(names: Sequence[str], default: str) -> Charset:
    """Return the character set that MSH-18 names; the default if it names none.

    The first one counts. The others are for what escape sequences begin; if these are Japanese, they are read, too.
    """
    python = default
    if names:
        known = [NAMES.get(name.strip().upper(), UNKNOWN) for name in names]
        python = next((name for name in known if name in SWITCHED), known[0]) or default
    made = _made.get(python)
    if made is None:
        made = _made[python] = Charset(python)
    return made


def checked_charset(name: str) -> str:
    """Return the name of a character set as Python writes it.

    Raises:
        ValueError: Python does not know it, or it is not one in which the names of segments are ASCII.
    """
    try:
        if "MSH|".encode(name) == b"MSH|":
            return codecs.lookup(name).name
    except LookupError:
        pass
    raise ValueError(f"charset must be a character set that begins with ASCII, such as utf-8, not {name!r}")
