"""PostgreSQL and its clients, with a small dialect between them that ends TLS and begins it again."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shlex
import signal
import socket
import ssl
import struct
import subprocess
from contextlib import closing
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.ssl import CertificateOptions, optionsForClientTLS, trustRootFromCertificates

from twisted_repeater import PASS_ON, Dialect, Limits, Link, SameName, Send, Side, Verdict
from twisted_repeater.dialects import Attempt
from twisted_repeater.errors import HelloTimeout, InvalidHello, ServerUnreachable
from twisted_repeater.framings import LengthFraming

from ..certificates import Authority
from ..needed import cannot_test, needed
from .hostile import listening
from .servers import RealCase, RealServer, bytewise, talk

DEBIAN_PACKAGES = "postgresql postgresql-client util-linux"

CANCEL, TLS, GSS = 80877102, 80877103, 80877104
"""What the first packet of a connection asks for, if not for a session."""

FIRST_PACKET = LengthFraming(10_000, size=4, adds=-4, header=8, whole=True)
YES = LengthFraming(1, size=1, adds=-ord("S"), whole=True)
"""Cuts the server's one byte that accepts TLS."""

BOUND = b"SCRAM-SHA-256-PLUS\0"
"""The offer of passwords that are bound to a certificate."""


def asking(request: int) -> bytes:
    """Make the packet that asks for something."""
    return struct.pack("!ii", 8, request)


class Postgres:
    """The opening of PostgreSQL. ``accepts`` are the options of TLS with clients, ``offers`` those with the server."""

    def __init__(self, accepts: Any = None, offers: Any = None) -> None:
        self.accepts = accepts
        self.offers = offers

    async def __call__(self, attempt: Attempt) -> None:
        """Answer the client's requests for encryption, until its startup packet tells its name."""
        client, server = attempt.client, attempt.server
        secure = False
        packet = (await client.read(FIRST_PACKET)).data
        while packet in (asking(TLS), asking(GSS)):
            begins = packet == asking(TLS) and self.accepts is not None
            client.send(b"S" if begins else b"N")
            if begins:
                await client.start_tls(self.accepts)
                secure = True
            packet = (await client.read(FIRST_PACKET)).data
        words = packet[8:].split(b"\0")
        user = dict(zip(words[::2], words[1::2], strict=False)).get(b"user", b"")
        name = None if packet[4:8] == asking(CANCEL)[4:] else user.decode()
        await attempt.admit(name, secure=secure)
        await attempt.dial()
        if self.offers is not None:
            server.send(asking(TLS))
            await server.read(YES)
            await server.start_tls(self.offers)
        server.send(packet)


def refusal(error: Exception, attempt: Attempt) -> bytes | None:
    """Return an error that clients show, unless it is not clear that they speak the protocol."""
    if isinstance(error, InvalidHello):
        return None
    fields = b"".join(name + text + b"\0" for name, text in ((b"S", b"FATAL"), (b"C", b"08004"), (b"M", words(error))))
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"


def words(error: Exception) -> bytes:
    """Return the text of an error."""
    return f"repeater: {error}".encode()


def postgres(opening: Postgres) -> Dialect:
    """Return the dialect."""
    return Dialect(
        name="postgres",
        framing=lambda limits: LengthFraming(limits.max_frame, size=4, at=1, adds=-4, whole=True),
        opening=opening,
        refusal=refusal,
        same_name=SameName.SHARE,
    )


def no_drop(message: bytes, link: Link) -> Verdict:
    """Let the server refuse DROP, by a statement that raises an error."""
    if message[:1] != b"Q" or not message[5:].lstrip().upper().startswith(b"DROP"):
        return PASS_ON
    statement = b"DO $$BEGIN RAISE EXCEPTION 'no DROP for %'; END$$\0".replace(b"%", link.client_name.encode())
    return Send(b"Q" + struct.pack("!i", len(statement) + 4) + statement)


def without_binding(message: bytes, link: Link) -> Verdict:
    """Do not offer passwords that are bound to a certificate to clients without TLS, which would take offence."""
    if message[:1] == b"R" and BOUND in message and not link.details["secure"]:
        message = message.replace(BOUND, b"")
        return Send(b"R" + struct.pack("!i", len(message) - 1) + message[5:])
    return PASS_ON


