"""Lets filters take over the state of those before them, when they are loaded again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from inspect import isawaitable, iscoroutine

from .._types import Filter
from ._provider import name_of


class Around:
    """A filter around another one. Each of the two takes over from its own kind."""

    inner: Filter | None
    """The other one."""


def hand_over(new: object, old: object, module: str | None = None) -> None:
    """Let a filter take over from the one before it, if it has a way to.

    That is its method ``migrate`` (see `IMigrating`), or a function ``migrate`` in a module.

    Args:
        new: the filter that takes over.
        old: the filter before it.
        module: the name of the module to look in first; the next one is the module that the filter was written in.

    Raises:
        TypeError: ``migrate`` was not done when it returned.
    """
    migrate = getattr(new, "migrate", None) or _beside(module) or _beside(getattr(new, "__module__", None))
    if migrate is not None:
        call_migrate(migrate, new, old)


def call_migrate(migrate: Callable[[object], object], new: object, old: object) -> None:
    """Call ``migrate``; raise ``TypeError`` if it was not done when it returned."""
    result = migrate(old)
    if isawaitable(result):
        if iscoroutine(result):
            result.close()
        kind = type(result).__name__
        raise TypeError(f"migrate must be done when it returns, for {name_of(new)} it returned a {kind}")


def hand_over_by_name(new: Iterable[object], old: Iterable[object]) -> None:
    """Let filters take over from several: the first of a name from the first of that name, and so on."""
    for member, before in matched_by_name(new, old):
        hand_over(member, before)


def matched_by_name(new: Iterable[object], old: Iterable[object]) -> Iterator[tuple[object, object]]:
    """Return which filter takes over from which, by their names."""
    left = list(old)
    for member in new:
        for index, other in enumerate(left):
            if name_of(other) == name_of(member):
                yield member, left.pop(index)
                break


def _beside(module: str | None) -> Callable[[object], object] | None:
    """Return the function ``migrate`` of a module."""
    found = getattr(sys.modules.get(module or ""), "migrate", None)
    return found if callable(found) else None
