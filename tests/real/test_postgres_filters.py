"""Filters for PostgreSQL between the real server and real clients: refusals, masks, sessions that only read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from twisted_repeater import PASS_ON, Link, Verdict, chain
from twisted_repeater.dialects.postgres import (
    Bind,
    Close,
    CopyData,
    DataRow,
    Describe,
    FunctionCall,
    MaskColumns,
    Parse,
    Query,
    ReadOnly,
    Statement,
    Statements,
    refuse,
)
from twisted_repeater.filters import ByType, FilterPair

from .postgres_server import DEBIAN_PACKAGES, PostgresCase
from .servers import talk

__all__ = ["DEBIAN_PACKAGES"]

T = TypeVar("T")

NO_DROP = "ERROR:  no DROP here"


def no_drop(message: Query | Parse, link: Link) -> Verdict:
    """Refuse DROP, in the fewest lines."""
    return refuse(message, "no DROP here") if "drop" in message.sql.lower() else PASS_ON


class NoDrop(ByType):
    """The same, for messages of two classes."""

    def on_text(self, message: Query | Parse, link: Link) -> Verdict:
        """Refuse DROP."""
        return no_drop(message, link)


def drops(statement: Statement, link: Link) -> str | None:
    """Return why a statement is refused."""
    return "no DROP here" if statement.words[:1] == ("DROP",) else None


class FiltersCase(PostgresCase):
    """A test case with a table, and a repeater with filters."""

    ssl = False

    def setUp(self) -> None:
        """Make the table anew."""
        super().setUp()
        self.machine.as_owner(
            "DROP TABLE IF EXISTS kept, gained CASCADE; CREATE TABLE kept (id int PRIMARY KEY, secret text); "
            "INSERT INTO kept VALUES (1, 'uno'), (2, 'due'); CREATE TABLE gained (id int); "
            "ALTER TABLE kept OWNER TO ann; ALTER TABLE gained OWNER TO ann; GRANT ALL ON kept, gained TO bob",
            "d",
        )

    def gained(self) -> str:
        """Return what was written, and committed."""
        return self.machine.as_owner("SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM gained", "d")[:-1]

    @contextmanager
    def connection(self, port: int, **options: Any) -> Iterator[psycopg.Connection[Any]]:
        """Connect by psycopg, for the time of a block in a thread."""
        with psycopg.connect(self.where(port), autocommit=True, **options) as connection:
            yield connection

    async def use(self, port: int, steps: Callable[[psycopg.Connection[Any]], T], **options: Any) -> T:
        """Take some steps with psycopg, in a thread."""

        def run() -> T:
            with self.connection(port, **options) as connection:
                return steps(connection)

        return await self.in_thread(run)


class RefusalTests(FiltersCase):
    """A refusal is right wherever it comes, as if the server had refused."""

    async def start_refusing(self) -> int:
        """Start a repeater that refuses DROP."""
        return await self.start(filters=Statements(refuse=drops))

    async def test_simple(self) -> None:
        """psql reads the reason; nothing of a text with a refused statement is run, and the session goes on."""
        port = await self.start_refusing()
        printed = await self.ask(
            port, "INSERT INTO gained VALUES (1)\\; drop table kept\\; INSERT INTO gained VALUES (2);\nSELECT 3;\n"
        )
        self.assertEqual(printed, f"{NO_DROP}\n3\n")
        self.assertEqual(self.gained(), "")

    async def test_five_lines(self) -> None:
        """A filter of five lines, a function of one message, is enough; SQLSTATE and reason reach programs."""
        port = await self.start(filters=FilterPair(to_server=NoDrop()))

        def steps(connection: psycopg.Connection[Any]) -> tuple[str | None, str | None, str | None]:
            with self.assertRaises(errors.InsufficientPrivilege) as caught:
                connection.execute("DROP TABLE kept")
            diagnostic = caught.exception.diag
            return diagnostic.severity, diagnostic.message_primary, diagnostic.statement_position

        self.assertEqual(await self.use(port, steps), ("ERROR", "no DROP here", None))

    async def test_transaction(self) -> None:
        """After a refusal COMMIT rolls back, because the server's transaction has failed."""
        port = await self.start_refusing()
        printed = await self.ask(
            port, "BEGIN;\nINSERT INTO gained VALUES (1);\nDROP TABLE kept;\nSELECT 1;\nDROP TABLE kept;\nCOMMIT;\n"
        )
        aborted = "current transaction is aborted, commands ignored until end of transaction block"
        self.assertEqual(printed, f"BEGIN\nINSERT 0 1\n{NO_DROP}\nERROR:  {aborted}\n{NO_DROP}\nROLLBACK\n")
        self.assertEqual(self.gained(), "")

    async def test_savepoint(self) -> None:
        """What came before a savepoint is kept, if the client goes back to it."""
        port = await self.start_refusing()
        sql = "BEGIN;\nINSERT INTO gained VALUES (1);\nSAVEPOINT a;\nDROP TABLE kept;\nROLLBACK TO a;\nCOMMIT;\n"
        printed = await self.ask(port, sql)
        self.assertEqual(printed, f"BEGIN\nINSERT 0 1\nSAVEPOINT\n{NO_DROP}\nROLLBACK\nCOMMIT\n")
        self.assertEqual(self.gained(), "1")

    async def test_on_error_rollback(self) -> None:
        """psql goes back by itself, with its savepoints around each statement."""
        port = await self.start_refusing()
        sql = "BEGIN;\nINSERT INTO gained VALUES (1);\nDROP TABLE kept;\nINSERT INTO gained VALUES (2);\nCOMMIT;\n"
        printed = await self.ask(port, f"\\set ON_ERROR_ROLLBACK on\n{sql}")
        self.assertEqual(printed, f"BEGIN\nINSERT 0 1\n{NO_DROP}\nINSERT 0 1\nCOMMIT\n")
        self.assertEqual(self.gained(), "1,2")

    async def test_gexec(self) -> None:
        """Statements that psql makes of a result are refused one by one."""
        port = await self.start_refusing()
        printed = await self.ask(port, "SELECT unnest(ARRAY['SELECT 1', 'DROP TABLE kept', 'SELECT 2']) \\gexec\n")
        self.assertEqual(printed, f"1\n{NO_DROP}\n2\n")

    async def test_parameters(self) -> None:
        """psycopg's statements with parameters are prepared, and refused when they are."""
        port = await self.start_refusing()

        def steps(connection: psycopg.Connection[Any]) -> object:
            with self.assertRaisesRegex(errors.InsufficientPrivilege, "no DROP here"):
                connection.execute("DROP TABLE kept -- %s", (1,), prepare=True)
            return connection.execute("SELECT %s::int", (7,), prepare=True).fetchone()

        self.assertEqual(await self.use(port, steps), (7,))

    async def test_pipeline(self) -> None:
        """In a pipeline a refusal aborts what follows up to the next Sync, and rolls back what came before."""
        port = await self.start_refusing()

        def steps(connection: psycopg.Connection[Any]) -> object:
            with connection.pipeline() as pipeline:
                first = connection.execute("INSERT INTO gained VALUES (%s) RETURNING id", (1,))
                refused = connection.execute("DROP TABLE kept")
                after = connection.execute("INSERT INTO gained VALUES (3)")
                with self.assertRaises(errors.InsufficientPrivilege):
                    pipeline.sync()
                for cursor, error in ((refused, psycopg.Error), (after, psycopg.Error)):
                    with self.assertRaises(error):
                        cursor.fetchone()
                self.assertEqual(first.fetchone(), (1,))
                return connection.execute("INSERT INTO gained VALUES (4) RETURNING id").fetchone()

        self.assertEqual(await self.use(port, steps), (4,))
        self.assertEqual(self.gained(), "4")

    async def test_at_once(self) -> None:
        """In a group without Sync the answers that are due come first, the error at once; then the server skips."""
        port = await self.start_refusing()
        asks = parse("", "INSERT INTO gained VALUES (1)") + BIND + EXECUTE + parse("a", "DROP TABLE kept") + BIND
        got = await self.in_thread(talk, port, STARTUP + asks, until=b"no DROP here\0\0")
        self.assertEqual(kinds(got), "12CE")
        got = await self.in_thread(talk, port, STARTUP + asks + SYNC + query("SELECT 5") + LEAVE)
        self.assertEqual(kinds(got), "12CEZTDCZ")
        self.assertEqual(self.gained(), "")

    async def test_call(self) -> None:
        """A call without SQL, a Bind, an Execute and a Close are refused in the same way, each with one error."""
        for asks, answers in (
            (frame(b"F", struct.pack("!IHHH", 1598, 0, 0, 0)), "EZ"),
            (parse("", "SELECT 1") + BIND + EXECUTE + SYNC, "1EZ"),
            (parse("", "SELECT 1") + frame(b"D", b"S\0") + SYNC, "1EZ"),
            (frame(b"C", b"Snothing\0") + SYNC, "EZ"),
        ):
            port = await self.start(to_server_filter=RefuseOthers())
            got = await self.in_thread(talk, port, STARTUP + asks + query("SELECT 5") + LEAVE)
            self.assertEqual(kinds(got), f"{answers}TDCZ")
            self.assertIn(b"M" + b"not here\0", got)

    async def test_copy(self) -> None:
        """Data of a COPY are refused, the COPY fails, and both sides go on."""
        port = await self.start(to_server_filter=NoThree())

        def steps(connection: psycopg.Connection[Any]) -> object:
            cursor = connection.cursor()
            with (
                self.assertRaisesRegex(errors.InsufficientPrivilege, "no three"),
                cursor.copy("COPY gained FROM STDIN") as copy,
            ):
                for row in ("1\n", "3\n", "5\n"):
                    copy.write(row)
            with cursor.copy("COPY gained FROM STDIN") as copy:
                copy.write("1\n2\n")
            with cursor.copy("COPY gained TO STDOUT") as copy:
                return list(copy.rows())

        self.assertEqual(await self.use(port, steps), [("1",), ("2",)])

    async def test_copy_in_the_extended_protocol(self) -> None:
        """A Sync within a COPY is swallowed by the server, before a refusal and after."""
        port = await self.start_refusing()
        copy = parse("", "COPY gained FROM STDIN") + BIND + EXECUTE + SYNC + frame(b"d", b"7\n") + frame(b"c") + SYNC
        asks = copy + parse("", "DROP TABLE kept") + BIND + EXECUTE + SYNC + copy + LEAVE
        got = await self.in_thread(talk, port, STARTUP + asks)
        self.assertEqual(kinds(got), "12GCZEZ12GCZ")
        self.assertEqual(self.gained(), "7,7")

    async def test_cursor(self) -> None:
        """A cursor whose FETCH is refused ends with its transaction; one that is held stays."""
        port = await self.start(filters=Statements(refuse=["FETCH ALL"]))
        sql = "DECLARE c CURSOR WITH HOLD FOR TABLE kept;\nBEGIN;\nDECLARE d CURSOR FOR TABLE kept;\nFETCH d;\n"
        printed = await self.ask(port, f"{sql}FETCH ALL d;\nFETCH d;\nCOMMIT;\nFETCH ALL c;\nFETCH c;\n")
        refused, aborted = "ERROR:  FETCH ALL is refused", "ERROR:  current transaction is aborted"
        lines = [line.partition(",")[0] for line in printed.splitlines()]
        begin = ["DECLARE CURSOR", "BEGIN", "DECLARE CURSOR", "1|uno", refused]
        self.assertEqual(lines, [*begin, aborted, "ROLLBACK", refused, "1|uno"])

    async def test_replication(self) -> None:
        """Commands of a connection for replication are refused too; a physical one has the server's own words."""
        port = await self.start(filters=Statements(refuse=["IDENTIFY_SYSTEM"]))
        printed = await self.ask(port, "IDENTIFY_SYSTEM;\nSHOW wal_level;\n", replication="database")
        self.assertEqual(printed, "ERROR:  IDENTIFY_SYSTEM is refused\nlogical\n")
        printed = await self.ask(port, "IDENTIFY_SYSTEM;\nSHOW wal_level;\n", replication="true")
        self.assertRegex(printed, r"^ERROR:  .*\n(?:.*\n)*logical\n$")
        self.assertNotIn("systemid", printed)

    async def test_words(self) -> None:
        """Words and an allow list do as they say, wherever comments, quotes and other statements hide a command."""
        port = await self.start(
            filters=chain(
                Statements(refuse=["DROP", "delete", "Create Table"]),
                Statements(allow=["SELECT", "EXPLAIN", "WITH", "DELETE"]),
            )
        )
        for sql, answer in (
            ("/* a /* nested */ ; */ drop table kept", "DROP is refused"),
            ("SELECT $a$;$a$, ';''', \";\" FROM (SELECT 1 AS \";\") x \\; DROP TABLE kept", "DROP is refused"),
            ("EXPLAIN ANALYZE DELETE FROM kept", "DELETE is refused"),
            ("WITH x AS (DELETE FROM kept RETURNING *) SELECT * FROM x", "DELETE is refused"),
            ("EXPLAIN (ANALYZE) CREATE TABLE other AS SELECT 1", "CREATE TABLE is refused"),
            ("INSERT INTO gained VALUES (1)", "INSERT is not allowed"),
            ("'x'", "a statement that begins with no word is not allowed"),
        ):
            self.assertEqual(await self.ask(port, f"{sql};\n"), f"ERROR:  {answer}\n")
        self.assertEqual(await self.ask(port, "SELECT 'drop; table', $$;drop$$ -- ; drop\n;\n"), "drop; table|;drop\n")

    async def test_other_settings(self) -> None:
        """With standard_conforming_strings off, and in another language, a refusal is the same."""
        port = await self.start_refusing()
        printed = await self.ask(
            port,
            "SET standard_conforming_strings = off;\nSET escape_string_warning = off;\nSELECT 'it\\'s drop';\n"
            "SELECT 'a\\\\'; DROP TABLE kept;\nSELECT 1\\; DROP TABLE kept;\n",
        )
        self.assertEqual(printed, f"SET\nSET\nit's drop\na\\\n{NO_DROP}\n{NO_DROP}\n")

    async def test_encoding(self) -> None:
        """In an encoding whose characters may end in a backslash, a text with one is refused; others pass untouched."""
        port = await self.start_refusing()

        def steps(connection: psycopg.Connection[Any]) -> object:
            connection.execute("SET client_encoding TO SJIS")
            row = connection.execute("SELECT '日本', octet_length('日本')".encode("shift_jis")).fetchone()
            with self.assertRaisesRegex(psycopg.Error, "cannot be read for sure in the client_encoding SJIS"):
                connection.execute("SELECT E'ソ'; DROP TABLE kept; --'".encode("shift_jis"))
            return row

        self.assertEqual(await self.use(port, steps), ("日本", 6))

    async def test_rewrite(self) -> None:
        """Statements are written anew, in both protocols, and what is around them stays."""
        port = await self.start(
            filters=Statements(rewrite=lambda sql, link: f"{sql} WHERE id = 1 --" if "kept" in sql else None)
        )
        self.assertEqual(await self.ask(port, "SELECT 1 \\; /* ; */ SELECT secret FROM kept ;\n"), "1\nuno\n")

        def steps(connection: psycopg.Connection[Any]) -> object:
            return connection.execute("SELECT secret, %s::int FROM kept", (5,), prepare=True).fetchall()

        self.assertEqual(await self.use(port, steps), [("uno", 5)])

    async def test_pgbench(self) -> None:
        """pgbench notices nothing of a filter that looks at every message, in all its ways to speak."""
        messages: list[object] = []

        def see(message: object, link: Link) -> Verdict:
            messages.append(message)
            return PASS_ON

        pair = chain(FilterPair(see, see), Statements(refuse=["DROP"]))
        port = await self.start(filters=pair)
        script = Path(self.directory, "script.sql")
        script.write_text("\\set id random(1, 2)\nBEGIN;\nSELECT secret FROM kept WHERE id = :id;\nEND;\n")
        for protocol in ("simple", "extended", "prepared"):
            command = [str(self.machine.programs / "pgbench"), "-n", "-c4", "-t10", f"-M{protocol}", f"-f{script}"]
            status, printed = await self.run_client(*command, self.where(port))
            self.assertEqual(status, 0, printed)
            self.assertIn("processed: 40/40", printed)
            self.assertIn("number of failed transactions: 0", printed)
        self.assertEqual(sum(isinstance(message, DataRow) for message in messages), 3 * 40)


