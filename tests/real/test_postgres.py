"""PostgreSQL and its clients, with the dialect `postgres` between them: from the first byte to the last."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from twisted_repeater import PASS_ON, Limits, Link, Send, Side, Verdict
from twisted_repeater.dialects.postgres import (
    CopyData,
    DataRow,
    Query,
    Session,
)
from twisted_repeater.errors import HelloTimeout, InvalidHello, ServerUnreachable
from twisted_repeater.filters import wants

from ..certificates import Authority
from ..needed import needed
from ..peers import set_limits
from ..programs import LONGEST
from .hostile import listening
from .postgres_server import DEBIAN_PACKAGES as POSTGRES
from .postgres_server import PostgresCase
from .servers import bytewise, talk

DEBIAN_PACKAGES = "postgresql postgresql-client util-linux"
assert DEBIAN_PACKAGES == POSTGRES

CANCEL, TLS, GSS = 80877102, 80877103, 80877104
"""What the first packet of a connection asks for, if not for a session."""

MODES = ("disable", "allow", "prefer", "require", "verify-full")

SECURE = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
"""Says whether the server's connection uses TLS."""

BINDING_IS_HARD = "a password that is bound to the repeater's certificate cannot be checked by the server"

SLEEPS = "WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"


def asking(request: int) -> bytes:
    """Make the packet that asks for something."""
    return struct.pack("!ii", 8, request)


def startup(**parameters: str) -> bytes:
    """Make a startup packet."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 196608) + body


@wants(Query)
def marked(query: Query, link: Link) -> Verdict:
    """Change a statement."""
    return Send(Query(query.sql.replace("before", "after"))) if "before" in query.sql else PASS_ON


@wants(DataRow)
def seen(row: DataRow, link: Link) -> Verdict:
    """Pass a row on, decoded."""
    return PASS_ON


@wants(DataRow)
def once_more(row: DataRow, link: Link) -> Verdict:
    """Pass a row on, decoded and encoded."""
    return Send(DataRow(row.values))


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Make a message."""
    return kind + struct.pack("!I", len(body) + 4) + body


def raw_session(port: int) -> tuple[socket.socket, bytes]:
    """Return a session of bob without a library, and what cancels its statements. This blocks."""
    client = socket.create_connection(("127.0.0.1", port), LONGEST / 2)
    client.sendall(startup(user="bob", database="d"))
    data = b""
    while not data.endswith(message(b"Z", b"I")):
        data += client.recv(65536)
    return client, data[-14:-6]


class Case(PostgresCase):
    """A case with clients of psycopg, too."""

    def connect(self, port: int, **options: Any) -> Any:
        """Return a connection of psycopg. This blocks: call it in a thread."""
        return psycopg.connect(self.where(port, **options), autocommit=True)

    async def fetch(self, port: int, sql: str, **options: str) -> Any:
        """Return what psycopg fetches of the first row of a statement, or what it says of the failure to connect."""

        def fetch() -> Any:
            try:
                with closing(self.connect(port, **options)) as connection:
                    return connection.execute(sql).fetchone()[0]
            except psycopg.OperationalError as error:
                return str(error)

        return await self.in_thread(fetch)


