"""Sessions of PostgreSQL to record."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
from glob import glob
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult

from twisted_repeater import Direction

from ..needed import needed
from ..real.servers import RealServer
from .recording import Message
from .sessions import Session, adding_to, say

__all__ = ["SESSIONS", "start"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)

RULES = """
host all ann all scram-sha-256
host all clear all password
host all hashed all md5
host all,replication all all trust
"""
USERS = """
CREATE USER ann PASSWORD 'secret' SUPERUSER;
CREATE USER clear PASSWORD 'secret';
CREATE USER bob SUPERUSER REPLICATION;
SET password_encryption = 'md5';
CREATE USER hashed PASSWORD 'secret';
"""


def start() -> RealServer:
    """Start a server without ssl, whose users log in in different ways; never as root."""
    programs = Path(sorted(glob("/usr/lib/postgresql/*/bin/postgres"))[-1]).parent
    become = "setpriv --reuid=nobody --regid=nogroup --clear-groups" if os.getuid() == 0 else ""

    def command(port: int) -> list[str]:
        script = f"""
            set -e
            export LC_ALL=C.UTF-8
            {"chown -R nobody:nogroup ." if become else ""}
            {become} {programs}/initdb --pgdata=data --username=owner --auth=trust --no-sync >/dev/null
            echo '{RULES}' >data/pg_hba.conf
            exec {become} {programs}/postgres -D data -p {port} -c listen_addresses=127.0.0.1 \\
                -c unix_socket_directories=. -c fsync=off -c wal_level=logical
        """
        return ["sh", "-c", script]

    server = RealServer(command)
    server.program.wait_for("ready to accept connections")
    with psycopg.connect(f"host=127.0.0.1 port={server.port} user=owner dbname=postgres", autocommit=True) as owner:
        for statement in filter(str.strip, USERS.split(";")):
            owner.execute(statement)
    return server


def line(port: int, **more: object) -> str:
    """Return what a client of libpq connects with."""
    options = {"host": "127.0.0.1", "port": port, "user": "bob", "dbname": "postgres", "sslmode": "disable"}
    options |= {"gssencmode": "disable", "application_name": "recorded", "client_encoding": "utf8"}
    return " ".join(f"{key}={value}" for key, value in (options | more).items())


def connect(port: int, *, autocommit: bool = True, **more: Any) -> psycopg.Connection[Any]:
    """Return a connection of psycopg."""
    return psycopg.connect(line(port, **more), autocommit=autocommit)


def tried(connection: psycopg.Connection[Any], sql: str, *arguments: Any, **options: Any) -> None:
    """Execute what may fail."""
    with contextlib.suppress(psycopg.Error):
        connection.execute(sql, *arguments, **options)


def plain(port: int, **more: Any) -> PGconn:
    """Return a connection of libpq itself."""
    connection = connect(port, **more).pgconn  # libpq's own way to connect blocks all threads, the tee's too
    connection.nonblocking = 0
    return connection


def result(connection: PGconn) -> PGresult | None:
    """Return the next result, without blocking other threads."""
    connection.flush()
    while connection.is_busy():
        select.select([connection.socket], [], [])
        connection.consume_input()
    return connection.get_result()


def copied(connection: PGconn) -> int:
    """Return the size of the next piece of a COPY, -1 at its end."""
    while not (size := connection.get_copy_data(1)[0]):
        select.select([connection.socket], [], [])
        connection.consume_input()
    return size


@session
def simple(port: int) -> None:
    """libpq: simple queries, several statements in one, empty ones, errors, notices, a transaction."""
    connection = plain(port)
    for sql in (
        "SELECT 1 AS one, NULL AS nothing, 'text' AS words",
        "SELECT 1; SELECT 2; SELECT 1/0; SELECT 3",
        "",
        ";;",
        "SELEC",
        "CREATE TEMP TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)",
        "SELECT * FROM t",
        "DO $$BEGIN RAISE NOTICE 'look'; END$$",
        "BEGIN",
        "INSERT INTO t VALUES (3, 'y')",
        "SELECT 1/0",
        "SELECT 2",
        "ROLLBACK",
        "SET application_name = 'other'",
        "SELECT 'äöü €'",
    ):
        connection.exec_(sql.encode())
    connection.finish()


@session
def extended(port: int) -> None:
    """psycopg: parameters and results, as text and binary, of many types; errors."""
    with connect(port) as connection:
        connection.prepare_threshold = None
        for binary in (False, True):
            tried(
                connection, "SELECT %s::int, %s::text, %s::bytea, %s::float8", (1, "x", b"\0\xff", 1.5), binary=binary
            )
            tried(connection, "SELECT %s::int[], %s::date, NULL::text", ([1, 2], "2020-01-01"), binary=binary)
        tried(connection, "SELECT %s / %s", (1, 0))
        tried(connection, "SELECT nothing FROM nowhere WHERE a = %s", (1,))
        tried(connection, "SELECT generate_series(1, %s)", (5,))


@session
def prepared(port: int) -> None:
    """psycopg: statements that are prepared once and executed often, then forgotten."""
    with connect(port) as connection:
        connection.prepare_threshold = 0
        connection.prepared_max = 2
        for number in range(3):
            tried(connection, "SELECT %s::int + 1 AS more", (number,))
        tried(connection, "SELECT %s::text AS same", ("x",))
        tried(connection, "SELECT %s::bool", (True,))
        tried(connection, "SELECT %s::int / 0", (1,))
        tried(connection, "DEALLOCATE ALL")


@session
def pipeline(port: int) -> None:
    """psycopg: a pipeline with three synchronisations, one of whose groups fails."""
    with connect(port) as connection, connection.pipeline() as pipe:
        for number in range(4):
            connection.execute("SELECT %s::int", (number,))
        pipe.sync()
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT 1/0")
            connection.execute("SELECT 2")
            pipe.sync()
        connection.execute("SELECT 3")


@session
def flush(port: int) -> None:
    """libpq: a pipeline with Flush, Describe and Close between, and two Syncs in a row."""
    connection = plain(port)
    connection.enter_pipeline_mode()
    connection.send_prepare(b"s", b"SELECT $1::int", [23])
    connection.send_describe_prepared(b"s")
    connection.send_query_prepared(b"s", [b"5"])
    connection.send_flush_request()
    connection.flush()
    for _ in range(3):
        while result(connection):
            pass
    connection.pipeline_sync()
    connection.pipeline_sync()
    for _ in range(2):
        result(connection)
    connection.exit_pipeline_mode()
    for send, name in (
        (connection.send_close_prepared, b"s"),
        (connection.send_close_portal, b"never opened"),
        (connection.send_describe_prepared, b"gone"),
    ):
        send(name)
        while result(connection):
            pass
    connection.finish()


@session
def copy_in(port: int) -> None:
    """psycopg: COPY into a table, as text, binary, and given up; a wrong row."""
    with connect(port) as connection:
        tried(connection, "CREATE TEMP TABLE t (a int, b text)")
        with connection.cursor().copy("COPY t FROM STDIN") as rows:
            for number in range(5):
                rows.write_row((number, f"row {number}"))
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT binary)") as rows:
            rows.set_types(["int4", "text"])
            rows.write_row((1, "one"))
        for wrong in (ValueError("given up"), None):
            try:
                with connection.cursor().copy("COPY t FROM STDIN") as rows:
                    rows.write(b"not a number\t\n")
                    if wrong:
                        raise wrong
            except (ValueError, psycopg.Error):
                pass


@session
def copy_out(port: int) -> None:
    """psycopg: COPY out of a query, as text and binary, and one that fails in the middle."""
    with connect(port) as connection:
        for sql in (
            "COPY (SELECT n, repeat('x', n) FROM generate_series(1, 10) n) TO STDOUT",
            "COPY (SELECT n FROM generate_series(1, 3) n) TO STDOUT (FORMAT binary)",
            "COPY (SELECT 1 / (3 - n) FROM generate_series(1, 9) n) TO STDOUT",
        ):
            try:
                with connection.cursor().copy(sql) as rows:
                    for _ in rows:
                        pass
            except psycopg.Error:
                pass


@session
def cancel(port: int) -> None:
    """psycopg: a statement is cancelled, on a connection of its own."""
    with connect(port) as connection:
        connection.pgconn.send_query(b"SELECT pg_sleep(50)")
        connection.pgconn.flush()
        connection.cancel_safe()
        while result(connection.pgconn):
            pass


@session
def notifications(port: int) -> None:
    """psycopg: LISTEN on one connection, NOTIFY on another."""
    with connect(port) as listener, connect(port) as other:
        listener.execute("LISTEN news")
        other.execute("NOTIFY news, 'rain'")
        other.execute("SELECT pg_notify('news', '')")
        listener.execute("SELECT 1")
        listener.execute("NOTIFY news, 'to myself'")
        listener.execute("UNLISTEN *")


@session
def cursors(port: int) -> None:
    """psycopg: a named cursor in a transaction, read in parts; one that is held."""
    with connect(port, autocommit=False) as connection:
        with connection.cursor("some") as cursor:
            cursor.execute("SELECT generate_series(1, 10)")
            cursor.fetchmany(3)
            cursor.fetchmany(3)
        with connection.cursor("held", withhold=True, scrollable=True) as cursor:
            cursor.execute("SELECT 'row ' || n FROM generate_series(1, 5) n")
            connection.commit()
            cursor.fetchone()
            cursor.scroll(-1)
            cursor.fetchall()


@session
def large(port: int) -> None:
    """psycopg: a value of 70 kB goes in as a parameter and comes back, and a long statement."""
    with connect(port) as connection:
        tried(connection, "SELECT %s::text", ("x" * 70_000,))
        tried(connection, f"SELECT length('{'y' * 9000}')")


@session
def scram(port: int) -> None:
    """psycopg: SCRAM, with the right password."""
    with connect(port, user="ann", password="secret") as connection:
        tried(connection, "SELECT current_user")


@session
def wrong_password(port: int) -> None:
    """psycopg: SCRAM, with a wrong password."""
    with contextlib.suppress(psycopg.OperationalError):
        connect(port, user="ann", password="guessed")


@session
def passwords(port: int) -> None:
    """psycopg: a password in the clear and one of MD5."""
    for user in ("clear", "hashed"):
        with connect(port, user=user, password="secret") as connection:
            tried(connection, "SELECT current_user")


@session
def encryption(port: int) -> None:
    """libpq asks for TLS, which is declined; then it goes on without."""
    plain(port, sslmode="prefer").finish()


@session
def newest_version(port: int) -> None:
    """libpq 18 asks for protocol 3.2, and the server knows 3.0 only."""
    plain(port, max_protocol_version="latest").finish()


@session
def no_database(port: int) -> None:
    """psycopg: a database that is not there."""
    with contextlib.suppress(psycopg.OperationalError):
        connect(port, dbname="nowhere")


@session
def replication(port: int) -> None:
    """libpq: a replication connection that streams, and ends the stream."""
    connection = plain(port, replication="database")
    for sql in (
        b"IDENTIFY_SYSTEM",
        b"CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput",
        b"CREATE TABLE replicated (a int); CREATE PUBLICATION p FOR ALL TABLES",
    ):
        connection.exec_(sql)
    slot = b"START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')"
    connection.send_query(slot)
    started = result(connection)
    assert started is not None
    assert started.status == pq.ExecStatus.COPY_BOTH
    with psycopg.connect(line(port).replace("bob", "owner"), autocommit=True) as other:
        other.execute("INSERT INTO replicated VALUES (1)")
    copied(connection)
    connection.put_copy_data(b"r" + bytes(32) + b"\x01")
    connection.put_copy_end()
    connection.flush()
    while copied(connection) > 0:
        pass
    while result(connection):
        pass
    connection.finish()


@session
def psql(port: int) -> None:
    """psql: a variable, a failing statement, COPY both ways."""
    typed = (
        "\\set ON_ERROR_STOP 0\nCREATE TEMP TABLE t (a int);\nCOPY t FROM STDIN;\n1\n2\n\\.\nCOPY t TO STDOUT;\nfoo;\n"
    )
    program = [needed("psql", "postgresql-client"), "--no-psqlrc", "--quiet", line(port)]
    subprocess.run(program, input=typed, text=True, check=True, capture_output=True)


def typed(kind: str, body: bytes = b"") -> bytes:
    """Return a message."""
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def started(*words: bytes, version: int = 196608) -> bytes:
    """Return a startup packet."""
    body = struct.pack("!i", version) + b"".join(word + b"\0" for word in words) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


READY = b"Z\0\0\0\x05I"
FAILED = b"Z\0\0\0\x05E"


@session
def by_hand(port: int) -> None:
    """Bytes that no library sends: FunctionCall, a COPY that swallows Sync, stray COPY messages, portals in parts."""
    parse = typed("P", b"\0SELECT generate_series(1, 7)\0\0\0")
    bind = typed("B", b"some\0\0\0\0\0\0\0\0")
    execute = typed("E", b"some\0\0\0\0\x03")
    copy = typed("P", b"\0COPY t FROM STDIN\0\0\0") + typed("B", b"\0\0\0\0\0\0\0\0") + typed("E", b"\0\0\0\0\0")
    sync = typed("S")
    call = typed("F", struct.pack("!ihhh", 1598, 0, 0, 1))
    say(
        port,
        (started(b"user", b"bob", b"database", b"postgres"), READY),
        (typed("Q", b"CREATE TEMP TABLE t (a text)\0"), READY),
        (call, READY),
        (copy + sync + typed("d", b"row\n") + typed("c") + sync, READY),
        (typed("d", b"stray") + typed("c") + typed("f", b"stray\0") + sync, READY),
        (typed("Q", b"BEGIN\0"), b"Z\0\0\0\x05T"),
        (parse + bind + typed("D", b"Psome\0") + execute + typed("H"), b"s\0\0\0\x04"),
        (execute + execute + execute + sync, b"Z\0\0\0\x05T"),
        (typed("Q", b"SELECT 1/0; SELECT 2\0"), FAILED),
        (parse + typed("Q", b"SELECT 3\0") + sync, FAILED),
        (typed("Q", b"ROLLBACK\0"), READY),
        (typed("C", b"Snever\0") + typed("C", b"Pnever\0") + sync, READY),
        (typed("Q", "SELECT 'ä'".encode("latin-1") + b"\0"), READY),
        (typed("X"), b""),
    )


@session
def by_hand_startups(port: int) -> None:
    """First packets that are rare: a version of the future with an option, no name, a cancellation of nothing."""
    future = started(b"user", b"bob", b"database", b"postgres", b"_pq_.new", b"1", version=0x0003270F)
    say(port, (future, READY), (typed("X"), b""))
    say(port, (started(), b"E"))
    say(port, (struct.pack("!iiii", 16, 80877102, 1, 2), b""))


@session
def declined(port: int) -> list[Message]:
    """Written by hand: both kinds of encryption are asked for, and declined."""
    up, down = Direction.TO_SERVER, Direction.TO_CLIENT
    return [
        (up, struct.pack("!ii", 8, 80877104)),
        (down, b"N"),
        (up, struct.pack("!ii", 8, 80877103)),
        (down, b"N"),
        (up, started(b"user", b"bob")),
        (down, typed("R", b"\0\0\0\0")),
        (down, READY),
        (up, typed("X")),
    ]


@session
def future_messages(port: int) -> list[Message]:
    """Written by hand, as newer servers send them: version 3.2 with a long key, unknown types, a late failure."""
    up, down = Direction.TO_SERVER, Direction.TO_CLIENT
    return [
        (up, started(b"user", b"bob", version=196610)),
        (down, typed("R", b"\0\0\0\0")),
        (down, typed("K", b"\0\0\0\x07" + bytes(range(64)))),
        (down, READY),
        (up, typed("Q", b"SELECT\0")),
        (down, typed("T", b"\0\0")),
        (down, typed("D", b"\0\0")),
        (down, typed("C", b"SELECT 1\0")),
        (down, READY),
        (up, typed("~", b"what is new")),
        (down, typed("~", b"is answered in kind")),
        (down, typed("E", b"SFATAL\0VFATAL\0C57P01\0Mthe end\0\0")),
    ]
