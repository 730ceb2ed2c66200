"""The thread that writes a recording, and what it does when that is not possible."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from queue import Queue
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.recording.watched import LINK, FakeLink, hurry, watched
from tests.recordings import write_recording
from twisted_repeater.recording import RecordingError, file, open_recording, writer
from twisted_repeater.recording.entries import COST, Gap, KnownLink, LinkEnd, row_of
from twisted_repeater.recording.file import Settings
from twisted_repeater.recording.writer import Writer
from twisted_repeater.watching import WatchedMessage

FACTS = {"dialect": "redis", "server": "tcp:1"}
LONGEST = 10.0


class WriterCase(SynchronousTestCase):
    """A writer whose pauses are short, and which tells a queue of events."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        hurry(self)
        self.events: Queue[str] = Queue()
        self.link = KnownLink(1, LINK)
        self.link.made = 1

    def start(self, *, max_size: int = 1 << 30, keep: int = 2, facts: dict[str, str] = FACTS) -> None:
        self.writer = Writer(Settings(self.path, facts, max_size, keep, False), 1000, self.events.put)
        self.addCleanup(self.end)

    def end(self) -> None:
        self.writer.give_up()
        self.writer.stop()
        self.writer.join(LONGEST)

    def finish(self) -> None:
        """Let the writer write what waits, and wait for its end."""
        self.writer.stop()
        self.writer.join(LONGEST)

    def put(self, *entries: Any, link: KnownLink | None = None) -> None:
        """Queue messages of a link, and other entries; the writer learns of the link first."""
        link = link or self.link
        if not link.announced:
            link.announced = True
            self.writer.queue.append(link)
        for entry in entries:
            self.writer.queue.append(row_of(link.number, entry) if isinstance(entry, WatchedMessage) else entry)
        self.writer.wake.set()

    def wait_for(self, event: str) -> None:
        while self.events.get(timeout=LONGEST) != event:
            pass

    def numbers(self, suffix: str = "") -> list[int]:
        with open_recording(self.path + suffix) as recording:
            return [message.number for message in recording.messages()]

    def gaps(self) -> list[tuple[int, int, str]]:
        with open_recording(self.path) as recording:
            return [(gap.after, gap.left_out, gap.reason) for gap in recording.gaps()]


class WritingTests(WriterCase):
    """Nothing goes wrong."""

    def test_everything(self) -> None:
        """Whatever is put into the queue before the end is written, in its order."""
        self.patch(writer, "MESSAGES", 500)
        self.start()
        other = KnownLink(2, LINK)
        other.made = 2
        self.put(*(watched(number) for number in range(1, 1001)))
        self.put(watched(1001), Gap(1, "slow"), link=other)
        self.put(LinkEnd(self.link))
        self.finish()
        self.assertEqual(self.numbers(), list(range(1, 1002)))
        self.assertEqual((self.writer.recorded, self.writer.done, self.writer.oldest), (1001, 1005 * COST + 5005, None))
        self.assertEqual(self.gaps(), [(1001, 0, "slow")])
        with open_recording(self.path) as recording:
            self.assertEqual([link.made for link in recording.links()], [1, 2])
            self.assertEqual([message.link for message in recording.messages(after=999)], [1, 2])
            self.assertRegex(recording.facts["began"], r"^\d{16}$")
        self.assertEqual(self.writer.most_put, 1005 * COST + 6005)
        self.wait_for("finished")

    def test_while_it_runs(self) -> None:
        """Messages are in the file as soon as the writer tells so."""
        self.start()
        for number in (1, 2):
            self.put(watched(number))
            self.wait_for("progressed")
            self.assertEqual(self.numbers()[-1], number)

    def test_links_without_messages(self) -> None:
        """A link that ends before it has a message, and whose beginning is in an older file, has a row."""
        self.start()
        self.put(LinkEnd(self.link))
        self.finish()
        with open_recording(self.path) as recording:
            self.assertEqual([link.client_name for link in recording.links()], ["ann"])

    def test_other_traffic(self) -> None:
        """A recording of another dialect is moved away; one that cannot be used is an error."""
        write_recording(self.path, facts={"dialect": "mqtt"})
        self.start()
        self.finish()
        with open_recording(f"{self.path}.1") as recording:
            self.assertEqual(recording.facts, {"dialect": "mqtt"})
        Path(self.path).write_bytes(b"no database" * 100)
        self.assertRaises(RecordingError, self.start)


