"""The messages of Redis: commands and replies, which read their bytes only when they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import MarshalingError, ParseError
from .inline import split_inline
from .plain_values import COMPILED, NOT_PLAIN, plain_value, words_in
from .values import ErrorText, after_attributes, line_of, read_slowly, read_value, write_string, write_value

__all__ = ["Command", "ErrorText", "Raw", "Reply", "read_command", "read_reply"]

UNREAD = object()
"""Stands for a value that was not read yet."""

NAMES: dict[bytes, str] = {}
"""The names of commands that were read, in upper case, by their bytes."""

MOST_NAMES = 1000
LONGEST_NAME = 32
"""Limits of `NAMES`: clients choose what is in it."""

SHORT = 4096
"""Up to so many bytes hiredis reads a whole command in less time than Python finds its name."""

SHOWN = 64
"""How many bytes of a reply without a value its `repr` shows."""


class Command:
    """A command of a client, such as ``Command("SET", b"key", b"value")``.

    Two commands are equal if their names and arguments are, however they were written.

    Args:
        name: the name, in whatever case.
        arguments: bytes, text or numbers.

    Raises:
        MarshalingError: an argument is of another kind.
    """

    __slots__ = ("_arguments", "_frame", "name")

    name: str
    """The name, in upper case."""

    def __init__(self, name: str, *arguments: bytes | str | float) -> None:
        if not isinstance(name, str):
            raise MarshalingError(f"the name of a command must be a str, not {name!r}")
        self.name = name.upper()
        self._arguments: tuple[bytes, ...] | list[bytes] | None = tuple(map(write_string, arguments))
        """The arguments; or the list of all words, name included; ``None`` if these were not read yet."""
        self._frame: bytes | None = None

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """What follows the name."""
        arguments = self._arguments
        if type(arguments) is not tuple:
            words = read_value(self._frame or b"") if arguments is None else arguments
            self._arguments = arguments = tuple(words[1:])
        return arguments

    def __bytes__(self) -> bytes:
        """Return the bytes that came, or a frame."""
        if self._frame is None:
            words = (self.name.encode(errors="surrogateescape"), *self.arguments)
            self._frame = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        return self._frame

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Command):
            return NotImplemented
        return self.name == other.name and self.arguments == other.arguments

    def __hash__(self) -> int:
        return hash((self.name, self.arguments))

    def __repr__(self) -> str:
        return f"Command({', '.join(map(repr, (self.name, *self.arguments)))})"


class Reply:
    """A reply of the server, or a push.

    Two replies are equal if their bytes are.

    Args:
        value: bytes, text, a number, ``None``, an `ErrorText`, or a list of these. Booleans, floats, dicts and sets are
            for clients that speak RESP3.

    Raises:
        MarshalingError: the value is of another kind.
    """

    __slots__ = ("_frame", "_value")

    def __init__(self, value: object) -> None:
        self._frame = write_value(value)
        self._value: object = UNREAD

    @classmethod
    def status(cls, text: str) -> Reply:
        """Return a short reply such as ``Reply.status("OK")``."""
        return read_reply(line_of(b"+", text))

    @classmethod
    def failure(cls, text: str) -> Reply:
        """Return an error, whose first word says its kind: ``Reply.failure("NOPERM not for you")``."""
        return read_reply(line_of(b"-", text))

    @property
    def value(self) -> Any:
        """The value: bytes for texts, `ErrorText` for errors, a list for arrays, sets and pushes, a dict for maps.

        Attributes are left out.

        Raises:
            ParseError: Python has no such value, for example a map whose keys are maps.
        """
        if self._value is UNREAD:
            value = plain_value(self._frame) if COMPILED else NOT_PLAIN
            self._value = value if value is not NOT_PLAIN else read_value(self._frame)
        return self._value

    @property
    def kind(self) -> str:
        """The first byte of the reply, after its attributes: ``"+"``, ``"-"``, ``"$"``, ``"*"``, …."""
        first = chr(self._frame[0])
        return first if first != "|" else chr(self._frame[after_attributes(self._frame)])

    @property
    def is_push(self) -> bool:
        """Whether the server sent it by itself: it answers no command."""
        return self.kind == ">"

    @property
    def is_error(self) -> bool:
        """Whether it is an error."""
        return self.kind in "-!"

    @property
    def error(self) -> str | None:
        """The text of the error; ``None`` if the reply is not an error."""
        return str(read_slowly(self._frame)) if self.is_error else None

    def __bytes__(self) -> bytes:
        """Return the bytes that came, or a frame."""
        return self._frame

    def __eq__(self, other: object) -> bool:
        return self._frame == other._frame if isinstance(other, Reply) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._frame)

    def __repr__(self) -> str:
        try:
            return f"Reply({self.value!r})"
        except (ParseError, RecursionError):  # a server chooses what comes, and a log must not fail over it
            return f"<reply {self._frame[:SHOWN]!r}>"


def read_reply(frame: bytes) -> Reply:
    """Return the reply in a whole frame."""
    reply = Reply.__new__(Reply)
    reply._frame = frame
    reply._value = UNREAD
    return reply


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes to the server that are no command: an empty line, ``*0``, or a line whose quotes do not match.

    The server answers nothing, or an error that ends the connection.
    """

    data: bytes
    """The bytes."""

    def __bytes__(self) -> bytes:
        return self.data


def read_command(frame: bytes) -> Command | Raw:
    """Return the command in a whole frame."""
    words: list[bytes] | None = None
    if frame[:1] != b"*":
        words = split_inline(frame)
    elif len(frame) <= SHORT:
        words = (words_in(frame) if COMPILED else None) or read_value(frame)
    word = words[0] if words else _name_in(frame)
    if word is None:
        return Raw(frame)
    name = NAMES.get(word)
    if name is None:
        name = word.upper().decode(errors="surrogateescape")
        if len(word) <= LONGEST_NAME and len(NAMES) < MOST_NAMES:
            NAMES[word] = name
    command = _new(Command)
    command._frame = frame
    command._arguments = words
    command.name = name
    return command


_new = Command.__new__


def _name_in(frame: bytes) -> bytes | None:
    """Return the name of a command that is an array; ``None`` if that is empty."""
    if frame[:1] != b"*" or (size := frame.find(b"$") + 1) == 0:
        return None
    start = frame.index(b"\n", size) + 1
    return frame[start : start + int(frame[size : start - 2])]
