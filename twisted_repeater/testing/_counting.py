"""What a call costs, counted in steps and bytes: the same on every machine and at every load."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["memory_of", "steps_of"]


def steps_of(function: Callable[..., Any], *arguments: Any) -> int:
    """Count the instructions of Python that a call takes. What is compiled takes none."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return steps


def memory_of(function: Callable[..., Any], *arguments: Any) -> int:
    """Tell how many bytes a call has set aside at its peak. What it raises comes out."""
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