class RefuseOthers(ByType):
    """Refuses what is neither text nor ends anything."""

    def on_message(self, message: Bind | Describe | Close | FunctionCall, link: Link) -> Verdict:
        """Refuse it."""
        return refuse(message, "not here")


class NoThree(ByType):
    """Refuses data with a three."""

    def on_data(self, data: CopyData, link: Link) -> Verdict:
        """Refuse it."""
        return refuse(data, "no three") if b"3" in data.data else PASS_ON


class MaskTests(FiltersCase):
    """Values of masked columns reach no client."""

    async def start_masking(self) -> int:
        """Start a repeater that masks a column by its name, and another by its numbers."""
        table = self.machine.as_owner("SELECT 'kept'::regclass::oid", "d").strip()
        return await self.start(filters=MaskColumns(["hidden", f"{table}.2"]))

    async def test_simple(self) -> None:
        """A column is masked whatever its name in the result is, in each result of a text, and when it is returned."""
        port = await self.start_masking()
        printed = await self.ask(
            port,
            '\\pset null NULL\nSELECT id, secret AS other FROM kept WHERE id = 1 \\; SELECT 5, 6 AS "Hidden";\n'
            "UPDATE kept SET id = 3 WHERE id = 1 RETURNING *;\nBEGIN;\nDECLARE c CURSOR FOR SELECT * FROM kept;\n"
            "FETCH c;\nCOMMIT;\nPREPARE p AS SELECT secret FROM kept LIMIT 1;\nEXECUTE p;\n",
        )
        lines = "1|NULL\n5|NULL\n3|NULL\nUPDATE 1\nBEGIN\nDECLARE CURSOR\n2|NULL\nCOMMIT\nPREPARE\nNULL\n"
        self.assertEqual(printed, f'Null display is "NULL".\n{lines}')

    async def test_prepared(self) -> None:
        """psycopg sees NULL in text and in binary, prepared or not, by a cursor of the server, and in a pipeline."""
        port = await self.start_masking()

        def steps(connection: psycopg.Connection[Any]) -> set[object]:
            seen: set[object] = set()
            for binary in (False, True):
                for prepare in (False, True):
                    cursor = connection.cursor(binary=binary)
                    for number in (1, 2):
                        sql = "SELECT secret FROM kept WHERE id = %s"
                        seen.add(cursor.execute(sql, (number,), prepare=prepare).fetchone())
            with connection.transaction(), connection.cursor("named") as cursor:
                seen |= set(cursor.execute("SELECT secret FROM kept"))
            with connection.pipeline():
                cursors = [connection.execute("SELECT secret, %s::int FROM kept", (9,)) for _ in range(50)]
                seen |= {cursor.fetchone() for cursor in cursors}
            return seen

        self.assertEqual(await self.use(port, steps), {(None,), (None, 9)})

    async def test_described_once(self) -> None:
        """A statement that was described once is masked whenever it is run, also beside another, and after errors."""
        port = await self.start_masking()
        asks = (
            parse("a", "SELECT secret FROM kept")
            + frame(b"D", b"Sa\0")
            + parse("b", "SELECT id FROM kept")
            + bind("y", "b")
            + frame(b"D", b"Py\0")
            + bind("x", "a")
            + frame(b"D", b"Sb\0")
            + frame(b"E", b"x\0\0\0\0\x01")
            + frame(b"E", b"y\0\0\0\0\x01")
            + frame(b"E", b"x\0\0\0\0\x00")
            + SYNC
            + bind("x", "a")
            + parse("c", "SELECT 1/0")
            + bind("x", "c")
            + frame(b"E", b"x\0\0\0\0\x00")
            + frame(b"E", b"x\0\0\0\0\x00")
            + SYNC
            + bind("x", "a")
            + frame(b"E", b"x\0\0\0\0\x00")
            + SYNC
            + LEAVE
        )
        got = await self.in_thread(talk, port, STARTUP + asks)
        self.assertEqual(kinds(got), "1tT12T2tTDsDsDCZ21EZ2DDCZ")
        self.assertNotIn(b"uno", got)
        self.assertNotIn(b"due", got)
        self.assertIn(b"\0\0\0\x011", got)

    async def test_not_described(self) -> None:
        """If the columns of a row are not known, or data have none, the link ends before the row."""
        port = await self.start_masking()
        for asks in (
            parse("", "SELECT secret FROM kept") + BIND + EXECUTE + SYNC,
            parse("", "SELECT id FROM kept")
            + frame(b"D", b"S\0")
            + parse("", "SELECT secret FROM kept")
            + BIND
            + EXECUTE,
        ):
            got = await self.in_thread(talk, port, STARTUP + asks + SYNC)
            self.assertIn(b"FATAL", got)
            self.assertIn(b"the columns of a row are not known", got)
            self.assertNotIn(b"uno", got)

    async def test_copy(self) -> None:
        """COPY TO and calls are refused, COPY FROM is not, with a Sync inside or without."""
        port = await self.start_masking()
        printed = await self.ask(port, "COPY kept TO STDOUT;\nCOPY (SELECT * FROM kept) TO STDOUT;\n")
        self.assertEqual(printed, "ERROR:  COPY TO is refused, because columns are masked\n" * 2)
        copy = parse("", "COPY gained FROM STDIN") + BIND + EXECUTE + SYNC + frame(b"d", b"7\n") + frame(b"c") + SYNC
        call = frame(b"F", struct.pack("!IHHH", 1598, 0, 0, 0))
        got = await self.in_thread(talk, port, STARTUP + copy + call + copy + query("TABLE kept") + LEAVE)
        self.assertEqual(kinds(got), "12GCZEZ12GCZTDDCZ")
        self.assertNotIn(b"uno", got)

    async def test_long_pipeline(self) -> None:
        """More messages than are kept may wait for answers: the client's side pauses, and all are answered."""
        port = await self.start_masking()
        asks = (bind("", "a") + EXECUTE) * 20_000
        begin = parse("a", "SELECT id, secret FROM kept WHERE id = 1") + frame(b"D", b"Sa\0")
        got = await self.in_thread(talk, port, STARTUP + begin + asks + SYNC + LEAVE)
        self.assertEqual(kinds(got), "1tT" + "2DC" * 20_000 + "Z")
        self.assertNotIn(b"uno", got)

    async def test_pgbench(self) -> None:
        """pgbench works with masked columns, in all its ways to speak, with pipelines too."""
        port = await self.start_masking()
        plain, pipeline = Path(self.directory, "plain.sql"), Path(self.directory, "pipeline.sql")
        plain.write_text("\\set id random(1, 2)\nSELECT secret FROM kept WHERE id = :id;\n")
        pipeline.write_text("\\startpipeline\n" + "SELECT * FROM kept;\nSELECT 1;\n" * 10 + "\\endpipeline\n")
        for protocol, script in (("simple", plain), ("extended", plain), ("prepared", plain), ("prepared", pipeline)):
            command = [str(self.machine.programs / "pgbench"), "-n", "-c4", "-t10", f"-M{protocol}", f"-f{script}"]
            status, printed = await self.run_client(*command, self.where(port))
            self.assertEqual(status, 0, printed)
            self.assertIn("processed: 40/40", printed)


