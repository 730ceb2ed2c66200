"""Modules that are loaded: their files, the state of these files, and how Python is made to load them again."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

__all__ = ["Removed", "Stamp", "file_of", "home_of", "stamp", "stamps"]

Stamp = bytes | tuple[int, int] | None

LARGE = 1 << 20
"""The contents of larger files are not read: they count as changed when their size or their time has changed."""


class Removed:
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


def file_of(module: ModuleType) -> str:
    """Return the file of a module, "" if it has no file; for a package without a file, its missing ``__init__.py``.

    ``getattr`` would load a module that loads lazily.
    """
    attributes = getattr(module, "__dict__", {})
    if attributes.get("__file__") is None and "__path__" in attributes:
        with suppress(KeyError, StopIteration):  # its parent package is gone, or it has no directory
            return str(Path(next(iter(attributes["__path__"])), "__init__.py"))
    return str(attributes.get("__file__") or "")


def home_of(name: str, module: ModuleType) -> Path | None:
    """Return the directory of the top-level package that a module is in, or of the module itself."""
    path = Path(file_of(module))
    above = name.count(".") + (path.stem == "__init__")
    return path.parents[above] if path.is_absolute() and above < len(path.parents) else None


def _remove_bytecode(module: ModuleType) -> None:
    """Make Python read the source: it would use old bytecode if the source has the same size and second."""
    with suppress(OSError, NotImplementedError):
        os.remove(importlib.util.cache_from_source(file_of(module)))


def stamps(files: Iterable[str]) -> dict[str, Stamp]:
    """Return the stamp of each file."""
    return {file: stamp(file) for file in files}


def stamp(file: str) -> Stamp:
    """Return a value that changes when the content of a file does, ``None`` if it cannot be read."""
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGE:
            return (status.st_mtime_ns, status.st_size)
        return hashlib.sha256(Path(file).read_bytes()).digest()
    except (OSError, ValueError):  # ValueError: no file can have this name
        return None