class LegsTests(Case):
    """With TLS and without, on both sides of the repeater, before a server that speaks it."""

    async def test_every_mode(self) -> None:
        """Whatever a client prefers and whatever the server's side is, it logs in, and filters see its statements."""
        server = {"server_roots": str(self.machine.authority.roots), "server_host": "localhost"}
        for client in ({}, self.own):
            for tls in ({}, {"server_tls": "prefer"}, {"server_tls": "verify", **server}):
                port = await self.start({**client, **tls}, to_server_filter=marked)
                for mode in MODES:
                    printed = await self.ask(port, f"{SECURE};\nSELECT 'before';\n", sslmode=mode)
                    with self.subTest(client=client, tls=tls, mode=mode):
                        if not client and mode in ("require", "verify-full"):
                            self.assertIn("server does not support SSL", printed)
                        else:
                            self.assertEqual(printed, f"{'t' if tls else 'f'}\nafter\n")

    async def test_channel_binding(self) -> None:
        """A password that is bound to a certificate passes if it is the server's; else the client reads what to do."""
        own, other = self.own, self.other
        expected = {  # for channel_binding disable, prefer, require
            (None, "no"): ("f", "f", "requires"),
            (None, "require"): ("t", "t", "requires"),
            ("other", "no"): ("f", "f", "requires"),
            ("other", "require"): ("t", BINDING_IS_HARD, BINDING_IS_HARD),
            ("own", "no"): ("f", "f", "requires"),
            ("own", "require"): ("t", "t", "t"),
        }
        for (client, tls), answers in expected.items():
            files = {None: {}, "own": own, "other": other}[client]
            port = await self.start({**files, "server_tls": tls})
            mode = "require" if client else "disable"
            for binding, answer in zip(("disable", "prefer", "require"), answers, strict=True):
                said = await self.ask(port, SECURE, sslmode=mode, channel_binding=binding)
                fetched = await self.fetch(port, SECURE, sslmode=mode, channel_binding=binding)
                with self.subTest(client=client, tls=tls, binding=binding):
                    if answer == "requires":
                        self.assertIn("channel binding", said)
                        self.assertIn("channel binding", fetched)
                    elif answer == BINDING_IS_HARD:
                        self.assertIn(BINDING_IS_HARD, said)
                        self.assertIn("HINT:  Connect with channel_binding=disable", said)
                        self.assertIn(BINDING_IS_HARD, fetched)
                    else:
                        self.assertEqual((said, fetched), (f"{answer}\n", answer == "t"))

    async def test_passwords(self) -> None:
        """Passwords in the clear, MD5 and none pass, with TLS and without."""
        for options in ({}, {**self.other, "server_tls": "require"}):
            port = await self.start(options)
            for user in ("plain", "old", "bob"):
                for mode in ("disable", "require") if options else ("disable",):
                    printed = await self.ask(port, "SELECT current_user", user=user, sslmode=mode)
                    self.assertEqual(printed, f"{user}\n")
        port = await self.start()
        self.assertIn("no encryption", await self.ask(port, "", user="careful"))
        port = await self.start({"server_tls": "prefer"})
        self.assertEqual(await self.ask(port, "SELECT current_user", user="careful"), "careful\n")

    async def test_direct_tls(self) -> None:
        """A client may begin TLS at once, if it names the protocol in the handshake."""
        port = await self.start({**self.own, "server_tls": "require"})
        binding = {"sslmode": "verify-full", "sslnegotiation": "direct", "channel_binding": "require"}
        self.assertIs(await self.fetch(port, SECURE, **binding), True)
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            context = ssl.create_default_context(cafile=str(self.machine.authority.roots))

            def nameless() -> bytes:
                with context.wrap_socket(client, server_hostname="localhost") as secure:
                    return secure.recv(1)

            self.assertEqual(await self.in_thread(nameless), b"")
        self.assertIn("without naming postgresql by ALPN", str(self.calls.refusal))

    async def test_options_of_a_program(self) -> None:
        """A program can pass options of Twisted's in place of files."""
        options = {"client_options": self.options(acceptableProtocols=[b"postgresql"]), "client_tls": "require"}
        port = await self.start(options)
        self.assertIs(await self.fetch(port, SECURE, sslmode="require"), False)
        self.assertEqual(await self.ask(port, SECURE, sslmode="require"), "f\n")
        self.assertIn("the connection must use TLS", await self.ask(port, SECURE))

    async def test_distrusted_server(self) -> None:
        """A server with the certificate of somebody else gets no word of the client."""
        roots = str(Authority(self.directory, "another").roots)
        verify = {"server_tls": "verify", "server_host": "localhost", "server_roots": roots}
        port = await self.start(self.own | verify)
        printed = await self.ask(port, "SELECT 1", sslmode="require")
        self.assertIn("FATAL:  repeater: the server's TLS handshake failed: certificate verify failed", printed)


class WithoutTLSTests(Case):
    """The same before a server that has no TLS."""

    ssl = False

    async def test_every_mode(self) -> None:
        """The repeater can give clients the TLS that the server has not."""
        for client in ({}, self.own):
            for tls in ("no", "prefer"):
                port = await self.start({**client, "server_tls": tls})
                for mode in MODES:
                    printed = await self.ask(port, "SELECT 1", sslmode=mode)
                    with self.subTest(client=client, tls=tls, mode=mode):
                        refused = not client and mode in ("require", "verify-full")
                        self.assertIn("server does not support SSL" if refused else "1\n", printed)

    async def test_required(self) -> None:
        """Where the repeater is to use TLS, the client reads that the server declines."""
        port = await self.start(self.own | {"server_tls": "require"})
        for mode in ("disable", "require"):
            printed = await self.ask(port, "SELECT 1", sslmode=mode)
            self.assertIn("FATAL:  repeater: the server does not offer TLS, which is required", printed)


