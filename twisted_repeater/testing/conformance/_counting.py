"""What a call costs, counted in steps and bytes: the same on every machine and at every load."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["copies_of", "memory_of", "steps_of"]


def steps_of(function: Callable[..., Any], *arguments: Any) -> int:
    """Count the instructions of Python that a call takes. What is compiled takes none. It is called twice."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:  # pragma: no cover - nobody traces the tracer
        nonlocal steps
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)  # Python 3.13 tells of a function's instructions from its second call on
        steps = 0
        function(*arguments)
    finally:
        sys.settrace(before)
    return steps


def memory_of(function: Callable[..., Any], *arguments: Any) -> int:
    """Return how many bytes a call has set aside at its peak. What it raises comes out."""
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        function(*arguments)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not running:
            tracemalloc.stop()


class _Counted(bytes):
    """Bytes that count what is copied out of them."""

    counter: list[int]

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return self.part(part, self.counter) if isinstance(part, bytes) else part

    @classmethod
    def part(cls, data: bytes, counter: list[int]) -> _Counted:
        """Make bytes that were copied just now."""
        counter.append(len(data))
        part = cls(data)
        part.counter = counter
        return part


def copies_of(function: Callable[[bytes], Any], data: bytes) -> int:
    """Count the bytes that a call of Python code copies out of its argument, in slices and in slices of these."""
    counter: list[int] = []
    function(_Counted.part(data, counter))
    return sum(counter[1:])
