"""PostgreSQL for tests: one with TLS and one without, each started once for a process, and a case with a repeater."""

from __future__ import annotations

import atexit
import functools
import signal
import subprocess
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.ssl import CertificateOptions

from twisted_repeater import Repeater
from twisted_repeater.dialects.postgres import postgres

from ..certificates import Authority, Issued
from ..needed import cannot_test, needed
from .servers import RealCase, RealServer

__all__ = ["DEBIAN_PACKAGES", "Machine", "PostgresCase", "machine"]

DEBIAN_PACKAGES = "postgresql postgresql-client util-linux"

USERS = """
CREATE USER ann PASSWORD 'secret' REPLICATION;
CREATE USER plain PASSWORD 'secret';
CREATE USER bob;
CREATE USER careful PASSWORD 'secret';
SET password_encryption = 'md5';
CREATE USER old PASSWORD 'secret';
CREATE DATABASE d OWNER ann;
"""
"""The users of the tests. The password of each, but of bob, is ``secret``."""

RULES = """
local all owner trust
host all,replication ann 127.0.0.1/32 scram-sha-256
host all plain 127.0.0.1/32 password
host all bob 127.0.0.1/32 trust
host all old 127.0.0.1/32 md5
"""
"""How each user says who it is."""

ONLY_IN_TLS = "hostssl all careful 127.0.0.1/32 scram-sha-256\n"


class Machine:
    """A PostgreSQL for all tests, and the certificates that it and the repeater have.

    Args:
        ssl: whether it speaks TLS.
    """

    authority: Authority
    """Has issued the certificates; ``authority.roots`` is the file that trusts them."""
    issued: Issued
    """The certificate of the server."""
    other: Issued
    """Another one of the same name."""

    def __init__(self, ssl: bool) -> None:
        place = TemporaryDirectory(prefix="certificates-")
        atexit.register(place.cleanup)
        self.ssl = ssl
        self.authority = Authority(place.name)
        self.issued = self.authority.issue("localhost")
        self.other = self.authority.issue("localhost", file="other")
        found = sorted(glob("/usr/lib/postgresql/*/bin/postgres"))
        if not found:
            cannot_test("postgres is missing: apt-get install postgresql")
        needed("psql", "postgresql-client")  # before the server starts, which nothing would end
        self.programs = Path(found[-1]).parent
        self.server = RealServer(self.command)
        atexit.register(self.stop)
        self.server.program.wait_for("ready to accept connections")
        self.as_owner(USERS)

    @property
    def port(self) -> int:
        """The port that it listens at, on 127.0.0.1."""
        return self.server.port

    def stop(self) -> None:
        """End the server without waiting for its clients: some may sleep in a statement."""
        self.server.program.send_signal(signal.SIGINT)
        self.server.stop()

    def command(self, port: int) -> list[str]:
        """Return the command that makes a database in the current directory, and serves it; never as root.

        The server ends with this process, also if that is killed.
        """
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": ".",
            "fsync": "off",
            "wal_level": "logical",
            "ssl": "on" if self.ssl else "off",
            "ssl_cert_file": "own.pem",
            "ssl_key_file": "own.key",
        }
        chosen = " ".join(f"-c {key}={value}" for key, value in settings.items())
        rules = RULES + ONLY_IN_TLS * self.ssl
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
            $become {self.programs}/initdb --pgdata=data --username=owner --auth=trust --no-sync >/dev/null
            mv own.* data
            echo '{rules}' >data/pg_hba.conf
            exec ${{become:-setpriv}} --pdeathsig INT {self.programs}/postgres -D data {chosen}
        """
        return ["setpriv", "--pdeathsig", "KILL", "sh", "-c", script]

    def as_owner(self, sql: str, database: str = "postgres") -> str:
        """Run statements on the server itself, with all rights, and return what they show."""
        psql = [needed("psql", "postgresql-client"), "--no-psqlrc", "--tuples-only", "--no-align"]
        where = f"host={self.server.directory}/data port={self.server.port} user=owner dbname={database}"
        done = subprocess.run([*psql, where], input=sql, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout


machine = functools.cache(Machine)
"""Returns the PostgreSQL with TLS, or the one without: ``machine(True)``, ``machine(False)``."""


class PostgresCase(RealCase):
    """A test case with PostgreSQL, and a repeater before it."""

    ssl = True
    """Whether the server of the tests speaks TLS."""
    repeater: Repeater
    """The repeater that was started last."""

    def setUp(self) -> None:
        """Start the server, if it does not run yet."""
        self.machine = machine(self.ssl)
        super().setUp()
        self.addCleanup(self.flushWarnings)

    @property
    def own(self) -> dict[str, Any]:
        """The options by which a repeater ends the clients' TLS, with the certificate of the server."""
        return {"certificate": str(self.machine.issued.certificate), "key": str(self.machine.issued.key)}

    @property
    def other(self) -> dict[str, Any]:
        """The same, with another certificate than the server's."""
        return {"certificate": str(self.machine.other.certificate), "key": str(self.machine.other.key)}

    async def start(self, options: dict[str, Any] | None = None, *, server: int = 0, **settings: Any) -> int:
        """Start a repeater before PostgreSQL, and return its port.

        Args:
            options: the options of the dialect.
            server: the port of another server.
            settings: as for `RealCase.start_repeater`.
        """
        self.repeater = await self.start_repeater(postgres(**options or {}), server or self.machine.port, **settings)
        return self.repeater.port

    def where(self, port: int, **options: str) -> str:
        """Return how clients are told where to connect to: as the user ann, without TLS, unless options say more."""
        where = {"host": "localhost", "hostaddr": "127.0.0.1", "port": f"{port}", "user": "ann", "dbname": "d"}
        where |= {"password": "secret", "sslmode": "disable", "sslrootcert": str(self.machine.authority.roots)}
        return " ".join(f"{key}={value}" for key, value in (where | options).items())

    def psql(self, port: int, **options: str) -> list[str]:
        """Return the command line of psql."""
        line = self.where(port, **options)
        return [needed("psql", "postgresql-client"), "--no-psqlrc", "--tuples-only", "--no-align", line]

    async def ask(self, port: int, sql: str, **options: str) -> str:
        """Return what psql prints for some statements."""
        _, printed = await self.run_client(*self.psql(port, **options), says=sql)
        return printed

    def options(self, **options: Any) -> Any:
        """Return options of the clients' TLS, as a program makes them."""
        own = self.machine.issued.load()
        return CertificateOptions(own.privateKey.original, own.original, **options)