class RotationTests(WriterCase):
    """The next file."""

    def test_size(self) -> None:
        """A file that is large enough is moved away; the links that go on are in the next one, too."""
        self.start(max_size=600_000, keep=9)
        for number in range(1, 7):
            self.put(watched(number, frame=bytes(200_000)))
            self.wait_for("progressed")
        self.finish()
        suffixes = [suffix for suffix in (".3", ".2", ".1", "") if os.path.exists(self.path + suffix)]
        self.assertGreater(len(suffixes), 1)
        self.assertEqual([number for suffix in suffixes for number in self.numbers(suffix)], [1, 2, 3, 4, 5, 6])
        for suffix in suffixes[:-1]:
            with open_recording(self.path + suffix) as recording:
                self.assertEqual([link.client_name for link in recording.links()], ["ann"])
            self.assertLess(os.stat(self.path + suffix).st_size, 800_000)

    def test_links_in_order(self) -> None:
        """The next file has all links that go on, in the order of their numbers, whichever has the next message."""
        self.start()
        links = [KnownLink(number, LINK) for number in (1, 2, 3)]
        for link in links:
            self.put(watched(link.number), link=link)
        self.wait_for("progressed")
        os.remove(self.path)
        self.put(watched(4), link=links[2])
        self.wait_for("progressed")
        with open_recording(self.path) as recording:
            self.assertEqual([link.id for link in recording.links()], [1, 2, 3])

    def test_a_reader_does_not_stop_it(self) -> None:
        """While somebody reads all the time, the log of one file grows up to the size limit, and not further."""
        self.start(max_size=2_000_000, keep=1)
        self.put(watched(1))
        self.wait_for("progressed")
        with closing(sqlite3.connect(self.path)) as reader:
            cursor = reader.execute("SELECT * FROM messages UNION ALL SELECT * FROM messages")
            cursor.fetchone()
            for number in range(2, 22):
                self.put(watched(number, frame=bytes(400_000)))
                self.wait_for("progressed")
            sizes = [path.stat().st_size for path in Path(self.path).parent.glob(f"{Path(self.path).name}*")]
        self.assertLess(sum(sizes), 6_000_000)

    def test_removed(self) -> None:
        """If somebody removes the file, the next messages are in a new one, each of them."""
        self.start()
        self.put(watched(1))
        self.wait_for("progressed")
        os.remove(self.path)
        self.put(watched(2))
        self.wait_for("progressed")
        self.put(watched(3))
        self.finish()
        self.assertEqual(self.numbers(), [2, 3])

    def test_replaced(self) -> None:
        """If somebody replaces or empties the file, what is there now is moved away, and nothing is written into it."""
        write_recording(f"{self.path}.other", facts=FACTS)
        self.start()
        self.put(watched(1))
        self.wait_for("progressed")
        os.replace(f"{self.path}.other", self.path)
        self.put(watched(2))
        self.wait_for("progressed")
        self.assertEqual((self.numbers(), self.numbers(".1")), ([2], []))
        os.truncate(self.path, 0)
        self.put(watched(3))
        self.finish()
        self.assertEqual((self.numbers(), self.numbers(".2")), ([3], []))

    def test_no_next_file(self) -> None:
        """If the next file cannot be made, the recording is suspended; what was written stays."""
        self.start(max_size=1)
        os.mkdir(f"{self.path}.2")
        self.put(watched(1))
        self.wait_for("suspended")
        self.assertIn("Is a directory", self.writer.suspended)
        os.rmdir(f"{self.path}.2")
        self.wait_for("resumed")
        self.assertEqual((self.writer.recorded, self.writer.left_out), (1, 0))
        self.assertEqual(self.gaps(), [])


