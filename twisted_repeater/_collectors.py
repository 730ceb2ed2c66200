"""The metrics that modules of filters register with ``prometheus_client`` while they are loaded.

A registry refuses a second metric of one name. So before a module is loaded again, what it registered has to go; and
if the old module stays after all, it has to come back. Nothing here imports ``prometheus_client``: where no module has,
there is nothing to undo.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from twisted.logger import Logger

__all__ = ["of_filters", "register", "registered", "unregister"]

log = Logger()


def _registry() -> Any:
    """Return the default registry, or ``None`` as long as it is not loaded."""
    return getattr(sys.modules.get("prometheus_client"), "REGISTRY", None)


def registered() -> list[Any]:
    """Return the collectors in the default registry, in the order in which they were registered.

    A registry has no public way to list them: ``collect()`` gives what they count, not the collectors. To watch
    ``register`` instead would mean to import ``prometheus_client`` before any filter that may need it.
    """
    return list(getattr(_registry(), "_collector_to_names", ()))


def of_filters(before: Iterable[Any], own: Iterable[ModuleType]) -> list[Any]:
    """Return the collectors that belong to the filters: those that were not there before they were loaded.

    A collector that another module has among its names, or as an attribute of a class, belongs to that module: it may
    have been imported by a filter, but it is not loaded again with it, and would not register again. So do the
    collectors of ``prometheus_client`` itself.
    """
    known = set(map(id, before))
    new = [collector for collector in registered() if id(collector) not in known]
    if new:
        ours = set(map(id, own))
        held = _held_by(module for module in list(sys.modules.values()) if id(module) not in ours)
        new = [collector for collector in new if id(collector) not in held]
    return new


def _held_by(modules: Iterable[Any]) -> set[int]:
    """Return the identities of what these modules, and the classes in them, have as attributes.

    Their namespaces are read in a way that runs no code of a module, which may load lazily.
    """
    held: set[int] = set()
    for module in modules:
        if issubclass(type(module), ModuleType):  # what sys.modules has need not be a module
            for value in list(object.__getattribute__(module, "__dict__").values()):
                held.add(id(value))
                if isinstance(value, type):
                    held.update(map(id, vars(value).values()))
    return held


def unregister(collectors: Iterable[Any]) -> None:
    """Take collectors out of the registry."""
    there = set(map(id, registered()))
    for collector in collectors:
        if id(collector) in there:  # else the filter has done so itself
            _registry().unregister(collector)


def register(collectors: Iterable[Any]) -> None:
    """Put collectors back into the registry, where they are no longer in it."""
    there = set(map(id, registered()))
    for collector in collectors:
        if id(collector) not in there:
            try:
                _registry().register(collector)
            except Exception:  # a module that stays has registered a metric of that name, or `describe` raises
                log.failure("a metric of the filters is missing from now on: {collector!r}", collector=collector)
