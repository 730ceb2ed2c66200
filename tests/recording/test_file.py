"""The file of a recording: opened, filled, ended and rotated."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.recording.watched import FakeLink, watched
from tests.recordings import write_recording
from twisted_repeater import DROP
from twisted_repeater.recording import RecordingError, open_recording
from twisted_repeater.recording import file as file_module
from twisted_repeater.recording.entries import KnownLink, row_of
from twisted_repeater.recording.file import RecordingFile, Settings, code_of, is_damage, is_file, rotate

FACTS = {"dialect": "redis", "server": "tcp:1"}
LINK: Any = FakeLink()


class FileCase(SynchronousTestCase):
    """One path for each test."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.patch(file_module, "SYNCHRONOUS", "OFF")

    def opened(self, **options: Any) -> RecordingFile:
        file = RecordingFile(self.path, options.pop("facts", FACTS), **options)
        self.addCleanup(file.close)
        return file

    def mode(self, suffix: str = "") -> int:
        return stat.S_IMODE(os.stat(self.path + suffix).st_mode)


class OpeningTests(FileCase):
    """What may be there already."""

    def test_new(self) -> None:
        """Nobody else can read a new file, nor the files that SQLite makes beside it; it has the facts."""
        self.addCleanup(os.umask, os.umask(0))
        file = self.opened(durable=True)
        file.begin()
        file.add_messages([row_of(1, watched())])
        file.commit()
        self.assertEqual([self.mode(suffix) for suffix in ("", "-wal", "-shm")], [0o600] * 3)
        with open_recording(self.path) as recording:
            self.assertEqual(recording.facts, {**FACTS, "left_out": "0"})
            self.assertEqual(recording.count, 1)
        self.assertTrue(file.same)

    def test_an_empty_file(self) -> None:
        """An empty file becomes a recording, which nobody else can read."""
        Path(self.path).touch(0o644)
        self.opened()
        self.assertEqual(self.mode(), 0o600)

    def test_it_goes_on(self) -> None:
        """A recording that is there goes on, unless it is of other traffic."""
        write_recording(self.path, facts=FACTS)
        for number in (1, 2):
            file = self.opened()
            self.assertEqual((file.same, file.last), (True, number - 1))
            file.begin()
            file.add_messages([row_of(1, watched(number))])
            file.commit()
            file.close()
        self.assertFalse(self.opened(facts={"dialect": "mqtt", "server": "tcp:1"}).same)

    def test_other_files(self) -> None:
        """A file that is not a recording stays as it is."""
        Path(self.path).write_bytes(b"no database" * 100)
        error = self.assertRaises(RecordingError, self.opened)
        self.assertEqual(str(error), f"{self.path} must be a recording, not another file")
        self.assertEqual(Path(self.path).read_bytes(), b"no database" * 100)
        os.remove(self.path)
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE t (x)")
        self.assertRaises(RecordingError, self.opened)
        os.remove(self.path)
        os.mkdir(self.path)
        self.assertRaises(RecordingError, self.opened)

    def test_devices(self) -> None:
        """Only files are opened: nobody may take a device away from others."""
        os.mkfifo(self.path, 0o644)
        error = self.assertRaises(RecordingError, self.opened)
        self.assertIn("must be a file, not a directory, a device or a link", str(error))
        self.assertEqual(self.mode(), 0o644)

    def test_of_another_user(self) -> None:
        """A file of another user is refused, as that user can read it."""
        write_recording(self.path)
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        error = self.assertRaises(RecordingError, self.opened)
        self.assertIn("must belong to the user who records", str(error))

    def test_twice(self) -> None:
        """Two recorders cannot use one file at the same time."""
        self.opened()
        error = self.assertRaises(RecordingError, self.opened)
        self.assertIn("this process does it already", str(error))
        self.patch(file_module, "NODES", set())  # as in another process
        error = self.assertRaises(RecordingError, self.opened)
        self.assertIn("another one writes it already", str(error))

    def test_a_damaged_file(self) -> None:
        """A damaged recording is moved away; a damaged database that is none is not."""
        write_recording(self.path)
        data = bytearray(Path(self.path).read_bytes())
        data[100:4000] = bytes(3900)
        Path(self.path).write_bytes(data)
        settings = Settings(self.path, FACTS, 1 << 30, 1, False)
        settings.open().close()
        self.assertEqual(Path(f"{self.path}.1").read_bytes(), data)
        data[68:72] = bytes(4)
        Path(self.path).write_bytes(data)
        self.assertRaises(sqlite3.DatabaseError, settings.open)

    def test_other_traffic(self) -> None:
        """A recording of other traffic is moved away; one of the same goes on."""
        write_recording(self.path, facts={"dialect": "mqtt"})
        settings = Settings(self.path, FACTS, 1 << 30, 1, False)
        for _ in range(2):
            settings.open().close()
        with open_recording(f"{self.path}.1") as recording:
            self.assertEqual(recording.facts["dialect"], "mqtt")
        self.assertFalse(os.path.exists(f"{self.path}.2"))

    def test_left_behind(self) -> None:
        """The log of a file that somebody has removed is not taken for that of the new one."""
        Path(f"{self.path}-wal").write_bytes(b"x" * 100)
        self.opened()
        self.assertEqual(os.stat(f"{self.path}-wal").st_size, 0)


