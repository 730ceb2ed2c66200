"""Reads recordings, also while they grow, and the good part of damaged ones."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from .records import RecordedGap, RecordedLink, RecordedMessage, RecordingError
from .schema import DIRECTIONS, ORIGINS, check

__all__ = ["Recording", "open_recording"]

ROWS: Final = 1000
"""How many rows are looked at in one transaction at most."""

BYTES: Final = 4 * 1024 * 1024
"""How many bytes of messages are read in one transaction, and one message more."""

LAST: Final = 2**62
"""No number of a row is larger."""

DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB)
"""The errors of SQLite that say that a part of the file cannot be read."""

MESSAGE: Final = "id, link, time, direction, origin, number, frame, passed, forward, back, verdict, by_filter, took"

LINK: Final = (
    "id, link, client_name, client_address, server_name, server_address, made, ended, reason, refused, details"
)


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Open a recording, to read it.

    Use it in a ``with`` statement, which closes it:

        with open_recording("traffic.db") as recording:
            for message in recording.messages():
                print(message.direction, message.frame)

    Args:
        path: the file. A repeater may be writing it.

    Returns:
        The recording.

    Raises:
        RecordingError: the file is not a recording, or one of a newer version.
        OSError: the file cannot be read.
    """
    os.stat(path)  # says more than SQLite's "unable to open database file"
    # Do not open the file here: to close it would end the locks that a recorder of this process has on it.
    connection = _connect(path, "mode=ro")
    try:
        connection = _readable(connection, path)
        connection.execute("PRAGMA writable_schema = ON")  # else SQLite refuses a file whose end is missing
        check(connection, os.fspath(path))
    except BaseException:
        connection.close()
        raise
    return Recording(connection)