READS = {"parameters": {"default_transaction_read_only": "on"}}


class ReadOnlyTests(FiltersCase):
    """Sessions that only read cannot be made to write."""

    async def test_reads(self) -> None:
        """Reading works: queries, transactions, cursors, COPY TO STDOUT, psql's commands and pg_dump."""
        port = await self.start(READS, filters=ReadOnly())
        printed = await self.ask(
            port,
            "SELECT secret FROM kept WHERE id = 1;\nBEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;\n"
            "DECLARE c CURSOR FOR TABLE kept;\nFETCH 1 FROM c;\nSAVEPOINT a;\nROLLBACK TO a;\nCOMMIT;\n"
            "COPY kept TO STDOUT;\nSET search_path = public;\nRESET search_path;\nEXPLAIN ANALYZE VALUES (1);\n"
            "\\d kept\n",
        )
        self.assertNotIn("ERROR", printed)
        self.assertIn("id|integer||not null|", printed)
        dump = str(self.machine.programs / "pg_dump")
        status, printed = await self.run_client(dump, "--inserts", "--table=kept", self.where(port))
        self.assertEqual(status, 0, printed)
        self.assertIn("VALUES (2, 'due')", printed)

    async def test_no_dodge(self) -> None:
        """No way that is known makes a session write."""
        port = await self.start(READS, filters=ReadOnly())
        writes = "INSERT INTO gained VALUES (1)"
        for dodge in DODGES:
            sql = "\n".join(f"{part};" for part in dodge.replace("WRITE;", f"{writes};").split("; "))
            for together in (False, True):
                text = sql.replace(";\n", "\\;\n") if together else sql
                printed = await self.ask(port, f"{text}\n{writes};\nCOMMIT;\n")
                with self.subTest(dodge=dodge, together=together):
                    self.assertIn("ERROR:  read only: ", printed)
        self.assertEqual(self.gained(), "")
        self.assertEqual(self.machine.as_owner("SELECT count(*) FROM pg_largeobject_metadata", "d"), "0\n")

    async def test_extended(self) -> None:
        """The extended protocol is no way round, and neither are options of the client."""
        port = await self.start(READS, filters=ReadOnly())

        def steps(connection: psycopg.Connection[Any]) -> None:
            for sql in ("SET default_transaction_read_only = off", "INSERT INTO gained VALUES (1)", "DO 'BEGIN END'"):
                with self.assertRaisesRegex(errors.ReadOnlySqlTransaction, "read only: "):
                    connection.execute(sql, prepare=True)
            with self.assertRaisesRegex(psycopg.Error, "read only: "):
                connection.execute("WITH x AS (INSERT INTO gained VALUES (1)) SELECT 1; CREATE TABLE w ()")

        await self.use(port, steps)
        printed = await self.ask(
            port, "WITH x AS (INSERT INTO gained VALUES (1)) SELECT 1", options="'-c default_transaction_read_only=off'"
        )
        self.assertIn("cannot execute SELECT in a read-only transaction", printed)
        call = frame(b"F", struct.pack("!IHHH", 957, 0, 0, 0))
        got = await self.in_thread(talk, port, STARTUP + call + LEAVE)
        self.assertIn(b"C25006\0Mread only: a call without SQL is refused\0", got)
        self.assertEqual(self.gained(), "")

    async def test_function(self) -> None:
        """If a function of the database makes transactions write again, the link ends."""
        self.machine.as_owner(
            "CREATE OR REPLACE FUNCTION opens() RETURNS text LANGUAGE sql "
            "AS $$ SELECT set_config('default_transaction_read_only', 'off', false) $$",
            "d",
        )
        port = await self.start(READS, filters=ReadOnly())
        printed = await self.ask(port, "SELECT opens();\nINSERT INTO gained VALUES (1);\n")
        self.assertIn("FATAL:  repeater: default_transaction_read_only is off", printed)
        self.assertEqual(self.gained(), "")

    async def test_without_the_parameter(self) -> None:
        """Without the option of the dialect the session ends at once, and the error says what to do."""
        port = await self.start(filters=ReadOnly())
        printed = await self.ask(port, "SELECT 1;\n")
        self.assertIn("the option parameters=default_transaction_read_only=on of the dialect", printed)

    async def test_replication(self) -> None:
        """A session for replication cannot make or drop slots."""
        port = await self.start(READS, filters=ReadOnly())
        printed = await self.ask(port, "CREATE_REPLICATION_SLOT a LOGICAL test_decoding;\n", replication="database")
        self.assertIn("read only: CREATE_REPLICATION_SLOT is refused", printed)


