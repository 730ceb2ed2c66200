"""Recordings for tests, written without a repeater."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from twisted_repeater.recording import RecordedGap, RecordedLink, RecordedMessage, reader
from twisted_repeater.recording.schema import DIRECTIONS, ORIGINS, create

__all__ = ["write_recording"]

INSERT_LINK = f"INSERT INTO links ({reader.LINK}) VALUES ({', '.join('?' * 11)})"


def write_recording(
    path: str | Path,
    messages: Iterable[RecordedMessage] = (),
    *,
    links: Iterable[RecordedLink] = (),
    gaps: Iterable[RecordedGap] = (),
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a recording, or add to the one that is there.

    Args:
        path: the file.
        messages: the messages; an ``id`` of 0 means the next one.
        links: the links. A link of a message that is not among them gets a row with the name ``client-N``.
        gaps: the gaps.
        facts: the facts, such as ``{"dialect": "redis"}``.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            create(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", (facts or {}).items())
        for link in links:
            connection.execute(INSERT_LINK, _link_row(link))
        for message in messages:
            _insert(connection, message)
        for gap in gaps:
            row = (gap.after, gap.began, gap.ended, gap.left_out, gap.reason)
            connection.execute("INSERT INTO gaps VALUES (?, ?, ?, ?, ?)", row)
        connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, message: RecordedMessage) -> None:
    known = connection.execute("SELECT count(*) FROM links WHERE id = ?", (message.link,)).fetchone()[0]
    if not known:
        name = f"client-{message.link}"
        link = RecordedLink(id=message.link, link=message.link, client_name=name, made=message.time)
        connection.execute(INSERT_LINK, _link_row(link))
    row = (
        message.id or None,
        message.link,
        message.time,
        DIRECTIONS.index(message.direction),
        ORIGINS.index(message.origin),
        message.number,
        message.frame,
        message.passed,
        message.forward,
        message.back,
        message.verdict,
        message.by_filter,
        message.took,
    )
    connection.execute(f"INSERT INTO messages VALUES ({', '.join('?' * 13)})", row)


def _link_row(link: RecordedLink) -> tuple[object, ...]:
    return (
        link.id,
        link.link,
        link.client_name,
        link.client_address,
        link.server_name,
        link.server_address,
        link.made,
        link.ended,
        link.reason,
        link.refused,
        json.dumps(dict(link.details)),
    )
