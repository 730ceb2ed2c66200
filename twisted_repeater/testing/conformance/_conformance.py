"""What the checks of framings and codecs share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from ..._text import told

__all__ = ["STEPS_FREE", "ConformanceError", "Tried", "positions", "start_of", "told"]

STEPS_FREE = 200
"""A cost below so many steps is not worth comparing."""


class ConformanceError(AssertionError):
    """A framing or codec does not keep a promise that a repeater relies on; the message says which and how."""


class Tried:
    """A framing or a codec that is being tried."""

    def __init__(self, tried: Any) -> None:
        self.tried = tried

    def complain(self, complaint: str) -> NoReturn:
        """Say what is wrong."""
        raise ConformanceError(f"{type(self.tried).__name__}: {complaint}")

    def encoded(self, value: Any, what: str) -> bytes:
        """Encode what it must be able to encode."""
        try:
            data = self.tried.encode(value)
        except Exception as error:
            self.complain(f"encode raised {told(error)} for {what}")
        if type(data) is not bytes:
            self.complain(f"encode gave {type(data).__name__}, not bytes, for {what}")
        return data


def positions(size: int) -> Iterator[int]:
    """Where to cut: at every byte, in what is long at every byte near its ends and at some between."""
    if size <= 4096:
        yield from range(size)
    else:
        yield from range(1024)
        yield from range(1024, size - 1024, max(size // 512, 1))
        yield from range(size - 1024, size)


def start_of(data: bytes, length: int = 32) -> str:
    """Print the beginning of some bytes."""
    return repr(data) if len(data) <= length else f"{data[:length]!r}..."
