# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The bytes of a frame, and the fields of a header, found in place when somebody asks.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from typing import TypeVar, cast

from .by_message_type import comes_again
from .charsets import Charset
from .structure import USUAL, Delimiters, delimiters_at

__all__ = ["SHOWN", "Frame", "Header", "message_at", "read_plain"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

LAST_FIELD: int = 18
"""The last field of a header that is read without looking for segments."""

SHOWN = 64
"""How many bytes of a frame without a header are shown."""

USUAL_HEADER: bytes = b"|^~\\&|"
CARRIAGE_RETURN, LINE_FEED = 13, 10

H = TypeVar("H", bound="Header")


class Frame:
    """The base of what is in a frame.

    Two are equal if their bytes are.

    Args:
        data: the bytes, without the marks of MLLP.
    """

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)

    def __bytes__(self) -> bytes:
        """Return the bytes, without the marks of MLLP."""
        return self._data

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        more = "..." if len(self._data) > SHOWN else ""
        return f"{type(self).__name__}({self._data[:SHOWN]!r}{more})"


class Header(Frame):
    """What begins with a header.

    Args:
        data: the bytes, without the marks of MLLP.
        at: where the header begins, or -1.
        charset: the character set if MSH-18 does not say it.
    """

    __slots__ = ("_at", "_charset", "_delimiters", "_stop", "_view", "default_charset")

    def __init__(self, data: bytes, at: int, charset: str) -> None:
        self._data = bytes(data)
        self._at = at
        self.default_charset: str = charset
        """The character set if MSH-18 does not say it."""
        self._stop = 0
        self._delimiters: Delimiters | None = None
        self._charset: Charset | None = None
        self._view: bytes | None = None

    @property
    def delimiters(self) -> Delimiters:
        """The delimiters, as the header has them."""
        if self._delimiters is None:
            self._read_header()
        return cast("Delimiters", self._delimiters)

    def header_field(self, number: int) -> bytes:
        """Return a field of the header, up to the eighteenth, as it is written. The rest is not looked at."""
        if self._delimiters is None:
            self._read_header()
        if number < 1 or number > LAST_FIELD:
            return b""
        data, at, stop = self._data, self._at, self._stop
        mark = data[at + 3]
        while number > 1:
            at = find_byte(data, mark, at, stop) + 1
            if at == 0:
                return b""
            number -= 1
        end = find_byte(data, mark, at, stop)
        return data[at : stop if end < 0 else end]

    def _read_header(self) -> None:
        """Find the delimiters, and where the header ends."""
        data, at = self._data, self._at
        if data is None or at < 0 or at + 4 > len(data):
            raise AttributeError("there is no header")
        size = len(data)
        stop = find_byte(data, CARRIAGE_RETURN, at, size)
        if (
            stop > 0
            and data.startswith(USUAL_HEADER, at + 3)
            and (find_byte(data, LINE_FEED, at, min(stop + 2, size)) < 0)
        ):
            delimiters = USUAL
        else:
            delimiters = delimiters_at(data, at)
            stop = data.find(delimiters.segment, at)
        self._stop = size if stop < 0 else stop
        self._delimiters = delimiters


def read_plain(kind: type[H], data: bytes, charset: str) -> H | None:
    """Return the message of a frame that begins with MSH and surely has it once; ``None`` if that is not so."""
    if not data.startswith(b"MSH") or len(data) < 4 or data[3] == CARRIAGE_RETURN or data[3] == LINE_FEED:
        return None
    return None if comes_again(data, 0, len(data)) else message_at(kind, data, 0, charset)


def message_at(kind: type[H], data: bytes, at: int, charset: str) -> H:
    """Return a message of a class whose header is at an offset, without a check."""
    message = kind.__new__(kind)
    message._data = data
    message._at = at
    message.default_charset = charset
    message._delimiters = message._charset = message._view = None
    return message


def find_byte(data: bytes, byte: int, at: int, stop: int) -> int:
    """Return the offset of the first byte of a value, or -1."""
    return (
        search(data, byte, at, stop)  # type: ignore[name-defined]  # noqa: F821
        if COMPILED  # the function is in the .pxd
        else data.find(byte, at, stop)
    )
