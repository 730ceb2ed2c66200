"""The units for systemd that the documentation has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .paths import ROOT
from .programs import LONGEST, TWISTD

UNITS = sorted((ROOT / "docs" / "deploy").iterdir())


class UnitTests(SynchronousTestCase):
    """The units."""

    def test_verified(self) -> None:
        """systemd finds nothing wrong with them."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("systemd-analyze is not installed")
        directory = Path(tempfile.mkdtemp(prefix="units-"))
        self.addCleanup(shutil.rmtree, directory)
        for unit in UNITS:
            text = unit.read_text().replace("/opt/twisted-repeater/bin/twistd", TWISTD)
            (directory / unit.name.replace("@", "@edge")).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(directory.iterdir()))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        ours = [line for line in done.stderr.splitlines() if "twisted-repeater" in line]
        self.assertEqual((done.returncode, ours), (0, []), done.stderr)

    def test_options(self) -> None:
        """They run the repeater as the reference says: in the foreground, with notices, and with a named socket."""
        service, socket = (unit.read_text() for unit in UNITS)
        for text in ("Type=notify\n", "WatchdogSec=", "ExecReload=/bin/kill -HUP $MAINPID\n", "--nodaemon --pidfile= "):
            self.assertIn(text, service)
        self.assertIn("FileDescriptorName=%i\n", socket)
