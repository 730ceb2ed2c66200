"""Modules that a test writes, imports and changes."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

__all__ = ["ModuleCase", "missing"]


def missing(case: SynchronousTestCase, name: str) -> None:
    """Make a module look as if it were not installed, until the end of the test."""
    modules: dict[str, Any] = sys.modules
    if name in modules:
        case.addCleanup(modules.__setitem__, name, modules[name])
    else:
        case.addCleanup(modules.pop, name)
    modules[name] = None


class ModuleCase(SynchronousTestCase):
    """A test case with a directory that modules are imported from, which are forgotten with the test."""

    def setUp(self) -> None:
        """Make the directory."""
        self.directory = Path(tempfile.mkdtemp(prefix="modules-"))
        self.packages: set[str] = set()
        self.addCleanup(shutil.rmtree, self.directory)
        self.addCleanup(self.forget, frozenset(sys.modules), list(sys.path))
        sys.path.insert(0, str(self.directory))

    def forget(self, modules: frozenset[str], path: list[str]) -> None:
        """Forget the modules that were imported from the directory, also packages, which may have no file."""
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = str(getattr(sys.modules[name], "__file__", ""))
            if file.startswith(str(self.directory)) or name.partition(".")[0] in self.packages:
                del sys.modules[name]

    def write(self, name: str, text: str) -> Path:
        """Write a file, with the directories it needs."""
        path = self.directory / name
        if "/" in name:
            self.packages.add(name.partition("/")[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        return path
