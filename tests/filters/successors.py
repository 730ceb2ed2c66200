"""Filters that remember which filter they replaced."""

from __future__ import annotations

from typing import Any

from twisted_repeater import PASS_ON, Verdict

__all__ = ["Also", "Kept"]


class Kept:
    """A filter that remembers the one that it took over from."""

    def __init__(self) -> None:
        self.before: Any = None

    def __call__(self, message: Any, link: Any) -> Verdict:
        return PASS_ON

    def migrate(self, old: Any) -> None:
        """Take over."""
        self.before = old


class Also(Kept):
    """Another, by its name."""
