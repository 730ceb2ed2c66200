"""The file of a recording, as its writer sees it: how it is opened, filled, ended and replaced by the next one."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

from ..watching import WatchedMessage
from .disk import check_kind, reserve_of
from .entries import COLUMNS, PLAIN_COLUMNS, is_plain, plain_values, values_of
from .records import RecordingError
from .schema import PAGE_SIZE, check, create

__all__ = ["AT_ONCE", "RecordingFile", "rotate"]

LINK: Final = (
    "INSERT INTO links (link, client_name, client_address, server_name, server_address, made, ended, reason, refused, "
    "details, first_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

LINK_END: Final = "UPDATE links SET client_name = ?, ended = ?, reason = ?, refused = ?, last_message = ? WHERE id = ?"

LINK_NAME: Final = "UPDATE links SET client_name = ? WHERE id = ?"

GAP: Final = "INSERT INTO gaps VALUES (?, ?, ?, ?, ?)"

LEFT_OUT: Final = "UPDATE facts SET value = value + ? WHERE name = 'left_out'"

AT_ONCE: Final = (400, 40, 1)
"""How many messages one statement inserts. Each statement takes the interpreter's lock once, whatever its size, and a
row of a large statement costs half of one in a small one."""


def _statements(columns: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the statements that insert messages, the largest first, each with the number of its values."""
    begin = f"INSERT INTO messages ({', '.join(columns)}) VALUES "
    row = f"({', '.join('?' * len(columns))})"
    return [(rows * len(columns), begin + ", ".join([row] * rows)) for rows in AT_ONCE]


PLAIN: Final = _statements(PLAIN_COLUMNS)
"""For messages that were passed on as they came: a row with all values takes a third more."""

ANY: Final = _statements(COLUMNS)
"""For any messages."""

CHECKPOINT: Final = 1000
"""After how many pages SQLite moves the log into the database, or fewer on a small disk: the database may grow by as
much as the log has, when the disk is full but for the reserve."""

MAX_LOG: Final = 64 * 1024 * 1024
"""How many bytes of the log's file are kept when it is empty."""

PATIENCE: Final = 0.5
"""How many seconds SQLite waits for another process that has locked the file."""


