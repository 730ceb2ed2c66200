"""The progress of long work, for people: one line on a terminal that is written again and again, on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["Progress"]

PAUSE = 0.25
"""Seconds between two states of the line on a terminal."""

LONG_PAUSE = 10.0
"""Seconds between two lines where nobody watches: in a log file, for example."""


class Progress:
    """Shows how far some work is; used as a context manager.

    On a terminal one line is written again and again, and is gone at the end. Elsewhere a line is written every ten
    seconds, so that short work writes nothing. Standard output stays untouched::

        with Progress("exported", "messages", recording.count) as progress:
            for message in recording.messages():
                ...
                progress.step()

    Args:
        verb: what is done to the things, such as "exported".
        things: what is counted, such as "messages".
        total: how many there are; 0 if that is not known. It may be too low, as in a recording that grows.
        stream: where to write; standard error by default.
        shows: whether to write at all. Pass False if the work prints its results on the same terminal.
        clock: returns a time in seconds that never goes back.
    """

    def __init__(
        self,
        verb: str,
        things: str,
        total: int = 0,
        *,
        stream: TextIO | None = None,
        shows: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.done: int = 0
        """How many are done."""
        self.total: int = total
        """How many there are, 0 if that is not known."""
        self._words = verb, things
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._clock = clock
        self._began = clock()
        self._pause = PAUSE if self._terminal else LONG_PAUSE
        self._next = self._began + self._pause if shows else float("inf")
        self._written = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def step(self, count: int = 1) -> None:
        """Count things that are done, and show it if it is time."""
        self.done += count
        if self._clock() >= self._next:
            self.show()

    def show(self) -> None:
        """Show the present state now."""
        self._next = self._clock() + self._pause
        line = self._line()
        if self._terminal:
            line = "\r" + line[: shutil.get_terminal_size().columns - 1] + "\x1b[K"
        self._write(line if self._terminal else line + "\n")
        self._written = self._terminal

    def clear(self) -> None:
        """Remove the line from the terminal, so that something else can be printed. The next state brings it back."""
        if self._written:
            self._write("\r\x1b[K")
            self._written = False

    def _line(self) -> str:
        verb, things = self._words
        rate = self.done / max(self._clock() - self._began, 1e-9)
        if not self.total:
            return f"{verb} {self.done:,} {things}, {rate:,.0f}/s"
        total = max(self.total, self.done)
        left = f", {_duration((total - self.done) / rate)} left" if rate else ""
        return f"{verb} {self.done:,} of {total:,} {things} ({self.done * 100 // total} %), {rate:,.0f}/s{left}"

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more: no reason to end the work
            self._next = float("inf")


def _duration(seconds: float) -> str:
    """Return a time as 0:07, 12:30 or 1:05:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
