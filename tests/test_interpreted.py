"""Running from the sources although compiled modules lie beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from .paths import INTERPRETED


class InterpretedTests(SynchronousTestCase):
    """`tests/interpreted` on ``PYTHONPATH``."""

    def setUp(self) -> None:
        """Make a package of the project's name whose modules have both a source and an extension, a broken one."""
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        package = self.directory / "twisted_repeater"
        for folder in (package, package / "inner"):
            folder.mkdir(parents=True)
            (folder / "__init__.py").touch()
            (folder / "both.py").write_text("origin = 'source'")
            (folder / f"both{EXTENSION_SUFFIXES[0]}").write_bytes(b"no shared object")

    def run_python(self, program: str, *path: Path) -> subprocess.CompletedProcess[str]:
        """Run a program with these directories on ``PYTHONPATH``."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=environment, cwd=self.directory, capture_output=True, text=True, check=False)

    def test_source_wins(self) -> None:
        """The source is imported, not the extension beside it, in the package and in packages within."""
        for module in ("twisted_repeater.both", "twisted_repeater.inner.both"):
            program = f"import {module} as module; print(module.origin)"
            done = self.run_python(program, INTERPRETED, self.directory)
            self.assertEqual((done.stdout.strip(), done.stderr), ("source", ""))

    def test_extension_wins_without_it(self) -> None:
        """Without the directory Python takes the extension, so the test above shows something."""
        done = self.run_python("import twisted_repeater.both", self.directory)
        self.assertIn("ImportError", done.stderr)

    def test_others_are_left_alone(self) -> None:
        """A module that isn't there stays missing, and other packages are none of its business."""
        program = "import json.decoder; import twisted_repeater.absent"
        done = self.run_python(program, INTERPRETED, self.directory)
        self.assertIn("No module named 'twisted_repeater.absent'", done.stderr)
