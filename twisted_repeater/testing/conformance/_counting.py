"""Counts the cost of a call in steps and bytes, which are the same on every machine and at every load."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def steps_of(function: Callable[..., object], *arguments: object) -> int:
    """Return how many instructions of Python a call takes; compiled code takes none. The function is called twice."""
    steps = 0

    def trace(
        frame: FrameType, event: str, argument: object
    ) -> TraceFunction:  # pragma: no cover - nobody traces the tracer
        nonlocal steps
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)  # Python 3.13 traces instructions from the second call on
        steps = 0
        function(*arguments)
    finally:
        sys.settrace(before)
    return steps


def memory_of(function: Callable[..., object], *arguments: object) -> int:
    """Return how many bytes of memory a call takes at its peak."""
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
    """Bytes that count the bytes that are copied out of them."""

    counter: list[int]

    def __getitem__(self, index: SupportsIndex | slice) -> Any:  # an integer, or bytes
        part = super().__getitem__(index)
        return self.part(part, self.counter) if isinstance(part, bytes) else part

    @classmethod
    def part(cls, data: bytes, counter: list[int]) -> _Counted:
        """Return bytes that were copied just now."""
        counter.append(len(data))
        part = cls(data)
        part.counter = counter
        return part


def copies_of(function: Callable[[bytes], object], data: bytes) -> int:
    """Return how many bytes a call of Python code copies out of its argument, in slices and in slices of these."""
    counter: list[int] = []
    function(_Counted.part(data, counter))
    return sum(counter[1:])
