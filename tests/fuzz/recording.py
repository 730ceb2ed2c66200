"""Recorded sessions, as text files that people can read.

A line is one message: ``>`` to the server or ``<`` to the client, then its bytes as Python writes them. A long run of
one byte is written once, with its length: ``b'abc' b'x'*70000``. Lines that begin with ``#`` say what the session is.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twisted_repeater import Direction

__all__ = ["RECORDINGS", "Message", "Recording", "recordings"]

RECORDINGS = Path(__file__).with_name("recordings")
"""Where the recordings are, in a folder for each protocol."""

LONG_RUN = re.compile(rb"(?s)(.)\1{99,}")
PART = re.compile(r"(b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\")(?:\*(\d+))?(?: |$)")
ARROWS = {Direction.TO_SERVER: ">", Direction.TO_CLIENT: "<"}
DIRECTIONS = {arrow: direction for direction, arrow in ARROWS.items()}

Message = tuple[Direction, bytes]
"""A message of a session: which way it went, and its bytes."""


@dataclass(frozen=True)
class Recording:
    """All messages of one connection, in the order in which they passed."""

    name: str
    about: str
    messages: tuple[Message, ...]

    def sent(self, direction: Direction) -> bytes:
        """Return all that went in a direction."""
        return b"".join(data for way, data in self.messages if way is direction)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        lines = [f"# {line}" for line in self.about.splitlines()]
        lines += [f"{ARROWS[direction]} {written(data)}" for direction, data in self.messages]
        path.write_text("\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read it from a file."""
        lines = path.read_text().splitlines()
        about = "\n".join(line[2:] for line in lines if line.startswith("#"))
        messages = tuple((DIRECTIONS[line[0]], read(line[2:])) for line in lines if not line.startswith("#"))
        return cls(f"{path.parent.name}/{path.stem}", about, messages)


@functools.cache
def recordings(protocol: str) -> list[Recording]:
    """Return all recordings of a protocol."""
    return [Recording.load(path) for path in sorted((RECORDINGS / protocol).glob("*.txt"))]


def written(data: bytes) -> str:
    """Return bytes as a line has them."""
    return " ".join(parts_of(data)) or repr(b"")


def parts_of(data: bytes) -> Iterator[str]:
    at = 0
    for run in LONG_RUN.finditer(data):
        if run.start() > at:
            yield repr(data[at : run.start()])
        yield f"{run[1]!r}*{len(run[0])}"
        at = run.end()
    if at < len(data):
        yield repr(data[at:])


def read(line: str) -> bytes:
    """Return the bytes that a line has."""
    return b"".join(values(PART.finditer(line)))


def values(parts: Iterable[re.Match[str]]) -> Iterator[bytes]:
    for literal, times in (part.groups() for part in parts):
        value: bytes = ast.literal_eval(literal)
        yield value * int(times or 1)
