"""Lets filters take over the state of those before them, when they are loaded anew."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from inspect import isawaitable, iscoroutine
from typing import Any

from ._provider import name_of

__all__ = ["hand_over", "hand_over_by_name"]


def hand_over(new: Any, old: Any, module: str | None = None) -> None:
    """Let a filter take over from the one before it, if it has a way to.

    That is its method ``migrate``, or a function ``migrate`` in a module: the one of this name, or else the one that
    the filter was written in. It is called with the old filter, and must be done when it returns.
    """
    migrate = getattr(new, "migrate", None) or _beside(module) or _beside(getattr(new, "__module__", None))
    if migrate is None:
        return
    result = migrate(old)
    if isawaitable(result):
        if iscoroutine(result):
            result.close()
        raise TypeError(f"migrate must be done when it returns, for {name_of(new)} it gave a {type(result).__name__}")


def hand_over_by_name(new: Iterable[Any], old: Iterable[Any]) -> None:
    """Let filters take over from several: the first of a name from the first of that name, and so on."""
    left = list(old)
    for member in new:
        for index, other in enumerate(left):
            if name_of(other) == name_of(member):
                hand_over(member, left.pop(index))
                break


def _beside(module: str | None) -> Callable[[Any], Any] | None:
    """Return the function ``migrate`` of a module."""
    found = getattr(sys.modules.get(module or ""), "migrate", None)
    return found if callable(found) else None