class SlowTests(WriterCase):
    """A file that another process has locked."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(self.other.close)
        self.other.execute("BEGIN IMMEDIATE")

    def watch_attempts(self) -> Queue[None]:
        """Return a queue that is told whenever the writer tries to begin a transaction."""
        tried: Queue[None] = Queue()
        assert self.writer._file is not None
        begin = self.writer._file.begin

        def try_to_begin() -> None:
            tried.put(None)
            begin()

        self.patch(self.writer._file, "begin", try_to_begin)
        return tried

    def test_it_waits(self) -> None:
        """The writer goes on trying, and writes everything when the file is free."""
        tried = self.watch_attempts()
        self.put(watched(1), watched(2))
        for _ in range(3):
            tried.get(timeout=LONGEST)
        self.assertEqual((self.writer.recorded, len(self.writer.queue)), (0, 3))
        self.other.execute("ROLLBACK")
        self.finish()
        self.assertEqual(self.numbers(), [1, 2])

    def test_it_gives_up(self) -> None:
        """At the end the writer can be told not to wait any longer."""
        tried = self.watch_attempts()
        self.put(watched(1))
        tried.get(timeout=LONGEST)
        self.writer.give_up()
        self.finish()
        self.assertEqual((self.numbers(), self.writer.suspended), ([], ""))


class SuspendedTests(WriterCase):
    """A disk that is full, or fails."""

    def fail_once(self, code: int, *, messages: int = 0) -> None:
        """Let the next transaction with so many messages fail as SQLite does."""
        least = messages
        assert self.writer._file is not None
        failing = self.writer._file

        def fail(messages: list[Any]) -> None:
            if len(messages) < least:
                return
            error = sqlite3.DatabaseError("it is broken")
            error.sqlite_errorcode = code
            raise error

        self.patch(failing, "add_messages", fail)

    def test_full(self) -> None:
        """When SQLite finds no room, what waits is left out and counted; later the recording goes on by itself."""
        self.start()
        self.put(watched(1))
        self.wait_for("progressed")
        assert self.writer._file is not None
        self.writer._file._connection.execute("PRAGMA max_page_count = 1")  # until the file is opened again
        room = [False, True]
        self.patch(writer, "has_room", lambda path, times=1: times == 1 or room.pop(0))
        gap = Gap(9_000_000, "slow")
        gap.add(9_000_000, 3)
        self.put(watched(2, frame=bytes(100_000)), watched(3), LinkEnd(self.link), gap, watched(4))
        self.wait_for("suspended")
        self.wait_for("resumed")
        self.put(watched(5))
        self.finish()
        self.assertEqual(self.numbers(), [1, 5])
        self.assertEqual(self.gaps(), [(1, 6, "the disk is full")])
        self.assertEqual((self.writer.recorded, self.writer.left_out), (2, 3))
        self.assertEqual(self.writer.done, 8 * COST + 100_020)

    def test_room_for_others(self) -> None:
        """Before the disk is full to the last byte, nothing more is written; the end comes all the same."""
        self.start()
        self.patch(writer, "has_room", lambda path, times=1: False)
        self.put(watched(1))
        self.wait_for("suspended")
        self.assertEqual((self.writer.suspended, self.writer.most_put), ("the disk is full", -1))
        self.finish()
        self.assertEqual(self.numbers(), [1])

    def test_at_the_end(self) -> None:
        """A recording that is suspended at its end notes what is missing, and the ends of links, with the reserve."""
        self.start()
        self.patch(writer, "RETRY", 60.0)
        self.patch(writer, "has_room", lambda path, times=1: not times)
        self.put(watched(1))
        self.wait_for("suspended")
        self.link.ended = 9
        gap = Gap(9_000_000, "slow")
        gap.add(9_000_000, 3)
        self.put(gap, LinkEnd(self.link))
        self.finish()
        self.assertEqual((self.numbers(), self.gaps()), ([1], [(1, 3, "slow")]))
        with open_recording(self.path) as recording:
            self.assertEqual([link.ended for link in recording.links()], [9])

    def test_what_is_left(self) -> None:
        """What still waits when the writer gives up is counted, and waits no more."""
        self.start()
        self.writer.give_up()
        self.put(watched(1), LinkEnd(self.link))
        self.finish()
        self.assertEqual((self.writer.left_out, len(self.writer.queue), self.writer.done), (1, 0, 3 * COST + 5))

    def test_links_are_kept(self) -> None:
        """A link has one row if its first transactions fail, and its end is noted, also when the end fails first."""
        self.start()
        self.put(watched(1))
        self.wait_for("progressed")
        self.fail_once(sqlite3.SQLITE_IOERR)
        self.link.ended = 9
        other = KnownLink(2, LINK)
        self.put(LinkEnd(self.link))
        self.put(watched(2), link=other)
        self.wait_for("resumed")
        self.wait_for("progressed")
        self.put(watched(3), link=other)
        self.finish()
        with open_recording(self.path) as recording:
            self.assertEqual([(link.id, link.ended) for link in recording.links()], [(1, 9), (2, None)])
        self.assertEqual((self.numbers(), self.writer.done), ([1, 3], 6 * COST + 15))

    def test_another_name(self) -> None:
        """When a client has another name, its row has that with the next message, also if a transaction fails."""
        link: Any = FakeLink()
        self.link = KnownLink(1, link)
        self.start()
        self.put(watched(1))
        self.wait_for("progressed")
        for number, name in ((2, "bob"), (3, "eve")):
            link.client_name = name
            if name == "eve":
                self.fail_once(sqlite3.SQLITE_IOERR)
                self.put(watched(number))
                self.wait_for("resumed")
            self.put(watched(number))
            self.wait_for("progressed")
            with open_recording(self.path) as recording:
                self.assertEqual([link.client_name for link in recording.links()], [name])

    def test_another_error(self) -> None:
        """Any other error suspends the recording, too; its text is the reason."""
        self.start()
        self.fail_once(sqlite3.SQLITE_IOERR)
        self.put(watched(1), watched(2))
        self.wait_for("resumed")
        self.put(watched(3))
        self.finish()
        self.assertEqual((self.numbers(), self.gaps()), ([3], [(0, 2, "it is broken")]))

    def test_no_transaction(self) -> None:
        """If not even a transaction can be begun, all that waits is left out."""
        self.start()
        failing = self.writer._file

        def fail() -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

        self.patch(failing, "begin", fail)
        self.put(watched(1), LinkEnd(self.link), watched(2))
        self.wait_for("resumed")
        self.finish()
        self.assertEqual(self.gaps(), [(0, 2, "disk I/O error")])
        self.put(watched(3))
        self.writer._sleep()  # does not wait, as something is there

    def test_a_gap_is_not_lost(self) -> None:
        """A gap in a transaction that fails is noted with the next one."""
        self.start()
        gap = Gap(1, "slow")
        gap.add(2, 3)
        self.fail_once(sqlite3.SQLITE_IOERR, messages=2)
        self.put(gap, watched(1), watched(2))
        self.wait_for("resumed")
        self.finish()
        self.assertEqual((self.gaps(), self.writer.left_out), ([(0, 5, "it is broken")], 2))

    def test_room_in_the_log(self) -> None:
        """If the log has room that can be given back, the recording is not suspended."""
        self.start()
        room = [False, True]
        self.patch(writer, "has_room", lambda path, times=1: room.pop(0))
        self.put(watched(1))
        self.wait_for("progressed")
        self.finish()
        self.assertEqual((self.writer.suspended, self.numbers()), ("", [1]))

    def test_no_file_at_the_end(self) -> None:
        """If there is no file when the end comes, the writer ends all the same."""
        self.start()
        self.fail_once(sqlite3.SQLITE_IOERR)
        opened: Queue[Settings] = Queue()

        def refuse(settings: Settings) -> None:
            opened.put(settings)
            raise OSError("no")

        self.patch(Settings, "open", refuse)
        self.put(watched(1))
        opened.get(timeout=LONGEST)
        self.finish()
        self.assertEqual((self.writer.suspended, self.writer._file), ("it is broken", None))

    def test_damaged(self) -> None:
        """A damaged file is moved away, once."""
        self.start()
        self.put(watched(1))
        self.wait_for("progressed")
        self.fail_once(sqlite3.SQLITE_CORRUPT)
        self.put(watched(2))
        self.wait_for("resumed")
        self.put(watched(3))
        self.finish()
        self.assertEqual((self.numbers(), self.numbers(".1")), ([3], [1]))
        self.assertFalse(os.path.exists(f"{self.path}.2"))

    def test_in_vain(self) -> None:
        """As long as the file cannot be opened, or is locked at the end, the recording stays suspended."""
        self.start()
        self.fail_once(sqlite3.SQLITE_IOERR)
        opened: Queue[Settings] = Queue()

        def refuse(settings: Settings) -> None:
            opened.put(settings)
            raise OSError("no")

        really_open = Settings.open

        def reopen(settings: Settings) -> file.RecordingFile:
            opened.put(settings)
            return really_open(settings)

        self.patch(Settings, "open", refuse)
        self.put(watched(1))
        for _ in range(2):
            opened.get(timeout=LONGEST)
        self.assertTrue(self.writer.suspended)
        self.writer.give_up()
        self.patch(Settings, "open", reopen)
        for _ in range(4):
            opened.get(timeout=LONGEST)
        self.assertEqual(self.writer.suspended, "it is broken")