class RecordingFile:
    """A recording that is open for writing. Only one thread at a time may use it.

    Args:
        path: the file. If it is there, the recording goes on.
        facts: what is known about the recording. If a recording is there whose dialect or server is another, it is
            not of the same traffic.
        durable: whether a message survives a power loss as soon as it is committed.

    Raises:
        RecordingError: another file is there, or one that another process records into.
        OSError: the file cannot be made.
    """

    def __init__(self, path: str, facts: Mapping[str, str], *, durable: bool = False) -> None:
        check_kind(path)
        self.path: str = path
        self._closed = False
        self._lock = _locked(path)
        self._node = os.fstat(self._lock).st_ino
        self.same: bool = True
        """Whether the file was new, or its dialect and server are these."""
        try:
            self._connection = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=16
            )
            try:
                self._prepare(facts, durable)
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise

    def _prepare(self, facts: Mapping[str, str], durable: bool) -> None:
        """Create the tables, or check what is there."""
        execute = self._connection.execute
        if _is_empty(self._connection, self.path):
            create(self._connection)
            execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO facts VALUES (?, ?)", [*facts.items(), ("left_out", "0")])
            execute("COMMIT")
        else:
            check(self._connection, self.path)
            found = dict(execute("SELECT name, value FROM facts"))
            self.same = all(found.get(name) == facts.get(name) for name in ("dialect", "server"))
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        execute(f"PRAGMA wal_autocheckpoint = {min(CHECKPOINT, reserve_of(self.path) // PAGE_SIZE + 1)}")
        execute(f"PRAGMA journal_size_limit = {MAX_LOG}")
        self.last: int = execute("SELECT max(id) FROM messages").fetchone()[0] or 0

    @property
    def size(self) -> int:
        """How many bytes the file and its log have."""
        size = os.stat(self.path).st_size
        with suppress(FileNotFoundError):
            size += os.stat(f"{self.path}-wal").st_size
        return size

    @property
    def is_there(self) -> bool:
        """Whether the file still has its name: nobody has removed or replaced it."""
        try:
            return os.stat(self.path).st_ino == self._node
        except FileNotFoundError:
            return False

    def make_room(self) -> None:
        """Move the log into the database, and give its room back to the disk, if nobody reads the file."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- a transaction --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a transaction; raises ``sqlite3.OperationalError`` if another process has locked the file."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End a transaction."""
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo a transaction, if there is one."""
        with suppress(sqlite3.Error):
            self._connection.rollback()
        with suppress(sqlite3.Error):
            self.last = self._connection.execute("SELECT max(id) FROM messages").fetchone()[0] or 0

    def add_messages(self, messages: list[tuple[int, WatchedMessage]]) -> None:
        """Add messages, each with the number of its link's row."""
        if all(is_plain(message) for _, message in messages):
            statements, values = PLAIN, plain_values(messages)
        else:
            statements, values = ANY, values_of(messages)
        begin, end = 0, len(values)
        for size, statement in statements:
            while end - begin >= size:
                cursor = self._connection.execute(statement, values[begin : begin + size])
                self.last = cursor.lastrowid or self.last
                begin += size

    def add_link(self, row: tuple[Any, ...]) -> int:
        """Add a link and return its number."""
        cursor = self._connection.execute(LINK, (*row, self.last + 1))
        return cursor.lastrowid or 0

    def rename_link(self, row: tuple[Any, ...], number: int) -> None:
        """Note that the client of a link has another name."""
        self._connection.execute(LINK_NAME, (*row, number))

    def end_link(self, row: tuple[Any, ...], number: int) -> None:
        """Note how a link ended, after its last message was added."""
        self._connection.execute(LINK_END, (*row, self.last, number))

    def add_gap(self, began: int, ended: int, left_out: int, reason: str) -> None:
        """Note that messages are missing after the last one."""
        self._connection.execute(GAP, (self.last, began, ended, left_out, reason))
        self._connection.execute(LEFT_OUT, (left_out,))

    def close(self) -> None:
        """End the recording; a second call does nothing.

        If nobody else has the file open, it is one file then, which can be copied and moved.
        """
        if self._closed:
            return
        self._closed = True
        try:
            with suppress(sqlite3.Error):  # a reader has it open, or the disk is full
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
        finally:
            os.close(self._lock)  # not before: it would end the locks of SQLite


def rotate(path: str, keep: int) -> None:
    """Move a recording that is closed out of the way: ``traffic.db`` to ``traffic.db.1``, ``.1`` to ``.2``, and so on.

    Args:
        path: the file.
        keep: how many older files are kept.
    """
    names = [path, *(f"{path}.{number}" for number in range(1, keep + 1))]
    _remove(names[-1])
    for old, new in reversed(list(pairwise(names))):
        # The log first: beside another database it would be taken for that one's.
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.replace(old + suffix, new + suffix)


def _remove(path: str) -> None:
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.remove(path + suffix)


def _locked(path: str) -> int:
    """Open the file, make it if it is not there, and lock it; SQLite itself does not use this kind of lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    else:
        for suffix in ("-wal", "-shm"):  # of a file that somebody has removed
            with suppress(FileNotFoundError):
                os.remove(path + suffix)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and not status.st_size:
            os.fchmod(descriptor, 0o600)
        elif status.st_uid != os.geteuid():
            raise RecordingError(f"{path} must belong to the user who records, not to another one")
    except BlockingIOError:
        os.close(descriptor)
        raise RecordingError(f"{path} must have one recorder, and another one writes it already") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_empty(connection: sqlite3.Connection, path: str) -> bool:
    """Return whether a database has nothing in it."""
    try:
        return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
            raise RecordingError(f"{path} must be a recording, not another file") from error
        raise
