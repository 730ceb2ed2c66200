"""The parts that the checks of framings and codecs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from ..._text import told
from .._transcript import __tracebackhide__

__all__ = ["STEPS_FREE", "ConformanceError", "Tried", "__tracebackhide__", "positions", "start_of", "told"]

T = TypeVar("T")

STEPS_FREE = 200
"""Costs below this many steps are not compared."""


class ConformanceError(AssertionError):
    """A framing or codec breaks a promise that a repeater relies on. The message says which, and how."""


class Tried:
    """The trial of a framing or a codec."""

    def __init__(self, tried: Any) -> None:
        self.tried = tried

    def complain(self, complaint: str) -> NoReturn:
        """Raise the complaint."""
        raise ConformanceError(f"{type(self.tried).__name__}: {complaint}")

    def call(self, name: str, function: Callable[..., T], what: str, *arguments: object) -> T:
        """Return the result of a call that must not raise."""
        try:
            return function(*arguments)
        except Exception as error:
            self.complain(f"{name} raised {told(error)} for {what}")

    def attempt(
        self, name: str, function: Callable[..., T], allowed: type[Exception], what: str, *arguments: object
    ) -> list[T]:
        """Return the result of a call in a list, which is empty if it raised an error that it may raise."""
        try:
            return [function(*arguments)]
        except allowed:
            return []
        except Exception as error:
            self.complain(f"{name} raised {told(error)}, not {allowed.__name__}, for {what}")

    def encoded(self, value: object, what: str) -> bytes:
        """Encode a value that it must be able to encode."""
        data = self.call("encode", self.tried.encode, what, value)
        if type(data) is not bytes:
            self.complain(f"encode must return bytes, not {type(data).__name__}, for {what}")
        return data


def positions(size: int) -> Iterator[int]:
    """Yield where to cut: at every byte, and if there are many, at every byte near the ends and some between."""
    if size <= 4096:
        yield from range(size)
    else:
        yield from range(1024)
        yield from range(1024, size - 1024, max(size // 512, 1))
        yield from range(size - 1024, size)


def start_of(data: bytes, length: int = 32) -> str:
    """Return the first bytes as text."""
    return repr(data) if len(data) <= length else f"{data[:length]!r}..."
