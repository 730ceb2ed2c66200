"""Keeps in a file what the repeater has changed in the numbers of FIX sessions, so that a restart loses nothing.

One process has the file at a time. What `Store.commit` was given is on the disk when it returns: SQLite writes it to
its log, and waits until the disk has it.
"""

from __future__ import annotations

import enum
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ...errors import RepeaterError
from ...model import Direction

__all__ = ["MAX_CONTENT", "Entry", "Kind", "Saved", "Store", "StoreError"]

MAX_CONTENT = 64 * 1024 * 1024
"""How many bytes of messages are kept for each session, unless the caller says otherwise."""
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
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session, flow INTEGER NOT NULL, number INTEGER NOT NULL,
    origin INTEGER NOT NULL, kind INTEGER NOT NULL, content BLOB, UNIQUE (session, flow, number)
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


class Kind(enum.IntEnum):
    """What the repeater did at a number."""

    DROPPED = 0
    """The receiver gets a gap fill in place of the sender's message."""
    ADDED = 1
    """A message of the repeater itself."""
    CHANGED = 2
    """The sender's message, with other content."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A number at which the receiver does not get what the sender sent."""

    flow: Direction
    """The direction of the messages."""
    number: int
    """The number that the receiver sees."""
    origin: int
    """The sender's number of the message; of an added message: the one of the last message before it."""
    kind: Kind
    """What the repeater did."""
    content: bytes | None = None
    """The message as it went out; ``None`` if it was dropped, or so long ago that the store has forgotten it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a store knows of a session."""

    entries: tuple[Entry, ...] = ()
    """The entries of both flows, each flow in the order of its numbers."""
    highest: Mapping[Direction, int] = field(default_factory=lambda: dict.fromkeys(FLOWS, 0))
    """The highest number known of each flow's sender; 0 if none is."""


class Store:
    """What was changed in the numbers of sessions, in a file of SQLite.

    Args:
        path: the file, which is made if there is none; ``None`` for a store in memory.
        max_content: how many bytes of messages are kept for each session. Above that, the content of its oldest entries
            is forgotten. The entries stay, so the numbers stay right: whoever asks for such a message again gets a gap
            fill.

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

    def load(self, session: str) -> Saved:
        """Return what is known of a session.

        Args:
            session: the name of the session.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._errors():
            row = self._database.execute(
                "SELECT id, to_server, to_client FROM session WHERE name = ?", (session,)
            ).fetchone()
            if row is None:
                return Saved()
            self._ids[session] = row[0]
            rows = self._database.execute(
                "SELECT flow, number, origin, kind, content FROM entry WHERE session = ? ORDER BY flow, number",
                row[:1],
            ).fetchall()
        entries = tuple(
            Entry(FLOWS[flow], number, origin, Kind(kind), content) for flow, number, origin, kind, content in rows
        )
        return Saved(entries, dict(zip(FLOWS, row[1:], strict=True)))

    def commit(
        self,
        session: str,
        entries: Iterable[Entry] = (),
        highest: Mapping[Direction, int] | None = None,
        *,
        forget: Iterable[Direction] = (),
    ) -> list[tuple[Direction, int]]:
        """Write entries and highest numbers, all or nothing. They are on the disk when it returns.

        Args:
            session: the name of the session.
            entries: new entries. One with the flow and number of an earlier one takes its place.
            highest: the highest numbers of senders, of the flows where they are to be noted.
            forget: the flows that begin again: what was known of them is forgotten first.

        Returns:
            The flow and number of each entry whose content was forgotten because there was too much.

        Raises:
            StoreError: the file cannot be written. Nothing was changed.
        """
        given = list(entries)
        self._check_file()
        with self._errors(), self._transaction():
            number = self._id_of(session)
            size = self._size_of(number) + sum(len(entry.content or b"") for entry in given)
            self._write(number, given, dict(highest or {}), list(forget))
            forgotten: list[tuple[Direction, int]] = []
            if size > self._max_content:
                size, forgotten = self._forget_contents(number)
        self._ids[session] = number
        self._sizes[number] = size
        return forgotten

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

    def _size_of(self, session: int) -> int:
        """Return how many bytes of messages are kept for a session. Entries that were replaced may count too."""
        if session not in self._sizes:
            question = "SELECT coalesce(sum(length(content)), 0) FROM entry WHERE session = ?"
            (self._sizes[session],) = self._database.execute(question, (session,)).fetchone()
        return self._sizes[session]

    def _write(
        self, session: int, entries: list[Entry], highest: dict[Direction, int], forget: list[Direction]
    ) -> None:
        """Write what `commit` was given."""
        execute = self._database.execute
        for flow in forget:
            execute("DELETE FROM entry WHERE session = ? AND flow = ?", (session, FLOWS.index(flow)))
            highest.setdefault(flow, 0)
        self._database.executemany(
            "INSERT OR REPLACE INTO entry (session, flow, number, origin, kind, content) VALUES (?, ?, ?, ?, ?, ?)",
            [(session, FLOWS.index(own.flow), own.number, own.origin, own.kind, own.content) for own in entries],
        )
        for flow, number in highest.items():
            execute(f"UPDATE session SET {flow.value} = ? WHERE id = ?", (number, session))

    def _forget_contents(self, session: int) -> tuple[int, list[tuple[Direction, int]]]:
        """Forget the oldest contents of a session; return how many bytes are left, and the entries concerned."""
        rows = self._database.execute(
            "SELECT id, flow, number, length(content) FROM entry WHERE session = ? AND content IS NOT NULL ORDER BY id",
            (session,),
        ).fetchall()
        size = sum(row[3] for row in rows)
        if size <= self._max_content:  # entries that were replaced had been counted too
            return size, []
        forgotten = []
        for entry, flow, number, length in rows:
            if size <= self._max_content * 3 // 4:  # and some more, so that it is not done at each commit
                break
            self._database.execute("UPDATE entry SET content = NULL WHERE id = ?", (entry,))
            forgotten.append((FLOWS[flow], number))
            size -= length
        return size, forgotten

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
        try:
            yield
        except sqlite3.Error as error:
            what = "another process has it" if "locked" in str(error) else str(error)
            raise StoreError(f"the store {self.path or 'in memory'} cannot be used: {what}") from error