def _connect(path: str | os.PathLike[str], how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    connection.text_factory = _text
    return connection


def _readable(connection: sqlite3.Connection, path: str | os.PathLike[str]) -> sqlite3.Connection:
    """Return a connection that can read: in a directory where SQLite cannot make its files, no repeater writes."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        wal = Path(f"{os.fspath(path)}-wal")
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_READONLY:  # its recorder was killed: SQLite has to repair the file first
            connection.close()
            return _connect(path, "mode=rw")
        if code != sqlite3.SQLITE_CANTOPEN:
            return connection
        if wal.exists() and wal.stat().st_size:
            raise RecordingError(
                f"{os.fspath(path)} is being recorded, or was not ended: to read it, you must be allowed to write "
                "into its directory"
            ) from error
        connection.close()
        return _connect(path, "immutable=1")
    except sqlite3.DatabaseError:
        pass  # `check` says what is wrong
    return connection


def _text(data: bytes) -> str:
    """Return text also if the file is damaged."""
    return data.decode("utf-8", "backslashreplace")


class Recording:
    """A recording that is open for reading; see `open_recording`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.damaged: bool = False
        """Whether some rows could not be read so far."""

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def facts(self) -> dict[str, str]:
        """What is known about the whole recording now, by name.

        ``dialect`` is as on the command line, ``""`` if it is not known. ``repeater_name``, ``server``, ``began`` (in
        microseconds since 1970), ``version`` (of twisted_repeater) and ``left_out`` (how many messages are missing)
        are others.
        """
        return dict(self._some("SELECT name, value FROM facts"))

    @property
    def count(self) -> int:
        """How many messages there are now."""
        found = self._some("SELECT max(id) FROM messages")
        return found[0][0] or 0 if found else 0

    def links(self, *, after: int = 0) -> Iterator[RecordedLink]:
        """Return the links and the refused clients, in the order in which they were recorded.

        Args:
            after: the number of the last link that you have.

        Returns:
            The links.
        """
        for row in self._rows("links", LINK, after):
            yield _link(row)

    def messages(self, *, after: int = 0, link: int | None = None) -> Iterator[RecordedMessage]:
        """Return the messages in the order of their numbers.

        You may take your time with each: no transaction stays open, so a repeater that writes the file is not held
        up. When the iterator ends, you may ask again for the messages that came meanwhile.

        Args:
            after: the number of the last message that you have.
            link: `RecordedLink.id` of the only link whose messages you want.

        Returns:
            The messages.
        """
        last = LAST
        if link is not None:
            first, last = self._range(link)
            after = max(after, first - 1)
        for row in self._rows("messages", MESSAGE, after):
            if row[0] > last:
                return
            if link is None or row[1] == link:
                try:
                    message = _message(row)
                except (TypeError, IndexError):
                    self.damaged = True
                else:
                    yield message

    def gaps(self) -> list[RecordedGap]:
        """Return the places where messages were left out."""
        rows = self._some('SELECT "after", began, ended, left_out, reason FROM gaps ORDER BY rowid')
        return [
            RecordedGap(after=after, began=began, ended=ended, left_out=left_out, reason=reason)
            for after, began, ended, left_out, reason in rows
        ]

    # -- reading --------------------------------------------------------------------------------------------------

    def _some(self, query: str) -> list[Any]:
        """Return the rows of a small query, none if they cannot be read."""
        try:
            return self._connection.execute(query).fetchall()
        except sqlite3.DatabaseError as error:
            self._note(error)
            return []

    def _range(self, link: int) -> tuple[int, int]:
        """Return between which numbers the messages of a link are."""
        found = self._some(f"SELECT first_message, last_message FROM links WHERE id = {link:d}")
        first, last = found[0] if found else (None, None)
        return first or 0, last or LAST

    def _rows(self, table: str, columns: str, after: int) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a table, without those that cannot be read."""
        query = f"SELECT {columns} FROM {table} WHERE id > ? ORDER BY id LIMIT ?"
        while True:
            rows, whole = self._page(query, after)
            yield from rows
            if rows:
                after = rows[-1][0]
            elif whole or after >= LAST:
                return
            else:
                after = self._after_damage(query, after)

    def _page(self, query: str, after: int, limit: int = ROWS) -> tuple[list[tuple[Any, ...]], bool]:
        """Return rows in one short transaction, and whether all that were asked for can be read."""
        rows: list[tuple[Any, ...]] = []
        size = 0
        cursor = self._connection.cursor()
        try:
            for row in cursor.execute(query, (after, limit)):
                if row[0] <= after:  # a page that was overwritten
                    self.damaged = True
                    return rows, False
                after = row[0]
                rows.append(row)
                size += sum(len(value) for value in row if type(value) is bytes)
                if size > BYTES:
                    break
        except sqlite3.DatabaseError as error:
            self._note(error)
            return rows, False
        finally:
            cursor.close()
        return rows, True

    def _note(self, error: sqlite3.DatabaseError) -> None:
        """Note that a part cannot be read; raise any other error."""
        if error.sqlite_errorcode & 0xFF not in DAMAGE:
            raise error
        self.damaged = True

    def _after_damage(self, query: str, bad: int) -> int:
        """Return the first number after which rows, or the end, can be read again, given one after which none can."""
        step = 1
        while not self._page(query, bad + step, 1)[1]:
            bad += step
            step *= 2
            if bad > LAST:
                return LAST
        good = bad + step
        while good - bad > 1:
            middle = (bad + good) // 2
            if self._page(query, middle, 1)[1]:
                good = middle
            else:
                bad = middle
        return good


def _message(row: tuple[Any, ...]) -> RecordedMessage:
    """Return the message of a row."""
    number, link, time, direction, origin, ordinal, frame, passed, forward, back, verdict, by_filter, took = row
    return RecordedMessage(
        id=number,
        link=link,
        time=time,
        direction=DIRECTIONS[direction],
        origin=ORIGINS[origin],
        number=ordinal,
        frame=_blob(frame),
        passed=bool(passed),
        forward=_blob(forward),
        back=_blob(back),
        verdict=verdict,
        by_filter=bool(by_filter),
        took=took or 0,
    )


def _blob(value: Any) -> bytes:
    """Return the bytes of a column. If they are NULL, there were none."""
    if value is None:
        return b""
    if type(value) is not bytes:
        raise TypeError("a page of the file is damaged")
    return value


def _link(row: tuple[Any, ...]) -> RecordedLink:
    """Return the link of a row."""
    names = LINK.split(", ")
    values = dict(zip(names, row, strict=True))
    return RecordedLink(**values | {"details": _details(values["details"])})


def _details(text: str | None) -> Mapping[str, object]:
    try:
        details = json.loads(text or "{}")
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}