class WritingTests(FileCase):
    """Transactions."""

    def test_messages(self) -> None:
        """Any number of messages of any kind is written, in their order."""
        file = self.opened()
        messages = [row_of(1, watched(number)) for number in range(1, 445)]
        file.begin()
        file.add_messages([])
        file.add_messages(messages)
        self.assertEqual(file.last, 444)
        file.add_messages([*messages, row_of(1, watched(445, verdict=DROP, passed=False))])
        file.commit()
        with open_recording(self.path) as recording:
            numbers = [(message.number, message.passed, message.verdict) for message in recording.messages()]
        passed = [(number, True, "PASS_ON") for number in range(1, 445)]
        self.assertEqual(numbers, [*passed, *passed, (445, False, "DO_NOTHING")])

    def test_links_and_gaps(self) -> None:
        """A link's row has the range of its messages, and a gap has its place."""
        file = self.opened()
        known = KnownLink(5, LINK)
        file.begin()
        file.add_messages([row_of(9, watched())])
        file.add_link(known.values())
        file.add_messages([row_of(known.number, watched(2))])
        file.add_gap(3, 4, 5, "slow")
        known.end(6, None)
        file.end_link(known.end_values(), known.number)
        file.add_messages([row_of(9, watched(3))])
        file.commit()
        with open_recording(self.path) as recording:
            self.assertEqual([message.id for message in recording.messages(link=known.number)], [2])
            self.assertEqual([(gap.after, gap.left_out) for gap in recording.gaps()], [(2, 5)])
            self.assertEqual(recording.facts["left_out"], "5")
            self.assertEqual([link.ended for link in recording.links()], [6])

    def test_roll_back(self) -> None:
        """What is undone leaves no trace."""
        file = self.opened()
        file.begin()
        file.add_messages([row_of(1, watched())])
        file.roll_back()
        self.assertEqual(file.last, 0)
        file.roll_back()

    def test_its_end(self) -> None:
        """An ended recording is one file, unless somebody reads it."""
        file = self.opened()
        file.begin()
        file.add_messages([row_of(1, watched())])
        file.commit()
        file.close()
        self.assertEqual([os.path.exists(self.path + suffix) for suffix in ("-wal", "-shm")], [False] * 2)
        file = self.opened()
        with open_recording(self.path) as recording:
            messages = recording.messages()
            next(messages)
            file.close()
        self.assertGreater(os.stat(self.path).st_size, 0)

    def test_size(self) -> None:
        """The size is that of the file and its log."""
        file = self.opened()
        before = file.size
        file.begin()
        file.add_messages([row_of(1, watched(frame=bytes(1_000_000)))])
        file.commit()
        self.assertGreater(file.size, before + 1_000_000)
        os.remove(f"{self.path}-wal")
        self.assertEqual(file.size, os.stat(self.path).st_size)

    def test_make_room(self) -> None:
        """The room of the log can be given back, unless the file cannot be used."""
        file = self.opened()
        file.begin()
        file.add_messages([row_of(1, watched(frame=bytes(1_000_000)))])
        file.commit()
        file.make_room()
        self.assertEqual(os.stat(f"{self.path}-wal").st_size, 0)
        file.close()
        file.make_room()

    def test_is_file(self) -> None:
        """A file that was moved, replaced, emptied or removed, or whose directory was, is not there any more."""
        node = self.opened().node
        self.assertTrue(is_file(self.path, node))
        os.rename(self.path, f"{self.path}.moved")
        self.assertFalse(is_file(self.path, node))
        Path(self.path).write_bytes(b"x")
        self.assertFalse(is_file(self.path, node))
        os.truncate(f"{self.path}.moved", 0)
        self.assertFalse(is_file(f"{self.path}.moved", node))
        self.assertFalse(is_file(f"{self.path}/no", node))

    def test_another_disk(self) -> None:
        """A file of another disk is another one, though it may have the same number there."""
        disk, number = self.opened().node
        self.assertFalse(is_file(self.path, (disk + 1, number)))

    def test_moved_while_somebody_reads(self) -> None:
        """A file that is moved while somebody reads it has what was written until then."""
        file = self.opened()
        file.begin()
        file.add_messages([row_of(1, watched())])
        file.commit()
        with closing(sqlite3.connect(self.path)) as reader:
            reader.execute("SELECT * FROM messages").fetchone()
            os.rename(self.path, f"{self.path}.moved")
            file.close()
            self.opened()  # this removes the old log
        with open_recording(f"{self.path}.moved") as recording:
            self.assertEqual(recording.count, 1)

    def test_a_link_twice(self) -> None:
        """A link has one row in a file, with its last name."""
        file = self.opened()
        link: Any = FakeLink()
        known = KnownLink(5, link)
        file.begin()
        file.add_link(known.values())
        file.rename_link("bob", 5)
        link.client_name = "eve"
        known.renamed()
        file.add_link(known.values())
        file.commit()
        with open_recording(self.path) as recording:
            self.assertEqual([(link.id, link.client_name) for link in recording.links()], [(5, "eve")])

    def test_a_small_disk(self) -> None:
        """On a small disk a transaction and the log have room in the reserve."""
        self.patch(file_module, "reserve_of", lambda path: 800_000)
        file = self.opened()
        self.assertEqual(file.most_at_once, 200_001)
        self.assertEqual(file._connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] * 16384 // 100_000, 4)


