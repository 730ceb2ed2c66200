"""Keeps a file with the changes of the repeater to the numbers of FIX sessions, so that a restart loses none.

One process has the file at a time. What `Store.commit` was given is on the disk when it returns: SQLite writes it to
its log, and waits until the disk has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from ...errors import RepeaterError
from ...model import Direction
from .flow_map import FlowMap

__all__ = ["MAX_CONTENT", "Entry", "Saved", "Store", "StoreError"]

MAX_CONTENT = 16 * 1024 * 1024
"""How many bytes of messages are kept for each session, unless the caller says otherwise."""
KEPT = 0.97
"""How much of that stays when the oldest are forgotten, so that it is not done at each commit."""
APPLICATION = 0x46495852
"""Marks the file as one of ours, in its header."""
VERSION = 1
"""The version of the tables."""
FLOWS = (Direction.TO_SERVER, Direction.TO_CLIENT)
"""The flows by their numbers in the tables."""
TABLES = """
CREATE TABLE session (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, to_server INTEGER NOT NULL, to_client INTEGER NOT NULL
);
CREATE TABLE run (
    session INTEGER NOT NULL REFERENCES session, flow INTEGER NOT NULL, added INTEGER NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, PRIMARY KEY (session, flow, added, start)
) WITHOUT ROWID;
CREATE TABLE content (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session, flow INTEGER NOT NULL, number INTEGER NOT NULL,
    message BLOB NOT NULL, UNIQUE (session, flow, number)
);
"""


def identity_of(path: str | None) -> tuple[int, int] | None:
    """Return what says which file is at a path; ``None`` if there is none."""
    try:
        state = os.stat(path or "")
    except OSError:
        return None
    return state.st_dev, state.st_ino


def make_file(path: str) -> None:
    """Make a file that only its owner can read, as it has orders, unless there is one."""
    with suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class StoreError(RepeaterError):
    """The file cannot be used: another process has it, it is not ours, or the disk is full."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A number at which the receiver does not get what the sender sent, but the content, or else a gap fill."""

    flow: Direction
    """The direction of the messages."""
    number: int
    """The number that the receiver sees."""
    added: bool = False
    """Whether it is a message of the repeater itself, and not the place of one of the sender's."""
    content: bytes | None = None
    """The message as it went out; ``None`` if a gap fill went out."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a store knows of a session."""

    flows: Mapping[Direction, FlowMap]
    """The numbers of both flows."""
    highest: Mapping[Direction, int]
    """The highest number known of each flow's sender; 0 if none is."""


