"""The modules of filters, which can be reloaded while their filters run.

Reloaded together are the modules that belong to the filters: those in the top-level packages of the filters, and those
in the same directory as these packages (or as a filter's module, if it is in no package), except where installed
packages are. A module that was loaded before the filters stays, above all those of the dialect: the messages on the
links are of its types, which a new filter would not know as its own.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from .._sockets.descriptors import OUT_OF
from .._text import text_of
from ..filters import chain
from ..filters._migration import hand_over
from ..model import Direction
from . import filter_metrics
from .loading import LoadingError, load_filter, load_filter_pair, module_of, trying

__all__ = ["FilterModules"]

INSTALLED = {
    Path(path) for path in (*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages())
}
"""Where installed packages and Python's own modules are: what lies there beside a filter does not belong to it."""

OURS = {"twisted_repeater", "twisted"}

PASSING = OUT_OF | {errno.EAGAIN}
"""Errors of a system that lacks descriptors or memory for a moment. The files are not to blame for them."""

DIRECTIONS = {"to_server_filter": Direction.TO_SERVER, "to_client_filter": Direction.TO_CLIENT}

Stamp = tuple[int, int] | None


class FilterModules:
    """Loads filters, and reloads them with their modules. A module that was loaded before is never reloaded.

    Args:
        names: the descriptions of the filters of one direction, by ``to_server_filter`` or ``to_client_filter``.
        pairs: the descriptions of pairs of filters. They form a chain, which is the filter named ``filters``.

    Raises:
        LoadingError: a filter cannot be loaded.
    """

    def __init__(self, names: Mapping[str, str], pairs: Sequence[str] = ()) -> None:
        self.names: Mapping[str, str] = names
        self.pairs: Sequence[str] = pairs
        self._kept = frozenset(sys.modules)
        before = filter_metrics.registered()
        self.filters: dict[str, Any] = self._load()
        modules = {module for each in (*names.values(), *pairs) if (module := module_of(each)) is not None}
        self._tops = {module.partition(".")[0] for module in modules}
        self._homes = {home for module in modules if (home := _home(module, sys.modules[module]))} - INSTALLED
        self._metrics = self._new_collectors(before)
        """The metrics that the filters registered while they were loaded."""
        self.fixed: list[str] = sorted(modules & self._kept)
        """The filters' modules that cannot be reloaded, because they were loaded before the filters."""
        self.passing: bool = False
        """Whether the last attempt failed for a lack of descriptors or memory, so that `changed` asks for another."""
        self._loaded = self._seen = _stamps(self._files())

    def _own(self, present: frozenset[str] = frozenset()) -> dict[str, ModuleType]:
        """Return the loaded modules that belong to the filters, without those in ``present``.

        To find a package without a file Python reads the disk, which may fail. Such a package stays: it has no code.
        """
        own = {}
        for name in sys.modules.keys() - present:
            with suppress(OSError):
                if self._belongs(name, sys.modules[name]):
                    own[name] = sys.modules[name]
        return own

    def _new_collectors(self, before: list[object]) -> list[object]:
        """Return the metrics that the filters registered, without those in ``before``."""
        return filter_metrics.of_filters(before, self._own(self._kept).values())

    def _belongs(self, name: str, module: ModuleType) -> bool:
        top = name.partition(".")[0]
        if name in self._kept or top in OURS or not _file(module).endswith(".py"):
            return False
        return top in self._tops or _home(name, module) in self._homes

    def _files(self) -> set[str]:
        return {_file(module) for module in self._own().values()}

    def changed(self) -> bool:
        """Return whether files have changed since they were loaded, but not since the last call.

        So a file that is being written has until the next call to be complete.
        """
        for file in self._files() - self._loaded.keys():  # imported since, in a function
            self._loaded[file] = self._seen[file] = _stamp(file)
        now = _stamps(self._loaded)
        settled = now == self._seen
        self._seen = now
        return settled and now != self._loaded

    def reload(self, use: Callable[[dict[str, Any]], object] = lambda filters: None) -> dict[str, Any]:
        """Reload all modules, and return the new filters, which have taken over the state of the old ones.

        Args:
            use: called with the new filters. If it raises, the old ones stay.

        Raises:
            LoadingError: the filters cannot be reloaded; everything is as it was before.
        """
        if self.fixed:
            raise LoadingError(
                f"{', '.join(self.fixed)} cannot be reloaded: the dialect has loaded it before the filters"
            )
        own = self._own()
        stamps = _stamps(map(_file, own.values()))
        removed = _Removed(own)
        filter_metrics.unregister(self._metrics)
        before = filter_metrics.registered()
        self.passing = False
        try:
            filters = self._new_filters()
            metrics = self._new_collectors(before)
            trying("the new filters cannot be used", use, filters)
            self.filters, self._metrics = filters, metrics
        except BaseException as error:
            filter_metrics.unregister(self._new_collectors(before))
            filter_metrics.register(self._metrics)
            removed.restore(self._own(removed.present))
            self.passing = _is_passing(error)
            if not self.passing:  # otherwise the files still count as changed, and are tried again
                self._loaded = self._seen = _stamps(self._files() | _files_in(error) | self._missing(error)) | stamps
            raise
        self._loaded = self._seen = _stamps(self._files()) | stamps
        return filters

    def _load(self) -> dict[str, Any]:
        """Load the filters."""
        filters: dict[str, Any] = {key: load_filter(name, DIRECTIONS[key]) for key, name in self.names.items()}
        if self.pairs:
            filters["filters"] = trying("--filter", chain, *map(load_filter_pair, self.pairs))
        return filters

    def _new_filters(self) -> dict[str, Any]:
        """Load the filters, and let them take over."""
        filters = self._load()
        for key, name in self.names.items():
            _hand_over(name, filters[key], self.filters[key], module_of(name))
        if self.pairs:
            members = zip(filters["filters"].members, self.filters["filters"].members, strict=True)
            for description, (new, old) in zip(self.pairs, members, strict=True):
                _hand_over(description, new, old, module_of(description))
        return filters

    def _missing(self, error: BaseException) -> set[str]:
        """Return the files in which a module could be that is missing according to an error."""
        cause = error.__cause__ or error
        if not isinstance(cause, ImportError) or not cause.name or not isinstance(cause.name, str):
            return set()
        lacking = re.match(r"cannot import name '(\w+)'", text_of(cause))  # it may be a module of a package
        path = f"{cause.name}.{lacking[1]}" if lacking else cause.name
        places = [Path(home, *path.split(".")) for home in self._homes]
        return {str(file) for place in places for file in (place, place.with_suffix(".py"), place / "__init__.py")}