class ErrorTests(SynchronousTestCase):
    """Errors of SQLite."""

    def test_numbers(self) -> None:
        """Their numbers say which of them mean that the file is damaged."""
        error = sqlite3.DatabaseError("it is broken")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT | 0x100
        self.assertEqual((code_of(error), is_damage(error)), (sqlite3.SQLITE_CORRUPT, True))
        self.assertEqual((code_of(OSError()), is_damage(OSError())), (0, False))


class RotationTests(FileCase):
    """Older files."""

    def test_rotate(self) -> None:
        """Each file gets the next number, with its log; the oldest is removed."""
        for suffix in ("", "-wal", ".1", ".2", ".2-wal", ".3"):
            Path(self.path + suffix).write_text(suffix)
        rotate(self.path, 2)
        found = {
            suffix: Path(self.path + suffix).read_text()
            for suffix in ("", "-wal", ".1", ".1-wal", ".2", ".2-wal", ".3")
            if os.path.exists(self.path + suffix)
        }
        self.assertEqual(found, {".1": "", ".1-wal": "-wal", ".2": ".1", ".3": ".3"})

    def test_none_is_kept(self) -> None:
        """If no older files are kept, the file is removed."""
        Path(self.path).touch()
        rotate(self.path, 0)
        self.assertFalse(os.path.exists(self.path))