class Store:
    """What was changed in the numbers of sessions, in a file of SQLite.

    Args:
        path: the file, which is made if there is none; ``None`` for a store in memory.
        max_content: how many bytes of messages are kept for each session. Above that, the oldest are forgotten. Their
            numbers stay, so the numbers stay right: whoever asks for such a message again gets a gap fill.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, path: str | None = None, *, max_content: int = MAX_CONTENT) -> None:
        self.path: str | None = path
        """The file; ``None`` in memory."""
        self._max_content = max_content
        self._sizes: dict[int, int] = {}
        """How many bytes of messages are kept for each session."""
        self._ids: dict[str, int] = {}
        if path is not None:
            make_file(path)
        import sqlite3  # not before, as most repeaters have no store

        with self._errors():
            self._database = sqlite3.connect(":memory:" if path is None else path, timeout=0, isolation_level=None)
        try:
            with self._errors():
                self._open()
            self._file = identity_of(path)
        except BaseException:
            self._database.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self.path!r})"

    def load(self, session: str, contents: Callable[[Direction, int, int], Iterable[tuple[int, bytes]]]) -> Saved:
        """Return what is known of a session.

        Args:
            session: the name of the session.
            contents: does what `contents` does, for this session, also when the file has been opened again.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._errors():
            row = self._database.execute(
                "SELECT id, to_server, to_client FROM session WHERE name = ?", (session,)
            ).fetchone()
            if row is not None:
                self._ids[session] = row[0]
            flows = {
                flow: FlowMap(
                    self._runs(row, flow, added=False), self._runs(row, flow, added=True), partial(contents, flow)
                )
                for flow in FLOWS
            }
        return Saved(flows, dict(zip(FLOWS, (0, 0) if row is None else row[1:], strict=True)))

    def contents(self, session: str, flow: Direction, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Return what is kept of the messages in a range of the receiver's numbers: numbers, in order, and messages.

        Args:
            session: the name of the session.
            flow: the direction of the messages.
            start: the first number.
            stop: the number behind the last.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._errors():
            return self._database.execute(
                "SELECT number, message FROM content WHERE session = (SELECT id FROM session WHERE name = ?) "
                "AND flow = ? AND number >= ? AND number < ? ORDER BY number",
                (session, FLOWS.index(flow), start, stop),
            ).fetchall()

    def commit(
        self,
        session: str,
        entries: Iterable[Entry] = (),
        highest: Mapping[Direction, int] | None = None,
        *,
        forget: Iterable[Direction] = (),
    ) -> None:
        """Write entries and highest numbers, all or nothing. They are on the disk when it returns.

        Args:
            session: the name of the session.
            entries: new entries. One with the flow and number of an earlier one takes its place.
            highest: the highest numbers of senders, of the flows where they are to be noted.
            forget: the flows that begin again: what was known of them is forgotten first.

        Raises:
            StoreError: the file cannot be written. Nothing was changed.
        """
        self._check_file()
        with self._errors(), self._transaction():
            number = self._id_of(session)
            self._forget_flows(number, list(forget))
            size = self._size_of(number)
            for entry in entries:
                size += self._write(number, entry)
            for flow, last in (highest or {}).items():
                self._database.execute(f"UPDATE session SET {flow.value} = ? WHERE id = ?", (last, number))
            if size > self._max_content:
                size = self._forget_oldest(number, size)
        self._ids[session] = number
        self._sizes[number] = size

    def close(self) -> None:
        """Give the file back. It may be called again."""
        self._database.close()

    def _open(self) -> None:
        """Take the file for this process, and make the tables if there are none."""
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("BEGIN EXCLUSIVE")  # its lock stays, in this mode, until the file is closed
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if tables == 0:
            for statement in TABLES.split(";"):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA application_id = {APPLICATION}")
            self._database.execute(f"PRAGMA user_version = {VERSION}")
        elif application != APPLICATION:
            raise StoreError(f"{self.path} is a file of another program")
        elif version != VERSION:
            raise StoreError(f"{self.path} must have tables of version {VERSION}, not {version}")
        self._database.execute("COMMIT")

    def _check_file(self) -> None:
        """Raise an error if the file is another one now, or none: what is written would be lost."""
        if self._file != identity_of(self.path):
            raise StoreError(f"the store {self.path} cannot be used: the file was removed or replaced")

    def _id_of(self, session: str) -> int:
        """Return the number of a session in the tables."""
        found = self._ids.get(session)
        if found is None:
            self._database.execute(
                "INSERT INTO session (name, to_server, to_client) VALUES (?, 0, 0) ON CONFLICT DO NOTHING", (session,)
            )
            (found,) = self._database.execute("SELECT id FROM session WHERE name = ?", (session,)).fetchone()
        return int(found)

    def _runs(self, row: tuple[int, ...] | None, flow: Direction, *, added: bool) -> Iterable[tuple[int, int]]:
        """Return the runs of numbers in a flow of a session: all, or those of messages that were added."""
        return (
            ()
            if row is None
            else self._database.execute(
                "SELECT start, stop FROM run WHERE session = ? AND flow = ? AND added = ? ORDER BY start",
                (row[0], FLOWS.index(flow), added),
            )
        )

    def _size_of(self, session: int) -> int:
        """Return how many bytes of messages are kept for a session."""
        if session not in self._sizes:
            question = "SELECT coalesce(sum(length(message)), 0) FROM content WHERE session = ?"
            (self._sizes[session],) = self._database.execute(question, (session,)).fetchone()
        return self._sizes[session]

    def _forget_flows(self, session: int, flows: list[Direction]) -> None:
        """Forget what is known of flows that begin again."""
        for flow in flows:
            for table in ("run", "content"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE session = ? AND flow = ?", (session, FLOWS.index(flow))
                )
            self._database.execute(f"UPDATE session SET {flow.value} = 0 WHERE id = ?", (session,))
            self._sizes.pop(session, None)

    def _write(self, session: int, entry: Entry) -> int:
        """Write an entry; return by how much the content of the session grows."""
        place = (session, FLOWS.index(entry.flow), entry.number)
        for added in (False, True) if entry.added else (False,):
            self._write_run(*place, added)
        if entry.content is None:
            return 0
        question = "SELECT length(message) FROM content WHERE session = ? AND flow = ? AND number = ?"
        (before,) = self._database.execute(question, place).fetchone() or (0,)
        self._database.execute(
            "INSERT OR REPLACE INTO content (session, flow, number, message) VALUES (?, ?, ?, ?)",
            (*place, entry.content),
        )
        return len(entry.content) - int(before)

    def _write_run(self, session: int, flow: int, number: int, added: bool) -> None:
        """Write that something was done at a number: it makes the run before it longer, or begins one."""
        execute, one = self._database.execute, (session, flow, added)
        start, stop = execute(
            "SELECT start, stop FROM run WHERE session = ? AND flow = ? AND added = ? AND start <= ? "
            "ORDER BY start DESC LIMIT 1",
            (*one, number),
        ).fetchone() or (number, number)
        if number >= stop:
            execute(
                "INSERT OR REPLACE INTO run (session, flow, added, start, stop) VALUES (?, ?, ?, ?, ?)",
                (*one, start if number == stop else number, number + 1),
            )

    def _forget_oldest(self, session: int, size: int) -> int:
        """Forget the oldest contents of a session; return how many bytes are left."""
        rows = self._database.execute(
            "SELECT id, length(message) FROM content WHERE session = ? ORDER BY id", (session,)
        )
        last = 0
        while size > self._max_content * KEPT:
            last, length = rows.fetchone()
            size -= length
        self._database.execute("DELETE FROM content WHERE session = ? AND id <= ?", (session, last))
        return size

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of SQLite as `StoreError`."""
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            what = "another process has it" if "locked" in str(error) else str(error)
            raise StoreError(f"the store {self.path or 'in memory'} cannot be used: {what}") from error