DODGES = [
    "BEGIN READ WRITE",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ/**/write",
    "BEGIN; SET TRANSACTION READ WRITE",
    "BEGIN; SET LOCAL transaction_read_only = off",
    "BEGIN; RESET transaction_read_only",
    "BEGIN; SET transaction_read_only TO DEFAULT",
    "BEGIN; ROLLBACK AND CHAIN; SET TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    'SET "Default_Transaction_Read_Only" = off',
    "SET U&\"default!005ftransaction_read_only\" UESCAPE '!' = off",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SELECT pg_catalog . \"set_config\" /**/ ('default' || '_transaction_read_only', 'off', false)",
    "SELECT set_config(name, 'OF', false) FROM pg_settings WHERE name LIKE 'default_transaction_read%'",
    "SELECT U&\"set!005fconfig\" UESCAPE '!' ('default_transaction_read_only', 'off', false)",
    "SELECT U&\"set\\005fconfig\"('default_transaction_read_only', 'off', false)",
    "DECLARE c CURSOR WITH HOLD FOR SELECT set_config('default_transaction_read_only', 'off', false)",
    "PREPARE p AS SELECT set_config('default_transaction_read_only', 'off', false); EXECUTE p",
    "EXPLAIN ANALYZE SELECT set_config('default_transaction_read_only', 'off', false)",
    "COPY (SELECT set_config('default_transaction_read_only', 'off', false)) TO STDOUT",
    "UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'",
    "SELECT query_to_xml('SELECT set_' || 'config(''default_transaction_read_only'', ''off'', false)',true,false,'')",
    "SELECT ts_stat('SELECT set_' || 'config(''default_transaction_read_only'', ''off'', false)::tsvector')",
    "DO $$BEGIN COMMIT; SET TRANSACTION READ WRITE; WRITE; END$$",
    "SELECT 'a\\' || set_config('default_transaction_read_only', 'off', false) || '\\'",
    "EXPLAIN ANALYZE CREATE TABLE w AS SELECT 1",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_create(0)",
    "COPY gained FROM STDIN",
    "COPY (SELECT 1) TO '/nowhere/x'",
    "COPY (SELECT ' TO STDOUT') TO PROGRAM 'true'",
    "PREPARE TRANSACTION 'a'",
    "COMMIT PREPARED 'a'",
    "VACUUM gained",
    "CALL opens()",
]


# -- messages ---------------------------------------------------------------------------------------------------------


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message."""
    return kind + struct.pack("!I", len(body) + 4) + body


def query(sql: str) -> bytes:
    """Return a Query."""
    return frame(b"Q", sql.encode() + b"\0")


def parse(name: str, sql: str) -> bytes:
    """Return a Parse."""
    return frame(b"P", f"{name}\0{sql}\0".encode() + b"\0\0")


def bind(portal: str, name: str) -> bytes:
    """Return a Bind."""
    return frame(b"B", f"{portal}\0{name}\0".encode() + b"\0\0\0\0\0\0")


BIND, EXECUTE, SYNC, LEAVE = bind("", ""), frame(b"E", b"\0\0\0\0\0"), frame(b"S"), frame(b"X")
STARTUP = struct.pack("!II", 29, 196608) + b"user\0bob\0database\0d\0\0"


def kinds(answers: bytes) -> str:
    """Return the types of the messages that follow the first ReadyForQuery, without notices."""
    found, at = "", 0
    while at < len(answers):
        found += chr(answers[at])
        at += 1 + int.from_bytes(answers[at + 1 : at + 5], "big")
    return found.partition("Z")[2].replace("N", "").replace("S", "")