class Machine:
    """A PostgreSQL, started once for all tests, and the certificates that it and the repeater have."""

    def __init__(self) -> None:
        place = TemporaryDirectory(prefix="certificates-")
        atexit.register(place.cleanup)
        self.authority = Authority(place.name)
        self.issued = self.authority.issue("localhost")
        found = sorted(glob("/usr/lib/postgresql/*/bin/postgres"))
        if not found:
            cannot_test("postgres is missing: apt-get install postgresql")
        self.programs = Path(found[-1]).parent
        self.server = RealServer(self.command)
        atexit.register(self.server.stop)
        self.server.program.wait_for("ready to accept connections")
        self.as_owner("CREATE USER ann PASSWORD 'secret'; CREATE DATABASE d OWNER ann;")

    def command(self, port: int) -> list[str]:
        """Return the command that makes a database in the current directory, and serves it; never as root."""
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": ".",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": "own.pem",
            "ssl_key_file": "own.key",
        }
        script = f"""
            set -e
            cat {self.issued.certificate} >own.pem
            cat {self.issued.key} >own.key
            chmod 600 own.key
            become=
            if [ "$(id -u)" = 0 ]; then
                become="setpriv --reuid=nobody --regid=nogroup --clear-groups"
                chown -R nobody:nogroup .
            fi
            export LC_ALL=C.UTF-8
            $become {self.programs}/initdb --pgdata=data --username=owner --auth-local=trust \\
                --auth-host=scram-sha-256 --no-sync >/dev/null
            mv own.* data
            exec $become {self.programs}/postgres -D data {" ".join(f"-c {key}={settings[key]}" for key in settings)}
        """
        return ["sh", "-c", script]

    def as_owner(self, sql: str) -> str:
        """Run statements on the server itself, with all rights, and return what they show."""
        psql = [needed("psql", "postgresql-client"), "--no-psqlrc", "--tuples-only", "--no-align"]
        where = f"host={self.server.directory}/data port={self.server.port} user=owner dbname=postgres"
        done = subprocess.run([*psql, where], input=sql, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout


machine = functools.cache(Machine)


class PostgresCase(RealCase):
    """A test case with PostgreSQL, and a repeater before it."""

    def setUp(self) -> None:
        """Start the server, if it does not run yet."""
        self.machine = machine()
        super().setUp()
        self.addCleanup(self.flushWarnings)
        self.own = self.machine.issued.load()
        self.accepts = self.options()
        roots = trustRootFromCertificates([self.machine.authority.load()])
        self.offers = optionsForClientTLS("localhost", trustRoot=roots)

    def options(self, **options: Any) -> Any:
        """Return the options of the repeater's TLS with clients."""
        return CertificateOptions(self.own.privateKey.original, self.own.original, **options)

    async def start(self, accepts: Any = None, offers: Any = None, *, server: int = 0, **settings: Any) -> int:
        """Start a repeater before PostgreSQL, or before another port; return its own port."""
        dialect = postgres(Postgres(accepts, offers))
        defaults = {"to_server_filter": no_drop, "to_client_filter": without_binding}
        self.repeater = await self.start_repeater(dialect, server or self.machine.server.port, **defaults | settings)
        return self.repeater.port

    def psql(self, port: int, sslmode: str, **options: str) -> list[str]:
        """Return the command line of a client, with the user ann."""
        where = {"host": "localhost", "hostaddr": "127.0.0.1", "port": f"{port}", "user": "ann", "dbname": "d"}
        where |= {"password": "secret", "sslmode": sslmode, "sslrootcert": str(self.machine.authority.roots)}
        line = " ".join(f"{key}={value}" for key, value in (where | options).items())
        return [needed("psql", "postgresql-client"), "--no-psqlrc", "--tuples-only", "--no-align", line]

    async def ask(self, port: int, sslmode: str, sql: str, **options: str) -> str:
        """Return what psql prints for some statements."""
        _, printed = await self.run_client(*self.psql(port, sslmode, **options), says=sql)
        return printed


SECURE = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();"


class SessionTests(PostgresCase):
    """Sessions of real clients."""

    async def test_every_mode(self) -> None:
        """Whatever a client prefers and whatever the server's side is, it logs in, and filters see its statements."""
        for accepts in (None, self.accepts):
            for offers in (None, self.offers):
                port = await self.start(accepts, offers)
                for mode in ("disable", "allow", "prefer", "require", "verify-full"):
                    printed = await self.ask(port, mode, f"{SECURE}\nDROP TABLE kept;\nSELECT 'still ' || 'here';\n")
                    with self.subTest(accepts=accepts, offers=offers, mode=mode):
                        if accepts is None and mode in ("require", "verify-full"):
                            self.assertIn("server does not support SSL", printed)
                        else:
                            secure = "f" if offers is None else "t"
                            self.assertEqual(printed, f"{secure}\nERROR:  no DROP for ann\n{CONTEXT}\nstill here\n")

    async def test_channel_binding(self) -> None:
        """With one certificate on both sides even a password that is bound to it passes."""
        port = await self.start(self.accepts, self.offers)
        self.assertEqual(await self.ask(port, "verify-full", "SELECT 1", channel_binding="require"), "1\n")
        port = await self.start(self.accepts)
        printed = await self.ask(port, "verify-full", "SELECT 1", channel_binding="require")
        self.assertIn("channel binding", printed)
        self.assertEqual(await self.ask(port, "verify-full", "SELECT 1"), "1\n")

    async def test_wrong_password(self) -> None:
        """The server's own refusal reaches the client."""
        port = await self.start(self.accepts, self.offers)
        self.assertIn("password authentication failed", await self.ask(port, "prefer", "", password="guessed"))

    async def test_refused(self) -> None:
        """So does the repeater's, in TLS too."""
        port = await self.start(self.accepts, is_client_allowed=lambda name: name != "ann")
        for mode in ("disable", "require"):
            printed = await self.ask(port, mode, "SELECT 1")
            self.assertIn("FATAL:  repeater: client 'ann' is not allowed", printed)

    async def test_cancel(self) -> None:
        """A statement is cancelled: the request for it comes on a connection of its own, which gets no answer."""
        port = await self.start(self.accepts, self.offers)
        client = self.start_client(*self.psql(port, "prefer"), "--command=SELECT pg_sleep(50)")
        await self.until(lambda: "1" in self.machine.as_owner(f"SELECT count(*) FROM pg_stat_activity {SLEEPS};"))
        client.send_signal(signal.SIGINT)
        _, printed = await self.in_thread(client.end)
        self.assertIn("canceling statement due to user request", printed)

    async def test_bulk(self) -> None:
        """Much data goes in and comes out, through TLS on both sides."""
        port = await self.start(self.accepts, self.offers)
        await self.ask(port, "require", "CREATE TABLE IF NOT EXISTS bulk (a int, b text); TRUNCATE bulk;")
        rows = "".join(f"{number}\t{'x' * (number % 1000)}\n" for number in range(20_000))
        printed = await self.ask(port, "require", f"COPY bulk FROM STDIN;\n{rows}\\.\nCOPY bulk TO STDOUT;\n")
        self.assertTrue(sorted(printed.splitlines()) == sorted(f"COPY 20000\n{rows}".splitlines()), printed[:100])

    async def test_large_value(self) -> None:
        """A value of 12 MB passes in pieces in one direction, and whole through a filter in the other."""
        port = await self.start(self.accepts, self.offers)
        sql = f"SELECT length('{'y' * 12_000_000}');\nSELECT repeat('z', 12000000);\n"
        self.assertTrue(await self.ask(port, "require", sql) == "12000000\n" + "z" * 12_000_000 + "\n")

    async def test_pgbench(self) -> None:
        """Several sessions of one user at once, with prepared statements in pipelines."""
        port = await self.start(self.accepts, self.offers)
        script = Path(self.directory, "script.sql")
        pipeline = "".join(f"SELECT {number};\n" for number in range(20))
        script.write_text(f"\\startpipeline\n{pipeline}\\endpipeline\n")
        line = shlex.join(self.psql(port, "require")[-1:])
        bench = [str(self.machine.programs / "pgbench"), "--no-vacuum", "--client=5", "--transactions=20"]
        command = f"{shlex.join(bench)} --protocol=prepared --file={script} {line}"
        status, printed = await self.run_client("sh", "-c", command)
        self.assertEqual(status, 0, printed)
        self.assertIn("number of transactions actually processed: 100/100", printed)
        self.assertIn("number of failed transactions: 0", printed)


CONTEXT = "CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE"
SLEEPS = "WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"


class HostileTests(PostgresCase):
    """Peers that do what they should not cost only themselves."""

    async def assert_works(self, port: int) -> None:
        """A client is served."""
        self.assertEqual(await self.ask(port, "prefer", "SELECT 1"), "1\n")

    async def refused(self, port: int, *says: bytes, ends: bool = False) -> tuple[bytes, Any]:
        """Return what a client gets that says something, and why it was refused."""
        before = len(self.calls.refusals)
        got = await self.in_thread(talk, port, *says, ends=ends)
        await self.until(lambda: len(self.calls.refusals) > before)
        return got, self.calls.refusal

    async def test_requests(self) -> None:
        """Requests for encryption come in either order, byte by byte, and what is not offered is declined."""
        port = await self.start()
        startup = struct.pack("!ii", 18, 196608) + b"user\0ann\0\0"
        for requests in ((GSS,), (TLS,), (GSS, TLS), (TLS, GSS)):
            says = b"".join(map(asking, requests)) + startup
            answers = b"N" * len(requests) + b"R"
            got = await self.in_thread(talk, port, *bytewise(says), until=answers)
            self.assertTrue(got.startswith(answers), got)

    async def test_bytes_behind_the_request(self) -> None:
        """Bytes behind the request for TLS came in the clear: they are not taken for the client's."""
        port = await self.start(self.accepts, self.offers)
        got, error = await self.refused(port, asking(TLS) + struct.pack("!ii", 9, 196608) + b"\0")
        self.assertIn("sent bytes before TLS began", str(error))
        self.assertIn(got, (b"", b"S"))
        await self.assert_works(port)

    async def test_garbage_in_the_handshake(self) -> None:
        """A client that asks for TLS and goes on in something else gets no words of the protocol."""
        port = await self.start(self.accepts)
        hello = client_hello()
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", struct.pack("!ii", 9, 196608) + b"\0", hello[:100] + b"x" * 900):
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
        port = await self.start(self.accepts, limits=Limits(hello_timeout=0.5))
        for says in (b"", asking(TLS), asking(TLS)[:5]):
            _, error = await self.refused(port, says)
            self.assertIsInstance(error, HelloTimeout)
        await self.assert_works(port)

    async def test_end_in_the_middle(self) -> None:
        """A client that leaves in its first packet leaves nothing behind."""
        port = await self.start(self.accepts)
        for says in (asking(TLS)[:5], struct.pack("!ii", 100, 196608) + b"user\0"):
            got, _ = await self.refused(port, says, ends=True)
            self.assertEqual(got, b"")
        await self.assert_works(port)

    async def test_long_packet(self) -> None:
        """A first packet that says that it is long is not waited for."""
        port = await self.start(self.accepts)
        for size in (10_001, 0x7FFFFFFF, 0xFFFFFFFF, 7, 0):
            got, error = await self.refused(port, struct.pack("!Ii", size, 196608))
            self.assertEqual((got, type(error)), (b"", InvalidHello))
        await self.assert_works(port)

    async def test_server_that_declines(self) -> None:
        """Where TLS is wanted of a server that declines, or that says something else, the client hears why."""
        for says in (b"N", b"E\0\0\0\x08no\0\0", b"SS", b"S" + b"x" * 900, b""):
            async with listening(says) as server:
                port = await self.start(None, self.offers, server=server)
                printed = await self.ask(port, "disable", "SELECT 1")
                with self.subTest(says=says):
                    self.assertNotIn("no\n", printed)
                    self.assertIn(type(self.calls.refusal), (InvalidHello, ServerUnreachable))
                    self.assertIs(self.calls.refusal.side, Side.SERVER)

    async def test_distrusted_server(self) -> None:
        """A server with the certificate of somebody else gets no word of the client."""
        other = optionsForClientTLS("localhost", trustRoot=trustRootFromCertificates([self.own]))
        port = await self.start(self.accepts, other)
        printed = await self.ask(port, "require", "SELECT 1")
        self.assertIn("FATAL:  repeater: the server's TLS handshake failed: certificate verify failed", printed)


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
