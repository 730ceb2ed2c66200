"""The values of Redis: read from a frame, and written into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import MarshalingError, ParseError

__all__ = ["ErrorText", "after_attributes", "load_hiredis", "read_value", "write_string", "write_value"]

AGGREGATES = {"*": 1, "~": 1, ">": 1, "%": 2, "|": 2}
"""How many values follow for each one that is counted."""

DEEPEST = 1024
"""How deeply the values to write may be nested."""


class ErrorText(str):
    """The text of an error that is the value of a `Reply`, or is in it: ``ErrorText("WRONGTYPE ...")``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"ErrorText({str(self)!r})"


class _Shared:
    """The reader of hiredis that all use: it is empty between two calls. To make one takes longer than to use it."""

    reader: Any = None


def load_hiredis() -> Any:
    """Import hiredis.

    Raises:
        ImportError: it is not installed; the message names the extra.
    """
    try:
        import hiredis
    except ImportError as error:
        raise ImportError("the dialect redis needs hiredis: pip install 'twisted_repeater[redis]'") from error
    return hiredis


def read_value(frame: bytes) -> Any:
    """Return the value in a whole frame.

    Raises:
        ParseError: the frame has no value that Python can have, such as a map whose keys are maps.
    """
    reader = _Shared.reader
    if reader is None:
        reader = _Shared.reader = load_hiredis().Reader(replyError=ErrorText)
    try:
        reader.feed(frame)
        value = reader.gets()
        if not reader.has_data() and (value is not False or frame[:1] == b"#"):
            return value
    except Exception:  # hiredis does not know all types of RESP3
        pass
    _Shared.reader = None
    return read_slowly(frame)


def read_slowly(frame: bytes) -> Any:
    """Do the same for what hiredis cannot read: streamed values, attributes inside of others, errors with a length."""
    try:
        return _SlowReader(frame).read()
    except (IndexError, TypeError, ValueError) as error:
        raise ParseError(f"not a value of Redis: {error}", ends_link=True) from error


def after_attributes(frame: bytes) -> int:
    """Return the offset of the value in a frame, after the attributes that may be before it."""
    reader = _SlowReader(frame)
    while frame[reader.at : reader.at + 1] == b"|":
        reader.read_one()
    return reader.at


class _SlowReader:
    """Reads a frame that a framing has found, so that its form is right; without recursion."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.at = 0

    def read(self) -> Any:
        """Return the value after the attributes."""
        self.at = after_attributes(self.frame) if self.frame[:1] == b"|" else 0
        return self.read_one()

    def read_one(self) -> Any:
        """Return the next value, or attribute."""
        open_ones: list[_Open] = []
        while True:
            kind, text = self._line()
            if kind in AGGREGATES and text[:1] != "-":
                open_ones.append(_Open(kind, None if text == "?" else AGGREGATES[kind] * int(text)))
                done = False
            elif kind == ".":
                open_ones[-1].left = 0
                done = False
            else:
                value, done = self._scalar(kind, text), True
            while True:
                if done:
                    if not open_ones:
                        return value
                    open_ones[-1].add(value)
                if open_ones[-1].left != 0:
                    break
                closed = open_ones.pop()
                value, done = closed.value(), closed.kind != "|" or not open_ones

    def _line(self) -> tuple[str, str]:
        """Return the type and the text of a line."""
        stop = self.frame.index(b"\n", self.at)
        line = self.frame[self.at : stop].rstrip(b"\r").decode(errors="surrogateescape")
        self.at = stop + 1
        return line[0], line[1:]

    def _scalar(self, kind: str, text: str) -> Any:
        """Return a value that is not made of others."""
        if kind in "$=!":
            if text == "-1":
                return None
            value = self._streamed() if text == "?" else self._bulk(int(text))
            if kind == "!":
                return ErrorText(value.decode(errors="surrogateescape"))
            return value[4:] if kind == "=" else value
        if kind == "-":
            return ErrorText(text)
        if kind in "+(":
            return text.encode(errors="surrogateescape")
        if kind == ":":
            return int(text)
        if kind == ",":
            return float(text)
        return text == "t" if kind == "#" else None  # "_", or an array "*-1"

    def _bulk(self, size: int) -> bytes:
        start = self.at
        self.at = start + size + 2
        return self.frame[start : start + size]

    def _streamed(self) -> bytes:
        """Return a string that comes in parts."""
        parts = []
        while (size := int(self._line()[1])) != 0:
            parts.append(self._bulk(size))
        return b"".join(parts)


class _Open:
    """An aggregate whose end has not come."""

    def __init__(self, kind: str, left: int | None) -> None:
        self.kind = kind
        self.left = left
        self.values: list[Any] = []

    def add(self, value: Any) -> None:
        """Add a value."""
        self.values.append(value)
        if self.left is not None:
            self.left -= 1

    def value(self) -> Any:
        """Return what it is in Python."""
        return dict(zip(self.values[::2], self.values[1::2], strict=True)) if self.kind in "%|" else self.values


def write_string(value: object) -> bytes:
    """Return the bytes of an argument, or of a string in a reply.

    Raises:
        MarshalingError: the value is neither bytes, nor text, nor a number.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value).encode()
    raise MarshalingError(f"expected bytes, a str or a number, got {type(value).__name__}")


def write_value(value: object) -> bytes:
    """Return the frame of a value.

    Raises:
        MarshalingError: Redis has no such value, or it is nested too deeply.
    """
    parts: list[bytes] = []
    _write(value, parts, 0)
    return b"".join(parts)


def _write(value: object, parts: list[bytes], depth: int) -> None:
    """Add the parts of a value's frame."""
    if depth > DEEPEST // 4:  # a level needs some of Python's stack
        raise MarshalingError(f"values must be nested at most {DEEPEST // 4} deep")
    if value is None:
        parts.append(b"$-1\r\n")
    elif isinstance(value, bool):
        parts.append(b"#t\r\n" if value else b"#f\r\n")
    elif isinstance(value, int):
        parts.append(b":%d\r\n" % value)
    elif isinstance(value, float):
        parts.append(b",%s\r\n" % repr(value).encode())
    elif isinstance(value, ErrorText):
        parts.append(line_of(b"-", value))
    elif isinstance(value, Mapping):
        parts.append(b"%%%d\r\n" % len(value))
        for pair in value.items():
            for one in pair:
                _write(one, parts, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts.append(b"%s%d\r\n" % (b"~" if isinstance(value, (set, frozenset)) else b"*", len(value)))
        _write_all(value, parts, depth + 1)
    else:
        text = write_string(value)
        parts.append(b"$%d\r\n%s\r\n" % (len(text), text))


def _write_all(values: Iterable[object], parts: list[bytes], depth: int) -> None:
    for value in values:
        _write(value, parts, depth)


def line_of(kind: bytes, text: str) -> bytes:
    """Return a frame that is a line; what would end the line early becomes a space."""
    return kind + b" ".join(text.encode(errors="surrogateescape").splitlines()) + b"\r\n"