class SessionTests(Case):
    """Sessions of real clients, through TLS on both sides."""

    async def start(self, options: Any = None, **settings: Any) -> int:
        """Start a repeater that decodes all statements and rows."""
        filters = {"to_server_filter": marked, "to_client_filter": seen}
        return await super().start(options or {**self.own, "server_tls": "require"}, **filters | settings)

    async def test_wrong_password(self) -> None:
        """The server's own refusal reaches the client, also after it has taken the password."""
        port = await self.start()
        self.assertIn("password authentication failed", await self.ask(port, "", password="guessed"))
        self.assertIn("FATAL 28P01: password authentication failed", str(self.calls.refusal))
        self.assertIn('database "none" does not exist', await self.ask(port, "", dbname="none"))

    async def test_refused(self) -> None:
        """So does the repeater's, in TLS too."""
        port = await self.start(is_client_allowed=lambda name: name != "ann")
        for mode in ("disable", "require"):
            printed = await self.ask(port, "SELECT 1", sslmode=mode)
            self.assertIn("FATAL:  repeater: client 'ann' is not allowed", printed)
        self.assertEqual(await self.ask(port, "SELECT 1", user="bob"), "1\n")

    async def test_what_is_known_of_a_link(self) -> None:
        """Callbacks and filters know who is linked, to which database, and how."""
        links: list[Link] = []
        port = await self.start(on_connect=links.append)
        await self.ask(port, "SELECT 1", application_name="test")
        (link,) = links
        self.assertEqual(link.client_name, "ann")
        self.assertEqual(
            dict(link.details), {"database": "d", "application_name": "test", "secure": False, "cancel": False}
        )
        self.assertEqual(link.client_hello.parameters["user"], "ann")
        self.assertEqual(link.server_hello, Session((3, 0), True))

    async def test_cancel(self) -> None:
        """A statement is cancelled: the request for it comes on a connection of its own, which gets no answer."""
        port = await self.start()
        await self.cancelled_by_psql(port)
        await self.cancelled_by_psycopg(port)
        self.assertEqual(self.calls.refusals, [])

    async def sleeping(self, seconds: int) -> None:
        """Wait until a client's statement sleeps, and not that of another test, which may not have ended yet."""
        count = f"SELECT count(*) FROM pg_stat_activity {SLEEPS} AND query LIKE '%({seconds})%';"
        await self.until(lambda: "1" in self.machine.as_owner(count))

    async def cancelled_by_psql(self, port: int) -> None:
        """Interrupt psql, which asks without TLS."""
        client = self.start_client(*self.psql(port, sslmode="require"), "--command=SELECT pg_sleep(51)")
        await self.sleeping(51)
        client.send_signal(signal.SIGINT)
        _, printed = await self.in_thread(client.end)
        self.assertIn("canceling statement due to user request", printed)

    async def cancelled_by_psycopg(self, port: int) -> None:
        """Cancel by psycopg, which asks in TLS. Its older call would block this whole process."""
        connection = await self.in_thread(self.connect, port, sslmode="require")

        def sleep() -> str:
            try:
                connection.execute("SELECT pg_sleep(52)")
            except psycopg.errors.QueryCanceled as error:
                return str(error)
            return "it was not"

        result = self.in_thread(sleep)
        await self.sleeping(52)
        await self.in_thread(connection.cancel_safe)
        self.assertIn("canceling statement due to user request", await result)
        await self.in_thread(connection.close)

    async def test_cancel_and_leave(self) -> None:
        """A statement is cancelled also by a client that does not wait for the server to close."""
        port = await self.start()
        session, key = await self.in_thread(raw_session, port)
        with closing(session):
            session.sendall(message(b"Q", b"SELECT pg_sleep(53)\0"))
            await self.sleeping(53)
            with closing(socket.create_connection(("127.0.0.1", port))) as client:
                client.sendall(struct.pack("!ii", 16, CANCEL) + key)
            self.assertIn(b"C57014\0", await self.in_thread(session.recv, 65536))

    async def backends(self, count: int) -> None:
        """Wait until the server has so many sessions of bob."""
        sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bob';"
        await self.until(lambda: self.machine.as_owner(sql) == f"{count}\n", lambda: self.machine.as_owner(sql))

    async def test_killed_client(self) -> None:
        """If a client is killed in the middle of a result, of a COPY or of a transaction, the server's session ends.

        A server that sends notices only when its connection is aborted.
        """
        port = await self.start(limits=Limits(close_timeout=0.3))
        self.machine.as_owner(
            "DROP TABLE IF EXISTS copied; CREATE TABLE copied (a int); GRANT ALL ON copied TO bob", "d"
        )
        for sql, says in (
            (b"SELECT repeat('x', 1000) FROM generate_series(1, 10000000)", b""),
            (b"COPY copied FROM STDIN", message(b"d", b"1\n") * 10_000 + message(b"d", b"2\n")[:6]),
            (b"BEGIN; INSERT INTO copied VALUES (1)", b""),
        ):
            session, _ = await self.in_thread(raw_session, port)
            session.sendall(message(b"Q", sql + b"\0") + says)
            await self.in_thread(session.recv, 1000)
            await self.backends(1)
            session.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # as the system does
            session.close()
            await self.backends(0)
        self.assertEqual(self.machine.as_owner("SELECT count(*) FROM copied", "d"), "0\n")

    async def test_terminate(self) -> None:
        """A client that leaves in the middle of a pipeline gets the answers before, and nothing of what is after."""
        port = await self.start()
        pieces = (
            startup(user="bob", database="d"),
            message(b"Q", b"SELECT 1\0") + message(b"X"),
            message(b"Q", b"x\0"),
        )
        got = await self.in_thread(talk, port, *pieces)
        self.assertIn(b"SELECT 1\0", got)
        self.assertNotIn(b"ERROR", got)
        await self.backends(0)

    async def test_last_words_of_the_server(self) -> None:
        """If the server ends a session, the client reads why, before its connection ends."""
        port = await self.start()
        session, _ = await self.in_thread(raw_session, port)
        with closing(session):
            self.machine.as_owner("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bob';")
            self.assertIn(b"C57P01\0", await self.in_thread(received, session))

    async def test_bulk(self) -> None:
        """Much data goes in and comes out, with a filter that sees every row of it."""
        rows = "".join(f"{number}\t{'x' * (number % 1000)}\n" for number in range(20_000))
        sizes = []

        @wants(CopyData)
        def count(data: CopyData, link: Link) -> Verdict:
            sizes.append(len(data.data))
            return PASS_ON

        port = await self.start(to_client_filter=count)
        await self.ask(port, "CREATE TABLE IF NOT EXISTS bulk (a int, b text); TRUNCATE bulk;", sslmode="require")
        printed = await self.ask(port, f"COPY bulk FROM STDIN;\n{rows}\\.\nCOPY bulk TO STDOUT;\n", sslmode="require")
        self.assertTrue(sorted(printed.splitlines()) == sorted(f"COPY 20000\n{rows}".splitlines()), printed[:100])
        self.assertEqual((len(sizes), sum(sizes)), (20_000, len(rows)))

    async def test_large_value(self) -> None:
        """A value of 20 MB passes in pieces where no filter wants it, and whole through a filter."""
        for more in ({}, {"to_server_filter": None, "to_client_filter": once_more}):
            port = await self.start(**more)
            sql = f"SELECT length('{'y' * 20_000_000}');\nSELECT repeat('z', 20000000);\n"
            printed = await self.ask(port, sql, sslmode="require")
            self.assertTrue(printed == "20000000\n" + "z" * 20_000_000 + "\n", printed[:100])

    async def test_pgbench(self) -> None:
        """Several sessions of one user at once, in each of pgbench's protocols, and in pipelines."""
        port = await self.start()
        script = Path(self.directory, "script.sql")
        pipeline = "".join(f"SELECT {number};\n" for number in range(20))
        for protocol in ("simple", "extended", "prepared"):
            piped = f"\\startpipeline\n{pipeline}\\endpipeline\n"
            script.write_text(pipeline if protocol == "simple" else piped)
            bench = [str(self.machine.programs / "pgbench"), "--no-vacuum", "--client=5", "--transactions=20"]
            status, printed = await self.run_client(
                *bench, f"--protocol={protocol}", f"--file={script}", self.where(port, sslmode="require")
            )
            self.assertEqual(status, 0, printed)
            self.assertIn("number of transactions actually processed: 100/100", printed)
            self.assertIn("number of failed transactions: 0", printed)

    async def test_psycopg(self) -> None:
        """Pipelines, binary values, COPY and notifications of psycopg, with protocol 3.2, which the server declines."""
        port = await self.start()

        def session() -> None:
            with closing(self.connect(port, sslmode="require", max_protocol_version="3.2")) as connection:
                with connection.pipeline():
                    cursors = [connection.execute("SELECT %s::int8", [each], binary=True) for each in range(50)]
                    self.assertEqual([cursor.fetchone()[0] for cursor in cursors], list(range(50)))
                with connection.cursor() as cursor, cursor.copy("COPY (SELECT 1, NULL) TO STDOUT") as copy:
                    self.assertEqual(b"".join(map(bytes, copy)), b"1\t\\N\n")
                connection.execute("LISTEN here; NOTIFY here, 'now'")
                (notice,) = connection.notifies(stop_after=1)
                self.assertEqual(notice.payload, "now")

        await self.in_thread(session)
        self.assertEqual(self.calls.refusals, [])

    async def test_other_encodings(self) -> None:
        """Text in another encoding than UTF-8 arrives as it is, also in a statement that is decoded."""
        port = await self.start({}, to_server_filter=wants(Query)(lambda query, link: Send(Query(query.sql))))

        def session() -> None:
            with closing(self.connect(port, client_encoding="LATIN1")) as connection:
                self.assertEqual(connection.execute("SELECT 'é', ascii('é')").fetchone(), ("é", 233))

        await self.in_thread(session)

    async def test_parameters(self) -> None:
        """Parameters of the dialect override what the client says of them, wherever it says it."""
        for parameters in ({"default_transaction_read_only": "on"}, ("default_transaction_read_only=on",)):
            port = await self.start({"parameters": parameters})
            options = r"'-c\ default_transaction_read_only=off'"
            printed = await self.ask(port, "CREATE TABLE forbidden (a int)", options=options)
            self.assertIn("read-only transaction", printed)

    async def test_replication(self) -> None:
        """Replication passes: commands, and a stream in both directions."""
        port = await self.start()
        printed = await self.ask(port, "IDENTIFY_SYSTEM", replication="database")
        self.assertRegex(printed, r"^\d+\|1\|[0-9A-F/]+\|d\n$")
        receiver = [str(self.machine.programs / "pg_recvlogical"), "--dbname", self.where(port)]
        _, printed = await self.run_client(*receiver, "--slot=s", "--create-slot", "--plugin=test_decoding")
        self.assertEqual(printed, "")
        await self.ask(port, "CREATE TABLE replicated (a int); INSERT INTO replicated VALUES (42);")
        client = self.start_client(*receiver, "--slot=s", "--start", "--file=-")
        await self.in_thread(client.wait_for, r"INSERT: a\[integer\]:42")
        client.terminate()
        await self.in_thread(client.end)
        used = "SELECT active FROM pg_replication_slots WHERE slot_name = 's';"
        await self.until(lambda: "f" in self.machine.as_owner(used))  # the server notices its end a little later
        _, printed = await self.run_client(*receiver, "--slot=s", "--drop-slot")
        self.assertEqual(printed, "")

    async def test_isready(self) -> None:
        """A program that only looks whether the server is there finds it."""
        port = await self.start()
        ready = [needed("pg_isready", "postgresql-client"), "--host=127.0.0.1", f"--port={port}"]
        self.assertEqual((await self.run_client(*ready))[0], 0)


