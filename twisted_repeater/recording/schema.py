"""The tables of a recording, and how its file says what it is."""

from __future__ import annotations

import sqlite3
from typing import Final

from ..model import Direction
from .records import Origin, RecordingError

__all__ = ["APPLICATION_ID", "DIRECTIONS", "ORIGINS", "VERSION", "check", "create", "has_id"]

APPLICATION_ID: Final = 0x7472_6563
"""Says in the file's header that it is a recording: "trec" in ASCII."""

PAGE_SIZE: Final = 16384
"""The size of the file's pages. A row costs a third less than with pages of 4096 bytes."""

VERSION: Final = 1
"""The version of the tables below, in the file's header."""

DIRECTIONS: Final = (Direction.TO_SERVER, Direction.TO_CLIENT)
"""The directions, in the order of their numbers in the file."""

ORIGINS: Final = (Origin.MESSAGE, Origin.OPENING, Origin.OWN)
"""The origins, in the order of their numbers in the file."""

# No message of a link has a number below first_message, or above last_message. This is cheaper than an index.
TABLES: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE links (
    id INTEGER PRIMARY KEY, link INTEGER, client_name TEXT, client_address TEXT, server_name TEXT,
    server_address TEXT, made INTEGER, ended INTEGER, reason TEXT, refused TEXT, details TEXT,
    first_message INTEGER, last_message INTEGER
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, link INTEGER REFERENCES links (id), time INTEGER, direction INTEGER,
    origin INTEGER DEFAULT 0, number INTEGER, frame BLOB, passed INTEGER DEFAULT 1, forward BLOB, back BLOB,
    verdict TEXT DEFAULT 'PASS_ON', by_filter INTEGER, took INTEGER
);
CREATE TABLE gaps ("after" INTEGER, began INTEGER, ended INTEGER, left_out INTEGER, reason TEXT);
"""

# A terminal must not obey what a stranger sent. SQLite ends a text at a zero byte, so there is a column in hex, too.
TRAFFIC: Final = """
CREATE VIEW traffic AS SELECT
    messages.id,
    strftime('%Y-%m-%d %H:%M:%f', messages.time / 1e6, 'unixepoch', 'localtime') AS time,
    client_name AS client,
    CASE direction WHEN 0 THEN 'to server' ELSE 'to client' END AS direction,
    CASE origin WHEN 0 THEN 'message' WHEN 1 THEN 'opening' ELSE 'own' END AS origin,
    number,
    verdict,
    length(frame) AS size,
    {frame} AS frame,
    {forward} AS forward,
    {back} AS back,
    hex(substr(messages.frame, 1, 200)) AS hex
FROM messages LEFT JOIN links ON links.id = messages.link;
"""

CONTROL: Final = ((27, "\\x1b"), (155, "\\x9b"), (13, "\\r"), (10, "\\n"))
"""Characters that would change the terminal or begin a line, and what the view shows instead."""


def create(connection: sqlite3.Connection) -> None:
    """Make an empty database a recording. It is whole or empty if the process is killed meanwhile."""
    columns = {name: _as_text(f"messages.{name}") for name in ("frame", "forward", "back")}
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
        f"{TABLES}{TRAFFIC.format(**columns)}COMMIT;"
    )


def check(connection: sqlite3.Connection, name: str) -> None:
    """Check that a database is a recording of this version.

    Args:
        connection: the database.
        name: the name of its file, for the error.

    Raises:
        RecordingError: it is not.
    """
    try:
        application_id = _number(connection, "application_id")
        version = _number(connection, "user_version")
    except sqlite3.DatabaseError as error:
        raise RecordingError(f"{name} must be a recording, but SQLite says: {error}") from error
    if not application_id and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise RecordingError(f"{name} must be a recording, but it is empty: nothing was recorded into it")
    if application_id != APPLICATION_ID:
        raise RecordingError(f"{name} must be a recording, not another file")
    if version > VERSION:
        raise RecordingError(
            f"{name} was recorded by a newer twisted_repeater: the version of the file must be at most {VERSION}, "
            f"not {version}"
        )


def has_id(path: str) -> bool:
    """Return whether the header of a file says that it is a recording; it may be damaged."""
    with open(path, "rb") as file:
        return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    """Return a number of the file's header."""
    number: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return number


def _as_text(column: str) -> str:
    """Return an expression for the beginning of a BLOB as text that a terminal can show."""
    text = f"CAST(substr({column}, 1, 200) AS TEXT)"
    for code, shown in CONTROL:
        text = f"replace({text}, char({code}), '{shown}')"
    return text
