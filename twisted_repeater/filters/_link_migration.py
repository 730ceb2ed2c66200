"""Lets the filters of a link take over from those before them, when a pair of filters is replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from inspect import ismethod

from .._types import Filters
from ._migration import Around, call_migrate, matched_by_name
from .chain import Chain

__all__ = ["hand_over_link"]


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
        members, earlier = list(_members(taking)), list(_members(leaving))
        alone = len(members) == len(earlier) == 1  # then the names do not matter
        for member, before in zip(members, earlier, strict=True) if alone else matched_by_name(members, earlier):
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
        if isinstance(provider, Around) or getattr(type(provider), "has_inner", False):
            yield from _members(provider.inner)  # type: ignore[attr-defined]


def _owner(provider: object) -> object:
    """Return the object that a filter is a method of; else the filter."""
    return provider.__self__ if ismethod(provider) else provider
