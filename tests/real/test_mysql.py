"""MariaDB and its clients, with the example ``mysql_dialect`` between them."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import subprocess
import tempfile
from contextlib import closing
from typing import Any

import pymysql
from pymysql._auth import scramble_native_password
from pymysql.constants import COMMAND
from pymysql.cursors import SSCursor

from twisted_repeater import Limits, Repeater, ServerUnreachable

from ..needed import needed
from ..peers import set_limits
from ..real_sockets import TLSSockets
from .hostile import listening
from .servers import RealCase, RealServer, bytewise, example, talk

DEBIAN_PACKAGES = "mariadb-server mariadb-client"

mysql_dialect = example("mysql_dialect")

SETUP = """
CREATE DATABASE d; USE d;
CREATE TABLE kept (a INT PRIMARY KEY, b LONGTEXT);
INSERT INTO kept VALUES (1, 'one');
CREATE USER ann@'127.0.0.1' IDENTIFIED BY 'secret';
CREATE USER bob@'127.0.0.1' IDENTIFIED BY '';
CREATE USER eve@'127.0.0.1' IDENTIFIED BY '';
CREATE USER kim@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('curve');
GRANT ALL ON d.* TO ann@'127.0.0.1'; GRANT ALL ON d.* TO bob@'127.0.0.1'; GRANT ALL ON d.* TO kim@'127.0.0.1';
"""
LARGEST = mysql_dialect.LARGEST
CIPHER = "SHOW STATUS LIKE 'Ssl_cipher'"
REFUSED = "DROP TABLE is not allowed here"


@functools.cache
def mariadb() -> RealServer:
    """Start the server, once for all tests."""
    install = needed("mariadb-install-db", "mariadb-server")
    server = needed("mariadbd", "mariadb-server")
    certificates = tempfile.mkdtemp(prefix="certificates-")
    atexit.register(shutil.rmtree, certificates)
    tls = TLSSockets(f"{certificates}/own")

    def command(port: int) -> list[str]:
        # The directory is the server's own, where it starts.
        made = f"{install} --no-defaults --datadir=$PWD/data --auth-root-authentication-method=normal --skip-test-db"
        run = (
            f"{server} --no-defaults --datadir=$PWD/data --socket=$PWD/socket --bind-address=127.0.0.1 --port={port}"
            " --skip-name-resolve --local-infile=1 --max-allowed-packet=64M --plugin-load-add=auth_ed25519"
            f" --ssl-key={tls.key} --ssl-cert={tls.certificate}"
            " --innodb-flush-log-at-trx-commit=0 --skip-log-bin --user=$(id -un)"
        )
        return ["sh", "-c", f"test -d data || {made} --user=$(id -un) >install.log 2>&1; exec {run}"]

    running = RealServer(command)
    atexit.register(running.stop)
    running.program.wait_for("ready for connections")
    as_root(running, SETUP)
    return running


def as_root(server: RealServer, sql: str) -> str:
    """Run statements on the server itself, with all rights, and return what they show."""
    client = [needed("mariadb", "mariadb-client"), "--no-defaults", f"--socket={server.directory}/socket"]
    options = ["--user=root", "--batch", "--skip-column-names"]
    return subprocess.run([*client, *options], input=sql, stdout=subprocess.PIPE, text=True, check=True).stdout


class MySQLCase(RealCase):
    """A test case with MariaDB and a repeater before it."""

    def setUp(self) -> None:
        """Start the server, if it does not run yet."""
        self.server = mariadb()
        super().setUp()

    async def start(self, **settings: Any) -> Repeater:
        """Start a repeater before the server."""
        filters = {"to_server_filter": mysql_dialect.guard}
        return await self.start_repeater(mysql_dialect.mysql(), self.server.port, **filters | settings)

    def connect(self, port: int, user: str = "ann", password: str = "secret", **options: Any) -> Any:
        """Return a connection of PyMySQL, which blocks."""
        return pymysql.connect(
            host="127.0.0.1",
            port=port,
            user=user,
            password=password,
            database="d",
            max_allowed_packet=1 << 26,
            **options,
        )

    def command(self, port: int, *options: str, program: str = "mariadb") -> list[str]:
        """Return the command line of a client, with the user ann."""
        path = needed(program, "mariadb-client")
        login = ["--user=ann", "--password=secret"]
        return [path, "--no-defaults", "--host=127.0.0.1", f"--port={port}", *login, *options]

    async def ask(self, port: int, sql: str, **options: Any) -> Any:
        """Return the rows of a statement, on a connection of its own."""

        def run() -> Any:
            with closing(self.connect(port, **options)) as connection, connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

        return await self.in_thread(run)


class StatementTests(MySQLCase):
    """What goes through, and what does not."""

    async def test_command_line(self) -> None:
        """The client of the command line runs its statements; DROP TABLE is refused by the server, and nothing else."""
        repeater = await self.start()
        sql = (
            "CREATE TABLE mine (a INT); INSERT INTO mine VALUES (1), (2); SELECT SUM(a) FROM mine; DROP TABLE mine;"
            " DROP VIEW mine; SELECT 'drop view', COUNT(*) FROM mine; DROP TEMPORARY TABLE IF EXISTS other"
        )
        command = self.command(repeater.port, "--force", "--skip-column-names", "d")
        _, output = await self.run_client(*command, says=sql)
        self.assertEqual(output.count("ERROR"), 2, output)
        self.assertIn(f"ERROR 1142 (42000) at line 1: {REFUSED}", output)
        self.assertIn("Unknown VIEW: 'd.mine'", output)
        self.assertIn("3\n", output)
        self.assertIn("drop view\t2\n", output)
        await self.ask(self.server.port, "DROP TABLE mine")

    async def test_dump(self) -> None:
        """A dump is the same through the repeater."""
        repeater = await self.start()
        dumps = []
        for port in (self.server.port, repeater.port):
            command = self.command(port, "--skip-dump-date", "--hex-blob", "d", program="mariadb-dump")
            status, output = await self.run_client(*command)
            self.assertEqual(status, 0, output)
            dumps.append(output)
        self.assertIn("INSERT INTO `kept`", dumps[0])
        self.assertEqual(dumps[1], dumps[0])

    async def test_refused_in_transaction(self) -> None:
        """A refused statement leaves the transaction as an error of the server does."""
        repeater = await self.start()

        def run() -> Any:
            with closing(self.connect(repeater.port)) as connection, connection.cursor() as cursor:
                connection.begin()
                cursor.execute("INSERT INTO kept VALUES (2, 'two')")
                with self.assertRaisesRegex(pymysql.OperationalError, REFUSED):
                    cursor.execute("drop\n\ttable kept")
                connection.rollback()
                cursor.execute("SELECT * FROM kept")
                return cursor.fetchall()

        self.assertEqual(await self.in_thread(run), ((1, "one"),))

    async def test_refused_prepared(self) -> None:
        """A statement that is prepared is refused as well."""
        repeater = await self.start()

        def run() -> None:
            with closing(self.connect(repeater.port)) as connection:
                connection._execute_command(COMMAND.COM_STMT_PREPARE, "SELECT 1 + ?")
                prepared = connection._read_packet()
                self.assertTrue(prepared.is_ok_packet())
                for _ in range(4):  # what it takes and gives
                    connection._read_packet()
                connection._execute_command(COMMAND.COM_STMT_PREPARE, "DROP TABLE kept")
                self.assertRaises(pymysql.MySQLError, refused, connection)

        def refused(connection: Any) -> None:
            number = int.from_bytes(connection._read_packet()._data[1:5], "little")
            connection._execute_command(COMMAND.COM_STMT_EXECUTE, number.to_bytes(4, "little") + b"\0\1\0\0\0")
            connection._read_packet()

        await self.in_thread(run)
        self.assertEqual(await self.ask(repeater.port, "SELECT COUNT(*) FROM kept"), ((1,),))

    async def test_sizes(self) -> None:
        """Statements and rows around 16 MiB, which go on in a second packet, pass whole."""
        repeater = await self.start()

        def run() -> None:
            with closing(self.connect(repeater.port)) as connection, connection.cursor() as cursor:
                for size in (LARGEST - 1, LARGEST, LARGEST + 1):
                    text = "x" * (size - 1 - len("SELECT '', ''"))  # 1 for the command
                    cursor.execute(f"SELECT '{text}', ''")
                    self.assertTrue(cursor.fetchone() == (text, ""))
                    row = "y" * (size - 4)  # 4 for its length
                    cursor.execute(f"SELECT REPEAT('y', {size - 4})")
                    self.assertTrue(cursor.fetchone() == (row,))

        await self.in_thread(run)

    async def test_refused_large(self) -> None:
        """A DROP TABLE in a statement that goes on in a second packet costs the link, and does not reach the server."""
        repeater = await self.start()
        with self.assertRaises(pymysql.OperationalError):
            await self.ask(repeater.port, f"DROP TABLE kept -- {'x' * LARGEST}")
        self.assertEqual(await self.ask(repeater.port, "SELECT COUNT(*) FROM kept"), ((1,),))

    async def test_large_result(self) -> None:
        """A result of many rows arrives whole, while it is read slowly and another client is served."""
        repeater = await self.start()
        count = 100_000

        def run() -> str:
            digest = hashlib.sha256()
            connection = self.connect(repeater.port, cursorclass=SSCursor)
            with closing(connection), connection.cursor() as cursor:
                cursor.execute(f"SELECT seq, REPEAT('z', 100) FROM seq_1_to_{count}")
                for row in cursor:
                    digest.update(repr(row).encode())
            return digest.hexdigest()

        expected = hashlib.sha256()
        for number in range(1, count + 1):
            expected.update(repr((number, "z" * 100)).encode())
        large = self.in_thread(run)
        self.assertEqual(await self.ask(repeater.port, "SELECT 1"), ((1,),))
        self.assertEqual(await large, expected.hexdigest())


class LoginTests(MySQLCase):
    """Who is let in, and by what name."""

    async def test_named(self) -> None:
        """A link gets the name of its user, and a user may have several."""
        repeater = await self.start()

        def linked() -> Any:
            return self.connect(repeater.port)

        connections = [await self.in_thread(linked) for _ in range(2)]
        try:
            self.assertEqual(repeater.active_clients(), ["ann"])
            self.assertEqual(len(repeater.links("ann")), 2)
        finally:
            for connection in connections:
                await self.in_thread(connection.close)

    async def test_not_allowed(self) -> None:
        """A user who is not allowed reads why, and does not reach the server."""
        repeater = await self.start(is_client_allowed=lambda name: name != "eve")
        with self.assertRaisesRegex(pymysql.OperationalError, "eve"):
            await self.ask(repeater.port, "SELECT 1", user="eve", password="")
        self.assertEqual(await self.ask(repeater.port, "SELECT 1", user="bob", password=""), ((1,),))

    async def test_change_user(self) -> None:
        """A user who takes another one's place is asked about again."""
        repeater = await self.start(is_client_allowed=lambda name: name != "eve")

        def become(connection: Any, user: str) -> Any:
            connection._execute_command(
                COMMAND.COM_CHANGE_USER, user.encode() + b"\0\0d\0\x21\0mysql_native_password\0\0"
            )
            packet = connection._read_packet()
            if packet.is_auth_switch_request():
                connection.write_packet(scramble_native_password(b"", connection.salt))
                packet = connection._read_packet()
            return packet

        def run() -> None:
            with closing(self.connect(repeater.port)) as connection:
                self.assertTrue(become(connection, "bob").is_ok_packet())
                self.assertEqual(repeater.active_clients(), ["bob"])
                with self.assertRaisesRegex(pymysql.OperationalError, "eve"):
                    become(connection, "eve")

        await self.in_thread(run)

    async def test_wrong_password(self) -> None:
        """The server's answer to a wrong password is the client's."""
        repeater = await self.start()
        for port in (self.server.port, repeater.port):
            with self.assertRaisesRegex(pymysql.OperationalError, r"Access denied for user 'ann'@'127.0.0.1' \(using"):
                await self.ask(port, "SELECT 1", password="wrong")

    async def test_other_login(self) -> None:
        """A login with more steps, by ed25519, works; the challenge is the server's own."""
        repeater = await self.start()
        status, output = await self.run_client(
            *self.command(repeater.port, "--user=kim", "--password=curve", "--execute=SELECT USER()")
        )
        self.assertEqual((status, "kim@127.0.0.1" in output), (0, True), output)

    async def test_offers(self) -> None:
        """A client that would like TLS and compression goes on without; one that insists on TLS says so."""
        repeater = await self.start()
        query = "--execute=SHOW STATUS WHERE Variable_name IN ('Compression', 'Ssl_cipher')"
        status, output = await self.run_client(*self.command(repeater.port, "--compress", "--ssl", query))
        self.assertEqual((status, "OFF" in output, "TLS" in output), (0, True, False), output)
        status, output = await self.run_client(*self.command(self.server.port, "--ssl", query))
        self.assertEqual((status, "TLS" in output), (0, True), output)  # which the server offers, if it is asked itself
        with self.assertRaisesRegex(pymysql.OperationalError, "SSL is required but the server doesn't support it"):
            await self.ask(repeater.port, "SELECT 1", ssl={"check_hostname": False})

    async def test_local_files(self) -> None:
        """The server cannot ask the client for a file."""
        repeater = await self.start()
        file = self.directory / "rows"
        file.write_text("7\tseven\n")
        sql = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE kept"
        with self.assertRaisesRegex(pymysql.OperationalError, "local infile"):
            await self.ask(repeater.port, sql, local_infile=True)


