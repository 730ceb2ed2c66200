"""The tables of a recording, as people see them who use another program."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.recordings import write_recording
from twisted_repeater import Direction
from twisted_repeater.recording import Origin, RecordedMessage, RecordingError
from twisted_repeater.recording.schema import check, has_id


class ViewTests(SynchronousTestCase):
    """The view `traffic`."""

    def test_traffic(self) -> None:
        """Numbers have names, times can be read, and no bytes reach the terminal that it would obey."""
        path = Path(self.mktemp())
        message = RecordedMessage(
            id=1,
            link=3,
            time=1_700_000_000_250_000,
            direction=Direction.TO_CLIENT,
            origin=Origin.OWN,
            forward=b"PING\r\n\x1b[2J",
        )
        write_recording(path, [message])
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            row = dict(connection.execute("SELECT * FROM traffic").fetchone())
        self.assertRegex(row.pop("time"), r"2023-11-1[345] \d\d:\d\d:20\.250$")
        self.assertEqual(
            row,
            {
                "id": 1,
                "client": "client-3",
                "direction": "to client",
                "origin": "own",
                "number": 0,
                "verdict": None,
                "size": 0,
                "frame": None,
                "forward": "PING\\r\\n\\x1b[2J",
                "back": None,
                "hex": "",
            },
        )

    def test_check(self) -> None:
        """A database that is not a recording is refused, and so is a file that is not a database."""
        with closing(sqlite3.connect(":memory:")) as connection:
            error = self.assertRaises(RecordingError, check, connection, "x")
            self.assertIn("it is empty", str(error))
            connection.execute("CREATE TABLE t (x)")
            self.assertRaises(RecordingError, check, connection, "x")
            connection.execute("PRAGMA application_id = 1953654115")
            check(connection, "x")
            connection.execute("PRAGMA user_version = 9")
            self.assertRaises(RecordingError, check, connection, "x")
        path = Path(self.mktemp())
        path.write_bytes(b"no database" * 100)
        with closing(sqlite3.connect(path)) as connection:
            self.assertRaises(RecordingError, check, connection, "x")

    def test_has_id(self) -> None:
        """A damaged recording is known by its header."""
        path = self.mktemp()
        write_recording(path)
        self.assertTrue(has_id(path))
        Path(path).write_bytes(b"no database" * 100)
        self.assertFalse(has_id(path))
