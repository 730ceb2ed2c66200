"""Recordings are read whole, while they grow, and as far as they are whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.recordings import write_recording
from twisted_repeater.model import Direction
from twisted_repeater.recording import (
    Origin,
    RecordedGap,
    RecordedLink,
    RecordedMessage,
    RecordingError,
    open_recording,
    reader,
)
from twisted_repeater.recording.schema import PAGE_SIZE

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT


def message(number: int, frame: bytes = b"frame", link: int = 1) -> RecordedMessage:
    return RecordedMessage(id=number, link=link, time=number, direction=TO_SERVER, number=number, frame=frame)


class ReaderTests(SynchronousTestCase):
    """One file for each test."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_everything_comes_back(self) -> None:
        """Links, messages, gaps and facts are read as they were written."""
        whole = RecordedMessage(
            id=1,
            link=7,
            time=1_700_000_000_000_000,
            direction=TO_CLIENT,
            origin=Origin.OWN,
            number=3,
            frame=b"a",
            passed=True,
            forward=b"b",
            back=b"c",
            verdict="Mixed",
            by_filter=True,
            took=12,
        )
        link = RecordedLink(
            id=7,
            link=70,
            client_name="ann",
            client_address="127.0.0.1:1",
            server_name="s",
            server_address="127.0.0.1:2",
            made=1,
            ended=2,
            reason="Disconnected: gone",
            details={"user": "ann"},
        )
        refused = RecordedLink(id=8, link=71, ended=3, refused="NotAllowed")
        gap = RecordedGap(after=1, began=5, ended=6, left_out=7, reason="the disk is full")
        write_recording(self.path, [whole], links=[link, refused], gaps=[gap], facts={"dialect": "redis"})
        with open_recording(self.path) as recording:
            self.assertEqual(list(recording.messages()), [whole])
            self.assertEqual(list(recording.links()), [link, refused])
            self.assertEqual(recording.gaps(), [gap])
            self.assertEqual(recording.facts, {"dialect": "redis"})
            self.assertEqual(recording.count, 1)
            self.assertFalse(recording.damaged)

    def test_some_messages(self) -> None:
        """You can ask for the messages after one, and for those of one link."""
        write_recording(self.path, [message(1), message(2, link=2), message(3)])
        with open_recording(self.path) as recording:
            self.assertEqual([each.id for each in recording.messages(after=1)], [2, 3])
            self.assertEqual([each.id for each in recording.messages(link=1)], [1, 3])
            self.assertEqual([each.id for each in recording.links(after=1)], [2])

    def test_the_messages_of_one_link(self) -> None:
        """Only the part of the file is read in which the messages of a link are."""
        write_recording(self.path, [message(1), message(2, link=2), message(3), message(4)])
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("UPDATE links SET first_message = 2, last_message = 3 WHERE id = 1")
        with open_recording(self.path) as recording:
            self.assertEqual([each.id for each in recording.messages(link=1)], [3])
            self.assertEqual([each.id for each in recording.messages(link=3)], [])

    def test_in_several_transactions(self) -> None:
        """A few rows, or a few bytes, are read at a time, and none is missing."""
        write_recording(self.path, [message(number) for number in range(1, 12)])
        self.patch(reader, "ROWS", 4)
        with open_recording(self.path) as recording:
            self.assertEqual([each.id for each in recording.messages()], list(range(1, 12)))
            self.patch(reader, "BYTES", 7)
            self.assertEqual([each.id for each in recording.messages()], list(range(1, 12)))

    def test_while_it_grows(self) -> None:
        """An iterator that is not at its end sees later messages, and holds no transaction of the file meanwhile."""
        write_recording(self.path, [message(1)])
        with open_recording(self.path) as recording:
            messages = recording.messages()
            next(messages)
            write_recording(self.path, [message(2)])
            with closing(sqlite3.connect(self.path)) as other:
                self.assertEqual(other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0], 0)
            self.assertEqual([each.id for each in messages], [2])

    def test_empty(self) -> None:
        """A recording without messages has none."""
        write_recording(self.path)
        with open_recording(self.path) as recording:
            self.assertEqual((list(recording.messages()), recording.count), ([], 0))

    def test_not_a_recording(self) -> None:
        """A file of another kind, another database, and a newer recording are refused; a missing file is an OSError."""
        self.assertRaises(FileNotFoundError, open_recording, self.path)
        self.path.write_bytes(b"no database" * 100)
        error = self.assertRaises(RecordingError, open_recording, self.path)
        self.assertIn("must be a recording, but SQLite says", str(error))
        self.path.unlink()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE t (x)")
        error = self.assertRaises(RecordingError, open_recording, self.path)
        self.assertEqual(str(error), f"{self.path} must be a recording, not another file")
        self.path.unlink()
        write_recording(self.path)
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA user_version = 2")
        error = self.assertRaises(RecordingError, open_recording, self.path)
        self.assertIn("must be at most 1, not 2", str(error))

    def test_a_killed_recorder(self) -> None:
        """What a killed recorder has left half done is undone, and all that was there before can be read."""
        write_recording(self.path, [message(1)])
        copy = f"{self.path}.copy"
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA cache_size = 1")
            connection.execute("BEGIN")
            connection.execute("UPDATE messages SET frame = zeroblob(1000000)")
            for suffix in ("", "-journal"):
                shutil.copy(f"{self.path}{suffix}", f"{copy}{suffix}")
        with open_recording(copy) as recording:
            self.assertEqual([message.frame for message in recording.messages()], [b"frame"])

    def test_a_locked_file(self) -> None:
        """An error that is not damage is raised."""
        write_recording(self.path, [message(1)])
        with open_recording(self.path) as recording:
            recording.close()
            self.assertRaises(sqlite3.ProgrammingError, list, recording.messages())
        with open_recording(self.path) as recording:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            self.assertIs(self.assertRaises(sqlite3.OperationalError, recording._note, error), error)

    def test_odd_values(self) -> None:
        """Text that is not UTF-8, and details that are not a JSON object, do not stop the reader."""
        write_recording(self.path, [message(1)])
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("UPDATE links SET client_name = CAST(x'61ff' AS TEXT), details = '{'")
            connection.execute("INSERT INTO links (id, link, details) VALUES (2, 2, '[]')")
            connection.execute("UPDATE messages SET forward = NULL")
        with open_recording(self.path) as recording:
            links = list(recording.links())
            self.assertEqual([each.forward for each in recording.messages()], [b""])
        self.assertEqual(links[0].client_name, "a\\xff")
        self.assertEqual([link.details for link in links], [{}, {}])