class RefusalTests(MySQLCase):
    """Clients that cannot be linked."""

    async def test_server_error(self) -> None:
        """An error with which the server greets is the client's greeting."""
        repeater = await self.start()
        await self.in_thread(as_root, self.server, "SET GLOBAL max_connections = 10")
        taken: list[Any] = []
        try:
            with self.assertRaisesRegex(pymysql.OperationalError, "Too many connections"):
                for _ in range(20):
                    taken.append(await self.in_thread(self.connect, repeater.port))
            self.assertGreater(len(taken), 5)
        finally:
            for connection in taken:
                await self.in_thread(connection.close)
            await self.in_thread(as_root, self.server, "SET GLOBAL max_connections = 151")

    async def test_unreachable(self) -> None:
        """A server that cannot be reached is an error that the client shows its user."""
        repeater = await self.start(server="tcp:127.0.0.1:1")
        status, output = await self.run_client(*self.command(repeater.port, "--execute=SELECT 1"))
        self.assertEqual(status, 1)
        self.assertIn("1045", output)
        self.assertEqual([kind for _, kind in self.calls.refusals], [ServerUnreachable])
        self.assertIn(str(self.calls.refusal), output)

    async def test_refused_by_application(self) -> None:
        """So is a client that ``on_connect`` refuses."""

        def on_connect(link: Any) -> None:
            raise ValueError("no more today")

        repeater = await self.start(on_connect=on_connect)
        with self.assertRaisesRegex(pymysql.OperationalError, "1045"):
            await self.ask(repeater.port, "SELECT 1")


