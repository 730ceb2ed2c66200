"""The file of a recording, as its writer sees it: how it is opened, filled, ended and replaced by the next one."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, pairwise
from typing import Any, Final, NamedTuple, TypeAlias

from .disk import check_kind, reserve_of
from .entries import COLUMNS, PLAIN_COLUMNS, Row, full, microseconds
from .records import RecordingError
from .schema import PAGE_SIZE, check, create, has_id

__all__ = ["AT_ONCE", "RecordingFile", "Settings", "code_of", "is_damage", "is_file", "rotate"]

LINK: Final = (
    "INSERT INTO links (id, link, client_name, client_address, server_name, server_address, made, ended, reason, "
    "refused, details, first_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) "
    "DO UPDATE SET client_name = excluded.client_name"
)
"""A link may have its row already, if the file was closed and opened again."""

RENAME: Final = "UPDATE links SET client_name = ? WHERE id = ?"

LINK_END: Final = "UPDATE links SET client_name = ?, ended = ?, reason = ?, refused = ?, last_message = ? WHERE id = ?"

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
"""After how many pages SQLite moves the log into the database. On a small disk it is half of the reserve: the database
grows by as much, perhaps when the disk is full but for the reserve."""

BYTES: Final = 4 * 1024 * 1024
"""How many bytes there are in a transaction at most, or a quarter of the reserve; and one message more."""

MAX_LOG: Final = 64 * 1024 * 1024
"""How many bytes of the log's file are kept when it is empty."""

SYNCHRONOUS: Final = "NORMAL"
"""When SQLite waits for the disk: so that after a power loss the file is whole, though it may lack the last seconds."""

PATIENCE: Final = 0.5
"""How many seconds SQLite waits for another process that has locked the file."""


Node: TypeAlias = tuple[int, int]
"""Which file it is, whatever its name: the numbers of the disk, and of the file on it."""

NODES: Final[set[Node]] = set()
"""The files that this process records into."""


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
        self.node: Node = _node(os.fstat(self._lock))
        """Which file it is."""
        NODES.add(self.node)
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
            self._unlock()
            raise

    def _unlock(self) -> None:
        NODES.discard(self.node)
        os.close(self._lock)

    def _prepare(self, facts: Mapping[str, str], durable: bool) -> None:
        """Create the tables, or check what is there."""
        execute = self._connection.execute
        is_empty = _is_empty(self._connection, self.path)
        execute(f"PRAGMA synchronous = {'FULL' if durable else SYNCHRONOUS}")
        if is_empty:
            create(self._connection)
            execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO facts VALUES (?, ?)", [*facts.items(), ("left_out", "0")])
            execute("COMMIT")
        else:
            check(self._connection, self.path)
            found = dict(execute("SELECT name, value FROM facts"))
            self.same = all(found.get(name) == facts.get(name) for name in ("dialect", "server"))
        execute("PRAGMA journal_mode = WAL")
        reserve = reserve_of(self.path)
        self.most_at_once: int = min(BYTES, reserve // 4 + 1)
        """How many bytes should be written in one transaction."""
        execute(f"PRAGMA wal_autocheckpoint = {min(CHECKPOINT, reserve // 2 // PAGE_SIZE + 1)}")
        execute(f"PRAGMA journal_size_limit = {MAX_LOG}")
        self.last: int = self._last("messages")
        """The number of the last message."""
        self.last_link: int = self._last("links")
        """The number of the last link that was there when the file was opened."""

    def _last(self, table: str) -> int:
        last: int | None = self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
        return last or 0

    @property
    def size(self) -> int:
        """How many bytes the file and its log have."""
        size = os.stat(self.path).st_size
        with suppress(FileNotFoundError):
            size += os.stat(f"{self.path}-wal").st_size
        return size

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
            self.last = self._last("messages")

    def add_messages(self, rows: list[Row]) -> None:
        """Add messages."""
        statements = PLAIN
        if max(map(len, rows), default=0) > len(PLAIN_COLUMNS):
            statements, rows = ANY, list(map(full, rows))
        values = list(chain.from_iterable(rows))
        begin, end = 0, len(values)
        for size, statement in statements:
            while end - begin >= size:
                cursor = self._connection.execute(statement, values[begin : begin + size])
                self.last = cursor.lastrowid or self.last
                begin += size

    def add_link(self, row: tuple[Any, ...]) -> None:
        """Add a link, unless it is there."""
        self._connection.execute(LINK, (*row, self.last + 1))

    def rename_link(self, name: str, number: int) -> None:
        """Note another name of a link's client."""
        self._connection.execute(RENAME, (name, number))

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
                self._connection.execute("PRAGMA wal_checkpoint")  # if the file was moved, the log will get lost
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
        finally:
            self._unlock()  # not before: it would end the locks of SQLite


class Settings(NamedTuple):
    """How a recording is written."""

    path: str
    """The file."""
    facts: Mapping[str, str]
    """What is known about the recording."""
    max_size: int
    """When the file and its log have this many bytes, the next file is begun."""
    keep: int
    """How many older files are kept."""
    durable: bool
    """Whether each transaction waits until the disk has it."""

    def open(self) -> RecordingFile:
        """Open the file, after moving away one that is of other traffic, or damaged."""
        facts = {**self.facts, "began": str(microseconds(time.time()))}
        try:
            file = RecordingFile(self.path, facts, durable=self.durable)
        except sqlite3.DatabaseError as error:
            if code_of(error) != sqlite3.SQLITE_CORRUPT or not has_id(self.path):
                raise
        else:
            if file.same:
                return file
            file.close()
        rotate(self.path, self.keep)
        return RecordingFile(self.path, facts, durable=self.durable)


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


def is_file(path: str, node: Node) -> bool:
    """Return whether a name still belongs to a file: nobody has removed, moved, replaced or emptied it.

    Args:
        path: the name.
        node: the file.
    """
    try:
        status = os.stat(path)
    except OSError:
        return False
    return _node(status) == node and status.st_size > 0


def _node(status: os.stat_result) -> Node:
    return status.st_dev, status.st_ino


def code_of(error: Exception) -> int:
    """Return SQLite's number of an error, 0 if it is not one of SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_damage(error: Exception) -> bool:
    """Return whether an error says that the file itself is damaged."""
    return code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _remove(path: str) -> None:
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.remove(path + suffix)


def _locked(path: str) -> int:
    """Open the file, make it if it is not there, and lock it; SQLite itself does not use this kind of lock."""
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise RecordingError(f"{path} must be a file, not a directory, a device or a link")
        if _node(status) in NODES:  # to open and close it would end the locks that SQLite has on it
            raise RecordingError(f"{path} must be recorded into once, but this process does it already")
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
        if code_of(error) == sqlite3.SQLITE_NOTADB:
            raise RecordingError(f"{path} must be a recording, not another file") from error
        raise