class DamagedTests(SynchronousTestCase):
    """Files that a disk has damaged."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        write_recording(self.path, [message(number, b"%200d" % number) for number in range(1, 501)])
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")

    def numbers(self) -> list[int]:
        with open_recording(self.path) as recording:
            numbers = [each.id for each in recording.messages()]
            self.assertTrue(recording.damaged)
            return numbers

    def test_pages_in_the_middle(self) -> None:
        """The messages before and after a damaged page are read."""
        data = bytearray(self.path.read_bytes())
        for place in [data.index(b"%200d" % number) // PAGE_SIZE * PAGE_SIZE for number in (200, 201, 300)]:
            data[place : place + PAGE_SIZE] = b"\xff" * PAGE_SIZE
        self.path.write_bytes(data)
        numbers = self.numbers()
        self.assertEqual((numbers[0], numbers[-1], numbers == sorted(numbers)), (1, 500, True))
        self.assertGreater(len(numbers), 300)
        self.assertNotIn(200, numbers)
        self.assertNotIn(300, numbers)

    def test_a_strange_row(self) -> None:
        """A row whose values have other types is left out."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("UPDATE messages SET frame = 'text' WHERE id = 7")
            connection.execute("UPDATE messages SET direction = NULL WHERE id = 8")
            connection.execute("UPDATE messages SET forward = NULL, back = 5 WHERE id = 9")
        self.assertEqual(self.numbers(), [number for number in range(1, 501) if number not in (7, 8, 9)])

    def test_the_end_is_missing(self) -> None:
        """A file that was cut is read up to the cut."""
        size = self.path.stat().st_size
        os.truncate(self.path, size * 2 // 3)
        numbers = self.numbers()
        self.assertEqual(numbers[:72], list(range(1, 73)))
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_a_root_is_missing(self) -> None:
        """A table that cannot be read has no rows."""
        os.truncate(self.path, PAGE_SIZE)
        self.assertEqual(self.numbers(), [])
        with open_recording(self.path) as recording:
            self.assertEqual((recording.facts, recording.gaps(), recording.count), ({}, [], 0))


class NoRoomForFilesTests(SynchronousTestCase):
    """Directories in which SQLite cannot make the files that it needs beside a database in WAL mode."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        write_recording(self.path, [message(1)])
        self.opened: list[str] = []
        self.patch(reader, "_connect", self.connect)

    def connect(self, path: Path, how: str) -> sqlite3.Connection:
        self.opened.append(how)
        if how == "mode=ro":
            return sqlite3.connect("file:/nowhere/at/all?mode=ro", uri=True, factory=Unopened)
        return sqlite3.connect(f"file:{path}?{how}", uri=True, isolation_level=None)

    def test_an_ended_recording(self) -> None:
        """A recording that nobody writes is read as it is."""
        with open_recording(self.path) as recording:
            self.assertEqual(recording.count, 1)
        self.assertEqual(self.opened, ["mode=ro", "immutable=1"])

    def test_messages_in_the_wal(self) -> None:
        """A recording whose last messages are in another file is refused, with a reason."""
        Path(f"{self.path}-wal").write_bytes(b"x")
        error = self.assertRaises(RecordingError, open_recording, self.path)
        self.assertIn("you must be allowed to write into its directory", str(error))


class RowsTests(SynchronousTestCase):
    """What a damaged page may say."""

    def test_numbers_that_go_back(self) -> None:
        """Rows after a number that does not increase are left out."""
        with closing(sqlite3.connect(":memory:")) as connection:
            recording = reader.Recording(connection)
            query = "SELECT * FROM (VALUES (1), (3), (3), (4)) WHERE column1 > ? LIMIT ?"
            self.assertEqual(recording._page(query, 0), ([(1,), (3,)], False))
            self.assertTrue(recording.damaged)

    def test_another_error(self) -> None:
        """A database that says anything else when it is opened is used all the same; the next use tells."""
        self.patch(Unopened, "code", sqlite3.SQLITE_BUSY)
        connection = Unopened()
        self.assertIs(reader._readable(connection, "x"), connection)
        connection.close()


class Unopened(sqlite3.Connection):
    """A connection to a file that cannot be opened, which SQLite says only when it is used."""

    code = sqlite3.SQLITE_CANTOPEN

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(":memory:")

    def execute(self, *arguments: object) -> sqlite3.Cursor:
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = self.code
        raise error
