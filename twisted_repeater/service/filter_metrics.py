"""The metrics that filters register with ``prometheus_client`` while their modules are loaded.

A registry refuses a second metric of the same name. So before a module is reloaded, its metrics are removed from the
registry; if the old module stays, they are restored. Nothing here imports ``prometheus_client``: if no module has
imported it, there is nothing to undo.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from twisted.logger import Logger

__all__ = ["of_filters", "register", "registered", "unregister"]

log: Logger = Logger()


def _registry() -> Any:
    """Return the default registry, or ``None`` if no module has imported it yet."""
    return getattr(sys.modules.get("prometheus_client"), "REGISTRY", None)


def registered() -> list[object]:
    """Return the collectors in the default registry, in the order in which they were registered.

    A registry has no public way to list them: ``collect()`` returns samples. To wrap ``register`` instead would need an
    import of ``prometheus_client`` before any filter that may use it.
    """
    return list(getattr(_registry(), "_collector_to_names", ()))


def of_filters(before: Iterable[object], own: Iterable[ModuleType]) -> list[object]:
    """Return the collectors of the filters: those that were not registered before the filters were loaded.

    A collector that another module has among its names, or as an attribute of a class, belongs to that module. A filter
    may have imported that module, but it is not reloaded with the filter, so it would not register the collector again.
    The collectors of ``prometheus_client`` itself are of this kind.
    """
    known = set(map(id, before))
    new = [collector for collector in registered() if id(collector) not in known]
    if new:
        ours = set(map(id, own))
        held = _held_by(module for module in list(sys.modules.values()) if id(module) not in ours)
        new = [collector for collector in new if id(collector) not in held]
    return new


def _held_by(modules: Iterable[object]) -> set[int]:
    """Return the identities of all attributes of these modules and of their classes, without running their code."""
    held: set[int] = set()
    for module in modules:
        if issubclass(type(module), ModuleType):  # sys.modules may hold other objects
            for value in list(object.__getattribute__(module, "__dict__").values()):
                held.add(id(value))
                if isinstance(value, type):
                    held.update(map(id, vars(value).values()))
    return held


def unregister(collectors: Iterable[object]) -> None:
    """Remove collectors from the registry."""
    there = set(map(id, registered()))
    for collector in collectors:
        if id(collector) in there:  # a filter may have removed it itself
            _registry().unregister(collector)


def register(collectors: Iterable[object]) -> None:
    """Restore collectors that are no longer in the registry."""
    there = set(map(id, registered()))
    for collector in collectors:
        if id(collector) not in there:
            try:
                _registry().register(collector)
            except Exception:  # a module that stays has registered a metric of that name, or `describe` raises
                log.failure("a metric of the filters is missing from now on: {collector!r}", collector=collector)