class HostileTests(MySQLCase):
    """Peers that are no client or server of MySQL, or are gone too soon, cost only themselves."""

    async def served(self, repeater: Repeater) -> None:
        """See that another client is served."""
        self.assertEqual(await self.ask(repeater.port, "SELECT 1"), ((1,),))

    async def test_clients(self) -> None:
        """Whatever a client says in place of its login, at once or byte by byte, ends its own connection only."""
        repeater = await self.start(is_client_allowed=lambda name: name != "eve")
        for said in (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
            b"\0\0\0\1",
            b"\1\0\0\1\0",
            b"\x05\0\0\1\x05\xa6\0\0\0",
            b"\xff\xff\xff\1" + b"\xff" * 70_000,
            bytes(70_000),
        ):
            for parts in ([said], bytewise(said[:200])):
                await self.in_thread(talk, repeater.port, *parts, ends=True)
        await self.served(repeater)

    async def test_old_login(self) -> None:
        """A login from before 4.1, in which another name could be read, is not taken."""
        repeater = await self.start()
        old = b"\x05\x24\0\0\1eve\0" + bytes(40) + b"ann\0"
        got = await self.in_thread(talk, repeater.port, len(old).to_bytes(3, "little") + b"\1" + old)
        self.assertEqual(got[4:5], b"\x0a")  # only the greeting

    async def test_silent(self) -> None:
        """A client that says nothing gets the greeting, and is cut by the server in the end; others are served."""
        repeater = await self.start(limits=Limits(name_timeout=2))  # the server takes its time to greet
        got = await self.in_thread(talk, repeater.port)
        set_limits(repeater)
        self.assertIn(b"MariaDB", got)
        self.assertNotIn(b"\xff", got[:5])
        await self.served(repeater)

    async def test_servers(self) -> None:
        """A server that is none, or closes at once or in the middle of its greeting, costs its client only."""
        for said in (b"", b"\x4a\0", b"SSH-2.0-OpenSSH_9\r\n", b"\x03\0\0\0\x0aab", b"\1\0\0\0\x09", b"\xff\xff\xff\0"):
            async with listening(said) as port:
                repeater = await self.start(server=f"tcp:127.0.0.1:{port}")
                with self.assertRaises(pymysql.MySQLError):
                    await self.ask(repeater.port, "SELECT 1")
                await self.nothing_left(repeater)
        errors = [str(call[3]) for call in self.calls if call[0] == "on_connecting_error"]
        self.assertEqual(sum("expected the greeting of MySQL" in error for error in errors), 2, errors)

    async def test_gone(self) -> None:
        """A client that leaves in the middle of a large result leaves nothing behind."""
        repeater = await self.start()

        def run() -> None:
            connection = self.connect(repeater.port, cursorclass=SSCursor)
            connection.cursor().execute("SELECT REPEAT('z', 1000) FROM seq_1_to_50000")
            connection._force_close()

        await self.in_thread(run)
        await self.nothing_left(repeater)
        await self.served(repeater)