class HostileTests(Case):
    """Peers that do what they should not cost only themselves."""

    async def assert_works(self, port: int) -> None:
        """A client is served."""
        self.assertEqual(await self.ask(port, "SELECT 1", sslmode="prefer"), "1\n")

    async def refused(self, port: int, *says: bytes, ends: bool = False) -> tuple[bytes, Any]:
        """Return what a client gets that says something, and why it was refused."""
        before = len(self.calls.refusals)
        got = await self.in_thread(talk, port, *says, ends=ends)
        await self.until(lambda: len(self.calls.refusals) > before)
        return got, self.calls.refusal

    async def test_requests(self) -> None:
        """Requests for encryption come in either order, byte by byte, and what is not offered is declined."""
        port = await self.start()
        for requests in ((GSS,), (TLS,), (GSS, TLS), (TLS, GSS)):
            says = b"".join(map(asking, requests)) + startup(user="ann")
            answers = b"N" * len(requests) + b"R"
            got = await self.in_thread(talk, port, *bytewise(says), until=answers)
            self.assertTrue(got.startswith(answers), got)

    async def test_bytes_behind_the_request(self) -> None:
        """Bytes behind the request for TLS came in the clear: they are not taken for the client's."""
        port = await self.start({**self.own, "server_tls": "require"})
        got, error = await self.refused(port, asking(TLS) + startup(user="ann"))
        self.assertIn("sent bytes before TLS began", str(error))
        self.assertIn(got, (b"", b"S"))
        await self.assert_works(port)

    async def test_garbage_in_the_handshake(self) -> None:
        """A client that asks for TLS and goes on in something else gets no words of the protocol."""
        port = await self.start(self.own)
        hello = client_hello()
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", startup(user="ann"), hello[:100] + b"x" * 900):
            with closing(socket.create_connection(("127.0.0.1", port))) as client:
                client.sendall(asking(TLS))
                await self.in_thread(client.recv, 1)
                client.sendall(garbage)
                left = await self.in_thread(received, client)
            self.assertNotIn(b"repeater", left)
        await self.until(lambda: len(self.calls.refusals) == 3)
        self.assertEqual(self.calls.refusals, [(None, InvalidHello)] * 3)
        await self.assert_works(port)

    async def test_silence(self) -> None:
        """Silence ends a client in time, before the request for TLS and after."""
        port = await self.start(self.own, limits=Limits(hello_timeout=0.5))
        for says in (b"", asking(TLS), asking(TLS)[:5]):
            _, error = await self.refused(port, says)
            self.assertIsInstance(error, HelloTimeout)
        set_limits(self.repeater)
        await self.assert_works(port)

    async def test_end_in_the_middle(self) -> None:
        """A client that leaves in its first packet leaves nothing behind."""
        port = await self.start(self.own)
        for says in (asking(TLS)[:5], startup(user="ann")[:-3]):
            got, _ = await self.refused(port, says, ends=True)
            self.assertEqual(got, b"")
        await self.assert_works(port)

    async def test_long_packet(self) -> None:
        """A packet of 10 kB passes. One that says that it is longer is not waited for."""
        port = await self.start()
        long = startup(user="ann", application_name="x" * 9968)
        self.assertEqual((await self.in_thread(talk, port, long, until=b"R"))[:1], b"R")
        for size in (10_005, 0x7FFFFFFF, 0xFFFFFFFF):
            got, error = await self.refused(port, struct.pack("!Ii", size, 196608))
            self.assertIn(b"a startup packet must have at most 10004 bytes", got)
            self.assertIsInstance(error, InvalidHello)
        for says in (struct.pack("!Ii", 7, 196608), struct.pack("!Ii", 0, 196608), b"GET / HTTP/1.1\r\n\r\n"):
            got, error = await self.refused(port, says)
            self.assertEqual((got, type(error)), (b"", InvalidHello))
        await self.assert_works(port)

    async def test_server_that_declines(self) -> None:
        """Where TLS is wanted of a server that declines, or that says something else, the client hears why."""
        for says in (b"N", b"E\0\0\0\x08no\0\0", b"SS", b"S" + b"x" * 900, b""):
            async with listening(says) as server:
                port = await self.start({"server_tls": "require"}, server=server)
                printed = await self.ask(port, "SELECT 1")
                with self.subTest(says=says):
                    self.assertNotIn("no\n", printed)
                    self.assertIn(type(self.calls.refusal), (InvalidHello, ServerUnreachable))
                    self.assertIs(self.calls.refusal.side, Side.SERVER)

    async def test_message_that_cannot_be_read(self) -> None:
        """A message that a filter wants and that cannot be read ends its link, and the client reads why."""
        port = await self.start(to_server_filter=marked)
        says = (startup(user="bob", database="d"), b"Q\0\0\0\x08abcd")
        got = await self.in_thread(talk, port, *says)
        self.assertIn(b"repeater: a message of type 'Q' cannot be read", got)
        await self.assert_works(port)

    async def test_restart(self) -> None:
        """Clients read why the repeater closes their sessions."""
        port = await self.start()
        client = self.start_client(*self.psql(port), "--command=SELECT pg_sleep(50)")
        await self.until(lambda: "1" in self.machine.as_owner(f"SELECT count(*) FROM pg_stat_activity {SLEEPS};"))
        await self.repeater.shutdown()
        _, printed = await self.in_thread(client.end)
        self.assertIn("FATAL:  repeater: ", printed)


def client_hello() -> bytes:
    """Return the beginning of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    connection = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):  # the name `suppress` in a module means something to trial
        connection.do_handshake()
    return outgoing.read()


def received(client: socket.socket) -> bytes:
    """Return all that comes until the other end closes."""
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data
