"""How many examples hypothesis draws for a test."""

from __future__ import annotations

import sys

__all__ = ["examples"]


def examples(count: int) -> int:
    """Return how many of so many examples to draw: all under pytest, a part where trial or coverage.py repeats it."""
    return count // 5 if sys.modules.keys() & {"twisted.trial.runner", "coverage"} else count
