"""Lets the filters of a link take over from those before them, when a pair of filters is replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from inspect import ismethod

from .._types import Filter
from ._migration import call_migrate
from ._provider import name_of
from .chain import Chain
from .in_order import InTurn

__all__ = ["Filters", "hand_over_link"]

Filters = tuple[Filter | None, Filter | None]
"""The filters of a link, to the server and to the client."""


def hand_over_link(new: Filters, old: Filters, shared: Collection[int]) -> None:
    """Let the filters of a link take over, if they have a method ``migrate``.

    In a chain each takes over from the one of its name. If both filters are methods of one object, its ``migrate`` is
    called once, with the object that the old ones are methods of.

    Args:
        new: the filters that take over.
        old: the filters before them.
        shared: the identities of filters that do not belong to this link alone; they stay as they are.
    """
    asked: set[int] = set()
    for taking, leaving in zip(new, old, strict=True):
        for member, before in _matched(list(_members(taking)), list(_members(leaving))):
            owner = _owner(member)
            migrate = getattr(owner, "migrate", None)
            if migrate is not None and id(member) not in shared and id(owner) not in asked:
                asked.add(id(owner))
                call_migrate(migrate, owner, _owner(before))


def _members(provider: object) -> Iterator[object]:
    """Return a filter, and those that it is made of."""
    if isinstance(provider, Chain):
        for member in provider.members:
            yield from _members(member)
    elif provider is not None:
        yield provider
        if isinstance(provider, InTurn):
            yield from _members(provider.inner)


def _matched(new: list[object], old: list[object]) -> Iterator[tuple[object, object]]:
    """Return which filter takes over from which."""
    if len(new) == len(old) == 1:
        yield new[0], old[0]
        return
    for member in new:
        for index, other in enumerate(old):
            if name_of(other) == name_of(member):
                yield member, old.pop(index)
                break


def _owner(provider: object) -> object:
    """Return the object that a filter is a method of; else the filter."""
    return provider.__self__ if ismethod(provider) else provider
