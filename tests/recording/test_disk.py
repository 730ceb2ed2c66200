"""What is known about the disk below a recording."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.recording import RecordingError, disk


class DiskTests(SynchronousTestCase):
    """A list of mounted file systems in place of the system's."""

    def mount(self, *lines: str) -> None:
        path = Path(self.mktemp())
        path.write_text("".join(f"source {line} rw 0 0\n" for line in lines))
        self.patch(disk, "MOUNTS", str(path))

    def test_network(self) -> None:
        """A file on a network file system is refused, whatever is mounted above it or later."""
        here = os.path.realpath(".").replace(" ", "\\040")
        self.mount("/ ext4", f"{here} nfs4", "/proc proc")
        error = self.assertRaises(RecordingError, disk.check_kind, "traffic.db")
        self.assertIn("must be on a disk of this machine, not on a file system of the kind nfs4", str(error))
        self.mount("/ nfs4", f"{here} nfs4", f"{here} ext4")
        disk.check_kind("traffic.db")

    def test_odd_names(self) -> None:
        """Mount points with spaces are found, and a system that tells nothing is trusted."""
        place = Path(self.mktemp()) / "a b"
        place.mkdir(parents=True)
        self.mount("/ ext4", f"{os.path.realpath(place)} cifs".replace("a b", "a\\040b"))
        self.assertRaises(RecordingError, disk.check_kind, str(place / "traffic.db"))
        self.patch(disk, "MOUNTS", "/nowhere")
        disk.check_kind(str(place / "traffic.db"))

    def test_room(self) -> None:
        """A disk has room as long as a part of it is left to others."""
        size = 16 * 1024 * 1024
        for blocks, free, times, expected in (
            (1000 * size, size, 1, True),
            (1000 * size, size, 2, False),
            (1000 * size, size - 1, 1, False),
            (size, size // 10, 1, True),
            (size, size // 10 - 1, 1, False),
        ):
            found = SimpleNamespace(f_blocks=blocks, f_frsize=1, f_bavail=free)
            self.patch(os, "statvfs", lambda path, found=found: found)
            self.assertIs(disk.has_room("traffic.db", times=times), expected)
