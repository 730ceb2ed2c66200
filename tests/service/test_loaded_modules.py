"""Modules that are loaded, their files, and how they are restored; more is in ``test_filter_modules.py``."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted_repeater.service import loaded_modules
from twisted_repeater.service.loaded_modules import Removed, file_of, home_of, stamp, stamps

from ..modules import ModuleCase


class StampTests(ModuleCase):
    """What tells that a file has changed."""

    def test_content(self) -> None:
        """Only other content changes the stamp, not another time."""
        path = self.write("rules.py", "a")
        before = stamp(str(path))
        os.utime(path, (1, 1))
        self.assertEqual(stamps([str(path)]), {str(path): before})
        path.write_text("b")
        self.assertNotEqual(stamp(str(path)), before)

    def test_link(self) -> None:
        """A link that leads to another file changes the stamp: so mounted files are replaced."""
        one, two = self.write("one", "1"), self.write("two", "2")
        link = self.directory / "link"
        link.symlink_to(one)
        before = stamp(str(link))
        link.unlink()
        link.symlink_to(two)
        self.assertNotEqual(stamp(str(link)), before)

    def test_others(self) -> None:
        """A large file and a directory are known by time and size; what cannot be read has no stamp."""
        self.patch(loaded_modules, "LARGE", 3)
        self.assertIsInstance(stamp(str(self.write("large", "1234"))), tuple)
        self.assertIsInstance(stamp(str(self.directory)), tuple)
        self.assertEqual(stamps(["/nowhere", "\0"]), {"/nowhere": None, "\0": None})


class FileTests(ModuleCase):
    """The files of modules."""

    def test_files(self) -> None:
        """A module has its file, a package without a file its missing one, and others none."""
        self.write("desk/inner/limits.py", "")
        limits = importlib.import_module("desk.inner.limits")
        self.assertEqual(file_of(limits), str(self.directory / "desk/inner/limits.py"))
        self.assertEqual(file_of(sys.modules["desk"]), str(self.directory / "desk/__init__.py"))
        self.assertEqual(file_of(sys), "")
        odd = ModuleType("odd")
        odd.__path__ = []
        self.assertEqual(file_of(odd), "")
        self.assertEqual(home_of("desk.inner.limits", limits), self.directory)
        self.assertEqual(home_of("desk", sys.modules["desk"]), self.directory)
        self.assertIs(home_of("sys", sys), None)


class RemovedTests(ModuleCase):
    """`Removed`."""

    def test_removed_and_restored(self) -> None:
        """A removed module is loaded again, also through its package; restored, the old one is there."""
        self.write("desk/__init__.py", "")
        self.write("desk/limits.py", "limit = 1\n")
        old = importlib.import_module("desk.limits")
        desk: Any = sys.modules["desk"]
        removed = Removed({"desk.limits": old})
        self.assertNotIn("desk.limits", removed.present)
        self.assertFalse(hasattr(desk, "limits"))
        self.write("desk/limits.py", "limit = 2\n")
        self.assertEqual(importlib.import_module("desk.limits").limit, 2)
        removed.restore(["desk.limits"])
        self.assertEqual((sys.modules["desk.limits"], desk.limits), (old, old))
        self.assertFalse(Path(str(old.__cached__)).exists() and old.limit != 1)