def _hand_over(name: str, new: object, old: object, module: str | None) -> None:
    trying(f"{name}: cannot migrate", hand_over, new, old, module)


class _Removed:
    """Modules that are removed from Python's memory, so that it loads them again, and that can be restored."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        self._attributes = [entry for name in modules if (entry := _attribute(name)) is not None]
        for parent, tail, _ in self._attributes:
            delattr(parent, tail)
        for name, module in modules.items():
            _remove_bytecode(module)
            del sys.modules[name]
        self.present: frozenset[str] = frozenset(sys.modules)
        """The names of the modules that are left."""
        importlib.invalidate_caches()

    def restore(self, instead_of: Iterable[str]) -> None:
        """Restore the modules, and remove those that were loaded since."""
        for name in instead_of:
            del sys.modules[name]
        sys.modules.update(self._modules)
        for parent, tail, module in self._attributes:
            setattr(parent, tail, module)


def _attribute(name: str) -> tuple[ModuleType, str, ModuleType] | None:
    """Return the package that has a module as an attribute, the attribute's name, and the module.

    The attribute must be removed with the module: ``from package import module`` looks there first.
    """
    package, _, tail = name.rpartition(".")
    parent, module = sys.modules.get(package), sys.modules[name]
    return (parent, tail, module) if parent is not None and vars(parent).get(tail) is module else None


def _file(module: ModuleType) -> str:
    """Return the file of a module, "" if it has no file; for a package without a file, its missing ``__init__.py``.

    ``getattr`` would load a module that loads lazily.
    """
    attributes = getattr(module, "__dict__", {})
    if attributes.get("__file__") is None and "__path__" in attributes:
        with suppress(KeyError, StopIteration):  # its parent package is gone, or it has no directory
            return str(Path(next(iter(attributes["__path__"])), "__init__.py"))
    return str(attributes.get("__file__") or "")


def _home(name: str, module: ModuleType) -> Path | None:
    """Return the directory of the top-level package that a module is in, or of the module itself."""
    path = Path(_file(module))
    above = name.count(".") + (path.stem == "__init__")
    return path.parents[above] if path.is_absolute() and above < len(path.parents) else None


def _remove_bytecode(module: ModuleType) -> None:
    """Make Python read the source: it would use old bytecode if the source has the same size and second."""
    with suppress(OSError, NotImplementedError):
        os.remove(importlib.util.cache_from_source(_file(module)))


def _stamps(files: Iterable[str]) -> dict[str, Stamp]:
    """Return a value for each file that changes when the file does."""
    return {file: _stamp(file) for file in files}


def _stamp(file: str) -> Stamp:
    try:
        status = os.stat(file)
    except (OSError, ValueError):  # ValueError: no file can have this name
        return None
    return (status.st_mtime_ns, status.st_size)


def _files_in(error: BaseException) -> set[str]:
    """Return the files that an error came from; their modules may never have been loaded."""
    cause = error.__cause__ or error
    files = {frame.filename for frame in traceback.extract_tb(cause.__traceback__)}
    if isinstance(cause, SyntaxError) and isinstance(cause.filename, str):
        files.add(cause.filename)
    return {file for file in files if os.path.exists(file)}


def _is_passing(error: BaseException) -> bool:
    """Return whether a lack of descriptors or memory caused an error."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in PASSING):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False
