"""Programs of users pass strict type checks without a plugin for zope.interface."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from .paths import TESTS


@skipIf(find_spec("mypy") is None, "needs mypy")
class UserProgramTest(SynchronousTestCase):
    """``user_program.py`` under mypy. The project's own run checks it with the plugin."""

    def test_without_plugin(self) -> None:
        """Filters, codecs, framings, handshakes and observers of users fit the public signatures."""
        command = [sys.executable, "-m", "mypy", "--strict", f"--config-file={os.devnull}", f"--cache-dir={os.devnull}"]
        done = subprocess.run([*command, TESTS / "user_program.py"], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
