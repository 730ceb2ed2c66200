"""How a recording is begun."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tests.recording.test_recorder import RecorderCase as _RecorderCase
from tests.recording.watched import watched
from twisted_repeater.recording import RecordingError, open_recording


class ArgumentTests(_RecorderCase):
    """Arguments of `record`."""

    def test_wrong(self) -> None:
        """A number that is too small is refused, before there is a file."""
        for options, text in (
            ({"max_size": 1000}, "max_size must be at least 1048576, not 1000"),
            ({"keep": -1}, "keep must be at least 0, not -1"),
            ({"max_waiting": 0}, "max_waiting must be at least 1, not 0"),
            ({"when_slow": "cry"}, "when_slow must be 'leave-out' or 'wait', not 'cry'"),
        ):
            error = self.assertRaises(ValueError, self.start, **options)
            self.assertEqual(str(error), text)

    def test_sqlite_fails(self) -> None:
        """What SQLite says against the file is a `RecordingError`."""

        def fail(*arguments: object, **options: object) -> None:
            raise sqlite3.OperationalError("no")

        self.patch(sqlite3, "connect", fail)
        error = self.assertRaises(RecordingError, self.start)
        self.assertIn("cannot be recorded into: no", str(error))


class PlaceTests(_RecorderCase):
    """Where the file is."""

    def test_a_link(self) -> None:
        """A symbolic link is followed: the older files are beside the file, and the link stays."""
        os.mkdir(self.path)
        target, link = os.path.join(self.path, "real.db"), f"{self.path}.link"
        Path(target).touch()
        os.symlink(os.path.abspath(target), link)
        self.path = link
        self.start()
        self.recorder.message_watched(watched(1))
        self.stopped()
        self.assertEqual(self.recorder.path, os.path.realpath(target))
        self.assertTrue(os.path.islink(link))
        with open_recording(target) as recording:
            self.assertEqual(recording.count, 1)

    def test_a_link_to_nothing(self) -> None:
        """No file is made where a symbolic link, perhaps a stranger's, says."""
        os.symlink(os.path.abspath(f"{self.path}.target"), self.path)
        error = self.assertRaises(RecordingError, self.start)
        self.assertIn("not a link to nothing", str(error))
        self.assertFalse(os.path.exists(f"{self.path}.target"))
